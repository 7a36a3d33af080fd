//! Reading and changing a tree by path. A change gives a new root and leaves the old one as it is.

use super::{Change, Directory, Entry, Kind, Meta, Name, Nodes, apply, lookup_name};
use crate::StoreError;
use crate::limits::PATH_NAMES_MAX;

/// The names of a path given as bytes: apart by slashes, empty ones do not count.
///
/// # Errors
/// [`StoreError::BadName`] also for `.` and `..`; [`StoreError::PastLimit`].
pub fn parse(path: &[u8]) -> Result<Vec<Name>, StoreError> {
    let names: Vec<Name> = path
        .split(|byte| *byte == b'/')
        .filter(|name| !name.is_empty())
        .take(PATH_NAMES_MAX.saturating_add(1))
        .map(Name::new)
        .collect::<Result<_, _>>()?;
    check_depth(&names)?;
    Ok(names)
}

/// The path as bytes, names joined by slashes.
#[must_use]
pub fn join(path: &[Name]) -> Vec<u8> {
    let names: Vec<&[u8]> = path.iter().map(Name::as_bytes).collect();
    names.join(&b'/')
}

fn check_depth(path: &[Name]) -> Result<(), StoreError> {
    if path.len() <= PATH_NAMES_MAX {
        return Ok(());
    }
    let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let (value, limit) = (number(path.len()), number(PATH_NAMES_MAX));
    Err(StoreError::PastLimit { what: "names of a path", value, limit })
}

fn wrong(path: &[Name], reason: &'static str) -> StoreError {
    StoreError::BadPath { path: join(path), reason }
}

/// The entry at a path; `None` if there is none, or if something above it is no directory. The
/// empty path is the root, which has no entry.
///
/// # Errors
/// What `nodes` says.
pub fn lookup<N: Nodes>(
    nodes: &mut N,
    root: &Directory,
    path: &[Name],
) -> Result<Option<Entry>, N::Error> {
    let Some((last, above)) = path.split_last() else { return Ok(None) };
    let mut directory = *root;
    for name in above {
        match lookup_name(nodes, &directory, name)?.map(|entry| entry.kind) {
            Some(Kind::Directory(next)) => directory = next,
            _ => return Ok(None),
        }
    }
    lookup_name(nodes, &directory, last)
}

/// What to do about missing directories on the way.
#[derive(Clone, Copy)]
enum Missing {
    Make(Meta),
    Stop,
}

/// The directories along a path, from the root: each with the entry that stands for it in the one
/// above.
type Way = Vec<(Directory, Option<Entry>)>;

/// Goes down a path. `None` if a directory is missing and none shall be made.
fn descend<N: Nodes>(
    nodes: &mut N,
    root: &Directory,
    path: &[Name],
    missing: Missing,
) -> Result<Option<Way>, N::Error> {
    check_depth(path)?;
    let mut way = vec![(*root, None)];
    let mut directory = *root;
    for (index, name) in path.iter().enumerate() {
        let entry = match (lookup_name(nodes, &directory, name)?, missing) {
            (Some(entry), _) => entry,
            (None, Missing::Stop) => return Ok(None),
            (None, Missing::Make(meta)) => {
                Entry { name: name.clone(), meta, kind: Kind::Directory(Directory::empty()) }
            }
        };
        let Kind::Directory(next) = entry.kind else {
            let here = path.get(..=index).unwrap_or(path);
            return Err(wrong(here, "is not a directory").into());
        };
        directory = next;
        way.push((directory, Some(entry)));
    }
    Ok(Some(way))
}

/// Applies a change to the last directory of a way and renews all above it.
fn ascend<N: Nodes>(nodes: &mut N, way: Way, mut change: Change) -> Result<Directory, N::Error> {
    let mut changed = Directory::empty();
    for (directory, entry) in way.into_iter().rev() {
        changed = apply(nodes, &directory, std::slice::from_ref(&change))?;
        let Some(mut entry) = entry else { break };
        entry.kind = Kind::Directory(changed);
        change = Change::Put(entry);
    }
    Ok(changed)
}

/// Puts `entry` into the directory at `parent`, in place of what has its name there. Missing
/// directories are made with `made`.
///
/// # Errors
/// [`StoreError::BadPath`] if something above is no directory; what `nodes` says.
pub fn put<N: Nodes>(
    nodes: &mut N,
    root: &Directory,
    parent: &[Name],
    entry: Entry,
    made: Meta,
) -> Result<Directory, N::Error> {
    match descend(nodes, root, parent, Missing::Make(made))? {
        Some(way) => ascend(nodes, way, Change::Put(entry)),
        None => Ok(*root),
    }
}

/// Makes sure that there are directories all along a path.
///
/// # Errors
/// As [`put`].
pub fn make_directory<N: Nodes>(
    nodes: &mut N,
    root: &Directory,
    path: &[Name],
    made: Meta,
) -> Result<Directory, N::Error> {
    let Some((name, parent)) = path.split_last() else { return Ok(*root) };
    match lookup(nodes, root, path)? {
        Some(Entry { kind: Kind::Directory(_), .. }) => Ok(*root),
        Some(_) => Err(wrong(path, "is not a directory").into()),
        None => {
            let kind = Kind::Directory(Directory::empty());
            put(nodes, root, parent, Entry { name: name.clone(), meta: made, kind }, made)
        }
    }
}

/// A tree without an entry, and that entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    /// The new root.
    pub root: Directory,
    /// What was removed, with everything below it.
    pub entry: Entry,
}

/// Removes the entry at a path and all below it; `None` if there is none.
///
/// # Errors
/// [`StoreError::BadPath`] if something above is no directory; what `nodes` says.
pub fn remove<N: Nodes>(
    nodes: &mut N,
    root: &Directory,
    path: &[Name],
) -> Result<Option<Removed>, N::Error> {
    let Some((name, parent)) = path.split_last() else { return Ok(None) };
    let Some(way) = descend(nodes, root, parent, Missing::Stop)? else { return Ok(None) };
    let Some((directory, _)) = way.last() else { return Ok(None) };
    let Some(entry) = lookup_name(nodes, directory, name)? else { return Ok(None) };
    let root = ascend(nodes, way, Change::Remove(name.clone()))?;
    Ok(Some(Removed { root, entry }))
}

/// Moves the entry at `source` to `target`, in place of what is there. Missing directories above
/// `target` are made with `made`.
///
/// # Errors
/// [`StoreError::BadPath`] if there is nothing at `source`, if `target` lies within it, or if
/// something above `target` is no directory; what `nodes` says.
pub fn rename<N: Nodes>(
    nodes: &mut N,
    root: &Directory,
    source: &[Name],
    target: &[Name],
    made: Meta,
) -> Result<Directory, N::Error> {
    if source == target {
        return match lookup(nodes, root, source)? {
            Some(_) => Ok(*root),
            None => Err(wrong(source, "is not there").into()),
        };
    }
    if target.starts_with(source) {
        return Err(wrong(target, "lies within what is to be moved").into());
    }
    if source.starts_with(target) {
        return Err(wrong(target, "contains what is to be moved").into());
    }
    let Some((name, parent)) = target.split_last() else {
        return Err(wrong(target, "is the root").into());
    };
    let Some(Removed { root, mut entry }) = remove(nodes, root, source)? else {
        return Err(wrong(source, "is not there").into());
    };
    entry.name = name.clone();
    put(nodes, &root, parent, entry, made)
}
