//! The duty of a witness: reads from the ledger whom to watch, asks them over the network, and says
//! to the ledger what was found. What to ask and how to judge is decided by
//! [`acre_capacity::duty::Witness`].

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use acre_capacity::duty::{Call, Duty, In, Out, Plan, Report, Rules, Witness};
use acre_capacity::index::{ItemId, contract_bytes};
use acre_capacity::message::{Answer, Ask, Opening, Sample, decode_answer};
use acre_capacity::plot::Fill;
use acre_capacity::verify::HeaderCheck;
use acre_chain::{ClientError, LedgerClient};
use acre_codec::List;
use acre_crypto::{Hasher, SigningKey};
use acre_ledger::{
    Action, Capacity, ContractStatus, EpochState, Failures, Finding, Muster, NodeAt, TheEpoch,
    Verdict,
};
use acre_net::StaticBook;
use acre_net::rpc::{Caller, Message};
use acre_store::shard::ShardHeader;
use acre_types::{Bytes, Digest, Epoch, Machine, NodeId, Tick};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, sleep_until};

use crate::contracts::{Contracts, Read, Unknown};
use crate::limits::{ANSWERS_WAITING, EPOCH_LOOK_MAX, EPOCH_LOOK_MIN, REPORT_TRIES};
use crate::metrics::Counters;
use crate::muster::Musters;
use crate::prover::Audience;
use crate::shelf::{allowance, now as unix_now};

/// What the watch needs of its node.
pub(crate) struct Watch {
    pub(crate) ledger: LedgerClient,
    pub(crate) key: SigningKey,
    pub(crate) book: Arc<StaticBook>,
    pub(crate) caller: Caller,
    pub(crate) rules: Rules,
    pub(crate) audience: watch::Sender<Audience>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) musters: Arc<Musters>,
}

/// Something for the machine, and when it came.
type Arrival = (Instant, In);

/// What the ledger says of an epoch, as far as this node is concerned.
struct View {
    state: EpochState,
    index: u32,
    plan: Plan,
    witnesses: Vec<NodeId>,
}

struct Shared {
    watch: Watch,
    contracts: Contracts,
    began: Instant,
    arrivals: mpsc::Sender<Arrival>,
    /// What contracts have reserved at the nodes that are watched, as it was read last.
    reserved: Mutex<BTreeMap<NodeId, Bytes>>,
}

impl Shared {
    fn tick(&self, at: Instant) -> Tick {
        Tick(0).after(at.saturating_duration_since(self.began))
    }

    fn instant(&self, tick: Tick) -> Instant {
        self.began + tick.since(Tick(0))
    }

    fn id(&self) -> NodeId {
        self.watch.key.public().into()
    }
}

/// Watches until the task is dropped.
pub(crate) async fn run(watch: Watch) {
    let mut machine = match Witness::new(watch.rules) {
        Ok(machine) => machine,
        Err(error) => return tracing::error!(%error, "this node cannot witness"),
    };
    let (arrivals, mut arrived) = mpsc::channel(ANSWERS_WAITING);
    let (views, mut viewed) = mpsc::channel(1);
    let contracts = Contracts::new(Arc::new(watch.ledger.clone()));
    let began = Instant::now();
    let shared = Arc::new(Shared { watch, contracts, began, arrivals, reserved: Mutex::default() });
    let looking = tokio::spawn(look(Arc::clone(&shared), views));
    let _stop = Stop(looking.abort_handle());
    let (told, mut musters) = mpsc::channel(1);
    let hearing = tokio::spawn(Arc::clone(&shared.watch.musters).hear(told));
    let _stop_hearing = Stop(hearing.abort_handle());
    loop {
        let due = machine.deadline().map(|tick| shared.instant(tick));
        let due = due.unwrap_or_else(|| Instant::now() + EPOCH_LOOK_MAX);
        tokio::select! {
            arrival = arrived.recv() => {
                let Some((at, input)) = arrival else { return };
                machine.input(shared.tick(at), input);
            }
            muster = musters.recv() => {
                let Some((at, muster)) = muster else { return };
                machine.input(shared.tick(at), call(&shared, &muster));
            }
            plan = viewed.recv() => {
                let Some(plan) = plan else { return };
                machine.input(shared.tick(Instant::now()), In::Begin(plan));
            }
            () = sleep_until(due.into()) => {
                if machine.deadline().is_some() {
                    machine.wake(shared.tick(Instant::now()));
                }
            }
        }
        while let Some(out) = machine.output() {
            act(&shared, out);
        }
    }
}

