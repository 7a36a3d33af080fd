//! Reads the ledger without trusting whoever answers, and submits transactions safely.
//!
//! * Each value comes with a proof against a state root in a header that a quorum of the genesis'
//!   validators finalized. A validator that answers with anything else is skipped, and named in the
//!   error if no other answers.
//! * No answer is older than a block this client had seen when it asked. One whose block is old by
//!   the clock is confirmed by a quorum, or the client says that it may be old ([`Waiting`]); nothing
//!   is signed upon such a state.
//! * A signed transaction may be submitted any number of times, to any validators: it is applied
//!   once (L4). Whether it was applied is proven by its account's number. A refusal is the word of
//!   a validator; no proof of it can exist.
//! * Events are hints of when to read.

mod events;
mod export;
mod fresh;
mod lists;
mod read;
mod state;
mod submit;
mod validators;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use acre_codec::decode_bounded;
use acre_ledger::Genesis;
use acre_net::rpc::{Caller, Message};
use acre_net::{CallError, Endpoint, StaticBook};
use acre_types::{Digest, Height, PublicKey};
use tokio::sync::{Mutex as AsyncMutex, OnceCell, Semaphore};
use tokio::time::Instant;

pub use events::{BlockEvents, Events};
pub use export::ExportError;
pub use fresh::{Freshness, Survey, Told, Waiting};
pub use state::{Fetched, Leaf};
pub(crate) use validators::resolve;

pub use crate::light::{Checkpoint, Final, Snapshot, Trust, check_commit};

use crate::defaults::{READ_TIMEOUT, RETRY_PAUSE, ROUNDS};
use crate::error::{ClientError, Lie};
use crate::limits::SUBMISSIONS_IN_FLIGHT;
use crate::protocol::{Finality, LEDGER, Reply, Request};

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

/// What [`LedgerClient::find`] gives: a transaction that was applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundTransaction {
    /// The block it is in.
    pub block: Final,
    /// Its place there, from 0.
    pub index: usize,
    /// The transaction.
    pub signed: acre_ledger::SignedTransaction,
}

/// A client. Clones share connections and what was seen.
#[derive(Clone)]
pub struct LedgerClient(Arc<Inner>);

struct Inner {
    chain: Digest,
    trust: RwLock<Trust>,
    /// What was checked last: many answers prove the same block.
    checked: Mutex<Option<(Finality, Final)>>,
    /// Held while changes of validators are fetched.
    learning: AsyncMutex<()>,
    endpoint: Endpoint,
    caller: Caller,
    /// Whom to ask; the one that answered last stands first.
    validators: RwLock<Vec<PublicKey>>,
    options: Options,
    /// The term whose seats were read last, plus one.
    seated: AtomicU64,
    /// Highest proven height.
    seen: AtomicU64,
    /// Set when all validators were asked once how far they are.
    oriented: OnceCell<()>,
    /// When all were asked last.
    surveyed: AsyncMutex<Option<(Instant, Survey)>>,
    /// What the owner was told last.
    told: Mutex<Option<(Instant, Waiting)>>,
    /// Submissions in flight; see [`SUBMISSIONS_IN_FLIGHT`].
    sending: Arc<Semaphore>,
}

/// Is told of each checkpoint that a client reaches; see [`Options::keep`].
pub type Keep = Box<dyn Fn(&Checkpoint) + Send + Sync>;

/// What a client may be given besides a genesis.
#[derive(Default)]
pub struct Options {
    /// Begins here instead of at the genesis. One of another chain is ignored.
    pub checkpoint: Option<Checkpoint>,
    /// Told of each new set of validators, to keep it for the next start. Must not block for long.
    pub keep: Option<Keep>,
    /// The address book of the client's endpoint: with it, the client learns from the ledger which
    /// validators there are and where, and asks those that joined.
    pub book: Option<Arc<StaticBook>>,
    /// Told, within two seconds, what the client waits for: for instance that too few validators
    /// answer. Again when that changes, and every few seconds.
    pub told: Option<Told>,
    /// How long a submission waits for validators and for its block; if not given, a minute
    /// ([`SUBMIT_PATIENCE`](crate::defaults::SUBMIT_PATIENCE)).
    pub patience: Option<Duration>,
    /// How far from this machine's clock the time of a block may be that counts as the newest without
    /// asking a quorum; if not given, [`STATE_RECENT`](crate::defaults::STATE_RECENT).
    pub recent: Option<Duration>,
}

