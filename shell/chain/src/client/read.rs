//! Verified reads of any keys, of blocks, and of where a validator stands.

use acre_ledger::{Key, Lookup};
use acre_types::{Digest, Height, PublicKey};

use super::state::Failed;
use super::{
    Final, FoundTransaction, Freshness, LedgerClient, Snapshot, Trouble, VerifiedBlock, Waiting,
    worse,
};
use crate::error::{ClientError, Lie};
use crate::limits::KEYS_PER_CALL;
use crate::protocol::{Finality, Info, Reply, Request};

impl LedgerClient {
    /// `at_least` is what had been seen when the question was asked: an answer to another question
    /// may overtake this one.
    pub(super) fn check_finality(
        &self,
        finality: &Finality,
        at_least: Height,
    ) -> Result<Final, Trouble> {
        let block = self.believe(finality)?;
        if block.height < at_least {
            return Err(Trouble::Stale(block.height));
        }
        self.saw(&block);
        Ok(block)
    }

    /// What stands at the first of these keys, all in one state: at least one of them, and mostly
    /// all up to [`KEYS_PER_CALL`]. Ask again for the rest. If it may be old, the owner is told.
    ///
    /// # Errors
    /// [`ClientError`] if no validator gives a provable answer.
    pub async fn snapshot(&self, keys: &[Key]) -> Result<Snapshot, ClientError> {
        let keys = &keys[..keys.len().min(KEYS_PER_CALL)];
        let (snapshot, freshness) = self.snapshot_with_freshness(keys).await?;
        if let (Freshness::Unsure(survey), Some(age)) = (freshness, self.too_old(&snapshot.block)) {
            self.tell(Waiting::OldState { age, survey });
        }
        Ok(snapshot)
    }

    /// What stands at these places, in their order. More than one call's worth may come from
    /// several states, each not older than the one before.
    ///
    /// # Errors
    /// As [`LedgerClient::snapshot`].
    pub async fn read_all<L: Lookup>(
        &self,
        places: &[L],
    ) -> Result<Vec<Option<L::Object>>, ClientError> {
        let mut values = Vec::with_capacity(places.len());
        while values.len() < places.len() {
            let rest = &places[values.len()..];
            let keys: Vec<_> = rest.iter().take(KEYS_PER_CALL).map(Lookup::key).collect();
            let snapshot = self.snapshot(&keys).await?;
            for (place, (_, proof)) in rest.iter().zip(&snapshot.proofs) {
                let value = acre_ledger::proven(&snapshot.block.root, place, proof);
                values.push(value.map_err(|error| self.undecodable(error))?);
            }
        }
        Ok(values)
    }

    /// What stands at this place; `None` if it is proven that nothing does.
    ///
    /// # Errors
    /// As [`LedgerClient::snapshot`].
    pub async fn read<L: Lookup>(&self, place: &L) -> Result<Option<L::Object>, ClientError> {
        let snapshot = self.snapshot(&[place.key()]).await?;
        snapshot.read(place).map_err(|lie| self.lied(lie))
    }

    /// A quorum agreed on bytes that we cannot read: most likely a newer version of the ledger.
    fn undecodable(&self, error: acre_ledger::ProofError) -> ClientError {
        self.lied(error.into())
    }

    pub(super) fn lied(&self, lie: Lie) -> ClientError {
        let first = self.in_turn().into_iter().next();
        match first {
            Some(peer) => ClientError::Lied { peer, lie },
            None => ClientError::NoValidators,
        }
    }

