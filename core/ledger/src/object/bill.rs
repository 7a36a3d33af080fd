//! Lines of bills. How each is computed, and computed again, stands in [`crate::bill`].
//!
//! A contract has three purses: for time, for use and for grace. A line moves tokens into one of
//! them, or out of one; what came in is what went out and what is still held.

use acre_codec::List;
use acre_types::{AccountId, Amount, UnixMs};
use borsh::{BorshDeserialize, BorshSerialize};

use super::{MicroUsd, Split, TokenPrice};
use crate::limits::PLACES_MAX;

/// One line of a contract's bill.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct BillLine {
    /// Time of the block that wrote it.
    pub at: UnixMs,
    /// Begin of the time that it is about.
    pub from: UnixMs,
    /// End of it.
    pub to: UnixMs,
    /// What it says.
    pub entry: BillEntry,
}

/// What a line says.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum BillEntry {
    /// From the owner into the purse for time, or for use.
    Lock(Lock),
    /// From the owner into the purse for grace.
    Deposit(Deposit),
    /// From a purse to those who earned it.
    Pay(Pay),
    /// From the purse for time: a discount that was not deserved.
    Recall(Recall),
    /// What was left goes back to the owner.
    Refund(Refund),
    /// From the owner, kept for whoever closes the contract once it is over.
    Closing(Closing),
    /// To whoever closed it.
    Reward(Reward),
}

/// A part of what a contract holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Purse {
    /// For the time that was paid for.
    Time,
    /// For what is metered.
    Use,
    /// For grace.
    Grace,
}

/// What is paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Item {
    /// Raw storage at one place: byte x ms.
    Storage,
    /// Millionths of a CU x ms.
    Compute,
    /// Millionths of an SU x ms.
    Disk,
    /// IPv4 addresses x ms.
    Ipv4,
    /// A name: ms.
    Name,
    /// A service's base fee: ms.
    Base,
    /// Public traffic: bytes.
    Traffic,
    /// The most that a service may bill for use: ms.
    Variable,
}

impl Item {
    /// In lower case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Storage => "storage",
            Self::Compute => "compute",
            Self::Disk => "disk",
            Self::Ipv4 => "ipv4",
            Self::Name => "name",
            Self::Base => "service",
            Self::Traffic => "traffic",
            Self::Variable => "service use",
        }
    }

    /// The unit of its quantity.
    #[must_use]
    pub const fn unit(self) -> &'static str {
        match self {
            Self::Storage => "byte ms",
            Self::Compute => "micro-CU ms",
            Self::Disk => "micro-SU ms",
            Self::Ipv4 => "address ms",
            Self::Name | Self::Base | Self::Variable => "ms",
            Self::Traffic => "byte",
        }
    }

    /// What one unit price pays for, in its unit: a TiB for an hour, a CU for an hour, a GiB, …
    #[must_use]
    pub const fn per(self) -> u128 {
        const HOUR_MS: u128 = 3_600_000;
        match self {
            Self::Storage => HOUR_MS << 40,
            Self::Compute | Self::Disk => 3_600_000_000_000,
            Self::Ipv4 | Self::Name | Self::Base | Self::Variable => HOUR_MS,
            Self::Traffic => 1 << 30,
        }
    }
}

/// A price: so much of something, at a price in a stable unit, in tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Lock {
    /// What for.
    pub item: Item,
    /// How much, at one place, in [`Item::unit`].
    pub quantity: u128,
    /// Sum over all places of what they cost of the unit price, in thousandths: 1000 for one place,
    /// 1250 if it is certified, 500 if the whole node is rented.
    pub weight: u32,
    /// Price of [`Item::per`].
    pub unit_price: MicroUsd,
    /// What a token is worth.
    pub token: TokenPrice,
    /// List price: quantity x weight x unit price / (1000 x per) in tokens, rounded up.
    pub gross: Amount,
    /// Off the list price, in percent.
    pub discount_percent: u8,
    /// gross x percent / 100, rounded down.
    pub discount: Amount,
    /// What the owner paid: gross - discount.
    pub net: Amount,
}

