//! The ledger as a running thing: the state machine of `acre-ledger` under the engine of
//! `acre-engine`, durable, served to clients, and read by clients that believe nobody.
//!
//! ```text
//! Validator   engine + Executor + servers of calls and events, in one directory
//! Executor    the engine's application: overlays of unfinalized blocks, one write a final block
//! store       the state in redb: one synced transaction a block, sequential
//! mempool     transactions that wait for a block
//! checker     signatures, on threads of their own, each peer in its turn
//! relay       gives the other validators what our clients brought
//! restore     where a state comes from at the start: the disk, or the other validators
//! duty        what a seated validator submits by itself
//! protocol    what travels; service and events answer it
//! light       what a reader believes, and why: pure
//! proof       the same as a file, for whoever has the genesis
//! audit       a chain as a whole, applied again or by samples
//! client      verified reads, submissions that are safe to repeat, events
//! ```
//!
//! A transaction's way: [`client::LedgerClient::submit`] -> `ledger/1` -> mempool (cheap checks,
//! then the signature) -> the engine wakes and proposes -> finalized -> store (synced) -> the head
//! with its certificate is published -> the submitter hears its height, with a proof.
//!
//! It must not know: what a node, a shard or a volume is.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests"))]

pub mod audit;
mod checker;
pub mod client;
pub mod defaults;
pub mod duty;
mod error;
mod events;
pub mod executor;
pub mod light;
pub mod limits;
pub mod mempool;
mod metrics;
mod pins;
pub mod proof;
pub mod protocol;
mod relay;
mod restore;
mod service;
mod shared;
mod steward;
pub mod store;
#[cfg(test)]
mod testing;
mod validator;

/// Decoders of what peers send that have no public type, for fuzzing.
#[doc(hidden)]
pub mod strangers {
    pub use crate::relay::taken;
}

pub use acre_engine::{Role, Status};
pub use client::LedgerClient;
pub use error::{ChainError, ClientError, Lie, Refused, RuleKind, StoreError};
pub use executor::Executor;
pub use metrics::Metrics;
pub use validator::{Config, PeerAddress, Validator};

use acre_types::Digest;

/// The engine's name of a chain: votes and certificates of one are nothing on another.
#[must_use]
pub fn namespace(chain: &Digest) -> Vec<u8> {
    [b"acre-ledger/1/".as_slice(), chain.as_bytes()].concat()
}
