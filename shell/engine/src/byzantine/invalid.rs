//! A proposer of invalid blocks: everything else is honest.

use crate::{
    application::{Application, Applied, Committee, Verdict},
    block::{Block, BlockId, BlockRef, Genesis, Proposal},
    error::AppError,
};

/// Claims wrong state roots in what it proposes.
pub struct InvalidProposer(
    /// The honest application.
    pub Box<dyn Application>,
);

impl Application for InvalidProposer {
    fn genesis(&self) -> Genesis {
        self.0.genesis()
    }

    fn applied(&self) -> Applied {
        self.0.applied()
    }

    fn committee(&self, term: u64) -> Option<Committee> {
        self.0.committee(term)
    }

    fn knows(&self, block: &BlockId) -> bool {
        self.0.knows(block)
    }

    fn has_work(&mut self, parent: &BlockRef) -> bool {
        self.0.has_work(parent)
    }

    fn propose(
        &mut self,
        parent: &BlockRef,
        timestamp_ms: u64,
    ) -> Result<Option<Proposal>, AppError> {
        let mut proposal = self.0.propose(parent, timestamp_ms)?;
        if let Some(proposal) = &mut proposal {
            proposal.state_root[31] ^= 1;
        }
        Ok(proposal)
    }

    fn proposed(&mut self, _: &Block) -> Result<(), AppError> {
        // An honest one would find its own block invalid.
        Ok(())
    }

    fn verify(&mut self, block: &Block) -> Result<Verdict, AppError> {
        self.0.verify(block)
    }

    fn finalize(&mut self, block: &Block, certificate: Option<&[u8]>) -> Result<(), AppError> {
        self.0.finalize(block, certificate)
    }
}
