//! Removing and renaming.

use std::sync::Arc;

use acre_store::tree::Kind;
use tokio::runtime::Handle;

use crate::get::{Found, find};
use crate::limits::COLLECT_FILES_MAX;
use crate::meta::MetaStore;
use crate::meter::Meter;
use crate::object::given_path;
use crate::progress::Phase;
use crate::report::{CollectReport, RemoveReport};
use crate::send::Sender;
use crate::shared::Core;
use crate::space::{View, conflict, publish};
use crate::{ClientError, Wanted, collect};

/// What may be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// A file, a link, or an empty directory.
    Entry,
    /// A directory with all that is in it, too.
    Tree,
}

pub(crate) fn remove(
    core: &Arc<Core>,
    handle: &Handle,
    wanted: &Wanted,
    depth: Depth,
    meter: &Meter,
) -> Result<RemoveReport, ClientError> {
    let parts = find(core, handle, wanted)?;
    for Found { path, entry, .. } in &parts {
        if path.is_empty() {
            return Err(conflict(path, "is the root; remove what is in it"));
        }
        if let (Kind::Directory(directory), Depth::Entry) = (&entry.kind, depth)
            && !directory.is_empty()
        {
            return Err(conflict(path, "is a directory and not empty"));
        }
    }
    let mut report = RemoveReport::default();
    for Found { mut view, path, .. } in parts {
        let sender = Sender::new(core, &view.volume, handle);
        let mut store = MetaStore::saving(core, &view.volume, handle, &sender)?;
        let (entry, before) = publish(&mut store, handle, |store, space| {
            let found = space.remove(store, &path)?;
            match (&found.kind, depth) {
                (Kind::Directory(directory), Depth::Entry) if !directory.is_empty() => {
                    Err(conflict(&path, "is a directory and not empty"))
                }
                _ => Ok(found),
            }
        })?;
        let totals = entry.totals();
        report.entries += totals.files + totals.directories + totals.symlinks;
        if before.tree.totals().files <= COLLECT_FILES_MAX {
            meter.tell(Phase::Deleting);
            match collect::dropped(&mut view, handle, &before.tree) {
                Ok(collected) => add(report.collected.get_or_insert_default(), collected),
                // It is removed all the same; a repair collects what is left.
                Err(error) => {
                    tracing::warn!(%error, "packs of what was removed are left for later")
                }
            }
        }
    }
    Ok(report)
}

/// Adds up.
pub(crate) fn add(sum: &mut CollectReport, part: CollectReport) {
    sum.packs += part.packs;
    sum.shards += part.shards;
    sum.kept += part.kept;
    sum.unconfirmed.extend(part.unconfirmed);
}

pub(crate) fn rename(
    core: &Arc<Core>,
    handle: &Handle,
    source: &Wanted,
    target: &[u8],
) -> Result<(), ClientError> {
    let target = given_path(target)?;
    if target.is_empty() {
        return Err(conflict(&target, "is the root"));
    }
    let parts = find(core, handle, source)?;
    if parts.iter().any(|part| part.path.is_empty()) {
        return Err(conflict(&[], "is the root"));
    }
    for volume in handle.block_on(core.volumes())? {
        if View::open(core, &volume, handle)?.lookup(&target)?.is_some() {
            return Err(conflict(&target, "is there already"));
        }
    }
    for Found { view, path, .. } in parts {
        if target.starts_with(&path) {
            return Err(conflict(&target, "lies within what is to be moved"));
        }
        let sender = Sender::new(core, &view.volume, handle);
        let mut store = MetaStore::saving(core, &view.volume, handle, &sender)?;
        publish(&mut store, handle, |store, space| space.rename(store, &path, &target))?;
    }
    Ok(())
}
