//! Brings all volumes back to full redundancy; where places are gone for good, onto fresh nodes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use acre_codec::List;
use acre_ledger::Action;
use acre_store::machine::{
    Decode, Event, Operation, Rebuilt, RepairReport as Pass, RepairSpec, Trust, Urgency, When,
};
use acre_types::{NodeId, PackId};
use tokio::runtime::Handle;

use crate::change::add;
use crate::courier::{Load, Operating, Told};
use crate::meter::Meter;
use crate::progress::Phase;
use crate::report::{RepairMode, RepairReport};
use crate::shared::Core;
use crate::space::View;
use crate::volume::Volume;
use crate::{ClientError, collect, contract, read};

pub(crate) fn run(
    core: &Arc<Core>,
    handle: &Handle,
    mode: RepairMode,
    meter: &Meter,
) -> Result<RepairReport, ClientError> {
    let mut report = RepairReport::default();
    for volume in handle.block_on(core.refresh())? {
        meter.check()?;
        let mut view = View::open(core, &volume, handle)?;
        let referenced = Arc::new(collect::mark(&mut view.store, &view.published.tree)?);
        let mut pass = handle.block_on(self::pass(core, &volume, mode, &referenced, meter))?;
        if pass.unplaced > 0 && !pass.silent.is_empty() {
            let replaced = handle.block_on(replace(core, &volume, &pass.silent))?;
            if !replaced.is_empty() {
                report.replaced.extend(replaced);
                let second =
                    handle.block_on(self::pass(core, &volume, mode, &referenced, meter))?;
                let (stored, trimmed) = (pass.stored, pass.trimmed);
                pass = second;
                pass.stored += stored;
                pass.trimmed += trimmed;
            }
        }
        core.cache.set_noticed(volume.id, &pass.waiting);
        if pass.unreferenced > 0 {
            let held = handle.block_on(held(core, &volume));
            // A head written meanwhile may refer to more than was marked.
            let _turn = handle.block_on(volume.turns.take());
            let newest = handle.block_on(volume.read_head(&core.courier))?;
            let marked = collect::mark(&mut view.store, &newest.tree)?;
            add(&mut report.collected, collect::strangers(&mut view, handle, &held, &marked)?);
        }
        sum(&mut report, pass);
    }
    Ok(report)
}

fn sum(report: &mut RepairReport, pass: Pass) {
    report.packs += pass.packs;
    report.full += pass.full;
    report.rebuilt += pass.stored;
    report.trimmed += pass.trimmed;
    report.waiting += u64::try_from(pass.waiting.len()).unwrap_or(u64::MAX);
    report.unplaced += pass.unplaced;
    report.unrepairable.extend(pass.unrepairable_first);
    report.unrepairable_total += pass.unrepairable;
    for node in pass.silent {
        if !report.silent.contains(&node) {
            report.silent.push(node);
        }
    }
}

async fn pass(
    core: &Arc<Core>,
    volume: &Arc<Volume>,
    mode: RepairMode,
    referenced: &Arc<BTreeSet<PackId>>,
    meter: &Meter,
) -> Result<Pass, ClientError> {
    let spec = RepairSpec {
        places: volume.places(),
        referenced: Some(Arc::clone(referenced)),
        when: match mode {
            RepairMode::Now | RepairMode::Scrub => When::Now,
            RepairMode::ByUrgency => When::ByUrgency(Urgency::default()),
        },
        trust: match mode {
            RepairMode::Scrub => Trust::Verified,
            RepairMode::Now | RepairMode::ByUrgency => Trust::Listed,
        },
        noticed: core.cache.noticed(volume.id),
    };
    let load = Load { party: Arc::clone(&volume.party), pack: None, head: None };
    meter.tell(Phase::Listing);
    let mut repairing = core.courier.begin(Operation::Repair(spec), load);
    while let Some(told) = repairing.next().await {
        meter.check()?;
        match told {
            Told::Event(Event::RepairPlanned { jobs, .. }) => meter.set_total(meter.done() + jobs),
            Told::Event(Event::PackDone { .. }) => meter.add(1),
            Told::Event(Event::Repaired(report)) => return Ok(report),
            Told::Event(Event::Failed(error)) => return Err(ClientError::Machine(error)),
            Told::Rebuild(pack, decode, bodies, header) => {
                let profile = volume.profile;
                let made =
                    tokio::task::spawn_blocking(move || rebuild(profile, &decode, &bodies, header));
                let (shards, outcome) = made.await.map_err(|_| ClientError::Closed)?;
                hand_over(&repairing, pack, shards, outcome);
            }
            _ => {}
        }
    }
    Err(ClientError::Closed)
}

