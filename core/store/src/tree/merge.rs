//! Three-way merge: what two devices made of one tree, in one tree again, with nothing lost.
//!
//! | ours | theirs | merged |
//! |---|---|---|
//! | as before | changed or removed | theirs |
//! | changed or removed | as before | ours |
//! | the same | the same | that |
//! | directory | directory | merged in turn |
//! | removed | changed | the changed one |
//! | changed | changed otherwise | ours under its name, theirs beside it under another |

use std::cmp::Ordering;

use super::{
    Change, Directory, DirectoryBuilder, Entry, Kind, Listing, Name, Nodes, apply, lookup_name,
};
use crate::StoreError;
use crate::limits::{NAME_BYTES_MAX, PATH_NAMES_MAX};

/// Other names tried for one entry before giving up.
const SUFFIXES_MAX: usize = 1000;

/// An entry that both sides changed, each in its own way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The directory, from the root.
    pub parent: Vec<Name>,
    /// The name, under which ours is kept.
    pub name: Name,
    /// The name under which theirs is kept.
    pub theirs: Name,
}

/// The outcome of a merge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    /// The merged tree.
    pub tree: Directory,
    /// Where both sides were kept.
    pub conflicts: Vec<Conflict>,
}

/// Merges `ours` and `theirs`, both made from `base`. In a conflict theirs gets `suffix` behind its
/// name, and a number if that is taken.
///
/// # Errors
/// [`StoreError::PastLimit`] for trees too deep; what `nodes` says.
pub fn merge<N: Nodes>(
    nodes: &mut N,
    base: &Directory,
    ours: &Directory,
    theirs: &Directory,
    suffix: &[u8],
) -> Result<Merged, N::Error> {
    let mut merger = Merger { nodes, suffix, path: Vec::new(), conflicts: Vec::new() };
    let tree = merger.directory(base, ours, theirs)?;
    Ok(Merged { tree, conflicts: merger.conflicts })
}

struct Merger<'a, N> {
    nodes: &'a mut N,
    suffix: &'a [u8],
    path: Vec<Name>,
    conflicts: Vec<Conflict>,
}

/// A listing whose next entry can be looked at.
struct Side {
    listing: Listing,
    next: Option<Entry>,
}

impl Side {
    fn new<N: Nodes>(nodes: &mut N, directory: &Directory) -> Result<Self, N::Error> {
        let mut listing = Listing::new(directory);
        let next = listing.next(nodes)?;
        Ok(Self { listing, next })
    }

    fn take<N: Nodes>(&mut self, nodes: &mut N, name: &Name) -> Result<Option<Entry>, N::Error> {
        if self.next.as_ref().is_none_or(|entry| entry.name != *name) {
            return Ok(None);
        }
        let next = self.listing.next(nodes)?;
        Ok(std::mem::replace(&mut self.next, next))
    }
}

/// What became of one name.
enum Outcome {
    Gone,
    One(Entry),
    Both { ours: Entry, theirs: Entry },
}

impl<N: Nodes> Merger<'_, N> {
    fn directory(
        &mut self,
        base: &Directory,
        ours: &Directory,
        theirs: &Directory,
    ) -> Result<Directory, N::Error> {
        if ours == theirs || theirs == base {
            return Ok(*ours);
        }
        if ours == base {
            return Ok(*theirs);
        }
        if self.path.len() >= PATH_NAMES_MAX {
            let limit = u64::try_from(PATH_NAMES_MAX).unwrap_or(u64::MAX);
            let value = limit.saturating_add(1);
            return Err(StoreError::PastLimit { what: "names of a path", value, limit }.into());
        }
        let mut base = Side::new(self.nodes, base)?;
        let mut ours = Side::new(self.nodes, ours)?;
        let mut theirs = Side::new(self.nodes, theirs)?;
        let mut builder = DirectoryBuilder::new();
        let mut kept = Vec::new();
        loop {
            let names = [&base.next, &ours.next, &theirs.next];
            let least = names.into_iter().flatten().map(|entry| &entry.name).min().cloned();
            let Some(name) = least else { break };
            let was = base.take(self.nodes, &name)?;
            let one = ours.take(self.nodes, &name)?;
            let two = theirs.take(self.nodes, &name)?;
            match self.entry(was, one, two)? {
                Outcome::Gone => {}
                Outcome::One(entry) => builder.push(self.nodes, &entry)?,
                Outcome::Both { ours, theirs } => {
                    builder.push(self.nodes, &ours)?;
                    kept.push(theirs);
                }
            }
        }
        let mut merged = builder.finish(self.nodes)?;
        for entry in kept {
            merged = self.keep_beside(&merged, entry)?;
        }
        Ok(merged)
    }

    fn entry(
        &mut self,
        base: Option<Entry>,
        ours: Option<Entry>,
        theirs: Option<Entry>,
    ) -> Result<Outcome, N::Error> {
        let one = |entry: Option<Entry>| entry.map_or(Outcome::Gone, Outcome::One);
        if ours == theirs || theirs == base {
            return Ok(one(ours));
        }
        if ours == base {
            return Ok(one(theirs));
        }
        let (ours, theirs) = match (ours, theirs) {
            (Some(ours), Some(theirs)) => (ours, theirs),
            (ours, theirs) => return Ok(one(ours.or(theirs))),
        };
        let (Kind::Directory(left), Kind::Directory(right)) = (&ours.kind, &theirs.kind) else {
            return Ok(Outcome::Both { ours, theirs });
        };
        let was = base.and_then(|entry| match entry.kind {
            Kind::Directory(directory) => Some((directory, entry.meta)),
            _ => None,
        });
        let (below, meta) = was.unwrap_or((Directory::empty(), ours.meta));
        self.path.push(ours.name.clone());
        let merged = self.directory(&below, left, right)?;
        self.path.pop();
        let meta = if ours.meta == meta { theirs.meta } else { ours.meta };
        Ok(Outcome::One(Entry { name: ours.name, meta, kind: Kind::Directory(merged) }))
    }

    /// Adds their entry under a name that is free.
    fn keep_beside(
        &mut self,
        directory: &Directory,
        mut entry: Entry,
    ) -> Result<Directory, N::Error> {
        let name = entry.name.clone();
        for number in 0..SUFFIXES_MAX {
            let mut suffix = self.suffix.to_vec();
            if number > 0 {
                suffix.extend_from_slice(format!(" {number}").as_bytes());
            }
            suffix.truncate(NAME_BYTES_MAX / 2);
            let room = NAME_BYTES_MAX.saturating_sub(suffix.len());
            let mut bytes: Vec<u8> = name.as_bytes().iter().copied().take(room).collect();
            bytes.extend_from_slice(&suffix);
            let other = Name::new(bytes)?;
            let is_other = other.cmp(&name) != Ordering::Equal;
            if is_other && lookup_name(self.nodes, directory, &other)?.is_none() {
                let parent = self.path.clone();
                self.conflicts.push(Conflict { parent, name, theirs: other.clone() });
                entry.name = other;
                return apply(self.nodes, directory, &[Change::Put(entry)]);
            }
        }
        let mut path = self.path.clone();
        path.push(name);
        let reason = "too many versions of it are in conflict";
        Err(StoreError::BadPath { path: super::join(&path), reason }.into())
    }
}