/// A muster, as the machine is told it.
fn call(shared: &Shared, muster: &Muster) -> In {
    let watched = shared.reserved.lock().unwrap_or_else(PoisonError::into_inner);
    let seeds = watched.keys().map(|node| (*node, muster.seed_of(*node))).collect();
    In::Muster { epoch: muster.epoch, seeds }
}

/// Ends a task with its owner.
struct Stop(tokio::task::AbortHandle);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Finds each new epoch on the ledger.
async fn look(shared: Arc<Shared>, plans: mpsc::Sender<Plan>) {
    let mut known: Option<(Epoch, Vec<NodeId>)> = None;
    loop {
        let rest = match view(&shared, known.as_ref().map(|(epoch, _)| *epoch)).await {
            Ok(Looked::New(view)) => {
                let View { state, index, plan, witnesses } = *view;
                let before = known.take().map(|(_, witnesses)| witnesses).unwrap_or_default();
                let epoch = state.number;
                tracing::debug!(%epoch, index, duties = plan.duties.len(), "an epoch began");
                let counters = &shared.watch.counters;
                counters.epoch.set(epoch.0);
                counters.duties.set(plan.duties.len() as u64);
                counters.witnesses.set(witnesses.len() as u64);
                known = Some((epoch, witnesses.clone()));
                shared.watch.audience.send_replace(Audience { epoch, witnesses, before });
                if plans.send(plan).await.is_err() {
                    return;
                }
                until_end(&state)
            }
            Ok(Looked::Same(state)) => pause(&state),
            Err(error) => {
                tracing::debug!(%error, "the epoch could not be read");
                EPOCH_LOOK_MAX / 10
            }
        };
        sleep(rest).await;
    }
}

fn until_end(state: &EpochState) -> Duration {
    let left = state.ends().0.saturating_sub(unix_now().0).min(state.span_ms);
    Duration::from_millis(left).max(EPOCH_LOOK_MIN)
}

enum Looked {
    New(Box<View>),
    Same(EpochState),
}

async fn view(shared: &Shared, known: Option<Epoch>) -> Result<Looked, ClientError> {
    let ledger = &shared.watch.ledger;
    let Some(state) = ledger.read(&TheEpoch).await? else {
        return Err(ClientError::NoValidators);
    };
    if known == Some(state.number) {
        return Ok(Looked::Same(state));
    }
    let me = shared.id();
    let Some(own) = ledger.node(me).await? else { return Ok(Looked::Same(state)) };
    let parameters = ledger.parameters().await?;
    let rule = parameters.capacity.independence;
    let overcommit = parameters.contracts.overcommit;
    let assignment = state.assignment();
    let mut duties = Vec::new();
    for id in ids(ledger, assignment.duties_of(own.index)).await? {
        let Some(node) = ledger.node(id).await? else { continue };
        let is_retired = node.state == acre_ledger::NodeState::Retired;
        if is_retired || !acre_ledger::witness::may_witness(rule, &own, &node) {
            continue;
        }
        let addresses = node.addresses.iter().filter_map(|text| address(text.as_str()));
        shared.watch.book.insert(id.key(), addresses.collect());
        // What contracts have reserved is their tenants': it is not asked for.
        let idle = node.idle(overcommit);
        let proven = node.unlent().min(idle);
        let (cores, memory) = (idle.cores, idle.memory);
        let proven = (proven.cores, proven.memory);
        let reserved = node.reserved.storage;
        duties.push(Duty { node: id, cores, memory, proven, reserved });
    }
    let reserved = duties.iter().map(|duty| (duty.node, duty.reserved)).collect();
    *shared.reserved.lock().unwrap_or_else(PoisonError::into_inner) = reserved;
    let witnesses = ids(ledger, assignment.witnesses_of(own.index)).await?;
    let plan = plan(shared, &state, duties);
    Ok(Looked::New(Box::new(View { state, index: own.index, plan, witnesses })))
}

