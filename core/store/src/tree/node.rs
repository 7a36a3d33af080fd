//! The nodes of a directory's B-tree.
//!
//! ```text
//! format u8 = 1 | 0 | count u32 | count x Entry    leaf, ascending by name
//! format u8 = 1 | 1 | count u32 | count x Child    inner, ascending by first name
//! ```

use acre_codec::{Decode, Encode, List};

use super::{Entry, MetaRef, Name, Nodes, Totals};
use crate::StoreError;
use crate::limits::{NODE_BYTES_FULL, NODE_BYTES_MAX, NODE_ITEMS_MAX};

const FORMAT: u8 = 1;
/// Format, tag and count.
const HEAD_BYTES: usize = 6;

/// A reference to a node of the level below.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Child {
    /// Name of its first entry.
    pub(super) first: Name,
    pub(super) node: MetaRef,
    pub(super) totals: Totals,
}

/// One node.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum DirectoryNode {
    /// Level 0.
    Leaf(List<Entry, NODE_ITEMS_MAX>),
    /// Any level above.
    Inner(List<Child, NODE_ITEMS_MAX>),
}

/// What nodes consist of, at either kind of level.
pub(super) trait Item: Encode + Decode {
    const TAG: u8;
    fn first(&self) -> &Name;
    fn totals(&self) -> Totals;
    fn items(node: DirectoryNode) -> Option<Vec<Self>>;
}

impl Item for Entry {
    const TAG: u8 = 0;
    fn first(&self) -> &Name {
        &self.name
    }
    fn totals(&self) -> Totals {
        Self::totals(self)
    }
    fn items(node: DirectoryNode) -> Option<Vec<Self>> {
        match node {
            DirectoryNode::Leaf(items) => Some(items.into_vec()),
            DirectoryNode::Inner(_) => None,
        }
    }
}

impl Item for Child {
    const TAG: u8 = 1;
    fn first(&self) -> &Name {
        &self.first
    }
    fn totals(&self) -> Totals {
        self.totals
    }
    fn items(node: DirectoryNode) -> Option<Vec<Self>> {
        match node {
            DirectoryNode::Inner(items) => Some(items.into_vec()),
            DirectoryNode::Leaf(_) => None,
        }
    }
}

/// Decodes a node: not empty, ascending.
///
/// # Errors
/// Bytes that are no node; the reason says why.
pub fn decode_directory_node(bytes: &[u8]) -> Result<DirectoryNode, &'static str> {
    let Some((&FORMAT, body)) = bytes.split_first() else { return Err("its format is unknown") };
    let node = acre_codec::decode_bounded(body, NODE_BYTES_MAX)
        .map_err(|_| "it is not a node of a directory")?;
    let ascending = match &node {
        DirectoryNode::Leaf(entries) => {
            !entries.is_empty() && entries.is_sorted_by(|a, b| a.name < b.name)
        }
        DirectoryNode::Inner(children) => {
            !children.is_empty() && children.is_sorted_by(|a, b| a.first < b.first)
        }
    };
    if ascending { Ok(node) } else { Err("its names do not ascend") }
}

/// Loads the items of a node.
pub(super) fn load<T: Item, N: Nodes>(nodes: &mut N, at: MetaRef) -> Result<Vec<T>, N::Error> {
    let bytes = nodes.load(at)?;
    let node = decode_directory_node(&bytes).map_err(|reason| at.wrong(reason))?;
    Ok(T::items(node).ok_or_else(|| at.wrong("it stands on another level than it should"))?)
}

/// A node being filled.
pub(super) struct NodeBuffer {
    bytes: Vec<u8>,
    count: u32,
    first: Option<Name>,
    totals: Totals,
}

impl NodeBuffer {
    pub(super) const fn new() -> Self {
        Self {
            bytes: Vec::new(),
            count: 0,
            first: None,
            totals: Totals { files: 0, directories: 0, symlinks: 0, bytes: 0 },
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether an item of these encoded bytes still fits below `limit` bytes.
    pub(super) fn fits(&self, item: &[u8], limit: usize) -> bool {
        let bytes = self.bytes.len().saturating_add(item.len());
        let items = usize::try_from(self.count).unwrap_or(usize::MAX);
        self.is_empty() || (bytes <= limit.min(NODE_BYTES_FULL) && items < NODE_ITEMS_MAX)
    }

    /// Appends an item, given with its encoding.
    pub(super) fn push<T: Item>(&mut self, item: &T, encoded: &[u8]) {
        if self.is_empty() {
            self.bytes.clear();
            self.bytes.extend_from_slice(&[FORMAT, T::TAG, 0, 0, 0, 0]);
            self.first = Some(item.first().clone());
        }
        self.bytes.extend_from_slice(encoded);
        self.count = self.count.saturating_add(1);
        self.totals = self.totals.plus(item.totals());
    }

    /// Saves what was pushed and empties the buffer; `None` if nothing was.
    pub(super) fn flush<N: Nodes>(&mut self, nodes: &mut N) -> Result<Option<Child>, N::Error> {
        let Some(first) = self.first.take() else { return Ok(None) };
        if let Some(count) = self.bytes.get_mut(2..HEAD_BYTES) {
            count.copy_from_slice(&self.count.to_le_bytes());
        }
        let totals = std::mem::take(&mut self.totals);
        self.count = 0;
        let node = nodes.save(std::mem::take(&mut self.bytes))?;
        Ok(Some(Child { first, node, totals }))
    }
}

/// Saves items as nodes of about equal length.
pub(super) fn save<T: Item, N: Nodes>(nodes: &mut N, items: &[T]) -> Result<Vec<Child>, N::Error> {
    let encoded: Vec<Vec<u8>> = items.iter().map(acre_codec::encode).collect();
    let bytes: usize = encoded.iter().map(Vec::len).fold(0, usize::saturating_add);
    let count = bytes.div_ceil(NODE_BYTES_FULL.saturating_sub(HEAD_BYTES)).max(1);
    let share = bytes.div_ceil(count).saturating_add(HEAD_BYTES);
    let mut children = Vec::new();
    let mut buffer = NodeBuffer::new();
    for (item, encoded) in items.iter().zip(&encoded) {
        // The item that crosses the even share still belongs to the node it begins in.
        let is_full = buffer.bytes.len() >= share;
        if is_full || !buffer.fits(encoded, NODE_BYTES_FULL) {
            children.extend(buffer.flush(nodes)?);
        }
        buffer.push(item, encoded);
    }
    children.extend(buffer.flush(nodes)?);
    Ok(children)
}

/// The error for an entry out of order.
pub(super) fn out_of_order(name: &Name) -> StoreError {
    StoreError::BadName {
        name: name.as_bytes().to_vec(),
        reason: "entries must come in ascending order, each name once",
    }
}
