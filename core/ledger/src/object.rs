//! The objects on the ledger. Each has one canonical encoding, pinned by a golden file.

use acre_codec::{Blob, List};
use acre_types::{
    AccountId, Amount, Bytes, ContractId, Country, Digest, FarmId, NodeId, Profile, PublicKey,
    Text, UnixMs,
};
use borsh::{BorshDeserialize, BorshSerialize};

use crate::key::{Handle, Key};
use crate::limits::{
    ADDRESSES_MAX, NAME_BYTES_MAX, PLACES_MAX, TEXT_BYTES_MAX, TWIN_KEY_BYTES_MAX, TWIN_KEYS_MAX,
};

/// What may stand in the map.
pub trait Object: BorshSerialize + BorshDeserialize + Clone {
    /// As the one of all objects; used by the overlay of a block.
    #[doc(hidden)]
    fn wrap(self) -> AnyObject;
    /// Back from [`Object::wrap`]; `None` for another type.
    #[doc(hidden)]
    fn unwrap(any: &AnyObject) -> Option<&Self>;
}

macro_rules! objects {
    ($($name:ident),*) => {
        /// An object of any type. Not encoded itself: the key tells the type.
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[expect(missing_docs, reason = "each variant is the type of its name")]
        pub enum AnyObject { $($name($name)),* }

        impl AnyObject {
            /// The canonical bytes of the object within.
            #[must_use]
            pub fn to_bytes(&self) -> Vec<u8> {
                match self { $(Self::$name(object) => acre_codec::encode(object)),* }
            }
        }

        $(impl Object for $name {
            fn wrap(self) -> AnyObject {
                AnyObject::$name(self)
            }
            fn unwrap(any: &AnyObject) -> Option<&Self> {
                match any {
                    AnyObject::$name(object) => Some(object),
                    _ => None,
                }
            }
        })*
    };
}

objects!(
    Account,
    Twin,
    Handle,
    Farm,
    FarmId,
    Node,
    NodeId,
    StorageContract,
    ContractId,
    Totals,
    Parameters,
    Grid
);

impl AnyObject {
    /// The object whose canonical bytes stand at `key`: for explorers and snapshots, which meet all
    /// types.
    ///
    /// # Errors
    /// Bytes that are no such object.
    pub fn decode(key: &Key, bytes: &[u8]) -> Result<Self, acre_codec::CodecError> {
        Ok(match key {
            Key::Grid => Self::Grid(acre_codec::decode(bytes)?),
            Key::Totals => Self::Totals(acre_codec::decode(bytes)?),
            Key::Parameters => Self::Parameters(acre_codec::decode(bytes)?),
            Key::Account(_) => Self::Account(acre_codec::decode(bytes)?),
            Key::Twin(_) => Self::Twin(acre_codec::decode(bytes)?),
            Key::TwinOf(_) => Self::Handle(acre_codec::decode(bytes)?),
            Key::Farm(_) => Self::Farm(acre_codec::decode(bytes)?),
            Key::FarmOf(..) => Self::FarmId(acre_codec::decode(bytes)?),
            Key::Node(_) => Self::Node(acre_codec::decode(bytes)?),
            Key::NodeAt(_) => Self::NodeId(acre_codec::decode(bytes)?),
            Key::Contract(_) => Self::StorageContract(acre_codec::decode(bytes)?),
            Key::ContractOf(..) => Self::ContractId(acre_codec::decode(bytes)?),
        })
    }
}

/// What kind of grid this is; fixed by its genesis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum GridKind {
    /// On one machine, by `acre up`: tokens may be granted and are worth nothing.
    Local,
    /// A test grid of many: as `Local`.
    Test,
    /// For real: not one token exists before capacity was proven.
    Live,
}

impl GridKind {
    /// In lower case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Test => "test",
            Self::Live => "live",
        }
    }

    /// Whether a genesis may grant tokens.
    #[must_use]
    pub const fn allows_grants(self) -> bool {
        matches!(self, Self::Local | Self::Test)
    }
}

/// What never changes after genesis.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Grid {
    /// Digest of the genesis; every transaction names it.
    pub chain: Digest,
    /// For people.
    pub name: Text<NAME_BYTES_MAX>,
    /// Local, test or live.
    pub kind: GridKind,
    /// Receives [`crate::limits::FOUNDATION_PERCENT`] of what contracts pay.
    pub foundation: AccountId,
    /// Time of genesis.
    pub started: UnixMs,
}

/// Sums and counters over everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Totals {
    /// Tokens ever made.
    pub minted: Amount,
    /// Tokens ever destroyed: today all fees.
    pub burned: Amount,
    /// Tokens held by contracts. L3: all balances + escrow = minted - burned.
    pub escrow: Amount,
    /// Farms ever made; their ids run from 1 to this.
    pub farms: u32,
    /// Nodes ever registered; [`Key::NodeAt`] runs from 0 to below this.
    pub nodes: u32,
    /// Contracts ever made; their ids run from 1 to this.
    pub contracts: u64,
    /// Twins registered.
    pub twins: u64,
}

/// Prices and fees, set by genesis.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Parameters {
    /// Least fee of any transaction.
    pub fee_transaction: Amount,
    /// Least fee per byte of the signed transaction, added to the former.
    pub fee_byte: Amount,
    /// Price of one TiB (2^40 bytes) of raw storage, reserved for one hour, at one place.
    pub storage_tib_hour: Amount,
}

