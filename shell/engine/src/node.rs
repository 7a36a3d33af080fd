//! One validator put together: marshal, consensus, application, over any runtime and network.
//!
//! Generic over the runtime's context and the network, so that production and simulation run
//! the same code. Nothing generic leaves the crate.

use crate::{
    adapter::{Adapter, Ledger, Marshal, Pacing},
    block::{Block, BlockContext, Digest},
    defaults,
    delivery::{self, Alone, Status},
    error::{Error, Result},
    limits,
};
use commonware_broadcast::buffered;
use commonware_consensus::{
    CertifiableAutomaton, Relay, Reporter,
    marshal::{
        self, Start,
        core::Actor as MarshalActor,
        resolver::p2p as backfill,
        standard::{Deferred, Standard},
    },
    simplex::{
        self, Engine, ForwardPolicy, SkipBudget, SkipPolicy, elector::RoundRobin,
        scheme::ed25519::Scheme, types::Activity,
    },
    types::{Epoch, FixedEpocher, ViewDelta},
};
use commonware_cryptography::{
    Digested, Digestible as _, Sha256, Signer as _,
    certificate::{ConstantProvider, Verifier as _},
    ed25519::{PrivateKey, PublicKey},
};
use commonware_p2p::{Blocker, Provider, Receiver, Sender};
use commonware_parallel::Sequential;
use commonware_runtime::{
    Clock, Handle, Metrics, Quota, Spawner, Storage, buffer::paged::CacheRef,
};
use commonware_storage::{archive::prunable, translator::EightCap};
use commonware_utils::{NonZeroDuration, ordered::Set};
use rand_core::CryptoRng;
use std::{
    num::{NonZeroU32, NonZeroU64, NonZeroUsize},
    sync::Arc,
    time::Duration,
};
use tokio::sync::{mpsc, watch};

/// Times that decide how consensus proceeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Time between blocks while nothing waits; see [`defaults::IDLE_INTERVAL`].
    pub idle_interval: Duration,
    /// See [`defaults::LEADER_TIMEOUT`].
    pub leader_timeout: Duration,
    /// See [`defaults::CERTIFICATION_TIMEOUT`].
    pub certification_timeout: Duration,
    /// See [`defaults::TIMEOUT_RETRY`].
    pub timeout_retry: Duration,
    /// See [`defaults::SKIP_TIMEOUT`].
    pub skip_timeout: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            idle_interval: defaults::IDLE_INTERVAL,
            leader_timeout: defaults::LEADER_TIMEOUT,
            certification_timeout: defaults::CERTIFICATION_TIMEOUT,
            timeout_retry: defaults::TIMEOUT_RETRY,
            skip_timeout: defaults::SKIP_TIMEOUT,
        }
    }
}

impl Timing {
    /// # Errors
    /// [`Error::Timing`] if consensus could not make progress with these times.
    pub(crate) fn check(&self) -> Result<()> {
        let rules = [
            (
                self.idle_interval.saturating_mul(2) <= self.leader_timeout,
                "the idle interval must be at most half the leader timeout",
            ),
            (
                self.leader_timeout < self.certification_timeout,
                "the leader timeout must be below the certification timeout",
            ),
            (!self.leader_timeout.is_zero(), "the leader timeout must not be zero"),
            (!self.timeout_retry.is_zero(), "the timeout retry must not be zero"),
            (
                self.certification_timeout.max(self.timeout_retry) < self.skip_timeout,
                "the skip timeout must exceed certification timeout and timeout retry",
            ),
        ];
        match rules.into_iter().find(|(holds, _)| !holds) {
            Some((_, reason)) => Err(Error::Timing { reason }),
            None => Ok(()),
        }
    }
}

/// The five channels of one validator.
pub(crate) struct Links<S, R> {
    pub(crate) votes: (S, R),
    pub(crate) certificates: (S, R),
    pub(crate) resolver: (S, R),
    pub(crate) broadcast: (S, R),
    pub(crate) backfill: (S, R),
}

