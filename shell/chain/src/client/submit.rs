//! Submissions that are safe to repeat.

use std::sync::Arc;

use acre_crypto::SigningKey;
use acre_ledger::{Action, Lookup as _, SignedTransaction, TheParameters, Transaction};
use acre_types::{AccountId, Amount, Height};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{Committed, LedgerClient, Trouble, worse};
use crate::defaults::{RETRY_PAUSE, ROUNDS, SUBMIT_TIMEOUT};
use crate::error::{ClientError, Lie, Refused};
use crate::light::check_commit;
use crate::limits::POOL_PER_ACCOUNT;
use crate::protocol::{Finality, Reply, Request};

/// Times a transaction is made anew because its number was taken by another of the same account.
const RENUMBERINGS: usize = 8;

impl LedgerClient {
    /// Makes, signs and submits a transaction of the key's own account, and waits until it is
    /// final. Fee and number are looked up.
    ///
    /// # Errors
    /// [`ClientError::Refused`], [`ClientError::OutcomeUnknown`], or what keeps the client from the
    /// validators; with [`ClientError::NoQuorum`] nothing was signed. After an unknown outcome, look before you submit the action again.
    pub async fn submit(&self, key: &SigningKey, action: Action) -> Result<Committed, ClientError> {
        self.submit_as(AccountId::from(key.public()), key, action).await
    }

