//! Reads the ledger without trusting whoever answers, and submits transactions safely.
//!
//! * Each value comes with a proof against a state root in a header that a quorum of the genesis'
//!   validators finalized. A validator that answers with anything else is skipped, and named in the
//!   error if no other answers.
//! * No answer is older than a block this client had seen when it asked. How old it is by the clock
//!   is for the caller to judge ([`Final::time`]): one who is cut off from honest validators
//!   can be shown a true but old state.
//! * A signed transaction may be submitted any number of times, to any validators: it is applied
//!   once (L4). Whether it was applied is proven by its account's number. A refusal is the word of
//!   a validator; no proof of it can exist.
//! * Events are hints of when to read.

mod events;
mod lists;
mod verify;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use acre_codec::{List, decode_bounded};
use acre_crypto::SigningKey;
use acre_ledger::{Action, Genesis, Key, Lookup, SignedTransaction, TheParameters, Transaction};
use acre_net::rpc::{Caller, Message};
use acre_net::{CallError, Endpoint};
use acre_types::{AccountId, Amount, Digest, Height, PublicKey};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

pub use events::{BlockEvents, Events};
pub use verify::{Final, Snapshot, Trust, check_commit};

use crate::defaults::{READ_TIMEOUT, RETRY_PAUSE, ROUNDS, SUBMIT_TIMEOUT};
use crate::error::{ClientError, Lie, Refused};
use crate::limits::{KEYS_PER_CALL, POOL_PER_ACCOUNT, SUBMISSIONS_IN_FLIGHT};
use crate::protocol::{Finality, Info, LEDGER, Reply, Request};

/// Times a transaction is made anew because its number was taken by another of the same account.
const RENUMBERINGS: usize = 8;

/// A transaction that is in a final block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    /// Its id.
    pub id: Digest,
    /// Height of its block, by the validator's word; it is not above `proven`.
    pub height: Height,
    /// Height of the block in whose state the commit shows.
    pub proven: Height,
}

/// What [`LedgerClient::block`] gives.
#[derive(Clone, Debug)]
pub struct VerifiedBlock {
    /// The block.
    pub block: Final,
    /// Its transactions, as in its header's hash.
    pub payload: acre_ledger::Payload,
}

/// A client. Clones share connections and what was seen.
#[derive(Clone)]
pub struct LedgerClient(Arc<Inner>);

struct Inner {
    trust: Trust,
    endpoint: Endpoint,
    caller: Caller,
    validators: Vec<PublicKey>,
    /// The validator that answered last: it is asked first.
    preferred: AtomicUsize,
    /// Highest proven height.
    seen: AtomicU64,
    /// Submissions in flight; see [`SUBMISSIONS_IN_FLIGHT`].
    sending: Arc<Semaphore>,
}

/// Why one validator did not help.
enum Trouble {
    /// It lies; worth naming.
    Lie(Lie),
    Stale(Height),
    NotReady(acre_types::Text<{ crate::limits::REASON_BYTES_MAX }>),
}

impl From<Lie> for Trouble {
    fn from(lie: Lie) -> Self {
        Self::Lie(lie)
    }
}

impl LedgerClient {
    /// A client of this grid that asks these validators, which the endpoint's address book must
    /// know. Trusts the genesis alone.
    #[must_use]
    pub fn new(genesis: &Genesis, endpoint: Endpoint, validators: Vec<PublicKey>) -> Self {
        Self(Arc::new(Inner {
            trust: Trust::new(genesis),
            caller: Caller::new(endpoint.clone(), LEDGER),
            endpoint,
            validators,
            preferred: AtomicUsize::new(0),
            seen: AtomicU64::new(0),
            sending: Arc::new(Semaphore::new(SUBMISSIONS_IN_FLIGHT)),
        }))
    }

    /// Digest of the genesis, which transactions name.
    #[must_use]
    pub fn chain(&self) -> Digest {
        self.0.trust.chain()
    }

    /// Highest block proven to this client so far; 0 before the first answer.
    #[must_use]
    pub fn seen(&self) -> Height {
        Height(self.0.seen.load(Ordering::Relaxed))
    }

    fn saw(&self, block: &Final) {
        self.0.seen.fetch_max(block.height.0, Ordering::Relaxed);
    }