/// A channel's number, how many messages a second each peer may send on it, and how many of them
/// at once.
///
/// The rates are an order above what the engine reaches (100 small blocks a second with three
/// votes a block and validator, several hundred blocks a second while catching up), because
/// whatever exceeds them is dropped silently. The bursts are small, because the network reserves
/// memory for one of every possible peer, about half a kilobyte a message.
pub(crate) const CHANNELS: [(u64, Rate); 5] = [
    (0, Rate { per_second: 2_048, burst: 128 }), // votes
    (1, Rate { per_second: 2_048, burst: 128 }), // certificates
    (2, Rate { per_second: 512, burst: 64 }),    // resolver
    (3, Rate { per_second: 256, burst: 32 }),    // broadcast
    (4, Rate { per_second: 1_024, burst: 64 }),  // backfill
];

/// How fast a peer may send.
#[derive(Clone, Copy)]
pub(crate) struct Rate {
    per_second: u32,
    burst: u32,
}

impl Rate {
    pub(crate) fn quota(self) -> Quota {
        let not_zero = |number| NonZeroU32::new(number).expect("rates are not zero");
        Quota::per_second(not_zero(self.per_second)).allow_burst(not_zero(self.burst))
    }
}

/// Most validators of one epoch the network makes room for: twice the present ones, so that the
/// set can grow without a new network.
pub(crate) fn max_peers(committee: usize) -> NonZeroUsize {
    let room = committee.saturating_mul(2).clamp(4, limits::MAX_VALIDATORS as usize);
    NonZeroUsize::new(room).expect("clamped to at least 4")
}

/// Largest message a validator sends, whatever the present committee's size.
pub(crate) fn max_message_size() -> u32 {
    commonware_p2p::max_message_size(&[
        marshal::max_payload_size::<Standard<Block>, Scheme>(limits::MAX_VALIDATORS, &()),
        simplex::max_payload_size::<Scheme, Digest>(limits::MAX_VALIDATORS),
    ])
}

/// # Errors
/// [`Error::Validators`] if there are none, too many, or two with one key.
pub(crate) fn committee(keys: Vec<PublicKey>) -> Result<Set<PublicKey>> {
    if keys.is_empty() {
        return Err(Error::Validators { reason: "there is none" });
    }
    if keys.len() > limits::MAX_VALIDATORS as usize {
        return Err(Error::Validators { reason: "there are more than the limit" });
    }
    Set::try_from(keys).map_err(|_| Error::Validators { reason: "two have the same key" })
}

/// What one validator is made of.
pub(crate) struct Setup<B, P> {
    pub(crate) namespace: Vec<u8>,
    pub(crate) key: PrivateKey,
    pub(crate) committee: Set<PublicKey>,
    /// Prefix of everything in storage; empty parts of one storage must differ in it.
    pub(crate) partition: String,
    pub(crate) timing: Timing,
    pub(crate) retain: NonZeroU64,
    pub(crate) ledger: Ledger,
    pub(crate) status: Arc<watch::Sender<Status>>,
    pub(crate) blocker: B,
    pub(crate) peers: P,
}

