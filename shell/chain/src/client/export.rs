//! Proofs to take away: files that show something to whoever has the genesis.

use acre_codec::List;
use acre_ledger::{Genesis, Key};
use acre_types::{Digest, Height};

use super::state::Failed;
use super::{LedgerClient, Trouble};
use crate::error::{ClientError, Lie};
use crate::light::Change;
use crate::proof::{ProofFile, ProofFileError};
use crate::protocol::{Finality, Reply, Request};

/// Why there is no proof file.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// No validator gave what is needed.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The validators keep no such transaction, or not any more.
    #[error("no validator knows transaction {id}, or keeps its block any more")]
    Unknown {
        /// Its id.
        id: Digest,
    },
    /// What was given makes no proof.
    #[error("what the validators gave makes no proof")]
    File(#[from] ProofFileError),
}

impl LedgerClient {
    /// A file that shows what stands at this key now.
    ///
    /// # Errors
    /// [`ExportError`].
    pub async fn export_value(
        &self,
        genesis: &Genesis,
        key: Key,
    ) -> Result<ProofFile, ExportError> {
        let keys = List::new(vec![key.clone()]).expect("one key");
        self.orient().await;
        let at_least = self.seen();
        let asked = self.ask(Request::Get { keys, at_least }, |reply| match reply {
            Reply::Values { finality, proofs } => {
                let block = self.check_finality(&finality, at_least)?;
                let proof = proofs.into_vec().pop().ok_or(Lie::Unfit)?;
                proof.verify(&block.root, &key.to_bytes()).map_err(Lie::from)?;
                Ok((block, finality, proof))
            }
            Reply::NotReady(reason) => Err(Trouble::NotReady(reason)),
            _ => Err(Lie::Unfit.into()),
        });
        let (block, finality, proof) = asked.await?;
        let changes = self.changes_before(block.term).await?;
        Ok(ProofFile::of_value(genesis, changes, finality, key, proof)?)
    }

    /// A file that shows that a transaction was applied, if it was not long ago.
    ///
    /// # Errors
    /// [`ExportError`].
    pub async fn export_transaction(
        &self,
        genesis: &Genesis,
        id: Digest,
    ) -> Result<ProofFile, ExportError> {
        let unknown = ExportError::Unknown { id };
        let height = self.transaction(id).await?.ok_or_else(|| unknown.clone())?;
        let Some((finality, block)) = self.block_with_finality(height).await? else {
            return Err(unknown);
        };
        let changes = self.changes_before(block.block.term).await?;
        Ok(ProofFile::of_transaction(genesis, changes, finality, id, &block.payload)?)
    }

    /// The same for a transaction whose block is known.
    ///
    /// # Errors
    /// [`ExportError`].
    pub async fn export_transaction_at(
        &self,
        genesis: &Genesis,
        id: Digest,
        height: Height,
    ) -> Result<ProofFile, ExportError> {
        let Some((finality, block)) = self.block_with_finality(height).await? else {
            return Err(ExportError::Unknown { id });
        };
        let changes = self.changes_before(block.block.term).await?;
        Ok(ProofFile::of_transaction(genesis, changes, finality, id, &block.payload)?)
    }

    /// All changes of validators before this term: none without asking anybody, if those of the
    /// genesis still sit.
    async fn changes_before(&self, term: u64) -> Result<Vec<Change>, ClientError> {
        if self.checkpoint().is_without_changes(term) {
            return Ok(Vec::new());
        }
        let mut failed = ClientError::NoValidators;
        for peer in self.in_turn() {
            match self.fetch_changes(peer, term).await {
                Ok(changes) => return Ok(changes),
                Err(Failed::Call(error)) => failed = super::worse(failed, error),
                Err(Failed::Trouble(trouble)) => {
                    failed = super::worse(failed, self.blame(peer, trouble));
                }
            }
        }
        Err(failed)
    }

    async fn block_with_finality(
        &self,
        height: Height,
    ) -> Result<Option<(Finality, super::VerifiedBlock)>, ClientError> {
        self.ask(Request::Block { height }, |reply| self.check_block(height, reply)).await
    }
}
