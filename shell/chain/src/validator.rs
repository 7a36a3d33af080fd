//! A validator: engine, executor and the servers of calls and events, put together.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::sync::Arc;

use acre_crypto::SigningKey;
use acre_engine::{Status, Timing, ValidatorKey};
use acre_ledger::Genesis;
use acre_net::rpc::{Server, Services, serve};
use acre_net::{Endpoint, StaticBook};
use acre_types::{Height, PublicKey};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::defaults::STOP_GRACE;
use crate::error::ChainError;
use crate::events::Feed;
use crate::executor::Executor;
use crate::metrics::Metrics;
use crate::namespace;
use crate::protocol::{EVENTS, LEDGER};
use crate::relay::{Inbox, RELAY, Relay};
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
        let Config { dir, genesis, key, rpc, engine, peers, timing, retention } = config;
        let chain = genesis.digest();
        let book = Arc::new(StaticBook::new());
        let endpoint = Endpoint::bind(&key, Some(rpc), Arc::<StaticBook>::clone(&book))
            .await
            .map_err(|source| ChainError::Listen { address: rpc, source })?;
        let validator_key = ValidatorKey::from_seed(key.seed().expose());
        let overrides = peers.iter().map(|(key, at)| (*key, at.engine)).collect();
        let started = tokio::task::spawn_blocking(move || {
            std::fs::create_dir_all(&dir)
                .map_err(|source| ChainError::Directory { path: dir.clone(), source })?;
            let mut executor = Executor::open(&dir.join("state.redb"), &genesis, retention)?;
            executor.override_addresses(overrides);
            let shared = executor.shared();
            let config = acre_engine::Config {
                timing,
                term_heights: term_heights(&genesis),
                listen: engine,
                ..acre_engine::Config::alone(
                    dir.join("engine"),
                    namespace(&chain),
                    validator_key,
                    Arc::clone(&shared.wake),
                )
            };
            let engine = acre_engine::spawn(config, Box::new(executor))?;
            Ok::<_, ChainError>((engine, shared))
        });
        let (engine, shared) =
            started.await.map_err(|_| ChainError::Broken { part: "start" })??;
        let feed = Feed::new(Arc::clone(&shared));
        let services = Services::new()
            .calls(LEDGER, Ledger::new(Arc::clone(&shared), chain))
            .calls(RELAY, Inbox::new(Arc::clone(&shared)))
            .streams(EVENTS, move |incoming| feed.clone().serve(incoming));
        let steward = Steward {
            relay: Relay::new(Arc::clone(&shared), endpoint.clone()),
            shared: Arc::clone(&shared),
            overrides: peers.into_iter().map(|(key, at)| (key, at.rpc)).collect(),
            book,
            key,
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

/// A task that ends with its owner.
struct Task(AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn term_heights(genesis: &Genesis) -> NonZeroU64 {
    // The genesis was checked: a term has two heights at least.
    NonZeroU64::new(genesis.parameters.seats.term_heights).unwrap_or(NonZeroU64::MAX)
}
