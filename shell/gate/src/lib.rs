//! HTTP in front of a grid: the status page, the explorer's API, and metrics for the operator.
//!
//! ```text
//! serve        the page, /api/status, /api/v1/…; only to hosts by which it may be called
//! Explorer     a copy of the ledger (replica), events for streams (history), reads with proofs
//! follow       fills the copy with proofs and keeps it up to date by events and a sweep
//! api          a table of routes: router and OpenAPI document are made from it
//! metrics      a registry and its Prometheus text; admin serves it on a Unix socket (0600)
//! ```
//!
//! It knows no keys, writes no files but its socket, trusts no header and no validator: what it
//! shows was proven, except where a field says that it is somebody's word. It serves only `GET`,
//! only to hosts by which it may be called (against DNS rebinding), and lets no other page read
//! its answers.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests"))]

mod about;
pub mod admin;
mod api;
mod dto;
mod error;
mod explorer;
mod follow;
mod history;
pub mod limits;
mod listen;
pub mod metrics;
mod problem;
mod replica;
mod report;
mod serve;

pub use admin::Admin;
pub use error::GateError;
pub use explorer::Explorer;
pub use metrics::Registry;
pub use report::{LedgerPart, NodePart, NodeState, Report, Safety, Source, VolumePart};
pub use serve::serve;