async fn ids(ledger: &LedgerClient, indexes: Vec<u32>) -> Result<Vec<NodeId>, ClientError> {
    let places: Vec<NodeAt> = indexes.into_iter().map(NodeAt).collect();
    Ok(ledger.read_all(&places).await?.into_iter().flatten().collect())
}

fn address(text: &str) -> Option<std::net::SocketAddr> {
    // Names are not looked up: a stranger's name server could hold up this process.
    text.parse().ok()
}

fn plan(shared: &Shared, state: &EpochState, duties: Vec<Duty>) -> Plan {
    // A signature over the seed: nobody else can foresee it, and its maker cannot choose it.
    let signature = shared.watch.key.sign_bytes("acre/witness-secret/1", &state.seed.0);
    let secret: Digest = Hasher::new("acre 2026-11 witness secret").update(&signature.0).finish();
    let now = shared.tick(Instant::now());
    let ends = now.after(until_end(state));
    let began = Tick(ends.0.saturating_sub(state.span_ms.saturating_mul(1000)));
    Plan { epoch: state.number, secret, began, ends, duties }
}

fn act(shared: &Arc<Shared>, out: Out) {
    let shared = Arc::clone(shared);
    match out {
        Out::Ask { call, node, ask, patience } => {
            tokio::spawn(async move {
                let (at, input) = converse(&shared, call, node, &ask, patience).await;
                // The machine is gone when nobody receives.
                let _ = shared.arrivals.send((at, input)).await;
            });
        }
        Out::Rebuild { call, node, region, rules } => {
            tokio::spawn(async move {
                let make = move || Fill::new(node, region, rules).map(Fill::root);
                if let Ok(Ok(root)) = tokio::task::spawn_blocking(make).await {
                    let input = In::Rebuilt { call, root };
                    let _ = shared.arrivals.send((Instant::now(), input)).await;
                }
            });
        }
        Out::Report(report) => {
            tokio::spawn(async move { submit(&shared, report).await });
        }
    }
}

async fn converse(
    shared: &Shared,
    call: Call,
    node: NodeId,
    ask: &Ask,
    patience: Duration,
) -> Arrival {
    let message = Message::new(acre_codec::encode(ask), bytes::Bytes::new());
    let reply = shared.watch.caller.call(node.key(), message, patience).await;
    let at = Instant::now();
    let answer = match reply {
        Ok(reply) => decode_answer(&reply.body).ok(),
        Err(error) => {
            tracing::debug!(%error, %node, "a node did not answer its witness");
            None
        }
    };
    let Some(answer) = answer else { return (at, In::Failed { call }) };
    if let Answer::Committed(signed) = &answer {
        let shards = signed.commitment.bytes().saturating_sub(signed.commitment.plots);
        if let Some(bytes) = reserved_now(shared, node, Bytes(shards)).await {
            // The machine is gone when nobody receives.
            let _ = shared.arrivals.send((at, In::Reserved { node, bytes })).await;
        }
    }
    let mut headers = Vec::new();
    if let Answer::Opened(samples) = &answer {
        for sample in samples.iter() {
            headers.push(match sample {
                Sample::Opened(opening) => check_header(shared, node, opening).await,
                Sample::Missing => HeaderCheck::None,
            });
        }
    }
    (at, In::Answered { call, answer, headers })
}

/// What contracts have reserved at a node, read again if it showed more shards than were reserved
/// when the epoch began: contracts may have begun since.
async fn reserved_now(shared: &Shared, node: NodeId, shards: Bytes) -> Option<Bytes> {
    let known = || shared.reserved.lock().unwrap_or_else(PoisonError::into_inner);
    if known().get(&node).is_some_and(|reserved| *reserved >= shards) {
        return None;
    }
    let bytes = shared.watch.ledger.node(node).await.ok()??.reserved.storage;
    known().insert(node, bytes);
    Some(bytes)
}

