//! Answers the calls of `ledger/1` from what the executor has published.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use acre_codec::{Blob, List};
use acre_engine::Header;
use acre_ledger::{Key, Lookup as _, Proof, SignedTransaction, check_payer};
use acre_net::rpc::{Handler, Message};
use acre_types::{AccountId, Digest, Height, PublicKey, Text};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{Instant, timeout};

use crate::client::LedgerClient;
use crate::defaults::{HEIGHT_WAIT, SUBMIT_WAIT};
use crate::error::{Refused, StoreError};
use crate::light::Final;
use crate::limits::{
    CHANGE_BYTES_PER_REPLY, CHANGES_PER_REPLY, KEYS_PER_CALL, PROOF_BYTES_PER_REPLY, SUBMISSIONS,
};
use crate::mempool::{Admission, Origin, Outcome};
use crate::pins::Pins;
use crate::protocol::{Finality, Info, Reply, Request};
use crate::shared::{Head, Shared};
use crate::store::Reader;

/// The handler of calls.
#[derive(Clone)]
pub(crate) struct Ledger {
    shared: Arc<Shared>,
    chain: Digest,
    submissions: Arc<Semaphore>,
    pins: Arc<Pins>,
    /// Other validators, who have what our disk has lost.
    others: Option<LedgerClient>,
    /// Whether something is fetched from them.
    mending: Arc<AtomicBool>,
}

impl Ledger {
    pub(crate) fn new(shared: Arc<Shared>, chain: Digest, others: Option<LedgerClient>) -> Self {
        let submissions = Arc::new(Semaphore::new(SUBMISSIONS));
        let (pins, mending) = (Arc::default(), Arc::default());
        Self { shared, chain, submissions, pins, others, mending }
    }

    async fn answer(&self, peer: PublicKey, message: Message) -> Reply {
        let Ok(request) = acre_codec::decode::<Request>(&message.meta) else {
            return Reply::Malformed;
        };
        let answered = match request {
            Request::Submit => Ok(self.submit(peer, &message.body).await),
            Request::Get { keys, at_least } => Ok(self.get(&keys, at_least).await),
            Request::Info => self.info(),
            Request::Block { height } => self.block(height),
            Request::Transaction { id } => Ok(match self.shared.pool().committed(&id) {
                Some(height) => Reply::Found { height: Height(height) },
                None => Reply::NotFound,
            }),
            Request::Changes { after_term } => self.changes(after_term),
            Request::State { height, from } => Ok(self.state(height, from).await),
        };
        answered.unwrap_or_else(|error| {
            tracing::error!(%error, "cannot read the ledger's store");
            not_ready("the validator cannot read its store")
        })
    }

    async fn submit(&self, peer: PublicKey, bytes: &[u8]) -> Reply {
        let counters = &self.shared.counters;
        let Ok(signed) = SignedTransaction::decode(bytes) else {
            counters.refused.fetch_add(1, Ordering::Relaxed);
            return Reply::Refused(Refused::Malformed);
        };
        let (id, from) = (signed.transaction.id(), signed.transaction.from);
        let (admission, outcome) = match self.admit(peer, id, signed).await {
            Ok(admitted) => admitted,
            Err(refused) => {
                counters.refused.fetch_add(1, Ordering::Relaxed);
                return self.refused(id, refused);
            }
        };
        if let Admission::Committed { height } = admission {
            return self.committed(from, Height(height)).await;
        }
        // It waits in the pool all the same: only its client is sent away.
        let Ok(_permit) = self.submissions.try_acquire() else { return Reply::Waiting };
        match timeout(SUBMIT_WAIT, outcome).await {
            Ok(Ok(Outcome::Committed { height })) => self.committed(from, Height(height)).await,
            Ok(Ok(Outcome::Refused(refused))) => self.refused(id, refused),
            // No answer yet, or the validator is stopping.
            Ok(Err(_)) | Err(_) => Reply::Waiting,
        }
    }

