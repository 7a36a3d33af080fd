//! Leaves and paths of BLAKE3's own tree.
//!
//! The root of a shard or a region is its plain BLAKE3 hash. That hash is the root of a binary tree
//! over chunks of 1 KiB, so that a chunk and the chaining values beside the way up prove a part of
//! the data against the hash alone, without any format of ours. Source: the BLAKE3 paper, section
//! 2.1 (tree) and 2.4 (chaining values); `blake3::hazmat` computes both.
//!
//! A region (a power of two of at least 32 KiB) has a stored part of its tree, the *outboard*: the
//! values of its groups of 16 leaves, then of each level above, without the root. Layout: 32 bytes
//! each, level by level, left to right.

use acre_codec::List;
use acre_types::Digest;
use blake3::hazmat::{HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root};

use crate::CapacityError;
use crate::limits::{GROUP, GROUP_BYTES, GROUP_LEAVES, LEAF, LEAF_BYTES, TREE_DEPTH_MAX};

/// The chaining values beside the way from a leaf up to the root, the leaf's own neighbour first.
pub type Path = List<Digest, TREE_DEPTH_MAX>;

/// Leaves of data of `bytes`; even no bytes are one leaf.
#[must_use]
pub fn leaves(bytes: u64) -> u64 {
    bytes.div_ceil(LEAF.get()).max(1)
}

/// Bytes of leaf `leaf` of data of `bytes`.
#[must_use]
pub fn leaf_bytes(bytes: u64, leaf: u64) -> usize {
    let rest = bytes.saturating_sub(leaf.saturating_mul(LEAF.get()));
    usize::try_from(rest.min(LEAF.get())).unwrap_or(LEAF_BYTES)
}

/// Leaves of the left side of a subtree of `count` > 1 leaves: the largest power of two below it.
fn left_leaves(count: u64) -> u64 {
    count.next_power_of_two() >> 1
}

/// Which side of its parent a subtree is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

/// The way down to a leaf: at each parent the side that is gone to, with the first leaf and the
/// count of leaves of the *other* side. Root first.
fn way(count: u64, leaf: u64) -> Vec<(Side, u64, u64)> {
    let mut way = Vec::with_capacity(TREE_DEPTH_MAX);
    let (mut first, mut count) = (0_u64, count);
    while count > 1 {
        let left = left_leaves(count);
        let middle = first.saturating_add(left);
        let right = count.saturating_sub(left);
        if leaf < middle {
            way.push((Side::Left, middle, right));
            count = left;
        } else {
            way.push((Side::Right, first, left));
            (first, count) = (middle, right);
        }
    }
    way
}

/// The chaining value of a subtree that is not the root.
fn value(first_leaf: u64, bytes: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.set_input_offset(first_leaf.saturating_mul(LEAF.get()));
    hasher.update(bytes);
    hasher.finalize_non_root()
}

fn range(bytes: &[u8], first_leaf: u64, count: u64) -> Option<&[u8]> {
    let at = |leaf: u64| usize::try_from(leaf.checked_mul(LEAF.get())?).ok();
    let (from, to) = (at(first_leaf)?, at(first_leaf.checked_add(count)?)?);
    bytes.get(from..to.min(bytes.len()))
}

/// The path of a leaf of `bytes`, all of which is hashed once. `None` if there is no such leaf.
#[must_use]
pub fn path(bytes: &[u8], leaf: u64) -> Option<Path> {
    let count = leaves(u64::try_from(bytes.len()).ok()?);
    if leaf >= count {
        return None;
    }
    let mut path = Vec::new();
    for (_, first, count) in way(count, leaf).into_iter().rev() {
        path.push(Digest(value(first, range(bytes, first, count)?)));
    }
    Path::new(path).ok()
}

/// Checks that `content` is leaf `leaf` of the `bytes` bytes whose BLAKE3 hash is `root`.
///
/// # Errors
/// [`CapacityError::Malformed`] if the leaf or the path has another length than follows from
/// `bytes`, [`CapacityError::NotInTree`] if they lead to another root.
pub fn verify(
    root: &Digest,
    bytes: u64,
    leaf: u64,
    content: &[u8],
    path: &[Digest],
) -> Result<(), CapacityError> {
    let count = leaves(bytes);
    if leaf >= count || content.len() != leaf_bytes(bytes, leaf) {
        return Err(CapacityError::Malformed { reason: "a leaf of another length" });
    }
    let way = way(count, leaf);
    if way.len() != path.len() {
        return Err(CapacityError::Malformed { reason: "a path of another length" });
    }
    let reached = if way.is_empty() {
        *blake3::hash(content).as_bytes()
    } else {
        let mut reached = value(leaf, content);
        let steps = way.iter().rev().zip(path).enumerate();
        for (level, ((side, ..), beside)) in steps {
            let (left, right) = match side {
                Side::Left => (&reached, &beside.0),
                Side::Right => (&beside.0, &reached),
            };
            reached = if level.saturating_add(1) == way.len() {
                *merge_subtrees_root(left, right, Mode::Hash).as_bytes()
            } else {
                merge_subtrees_non_root(left, right, Mode::Hash)
            };
        }
        reached
    };
    if reached == root.0 { Ok(()) } else { Err(CapacityError::NotInTree { root: *root, leaf }) }
}

/// Bytes of the outboard of a region of `region_bytes`.
#[must_use]
pub fn outboard_bytes(region_bytes: u32) -> u64 {
    let groups = u64::from(region_bytes) / GROUP;
    groups.saturating_mul(2).saturating_sub(2).saturating_mul(32)
}

