//! The shipped cores under one seed, in virtual time, with everything going wrong.
//!
//! A seed decides everything ([`Options`]): which faults there are and how often, who lies, what
//! the client does. Nodes, disks and the network are models; the machines of `acre-store`, its
//! formats, and the ledger are the code that ships. A run has two phases: first anything goes and
//! nothing may ever be wrong, then the faults end and everything promised must be there within a
//! bound of virtual time. The oracle shares no code with the cores.
//!
//! | invariant | where it is checked |
//! |---|---|
//! | S1 acknowledged = readable within the budget | `checks`: a newcomer reads all, and the head |
//! | S2 right bytes or an error | each read, in both phases |
//! | S3 distinct failure domains | placement, and each pack after repair |
//! | S4 repair converges, never lowers redundancy | `checks`, after healing |
//! | S6 a full disk refuses cleanly | reads of what is on it go on |
//! | L1 - L4 of the ledger | [`ledger`] |
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "tests")
)]

pub mod atlas;
mod checks;
pub mod client;
pub mod clock;
pub mod country;
pub mod disk;
mod faults;
pub mod ledger;
pub mod library;
pub mod node;
pub mod options;
pub mod planted;
pub mod reached;
pub mod rng;
pub mod run;
pub mod world;

pub use clock::Rolling;
pub use ledger::{LedgerOutcome, run_ledger};
pub use options::{Destruction, Lie, Options, Workload};
pub use planted::Planted;
pub use reached::{Reached, WANTED};
pub use rng::Rng;
pub use run::{Outcome, run, run_traced};
pub use world::Violation;
