//! Who witnesses whom in an epoch: a function of its seed and the number of its nodes, without any
//! state, in time that does not grow with the grid.
//!
//! A keyed permutation puts the nodes, by registration index, on a ring in an order that the seed
//! decides. The j-th witness of a node is the one `d(j)` places further on, where the offsets
//! `d(0) … d(k-1)` are distinct, not zero, and drawn from the seed too. So each node has exactly k
//! witnesses and is witness of exactly k nodes, all different and none itself, and for each j "the
//! j-th witness of" is a bijection. In a grid of n nodes there are at most n - 1 witnesses.
//!
//! The permutation is a Feistel network of [`ROUNDS`] rounds over the least even number of bits
//! (8 or more) that hold all indexes, with keyed BLAKE3 as its round function; a result that is no
//! index is permuted again until it is one ("cycle walking"), which takes fewer than four steps on
//! average for more than 64 nodes. Both directions cost the same.

use std::collections::BTreeMap;

use acre_crypto::hash::keyed;
use acre_crypto::{Hasher, Secret};
use acre_types::Digest;

use crate::limits::{WITNESS_STORAGE_ENOUGH, WITNESS_STORAGE_SHARE, WITNESSES_MAX};
use crate::object::{Independence, Node, NodeState};

/// Rounds of the network: four make it a strong permutation in theory (Luby and Rackoff), eight
/// leave a margin for its short halves.
const ROUNDS: u8 = 8;
/// Least bits of half a value, so that small grids are mixed well too.
const HALF_BITS_MIN: u32 = 4;

/// A permutation of the numbers below `size`.
struct Permutation {
    key: Secret,
    size: u32,
    half_bits: u32,
}

impl Permutation {
    fn new(seed: &Digest, size: u32) -> Self {
        let key = Hasher::new("acre 2026-11 witness permutation").update(&seed.0).finish();
        let bits = u32::BITS.saturating_sub(size.saturating_sub(1).leading_zeros());
        let half_bits = bits.div_ceil(2).max(HALF_BITS_MIN);
        Self { key: Secret::new(key.0), size, half_bits }
    }

    fn mask(&self) -> u64 {
        (1_u64 << self.half_bits).saturating_sub(1)
    }

    fn round(&self, round: u8, half: u64) -> u64 {
        let [a, b, c, d, e, f, g, h] = half.to_le_bytes();
        let digest = keyed(&self.key, &[round, a, b, c, d, e, f, g, h]);
        first_u64(&digest) & self.mask()
    }

    fn forth(&self, value: u64) -> u64 {
        let (mut left, mut right) = (value >> self.half_bits, value & self.mask());
        for round in 0..ROUNDS {
            (left, right) = (right, left ^ self.round(round, right));
        }
        (left << self.half_bits) | right
    }

    fn back(&self, value: u64) -> u64 {
        let (mut left, mut right) = (value >> self.half_bits, value & self.mask());
        for round in (0..ROUNDS).rev() {
            (left, right) = (right ^ self.round(round, left), left);
        }
        (left << self.half_bits) | right
    }

    /// Where `index`, which is below `size`, stands on the ring. The walk ends: it follows a cycle
    /// of the network that `index` itself is on.
    fn place_of(&self, index: u32) -> u32 {
        walk(index, self.size, |value| self.forth(value))
    }

    /// Which index stands at `place`, which is below `size`.
    fn index_at(&self, place: u32) -> u32 {
        walk(place, self.size, |value| self.back(value))
    }
}

fn walk(start: u32, size: u32, step: impl Fn(u64) -> u64) -> u32 {
    let mut value = step(start.into());
    loop {
        match u32::try_from(value) {
            Ok(found) if found < size => return found,
            _ => value = step(value),
        }
    }
}

fn first_u64(digest: &Digest) -> u64 {
    let mut bytes = [0; 8];
    bytes.iter_mut().zip(digest.0).for_each(|(to, from)| *to = from);
    u64::from_le_bytes(bytes)
}

/// Who witnesses whom in one epoch. Making it costs about k hashes; each answer about 20 k.
pub struct Assignment {
    permutation: Permutation,
    /// Distinct, from 1 to below the number of nodes.
    offsets: Vec<u32>,
}

