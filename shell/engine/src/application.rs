//! What the engine asks of the thing it orders blocks for.

use crate::{
    block::{Block, BlockId, BlockRef, Genesis, Proposal},
    error::AppError,
};
use std::net::SocketAddr;

/// One process of the chain as the others reach it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Participant {
    /// Its Ed25519 key.
    pub key: [u8; 32],
    /// Where it listens. For this process itself the real listening address is used instead.
    pub address: SocketAddr,
}

/// Who takes part in one term.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Committee {
    /// Those that vote, one vote each, at most [`MAX_VALIDATORS`](crate::limits::MAX_VALIDATORS),
    /// in any order.
    pub validators: Vec<Participant>,
    /// Those that do not vote but may connect and fetch blocks: registered candidates, and
    /// validators that left. Who stands in both lists is a validator.
    pub followers: Vec<Participant>,
}

/// The last block whose effects are durable in the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Its height; 0 if nothing but the genesis state is there.
    pub height: u64,
    /// Its name, or `None` at height 0 if the application does not keep the genesis block's.
    pub id: Option<BlockId>,
}

/// Whether a proposed block follows the application's rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It does.
    Valid,
    /// It does not and never will on this parent; the reason is for the log.
    Invalid(String),
}

/// A replicated state machine.
///
/// The engine calls from one thread at a time, never concurrently; a call may block for a disk
/// write. Everything but [`has_work`](Self::has_work) and [`propose`](Self::propose) must be
/// deterministic: a function of the blocks alone.
///
/// Blocks come as proposals first (`propose`, `verify`), on parents that may not be final and may
/// lose; the application keeps their effects as overlays by block name and drops the losers when
/// `finalize` settles a height. An error from any call stops the engine; an error is for broken
/// disks, not for bad blocks.
pub trait Application: Send + 'static {
    /// The state before the first block.
    fn genesis(&self) -> Genesis;

    /// The last durably applied block.
    fn applied(&self) -> Applied;

    /// Who takes part in this term ([`Config::term_heights`](crate::Config::term_heights) heights;
    /// term 0 begins with the genesis block).
    ///
    /// Asked for the term of the last applied block and for that of the next one, which differ
    /// when the last block of a term has been applied. The validators of a term must be a function
    /// of the finalized state at that boundary (in term 0: of the genesis) and stay the same for
    /// the whole term; its followers may change from block to block. `None` if the term is not one
    /// of those two: the engine stops with [`Error::NoCommittee`](crate::Error::NoCommittee).
    fn committee(&self, term: u64) -> Option<Committee>;

    /// Whether a child of this block can be built or verified now: it is the last applied one
    /// (at height 0: the genesis block, of which the engine takes care itself), or there is an
    /// overlay for it. The engine replays unknown ancestors through [`verify`](Self::verify).
    fn knows(&self, block: &BlockId) -> bool;

    /// Whether a block on this parent would carry something. If not, the engine waits until it
    /// is woken or the idle interval is over. The parent is known.
    ///
    /// Must be false if [`propose`](Self::propose) would give an empty payload (for instance
    /// because all that waits is in unfinalized ancestors already): after a true answer nothing
    /// slows the chain down.
    fn has_work(&mut self, parent: &BlockRef) -> bool;

    /// Builds the next block on this parent, an empty one if there is nothing to do; `None`
    /// passes this turn. The parent is known.
    ///
    /// # Errors
    /// If the application itself is broken.
    fn propose(
        &mut self,
        parent: &BlockRef,
        timestamp_ms: u64,
    ) -> Result<Option<Proposal>, AppError>;

    /// Tells which block became of the last proposal, so that its overlay can be found by name.
    /// By default the block is verified like anyone's.
    ///
    /// # Errors
    /// If the application itself is broken.
    fn proposed(&mut self, block: &Block) -> Result<(), AppError> {
        match self.verify(block)? {
            Verdict::Valid => Ok(()),
            Verdict::Invalid(reason) => Err(format!("own proposal is invalid: {reason}").into()),
        }
    }

    /// Executes a block on its parent, which is known. Payload length, height, parent, growing
    /// time and plausible time have been checked; state root and content are the application's.
    ///
    /// # Errors
    /// If the application itself is broken.
    fn verify(&mut self, block: &Block) -> Result<Verdict, AppError>;

    /// Makes a block final. Blocks come in order, each once: height is `applied().height + 1`.
    /// When this returns, block and height must be durable, in one transaction.
    ///
    /// `certificate` proves the block final by itself ([`crate::light::verify_certificate`]); it
    /// is absent if the block is final only through a descendant. That happens with several
    /// validators, and with one after a crash; [`crate::Handle::proof`] has the answer then.
    ///
    /// # Errors
    /// If the application itself is broken or cannot write.
    fn finalize(&mut self, block: &Block, certificate: Option<&[u8]>) -> Result<(), AppError>;
}
