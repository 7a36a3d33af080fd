//! How many losses a set of copies survives.
//!
//! What counts is not the number of copies but of *places that can each stand for a shard of its
//! own*: two shards at one place are lost together, two copies of one shard are worth one. That
//! number is a maximum matching M of shards to places (Kuhn 1955). Losing t places leaves at
//! least M - t distinct shards, so with k needed, M - k losses are survived.

use std::collections::BTreeMap;

use acre_types::{NodeId, ShardIndex};

use super::types::ShardAt;

/// For as many shards as possible a place of their own. Where there is a choice, `prefers` tells
/// the better copy (for instance the one at the shard's primary place).
pub(crate) fn assign(
    copies: &[ShardAt],
    prefers: impl Fn(ShardAt) -> bool,
) -> BTreeMap<ShardIndex, NodeId> {
    let mut by_index: BTreeMap<ShardIndex, Vec<NodeId>> = BTreeMap::new();
    for (index, node) in copies {
        by_index.entry(*index).or_default().push(*node);
    }
    for (index, nodes) in &mut by_index {
        nodes.sort_by_key(|node| (!prefers((*index, *node)), *node));
    }
    let mut taken: BTreeMap<NodeId, ShardIndex> = BTreeMap::new();
    for index in by_index.keys() {
        augment(&by_index, *index, &mut taken, &mut Vec::new());
    }
    taken.into_iter().map(|(node, index)| (index, node)).collect()
}

fn augment(
    by_index: &BTreeMap<ShardIndex, Vec<NodeId>>,
    index: ShardIndex,
    taken: &mut BTreeMap<NodeId, ShardIndex>,
    visited: &mut Vec<NodeId>,
) -> bool {
    for node in by_index.get(&index).map(Vec::as_slice).unwrap_or_default() {
        if visited.contains(node) {
            continue;
        }
        visited.push(*node);
        let holder = taken.get(node).copied();
        if holder.is_none_or(|other| augment(by_index, other, taken, visited)) {
            taken.insert(*node, index);
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use acre_types::Profile;

    #[track_caller]
    fn check(copies: &[(usize, u8)], expected: usize) {
        let copies: Vec<_> = copies
            .iter()
            .map(|(index, node)| (Profile::Ten.shard(*index).unwrap(), NodeId([*node; 32])))
            .collect();
        assert_eq!(assign(&copies, |_| false).len(), expected, "{copies:?}");
    }

    #[test]
    fn counts_shards_with_a_place_of_their_own() {
        check(&[], 0);
        check(&[(0, 1), (1, 2), (2, 3)], 3);
        // Two copies of one shard are worth one; two shards at one place too.
        check(&[(0, 1), (0, 2)], 1);
        check(&[(0, 1), (1, 1)], 1);
        // Shard 0 must stand at place 2 for shard 1 to have place 1.
        check(&[(0, 1), (0, 2), (1, 1)], 2);
        check(&[(0, 1), (0, 2), (1, 1), (1, 3), (2, 1)], 3);
    }

    #[test]
    fn prefers_the_primary_among_copies() {
        let index = Profile::Ten.shard(0).unwrap();
        let (first, second) = (NodeId([1; 32]), NodeId([2; 32]));
        let copies = [(index, first), (index, second)];
        assert_eq!(assign(&copies, |copy| copy.1 == second)[&index], second);
        assert_eq!(assign(&copies, |copy| copy.1 == first)[&index], first);
    }
}
