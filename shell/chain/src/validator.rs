//! A validator: engine, executor and the servers of calls and events, put together.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::sync::Arc;

use acre_crypto::SigningKey;
use acre_engine::{Evidence, Rejoin, Status, Timing, ValidatorKey};
use acre_ledger::Genesis;
use acre_net::rpc::{Server, Services, serve};
use acre_net::{Endpoint, StaticBook};
use acre_types::{Height, PublicKey};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::client::{LedgerClient, Options, resolve};
use crate::defaults::STOP_GRACE;
use crate::error::ChainError;
use crate::events::Feed;
use crate::limits::SYNC_FROM;
use crate::metrics::Metrics;
use crate::namespace;
use crate::protocol::{EVENTS, LEDGER};
use crate::relay::{Inbox, RELAY, Relay};
use crate::restore::{Restore, set_aside};
use crate::service::Ledger;
use crate::shared::Shared;
use crate::steward::Steward;
use crate::store::Retention;

/// Where another validator listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerAddress {
    /// Its engine.
    pub engine: SocketAddr,
    /// Its calls.
    pub rpc: SocketAddr,
}

/// How a validator runs.
pub struct Config {
    /// Its directory: state, and below it the engine's own.
    pub dir: PathBuf,
    /// The grid.
    pub genesis: Genesis,
    /// Signs votes, and is what clients dial.
    pub key: SigningKey,
    /// Where clients call; port 0 draws one, see [`Validator::rpc_address`].
    pub rpc: SocketAddr,
    /// Where other validators connect; port 0 draws one.
    pub engine: SocketAddr,
    /// Where other validators listen, if not where the ledger says.
    pub peers: BTreeMap<PublicKey, PeerAddress>,
    /// Times of consensus.
    pub timing: Timing,
    /// How much of the past is kept.
    pub retention: Retention,
    /// Height of the chain from which on a validator without any state takes one from the others
    /// instead of all blocks. One that does has no votes of the present term, and is silent until
    /// the next begins; so a young grid whose validators start one after the other must not.
    pub sync_from: u64,
    /// Whether it votes although it may have forgotten votes.
    pub rejoin: Rejoin,
}

impl Config {
    /// A validator with all on free loopback ports and default times.
    #[must_use]
    pub fn local(dir: impl Into<PathBuf>, genesis: Genesis, key: SigningKey) -> Self {
        let free = SocketAddr::from(([127, 0, 0, 1], 0));
        Self {
            dir: dir.into(),
            genesis,
            key,
            rpc: free,
            engine: free,
            peers: BTreeMap::new(),
            timing: Timing::default(),
            retention: Retention::default(),
            sync_from: SYNC_FROM,
            rejoin: Rejoin::Safe,
        }
    }
}

/// A running validator. Dropped, it stops without waiting for the calls it is answering.
pub struct Validator {
    engine: Arc<acre_engine::Handle>,
    shared: Arc<Shared>,
    endpoint: Endpoint,
    server: Server,
    steward: Task,
}

impl Validator {
    /// Starts a validator; it makes blocks and answers when this returns. Must be called within a
    /// Tokio runtime, which also runs the servers; the engine has threads of its own.
    ///
    /// # Errors
    /// [`ChainError`], whatever refuses to start.
    pub async fn start(config: Config) -> Result<Self, ChainError> {
        let Config { dir, genesis, key, rpc, engine, peers, timing, retention, sync_from, rejoin } =
            config;
        let chain = genesis.digest();
        let book = Arc::new(StaticBook::new());
        let endpoint = Endpoint::bind(&key, Some(rpc), Arc::<StaticBook>::clone(&book))
            .await
            .map_err(|source| ChainError::Listen { address: rpc, source })?;
        let others = others(&genesis, &key.public(), &peers, &book, &endpoint).await;
        let restore = Restore { dir, genesis, retention, sync_from, others };
        let engine_dir = restore.dir.join("engine");
        let evidence = Evidence::default();
        let run =
            Run { peers: &peers, timing, listen: engine, rejoin, key: &key, evidence: &evidence };
        let (engine, shared) = match run.start(&restore).await {
            Err(ChainError::Engine(error)) if is_damage(&error) && engine_dir.exists() => {
                let aside = set_aside(&engine_dir)?;
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    aside = %aside.display(),
                    "the engine's files are damaged: they are set aside, with them the votes of this \
                     term; this validator is silent until the next, unless it is the only one"
                );
                run.start(&restore).await?
            }
            started => started?,
        };
        let feed = Feed::new(Arc::clone(&shared));
        let services = Services::new()
            .calls(LEDGER, Ledger::new(Arc::clone(&shared), chain, restore.others.clone()))
            .calls(RELAY, Inbox::new(Arc::clone(&shared)))
            .streams(EVENTS, move |incoming| feed.clone().serve(incoming));
        let steward = Steward {
            relay: Relay::new(Arc::clone(&shared), endpoint.clone()),
            shared: Arc::clone(&shared),
            overrides: peers.into_iter().map(|(key, at)| (key, at.rpc)).collect(),
            book,
            key,
            evidence,
        };
        let steward = Task(tokio::spawn(steward.run()).abort_handle());
        let server = serve(&endpoint, services);
        Ok(Self { engine: Arc::new(engine), shared, endpoint, server, steward })
    }

    /// Where clients call.
    #[must_use]
    pub fn rpc_address(&self) -> SocketAddr {
        self.endpoint.local_addr().expect("a validator's endpoint listens")
    }

    /// Where other validators connect.
    #[must_use]
    pub fn engine_address(&self) -> SocketAddr {
        self.engine.listen_address()
    }

    /// Figures for whoever watches it.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        Metrics::of(&self.shared)
    }

    /// Reads the figures on a thread of its own choice, for as long as it is kept.
    pub fn meter(&self) -> impl Fn() -> Metrics + Clone + Send + Sync + 'static {
        let shared = Arc::downgrade(&self.shared);
        move || shared.upgrade().map(|shared| Metrics::of(&shared)).unwrap_or_default()
    }

    /// The key that clients dial.
    #[must_use]
    pub fn key(&self) -> PublicKey {
        self.endpoint.key()
    }

    /// Where the chain stands.
    #[must_use]
    pub fn status(&self) -> Status {
        self.engine.status()
    }

    /// Changes of the status; closes when the engine has stopped, for whatever reason.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<Status> {
        self.engine.subscribe()
    }

    /// Height of the newest block that readers can prove; 0 before the first.
    #[must_use]
    pub fn published(&self) -> Height {
        self.shared.head.borrow().as_ref().map_or(Height(0), |head| head.height)
    }

    /// Waits until the engine stops by itself, which it does only for an error. The validator
    /// is of no use then: stop it, mend the cause, start again.
    ///
    /// # Errors
    /// The error that stopped the engine.
    pub async fn stopped(&self) -> Result<(), ChainError> {
        let mut status = self.engine.subscribe();
        // An error means that the engine has dropped its end: it is gone.
        while status.changed().await.is_ok() {}
        let engine = Arc::clone(&self.engine);
        let ended = tokio::task::spawn_blocking(move || engine.wait()).await;
        Ok(ended.map_err(|_| ChainError::Broken { part: "engine" })??)
    }

    /// Stops: answers what was taken, then ends the engine after its last write.
    ///
    /// # Errors
    /// The error that had stopped the engine before, if any.
    pub async fn stop(self) -> Result<(), ChainError> {
        let Self { engine, shared: _, endpoint, server, steward } = self;
        drop(steward);
        server.shutdown(STOP_GRACE).await;
        endpoint.close();
        let ended = tokio::task::spawn_blocking(move || engine.stop()).await;
        Ok(ended.map_err(|_| ChainError::Broken { part: "engine" })??)
    }
}

