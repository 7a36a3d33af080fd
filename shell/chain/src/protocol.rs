//! What travels between a validator and its clients.
//!
//! | service | shape |
//! |---|---|
//! | `ledger/1` | calls: meta of a request = codec of [`Request`], body of a reply = codec of [`Reply`] |
//! | `ledger-events/1` | stream: first frame from the client = [`Subscribe`], then frames of [`Frame`] |
//!
//! A [`Request::Submit`] carries the signed transaction as body. No reply is believed: see
//! [`crate::client`].

use acre_codec::{Blob, Decode, Encode, List};
use acre_engine::FinalityProof;
use acre_engine::limits::{MAX_CERTIFICATE_BYTES, MAX_HEADER_BYTES, MAX_PROOF_HEADERS};
use acre_ledger::limits::PAYLOAD_BYTES_MAX;
use acre_ledger::{Event, Key, Proof};
use acre_net::Service;
use acre_types::{Digest, Height, Text};
use bytes::Bytes;

use crate::error::Refused;
use crate::light::Change;
use crate::limits::{CHANGES_PER_REPLY, EVENTS_MAX, KEYS_PER_CALL, REASON_BYTES_MAX};
pub use crate::pins::Leaves;

/// Calls.
pub const LEDGER: Service = Service::new("ledger/1");

/// Streams of events.
pub const EVENTS: Service = Service::new("ledger-events/1");

/// Evidence that a block is final, as it travels: [`FinalityProof`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Finality {
    headers: List<Blob<MAX_HEADER_BYTES>, MAX_PROOF_HEADERS>,
    certificate: Blob<MAX_CERTIFICATE_BYTES>,
}

impl Finality {
    /// As it travels; `None` if it exceeds the engine's limits, which its own proofs never do.
    #[must_use]
    pub fn new(proof: &FinalityProof) -> Option<Self> {
        let headers = proof.headers.iter().map(|header| Blob::new(header.to_vec()));
        Some(Self {
            headers: List::new(headers.collect::<Result<_, _>>().ok()?).ok()?,
            certificate: Blob::new(proof.certificate.to_vec()).ok()?,
        })
    }

    /// As the engine checks it.
    #[must_use]
    pub fn to_proof(&self) -> FinalityProof {
        FinalityProof {
            headers: self.headers.iter().map(|header| Bytes::copy_from_slice(header)).collect(),
            certificate: Bytes::copy_from_slice(&self.certificate),
        }
    }
}

/// A question to a validator.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Request {
    /// Apply the signed transaction in the body, and say when it is final.
    Submit,
    /// Prove what stands at these keys, all in one state.
    Get {
        /// The keys.
        keys: List<Key, KEYS_PER_CALL>,
        /// The state must not be older; the validator waits a little for this height.
        at_least: Height,
    },
    /// Where the validator stands.
    Info,
    /// A block.
    Block {
        /// Its height.
        height: Height,
    },
    /// Where a transaction is, if it was committed lately.
    Transaction {
        /// Its id.
        id: Digest,
    },
    /// Proof of the changes of validators, oldest first.
    Changes {
        /// From the end of this term on.
        after_term: u64,
    },
    /// Part of a whole state.
    State {
        /// After which block; 0 for the newest that the validator gives, then the height that it gave.
        height: Height,
        /// First leaf wanted, by its place in the state.
        from: u64,
    },
}

/// A validator's answer.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Reply {
    /// The transaction is in a final block.
    Committed {
        /// Height of that block.
        height: Height,
        /// A final block not before it.
        finality: Finality,
        /// The account of the transaction in the state after that: its number has moved on.
        account: Proof,
    },
    /// The transaction is not applied; this validator has dropped it.
    Refused(Refused),
    /// It waits still; submit it again to go on waiting.
    Waiting,
    /// Proofs for the first keys asked for: for all of them, unless they would not fit.
    Values {
        /// The block after which the state is proven.
        finality: Finality,
        /// In the order of the keys.
        proofs: List<Proof, KEYS_PER_CALL>,
    },
    /// Where the validator stands.
    Info(Info),
    /// The block asked for.
    Block {
        /// That it is final.
        finality: Finality,
        /// Its transactions: the codec of [`acre_ledger::Payload`], whose hash is in the header.
        payload: Blob<PAYLOAD_BYTES_MAX>,
    },
    /// The transaction is in this block. Not proven.
    Found {
        /// Its height.
        height: Height,
    },
    /// There is no such block or transaction, or not any more.
    NotFound,
    /// No final block yet, or none of the height asked for; or too much is going on. Ask later.
    NotReady(Text<REASON_BYTES_MAX>),
    /// The request does not decode.
    Malformed,
    /// Changes of validators, the first ones if not all fit; none if there are no more.
    Changes {
        /// In the order in which they happened.
        changes: List<Change, CHANGES_PER_REPLY>,
    },
    /// Part of a whole state.
    State {
        /// The block after which it stands; the same for all parts.
        finality: Finality,
        /// How many leaves the whole state has.
        leaves: u64,
        /// The leaves asked for, at least one unless there are no more.
        page: Leaves,
    },
}

impl Reply {
    /// The proof of finality that it carries, if its kind does.
    #[must_use]
    pub const fn finality(&self) -> Option<&Finality> {
        match self {
            Self::Committed { finality, .. }
            | Self::Values { finality, .. }
            | Self::State { finality, .. }
            | Self::Block { finality, .. } => Some(finality),
            Self::Info(info) => info.head.as_ref(),
            _ => None,
        }
    }
}

/// Where a validator says that it stands. Not proven.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Info {
    /// Digest of the genesis.
    pub chain: Digest,
    /// The newest block it can prove; `None` before the first.
    pub head: Option<Finality>,
    /// The oldest block it keeps.
    pub oldest: Height,
    /// Transactions that wait for a block.
    pub waiting: u64,
}

/// The first frame of a stream of events, by the subscriber.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Subscribe {
    /// Events of this block and all after it.
    pub from: Height,
}

/// A frame of a stream of events.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Frame {
    /// What a block did. Blocks without events are left out, except one in a while.
    Block {
        /// That the block is final.
        finality: Finality,
        /// Its events, or some of them. The node's word: who must know reads the state.
        events: List<Event, EVENTS_MAX>,
        /// Whether more events of this block follow.
        more: bool,
    },
    /// Blocks asked for are not kept any more; the stream ends.
    Gone {
        /// The oldest block kept.
        oldest: Height,
    },
    /// Too many subscribers; the stream ends.
    Full,
}
