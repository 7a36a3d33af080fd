//! A directory as a whole: its reference, building it from a sorted stream, finding a name in it.

use std::io;

use acre_codec::{Decode, Encode};

use super::node::{self, Child, Item, NodeBuffer};
use super::{Entry, MetaRef, Name, Nodes, Totals};
use crate::StoreError;
use crate::limits::{LEVELS_MAX, NODE_BYTES_FULL};

/// A reference to the entries of a directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode)]
pub struct Directory {
    /// Levels of inner nodes above the leaves.
    pub(super) levels: u8,
    /// The topmost node; none if there is no entry.
    pub(super) root: Option<MetaRef>,
    pub(super) totals: Totals,
}

impl Directory {
    /// One without entries.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// Whether it has no entries.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.root.is_none()
    }

    /// Sums over everything below.
    #[must_use]
    pub const fn totals(&self) -> Totals {
        self.totals
    }

    /// The topmost node, for fetching ahead.
    #[must_use]
    pub const fn root(&self) -> Option<MetaRef> {
        self.root
    }

    /// Of the nodes of one level, which are all there are: puts inner levels over them until one
    /// is left.
    pub(super) fn over<N: Nodes>(
        nodes: &mut N,
        mut levels: u8,
        mut children: Vec<Child>,
    ) -> Result<Self, N::Error> {
        while children.len() > 1 {
            children = node::save(nodes, &children)?;
            levels = levels.saturating_add(1);
        }
        let Some(top) = children.pop() else { return Ok(Self::empty()) };
        Ok(Self { levels, root: Some(top.node), totals: top.totals })
    }
}

impl Decode for Directory {
    fn deserialize_reader<R: io::Read>(reader: &mut R) -> io::Result<Self> {
        let levels = u8::deserialize_reader(reader)?;
        let root = Option::<MetaRef>::deserialize_reader(reader)?;
        let totals = Totals::deserialize_reader(reader)?;
        if levels > LEVELS_MAX || (root.is_none() && levels > 0) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "impossible directory"));
        }
        Ok(Self { levels, root, totals })
    }
}

/// Builds a directory from entries in ascending order of name. Holds one node a level, however
/// many entries there are.
pub struct DirectoryBuilder {
    levels: Vec<NodeBuffer>,
    last: Option<Name>,
}

impl Default for DirectoryBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl DirectoryBuilder {
    /// Starts without entries.
    #[must_use]
    pub fn new() -> Self {
        Self { levels: vec![NodeBuffer::new()], last: None }
    }

    /// Appends an entry.
    ///
    /// # Errors
    /// [`StoreError::BadName`] for a name not above the one before; what `nodes` says.
    pub fn push<N: Nodes>(&mut self, nodes: &mut N, entry: &Entry) -> Result<(), N::Error> {
        if self.last.as_ref().is_some_and(|last| *last >= entry.name) {
            return Err(node::out_of_order(&entry.name).into());
        }
        self.last = Some(entry.name.clone());
        let mut carried = self.push_at(nodes, 0, entry)?;
        let mut level = 1;
        while let Some(child) = carried {
            carried = self.push_at(nodes, level, &child)?;
            level = level.saturating_add(1);
        }
        Ok(())
    }

    /// Appends at a level; returns the node that had to make room.
    fn push_at<T: Item, N: Nodes>(
        &mut self,
        nodes: &mut N,
        level: usize,
        item: &T,
    ) -> Result<Option<Child>, N::Error> {
        if level == self.levels.len() {
            self.levels.push(NodeBuffer::new());
        }
        let Some(buffer) = self.levels.get_mut(level) else { return Ok(None) };
        let encoded = acre_codec::encode(item);
        let full = !buffer.fits(&encoded, NODE_BYTES_FULL);
        let flushed = if full { buffer.flush(nodes)? } else { None };
        buffer.push(item, &encoded);
        Ok(flushed)
    }

    /// Saves what is left and gives the directory.
    ///
    /// # Errors
    /// What `nodes` says.
    pub fn finish<N: Nodes>(mut self, nodes: &mut N) -> Result<Directory, N::Error> {
        let mut level = 0;
        loop {
            let Some(buffer) = self.levels.get_mut(level) else { return Ok(Directory::empty()) };
            let Some(mut child) = buffer.flush(nodes)? else { return Ok(Directory::empty()) };
            level = level.saturating_add(1);
            if level == self.levels.len() {
                let levels = u8::try_from(level.saturating_sub(1)).unwrap_or(u8::MAX);
                if levels > LEVELS_MAX {
                    let (value, limit) = (u64::from(levels), u64::from(LEVELS_MAX));
                    return Err(StoreError::PastLimit { what: "levels", value, limit }.into());
                }
                return Ok(Directory { levels, root: Some(child.node), totals: child.totals });
            }
            let mut at = level;
            while let Some(carried) = self.push_at(nodes, at, &child)? {
                child = carried;
                at = at.saturating_add(1);
            }
        }
    }
}

/// The entry of this name in a directory.
///
/// # Errors
/// [`StoreError::BadNode`]; what `nodes` says.
pub fn lookup_name<N: Nodes>(
    nodes: &mut N,
    directory: &Directory,
    name: &Name,
) -> Result<Option<Entry>, N::Error> {
    let Some(mut at) = directory.root else { return Ok(None) };
    for _ in 0..directory.levels {
        let children: Vec<Child> = node::load(nodes, at)?;
        let after = children.partition_point(|child| child.first <= *name);
        let Some(child) = after.checked_sub(1).and_then(|index| children.get(index)) else {
            return Ok(None);
        };
        at = child.node;
    }
    let mut entries: Vec<Entry> = node::load(nodes, at)?;
    let found = entries.binary_search_by(|entry| entry.name.cmp(name));
    Ok(found.ok().map(|index| entries.swap_remove(index)))
}
