//! The tree of a volume as people see it, and publishing a changed one.

use std::cmp::Ordering;
use std::sync::Arc;

use acre_store::tree::{
    Change, Directory, Entry, Kind, Listing, Meta, Name, Target, apply, join, lookup, lookup_name,
    put, remove, rename,
};
use acre_types::PackId;
use tokio::runtime::Handle;

use crate::ClientError;
use crate::limits::{CHANGES_AT_ONCE, HEAD_TRIES};
use crate::meta::MetaStore;
use crate::shared::{Core, now};
use crate::volume::{Published, Volume, Written};

const NAMES: &[u8] = b"names";
const OBJECTS: &[u8] = b"objects";

/// What people see, and the notes of where objects stand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Space {
    pub(crate) names: Directory,
    pub(crate) objects: Directory,
}

/// The newest state of a volume with the means to read it.
pub(crate) struct View {
    pub(crate) volume: Arc<Volume>,
    pub(crate) store: MetaStore,
    pub(crate) published: Published,
    pub(crate) space: Space,
}

impl View {
    /// Reads the newest head.
    pub(crate) fn open(
        core: &Arc<Core>,
        volume: &Arc<Volume>,
        handle: &Handle,
    ) -> Result<Self, ClientError> {
        let published = handle.block_on(volume.read_head(&core.courier))?;
        let mut store = MetaStore::reading(core, volume, handle);
        let space = Space::load(&mut store, &published.tree)?;
        Ok(Self { volume: Arc::clone(volume), store, published, space })
    }

    /// The entry at a path of names; the empty path is the root, which has none.
    pub(crate) fn lookup(&mut self, path: &[Name]) -> Result<Option<Entry>, ClientError> {
        if path.is_empty() && !self.space.names.is_empty() {
            let (name, meta) = (fixed(NAMES), made());
            return Ok(Some(Entry { name, meta, kind: Kind::Directory(self.space.names) }));
        }
        lookup(&mut self.store, &self.space.names, path)
    }

    /// The path at which an object stands.
    pub(crate) fn object(&mut self, number: [u8; 16]) -> Result<Option<Vec<u8>>, ClientError> {
        let name = object_name(number);
        let entry = lookup_name(&mut self.store, &self.space.objects, &name)?;
        Ok(entry.and_then(|entry| match entry.kind {
            Kind::Symlink(target) => Some(target.as_bytes().to_vec()),
            _ => None,
        }))
    }
}

impl Space {
    pub(crate) fn load(store: &mut MetaStore, tree: &Directory) -> Result<Self, ClientError> {
        let mut part = |name| -> Result<Directory, ClientError> {
            match lookup_name(store, tree, &fixed(name))?.map(|entry| entry.kind) {
                Some(Kind::Directory(directory)) => Ok(directory),
                _ => Ok(Directory::empty()),
            }
        };
        Ok(Self { names: part(NAMES)?, objects: part(OBJECTS)? })
    }

    fn save(self, store: &mut MetaStore, tree: &Directory) -> Result<Directory, ClientError> {
        let change = |name, directory| {
            Change::Put(Entry {
                name: fixed(name),
                meta: root_meta(),
                kind: Kind::Directory(directory),
            })
        };
        apply(store, tree, &[change(NAMES, self.names), change(OBJECTS, self.objects)])
    }

    /// Puts an entry at a path; a directory onto a directory is merged, name by name.
    ///
    /// # Errors
    /// [`ClientError::Conflict`] where a directory would be replaced by something else, or
    /// something above is no directory.
    pub(crate) fn put(
        &mut self,
        store: &mut MetaStore,
        path: &[Name],
        entry: Entry,
    ) -> Result<(), ClientError> {
        let Some((name, parent)) = path.split_last() else {
            let Kind::Directory(new) = entry.kind else {
                return Err(conflict(path, "is the root, and a directory"));
            };
            self.names = overlay(store, &self.names, &new, &mut Vec::new())?;
            return Ok(());
        };
        check_parents(store, &self.names, parent)?;
        let old = lookup(store, &self.names, path)?;
        let mut entry = Entry { name: name.clone(), ..entry };
        match (old.map(|old| old.kind), &entry.kind) {
            (Some(Kind::Directory(old)), Kind::Directory(new)) => {
                let mut way = path.to_vec();
                entry.kind = Kind::Directory(overlay(store, &old, new, &mut way)?);
            }
            (Some(Kind::Directory(_)), _) => {
                return Err(conflict(path, "is a directory; remove it first"));
            }
            _ => {}
        }
        self.names = put(store, &self.names, parent, entry, made())?;
        Ok(())
    }

