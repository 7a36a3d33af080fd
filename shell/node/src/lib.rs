//! A node: keeps shards for contracts that name it, serves and proves them, and forgets on demand.
//!
//! It trusts nobody: who may store is read from the ledger with a proof, what is stored must be
//! signed by the contract's writer and hash to its root, and what it serves the reader checks
//! again. It holds no key of any user. It shows its witnesses what it has ([`prover`]: plots on
//! disk, shards, cores) and watches the nodes that it was assigned ([`watch`]); what is asked and how
//! it is judged is `acre_capacity`'s. Storage is `acre_disk`, calls come through `acre_net`.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "tests"))]

mod chase;
mod close;
mod contracts;
mod decline;
mod error;
mod housekeeping;
mod inventory;
mod keep;
mod limits;
mod metrics;
mod muster;
mod plots;
mod prover;
mod register;
mod rules;
mod run;
mod shelf;
#[cfg(test)]
mod tests;
mod watch;

pub use contracts::{ContractSource, Proven, Unknown};
pub use error::NodeError;
pub use metrics::{Meter, Metrics};
pub use run::{Config, Node, Offer};
pub use shelf::Shelf;
