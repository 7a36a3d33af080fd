//! HTTP in front of a grid: today a status page and the same facts as JSON.
//!
//! Knows no keys, reads no files, trusts no header: what it shows comes from a [`Source`], which
//! checks it against the ledger. It serves only `GET`, only to hosts by which it may be called
//! (against DNS rebinding), and only what is compiled in.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests"))]

mod error;
mod report;
mod serve;

pub use error::GateError;
pub use report::{LedgerPart, NodePart, NodeState, Report, Safety, Source, VolumePart};
pub use serve::serve;
