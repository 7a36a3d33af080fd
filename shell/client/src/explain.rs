//! Where the shards of a thing are, and how they are: by the word of their nodes, which read and
//! hash each of them now.

use std::collections::BTreeSet;
use std::sync::Arc;

use acre_store::machine::{Event, Operation, SurveySpec, explain};
use acre_store::tree::{Directory, Kind, lookup};
use acre_types::PackId;
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use crate::collect::{Marker, mark, mark_file};
use crate::courier::{Load, Told};
use crate::get::{Found, find};
use crate::limits::SURVEYS_AT_ONCE;
use crate::report::{Explanation, ShardPlace, Stripe};
use crate::shared::Core;
use crate::volume::Volume;
use crate::{ClientError, Wanted};

pub(crate) fn run(
    core: &Arc<Core>,
    handle: &Handle,
    wanted: &Wanted,
) -> Result<Explanation, ClientError> {
    let mut whole: Option<Explanation> = None;
    for part in find(core, handle, wanted)? {
        let volume = Arc::clone(&part.view.volume);
        let packs = packs(part)?;
        let mut stripes = Vec::new();
        let packs: Vec<PackId> = packs.into_iter().collect();
        for batch in packs.chunks(SURVEYS_AT_ONCE) {
            let mut surveys = JoinSet::new();
            for pack in batch {
                let (core, volume) = (Arc::clone(core), Arc::clone(&volume));
                surveys.spawn_on(survey(core, volume, *pack), handle);
            }
            for stripe in handle.block_on(surveys.join_all()) {
                stripes.push(stripe?);
            }
        }
        stripes.sort_by_key(|stripe| stripe.id);
        let explanation = whole.get_or_insert_with(|| Explanation {
            profile: volume.profile,
            contract: volume.id,
            stripes: Vec::new(),
            losses_survivable: None,
        });
        explanation.stripes.extend(stripes);
    }
    let mut whole = whole.ok_or_else(|| ClientError::NotFound { name: wanted.to_bytes() })?;
    // None, not readable now, is less than any number.
    whole.losses_survivable =
        whole.stripes.iter().map(|stripe| stripe.losses_survivable).min().flatten();
    Ok(whole)
}

/// The packs that hold a thing: its data and the metadata below it; where that is nothing, the
/// metadata that leads to it.
fn packs(part: Found) -> Result<BTreeSet<PackId>, ClientError> {
    let Found { mut view, path, entry } = part;
    let mut packs = match &entry.kind {
        Kind::Directory(directory) => mark(&mut view.store, directory)?,
        Kind::File(content) => mark_file(&mut view.store, content)?,
        Kind::Symlink(_) => BTreeSet::new(),
    };
    if packs.is_empty() {
        let names: Directory = view.space.names;
        let mut marker = Marker::new(&mut view.store);
        lookup(&mut marker, &names, &path)?;
        packs = marker.packs;
    }
    Ok(packs)
}

async fn survey(core: Arc<Core>, volume: Arc<Volume>, pack: PackId) -> Result<Stripe, ClientError> {
    let places = volume.places();
    let spec = SurveySpec { pack, places: places.clone() };
    let load = Load { party: Arc::clone(&volume.party), pack: None, head: None };
    let mut surveying = core.courier.begin(Operation::Survey(spec), load);
    while let Some(told) = surveying.next().await {
        let Told::Event(Event::Sighted(sightings)) = told else { continue };
        let explained = explain(pack, &places, &sightings, |node| Some(core.site(node)));
        let shards = explained.rows.into_iter().map(|row| ShardPlace {
            index: row.index,
            node: row.node,
            site: row.site.unwrap_or_default(),
            state: row.state,
        });
        let losses_survivable = explained.losses_survivable;
        return Ok(Stripe { id: pack, shards: shards.collect(), losses_survivable });
    }
    Err(ClientError::Closed)
}
