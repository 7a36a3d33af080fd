//! The engine in production: Tokio, sockets and a directory, on a thread of its own.

use crate::{
    adapter::{Ledger, Marshal},
    application::Application,
    clock, defaults,
    delivery::{self, Status},
    error::{Error, Result},
    evidence::Evidence,
    light::FinalityProof,
    limits,
    network::{self, Peers},
    node::{self, Setup},
    rejoin::{Rejoin, Start},
    term::Terms,
    timing::Timing,
    wiring::{self, CHANNELS, Links},
};
use commonware_codec::{Copying, DecodeExt as _};
use commonware_consensus::types::Height;
use commonware_cryptography::{Signer as _, ed25519::PrivateKey};
use commonware_p2p::authenticated::lookup;
use commonware_runtime::{Runner as _, Spawner as _, Supervisor as _, tokio as runtime};
use std::{
    fs::{File, TryLockError},
    net::{SocketAddr, TcpListener},
    num::NonZeroU64,
    panic::{self, AssertUnwindSafe},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
};
use tokio::sync::{Notify, watch};

/// A validator's Ed25519 key; it signs votes and names the validator on the network.
#[derive(Clone)]
pub struct ValidatorKey(PrivateKey);

impl ValidatorKey {
    /// The key of an RFC 8032 seed.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(PrivateKey::decode(Copying(seed.as_slice())).expect("any 32 bytes are a seed"))
    }

    /// The public key.
    #[must_use]
    pub fn public(&self) -> [u8; 32] {
        let mut key = [0; 32];
        key.copy_from_slice(&self.0.public_key());
        key
    }
}

/// How a validator runs.
pub struct Config {
    /// Directory of the engine alone; created if absent, locked while the engine runs.
    pub storage_dir: PathBuf,
    /// Name of the chain; votes are for this chain only.
    pub namespace: Vec<u8>,
    /// This validator's key.
    pub key: ValidatorKey,
    /// Heights of one term, the same for all processes and the whole life of the chain; at least
    /// [`limits::MIN_TERM_HEIGHTS`]. Height 0 is the genesis block.
    pub term_heights: NonZeroU64,
    /// Where to listen; port 0 takes a free one, see [`Handle::listen_address`].
    pub listen: SocketAddr,
    /// Where it begins if the directory is empty.
    pub start: Start,
    /// What a validator does that has forgotten votes.
    pub rejoin: Rejoin,
    /// Consensus times.
    pub timing: Timing,
    /// Finalized blocks kept on disk at least.
    pub retain_blocks: NonZeroU64,
    /// Notified (`notify_one`) by the application's owner when a transaction waits.
    pub wake: Arc<Notify>,
    /// Filled by the engine with what proves that a validator contradicted itself.
    pub evidence: Evidence,
}

impl Config {
    /// A process with default times and terms, listening on a free loopback port.
    #[must_use]
    pub fn alone(
        storage_dir: impl Into<PathBuf>,
        namespace: impl Into<Vec<u8>>,
        key: ValidatorKey,
        wake: Arc<Notify>,
    ) -> Self {
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        Self {
            storage_dir: storage_dir.into(),
            namespace: namespace.into(),
            key,
            term_heights: defaults::TERM_HEIGHTS,
            listen,
            start: Start::Genesis,
            rejoin: Rejoin::Safe,
            timing: Timing::default(),
            retain_blocks: defaults::RETAIN_BLOCKS,
            wake,
            evidence: Evidence::default(),
        }
    }
}

/// A running engine. Dropping it stops the engine and waits for that.
pub struct Handle {
    marshal: Marshal,
    status: watch::Receiver<Status>,
    stop: watch::Sender<bool>,
    listen: SocketAddr,
    thread: Mutex<Option<thread::JoinHandle<Result<()>>>>,
}

impl Handle {
    /// Where the chain stands. Never blocks.
    #[must_use]
    pub fn status(&self) -> Status {
        *self.status.borrow()
    }

    /// Changes of the status; closes when the engine has stopped, for whatever reason.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// The address other validators reach this one at.
    #[must_use]
    pub fn listen_address(&self) -> SocketAddr {
        self.listen
    }

    /// Evidence that the block of this height is final, from the blocks still kept; `None` if it
    /// is not final yet or already pruned. May be awaited on any runtime.
    pub async fn proof(&self, height: u64) -> Option<FinalityProof> {
        let mut headers = Vec::new();
        for height in height..height.checked_add(limits::MAX_PROOF_HEADERS as u64)? {
            let block = self.marshal.get_block(Height::new(height)).await?;
            headers.push(block.inner().header().to_bytes());
            if let Some(certificate) = delivery::certificate(&self.marshal, height).await {
                return Some(FinalityProof { headers, certificate });
            }
        }
        None
    }

    /// A final block of which a process with the state after it can start; `None` if the block of
    /// this height is not kept or has no certificate of its own. May be awaited on any runtime.
    pub async fn anchor(&self, height: u64) -> Option<Start> {
        let block = self.marshal.get_block(Height::new(height)).await?;
        let certificate = delivery::certificate(&self.marshal, height).await?;
        Some(Start::At { block: block.inner().to_bytes(), certificate })
    }

