//! How the engine's parts are set up: channels, sizes, archives, and the configuration of each.

use crate::{
    block::{Block, BlockContext, Digest},
    defaults,
    error::{Error, Result},
    limits,
    term::{Schemes, Terms},
    timing::Timing,
};
use commonware_broadcast::buffered;
use commonware_consensus::{
    CertifiableAutomaton, Relay, Reporter,
    marshal::{self, Start, resolver::p2p as backfill, standard::Standard},
    simplex::{
        self, ForwardPolicy, SkipBudget, SkipPolicy, elector::RoundRobin, scheme::ed25519::Scheme,
        types::Activity,
    },
    types::{Epoch, FixedEpocher, ViewDelta},
};
use commonware_cryptography::{Digested, Sha256, ed25519::PublicKey};
use commonware_p2p::{Blocker, Provider, utils::mux};
use commonware_parallel::Sequential;
use commonware_runtime::{Clock, Metrics, Quota, Spawner, Storage, buffer::paged::CacheRef};
use commonware_storage::{archive::prunable, translator::EightCap};
use commonware_utils::NonZeroDuration;
use std::num::{NonZeroU32, NonZeroUsize};

/// The six channels of one process.
pub(crate) struct Links<S, R> {
    pub(crate) votes: (S, R),
    pub(crate) certificates: (S, R),
    pub(crate) resolver: (S, R),
    pub(crate) broadcast: (S, R),
    pub(crate) backfill: (S, R),
    pub(crate) pulse: (S, R),
}

/// A channel's number, how many messages a second each peer may send on it, and how many of them
/// at once.
///
/// The rates are an order above what the engine reaches (100 small blocks a second with three
/// votes a block and validator, several hundred blocks a second while catching up), because
/// whatever exceeds them is dropped silently. The bursts are small, because the network reserves
/// memory for one of every possible peer, about half a kilobyte a message.
pub(crate) const CHANNELS: [(u64, Rate); 6] = [
    (0, Rate { per_second: 2_048, burst: 128 }), // votes
    (1, Rate { per_second: 2_048, burst: 128 }), // certificates
    (2, Rate { per_second: 512, burst: 64 }),    // resolver
    (3, Rate { per_second: 256, burst: 32 }),    // broadcast
    (4, Rate { per_second: 1_024, burst: 64 }),  // backfill
    (5, Rate { per_second: 16, burst: 16 }),     // pulse
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

/// How many peers the network makes room for: twice the present ones, so that they can become
/// more without a new network.
pub(crate) fn max_peers(present: usize) -> NonZeroUsize {
    NonZeroUsize::new(present.saturating_mul(2))
        .map_or(limits::PEERS_ROOM, |room| room.max(limits::PEERS_ROOM))
}

/// Largest message a validator sends, whatever the present committee's size.
pub(crate) fn max_message_size() -> u32 {
    let votes = simplex::max_payload_size::<Scheme, Digest>(limits::MAX_VALIDATORS);
    commonware_p2p::max_message_size(&[
        marshal::max_payload_size::<Standard<Block>, Scheme>(limits::MAX_VALIDATORS, &()),
        mux::prefixed(votes),
    ])
}

pub(crate) fn buffer_config<P: Provider<PublicKey = PublicKey>>(
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

pub(crate) fn backfill_config<P, B>(
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

pub(crate) fn marshal_config(
    schemes: Schemes,
    terms: Terms,
    start: Start<Scheme, Digest, Digested<Block>>,
    partition: &str,
    pages: &CacheRef,
) -> marshal::Config<Schemes, FixedEpocher, Sequential, Block, Digested<Block>> {
    marshal::Config {
        provider: schemes,
        epocher: terms.epocher(),
        start,
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

pub(crate) type Consensus<B, A, F> =
    simplex::Config<Scheme, RoundRobin<Sha256>, B, Digest, A, A, F, Sequential>;

/// What the consensus of every term has in common.
#[derive(Clone)]
pub(crate) struct Common<B> {
    pub(crate) partition: String,
    pub(crate) pages: CacheRef,
    pub(crate) timing: Timing,
    pub(crate) blocker: B,
}

impl<B: Blocker<PublicKey = PublicKey>> Common<B> {
    /// Where the votes of a term are kept.
    pub(crate) fn journal(&self, term: u64) -> String {
        format!("{}-consensus-{term}", self.partition)
    }

    /// Consensus of one term.
    pub(crate) fn consensus<A, F>(
        &self,
        term: u64,
        scheme: Scheme,
        floor: simplex::Floor<Scheme, Digest>,
        application: A,
        reporter: F,
    ) -> Consensus<B, A, F>
    where
        A: CertifiableAutomaton<Context = BlockContext> + Relay,
        F: Reporter<Activity = Activity<Scheme, Digest>>,
    {
        simplex::Config {
            scheme,
            elector: RoundRobin::default(),
            blocker: self.blocker.clone(),
            automaton: application.clone(),
            relay: application,
            reporter,
            track_historical_votes: false,
            strategy: Sequential,
            partition: self.journal(term),
            mailbox_size: limits::MAILBOX_MESSAGES,
            epoch: Epoch::new(term),
            floor,
            replay_buffer: limits::JOURNAL_BUFFER_BYTES,
            write_buffer: limits::JOURNAL_BUFFER_BYTES,
            page_cache: self.pages.clone(),
            leader_timeout: self.timing.leader_timeout,
            certification_timeout: self.timing.certification_timeout,
            timeout_retry: self.timing.timeout_retry,
            view_retention: ViewDelta::new(defaults::VIEW_RETENTION),
            skip: SkipPolicy::Enabled {
                timeout: self.timing.skip_timeout,
                budget: SkipBudget::Participants,
            },
            fetch_timeout: fetch_timeout(),
            fetch_retry_delay: defaults::FETCH_RETRY_DELAY,
            forward: ForwardPolicy::SilentVoters,
        }
    }
}

fn fetch_timeout() -> NonZeroDuration {
    NonZeroDuration::new(defaults::FETCH_TIMEOUT).expect("the default is not zero")
}

/// An archive by height that can be pruned from below.
pub(crate) async fn archive<E, V>(
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