    /// Puts a transaction into the pool, if it is not there: free checks first, then its signature.
    async fn admit(
        &self,
        peer: PublicKey,
        id: Digest,
        signed: SignedTransaction,
    ) -> Result<(Admission, oneshot::Receiver<Outcome>), Refused> {
        let admission = self.shared.pool().admit(&id, &signed)?;
        if admission != Admission::Check {
            return Ok((admission, self.shared.pool().wait(id)));
        }
        let checked = self.shared.checker.check(peer, vec![signed]).await;
        // None at all: it was not even looked at.
        let verified = checked.ok_or(Refused::PoolFull)?.pop().ok_or(Refused::Unable)??;
        let verified = Arc::new(verified);
        // Only for those whose own signature is right, and not under the pool's lock.
        let state = self.shared.pool().state().clone();
        check_payer(&state, verified.signed())?;
        let admitted = {
            // One lock for both, so that what happens to it is not missed.
            let mut pool = self.shared.pool();
            let admission = pool.insert(Arc::clone(&verified), Origin::Client)?;
            (admission, pool.wait(id))
        };
        if admitted.0 == Admission::Check {
            self.shared.counters.submitted.fetch_add(1, Ordering::Relaxed);
            self.shared.wake.notify_one();
            // Fails if there is no other validator.
            let _ = self.shared.outgoing.send(verified);
        }
        Ok(admitted)
    }

    /// A transaction that another one overtook may have been committed itself meanwhile.
    fn refused(&self, id: Digest, refused: Refused) -> Reply {
        match self.shared.pool().committed(&id) {
            Some(_) => Reply::Waiting,
            None => Reply::Refused(refused),
        }
    }

    async fn committed(&self, from: AccountId, height: Height) -> Reply {
        let Some(head) = self.head(height).await else {
            return Reply::Waiting;
        };
        match Finality::new(&head.proof) {
            Some(finality) => {
                let account = head.state.prove(&from.key());
                Reply::Committed { height, finality, account }
            }
            None => Reply::Waiting,
        }
    }

    /// The newest provable block, if it is not below `at_least` or gets there soon.
    async fn head(&self, at_least: Height) -> Option<Arc<Head>> {
        let mut head = self.shared.head.subscribe();
        let is_there =
            |head: &Option<Arc<Head>>| head.as_ref().is_some_and(|head| head.height >= at_least);
        let there = timeout(HEIGHT_WAIT, head.wait_for(is_there)).await;
        there.ok()?.ok()?.clone()
    }

    async fn get(&self, keys: &[Key], at_least: Height) -> Reply {
        let Some(head) = self.head(at_least).await else {
            return not_ready("the block asked for is not final here yet");
        };
        let Some(finality) = Finality::new(&head.proof) else {
            return not_ready("the newest block cannot be proven yet");
        };
        Reply::Values { finality, proofs: prove(&head, keys) }
    }

    fn info(&self) -> Result<Reply, StoreError> {
        let head = self.shared.head.borrow().clone();
        let oldest = self.shared.reader.range()?.map_or(0, |(oldest, _)| oldest);
        Ok(Reply::Info(Info {
            chain: self.chain,
            head: head.and_then(|head| Finality::new(&head.proof)),
            oldest: Height(oldest),
            waiting: self.shared.pool().len() as u64,
        }))
    }

    async fn state(&self, height: Height, from: u64) -> Reply {
        let Some(newest) = self.shared.head.borrow().clone() else {
            return not_ready("no block is final here yet");
        };
        let pins = Arc::clone(&self.pins);
        let cut = tokio::task::spawn_blocking(move || {
            let now = Instant::now();
            let pinned = match height {
                Height(0) => pins.begin(&newest, now),
                height => pins.resume(height, now),
            }?;
            Some((Finality::new(&pinned.head.proof)?, pinned.leaves, pinned.page(from)?))
        });
        match cut.await {
            Ok(Some((finality, leaves, page))) => Reply::State { finality, leaves, page },
            _ => not_ready("this state or part of it is not held, or too many are"),
        }
    }

    fn changes(&self, after_term: u64) -> Result<Reply, StoreError> {
        let turns = self.shared.reader.turns(after_term, CHANGE_BYTES_PER_REPLY)?;
        let damaged = |_| StoreError::Damaged { what: "proof of a change of validators" };
        let turns = turns.iter().take(CHANGES_PER_REPLY);
        let changes = turns.map(|turn| acre_codec::decode(turn).map_err(damaged));
        let changes = changes.collect::<Result<Vec<_>, _>>()?;
        let changes = List::new(changes).expect("no more than fit, by the line above");
        Ok(Reply::Changes { changes })
    }

