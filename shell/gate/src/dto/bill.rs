//! Lines of bills.

use acre_ledger::{self as ledger, BillEntry, BillLine};
use acre_types::Amount;
use schemars::JsonSchema;
use serde::Serialize;

use super::Tft;
use crate::about::kind;

/// A line of a contract's bill. What a kind of line does not say is left out.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
#[schemars(rename = "BillLine")]
pub(crate) struct Bill {
    /// Its number, from 0.
    pub(crate) index: u32,
    /// `lock`, `deposit`, `pay`, `recall` or `refund`.
    pub(crate) kind: String,
    /// Time of the block that wrote it.
    pub(crate) at_ms: u64,
    /// Begin of the time that it is about.
    pub(crate) from_ms: u64,
    /// End of it.
    pub(crate) to_ms: u64,
    /// What was paid for, as in `storage`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) item: Option<&'static str>,
    /// How much of it, as a decimal number: it may be larger than programs read exactly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) quantity: Option<String>,
    /// The unit of the quantity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) quantity_unit: Option<&'static str>,
    /// Price of as much as one pays for at a time: a TiB for an hour, and the like.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) unit_price_micro_usd: Option<u64>,
    /// What a token was worth.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) token_price_micro_usd: Option<u64>,
    /// Discount, in percent of the list price.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) discount_percent: Option<u8>,
    /// Which purse of the contract it left: `time`, `use` or `grace`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) purse: Option<String>,
    /// List price.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) gross_tft: Option<Tft>,
    /// Off the list price.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) discount_tft: Option<Tft>,
    /// Tokens that the line moves.
    pub(crate) net_tft: Option<Tft>,
    /// Of it, back to the owner.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) refund_tft: Option<Tft>,
    /// Paid to the owner by farms whose nodes were not up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) penalty_tft: Option<Tft>,
    /// Where the rest went.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) shares: Option<Shares>,
    /// Whether the line is what its own facts make of it (L8).
    pub(crate) recomputes: bool,
}

/// Who got a payment.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[schemars(rename = "BillShares")]
pub(crate) struct Shares {
    /// Farms, or the provider of a service.
    pub(crate) farms_tft: Tft,
    /// The foundation.
    pub(crate) foundation_tft: Tft,
    /// The fund.
    pub(crate) fund_tft: Tft,
    /// Nobody: destroyed.
    pub(crate) burned_tft: Tft,
}

impl From<ledger::Shares> for Shares {
    fn from(shares: ledger::Shares) -> Self {
        let ledger::Shares { farms, foundation, fund, burned } = shares;
        Self {
            farms_tft: Tft(farms),
            foundation_tft: Tft(foundation),
            fund_tft: Tft(fund),
            burned_tft: Tft(burned),
        }
    }
}

impl Bill {
    pub(crate) fn new(index: u32, line: &BillLine) -> Self {
        let tft = |amount: Amount| Some(Tft(amount));
        let common = Self {
            index,
            kind: kind(&line.entry),
            at_ms: line.at.0,
            from_ms: line.from.0,
            to_ms: line.to.0,
            recomputes: ledger::bill::recompute(line).as_ref() == Some(line),
            ..Self::default()
        };
        match &line.entry {
            BillEntry::Lock(lock) => Self {
                item: Some(lock.item.name()),
                quantity: Some(lock.quantity.to_string()),
                quantity_unit: Some(lock.item.unit()),
                unit_price_micro_usd: Some(lock.unit_price.0),
                token_price_micro_usd: Some(lock.token.0),
                discount_percent: Some(lock.discount_percent),
                gross_tft: tft(lock.gross),
                discount_tft: tft(lock.discount),
                net_tft: tft(lock.net),
                ..common
            },
            BillEntry::Deposit(deposit) => Self { net_tft: tft(deposit.net), ..common },
            BillEntry::Pay(pay) => Self {
                purse: Some(kind(&pay.purse)),
                gross_tft: tft(pay.gross),
                discount_tft: tft(pay.discount),
                net_tft: tft(pay.net),
                refund_tft: tft(pay.refund),
                penalty_tft: tft(pay.penalty),
                shares: Some(pay.shares.into()),
                ..common
            },
            BillEntry::Recall(recall) => Self {
                discount_percent: Some(recall.discount_percent),
                net_tft: tft(recall.net),
                shares: Some(recall.shares.into()),
                ..common
            },
            BillEntry::Refund(refund) => {
                Self { net_tft: tft(refund.net), refund_tft: tft(refund.net), ..common }
            }
            BillEntry::Closing(closing) => Self { net_tft: tft(closing.net), ..common },
            BillEntry::Reward(reward) => Self { net_tft: tft(reward.net), ..common },
        }
    }
}
