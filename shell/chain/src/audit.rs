//! Checks a chain as a whole: every block kept, or a sample.
//!
//! Of each block: that a quorum of the validators of its term made it final, that its transactions
//! have the hash in its header and good signatures, and that it follows the block before.
//! Where the state before is known (from the genesis on, if the first block is still kept; or after
//! a state that was fetched and proven), its transactions are applied again and must give the root
//! in its header: a quorum that signs an invalid block is found out.

use std::ops::RangeInclusive;

use acre_ledger::{BlockTime, Genesis, GenesisError, State, apply_payload};
use acre_types::{Digest, Height, UnixMs};
use tokio::time::Instant;

use crate::client::{Fetched, Final, LedgerClient, VerifiedBlock};
use crate::defaults::{RETRY_PAUSE, SUBMIT_WAIT};
use crate::error::ClientError;
use crate::limits::REPLAYED_MIN;

/// How much is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Every block, applied again wherever the state before it is known: from the genesis on, or if
    /// the first block is not kept any more, from a state that the validators give, proven by a
    /// recent block.
    Replay,
    /// So many blocks, drawn from a seed.
    Sample {
        /// How many at most.
        blocks: u32,
        /// Decides which.
        seed: u64,
    },
}

/// What was checked, all of it found right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// First block looked at.
    pub from: Height,
    /// Last block looked at.
    pub to: Height,
    /// Blocks found final, with the transactions and signatures that they should have.
    pub blocks: u64,
    /// Of these, blocks applied again with the same root.
    pub replayed: u64,
    /// Transactions in them.
    pub transactions: u64,
    /// Oldest block that the validators still keep: nobody can look at those before it.
    pub oldest: Height,
    /// The block from whose state on blocks were applied again: 0 for the genesis; `None` if no state
    /// was to be had, or blocks were drawn.
    pub state_of: Option<Height>,
}

/// What is wrong with a chain, or keeps us from looking.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// The validators do not give what is needed.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The genesis makes no grid.
    #[error("the genesis makes no grid")]
    Genesis(#[from] GenesisError),
    /// A block in the middle is missing everywhere.
    #[error("no validator gives block {height}")]
    Missing {
        /// The block.
        height: Height,
    },
    /// A quorum signed a block that does not follow the one before.
    #[error("block {height} does not follow block {parent}, which is final as well: a fork")]
    Fork {
        /// The block.
        height: Height,
        /// The one before.
        parent: Height,
    },
    /// A quorum signed a block that breaks the rules.
    #[error("a quorum signed block {height}, which is invalid: {reason}")]
    Invalid {
        /// The block.
        height: Height,
        /// Why.
        reason: String,
    },
    /// A quorum signed a block with another state than its transactions make.
    #[error(
        "block {height} says that the state's root is {signed}, but its transactions make {made}"
    )]
    WrongRoot {
        /// The block.
        height: Height,
        /// Root in its header.
        signed: Digest,
        /// Root that its transactions make.
        made: Digest,
    },
}

impl LedgerClient {
    /// Checks the blocks of this range that validators still keep. If the first is not kept any more and
    /// the range reaches the newest, some blocks that come meanwhile are looked at as well. `told` hears of each height as it
    /// is done.
    ///
    /// # Errors
    /// [`AuditError`]: what is wrong, or why it cannot be told.
    pub async fn verify_chain(
        &self,
        genesis: &Genesis,
        range: RangeInclusive<Height>,
        depth: Depth,
        mut told: impl FnMut(Height),
    ) -> Result<Report, AuditError> {
        let (info, head) = self.info().await?;
        let newest = head.map_or(Height(0), |head| head.height);
        let oldest = Height(info.oldest.0.max(1));
        let from = (*range.start()).max(oldest);
        let to = (*range.end()).min(newest);
        let mut report = Report { from, to, oldest, ..Report::default() };
        match depth {
            Depth::Replay => {
                let mut walk = Walk::default();
                let mut later = None;
                if from == Height(1) {
                    walk.state = Some((genesis.state()?, genesis.time));
                    report.state_of = Some(Height(0));
                } else if *range.end() >= newest {
                    later = self.state_from(from).await;
                }
                // The state that they give is of their newest block: some more are waited for.
                let after = later.as_ref().map_or(Height(0), |later| later.block.height);
                let wanted = if later.is_some() { after.0 + REPLAYED_MIN } else { 0 };
                report.to = to.max(Height(wanted));
                for height in from.0..=report.to.0 {
                    let block = self.kept(Height(height)).await?;
                    walk.step(&block, &mut report)?;
                    walk.begin(&block.block, &mut later, &mut report)?;
                    told(Height(height));
                }
            }
            Depth::Sample { blocks, seed } => {
                for height in sample(from, to, blocks, seed) {
                    let block = self.kept(height).await?;
                    Walk::default().step(&block, &mut report)?;
                    told(height);
                }
            }
        }
        Ok(report)
    }