    /// Removes what is at a path, and the objects at and below it.
    pub(crate) fn remove(
        &mut self,
        store: &mut MetaStore,
        path: &[Name],
    ) -> Result<Entry, ClientError> {
        let name = shown(path);
        let removed = remove(store, &self.names, path)?;
        let removed = removed.ok_or_else(|| ClientError::NotFound { name: name.clone() })?;
        self.names = removed.root;
        self.change_objects(store, &name, None)?;
        Ok(removed.entry)
    }

    /// Moves what is at `source` to `target`, where nothing is, and its objects with it.
    pub(crate) fn rename(
        &mut self,
        store: &mut MetaStore,
        source: &[Name],
        target: &[Name],
    ) -> Result<(), ClientError> {
        check_parents(store, &self.names, target.split_last().map_or(&[], |(_, parent)| parent))?;
        if lookup(store, &self.names, source)?.is_none() {
            return Err(ClientError::NotFound { name: shown(source) });
        }
        if lookup(store, &self.names, target)?.is_some() {
            return Err(conflict(target, "is there already"));
        }
        self.names = rename(store, &self.names, source, target, made())?;
        self.change_objects(store, &shown(source), Some(&shown(target)))
    }

    /// Notes where a new object stands.
    pub(crate) fn add_object(
        &mut self,
        store: &mut MetaStore,
        number: [u8; 16],
        path: &[u8],
    ) -> Result<(), ClientError> {
        let kind = Kind::Symlink(Target::new(path)?);
        let change = Change::Put(Entry { name: object_name(number), meta: root_meta(), kind });
        self.objects = apply(store, &self.objects, &[change])?;
        Ok(())
    }

    /// Moves the notes of objects at or below `source` to `target`, or drops them.
    fn change_objects(
        &mut self,
        store: &mut MetaStore,
        source: &[u8],
        target: Option<&[u8]>,
    ) -> Result<(), ClientError> {
        let mut changes = Vec::new();
        let mut listing = Listing::new(&self.objects);
        while let Some(entry) = listing.next(store)? {
            let Kind::Symlink(path) = &entry.kind else { continue };
            let rest = path.as_bytes().strip_prefix(source);
            let Some(rest) = rest.filter(|rest| rest.is_empty() || rest.starts_with(b"/")) else {
                continue;
            };
            changes.push(match target.map(|target| Target::new([target, rest].concat())) {
                Some(Ok(path)) => Change::Put(Entry { kind: Kind::Symlink(path), ..entry }),
                Some(Err(_)) | None => Change::Remove(entry.name),
            });
        }
        for changes in changes.chunks(CHANGES_AT_ONCE) {
            self.objects = apply(store, &self.objects, changes)?;
        }
        Ok(())
    }
}

/// Changes the newest state of a volume and publishes it; begins anew if somebody else was
/// faster. Gives what `edit` gave, and the state before.
///
/// # Errors
/// [`ClientError::Overtaken`], what `edit` says, what publishing says.
pub(crate) fn publish<T>(
    store: &mut MetaStore,
    handle: &Handle,
    mut edit: impl FnMut(&mut MetaStore, &mut Space) -> Result<T, ClientError>,
) -> Result<(T, Published), ClientError> {
    let volume = Arc::clone(&store.volume);
    let core = Arc::clone(&store.core);
    let _turn = handle.block_on(volume.turns.take());
    let mut perhaps = None;
    for _ in 0..HEAD_TRIES {
        let base = handle.block_on(volume.read_head(&core.courier))?;
        let mut space = Space::load(store, &base.tree)?;
        let out = match (edit(store, &mut space), perhaps.take()) {
            (Ok(out), _) => out,
            // What is removed or moved already cannot be once more: it was done.
            (Err(ClientError::NotFound { .. }), Some(done)) => return Ok(done),
            (Err(error), _) => return Err(error),
        };
        let tree = space.save(store, &base.tree)?;
        store.flush()?;
        match handle.block_on(volume.write_head(&core.courier, &base, tree))? {
            Written::Yes => return Ok((out, base)),
            Written::Perhaps => perhaps = Some((out, base)),
            Written::No => {}
        }
        tracing::info!(contract = %volume.id, "somebody else wrote; redoing on top of that");
    }
    Err(ClientError::Overtaken { contract: volume.id, times: HEAD_TRIES })
}