type Shards = Vec<(acre_types::ShardIndex, bytes::Bytes)>;

fn hand_over(repairing: &Operating, pack: PackId, shards: Shards, outcome: Rebuilt) {
    if outcome == Rebuilt::Mismatch {
        tracing::warn!(%pack, "a rebuilt shard does not match its root");
    }
    repairing.made(pack, shards, outcome);
}

/// Makes shards and checks each against the root that the writer signed.
fn rebuild(
    profile: acre_types::Profile,
    decode: &Decode,
    bodies: &std::collections::HashMap<acre_store::machine::RequestId, Arc<crate::courier::Body>>,
    header: Option<Arc<acre_store::shard::ShardHeader>>,
) -> (Shards, Rebuilt) {
    let made = read::make(profile, decode, bodies).zip(header).and_then(|(made, header)| {
        let shards: Shards = made.into_iter().map(|(index, _, bytes)| (index, bytes)).collect();
        let is_good =
            shards.iter().all(|(index, bytes)| header.pack().verify_body(*index, bytes).is_ok());
        is_good.then_some(shards)
    });
    match made {
        Some(shards) => (shards, Rebuilt::Verified),
        None => (Vec::new(), Rebuilt::Mismatch),
    }
}

/// Every pack of which some place that answers holds a shard.
async fn held(core: &Arc<Core>, volume: &Arc<Volume>) -> BTreeSet<PackId> {
    let mut held = BTreeSet::new();
    for node in volume.places().all() {
        let listed = collect::list(&core.caller, *node, volume.id).await.unwrap_or_default();
        held.extend(listed.into_iter().map(|shard| shard.pack));
    }
    held
}

/// Gives positions of places that do not answer to fresh nodes, as far as there are any.
async fn replace(
    core: &Arc<Core>,
    volume: &Arc<Volume>,
    silent: &[NodeId],
) -> Result<Vec<(NodeId, NodeId)>, ClientError> {
    let storage = volume.storage();
    let nodes = core.nodes();
    let kept = storage.places.iter().filter(|place| !silent.contains(place));
    let kept: Vec<_> = kept.filter_map(|place| nodes.get(place)).collect();
    let share = storage.place_bytes();
    let mut sites: BTreeSet<String> =
        kept.iter().map(|node| node.site.as_str().to_owned()).collect();
    let mut operators: BTreeSet<_> = kept.iter().map(|node| node.operator).collect();
    let fresh = contract::candidates(core, |node| !storage.places.contains(&node));
    let answering: BTreeMap<NodeId, bool> =
        contract::probe(&core.caller, fresh.iter().map(|fresh| fresh.node).collect())
            .await
            .into_iter()
            .collect();
    let one_operator_may = storage.profile == acre_types::Profile::Tiny;
    let mut pairs = Vec::new();
    let mut silent = silent.iter();
    for fresh in fresh {
        let is_fit = fresh.free >= share
            && answering.get(&fresh.node) == Some(&true)
            && !sites.contains(&fresh.site)
            && (one_operator_may || !operators.contains(&fresh.operator));
        if !is_fit {
            continue;
        }
        let Some(old) = silent.next() else { break };
        sites.insert(fresh.site);
        operators.insert(fresh.operator);
        pairs.push((*old, fresh.node));
    }
    if pairs.is_empty() {
        return Ok(pairs);
    }
    let replace = List::new(pairs.clone()).expect("no more than the contract has places");
    let add = List::new(Vec::new()).expect("nothing is within every limit");
    let action = Action::ChangePlaces { contract: volume.id, replace, add };
    core.ledger.submit(&core.identity.account(), action).await?;
    core.refresh().await?;
    // Nodes believe a place that they read before for a moment.
    tokio::time::sleep(crate::volume::GROWTH_SEEN).await;
    Ok(pairs)
}
