//! The engine in production: Tokio, sockets and a directory, on a thread of its own.

use crate::{
    adapter::{Ledger, Marshal},
    application::Application,
    defaults,
    delivery::{self, Status},
    error::{Error, Result},
    light::FinalityProof,
    limits,
    node::{self, CHANNELS, Links, Setup, Timing},
};
use commonware_codec::{Copying, DecodeExt as _};
use commonware_consensus::types::Height;
use commonware_cryptography::{
    ChaCha20Poly1305, Signer as _,
    ed25519::{PrivateKey, PublicKey},
};
use commonware_p2p::{Address, AddressableManager as _, authenticated::lookup};
use commonware_runtime::{Quota, Runner as _, Spawner as _, Supervisor as _, tokio as runtime};
use commonware_stream::{
    cups::{self, Cups},
    sake::{self, Sake},
};
use commonware_utils::ordered::Map;
use std::{
    fs::{File, TryLockError},
    net::{SocketAddr, TcpListener},
    num::{NonZeroU32, NonZeroU64},
    panic::{self, AssertUnwindSafe},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::Duration,
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

/// One validator as the others reach it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Participant {
    /// Its Ed25519 key.
    pub key: [u8; 32],
    /// Where it listens. For this validator itself the real listening address is used instead.
    pub address: SocketAddr,
}

/// How a validator runs.
pub struct Config {
    /// Directory of the engine alone; created if absent, locked while the engine runs.
    pub storage_dir: PathBuf,
    /// Name of the chain; votes are for this chain only.
    pub namespace: Vec<u8>,
    /// This validator's key.
    pub key: ValidatorKey,
    /// All validators, this one included.
    pub participants: Vec<Participant>,
    /// Where to listen; port 0 takes a free one, see [`Handle::listen_address`].
    pub listen: SocketAddr,
    /// Consensus times.
    pub timing: Timing,
    /// Finalized blocks kept on disk at least.
    pub retain_blocks: NonZeroU64,
    /// Notified (`notify_one`) by the application's owner when a transaction waits.
    pub wake: Arc<Notify>,
}

impl Config {
    /// The only validator of a chain, with default times, listening on a free loopback port.
    #[must_use]
    pub fn alone(
        storage_dir: impl Into<PathBuf>,
        namespace: impl Into<Vec<u8>>,
        key: ValidatorKey,
        wake: Arc<Notify>,
    ) -> Self {
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let participants = vec![Participant { key: key.public(), address: listen }];
        Self {
            storage_dir: storage_dir.into(),
            namespace: namespace.into(),
            key,
            participants,
            listen,
            timing: Timing::default(),
            retain_blocks: defaults::RETAIN_BLOCKS,
            wake,
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
/// [`Error::Listen`], [`Error::Validators`], [`Error::Timing`], [`Error::PayloadTooLarge`],
/// [`Error::Panicked`] for other damage to the engine's files.
pub fn spawn(config: Config, app: Box<dyn Application>) -> Result<Handle> {
    config.timing.check()?;
    let lock = lock_directory(&config.storage_dir)?;
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
            result.unwrap_or_else(|panic| Err(panicked(panic)))
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
        let addresses = addresses(&config.participants, &config.key, listen)?;
        let committee = node::committee(addresses.iter().map(|(key, _)| key.clone()).collect())?;

        let (mut network, mut oracle) =
            lookup::Network::new(context.child("network"), network_config(&config, listen));
        let addresses = Map::try_from(addresses)
            .map_err(|_| Error::Validators { reason: "two have the same key" })?;
        oracle.track(0, addresses);
        let [votes, certificates, resolver, broadcast, backfill] =
            CHANNELS.map(|(channel, rate)| network.register(channel, rate.quota()));
        network.start();

        let setup = Setup {
            namespace: config.namespace,
            key: config.key.0,
            committee,
            partition: "ledger".into(),
            timing: config.timing,
            retain: config.retain_blocks,
            ledger,
            status: Arc::new(status),
            blocker: oracle.clone(),
            peers: oracle,
        };
        let links = Links { votes, certificates, resolver, broadcast, backfill };
        let node = node::start(context.child("validator"), setup, links).await?;
        // The receiver waits for exactly this.
        let _ = started.send(node.marshal.clone());

        let result = tokio::select! {
            // An error means that the handle is gone: stop as well.
            _ = stopping.wait_for(|stop| *stop) => Ok(()),
            error = node.failed(&mut failed) => Err(error),
        };
        // A part that does not end in time is cut off, which is as safe as a crash.
        let _ = context.stop(0, Some(defaults::STOP_TIMEOUT)).await;
        result
    })
}

/// Addresses by key, with our own as it really is.
fn addresses(
    participants: &[Participant],
    key: &ValidatorKey,
    listen: SocketAddr,
) -> Result<Vec<(PublicKey, Address)>> {
    let me = key.0.public_key();
    participants
        .iter()
        .map(|participant| {
            let key = PublicKey::decode(Copying(participant.key.as_slice()))
                .map_err(|_| Error::Validators { reason: "one is not an Ed25519 key" })?;
            let address = if key == me { listen } else { participant.address };
            Ok((key, address.into()))
        })
        .collect()
}

type Handshake = Cups<Sake<PrivateKey>, ChaCha20Poly1305>;

fn network_config(config: &Config, listen: SocketAddr) -> lookup::Config<Handshake> {
    let handshake = Cups::new(
        Sake {
            signer: config.key.0.clone(),
            // Clocks of validators may differ by this; handshakes older than that are replays.
            synchrony_bound: Duration::from_secs(5),
            max_handshake_age: Duration::from_secs(10),
            version: sake::Version::V1,
        },
        cups::Version::V1,
    );
    let local = lookup::Config::local(
        handshake,
        &config.namespace,
        listen,
        node::max_peers(config.participants.len()),
        node::max_message_size(),
        limits::MAILBOX_MESSAGES,
    );
    lookup::Config {
        allow_dns: false,
        peer_connection_cooldown: defaults::RECONNECT_COOLDOWN,
        // Several validators of a local grid share one address.
        allowed_handshake_rate_per_ip: Quota::per_second(NonZeroU32::new(16).expect("not zero")),
        ping_frequency: defaults::PING_INTERVAL,
        dial_frequency: defaults::DIAL_INTERVAL,
        tracked_peer_sets: limits::TRACKED_PEER_SETS,
        block_duration: defaults::BLOCK_DURATION,
        ..local
    }
}
