//! Looking: entries and pages of directories, over all volumes.

use std::collections::BTreeMap;
use std::sync::Arc;

use acre_store::tree::{Entry, Kind, Listing, Name};
use tokio::runtime::Handle;

use crate::get::{Found, find};
use crate::limits::PAGE_ENTRIES;
use crate::report::{Item, ItemKind};
use crate::shared::Core;
use crate::volume::Volume;
use crate::{ClientError, Wanted};

/// The entry itself. A directory that is in several volumes is shown as one.
pub(crate) fn stat(
    core: &Arc<Core>,
    handle: &Handle,
    wanted: &Wanted,
) -> Result<Item, ClientError> {
    let mut whole: Option<Item> = None;
    for found in find(core, handle, wanted)? {
        let name = found.path.last().map(|name| name.as_bytes().to_vec()).unwrap_or_default();
        let part = Item { name, ..item(&found.view.volume, &found.entry) };
        whole = Some(whole.map_or(part.clone(), |whole| joined(whole, &part)));
    }
    whole.ok_or_else(|| ClientError::NotFound { name: wanted.to_bytes() })
}

/// Entries of a directory above a name, at most [`PAGE_ENTRIES`]; of anything else itself.
pub(crate) fn list(
    core: &Arc<Core>,
    handle: &Handle,
    wanted: &Wanted,
    after: Option<&[u8]>,
) -> Result<Vec<Item>, ClientError> {
    let parts = match find(core, handle, wanted) {
        // The root is there even before there is a volume.
        Err(ClientError::NotFound { .. }) if is_root(wanted) => Vec::new(),
        parts => parts?,
    };
    let mut items: BTreeMap<Vec<u8>, Item> = BTreeMap::new();
    for part in parts {
        let Found { mut view, path, entry } = part;
        let Kind::Directory(directory) = entry.kind else {
            if after.is_some() {
                return Ok(Vec::new());
            }
            let name = path.last().map(|name| name.as_bytes().to_vec()).unwrap_or_default();
            return Ok(vec![Item { name, ..item(&view.volume, &entry) }]);
        };
        let mut listing = match after {
            Some(after) => Listing::after(&mut view.store, &directory, &Name::new(after)?)?,
            None => Listing::new(&directory),
        };
        for _ in 0..PAGE_ENTRIES {
            let Some(entry) = listing.next(&mut view.store)? else { break };
            let found = item(&view.volume, &entry);
            match items.remove(&found.name) {
                Some(other) => items.insert(found.name.clone(), joined(other, &found)),
                None => items.insert(found.name.clone(), found),
            };
        }
    }
    // Each volume gave a full page, so the first page of all of them is complete.
    Ok(items.into_values().take(PAGE_ENTRIES).collect())
}

fn is_root(wanted: &Wanted) -> bool {
    matches!(wanted, Wanted::Path(path) if path.iter().all(|byte| *byte == b'/'))
}

/// Two parts of one directory; of anything else the first.
fn joined(one: Item, other: &Item) -> Item {
    if one.kind != ItemKind::Directory || other.kind != ItemKind::Directory {
        return one;
    }
    Item {
        bytes: one.bytes.saturating_add(other.bytes),
        files: one.files.saturating_add(other.files),
        mtime_ns: one.mtime_ns.max(other.mtime_ns),
        ..one
    }
}

fn item(volume: &Volume, entry: &Entry) -> Item {
    let (kind, bytes, files, target) = match &entry.kind {
        Kind::File(content) => (ItemKind::File, content.bytes(), 1, None),
        Kind::Directory(directory) => {
            let totals = directory.totals();
            (ItemKind::Directory, totals.bytes, totals.files, None)
        }
        Kind::Symlink(target) => {
            let target = target.as_bytes();
            let bytes = u64::try_from(target.len()).unwrap_or(u64::MAX);
            (ItemKind::Symlink, bytes, 0, Some(target.to_vec()))
        }
    };
    Item {
        name: entry.name.as_bytes().to_vec(),
        kind,
        bytes,
        files,
        mode: entry.meta.mode(),
        mtime_ns: entry.meta.mtime_ns(),
        target,
        profile: volume.profile,
        contract: volume.id,
    }
}
