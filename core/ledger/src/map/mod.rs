//! The authenticated map: key bytes to value bytes, with one digest over all of it.
//!
//! A binary Merkle tree in memory. A key's path is a keyed BLAKE3 of its bytes; bit `d` of it
//! (counted from the highest of the first byte) chooses left (0) or right (1) at depth `d`. A subtree
//! with one leaf *is* that leaf, wherever it stands, and one without leaves is empty, so the tree's shape
//! and root depend on its contents alone, never on the order or history of updates.
//!
//! | node | digest |
//! |---|---|
//! | empty | 32 zero bytes |
//! | leaf | `keyed(LEAF, path ++ digest(value))` |
//! | inner | `keyed(INNER, left ++ right)` |
//!
//! `keyed` is BLAKE3 with a constant key for each use, so that no leaf can pass for an inner node.
//! Nodes are shared between maps by reference count: a clone costs nothing, an update copies the
//! paths it touches. Keys are expected to be hard to choose for a stranger or cheap in bulk: one
//! who grinds keys for a common path prefix makes that one path longer, up to [`DEPTH_MAX`].

mod proof;
#[cfg(test)]
mod tests;
mod update;

use std::sync::Arc;

use acre_crypto::Secret;
use acre_crypto::hash::keyed;
use acre_types::Digest;

use crate::error::StateError;
use crate::limits::{DEPTH_MAX, KEY_BYTES_MAX, VALUE_BYTES_MAX};

pub use proof::Proof;

/// Digest of a map without leaves.
pub const EMPTY: Digest = Digest([0; 32]);

// Not secret: constants that keep the three uses of the hash apart. Exactly 32 bytes each.
static PATH: Secret = Secret::new(*b"acre 2026-11 ledger map key path");
static LEAF: Secret = Secret::new(*b"acre 2026-11 ledger map one leaf");
static INNER: Secret = Secret::new(*b"acre 2026-11 ledger map two kids");

/// Where a key stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Path([u8; 32]);

impl Path {
    fn of(key: &[u8]) -> Self {
        Self(keyed(&PATH, key).0)
    }

    /// Whether the path turns right at `depth`; past the last bit it never does.
    fn turns_right(&self, depth: usize) -> bool {
        self.0.get(depth >> 3).is_some_and(|byte| (byte << (depth & 7)) & 0x80 != 0)
    }

    /// Whether both paths take the same first `depth` turns.
    fn shares(&self, other: &Self, depth: usize) -> bool {
        (0..depth).all(|d| self.turns_right(d) == other.turns_right(d))
    }
}

fn leaf_digest(path: &Path, value: &Digest) -> Digest {
    joined(&LEAF, &path.0, &value.0)
}

fn inner_digest(left: &Digest, right: &Digest) -> Digest {
    joined(&INNER, &left.0, &right.0)
}

fn joined(domain: &Secret, left: &[u8; 32], right: &[u8; 32]) -> Digest {
    let mut bytes = [0; 64];
    let (low, high) = bytes.split_at_mut(32);
    low.copy_from_slice(left);
    high.copy_from_slice(right);
    keyed(domain, &bytes)
}

struct Leaf {
    path: Path,
    digest: Digest,
    key: Box<[u8]>,
    value: Arc<[u8]>,
}

struct Inner {
    digest: Digest,
    left: Link,
    right: Link,
}

#[derive(Clone, Default)]
enum Link {
    #[default]
    Empty,
    Leaf(Arc<Leaf>),
    Inner(Arc<Inner>),
}

impl Link {
    fn digest(&self) -> Digest {
        match self {
            Self::Empty => EMPTY,
            Self::Leaf(leaf) => leaf.digest,
            Self::Inner(inner) => inner.digest,
        }
    }
}

/// The map. Cloning is one reference count; see the [module](self).
#[derive(Clone, Default)]
pub struct Map {
    root: Link,
}

impl std::fmt::Debug for Map {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Map({:?})", self.root())
    }
}

impl Map {
    /// Builds the map of these leaves, in any order; of two with the same key the later counts.
    ///
    /// # Errors
    /// A key or value larger than any that we write.
    pub fn from_leaves<K, V>(leaves: impl IntoIterator<Item = (K, V)>) -> Result<Self, StateError>
    where
        K: Into<Box<[u8]>>,
        V: Into<Arc<[u8]>>,
    {
        let mut batch = Vec::new();
        for (key, value) in leaves {
            let (key, value) = (key.into(), value.into());
            if key.len() > KEY_BYTES_MAX || value.len() > VALUE_BYTES_MAX {
                let (key_bytes, value_bytes) = (key.len(), value.len());
                return Err(StateError::LeafTooLarge { key_bytes, value_bytes });
            }
            batch.push((key, Some(value)));
        }
        Ok(Self::default().update(batch))
    }

    /// The digest of the whole contents.
    #[must_use]
    pub fn root(&self) -> Digest {
        self.root.digest()
    }

    /// Whether there is no leaf.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        matches!(self.root, Link::Empty)
    }

    /// The value at `key`.
    #[must_use]
    pub fn get(&self, key: &[u8]) -> Option<&Arc<[u8]>> {
        let path = Path::of(key);
        let mut link = &self.root;
        for depth in 0..=DEPTH_MAX {
            match link {
                Link::Empty => return None,
                Link::Leaf(leaf) => return (leaf.path == path).then_some(&leaf.value),
                Link::Inner(inner) if path.turns_right(depth) => link = &inner.right,
                Link::Inner(inner) => link = &inner.left,
            }
        }
        None
    }

    /// The map with these keys set, or removed where the value is `None`; of two entries for one
    /// key the later counts. Every touched inner node is hashed once. `self` stays as it is.
    #[must_use]
    pub fn update<K, V>(&self, batch: impl IntoIterator<Item = (K, Option<V>)>) -> Self
    where
        K: Into<Box<[u8]>>,
        V: Into<Arc<[u8]>>,
    {
        let entries = batch.into_iter().map(|(key, value)| (key.into(), value.map(V::into)));
        Self { root: update::apply(&self.root, entries) }
    }

    /// All leaves in the order of their paths, which is the same on every machine.
    #[must_use]
    pub fn iter(&self) -> Iter<'_> {
        Iter { ahead: vec![&self.root] }
    }

    /// The same from this key on, or from where it would stand: O(depth) to begin.
    #[must_use]
    pub fn iter_from(&self, key: &[u8]) -> Iter<'_> {
        let path = Path::of(key);
        let (mut ahead, mut link) = (Vec::new(), &self.root);
        for depth in 0..=DEPTH_MAX {
            match link {
                Link::Inner(inner) if path.turns_right(depth) => link = &inner.right,
                Link::Inner(inner) => {
                    ahead.push(&inner.right);
                    link = &inner.left;
                }
                Link::Leaf(leaf) if leaf.path < path => break,
                Link::Leaf(_) | Link::Empty => {
                    ahead.push(link);
                    break;
                }
            }
        }
        Iter { ahead }
    }
}

impl<'a> IntoIterator for &'a Map {
    type Item = (&'a [u8], &'a Arc<[u8]>);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// All leaves of a map as key and value; see [`Map::iter`].
pub struct Iter<'a> {
    /// Subtrees still to visit, the next one last; at most one a depth.
    ahead: Vec<&'a Link>,
}

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a [u8], &'a Arc<[u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.ahead.pop()? {
                Link::Empty => {}
                Link::Leaf(leaf) => return Some((&leaf.key, &leaf.value)),
                Link::Inner(inner) => {
                    self.ahead.push(&inner.right);
                    self.ahead.push(&inner.left);
                }
            }
        }
    }
}
