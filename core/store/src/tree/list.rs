//! Reading directories and trees lazily: one node a level in memory, whatever the size.

use super::node::{self, Child};
use super::{Directory, Entry, Kind, MetaRef, Name, Nodes};
use crate::StoreError;
use crate::limits::PATH_NAMES_MAX;

/// The entries of a directory, ascending.
pub struct Listing {
    /// Nodes still to be read, the next one last, each with its level.
    pending: Vec<(u8, MetaRef)>,
    entries: std::vec::IntoIter<Entry>,
}

impl Listing {
    /// All entries.
    #[must_use]
    pub fn new(directory: &Directory) -> Self {
        let pending = directory.root.map(|root| (directory.levels, root)).into_iter().collect();
        Self { pending, entries: Vec::new().into_iter() }
    }

    /// The entries above `name`: how a page continues the one before.
    ///
    /// # Errors
    /// [`StoreError::BadNode`]; what `nodes` says.
    pub fn after<N: Nodes>(
        nodes: &mut N,
        directory: &Directory,
        name: &Name,
    ) -> Result<Self, N::Error> {
        let mut listing = Self { pending: Vec::new(), entries: Vec::new().into_iter() };
        let Some(mut at) = directory.root else { return Ok(listing) };
        for level in (0..directory.levels).rev() {
            let children: Vec<Child> = node::load(nodes, at)?;
            let from = children.partition_point(|child| child.first <= *name).saturating_sub(1);
            let mut rest = children.into_iter().skip(from).map(|child| (level, child.node));
            let Some((_, next)) = rest.next() else { return Ok(listing) };
            let mut rest: Vec<_> = rest.collect();
            rest.reverse();
            listing.pending.extend(rest);
            at = next;
        }
        let mut entries: Vec<Entry> = node::load(nodes, at)?;
        let above = entries.partition_point(|entry| entry.name <= *name);
        listing.entries = entries.split_off(above).into_iter();
        Ok(listing)
    }

    /// The next entry.
    ///
    /// # Errors
    /// [`StoreError::BadNode`]; what `nodes` says.
    pub fn next<N: Nodes>(&mut self, nodes: &mut N) -> Result<Option<Entry>, N::Error> {
        loop {
            if let Some(entry) = self.entries.next() {
                return Ok(Some(entry));
            }
            let Some((level, at)) = self.pending.pop() else { return Ok(None) };
            let Some(below) = level.checked_sub(1) else {
                self.entries = node::load::<Entry, N>(nodes, at)?.into_iter();
                continue;
            };
            let children: Vec<Child> = node::load(nodes, at)?;
            self.pending.extend(children.iter().rev().map(|child| (below, child.node)));
        }
    }
}

/// Something met on a [`Walk`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    /// Names from where the walk began, down to this entry.
    pub path: Vec<Name>,
    /// What is there.
    pub entry: Entry,
}

/// Everything below a directory, each directory before what is in it, names ascending.
pub struct Walk {
    path: Vec<Name>,
    open: Vec<Listing>,
}

impl Walk {
    /// Begins at a directory, which itself is not visited.
    #[must_use]
    pub fn new(directory: &Directory) -> Self {
        Self { path: Vec::new(), open: vec![Listing::new(directory)] }
    }

    /// The next entry.
    ///
    /// # Errors
    /// [`StoreError::PastLimit`] for a tree deeper than a path may be; what `nodes` says.
    pub fn next<N: Nodes>(&mut self, nodes: &mut N) -> Result<Option<Visit>, N::Error> {
        while let Some(listing) = self.open.last_mut() {
            let Some(entry) = listing.next(nodes)? else {
                self.open.pop();
                self.path.pop();
                continue;
            };
            let mut path = self.path.clone();
            path.push(entry.name.clone());
            if let Kind::Directory(directory) = &entry.kind {
                if self.open.len() >= PATH_NAMES_MAX {
                    let limit = u64::try_from(PATH_NAMES_MAX).unwrap_or(u64::MAX);
                    let value = limit.saturating_add(1);
                    return Err(
                        StoreError::PastLimit { what: "names of a path", value, limit }.into()
                    );
                }
                self.path.push(entry.name.clone());
                self.open.push(Listing::new(directory));
            }
            return Ok(Some(Visit { path, entry }));
        }
        Ok(None)
    }

    /// Leaves out what is below the directory visited last.
    pub fn skip(&mut self) {
        if self.open.len() > 1 && self.open.last().is_some_and(Listing::is_fresh) {
            self.open.pop();
            self.path.pop();
        }
    }
}

impl Listing {
    /// Whether nothing was read yet.
    fn is_fresh(&self) -> bool {
        self.entries.as_slice().is_empty() && self.pending.len() <= 1
    }
}
