//! Plots: free space shown by data that is bound to a node's key and slow to compute.
//!
//! A region is an array of n labels of 32 bytes, written over L times in place. With N = number of
//! the label in the whole chain (layer after layer, left to right):
//!
//! ```text
//! key        = derive("acre 2026-11 plot region", node 32 | region u32 | region_bytes u32 | layers u8)
//! chain_0    = derive("acre 2026-11 plot start", key)
//! label_N    = BLAKE3_keyed(key, chain_(N-1) | here xor R[a] xor R[b])        one compression
//! chain_N    = label_N,   R[i] = label_N
//! ```
//!
//! `here` is what the label's place held before (zeros in the first layer); a and b are the first
//! and second 64 bits of chain_(N-1), scaled to the labels that are there: those before i in the
//! first layer, all of them later. So each label needs the one before it (no two can be made at
//! once), two at random places, and the one of the layer below; where they are is known only when
//! the one before is, which makes a fill wait for memory and not for arithmetic. Only what the last
//! layer left is kept. The root is BLAKE3 of the region.
//!
//! Sources: scrypt (Percival 2009) and Argon2 1.3 (RFC 9106) for chain, data-dependent places and
//! xor with the old content; Balloon hashing (Boneh, Corrigan-Gibbs, Schechter 2016) and Ren and
//! Devadas, "Proof of Space from Stacked Expanders" (2016) for layers in place. Deviation: there is
//! no proof of construction. A region is a function of a key and a number, so a witness makes one
//! again now and then and compares its root; how often is in [`crate::duty`].
//!
//! What a cheat gains by keeping a part is measured by `examples/plot_attack.rs`.

use acre_codec::{Decode, Encode};
use acre_crypto::Hasher;
use acre_types::{Digest, NodeId};

use crate::CapacityError;
use crate::draw::{below, first_bits, second_bits};
use crate::limits::{LABEL, LABEL_BYTES, LAYERS_MAX, REGION_BYTES_MAX, REGION_BYTES_MIN};
use crate::tree;

/// A label.
pub type Label = [u8; LABEL_BYTES];

/// How regions are made: the same for all nodes of a grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct PlotRules {
    /// Bytes of a region: a power of two, [`REGION_BYTES_MIN`] to [`REGION_BYTES_MAX`]. Also the
    /// memory that making one takes.
    pub region_bytes: u32,
    /// Times that it is written over, from 1 to [`LAYERS_MAX`].
    pub layers: u8,
}

impl PlotRules {
    /// # Errors
    /// [`CapacityError::Rules`] for a figure out of its range.
    pub fn check(&self) -> Result<(), CapacityError> {
        let size = self.region_bytes;
        if !size.is_power_of_two() || !(REGION_BYTES_MIN..=REGION_BYTES_MAX).contains(&size) {
            let reason = "region_bytes must be a power of two from 32 KiB to 1 GiB";
            return Err(CapacityError::Rules { reason });
        }
        if !(1..=LAYERS_MAX).contains(&self.layers) {
            return Err(CapacityError::Rules { reason: "layers must be from 1 to 8" });
        }
        Ok(())
    }

    /// Labels of a region.
    #[must_use]
    pub fn labels(&self) -> usize {
        self.region_bytes as usize / LABEL
    }
}

/// Whether a fill has more to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Call again.
    More,
    /// The region is whole.
    Done,
}

/// A region being made, in steps as small as its owner likes. It lives in memory and is simply
/// begun again after a crash.
pub struct Fill {
    key: [u8; 32],
    labels: Vec<Label>,
    layers_left: u8,
    is_first_layer: bool,
    at: usize,
    chain: Label,
}

/// A finished region.
pub struct Region {
    /// Its bytes.
    pub labels: Vec<Label>,
    /// The stored part of its tree, see [`tree`].
    pub outboard: Vec<u8>,
    /// BLAKE3 of the bytes.
    pub root: Digest,
}

impl Region {
    /// The bytes to keep.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.labels.as_flattened()
    }
}

impl Fill {
    /// Begins region number `region` of `node`.
    ///
    /// # Errors
    /// [`CapacityError::Rules`].
    pub fn new(node: NodeId, region: u32, rules: PlotRules) -> Result<Self, CapacityError> {
        rules.check()?;
        let mut hasher = Hasher::new("acre 2026-11 plot region");
        hasher.update(&node.0).update(&region.to_le_bytes());
        hasher.update(&acre_codec::encode(&rules));
        Ok(Self::keyed(hasher.finish(), rules.labels(), rules.layers))
    }

    /// A fill of any labels under any key; a lane of the puzzle is one too.
    pub(crate) fn keyed(key: Digest, labels: usize, layers: u8) -> Self {
        let start = Hasher::new("acre 2026-11 plot start").update(&key.0).finish();
        Self {
            key: key.0,
            labels: vec![[0; LABEL_BYTES]; labels],
            layers_left: layers,
            is_first_layer: true,
            at: 0,
            chain: start.0,
        }
    }

