//! Changing a directory by copying what changes.

use super::node::{self, Child, Item};
use super::{Directory, Entry, MetaRef, Name, Nodes};
use crate::limits::NODE_BYTES_LOW;

/// What shall become of one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It shall stand for this, whatever it was.
    Put(Entry),
    /// It shall be gone, if it is there.
    Remove(Name),
}

impl Change {
    /// The name it is about.
    #[must_use]
    pub const fn name(&self) -> &Name {
        match self {
            Self::Put(entry) => &entry.name,
            Self::Remove(name) => name,
        }
    }
}

/// The directory with all these changes, ascending by name and each name once. Only nodes that
/// change are read and saved.
///
/// # Errors
/// [`BadName`](crate::StoreError::BadName) for changes out of order; what `nodes` says.
pub fn apply<N: Nodes>(
    nodes: &mut N,
    directory: &Directory,
    changes: &[Change],
) -> Result<Directory, N::Error> {
    let disorder = changes.windows(2).find_map(|pair| match pair {
        [first, second] if first.name() >= second.name() => Some(second),
        _ => None,
    });
    if let Some(change) = disorder {
        return Err(node::out_of_order(change.name()).into());
    }
    if changes.is_empty() {
        return Ok(*directory);
    }
    let children = match directory.root {
        Some(root) => edit(nodes, directory.levels, root, changes)?,
        None => node::save(nodes, &merged(Vec::new(), changes))?,
    };
    let mut changed = Directory::over(nodes, directory.levels, children)?;
    // Removing may leave a tall tree over a single node.
    while changed.levels > 0
        && let Some(root) = changed.root
    {
        let children: Vec<Child> = node::load(nodes, root)?;
        let [only] = children.as_slice() else { break };
        changed.root = Some(only.node);
        changed.levels = changed.levels.saturating_sub(1);
    }
    Ok(changed)
}

/// The nodes that take the place of the node `at`, on the same level.
fn edit<N: Nodes>(
    nodes: &mut N,
    level: u8,
    at: MetaRef,
    mut changes: &[Change],
) -> Result<Vec<Child>, N::Error> {
    let Some(below) = level.checked_sub(1) else {
        let entries = merged(node::load(nodes, at)?, changes);
        return node::save(nodes, &entries);
    };
    let children: Vec<Child> = node::load(nodes, at)?;
    let mut edited: Vec<Child> = Vec::with_capacity(children.len());
    let mut rest = children.into_iter().peekable();
    while let Some(child) = rest.next() {
        let count = rest.peek().map_or(changes.len(), |next| {
            changes.partition_point(|change| *change.name() < next.first)
        });
        let (mine, others) = changes.split_at(count);
        changes = others;
        if mine.is_empty() {
            edited.push(child);
        } else {
            edited.extend(edit(nodes, below, child.node, mine)?);
        }
    }
    if below == 0 {
        join_low::<Entry, N>(nodes, &mut edited)?;
    } else {
        join_low::<Child, N>(nodes, &mut edited)?;
    }
    node::save(nodes, &edited)
}

/// Joins nodes that became short with a neighbour.
fn join_low<T: Item, N: Nodes>(nodes: &mut N, children: &mut Vec<Child>) -> Result<(), N::Error> {
    let is_low = |child: &Child| {
        usize::try_from(child.node.chunk.plain).is_ok_and(|bytes| bytes < NODE_BYTES_LOW)
    };
    let mut index = 0_usize;
    while children.len() > 1 && index < children.len() {
        if !children.get(index).is_some_and(is_low) {
            index = index.saturating_add(1);
            continue;
        }
        let first = index.min(children.len().saturating_sub(2));
        let pair = first..first.saturating_add(2);
        let mut items: Vec<T> = Vec::new();
        for child in children.get(pair.clone()).unwrap_or_default() {
            items.extend(node::load::<T, N>(nodes, child.node)?);
        }
        let joined = node::save(nodes, &items)?;
        let is_done = joined.len() > 1;
        children.splice(pair, joined);
        index = if is_done { first.saturating_add(2) } else { first };
    }
    Ok(())
}

/// Entries with changes merged in; both ascending.
fn merged(entries: Vec<Entry>, changes: &[Change]) -> Vec<Entry> {
    let mut out = Vec::with_capacity(entries.len().saturating_add(changes.len()));
    let mut entries = entries.into_iter().peekable();
    for change in changes {
        while let Some(entry) = entries.next_if(|entry| entry.name < *change.name()) {
            out.push(entry);
        }
        entries.next_if(|entry| entry.name == *change.name());
        if let Change::Put(entry) = change {
            out.push(entry.clone());
        }
    }
    out.extend(entries);
    out
}