impl Default for Parameters {
    /// 0.001 TFT a transaction of 1 kB, and 0.17 TFT a TiB and hour, about 10 USD a month for a TB
    /// at 0.08 USD a TFT.
    fn default() -> Self {
        Self {
            fee_transaction: Amount(8_000),
            fee_byte: Amount(2),
            storage_tib_hour: Amount(1_700_000),
        }
    }
}

/// An account. One that was never touched has all of this zero and is not stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Account {
    /// Free tokens; what contracts hold in escrow is not among them.
    pub balance: Amount,
    /// Number of the next transaction; each is used once, in order (L4).
    pub nonce: u64,
    /// The key that speaks for the account, if it is no longer the one in the id.
    pub key: Option<PublicKey>,
    /// Farms ever made; [`Key::FarmOf`] runs from 0 to below this.
    pub farms: u32,
    /// Contracts ever made; [`Key::ContractOf`] runs from 0 to below this.
    pub contracts: u32,
}

impl Account {
    /// The key that speaks for the account of this id.
    #[must_use]
    pub const fn key(&self, id: AccountId) -> PublicKey {
        match self.key {
            Some(key) => key,
            None => PublicKey(id.0),
        }
    }
}

/// What a key of a twin is for.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
pub enum KeyRole {
    /// Ed25519: signs in the twin's name.
    Sign,
    /// X25519 and ML-KEM-768 side by side: others seal to the twin.
    Agree,
    /// Ed25519 of one device.
    Device,
    /// Ed25519 of somebody who may help to recover.
    Recover,
}

/// A key in the phonebook.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct TwinKey {
    /// What it is for.
    pub role: KeyRole,
    /// The public key in the encoding of its role.
    pub key: Blob<TWIN_KEY_BYTES_MAX>,
}

/// The keys of a twin.
pub type TwinKeys = List<TwinKey, TWIN_KEYS_MAX>;

/// An entry of the phonebook: who has this handle, with which keys.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Twin {
    /// The account that may change it.
    pub owner: AccountId,
    /// Current keys.
    pub keys: TwinKeys,
    /// Counts rotations from 0: whoever shows an older epoch is stale.
    pub epoch: u64,
}

/// The name of a farm.
pub type FarmName = Text<NAME_BYTES_MAX>;

/// A group of nodes with one owner.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Farm {
    /// For people; not unique.
    pub name: FarmName,
    /// Signs join tokens and is the operator of every node of the farm.
    pub owner: AccountId,
    /// Earns.
    pub payout: AccountId,
}

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

/// Whether a node takes new contracts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum NodeState {
    /// Takes new contracts.
    Active,
    /// Keeps what it has, takes nothing new.
    Draining,
    /// Gone for good, as far as its owner knows; contracts should move away.
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
    /// Raw storage reserved by contracts, never more than offered.
    pub reserved: Bytes,
    /// Where it may be dialled.
    pub addresses: Addresses,
    /// Whether it takes new contracts.
    pub state: NodeState,
    /// Time of the block that registered it.
    pub registered: UnixMs,
}

impl Node {
    /// Raw storage that contracts may still reserve.
    #[must_use]
    pub const fn free(&self) -> Bytes {
        Bytes(self.capacity.storage.0.saturating_sub(self.reserved.0))
    }
}

/// The places of a contract: first the n primaries, then the spares.
pub type Places = List<NodeId, PLACES_MAX>;

/// Whether a contract still holds anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum ContractState {
    /// Holds escrow and reserves space, even past its time until somebody settles it.
    Open,
    /// Everything was paid or refunded, and no space is reserved.
    Closed {
        /// Time of the block that closed it.
        at: UnixMs,
    },
}

/// What a contract is at a given time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContractStatus {
    /// Paid for.
    Live,
    /// Its time is over; may still be extended until somebody settles it.
    Expired,
    /// Over for good.
    Closed,
}

/// Storage on named places for a time.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct StorageContract {
    /// Its own number.
    pub id: ContractId,
    /// Pays, and may change it.
    pub owner: AccountId,
    /// Signs shards and heads; nodes store for nobody else.
    pub writer: PublicKey,
    /// The erasure code.
    pub profile: Profile,
    /// Where.
    pub places: Places,
    /// Plain bytes. Each place reserves [`StorageContract::place_bytes`].
    pub bytes: Bytes,
    /// Time of the block that made it.
    pub created: UnixMs,
    /// Paid to the farms up to here.
    pub settled: UnixMs,
    /// Paid for up to here.
    pub expires: UnixMs,
    /// Tokens held for the time from `settled` to `expires`.
    pub escrow: Amount,
    /// Open or closed.
    pub state: ContractState,
}

impl StorageContract {
    /// Raw bytes reserved at each place, spares included: the k-th part of the plain bytes.
    #[must_use]
    pub fn place_bytes(&self) -> Bytes {
        place_bytes(self.profile, self.bytes)
    }

    /// What the contract is at `now`.
    #[must_use]
    pub fn status(&self, now: UnixMs) -> ContractStatus {
        match self.state {
            ContractState::Closed { .. } => ContractStatus::Closed,
            ContractState::Open if now < self.expires => ContractStatus::Live,
            ContractState::Open => ContractStatus::Expired,
        }
    }
}

/// Raw bytes that each place reserves for `bytes` plain ones.
#[must_use]
pub fn place_bytes(profile: Profile, bytes: Bytes) -> Bytes {
    Bytes(bytes.0.div_ceil(u64::from(profile.data())))
}