    /// Validators from the preferred one on, with their index.
    fn in_turn(&self) -> impl Iterator<Item = (usize, PublicKey)> + '_ {
        let count = self.0.validators.len();
        let first = self.0.preferred.load(Ordering::Relaxed);
        (0..count)
            .map(move |offset| (first + offset) % count)
            .map(|index| (index, self.0.validators[index]))
    }

    async fn call(
        &self,
        peer: PublicKey,
        request: &Request,
        body: Vec<u8>,
        within: Duration,
    ) -> Result<Result<Reply, Lie>, CallError> {
        let message = Message::new(acre_codec::encode(request), body);
        let reply = self.0.caller.call(peer, message, within).await?;
        Ok(decode_bounded(&reply.body, acre_net::limits::BODY_BYTES_MAX)
            .map_err(|_| Lie::Malformed))
    }

    /// Asks one validator after the other until the check is content with an answer.
    async fn ask<T>(
        &self,
        request: Request,
        mut check: impl FnMut(Reply) -> Result<T, Trouble>,
    ) -> Result<T, ClientError> {
        let mut failed = ClientError::NoValidators;
        for round in 0..ROUNDS {
            if round > 0 {
                tokio::time::sleep(RETRY_PAUSE * round).await;
            }
            for (index, peer) in self.in_turn() {
                let trouble = match self.call(peer, &request, Vec::new(), READ_TIMEOUT).await {
                    Ok(reply) => match reply.map_err(Trouble::from).and_then(&mut check) {
                        Ok(answer) => {
                            self.0.preferred.store(index, Ordering::Relaxed);
                            return Ok(answer);
                        }
                        Err(trouble) => trouble,
                    },
                    Err(source) => {
                        failed = worse(
                            failed,
                            ClientError::Unreachable { peer, source: Box::new(source) },
                        );
                        continue;
                    }
                };
                failed = worse(failed, self.blame(peer, trouble));
            }
        }
        Err(failed)
    }

    fn blame(&self, peer: PublicKey, trouble: Trouble) -> ClientError {
        match trouble {
            Trouble::Lie(lie) => {
                tracing::warn!(%peer, %lie, "a validator does not tell the truth");
                ClientError::Lied { peer, lie }
            }
            Trouble::Stale(offered) => ClientError::Stale { offered, seen: self.seen() },
            Trouble::NotReady(reason) => ClientError::NotReady { peer, reason },
        }
    }

    /// `at_least` is what had been seen when the question was asked: an answer to another question
    /// may overtake this one.
    fn check_finality(&self, finality: &Finality, at_least: Height) -> Result<Final, Trouble> {
        let block = self.0.trust.check(finality)?;
        if block.height < at_least {
            return Err(Trouble::Stale(block.height));
        }
        self.saw(&block);
        Ok(block)
    }

    /// What stands at the first of these keys, all in one state: at least one of them, and mostly
    /// all up to [`KEYS_PER_CALL`]. Ask again for the rest.
    ///
    /// # Errors
    /// [`ClientError`] if no validator gives a provable answer.
    pub async fn snapshot(&self, keys: &[Key]) -> Result<Snapshot, ClientError> {
        let keys = &keys[..keys.len().min(KEYS_PER_CALL)];
        let list = List::new(keys.to_vec()).expect("cut to its limit just now");
        let at_least = self.seen();
        let request = Request::Get { keys: list, at_least };
        self.ask(request, |reply| match reply {
            Reply::Values { finality, proofs } => {
                let block = self.check_finality(&finality, at_least)?;
                Ok(Snapshot::check(block, keys, proofs.into_vec())?)
            }
            Reply::NotReady(reason) => Err(Trouble::NotReady(reason)),
            _ => Err(Lie::Unfit.into()),
        })
        .await
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
        self.lied(Lie::Proof(error))
    }

    fn lied(&self, lie: Lie) -> ClientError {
        let index = self.0.preferred.load(Ordering::Relaxed);
        match self.0.validators.get(index) {
            Some(peer) => ClientError::Lied { peer: *peer, lie },
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
        self.ask(Request::Block { height }, |reply| match reply {
            Reply::Block { finality, payload } => {
                let block = self.0.trust.check(&finality)?;
                if block.height != height || !verify::is_payload(&block, &payload) {
                    return Err(Lie::Unfit.into());
                }
                self.saw(&block);
                let payload = acre_ledger::Payload::decode(&payload).map_err(|_| Lie::Malformed)?;
                Ok(Some(VerifiedBlock { block, payload }))
            }
            Reply::NotFound => Ok(None),
            _ => Err(Lie::Unfit.into()),
        })
        .await
    }

    /// Block of a transaction, if it was committed lately: by the validator's word. The block
    /// itself shows whether that is so.
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

    /// Makes, signs and submits a transaction of the key's own account, and waits until it is
    /// final. Fee and number are looked up.
    ///
    /// # Errors
    /// [`ClientError::Refused`], [`ClientError::OutcomeUnknown`], or what keeps the client from the
    /// validators. After an unknown outcome, look before you submit the action again.
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

    /// Signed transactions with consecutive numbers and the least fees, from the present state.
    ///
    /// # Errors
    /// As [`LedgerClient::snapshot`].
    pub async fn prepare(
        &self,
        from: AccountId,
        key: &SigningKey,
        actions: &[Action],
    ) -> Result<Vec<SignedTransaction>, ClientError> {
        let snapshot = self.snapshot(&[from.key(), TheParameters.key()]).await?;
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
        let id = signed.transaction.id();
        let bytes = signed.to_bytes();
        let mut failed = ClientError::NoValidators;
        let mut maybe_taken = false;
        for round in 0..ROUNDS {
            if round > 0 {
                tokio::time::sleep(RETRY_PAUSE * round).await;
            }
            for (index, peer) in self.in_turn() {
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
                let lie = match reply {
                    Ok(Reply::Committed { height, finality, account }) => {
                        match self.check_committed(signed, height, &finality, &account) {
                            Ok(proven) => {
                                self.0.preferred.store(index, Ordering::Relaxed);
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
                        maybe_taken = true;
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
        let block = self.0.trust.check(finality)?;
        if block.height < height {
            return Err(Lie::Unfit);
        }
        let Transaction { from, nonce, .. } = signed.transaction;
        check_commit(&block, from, nonce, account)?;
        self.saw(&block);
        Ok(block.height)
    }
}

/// The error that says more: a lie before a stale answer before silence.
fn worse(a: ClientError, b: ClientError) -> ClientError {
    let rank = |error: &ClientError| match error {
        ClientError::NoValidators => 0,
        ClientError::Unreachable { .. } => 1,
        ClientError::NotReady { .. } => 2,
        ClientError::Stale { .. } => 3,
        _ => 4,
    };
    if rank(&b) >= rank(&a) { b } else { a }
}
