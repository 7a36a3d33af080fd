//! Nodes and what they offer.

use acre_codec::List;
use acre_types::{AccountId, Bytes, ContractId, Country, Epoch, FarmId, Text, UnixMs};
use borsh::{BorshDeserialize, BorshSerialize};

use crate::limits::{ADDRESSES_MAX, TEXT_BYTES_MAX};

/// What a node offers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Capacity {
    /// Raw storage.
    pub storage: Bytes,
    /// Logical processors.
    pub cores: u32,
    /// Memory.
    pub memory: Bytes,
}

impl Capacity {
    /// The lower of both, field by field.
    #[must_use]
    pub fn min(self, other: Self) -> Self {
        Self {
            storage: self.storage.min(other.storage),
            cores: self.cores.min(other.cores),
            memory: self.memory.min(other.memory),
        }
    }

    /// What is left without `other`, field by field; nothing where that is more.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self {
            storage: Bytes(self.storage.0.saturating_sub(other.storage.0)),
            cores: self.cores.saturating_sub(other.cores),
            memory: Bytes(self.memory.0.saturating_sub(other.memory.0)),
        }
    }
}

/// What is reserved, or asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Resources {
    /// Raw storage.
    pub storage: Bytes,
    /// Virtual cores, in thousandths.
    pub cores_milli: u64,
    /// Memory.
    pub memory: Bytes,
    /// IPv4 addresses. No node offers a number of these: it says no if it has none.
    pub ipv4: u32,
}

impl Resources {
    /// As a capacity, where so many virtual cores are sold for each core
    /// ([`crate::ContractRules::overcommit`]): a part of a core counts as a whole one.
    #[must_use]
    pub fn as_capacity(self, overcommit: u8) -> Capacity {
        let per_core = u64::from(overcommit.max(1)).saturating_mul(1000);
        let cores = self.cores_milli.checked_add(per_core.saturating_sub(1));
        let cores = cores.and_then(|cores| cores.checked_div(per_core));
        let cores = cores.and_then(|cores| u32::try_from(cores).ok()).unwrap_or(u32::MAX);
        Capacity { storage: self.storage, cores, memory: self.memory }
    }

    /// Nothing but storage.
    #[must_use]
    pub const fn storage(bytes: Bytes) -> Self {
        Self { storage: bytes, cores_milli: 0, memory: Bytes(0), ipv4: 0 }
    }

    /// The sum, or `None` past the range.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        Some(Self {
            storage: Bytes(self.storage.0.checked_add(other.storage.0)?),
            cores_milli: self.cores_milli.checked_add(other.cores_milli)?,
            memory: Bytes(self.memory.0.checked_add(other.memory.0)?),
            ipv4: self.ipv4.checked_add(other.ipv4)?,
        })
    }

    /// The difference, or `None` where one would be below zero.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        Some(Self {
            storage: Bytes(self.storage.0.checked_sub(other.storage.0)?),
            cores_milli: self.cores_milli.checked_sub(other.cores_milli)?,
            memory: Bytes(self.memory.0.checked_sub(other.memory.0)?),
            ipv4: self.ipv4.checked_sub(other.ipv4)?,
        })
    }
}

/// Whether a node takes new contracts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum NodeState {
    /// Takes new contracts.
    Active,
    /// Keeps what it has, takes nothing new.
    Draining,
    /// Gone for good, finally: its contracts pay nothing for it any more and should move away.
    Retired,
}

/// Where a node may be dialled, as `host:port`; the key is its id.
pub type Addresses = List<Text<TEXT_BYTES_MAX>, ADDRESSES_MAX>;