    /// Where one validator says that it stands; its head is proven.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn info(&self) -> Result<(Info, Option<Final>), ClientError> {
        let at_least = self.seen();
        self.ask(Request::Info, |reply| match reply {
            Reply::Info(info) if info.chain == self.chain() => {
                let check = |head| self.check_finality(head, at_least);
                let head = info.head.as_ref().map(check).transpose()?;
                Ok((info, head))
            }
            Reply::NotReady(reason) => Err(Trouble::NotReady(reason)),
            _ => Err(Lie::Unfit.into()),
        })
        .await
    }

    /// A block with all its transactions, both proven; `None` if the validator asked does not
    /// keep it any more, or it does not exist yet.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn block(&self, height: Height) -> Result<Option<VerifiedBlock>, ClientError> {
        let asked = self.ask(Request::Block { height }, |reply| self.check_block(height, reply));
        Ok(asked.await?.map(|(_, block)| block))
    }

    pub(super) fn check_block(
        &self,
        height: Height,
        reply: Reply,
    ) -> Result<Option<(Finality, VerifiedBlock)>, Trouble> {
        match reply {
            Reply::Block { finality, payload } => {
                let block = self.believe(&finality)?;
                if block.height != height || !block.has_payload(&payload) {
                    return Err(Lie::Unfit.into());
                }
                self.saw(&block);
                let payload = acre_ledger::Payload::decode(&payload).map_err(|_| Lie::Malformed)?;
                Ok(Some((finality, VerifiedBlock { block, payload })))
            }
            Reply::NotFound => Ok(None),
            // Its disk may have failed: that is no lie.
            Reply::NotReady(reason) => Err(Trouble::NotReady(reason)),
            _ => Err(Lie::Unfit.into()),
        }
    }

    /// A transaction with proof that it was applied: it is among those of a final block, whose header
    /// holds their hash, and a block with one that cannot be applied is never final. `None` if none of
    /// the validators that answer shows it: that it is not there cannot be proven, and blocks are not
    /// kept for ever.
    ///
    /// # Errors
    /// [`ClientError`] if no validator answers, or all that do lie.
    pub async fn find(&self, id: Digest) -> Result<Option<FoundTransaction>, ClientError> {
        let mut failed = None;
        let mut unknown = false;
        for peer in self.in_turn() {
            match self.find_at(peer, id).await {
                Ok(Some(found)) => {
                    self.prefer(peer);
                    return Ok(Some(found));
                }
                Ok(None) => unknown = true,
                Err(error) => {
                    let error = match error {
                        Failed::Call(error) => error,
                        Failed::Trouble(trouble) => self.blame(peer, trouble),
                    };
                    failed = Some(failed.map_or(error.clone(), |before| worse(before, error)));
                }
            }
        }
        match failed {
            Some(error) if !unknown => Err(error),
            None if !unknown => Err(ClientError::NoValidators),
            _ => Ok(None),
        }
    }

    async fn find_at(
        &self,
        peer: PublicKey,
        id: Digest,
    ) -> Result<Option<FoundTransaction>, Failed> {
        let height = match self.ask_one(peer, &Request::Transaction { id }).await? {
            Reply::Found { height } => height,
            Reply::NotFound => return Ok(None),
            _ => return Err(Trouble::from(Lie::Unfit).into()),
        };
        let reply = self.ask_one(peer, &Request::Block { height }).await?;
        let Some((_, verified)) = self.check_block(height, reply)? else { return Ok(None) };
        let VerifiedBlock { block, payload } = verified;
        let all = payload.transactions.into_vec().into_iter().enumerate();
        let mut those = all.filter(|(_, signed)| signed.transaction.id() == id);
        // It has said that it is there.
        let (index, signed) = those.next().ok_or(Trouble::Lie(Lie::Unfit))?;
        Ok(Some(FoundTransaction { block, index, signed }))
    }

    /// Block of a transaction, if it was committed lately: by the validator's word; with proof:
    /// [`LedgerClient::find`].
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn transaction(&self, id: Digest) -> Result<Option<Height>, ClientError> {
        self.ask(Request::Transaction { id }, |reply| match reply {
            Reply::Found { height } => Ok(Some(height)),
            Reply::NotFound => Ok(None),
            _ => Err(Lie::Unfit.into()),
        })
        .await
    }
}