/// What the header of an opened shard is worth.
async fn check_header(shared: &Shared, node: NodeId, opening: &Opening) -> HeaderCheck {
    let ItemId::Shard { contract, pack, index } = opening.item.id else {
        return HeaderCheck::None;
    };
    let Ok(header) = acre_codec::decode::<ShardHeader>(&opening.header) else {
        return HeaderCheck::Refused;
    };
    let named = (header.pack().contract(), header.pack().pack(), header.index().get());
    if named != (contract, pack, index) {
        return HeaderCheck::Refused;
    }
    let mut read = shared.contracts.get(contract).await;
    let shown = contract_bytes(&opening.item, &opening.index);
    let most = |paid: &Read| paid.contract.storage().map_or(0, allowance);
    if read.as_ref().is_ok_and(|paid| paid.as_ref().is_some_and(|paid| most(paid) < shown)) {
        // It may have grown since it was read.
        read = shared.contracts.again(contract).await;
    }
    let paid = match read {
        Ok(Some(paid)) => paid,
        Ok(None) => return HeaderCheck::Refused,
        Err(Unknown) => return HeaderCheck::Unknown,
    };
    let most = most(&paid);
    let Some(storage) = paid.contract.storage() else { return HeaderCheck::Refused };
    // What is frozen or archived is still to be kept.
    let is_kept = matches!(
        paid.status(),
        ContractStatus::Live | ContractStatus::Frozen { .. } | ContractStatus::Archived { .. }
    );
    let is_good =
        is_kept && storage.places.contains(&node) && header.verify(&storage.writer).is_ok();
    match header.pack().root(header.index()) {
        Some(root) if is_good => {
            HeaderCheck::Signed { root, bytes: header.pack().shard_bytes().into(), most }
        }
        _ => HeaderCheck::Refused,
    }
}

/// Says a report to the ledger, which takes it while the next epoch runs.
async fn submit(shared: &Shared, report: Report) {
    let epoch = report.epoch;
    let verdicts: Vec<Verdict> = report.verdicts.iter().map(verdict).collect();
    let Ok(verdicts) = List::new(verdicts) else {
        return tracing::error!(%epoch, "more verdicts than a report holds");
    };
    let mut tries = 0;
    while tries < REPORT_TRIES {
        let state = match shared.watch.ledger.read(&TheEpoch).await {
            Ok(Some(state)) => state,
            Ok(None) => return,
            Err(error) => {
                tracing::debug!(%error, "the epoch could not be read");
                tries += 1;
                sleep(EPOCH_LOOK_MAX / 10).await;
                continue;
            }
        };
        if state.number <= epoch {
            // The block that ends the epoch is still to come.
            sleep(until_end(&state).max(pause(&state))).await;
            continue;
        }
        if state.past.is_none_or(|past| past.number != epoch) {
            tracing::warn!(%epoch, "too late for a report");
            break;
        }
        let action = Action::ReportWitness { epoch, verdicts: verdicts.clone() };
        match shared.watch.ledger.submit(&shared.watch.key, action).await {
            Ok(_) => {
                shared.watch.counters.reports.add(1);
                shared.watch.counters.verdicts.add(verdicts.len() as u64);
                return tracing::debug!(%epoch, "reported");
            }
            Err(error) => tracing::warn!(%error, %epoch, "a report failed"),
        }
        tries += 1;
        sleep(pause(&state)).await;
    }
    shared.watch.counters.reports_failed.add(1);
}

/// Between two looks for what is about to come.
fn pause(state: &EpochState) -> Duration {
    (Duration::from_millis(state.span_ms) / 20).clamp(EPOCH_LOOK_MIN, EPOCH_LOOK_MAX)
}

fn verdict(found: &acre_capacity::duty::Verdict) -> Verdict {
    let measured = Capacity { storage: found.storage, cores: found.cores, memory: found.memory };
    let failures = Failures { late: found.late, missing: found.missing, wrong: found.wrong };
    let (asked, answered) = (found.asked, found.answered);
    let (sold, solid) = (found.sold, found.solid);
    let finding = Finding { asked, answered, measured, sold, solid, failures };
    Verdict { node: found.node, finding }
}