/// A node.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Node {
    /// Farm it belongs to.
    pub farm: FarmId,
    /// Owner of the farm: the failure domain of people.
    pub operator: AccountId,
    /// The failure domain of places: a house, a hall. Compared byte for byte.
    pub site: Text<TEXT_BYTES_MAX>,
    /// Where the site is.
    pub country: Country,
    /// What it offers.
    pub capacity: Capacity,
    /// Reserved by contracts: storage and memory never more than offered, cores never more than
    /// offered times [`crate::ContractRules::overcommit`].
    pub reserved: Resources,
    /// Of `reserved`, what it was asked for and has not agreed to: workloads that wait for its answer.
    /// Anyone may ask for all of it and pay nothing, so this makes nothing busy and proves nothing.
    pub asked: Resources,
    /// The contract that has rented it whole.
    pub rented: Option<ContractId>,
    /// Where it may be dialled.
    pub addresses: Addresses,
    /// Whether it takes new contracts.
    pub state: NodeState,
    /// Time of the block that registered it.
    pub registered: UnixMs,
    /// Its place in the order of registration: [`crate::Key::NodeAt`] of this is the node.
    pub index: u32,
    /// What its witnesses found in the last epoch that counted, never more than `capacity` (L7).
    pub verified: Capacity,
    /// Of the verified storage, what answered as fast as solid state does.
    pub solid: Bytes,
    /// Of `verified`, what contracts had reserved when it was folded: stored shards; and cores and
    /// memory, which nobody measured, since they are their tenants'.
    pub lent: Capacity,
    /// How it served so far.
    pub record: Record,
    /// How it witnessed others so far.
    pub witnessing: WitnessRecord,
}

/// How a node served, summed over the epochs that count: those in which enough of its witnesses
/// reported. It only grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Record {
    /// Milliseconds for which it was to serve.
    pub due: u64,
    /// Milliseconds of these for which it served, by the median of its witnesses.
    pub up: u64,
    /// Challenges that it failed, by the median of its witnesses.
    pub failed: u64,
    /// Epochs counted.
    pub epochs: u64,
    /// The last of them.
    pub last: Option<Epoch>,
}

impl Record {
    /// Milliseconds for which it was to serve and did not, ever.
    #[must_use]
    pub const fn lost(&self) -> u64 {
        self.due.saturating_sub(self.up)
    }
}

/// How a node witnessed others. It only grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct WitnessRecord {
    /// The last epoch it reported about.
    pub last: Option<Epoch>,
    /// Reports accepted, at most one an epoch.
    pub reports: u64,
    /// Verdicts in these.
    pub verdicts: u64,
    /// Verdicts that turned out to be far from the median: strikes, without reward.
    pub off: u64,
}

impl WitnessRecord {
    /// Verdicts that may be rewarded, ever.
    #[must_use]
    pub const fn honest(&self) -> u64 {
        self.verdicts.saturating_sub(self.off)
    }
}

impl Node {
    /// Storage, cores and memory that are both claimed and verified: the lower of the two.
    #[must_use]
    pub fn proven(&self) -> Capacity {
        self.verified.min(self.capacity)
    }

    /// What it has proven without anything that contracts had reserved: plots, and cores and memory
    /// that witnesses saw at work.
    #[must_use]
    pub fn unlent(&self) -> Capacity {
        self.proven().without(self.lent)
    }

    /// What contracts that it has agreed to have reserved, never more than it claims; see
    /// [`Resources::as_capacity`].
    #[must_use]
    pub fn busy(&self, overcommit: u8) -> Capacity {
        let agreed = self.reserved.checked_sub(self.asked).unwrap_or_default();
        agreed.as_capacity(overcommit).min(self.capacity)
    }

    /// What it claims and is not [`Node::busy`]: of cores and memory so much is measured.
    #[must_use]
    pub fn idle(&self, overcommit: u8) -> Capacity {
        self.capacity.without(self.busy(overcommit))
    }

    /// How much of the storage that it claims is proven, in thousandths.
    #[must_use]
    pub fn backed_storage(&self) -> u16 {
        thousandths(self.proven().storage.0, self.capacity.storage.0)
    }

    /// How much of what it claims is proven, in thousandths: of storage, cores and memory the one
    /// with the least.
    #[must_use]
    pub fn backed(&self) -> u16 {
        let (proven, claimed) = (self.proven(), self.capacity);
        self.backed_storage()
            .min(thousandths(proven.memory.0, claimed.memory.0))
            .min(thousandths(proven.cores.into(), claimed.cores.into()))
    }

    /// Raw storage that contracts may still reserve.
    #[must_use]
    pub const fn free(&self) -> Bytes {
        Bytes(self.capacity.storage.0.saturating_sub(self.reserved.storage.0))
    }
}

fn thousandths(part: u64, whole: u64) -> u16 {
    let scaled = u128::from(part).saturating_mul(1000).checked_div(whole.into()).unwrap_or(1000);
    u16::try_from(scaled.min(1000)).unwrap_or(1000)
}
