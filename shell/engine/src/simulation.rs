//! A whole network of validators in one thread and in virtual time, reproducible from a seed.
//!
//! Runs the very engine and application of production over the engine's deterministic runtime
//! (seeded task order, storage in memory, unsynced writes lost on power failure) and its
//! simulated network. Behind the feature `simulation`, for tests of applications; nothing here
//! is generic, so users do not compile the engine again.

use crate::{
    adapter::Ledger,
    application::Application,
    block::Digest,
    byzantine, defaults,
    delivery::Status,
    error::Result,
    evidence::Evidence,
    node::{self, Setup},
    orchestrator::Roster,
    rejoin::{Rejoin, Start},
    term::{Members, Terms, committee},
    timing::Timing,
    wiring::{self, CHANNELS, Links},
};
use commonware_cryptography::{
    Signer as _,
    ed25519::{PrivateKey, PublicKey},
};
use commonware_p2p::simulated::{self, Link, Network, Oracle};
use commonware_runtime::{
    Clock as _, Handle, Spawner as _, Supervisor as _,
    deterministic::{self, Context},
};
use commonware_utils::Probability;
use std::{
    collections::BTreeMap,
    num::{NonZeroU64, NonZeroUsize},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::sync::{Notify, watch};

/// Virtual time at which every simulation starts, in milliseconds since 1970.
pub const START_MS: u64 = 1_800_000_000_000;

/// Sees where each process stands.
pub type Look = Box<dyn FnOnce(&[Status]) + Send>;

/// Something that happens during a simulation.
pub enum Action {
    /// The process of this validator is killed; what it wrote stays.
    Kill(usize),
    /// The same, some milliseconds after it has applied this height.
    KillAt {
        /// Which validator.
        index: usize,
        /// Waits until it has applied this.
        height: u64,
        /// And then so long.
        delay_ms: u64,
    },
    /// The engine's files of this validator, which does not run, are lost.
    Wipe(usize),
    /// It is started again.
    Start(usize),
    /// It is cut off from the others.
    Cut(usize),
    /// It is connected again.
    Join(usize),
    /// All validators lose power at once (unsynced writes are lost) and start again.
    PowerLoss,
    /// Shows where each process stands.
    Look(Look),
    /// Anything else, for instance submitting a transaction.
    Call(Box<dyn FnOnce() + Send>),
}

/// Where processes begin, by index; may be changed while the simulation runs.
pub type Starts = Arc<Mutex<BTreeMap<usize, Start>>>;

/// What to simulate.
pub struct Simulation {
    /// Decides everything that is left to chance.
    pub seed: u64,
    /// How many processes. Which of them vote is the application's affair.
    pub validators: usize,
    /// Heights of a term.
    pub term_heights: NonZeroU64,
    /// Name of the chain.
    pub namespace: Vec<u8>,
    /// Consensus times.
    pub timing: Timing,
    /// Finalized blocks kept.
    pub retain_blocks: NonZeroU64,
    /// One way between two validators, mean and deviation.
    pub latency: (Duration, Duration),
    /// Messages lost of a thousand.
    pub loss_permille: u64,
    /// Virtual length.
    pub duration: Duration,
    /// Where processes with empty files begin, if not with the genesis block.
    pub starts: Starts,
    /// Who is not honest, and how.
    pub byzantine: BTreeMap<usize, byzantine::Actor>,
    /// By how many milliseconds the clocks of processes are wrong.
    pub clock_error_ms: BTreeMap<usize, i64>,
    /// Filled with what proves that a process contradicted itself, by all others together.
    pub evidence: Evidence,
    /// What happens when, counted from the start.
    pub script: Vec<(Duration, Action)>,
}

impl Simulation {
    /// A healthy network with 10 ms between validators, for 10 s.
    #[must_use]
    pub fn healthy(seed: u64, validators: usize) -> Self {
        Self {
            seed,
            validators,
            term_heights: defaults::TERM_HEIGHTS,
            namespace: b"acre-simulation".to_vec(),
            timing: Timing::default(),
            retain_blocks: defaults::RETAIN_BLOCKS,
            latency: (Duration::from_millis(10), Duration::from_millis(2)),
            loss_permille: 0,
            duration: Duration::from_secs(10),
            starts: Starts::default(),
            byzantine: BTreeMap::new(),
            clock_error_ms: BTreeMap::new(),
            evidence: Evidence::default(),
            script: Vec::new(),
        }
    }

    /// The public keys of the processes, by index.
    #[must_use]
    pub fn participants(&self) -> Vec<[u8; 32]> {
        let public = |key: &PrivateKey| {
            let mut bytes = [0; 32];
            bytes.copy_from_slice(&key.public_key());
            bytes
        };
        keys(self.validators).iter().map(public).collect()
    }
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Hash over every event of the run: equal for equal seeds.
    pub auditor: String,
    /// Where each validator stood at the end.
    pub statuses: Vec<Status>,
    /// Why validators stopped, if they did by themselves.
    pub failures: Vec<(usize, String)>,
}

/// Makes the application of a validator that (re)starts, over whatever durable state it has,
/// and its wake signal.
pub type MakeApplication<'a> = &'a mut dyn FnMut(usize) -> (Box<dyn Application>, Arc<Notify>);

/// Runs a simulation.
///
/// # Panics
/// If the engine itself panics, or the simulated network refuses the set-up.
#[must_use]
pub fn run(simulation: Simulation, make: MakeApplication<'_>) -> Outcome {
    let start = UNIX_EPOCH + Duration::from_millis(START_MS);
    let config = deterministic::Config::new().with_seed(simulation.seed).with_start_time(start);
    let mut runner = deterministic::Runner::new(config);
    let Simulation { script, duration, .. } = simulation;
    let plan = Plan {
        keys: keys(simulation.validators),
        namespace: simulation.namespace,
        terms: simulation.term_heights,
        timing: simulation.timing,
        retain: simulation.retain_blocks,
        starts: simulation.starts,
        byzantine: simulation.byzantine,
        clock_error_ms: simulation.clock_error_ms,
        evidence: simulation.evidence,
        wiped: Arc::default(),
        link: Link {
            latency: simulation.latency.0,
            jitter: simulation.latency.1,
            success_rate: Probability::new(1_000 - simulation.loss_permille.min(1_000), 1_000)
                .expect("at most 1000 of 1000"),
        },
    };
    let failures = Arc::new(Mutex::new(Vec::new()));
    let mut script = script.into_iter().peekable();
    loop {
        // One phase without power loss.
        let mut phase = Vec::new();
        let mut end = start + duration;
        let mut power_loss = false;
        for (at, action) in script.by_ref() {
            if matches!(action, Action::PowerLoss) {
                end = start + at;
                power_loss = true;
                break;
            }
            phase.push((start + at, action));
        }
        let network = plan.clone();
        let failures = Arc::clone(&failures);
        let (outcome, checkpoint) = runner
            .start_and_recover(|context| run_phase(context, network, phase, end, make, failures));
        if !power_loss {
            return outcome;
        }
        runner = checkpoint.into();
    }
}

fn keys(validators: usize) -> Vec<PrivateKey> {
    (0..validators as u64).map(PrivateKey::from_seed).collect()
}

#[derive(Clone)]
struct Plan {
    keys: Vec<PrivateKey>,
    namespace: Vec<u8>,
    terms: NonZeroU64,
    timing: Timing,
    retain: NonZeroU64,
    starts: Starts,
    byzantine: BTreeMap<usize, byzantine::Actor>,
    clock_error_ms: BTreeMap<usize, i64>,
    evidence: Evidence,
    /// How often the files of each were lost.
    wiped: Arc<Mutex<BTreeMap<usize, u64>>>,
    link: Link,
}

type Failures = Arc<Mutex<Vec<(usize, String)>>>;

fn stand(processes: &[Process]) -> Vec<Status> {
    processes.iter().map(|process| *process.status.borrow()).collect()
}

/// One validator's process.
struct Process {
    task: Option<Handle<()>>,
    status: watch::Receiver<Status>,
}

async fn run_phase(
    context: Context,
    plan: Plan,
    script: Vec<(SystemTime, Action)>,
    end: SystemTime,
    make: MakeApplication<'_>,
    failures: Failures,
) -> Outcome {
    let public: Vec<_> = plan.keys.iter().map(PrivateKey::public_key).collect();
    let (network, oracle) = Network::new_with_peers(
        context.child("network"),
        simulated::Config {
            max_size: wiring::max_message_size(),
            max_peers_per_set: NonZeroUsize::new(public.len()).expect("there are validators"),
            disconnect_on_block: true,
            tracked_peer_sets: NonZeroUsize::MIN,
        },
        public.clone(),
    )
    .await;
    network.start();
    for index in 0..public.len() {
        join(&oracle, &public, index, &plan.link).await;
    }
    let mut processes = Vec::new();
    for index in 0..public.len() {
        processes.push(launch(&context, &plan, &oracle, index, make(index), &failures).await);
    }
    for (at, action) in script {
        context.sleep_until(at).await;
        match action {
            Action::Kill(index) => {
                if let Some(task) = processes[index].task.take() {
                    task.abort();
                }
            }
            Action::KillAt { index, height, delay_ms } => {
                // An error means that it has failed: the outcome will say so.
                let _ = processes[index].status.wait_for(|s| s.height >= height).await;
                context.sleep(Duration::from_millis(delay_ms)).await;
                if let Some(task) = processes[index].task.take() {
                    task.abort();
                }
            }
            Action::Wipe(index) => {
                let mut wiped = plan.wiped.lock().unwrap_or_else(PoisonError::into_inner);
                *wiped.entry(index).or_default() += 1;
            }
            Action::Start(index) => {
                processes[index] =
                    launch(&context, &plan, &oracle, index, make(index), &failures).await;
            }
            Action::Cut(index) => cut(&oracle, &public, index).await,
            Action::Join(index) => join(&oracle, &public, index, &plan.link).await,
            Action::Call(call) => call(),
            Action::Look(look) => look(&stand(&processes)),
            Action::PowerLoss => unreachable!("power losses end the phase"),
        }
    }
    context.sleep_until(end).await;
    let failures = failures.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Outcome { auditor: context.auditor().state(), statuses: stand(&processes), failures }
}

type Board = Oracle<PublicKey, Context>;

async fn join(oracle: &Board, public: &[PublicKey], index: usize, link: &Link) {
    for other in (0..public.len()).filter(|other| *other != index) {
        for (from, to) in [(index, other), (other, index)] {
            let (from, to) = (public[from].clone(), public[to].clone());
            // There already if the other one has joined before.
            let _ = oracle.add_link(from, to, link.clone()).await;
        }
    }
}

async fn cut(oracle: &Board, public: &[PublicKey], index: usize) {
    for other in (0..public.len()).filter(|other| *other != index) {
        for (from, to) in [(index, other), (other, index)] {
            let (from, to) = (public[from].clone(), public[to].clone());
            // Absent already if the other one is cut off, too.
            let _ = oracle.remove_link(from, to).await;
        }
    }
}

async fn launch(
    context: &Context,
    plan: &Plan,
    oracle: &Board,
    index: usize,
    (app, wake): (Box<dyn Application>, Arc<Notify>),
    failures: &Failures,
) -> Process {
    let (sender, status) = watch::channel(Status::default());
    let (plan, oracle, failures) = (plan.clone(), oracle.clone(), Arc::clone(failures));
    let context = context.child("process").with_attribute("index", index);
    let task = context.spawn(move |context| async move {
        if let Err(error) = live(context, plan, oracle, index, app, wake, sender).await {
            let mut failures = failures.lock().unwrap_or_else(PoisonError::into_inner);
            failures.push((index, describe(&error)));
        }
    });
    Process { task: Some(task), status }
}

fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

async fn live(
    context: Context,
    plan: Plan,
    oracle: Board,
    index: usize,
    app: Box<dyn Application>,
    wake: Arc<Notify>,
    status: watch::Sender<Status>,
) -> Result<()> {
    let key = plan.keys[index].clone();
    let control = oracle.control(key.public_key());
    let mut channels = Vec::new();
    let actor = plan.byzantine.get(&index).copied();
    for (position, (_, rate)) in CHANNELS.into_iter().enumerate() {
        let number = byzantine::deaf_channel(actor, position);
        let channel = control.register(number, rate.quota()).await;
        channels.push(channel.expect("the network runs"));
    }
    let Ok([votes, certificates, resolver, broadcast, backfill, pulse]) =
        <[_; 6]>::try_from(channels)
    else {
        unreachable!("six channels were registered");
    };
    if let Some(actor @ (byzantine::Actor::Equivocator | byzantine::Actor::Replayer)) = actor {
        let all = plan.keys.iter().map(PrivateKey::public_key).collect();
        byzantine::run(actor, context, votes, plan.namespace, key, all).await;
        return Ok(());
    }
    let (ledger, mut failed) = Ledger::new(app, wake);
    let life = {
        let wiped = plan.wiped.lock().unwrap_or_else(PoisonError::into_inner);
        wiped.get(&index).copied().unwrap_or_default()
    };
    let start = {
        let starts = plan.starts.lock().unwrap_or_else(PoisonError::into_inner);
        starts.get(&index).cloned().unwrap_or_default()
    };
    let setup = Setup {
        namespace: plan.namespace,
        key,
        terms: Terms::new(plan.terms)?,
        partition: format!("validator-{index}-{life}"),
        timing: plan.timing,
        retain: plan.retain,
        ledger,
        status: Arc::new(status),
        blocker: control,
        peers: oracle.manager(),
        roster: Everyone,
        start,
        rejoin: Rejoin::Safe,
        clock_error_ms: plan.clock_error_ms.get(&index).copied().unwrap_or_default(),
        evidence: plan.evidence,
    };
    let links = Links { votes, certificates, resolver, broadcast, backfill, pulse };
    let node = node::start(context.child("validator"), setup, links).await?;
    Err(node.failed(&mut failed).await)
}

/// In a simulation all know each other from the start.
struct Everyone;

impl Roster for Everyone {
    fn track(&mut self, _: &Members, _: &Members) -> Result<()> {
        Ok(())
    }
}

/// A certificate as `signers` (indices) of a simulation's validators would make it for `header`,
/// whether they are a quorum or not: to test what checks certificates.
///
/// # Panics
/// If `signers` is empty or names a validator that does not exist.
#[must_use]
pub fn forge_certificate(
    simulation: &Simulation,
    signers: &[usize],
    header: &crate::Header,
) -> bytes::Bytes {
    use commonware_codec::Encode as _;
    use commonware_consensus::simplex::{
        scheme::ed25519::Scheme,
        types::{Finalization, Finalize, Proposal},
    };
    use commonware_cryptography::{certificate::Signers, ed25519::certificate::Certificate};
    let keys = keys(simulation.validators);
    let committee = committee(keys.iter().map(PrivateKey::public_key).collect())
        .expect("keys of different seeds differ");
    let size = u32::try_from(committee.len()).expect("committees are small");
    let proposal =
        Proposal::<Digest>::new(header.context.round, header.context.parent.0, header.digest());
    let votes: Vec<_> = signers
        .iter()
        .map(|&index| {
            let key = keys[index].clone();
            let scheme = Scheme::signer(&simulation.namespace, committee.clone(), key)
                .expect("the key is of the committee");
            Finalize::sign(&scheme, proposal.clone()).expect("signers can sign")
        })
        .collect();
    let mut attestations: Vec<_> = votes.iter().map(|vote| vote.attestation.clone()).collect();
    attestations.sort_by_key(|attestation| attestation.signer);
    let members = attestations.iter().map(|attestation| attestation.signer);
    let certificate = Certificate {
        signers: Signers::new(size, members).expect("signers are members, each named once"),
        signatures: attestations.iter().map(|vote| vote.signature.clone()).collect(),
    };
    Finalization::<Scheme, Digest> { proposal, certificate }.encode()
}
