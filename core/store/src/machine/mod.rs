//! Placement, put, get, repair and heads as state machines without sockets, clock or randomness.
//!
//! [`Traffic`] is the [`Machine`](acre_types::Machine) that a client runs; the simulator runs the
//! same. It decides whom to ask for what and when to stop waiting. It never sees bytes of a shard:
//! the shell keeps those under the number of the request that brought them, checks them where the
//! machine says so, and feeds back what it found.
//!
//! | invariant | where |
//! |---|---|
//! | S1 acknowledged = readable while losses stay within the profile | `put`, `get`, `head` |
//! | S2 bytes match or an error is returned | `get` (hunt), with the shell's check of the tags |
//! | S3 one shard of a pack per place, one place per site and operator | `placement`, `put`, `repair` |
//! | S4 repair converges and never lowers redundancy | `repair` |
//! | S6 a full disk refuses cleanly and is worked around | `health`, `put` |
//!
//! Must not know: the network, the ledger, the formats of packs and headers. Only `wire` knows the
//! words of the protocol.

mod error;
mod explain;
mod get;
mod head;
mod health;
pub mod limits;
mod mix;
pub mod placement;
mod put;
mod redundancy;
mod repair;
mod survey;
mod traffic;
mod types;
mod wire;

#[cfg(test)]
mod tests;

pub use error::MachineError;
pub use explain::{Explained, Row, ShardState, explain};
pub use get::{Extent, GetSpec, Ready};
pub use head::{HeadRead, HeadSpec};
pub use health::{Health, Kind};
pub use put::PutSpec;
pub use repair::{RepairReport, RepairSpec, Trust, Urgency, When};
pub use survey::{Condition, Seen, Sighting, SurveySpec};
pub use traffic::{Event, In, Operation, Out, Rebuilt, Traffic};
pub use types::{
    Answer, Ask, Check, Decode, Failure, Fault, HeadSeen, OpId, Page, Piece, Places, Range,
    RequestId, ShardAt,
};