    /// Makes up to `labels_max` labels.
    pub fn step(&mut self, labels_max: usize) -> Progress {
        let mut left = labels_max;
        while left > 0 && self.layers_left > 0 {
            let end = self.labels.len().min(self.at.saturating_add(left));
            left = left.saturating_sub(end.saturating_sub(self.at));
            self.run(end);
            if self.at == self.labels.len() {
                self.at = 0;
                self.is_first_layer = false;
                self.layers_left = self.layers_left.saturating_sub(1);
            }
        }
        if self.layers_left > 0 { Progress::More } else { Progress::Done }
    }

    fn run(&mut self, end: usize) {
        for at in self.at..end {
            let there = if self.is_first_layer { at } else { self.labels.len() };
            self.chain = next_label(&self.key, &self.chain, at, there, |place| {
                self.labels.get(place).copied().unwrap_or_default()
            });
            if let Some(slot) = self.labels.get_mut(at) {
                *slot = self.chain;
            }
        }
        self.at = end;
    }

    /// Makes what is left and gives the region.
    #[must_use]
    pub fn finish(mut self) -> Region {
        while self.step(usize::MAX) == Progress::More {}
        let (outboard, root) = tree::outboard(self.labels.as_flattened());
        Region { labels: self.labels, outboard, root }
    }

    /// Makes what is left and gives the root alone: what a witness compares.
    #[must_use]
    pub fn root(mut self) -> Digest {
        while self.step(usize::MAX) == Progress::More {}
        acre_crypto::digest(self.labels.as_flattened())
    }

    /// Makes what is left and gives the labels.
    pub(crate) fn into_labels(mut self) -> Vec<Label> {
        while self.step(usize::MAX) == Progress::More {}
        self.labels
    }
}

/// The places of the two labels that the one after `chain` needs, when `there` are to choose from.
pub(crate) fn places(chain: &Label, there: usize) -> [usize; 2] {
    let there = u64::try_from(there).unwrap_or(u64::MAX);
    [first_bits(chain), second_bits(chain)]
        .map(|bits| usize::try_from(below(bits, there)).unwrap_or(usize::MAX))
}

/// The label at `at` after `chain`. `read` gives a label that is there, zeros if none is.
pub(crate) fn next_label(
    key: &[u8; 32],
    chain: &Label,
    at: usize,
    there: usize,
    read: impl Fn(usize) -> Label,
) -> Label {
    let mut block = [[0; LABEL_BYTES]; 2];
    let [front, back] = &mut block;
    *front = *chain;
    *back = read(at);
    if there > 0 {
        let [a, b] = places(chain, there).map(read);
        for ((byte, a), b) in back.iter_mut().zip(a).zip(b) {
            *byte ^= a ^ b;
        }
    }
    *blake3::keyed_hash(key, block.as_flattened()).as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: NodeId = NodeId([3; 32]);
    const RULES: PlotRules = PlotRules { region_bytes: REGION_BYTES_MIN, layers: 3 };

    #[test]
    fn steps_of_any_size_make_the_same_region() {
        let whole = Fill::new(NODE, 7, RULES).unwrap().finish();
        assert_eq!(whole.root, acre_crypto::digest(whole.bytes()));
        for step in [1, 7, 1024, 5000] {
            let mut fill = Fill::new(NODE, 7, RULES).unwrap();
            let mut steps = 1;
            while fill.step(step) == Progress::More {
                steps += 1;
            }
            assert_eq!(steps, (3 * RULES.labels()).div_ceil(step));
            assert_eq!(fill.root(), whole.root, "steps of {step}");
        }
    }

    #[test]
    fn region_is_bound_to_node_number_and_rules() {
        let root = |node, region, rules| Fill::new(node, region, rules).unwrap().root();
        let mut roots = vec![
            root(NODE, 7, RULES),
            root(NodeId([4; 32]), 7, RULES),
            root(NODE, 8, RULES),
            root(NODE, 7, PlotRules { layers: 2, ..RULES }),
            root(NODE, 7, PlotRules { region_bytes: RULES.region_bytes * 2, ..RULES }),
        ];
        roots.sort();
        roots.dedup();
        assert_eq!(roots.len(), 5);
    }

    #[test]
    fn region_is_what_its_golden_root_says() {
        let root = Fill::new(NODE, 7, RULES).unwrap().root();
        acre_codec::golden::check(include_str!("golden/region.hex"), &root.0);
    }

    #[test]
    fn every_layer_writes_every_label() {
        let first = Fill::new(NODE, 7, PlotRules { layers: 1, ..RULES }).unwrap();
        let labels = first.into_labels();
        let mut seen = labels.clone();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), RULES.labels(), "no label twice, none left empty");
    }

    #[test]
    fn refuses_rules_out_of_range() {
        for (region_bytes, layers) in
            [(0, 3), (REGION_BYTES_MIN - 1, 3), (REGION_BYTES_MIN / 2, 3), (3 << 15, 3)]
                .into_iter()
                .chain([(u32::MAX, 3), (1 << 31, 3), (REGION_BYTES_MIN, 0), (REGION_BYTES_MIN, 9)])
        {
            let rules = PlotRules { region_bytes, layers };
            assert!(Fill::new(NODE, 0, rules).is_err(), "{rules:?}");
        }
    }
}