/// `new` over `old`: names of both, where both have one the new; directories in turn.
fn overlay(
    store: &mut MetaStore,
    old: &Directory,
    new: &Directory,
    way: &mut Vec<Name>,
) -> Result<Directory, ClientError> {
    if old.is_empty() || old == new {
        return Ok(*new);
    }
    let mut merged = *old;
    let mut changes = Vec::new();
    let mut finder = Finder::new(store, old)?;
    let mut listing = Listing::new(new);
    while let Some(mut entry) = listing.next(store)? {
        let before = finder.find(store, &entry.name)?;
        if let Some(Kind::Directory(before)) = before.as_ref().map(|before| &before.kind) {
            way.push(entry.name.clone());
            let Kind::Directory(now) = entry.kind else {
                return Err(conflict(way, "is a directory; remove it first"));
            };
            entry.kind = Kind::Directory(overlay(store, before, &now, way)?);
            way.pop();
        }
        if before.as_ref() != Some(&entry) {
            changes.push(Change::Put(entry));
        }
        if changes.len() >= CHANGES_AT_ONCE {
            merged = apply(store, &merged, &changes)?;
            changes.clear();
        }
    }
    apply(store, &merged, &changes)
}

/// Finds names in ascending order: by reading along, and by a look-up where that is far.
struct Finder<'a> {
    directory: &'a Directory,
    listing: Listing,
    next: Option<Entry>,
}

/// Entries read along before a look-up is cheaper: about two nodes.
const READ_ALONG_MAX: usize = 512;

impl<'a> Finder<'a> {
    fn new(store: &mut MetaStore, directory: &'a Directory) -> Result<Self, ClientError> {
        let mut listing = Listing::new(directory);
        let next = listing.next(store)?;
        Ok(Self { directory, listing, next })
    }

    fn find(&mut self, store: &mut MetaStore, name: &Name) -> Result<Option<Entry>, ClientError> {
        for _ in 0..READ_ALONG_MAX {
            match self.next.as_ref().map(|next| next.name.cmp(name)) {
                Some(Ordering::Less) => self.next = self.listing.next(store)?,
                Some(Ordering::Equal) => return Ok(self.next.clone()),
                Some(Ordering::Greater) | None => return Ok(None),
            }
        }
        let found = lookup_name(store, self.directory, name)?;
        self.listing = Listing::after(store, self.directory, name)?;
        self.next = self.listing.next(store)?;
        Ok(found)
    }
}

fn check_parents(
    store: &mut MetaStore,
    names: &Directory,
    parent: &[Name],
) -> Result<(), ClientError> {
    let mut directory = *names;
    for (depth, name) in parent.iter().enumerate() {
        match lookup_name(store, &directory, name)?.map(|entry| entry.kind) {
            None => return Ok(()),
            Some(Kind::Directory(next)) => directory = next,
            Some(_) => {
                return Err(conflict(parent.get(..=depth).unwrap_or(parent), "is not a directory"));
            }
        }
    }
    Ok(())
}

pub(crate) fn conflict(path: &[Name], reason: &'static str) -> ClientError {
    ClientError::Conflict { path: shown(path), reason }
}

/// A path as people write it.
pub(crate) fn shown(path: &[Name]) -> Vec<u8> {
    [b"/".as_slice(), &join(path)].concat()
}

fn object_name(number: [u8; 16]) -> Name {
    Name::new(PackId(number).to_string()).expect("hexadecimal digits are a name")
}

fn fixed(name: &[u8]) -> Name {
    Name::new(name).expect("a word is a name")
}

/// Of directories that are made on the way.
pub(crate) fn made() -> Meta {
    let ns = i64::try_from(now().0.saturating_mul(1_000_000)).unwrap_or(i64::MAX);
    Meta::new(0o755, ns)
}

/// Of entries that nobody sees: always the same, so that nothing changes by itself.
const fn root_meta() -> Meta {
    Meta::new(0, 0)
}