/// A running validator.
pub(crate) struct Node {
    pub(crate) marshal: Marshal,
    tasks: [(&'static str, Handle<()>); 3],
}

impl Node {
    /// Waits for a failure: reported through `failed`, or a part of the engine that ends, which
    /// none does by itself.
    pub(crate) async fn failed(self, failed: &mut mpsc::Receiver<Error>) -> Error {
        let [(a, first), (b, second), (c, third)] = self.tasks;
        let part = tokio::select! {
            biased;
            Some(error) = failed.recv() => return error,
            _ = first => a,
            _ = second => b,
            _ = third => c,
        };
        // The report tells the cause, the ended part only the effect.
        failed.try_recv().unwrap_or(Error::Stopped { part })
    }
}

/// Starts one validator on a network that is already running.
///
/// # Errors
/// [`Error::Validators`] if the key is not in the committee, [`Error::PayloadTooLarge`] for the
/// application's genesis, [`Error::Archive`] if the archives cannot be opened. Other damage to storage panics, in the
/// engine's way; [`crate::service`] reports that as [`Error::Panicked`].
pub(crate) async fn start<E, S, R, B, P>(
    context: E,
    setup: Setup<B, P>,
    links: Links<S, R>,
) -> Result<Node>
where
    E: Clock + CryptoRng + Spawner + Storage + Metrics,
    S: Sender<PublicKey = PublicKey>,
    R: Receiver<PublicKey = PublicKey>,
    B: Blocker<PublicKey = PublicKey>,
    P: Provider<PublicKey = PublicKey>,
{
    let me = setup.key.public_key();
    let alone = if setup.committee.len() == 1 { Alone::Yes } else { Alone::No };
    let scheme = Scheme::signer(&setup.namespace, setup.committee.clone(), setup.key.clone())
        .ok_or(Error::Validators { reason: "this one is not in the list" })?;
    let genesis = Block::genesis(&setup.namespace, setup.ledger.genesis())?;
    let genesis_digest = genesis.digest();
    let pages = CacheRef::new(limits::PAGE_BYTES, limits::CACHED_PAGES);

    let (buffer_engine, buffer) =
        buffered::Engine::new(context.child("broadcast"), buffer_config(&me, &setup.peers));
    let resolver = backfill::init(
        context.child("backfill"),
        backfill_config(&me, &setup.peers, &setup.blocker),
        links.backfill,
    );
    let certificates = archive(
        &context,
        "certificates",
        &setup.partition,
        &pages,
        Scheme::certificate_codec_config_unbounded(),
    )
    .await?;
    let blocks = archive(&context, "blocks", &setup.partition, &pages, ()).await?;
    let (marshal_actor, marshal, _) = MarshalActor::init(
        context.child("marshal"),
        certificates,
        blocks,
        marshal_config(&scheme, genesis, &setup.partition, &pages),
    )
    .await;

    let pacing = Pacing { idle_interval: setup.timing.idle_interval };
    let (inbox, mut delivery) =
        delivery::channel(setup.ledger.clone(), marshal.clone(), setup.status, setup.retain);
    let application = Deferred::new(
        context.child("application"),
        Adapter::new(setup.ledger, marshal.clone(), pacing),
        marshal.clone(),
        epocher(),
    );
    let engine = Engine::new(
        context.child("consensus"),
        consensus_config(
            scheme,
            genesis_digest,
            &setup.partition,
            pages,
            setup.timing,
            setup.blocker,
            application,
        ),
    );

    buffer_engine.start(links.broadcast);
    let marshalling = marshal_actor.start(inbox, buffer, resolver);
    delivery.reconcile(&context, alone).await?;
    let delivering = context.child("delivery").spawn(move |context| delivery.run(context));
    let deciding = engine.start(links.votes, links.certificates, links.resolver);
    Ok(Node {
        marshal,
        tasks: [("delivery", delivering), ("marshal", marshalling), ("consensus", deciding)],
    })
}

fn buffer_config<P: Provider<PublicKey = PublicKey>>(
    me: &PublicKey,
    peers: &P,
) -> buffered::Config<PublicKey, (), P, Sequential> {
    buffered::Config {
        public_key: me.clone(),
        mailbox_size: limits::MAILBOX_MESSAGES,
        deque_size: limits::BUFFERED_BLOCKS_PER_SENDER,
        priority: false,
        codec_config: (),
        peer_provider: peers.clone(),
        strategy: Sequential,
    }
}

fn backfill_config<P, B>(
    me: &PublicKey,
    peers: &P,
    blocker: &B,
) -> backfill::Config<PublicKey, P, B>
where
    P: Provider<PublicKey = PublicKey>,
    B: Blocker<PublicKey = PublicKey>,
{
    backfill::Config {
        public_key: me.clone(),
        peer_provider: peers.clone(),
        blocker: blocker.clone(),
        mailbox_size: limits::MAILBOX_MESSAGES,
        fetch_timeout: fetch_timeout(),
        fetch_retry_delay: defaults::FETCH_RETRY_DELAY,
        priority_requests: false,
        priority_responses: false,
    }
}

type Schemes = ConstantProvider<Scheme, Epoch>;

fn marshal_config(
    scheme: &Scheme,
    genesis: Block,
    partition: &str,
    pages: &CacheRef,
) -> marshal::Config<Schemes, FixedEpocher, Sequential, Block, Digested<Block>> {
    let digest = genesis.digest();
    marshal::Config {
        provider: ConstantProvider::new(scheme.clone()),
        epocher: epocher(),
        start: Start::Genesis(Digested::precomputed(genesis, digest)),
        partition_prefix: format!("{partition}-marshal"),
        mailbox_size: limits::MAILBOX_MESSAGES,
        view_retention: ViewDelta::new(defaults::VIEW_RETENTION),
        prunable_items_per_section: limits::SECTION_VIEWS,
        page_cache: pages.clone(),
        replay_buffer: limits::JOURNAL_BUFFER_BYTES,
        key_write_buffer: limits::JOURNAL_BUFFER_BYTES,
        value_write_buffer: limits::JOURNAL_BUFFER_BYTES,
        block_codec_config: (),
        max_repair: limits::REPAIR_HEIGHTS,
        max_pending_acks: limits::MAX_PENDING_ACKS,
        strategy: Sequential,
    }
}

type Consensus<B, A> = simplex::Config<Scheme, RoundRobin<Sha256>, B, Digest, A, A, A, Sequential>;

/// Consensus of the first epoch.
fn consensus_config<B, A>(
    scheme: Scheme,
    genesis: Digest,
    partition: &str,
    pages: CacheRef,
    timing: Timing,
    blocker: B,
    application: A,
) -> Consensus<B, A>
where
    B: Blocker<PublicKey = PublicKey>,
    A: CertifiableAutomaton<Context = BlockContext>
        + Relay
        + Reporter<Activity = Activity<Scheme, Digest>>,
{
    simplex::Config {
        scheme,
        elector: RoundRobin::default(),
        blocker,
        automaton: application.clone(),
        relay: application.clone(),
        reporter: application,
        track_historical_votes: false,
        strategy: Sequential,
        partition: format!("{partition}-consensus-0"),
        mailbox_size: limits::MAILBOX_MESSAGES,
        epoch: Epoch::zero(),
        floor: simplex::Floor::Genesis(genesis),
        replay_buffer: limits::JOURNAL_BUFFER_BYTES,
        write_buffer: limits::JOURNAL_BUFFER_BYTES,
        page_cache: pages,
        leader_timeout: timing.leader_timeout,
        certification_timeout: timing.certification_timeout,
        timeout_retry: timing.timeout_retry,
        view_retention: ViewDelta::new(defaults::VIEW_RETENTION),
        skip: SkipPolicy::Enabled {
            timeout: timing.skip_timeout,
            budget: SkipBudget::Participants,
        },
        fetch_timeout: fetch_timeout(),
        fetch_retry_delay: defaults::FETCH_RETRY_DELAY,
        forward: ForwardPolicy::SilentVoters,
    }
}

const fn epocher() -> FixedEpocher {
    FixedEpocher::new(defaults::EPOCH_HEIGHTS)
}

fn fetch_timeout() -> NonZeroDuration {
    NonZeroDuration::new(defaults::FETCH_TIMEOUT).expect("the default is not zero")
}

/// An archive by height that can be pruned from below.
async fn archive<E, V>(
    context: &E,
    name: &'static str,
    partition: &str,
    pages: &CacheRef,
    codec_config: V::Cfg,
) -> Result<prunable::Archive<EightCap, E, Digest, V>>
where
    E: Clock + Spawner + Storage + Metrics,
    V: commonware_codec::Codec + Send + Sync + 'static,
{
    let config = prunable::Config {
        translator: EightCap,
        metadata_partition: format!("{partition}-{name}-metadata"),
        key_partition: format!("{partition}-{name}-key"),
        key_page_cache: pages.clone(),
        value_partition: format!("{partition}-{name}-value"),
        compression: None,
        codec_config,
        items_per_section: limits::SECTION_HEIGHTS,
        key_write_buffer: limits::JOURNAL_BUFFER_BYTES,
        value_write_buffer: limits::JOURNAL_BUFFER_BYTES,
        replay_buffer: limits::JOURNAL_BUFFER_BYTES,
    };
    prunable::Archive::init(context.child(name), config)
        .await
        .map_err(|source| Error::Archive { name, source: source.into() })
}