/// The outboard of a region and its root.
#[must_use]
pub fn outboard(region: &[u8]) -> (Vec<u8>, Digest) {
    let mut level: Vec<[u8; 32]> = (0_u64..)
        .zip(region.chunks(GROUP_BYTES))
        .map(|(group, bytes)| value(group.saturating_mul(GROUP_LEAVES as u64), bytes))
        .collect();
    let mut stored = Vec::with_capacity(level.len().saturating_mul(64));
    while level.len() > 2 {
        stored.extend_from_slice(level.as_flattened());
        level = level
            .chunks_exact(2)
            .filter_map(|pair| Some((pair.first()?, pair.last()?)))
            .map(|(left, right)| merge_subtrees_non_root(left, right, Mode::Hash))
            .collect();
    }
    stored.extend_from_slice(level.as_flattened());
    let root = match level.as_slice() {
        [left, right] => *merge_subtrees_root(left, right, Mode::Hash).as_bytes(),
        _ => *blake3::hash(region).as_bytes(),
    };
    (stored, Digest(root))
}

/// Where the values of a leaf's path above its group stand in the outboard, lowest first.
fn outboard_places(region_bytes: u32, leaf: u64) -> Vec<u64> {
    let mut number = leaf.saturating_mul(LEAF.get()) / GROUP;
    let mut count = u64::from(region_bytes) / GROUP;
    let mut base = 0_u64;
    let mut places = Vec::new();
    while count > 1 {
        places.push(base.saturating_add(number ^ 1).saturating_mul(32));
        base = base.saturating_add(count);
        number >>= 1;
        count >>= 1;
    }
    places
}

/// The path of `leaf` within its group of a region: the four lowest steps, from the group's bytes.
fn group_path(group: &[u8], leaf: u64) -> Option<Vec<Digest>> {
    let group_leaves = GROUP_LEAVES as u64;
    let within = leaf & group_leaves.saturating_sub(1);
    let first = leaf.saturating_sub(within);
    let mut path = Vec::new();
    for (_, start, count) in way(group_leaves, within).into_iter().rev() {
        let bytes = range(group, start, count)?;
        path.push(Digest(value(first.saturating_add(start), bytes)));
    }
    Some(path)
}

/// The path of a leaf of a region: its lower part from the group that holds it, the upper part read
/// from the outboard by `read`, which takes the place of a value.
///
/// # Errors
/// Whatever `read` answers; [`CapacityError::Malformed`] for a group of another length.
pub fn region_path(
    region_bytes: u32,
    leaf: u64,
    group: &[u8],
    mut read: impl FnMut(u64) -> Result<Digest, CapacityError>,
) -> Result<Path, CapacityError> {
    let wrong = CapacityError::Malformed { reason: "a group of another length" };
    let mut path = group_path(group, leaf).ok_or(wrong.clone())?;
    for place in outboard_places(region_bytes, leaf) {
        path.push(read(place)?);
    }
    Path::new(path).map_err(|_| wrong)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn data(bytes: usize) -> Vec<u8> {
        let mut out = vec![0; bytes];
        blake3::Hasher::new().update(&bytes.to_le_bytes()).finalize_xof().fill(&mut out);
        out
    }

    fn leaf_of(data: &[u8], leaf: u64) -> &[u8] {
        let from = leaf as usize * LEAF_BYTES;
        &data[from..(from + LEAF_BYTES).min(data.len())]
    }

    #[test]
    fn each_leaf_of_any_length_is_proven_against_the_plain_hash() {
        for bytes in [0, 1, 1023, 1024, 1025, 2048, 3000, 5 * 1024, 16 * 1024 + 64, 31 * 1024] {
            let data = data(bytes);
            let root = acre_crypto::digest(&data);
            for leaf in 0..leaves(bytes as u64) {
                let path = path(&data, leaf).unwrap();
                let content = leaf_of(&data, leaf);
                assert_eq!(verify(&root, bytes as u64, leaf, content, &path), Ok(()), "{bytes}");
            }
            assert!(path(&data, leaves(bytes as u64)).is_none());
        }
    }

    #[test]
    fn stored_part_of_a_region_gives_the_same_paths() {
        let region = data(8 * GROUP_BYTES);
        let (stored, root) = outboard(&region);
        assert_eq!(root, acre_crypto::digest(&region));
        assert_eq!(stored.len() as u64, outboard_bytes(region.len() as u32));
        for leaf in [0, 1, 15, 16, 37, 64, 127] {
            let group = leaf as usize / 16 * GROUP_BYTES;
            let read = |place| Ok(Digest(stored[place as usize..][..32].try_into().unwrap()));
            let bytes = &region[group..group + GROUP_BYTES];
            let found = region_path(region.len() as u32, leaf, bytes, read).unwrap();
            assert_eq!(found, path(&region, leaf).unwrap(), "leaf {leaf}");
        }
    }

    proptest! {
        #[test]
        fn any_change_is_refused(bytes in 1_usize..9000, leaf in any::<u64>(), flip in any::<u32>()) {
            let data = data(bytes);
            let root = acre_crypto::digest(&data);
            let leaf = leaf % leaves(bytes as u64);
            let path = path(&data, leaf).unwrap().into_vec();
            let mut content = leaf_of(&data, leaf).to_vec();
            let at = flip as usize % content.len();
            content[at] ^= 1;
            prop_assert!(verify(&root, bytes as u64, leaf, &content, &path).is_err());
            content[at] ^= 1;
            if !path.is_empty() {
                let mut other = path.clone();
                other[flip as usize % path.len()].0[flip as usize % 32] ^= 4;
                prop_assert!(verify(&root, bytes as u64, leaf, &content, &other).is_err());
                prop_assert!(verify(&root, bytes as u64, leaf, &content, &path[1..]).is_err());
                prop_assert!(verify(&root, bytes as u64, leaf ^ 1, &content, &path).is_err());
            }
        }
    }
}
