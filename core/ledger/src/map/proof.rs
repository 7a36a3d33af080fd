//! Proof that a key has a value, or none, under a root.

use acre_codec::{Blob, List};
use acre_crypto::digest;
use acre_types::Digest;
use borsh::{BorshDeserialize, BorshSerialize};

use super::{EMPTY, Link, Map, Path, inner_digest, leaf_digest};
use crate::error::ProofError;
use crate::limits::{DEPTH_MAX, PROOF_BYTES_MAX, VALUE_BYTES_MAX};

/// What stands where the key's path ends.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
enum End {
    /// The key, with this value.
    Present(Blob<VALUE_BYTES_MAX>),
    /// Nothing: the key is absent.
    Empty,
    /// The only leaf of this subtree, and it is another one: the key is absent.
    Other { path: [u8; 32], value: Digest },
}

/// What one key holds under a root: a value, or nothing. Checked by [`Proof::verify`] alone,
/// without any state.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Proof {
    /// Digests of the subtrees not taken, from the root down.
    siblings: List<Digest, DEPTH_MAX>,
    end: End,
}

impl Proof {
    /// From a stranger's bytes.
    ///
    /// # Errors
    /// More than [`PROOF_BYTES_MAX`] bytes, or not canonical ones.
    pub fn decode(bytes: &[u8]) -> Result<Self, acre_codec::CodecError> {
        acre_codec::decode_bounded(bytes, PROOF_BYTES_MAX)
    }

    /// The canonical bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        acre_codec::encode(self)
    }

    /// The value at `key` in the map whose root this is, or `None` if there is none: proven, for
    /// at most 257 hashes of small inputs.
    ///
    /// # Errors
    /// The proof is for another root or key.
    pub fn verify(&self, root: &Digest, key: &[u8]) -> Result<Option<&[u8]>, ProofError> {
        let path = Path::of(key);
        let (mut node, value) = match &self.end {
            End::Present(value) => (leaf_digest(&path, &digest(value)), Some(&**value)),
            End::Empty => (EMPTY, None),
            End::Other { path: other, value } => {
                let other = Path(*other);
                if other == path || !other.shares(&path, self.siblings.len()) {
                    return Err(ProofError::WrongLeaf);
                }
                (leaf_digest(&other, value), None)
            }
        };
        for (depth, sibling) in self.siblings.iter().enumerate().rev() {
            node = if path.turns_right(depth) {
                inner_digest(sibling, &node)
            } else {
                inner_digest(&node, sibling)
            };
        }
        if node == *root { Ok(value) } else { Err(ProofError::WrongRoot { root: *root }) }
    }
}

impl Map {
    /// Proves what `key` holds, present or absent.
    #[must_use]
    pub fn prove(&self, key: &[u8]) -> Proof {
        let path = Path::of(key);
        let mut siblings = Vec::new();
        let mut link = &self.root;
        while let Link::Inner(inner) = link {
            let (taken, other) = if path.turns_right(siblings.len()) {
                (&inner.right, &inner.left)
            } else {
                (&inner.left, &inner.right)
            };
            siblings.push(other.digest());
            link = taken;
        }
        let end = match link {
            Link::Leaf(leaf) if leaf.path == path => End::Present(
                Blob::new(leaf.value.to_vec()).expect("larger values are refused on the way in"),
            ),
            Link::Leaf(leaf) => End::Other { path: leaf.path.0, value: digest(&leaf.value) },
            Link::Empty | Link::Inner(_) => End::Empty,
        };
        Proof { siblings: List::new(siblings).expect("no tree is deeper than its paths"), end }
    }
}