impl Options {
    /// Keeps the checkpoint in a file, and begins from what stands there.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn in_file(
        file: impl Into<std::path::PathBuf>,
        genesis: &Genesis,
    ) -> Result<Self, std::io::Error> {
        let file = file.into();
        let checkpoint = Checkpoint::load(&file, &genesis.digest())?;
        let keep = move |checkpoint: &Checkpoint| {
            if let Err(error) = checkpoint.save(&file) {
                tracing::warn!(file = %file.display(), %error, "cannot keep a checkpoint");
            }
        };
        Ok(Self { checkpoint, keep: Some(Box::new(keep)), ..Self::default() })
    }

    /// The same, told what the client waits for.
    #[must_use]
    pub fn with_told(self, told: impl Fn(&Waiting) + Send + Sync + 'static) -> Self {
        Self { told: Some(Box::new(told)), ..self }
    }

    /// The same with this address book.
    #[must_use]
    pub fn with_book(self, book: Arc<StaticBook>) -> Self {
        Self { book: Some(book), ..self }
    }
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
        Self::with(genesis, endpoint, validators, Options::default())
    }

    /// As [`LedgerClient::new`], with more.
    #[must_use]
    pub fn with(
        genesis: &Genesis,
        endpoint: Endpoint,
        validators: Vec<PublicKey>,
        mut options: Options,
    ) -> Self {
        let chain = genesis.digest();
        let checkpoint = options.checkpoint.take().filter(|known| known.chain == chain);
        let trust = checkpoint.map_or_else(|| Trust::new(genesis), Trust::from_checkpoint);
        Self(Arc::new(Inner {
            chain,
            trust: RwLock::new(trust),
            checked: Mutex::default(),
            learning: AsyncMutex::default(),
            caller: Caller::new(endpoint.clone(), LEDGER),
            endpoint,
            validators: RwLock::new(validators),
            options,
            seated: AtomicU64::new(0),
            seen: AtomicU64::new(0),
            oriented: OnceCell::new(),
            surveyed: AsyncMutex::default(),
            told: Mutex::default(),
            sending: Arc::new(Semaphore::new(SUBMISSIONS_IN_FLIGHT)),
        }))
    }

    /// Digest of the genesis, which transactions name.
    #[must_use]
    pub fn chain(&self) -> Digest {
        self.0.chain
    }

    /// Highest block proven to this client so far; 0 before the first answer.
    #[must_use]
    pub fn seen(&self) -> Height {
        Height(self.0.seen.load(Ordering::Relaxed))
    }

    fn saw(&self, block: &Final) {
        self.0.seen.fetch_max(block.height.0, Ordering::Relaxed);
    }

    /// Validators, the one that answered last first.
    fn in_turn(&self) -> Vec<PublicKey> {
        self.0.validators.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks this one first from now on.
    fn prefer(&self, peer: PublicKey) {
        let is_first =
            self.0.validators.read().unwrap_or_else(PoisonError::into_inner).first() == Some(&peer);
        if !is_first {
            let mut all = self.0.validators.write().unwrap_or_else(PoisonError::into_inner);
            if let Some(index) = all.iter().position(|other| *other == peer) {
                all.swap(0, index);
            }
        }
    }

    /// Whether a quorum of the right validators finalized it.
    fn believe(&self, finality: &Finality) -> Result<Final, Lie> {
        let checked = || self.0.checked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, block)) = &*checked()
            && known == finality
        {
            return Ok(*block);
        }
        let trust = self.0.trust.read().unwrap_or_else(PoisonError::into_inner);
        let block = trust.check(finality)?;
        drop(trust);
        *checked() = Some((finality.clone(), block));
        Ok(block)
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
            for peer in self.in_turn() {
                let trouble = match self.call(peer, &request, Vec::new(), READ_TIMEOUT).await {
                    Ok(reply) => {
                        self.learn_signers(peer, &reply).await;
                        match reply.map_err(Trouble::from).and_then(&mut check) {
                            Ok(answer) => {
                                self.prefer(peer);
                                self.learn_seats(peer).await;
                                return Ok(answer);
                            }
                            Err(trouble) => trouble,
                        }
                    }
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
        Err(self.explained(failed).await)
    }

    /// One that seems to lie may be an honest validator of another grid.
    async fn explained(&self, failed: ClientError) -> ClientError {
        let ClientError::Lied { peer, .. } = failed else { return failed };
        let asked = self.call(peer, &Request::Info, Vec::new(), READ_TIMEOUT).await;
        match asked {
            Ok(Ok(Reply::Info(info))) if info.chain != self.chain() => {
                ClientError::OtherGrid { peer, theirs: info.chain, ours: self.chain() }
            }
            _ => failed,
        }
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