/// A deposit for grace: the list price of as much time as grace has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Deposit {
    /// List price of what the contract holds for time.
    pub listed: Amount,
    /// The time that this pays for, in milliseconds.
    pub whole_ms: u64,
    /// The time of grace, in milliseconds.
    pub grace_ms: u64,
    /// What the contract held for grace before.
    pub held: Amount,
    /// What the owner paid: listed x grace / whole, rounded up, less what was held.
    pub net: Amount,
}

/// How the nodes of a contract share a payment.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Parts {
    /// So many, all alike and all up; 0 if there is none to be paid.
    Even(u8),
    /// Each by itself.
    Each(List<Part, PLACES_MAX>),
}

/// How one node shares a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Part {
    /// Its part of the price; see [`crate::Stand::weight`].
    pub weight: u32,
    /// Milliseconds that are paid for; 0: paid for no time, but as all are.
    pub due: u64,
    /// Of these, milliseconds that the node is paid for: less what it lost since, by its record, and
    /// what could not be taken off before.
    pub up: u64,
}

/// A payment out of a purse: the same part of what is held as the part of the time, or of the use,
/// that has passed.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Pay {
    /// Out of which.
    pub purse: Purse,
    /// List price of what it held.
    pub listed: Amount,
    /// What it held.
    pub held: Amount,
    /// What has passed: milliseconds, bytes, or micro-USD.
    pub part: u64,
    /// Out of as much.
    pub whole: u64,
    /// Who shares it.
    pub parts: Parts,
    /// The rules of sharing at this time.
    pub split: Split,
    /// listed x part / whole, rounded down.
    pub gross: Amount,
    /// gross - net.
    pub discount: Amount,
    /// What leaves the purse: held x part / whole, rounded down.
    pub net: Amount,
    /// Of it, back to the owner: for nodes that were not up.
    pub refund: Amount,
    /// Paid to the owner by the farms of those that witnesses found down, from their stakes.
    pub penalty: Amount,
    /// Of these stakes, destroyed.
    pub fined: Amount,
    /// Where the rest went: net - refund.
    pub shares: Shares,
}

/// What became of a payment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Shares {
    /// To the farms, or the provider of a service.
    pub farms: Amount,
    /// To the foundation.
    pub foundation: Amount,
    /// To the fund.
    pub fund: Amount,
    /// Destroyed.
    pub burned: Amount,
}

/// A discount that the owner had for a time to which he did not stay: the tier that he reached
/// counts, and he never pays more than he had locked.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Recall {
    /// List price of all time so far.
    pub listed: Amount,
    /// What was paid for it.
    pub paid: Amount,
    /// Discount that the time so far deserves, in percent.
    pub discount_percent: u8,
    /// What the purse for time holds.
    pub held: Amount,
    /// Who shares it.
    pub parts: Parts,
    /// The rules of sharing at this time.
    pub split: Split,
    /// What leaves the purse: listed x (100 - percent) / 100 - paid, rounded down, at most `held`.
    pub net: Amount,
    /// Where it went.
    pub shares: Shares,
}

/// What was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Refund {
    /// Out of the purse for time.
    pub time: Amount,
    /// Out of the purse for use.
    pub usage: Amount,
    /// Out of the purse for grace.
    pub deposit: Amount,
    /// What nobody had to be paid for closing it.
    pub closing: Amount,
    /// The sum: what the owner gets.
    pub net: Amount,
}

/// The fee of the transaction that will close a contract which is over: its owner leaves it behind, so
/// that what he no longer pays for is not held because nobody cares to free it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Closing {
    /// That fee, as it was when the contract was made.
    pub net: Amount,
}

/// What was kept for whoever closes a contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Reward {
    /// Did it.
    pub settler: AccountId,
    /// All that was kept.
    pub net: Amount,
}