    /// As [`LedgerClient::submit`], for an account whose key was rotated.
    ///
    /// # Errors
    /// As [`LedgerClient::submit`].
    pub async fn submit_as(
        &self,
        from: AccountId,
        key: &SigningKey,
        action: Action,
    ) -> Result<Committed, ClientError> {
        for attempt in 1.. {
            let mut signed = self.prepare(from, key, std::slice::from_ref(&action)).await?;
            let Some(signed) = signed.pop() else { break };
            match self.send(&signed).await {
                // Another transaction of the account came first; this one is dropped for good.
                Err(ClientError::Refused(
                    Refused::NonceUsed { .. } | Refused::NumberTaken { .. },
                )) if attempt < RENUMBERINGS => {
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
                done => return done,
            }
        }
        Err(ClientError::NoValidators)
    }

    /// Submits several transactions of the key's own account at once, in this order; at most
    /// [`POOL_PER_ACCOUNT`] at a time wait in a validator. Gives one result for each; after the first
    /// that is refused, the later ones are as well.
    ///
    /// # Errors
    /// What keeps the client from the validators before anything was sent.
    pub async fn submit_all(
        &self,
        key: &SigningKey,
        actions: &[Action],
    ) -> Result<Vec<Result<Committed, ClientError>>, ClientError> {
        let mut results = Vec::with_capacity(actions.len());
        for batch in actions.chunks(POOL_PER_ACCOUNT as usize) {
            let signed = self.prepare(AccountId::from(key.public()), key, batch).await?;
            let mut sending = JoinSet::new();
            for (index, signed) in signed.into_iter().enumerate() {
                // Taken in order: those in flight never wait for one that is not.
                let place = Arc::clone(&self.0.sending).acquire_owned().await;
                let client = self.clone();
                sending.spawn(async move {
                    let sent = client.send_now(&signed).await;
                    drop(place);
                    (index, sent)
                });
            }
            let mut sent: Vec<_> = sending.join_all().await;
            sent.sort_by_key(|(index, _)| *index);
            results.extend(sent.into_iter().map(|(_, result)| result));
        }
        Ok(results)
    }

    /// Signed transactions with consecutive numbers and the least fees, from the present state: waits
    /// until it is sure to be that, so that no number is signed again.
    ///
    /// # Errors
    /// As [`LedgerClient::present`].
    pub async fn prepare(
        &self,
        from: AccountId,
        key: &SigningKey,
        actions: &[Action],
    ) -> Result<Vec<SignedTransaction>, ClientError> {
        let snapshot = self.present(&[from.key(), TheParameters.key()]).await?;
        let account = snapshot.read(&from).map_err(|lie| self.lied(lie))?.unwrap_or_default();
        let parameters = snapshot.read(&TheParameters).map_err(|lie| self.lied(lie))?;
        let parameters = parameters.ok_or_else(|| self.lied(Lie::Unfit))?;
        let sign = |(nonce, action): (u64, &Action)| {
            let (chain, fee, action) = (self.chain(), Amount::ZERO, action.clone());
            let transaction = Transaction { chain, from, nonce, fee, action };
            transaction.with_least_fee(&parameters).sign(key)
        };
        Ok((account.nonce..).zip(actions).map(sign).collect())
    }

    /// Submits a signed transaction and waits until it is final. May be repeated with the same
    /// bytes, by anyone.
    ///
    /// # Errors
    /// As [`LedgerClient::submit`].
    pub async fn send(&self, signed: &SignedTransaction) -> Result<Committed, ClientError> {
        let _place = self.0.sending.acquire().await;
        self.send_now(signed).await
    }

    async fn send_now(&self, signed: &SignedTransaction) -> Result<Committed, ClientError> {
        tokio::select! {
            sent = self.try_all(signed) => sent,
            () = self.keep_told() => unreachable!("telling never ends"),
            // A validator may keep the call for long while it waits for a block.
            () = tokio::time::sleep(self.patience()) => {
                Err(ClientError::OutcomeUnknown { id: signed.transaction.id() })
            }
        }
    }

    async fn try_all(&self, signed: &SignedTransaction) -> Result<Committed, ClientError> {
        let id = signed.transaction.id();
        let bytes = signed.to_bytes();
        let mut failed = ClientError::NoValidators;
        let mut maybe_taken = false;
        let mut waits = false;
        let begun = Instant::now();
        for round in 0.. {
            // One that waits in a pool is asked after for longer than one that nobody took.
            if round >= ROUNDS && (!waits || begun.elapsed() > self.patience()) {
                break;
            }
            if round > 0 {
                tokio::time::sleep(RETRY_PAUSE * round.min(ROUNDS)).await;
            }
            for peer in self.in_turn() {
                let called = self.call(peer, &Request::Submit, bytes.clone(), SUBMIT_TIMEOUT).await;
                let reply = match called {
                    Err(source) => {
                        maybe_taken |= !source.is_unsent();
                        failed = worse(
                            failed,
                            ClientError::Unreachable { peer, source: Box::new(source) },
                        );
                        continue;
                    }
                    Ok(Err(lie)) => Err(lie),
                    Ok(Ok(reply)) => Ok(reply),
                };
                self.learn_signers(peer, &reply).await;
                let lie = match reply {
                    Ok(Reply::Committed { height, finality, account }) => {
                        match self.check_committed(signed, height, &finality, &account) {
                            Ok(proven) => {
                                self.prefer(peer);
                                return Ok(Committed { id, height, proven });
                            }
                            Err(lie) => lie,
                        }
                    }
                    Ok(Reply::Refused(refused)) => {
                        // Another validator may have taken it before, unless the number is gone.
                        let is_gone = matches!(refused, Refused::NonceUsed { .. });
                        if maybe_taken && !is_gone {
                            return Err(ClientError::OutcomeUnknown { id });
                        }
                        return Err(ClientError::Refused(refused));
                    }
                    Ok(Reply::Waiting) => {
                        (maybe_taken, waits) = (true, true);
                        continue;
                    }
                    Ok(Reply::NotReady(reason)) => {
                        failed = worse(failed, ClientError::NotReady { peer, reason });
                        continue;
                    }
                    Ok(_) => Lie::Unfit,
                    Err(lie) => lie,
                };
                // It had the transaction in its hands.
                maybe_taken = true;
                failed = worse(failed, self.blame(peer, Trouble::Lie(lie)));
            }
        }
        Err(if maybe_taken { ClientError::OutcomeUnknown { id } } else { failed })
    }

    fn check_committed(
        &self,
        signed: &SignedTransaction,
        height: Height,
        finality: &Finality,
        account: &acre_ledger::Proof,
    ) -> Result<Height, Lie> {
        let block = self.believe(finality)?;
        if block.height < height {
            return Err(Lie::Unfit);
        }
        let Transaction { from, nonce, .. } = signed.transaction;
        check_commit(&block, from, nonce, account)?;
        self.saw(&block);
        Ok(block.height)
    }
}