    fn block(&self, height: Height) -> Result<Reply, StoreError> {
        let head = self.shared.head.borrow().clone();
        if head.is_none_or(|head| head.height < height) {
            return Ok(Reply::NotFound);
        }
        let Some(finality) = finality_of(&self.shared.reader, height)? else {
            return Ok(Reply::NotFound);
        };
        let payload = match self.shared.reader.body(height.0)? {
            Some(body) if !body.payload.is_empty() => body.payload,
            _ => acre_ledger::Payload::empty().to_bytes(),
        };
        let damaged = StoreError::Damaged { what: "payload of a block" };
        let proof = finality.to_proof();
        let header = proof.headers.first().and_then(|bytes| Header::decode(bytes).ok());
        // A disk that forgets must not make a liar of us.
        if header.is_none_or(|header| !Final::of(&header).has_payload(&payload)) {
            self.mend(height);
            return Err(damaged);
        }
        let payload = Blob::new(payload).map_err(|_| damaged)?;
        Ok(Reply::Block { finality, payload })
    }
}

impl Ledger {
    /// Has a damaged block from another validator, one block at a time: whoever asks again finds it.
    fn mend(&self, height: Height) {
        let Some(others) = self.others.clone() else { return };
        if self.mending.swap(true, Ordering::AcqRel) {
            return;
        }
        let (reader, mending) = (self.shared.reader.clone(), Arc::clone(&self.mending));
        tokio::spawn(async move {
            match others.block(height).await {
                Ok(Some(found)) => {
                    let payload = found.payload.to_bytes();
                    let put_back = move || match reader.head(height.0)? {
                        Some(head) if head.id == found.block.id.0 => reader.mend(height.0, payload),
                        _ => Ok(false),
                    };
                    match tokio::task::spawn_blocking(put_back).await {
                        Ok(Ok(true)) => tracing::warn!(%height, "a damaged block was restored"),
                        Ok(Err(error)) => tracing::error!(%error, "cannot restore a block"),
                        Ok(Ok(false)) | Err(_) => {
                            tracing::error!(%height, "a damaged block cannot be restored");
                        }
                    }
                }
                Ok(None) => tracing::error!(%height, "nobody has a block that is damaged here"),
                Err(error) => tracing::warn!(%error, "nobody gives a block that is damaged here"),
            }
            mending.store(false, Ordering::Release);
        });
    }
}

impl Handler for Ledger {
    async fn call(&self, peer: PublicKey, message: Message) -> Message {
        let reply = self.answer(peer, message).await;
        Message::new(Vec::new(), acre_codec::encode(&reply))
    }
}

fn not_ready(reason: &'static str) -> Reply {
    Reply::NotReady(Text::new(reason).expect("our reasons are short"))
}

/// Proofs of the first keys that fit one reply, at least of one.
fn prove(head: &Head, keys: &[Key]) -> List<Proof, KEYS_PER_CALL> {
    let mut proofs = Vec::with_capacity(keys.len());
    let mut bytes = 0;
    for key in keys {
        let proof = head.state.prove(key);
        bytes += acre_codec::encode(&proof).len();
        if bytes > PROOF_BYTES_PER_REPLY {
            break;
        }
        proofs.push(proof);
    }
    List::new(proofs).expect("no more than there are keys")
}

/// The chain of headers from a block to the first one with a certificate; `None` if the block is
/// not kept, or nothing proves it yet.
pub(crate) fn finality_of(reader: &Reader, height: Height) -> Result<Option<Finality>, StoreError> {
    let mut headers = Vec::new();
    for height in height.0.. {
        if headers.len() >= acre_engine::limits::MAX_PROOF_HEADERS {
            break;
        }
        let Some(head) = reader.head(height)? else { break };
        headers.push(bytes::Bytes::from(head.header.into_vec()));
        if let Some(certificate) = head.certificate {
            let certificate = bytes::Bytes::from(certificate.into_vec());
            return Ok(Finality::new(&acre_engine::FinalityProof { headers, certificate }));
        }
    }
    Ok(None)
}