    /// A proven state of a block from here on, if the validators give one.
    async fn state_from(&self, from: Height) -> Option<Fetched> {
        match self.fetch_state().await {
            Ok(fetched) => Some(fetched).filter(|fetched| fetched.block.height >= from),
            Err(error) => {
                tracing::warn!(%error, "no state to apply blocks to");
                None
            }
        }
    }

    /// A block; one that is not there yet is waited for.
    async fn kept(&self, height: Height) -> Result<VerifiedBlock, AuditError> {
        let begun = Instant::now();
        loop {
            if let Some(block) = self.block(height).await? {
                return Ok(block);
            }
            if height <= self.seen() || begun.elapsed() > SUBMIT_WAIT {
                return Err(AuditError::Missing { height });
            }
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    }
}

/// On the way through a chain.
#[derive(Default)]
struct Walk {
    /// After the block before, if known, with that block's time.
    state: Option<(State, UnixMs)>,
    /// Height and name of the block before.
    before: Option<(Height, Digest)>,
}

impl Walk {
    /// Takes this state if it is that after the block.
    fn begin(
        &mut self,
        block: &Final,
        later: &mut Option<Fetched>,
        report: &mut Report,
    ) -> Result<(), AuditError> {
        let Some(fetched) = later.take_if(|fetched| fetched.block.height == block.height) else {
            return Ok(());
        };
        let height = block.height;
        if fetched.block.id != block.id {
            return Err(AuditError::Fork { height, parent: height });
        }
        self.state = Some((fetched.state, block.time));
        report.state_of = Some(height);
        Ok(())
    }

    fn step(&mut self, verified: &VerifiedBlock, report: &mut Report) -> Result<(), AuditError> {
        let VerifiedBlock { block, payload } = verified;
        let height = block.height;
        if let Some((parent, id)) = self.before
            && block.parent != id
        {
            return Err(AuditError::Fork { height, parent });
        }
        let invalid = |error: acre_ledger::BlockError| AuditError::Invalid {
            height,
            reason: error.to_string(),
        };
        match &self.state {
            Some((state, before)) => {
                let time = BlockTime { before: *before, now: block.time };
                let applied = apply_payload(state, payload, height, time).map_err(invalid)?;
                if applied.root != block.root {
                    let (signed, made) = (block.root, applied.root);
                    return Err(AuditError::WrongRoot { height, signed, made });
                }
                self.state = Some((applied.state, block.time));
                report.replayed += 1;
            }
            None => drop(payload.verify().map_err(invalid)?),
        }
        self.before = Some((height, block.id));
        report.blocks += 1;
        report.transactions += payload.transactions.len() as u64;
        Ok(())
    }
}

/// Different heights of a range, in order, drawn from a seed.
fn sample(from: Height, to: Height, count: u32, seed: u64) -> Vec<Height> {
    let Some(span) = to.0.checked_sub(from.0).map(|span| span.saturating_add(1)) else {
        return Vec::new();
    };
    let mut chosen = std::collections::BTreeSet::new();
    for draw in 0..u64::from(count).saturating_mul(2) {
        if chosen.len() as u64 >= span.min(count.into()) {
            break;
        }
        let random = acre_crypto::digest(&[seed.to_le_bytes(), draw.to_le_bytes()].concat());
        let random = random.0.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        chosen.insert(Height(from.0 + random % span));
    }
    chosen.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sample_lies_in_its_range_and_depends_on_the_seed_alone() {
        let draw = |seed| sample(Height(10), Height(1_000), 20, seed);
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        assert_eq!(draw(3).len(), 20);
        assert!(draw(3).iter().all(|height| (10..=1_000).contains(&height.0)));
        assert!(sample(Height(5), Height(4), 20, 1).is_empty());
        assert_eq!(sample(Height(5), Height(5), 20, 1), [Height(5)]);
    }
}
