//! The ledger's engine: Byzantine fault tolerant ordering of blocks for some application.
//!
//! # What it does
//!
//! Adapts `commonware-consensus` (`simplex` with `marshal`, release 2026.10.0 exactly) to an
//! [`Application`]: a synchronous, deterministic state machine behind a box. The payload of a
//! [`Block`] is opaque here, so a change of the ledger never recompiles the engine, and the
//! engine's many type parameters are filled in once, in this crate. It must not know: accounts,
//! transactions, HTTP, or anything else of a grid.
//!
//! # Protocol
//!
//! * **Agreement.** With `n = 3f + 1` validators of equal votes, up to `f` may lie or die. Each view has
//!   one leader (round robin). A block is notarized and then finalized by `2f + 1` votes; 2 hops
//!   to a block, 3 to finality. A single validator runs the same engine with `f = 0`.
//! * **Execution.** The proposer executes first: the header carries the state root *after* the
//!   block, and verifying is executing. A vote to notarize waits only for the block; the vote to finalize
//!   waits for the application's verdict (marshal's `Deferred`).
//! * **What is voted on** is the digest of the header, which holds the payload's hash. A light
//!   client therefore checks (header, certificate) without the payload: [`light`].
//! * **Time.** A block's time exceeds its parent's; a block from more than half a second ahead
//!   gets no finalize vote until the clock has caught up. It is never refused for that.
//! * **Terms.** Every term (a fixed number of heights) has its own committee, which the
//!   application names once the last block of the term before is applied. One engine of consensus
//!   a term; who has no seat follows. See `docs/protocols/consensus.md`.
//! * **Pace.** A leader with nothing to put in waits for the wake signal, at most for the idle
//!   interval since the parent, which is well below the leader timeout ([`defaults`]).
//! * **Delivery.** Finalized blocks reach [`Application::finalize`] in order and once. The engine
//!   delivers at least once and is acknowledged only after the application's write is durable;
//!   what comes again after a crash is recognised by its height and skipped. An application that
//!   has lost data is fed again from the archive, as far back as that reaches.
//! * **Crash.** Votes are journalled and synced before they are sent, so a validator killed at
//!   any moment never contradicts itself (L6). Journal, archives and application state belong together:
//!   never delete one of them alone.
//! * **Disk.** Archives are pruned below the last [`defaults::RETAIN_BLOCKS`] blocks, the journal
//!   and the caches by the engine itself.
//!
//! # Deviations from the engine's ways
//!
//! * Ancestors that the application does not know (after a restart) are executed before a
//!   proposal or verdict, instead of being asked for by the application.
//! * If a verdict cannot be reached, the vote is withheld; `false` is only for blocks
//!   that break the rules on their parent for good.
//!
//! # Source
//!
//! Simplex: <https://eprint.iacr.org/2023/463>. The engine: <https://commonware.xyz>.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests"))]

mod adapter;
mod anchor;
pub mod application;
pub mod block;
#[cfg(feature = "simulation")]
pub mod byzantine;
mod clock;
pub mod defaults;
mod delivery;
pub mod error;
pub mod evidence;
mod journal;
mod lanes;
pub mod light;
pub mod limits;
mod network;
mod node;
mod orchestrator;
mod prime;
mod pulse;
pub mod rejoin;
pub mod service;
#[cfg(feature = "simulation")]
pub mod simulation;
#[doc(hidden)]
pub mod strangers;
mod term;
pub mod timing;
mod wiring;

pub use application::{Application, Applied, Committee, Participant, Verdict};
pub use block::{Block, BlockId, BlockRef, Genesis, Header, Proposal};
pub use delivery::{Role, Status};
pub use error::{AppError, Error, Result};
pub use evidence::{Contradiction, Evidence, Said};
pub use light::FinalityProof;
pub use rejoin::{Rejoin, Start};
pub use service::{Config, Handle, ValidatorKey, spawn};
pub use timing::Timing;