    /// Whether the engine's thread has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        thread.as_ref().is_none_or(thread::JoinHandle::is_finished)
    }

    /// Stops the engine; the application has been dropped when this returns. Blocks for the
    /// application's last write at most, or [`defaults::STOP_TIMEOUT`].
    ///
    /// # Errors
    /// The error that had stopped the engine before, if any.
    pub fn stop(&self) -> Result<()> {
        // Fails only if the engine is gone already, which `wait` reports.
        let _ = self.stop.send(true);
        self.wait()
    }

    /// Waits until the engine stops. Blocks. A second call returns `Ok` at once.
    ///
    /// # Errors
    /// The error that stopped the engine.
    pub fn wait(&self) -> Result<()> {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        match thread {
            Some(thread) => thread.join().unwrap_or_else(|panic| Err(panicked(panic))),
            None => Ok(()),
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            tracing::error!(%error, "the ledger's engine had failed");
        }
    }
}

fn panicked(panic: Box<dyn std::any::Any + Send>) -> Error {
    let message = panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_else(|| "without a message".to_owned());
    Error::Panicked { message }
}

/// Starts a validator and returns once it takes part. Blocks for the start (opening the
/// archives, about a third of a second).
///
/// # Errors
/// What refuses to start: [`Error::Storage`], [`Error::InUse`], [`Error::Archive`],
/// [`Error::Listen`], [`Error::NoCommittee`], [`Error::Validators`], [`Error::Timing`],
/// [`Error::TermHeights`], [`Error::PayloadTooLarge`],
/// [`Error::DiskFull`], [`Error::Damaged`], [`Error::Panicked`] for other damage to the engine's files.
pub fn spawn(config: Config, app: Box<dyn Application>) -> Result<Handle> {
    config.timing.check()?;
    let dir = config.storage_dir.clone();
    let lock = lock_directory(&dir)?;
    let listen = choose_address(config.listen)?;
    let (stop, stopping) = watch::channel(false);
    let (status, statuses) = watch::channel(Status::default());
    let (started, starting) = mpsc::sync_channel(1);
    let thread = thread::Builder::new()
        .name("ledger-engine".into())
        .spawn(move || {
            let run = move || run(config, listen, app, status, stopping, &started);
            let result = panic::catch_unwind(AssertUnwindSafe(run));
            drop(lock);
            result
                .unwrap_or_else(|panic| Err(panicked(panic)))
                .map_err(|error| error.classified(&dir))
        })
        .expect("the system can start a thread");
    match starting.recv() {
        Ok(marshal) => {
            Ok(Handle { marshal, status: statuses, stop, listen, thread: Mutex::new(Some(thread)) })
        }
        Err(_) => match thread.join() {
            Ok(Err(error)) => Err(error),
            Ok(Ok(())) => Err(Error::Stopped { part: "start" }),
            Err(panic) => Err(panicked(panic)),
        },
    }
}

/// The engine waits for a directory in use; we refuse it.
fn lock_directory(dir: &PathBuf) -> Result<File> {
    let failed = |source| Error::Storage { path: dir.clone(), source };
    std::fs::create_dir_all(dir).map_err(failed)?;
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(dir.join("in-use"))
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::InUse { path: dir.clone() }),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// The network binds by itself and panics if it cannot, so ask first. Between the two, another
/// process may take the port: then the start fails and can be repeated.
fn choose_address(listen: SocketAddr) -> Result<SocketAddr> {
    TcpListener::bind(listen)
        .and_then(|socket| socket.local_addr())
        .map_err(|source| Error::Listen { address: listen, source })
}

fn run(
    config: Config,
    listen: SocketAddr,
    app: Box<dyn Application>,
    status: watch::Sender<Status>,
    mut stopping: watch::Receiver<bool>,
    started: &mpsc::SyncSender<Marshal>,
) -> Result<()> {
    let directory = config.storage_dir.join("engine");
    let runner = runtime::Runner::new(
        runtime::Config::new().with_worker_threads(2).with_storage_directory(directory),
    );
    runner.start(|context| async move {
        let (ledger, mut failed) = Ledger::new(app, Arc::clone(&config.wake));
        let terms = Terms::new(config.term_heights)?;
        let known = node::known_terms(&context, &ledger, terms).await?;
        let present = known.iter().map(|(_, m)| m.validators.len() + m.followers.len()).max();
        let room = wiring::max_peers(present.unwrap_or_default());

        let key = config.key.0;
        let network = network::config(key.clone(), &config.namespace, listen, room);
        let (mut network, oracle) = lookup::Network::new(context.child("network"), network);
        let me = key.public_key();
        let roster = Peers { oracle: oracle.clone(), me, listen, room, next: 0 };
        let [votes, certificates, resolver, broadcast, backfill, pulse] =
            CHANNELS.map(|(channel, rate)| network.register(channel, rate.quota()));
        network.start();

        let setup = Setup {
            namespace: config.namespace,
            key,
            terms,
            partition: "ledger".into(),
            timing: config.timing,
            retain: config.retain_blocks,
            ledger,
            status: Arc::new(status),
            blocker: oracle.clone(),
            peers: oracle,
            roster,
            start: config.start,
            rejoin: config.rejoin,
            clock_error_ms: 0,
            evidence: config.evidence,
        };
        let links = Links { votes, certificates, resolver, broadcast, backfill, pulse };
        let node = node::start(context.child("validator"), setup, links).await?;
        // The receiver waits for exactly this.
        let _ = started.send(node.marshal.clone());

        let result = tokio::select! {
            // An error means that the handle is gone: stop as well.
            _ = stopping.wait_for(|stop| *stop) => Ok(()),
            error = node.failed(&mut failed) => Err(error),
            error = clock::set_back(&context) => Err(error),
        };
        // A part that does not end in time is cut off, which is as safe as a crash.
        let _ = context.stop(0, Some(defaults::STOP_TIMEOUT)).await;
        result
    })
}