/// What starting the engine takes besides a state.
struct Run<'a> {
    peers: &'a BTreeMap<PublicKey, PeerAddress>,
    timing: Timing,
    listen: SocketAddr,
    rejoin: Rejoin,
    key: &'a SigningKey,
    evidence: &'a Evidence,
}

impl Run<'_> {
    async fn start(
        &self,
        restore: &Restore,
    ) -> Result<(acre_engine::Handle, Arc<Shared>), ChainError> {
        let (mut executor, start) = restore.open().await?;
        let peers = self.peers.iter();
        executor.override_addresses(peers.map(|(key, at)| (*key, at.engine)).collect());
        let shared = executor.shared();
        let config = acre_engine::Config {
            timing: self.timing,
            term_heights: term_heights(&restore.genesis),
            listen: self.listen,
            start,
            rejoin: self.rejoin,
            evidence: self.evidence.clone(),
            ..acre_engine::Config::alone(
                restore.dir.join("engine"),
                namespace(&restore.genesis.digest()),
                ValidatorKey::from_seed(self.key.seed().expose()),
                Arc::clone(&shared.wake),
            )
        };
        let starting =
            tokio::task::spawn_blocking(move || acre_engine::spawn(config, Box::new(executor)));
        let engine = starting.await.map_err(|_| ChainError::Broken { part: "start" })??;
        Ok((engine, shared))
    }
}

/// Whether the engine's own files are bad. It tells most damage by a panic, but one about its address
/// is no damage.
fn is_damage(error: &acre_engine::Error) -> bool {
    match error {
        acre_engine::Error::Archive { .. } | acre_engine::Error::Damaged { .. } => true,
        acre_engine::Error::Panicked { message } => {
            !["bind", "listen", "Addr", "address"].iter().any(|word| message.contains(word))
        }
        _ => false,
    }
}

/// A task that ends with its owner.
struct Task(AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A client of the other validators that the genesis or the settings name; those that came later
/// are learnt of.
async fn others(
    genesis: &Genesis,
    own: &PublicKey,
    peers: &BTreeMap<PublicKey, PeerAddress>,
    book: &Arc<StaticBook>,
    endpoint: &Endpoint,
) -> Option<LedgerClient> {
    let mut known = Vec::new();
    for validator in genesis.validators.iter().filter(|other| other.key != *own) {
        let addresses = match peers.get(&validator.key) {
            Some(address) => vec![address.rpc],
            None => resolve(&validator.rpc).await,
        };
        book.insert(validator.key, addresses);
        known.push(validator.key);
    }
    for (validator, address) in peers.iter().filter(|(other, _)| *other != own) {
        if !known.contains(validator) {
            book.insert(*validator, vec![address.rpc]);
            known.push(*validator);
        }
    }
    let options = Options::default().with_book(Arc::clone(book));
    (!known.is_empty()).then(|| LedgerClient::with(genesis, endpoint.clone(), known, options))
}

fn term_heights(genesis: &Genesis) -> NonZeroU64 {
    // The genesis was checked: a term has two heights at least.
    NonZeroU64::new(genesis.parameters.seats.term_heights).unwrap_or(NonZeroU64::MAX)
}