impl Assignment {
    /// For the nodes with registration indexes below `nodes`, with `witnesses` for each.
    #[must_use]
    pub fn new(seed: &Digest, nodes: u32, witnesses: u8) -> Self {
        let others = nodes.saturating_sub(1);
        let witnesses = usize::from(witnesses).min(WITNESSES_MAX);
        let count = u32::try_from(witnesses).unwrap_or(u32::MAX).min(others);
        Self { permutation: Permutation::new(seed, nodes), offsets: offsets(seed, others, count) }
    }

    /// Witnesses of each node.
    #[must_use]
    pub fn witnesses(&self) -> usize {
        self.offsets.len()
    }

    /// Indexes of the witnesses of the node of this index; none if it takes no part.
    #[must_use]
    pub fn witnesses_of(&self, node: u32) -> Vec<u32> {
        let size = self.permutation.size;
        if node >= size {
            return Vec::new();
        }
        let place = self.permutation.place_of(node);
        let ahead = |offset: &u32| self.permutation.index_at(around(place, *offset, size));
        self.offsets.iter().map(ahead).collect()
    }

    /// Indexes of the nodes that the one of this index witnesses: exactly those that have it among
    /// their [`Assignment::witnesses_of`].
    #[must_use]
    pub fn duties_of(&self, witness: u32) -> Vec<u32> {
        let size = self.permutation.size;
        if witness >= size {
            return Vec::new();
        }
        let place = self.permutation.place_of(witness);
        let behind = |offset: &u32| {
            let back = size.saturating_sub(*offset);
            self.permutation.index_at(around(place, back, size))
        };
        self.offsets.iter().map(behind).collect()
    }
}

/// `offset` places further on a ring of `size`.
fn around(place: u32, offset: u32, size: u32) -> u32 {
    let sum = u64::from(place).saturating_add(offset.into());
    let wrapped = sum.checked_rem(size.into()).unwrap_or(0);
    u32::try_from(wrapped).expect("less than a size of 32 bits")
}

/// `count` distinct numbers from 1 to `others`: the first of a shuffle that stops there.
fn offsets(seed: &Digest, others: u32, count: u32) -> Vec<u32> {
    let key = Hasher::new("acre 2026-11 witness offsets").update(&seed.0).finish();
    let key = Secret::new(key.0);
    // What stands at a position of the row 1, 2, … `others`, where that was changed.
    let mut moved = BTreeMap::<u32, u32>::new();
    let mut drawn = Vec::new();
    for at in 0..count {
        let left = u64::from(others.saturating_sub(at)).max(1);
        let draw = first_u64(&keyed(&key, &at.to_le_bytes())).checked_rem(left).unwrap_or(0);
        let from = at.saturating_add(u32::try_from(draw).unwrap_or(0));
        let original = |position: u32| position.saturating_add(1);
        let here = moved.get(&at).copied().unwrap_or(original(at));
        let there = moved.insert(from, here).unwrap_or(original(from));
        drawn.push(if from == at { here } else { there });
    }
    drawn
}

/// [`Assignment::witnesses_of`] for one question.
#[must_use]
pub fn witnesses_of(seed: &Digest, node: u32, nodes: u32, witnesses: u8) -> Vec<u32> {
    Assignment::new(seed, nodes, witnesses).witnesses_of(node)
}

/// [`Assignment::duties_of`] for one question.
#[must_use]
pub fn duties_of(seed: &Digest, witness: u32, nodes: u32, witnesses: u8) -> Vec<u32> {
    Assignment::new(seed, nodes, witnesses).duties_of(witness)
}

/// Whether what this witness says of this node counts. One that is retired, or not independent
/// enough, counts as abstaining: nobody takes its place.
#[must_use]
pub fn may_witness(rule: Independence, witness: &Node, node: &Node) -> bool {
    let is_apart = match rule {
        Independence::Operator => {
            witness.operator != node.operator
                && witness.farm != node.farm
                && witness.site != node.site
        }
        Independence::Site => witness.site != node.site,
        Independence::Node => witness.index != node.index,
    };
    is_apart && witness.state != NodeState::Retired
}

/// Whether a witness has proven enough storage to be believed about this node: keys cost nothing, but
/// no disk proves storage for two of them. A sixteenth of what the node claims is asked for, at most
/// [`WITNESS_STORAGE_ENOUGH`].
#[must_use]
pub fn has_proven_enough(witness: &Node, node: &Node) -> bool {
    let share = node.capacity.storage.0 / WITNESS_STORAGE_SHARE;
    witness.proven().storage.0 >= share.clamp(1, WITNESS_STORAGE_ENOUGH.0)
}
