//! A batch of changes, applied from the root down, hashed from the leaves up.

use std::sync::Arc;

use acre_crypto::digest;

use super::{Inner, Leaf, Link, Path, inner_digest, leaf_digest};

/// A key with its new value, or `None` to remove it.
struct Change {
    path: Path,
    key: Box<[u8]>,
    value: Option<Arc<[u8]>>,
}

/// Recursion is at most [`crate::limits::DEPTH_MAX`] deep: each step takes one bit of a path, and
/// two different paths differ in one of 256.
pub(super) fn apply(
    root: &Link,
    batch: impl Iterator<Item = (Box<[u8]>, Option<Arc<[u8]>>)>,
) -> Link {
    let mut changes: Vec<Change> =
        batch.map(|(key, value)| Change { path: Path::of(&key), key, value }).collect();
    // Stable, so that of equal paths the last in the batch stays last.
    changes.sort_by_key(|change| change.path);
    keep_last_of_each(&mut changes);
    descend(root, 0, &mut changes)
}

fn keep_last_of_each(changes: &mut Vec<Change>) {
    changes.dedup_by(|later, kept| {
        let same = later.path == kept.path;
        if same {
            std::mem::swap(later, kept);
        }
        same
    });
}

/// Splits sorted changes into those that turn left and right at `depth`.
fn split(changes: &mut [Change], depth: usize) -> (&mut [Change], &mut [Change]) {
    let middle = changes.partition_point(|change| !change.path.turns_right(depth));
    changes.split_at_mut(middle)
}

/// The subtree `link`, which stands at `depth`, with `changes` applied. The changes are sorted by
/// path, have each path once, and give up their keys and values.
fn descend(link: &Link, depth: usize, changes: &mut [Change]) -> Link {
    if changes.is_empty() {
        return link.clone();
    }
    match link {
        Link::Empty => build(None, depth, changes),
        Link::Leaf(leaf) => {
            // Kept unless a change says otherwise, so that writing the same value changes nothing.
            let own = changes.iter().find(|change| change.path == leaf.path);
            let is_kept = own.is_none_or(|change| change.value.as_ref() == Some(&leaf.value));
            build(is_kept.then_some(leaf), depth, changes)
        }
        Link::Inner(inner) => {
            let (low, high) = split(changes, depth);
            let next = depth.saturating_add(1);
            let left = descend(&inner.left, next, low);
            let right = descend(&inner.right, next, high);
            if is_same(&left, &inner.left) && is_same(&right, &inner.right) {
                return link.clone();
            }
            join(left, right)
        }
    }
}

/// A subtree at `depth` of the changes that set a value, and of `kept` in place of what they say
/// about its own path.
fn build(kept: Option<&Arc<Leaf>>, depth: usize, changes: &mut [Change]) -> Link {
    match (kept, changes) {
        (None, []) => Link::Empty,
        (Some(leaf), []) => Link::Leaf(Arc::clone(leaf)),
        (None, [only]) => leaf_of(only),
        (Some(leaf), [only]) if only.path == leaf.path || only.value.is_none() => {
            Link::Leaf(Arc::clone(leaf))
        }
        (kept, changes) => {
            let (low, high) = split(changes, depth);
            let next = depth.saturating_add(1);
            let right_keeps = kept.is_some_and(|leaf| leaf.path.turns_right(depth));
            let (left_kept, right_kept) = if right_keeps { (None, kept) } else { (kept, None) };
            let left = build(left_kept, next, low);
            let right = build(right_kept, next, high);
            join(left, right)
        }
    }
}

fn leaf_of(change: &mut Change) -> Link {
    let Some(value) = change.value.take() else { return Link::Empty };
    let key = std::mem::take(&mut change.key);
    let path = change.path;
    Link::Leaf(Arc::new(Leaf { path, digest: leaf_digest(&path, &digest(&value)), key, value }))
}

/// Two subtrees under one node; a single leaf moves up instead.
pub(super) fn join(left: Link, right: Link) -> Link {
    match (left, right) {
        (Link::Empty, Link::Empty) => Link::Empty,
        (Link::Leaf(leaf), Link::Empty) | (Link::Empty, Link::Leaf(leaf)) => Link::Leaf(leaf),
        (left, right) => {
            let digest = inner_digest(&left.digest(), &right.digest());
            Link::Inner(Arc::new(Inner { digest, left, right }))
        }
    }
}

fn is_same(a: &Link, b: &Link) -> bool {
    match (a, b) {
        (Link::Empty, Link::Empty) => true,
        (Link::Leaf(a), Link::Leaf(b)) => Arc::ptr_eq(a, b),
        (Link::Inner(a), Link::Inner(b)) => Arc::ptr_eq(a, b),
        _ => false,
    }
}
