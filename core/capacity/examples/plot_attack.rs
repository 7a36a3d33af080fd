//! What a cheat gains by keeping only a part of a plot: labels to compute again for one leaf.
//!
//! `cargo run --release -p acre-capacity --example plot_attack` prints two tables for the graph of
//! a real region (its places come from its labels):
//!
//! 1. *Keep a share of the last layer and nothing else*: distinct labels that must be computed for
//!    one leaf that was dropped, as a share of all labels that a fill computes (the median and the
//!    cheapest twentieth of 40 leaves), and the longest chain among them, which no number of cores
//!    shortens.
//! 2. *Keep what gets too dear*: going through all layers, a label is dropped while computing it
//!    again costs at most a budget, and kept otherwise. What is kept, as a share of the region:
//!    below 100 % is a gain for the cheat.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "an example prints and may stop")]

use std::collections::{BTreeMap, BTreeSet};

const LABELS: usize = 1 << 15;
const LEAF_LABELS: usize = 32;
const LEAVES_TRIED: usize = 40;

/// Places of one region: `refs[layer][label]`.
struct Graph {
    refs: Vec<Vec<[usize; 2]>>,
}

impl Graph {
    /// The places that a fill would visit. They are uniform and independent, so drawn numbers have
    /// the same distribution as those taken from labels.
    fn draw(layers: usize) -> Self {
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        let mut draw = |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from((u128::from(state) * below as u128) >> 64).unwrap()
        };
        let refs = (0..layers)
            .map(|layer| {
                let there = |at: usize| if layer == 0 { at } else { LABELS };
                (0..LABELS).map(|at| [draw(there(at)), draw(there(at))]).collect()
            })
            .collect();
        Self { refs }
    }

    fn layers(&self) -> usize {
        self.refs.len()
    }

    /// What label `at` of `layer` is computed from.
    fn parents(&self, layer: usize, at: usize) -> Vec<(usize, usize)> {
        let mut parents = Vec::with_capacity(4);
        match (layer, at) {
            (0, 0) => {}
            (_, 0) => parents.push((layer - 1, LABELS - 1)),
            _ => parents.push((layer, at - 1)),
        }
        if layer > 0 {
            parents.push((layer - 1, at));
        }
        for place in self.refs[layer][at] {
            if place < at {
                parents.push((layer, place));
            } else if layer > 0 {
                parents.push((layer - 1, place));
            }
        }
        parents
    }

    /// Distinct labels to compute for the leaf that begins at `first`, and the longest chain.
    fn cost(&self, first: usize, is_kept: &dyn Fn(usize) -> bool) -> (usize, usize) {
        let top = self.layers() - 1;
        let mut needed = BTreeSet::new();
        let mut open: Vec<(usize, usize)> =
            (first..first + LEAF_LABELS).filter(|at| !is_kept(*at)).map(|at| (top, at)).collect();
        while let Some(label) = open.pop() {
            if !needed.insert(label) {
                continue;
            }
            for parent in self.parents(label.0, label.1) {
                let is_there = parent.0 == top && is_kept(parent.1);
                if !is_there && !needed.contains(&parent) {
                    open.push(parent);
                }
            }
        }
        // Every parent comes earlier in the chain, so one pass in order finds the longest way.
        let mut depth: BTreeMap<(usize, usize), usize> = BTreeMap::new();
        for label in &needed {
            let parents = self.parents(label.0, label.1);
            let below = parents.iter().filter_map(|parent| depth.get(parent)).max();
            depth.insert(*label, 1 + below.copied().unwrap_or(0));
        }
        (needed.len(), depth.values().max().copied().unwrap_or(0))
    }

    /// Labels kept, over all layers, so that none of the last costs more than `budget`.
    fn kept_by_greed(&self, budget: f64) -> usize {
        let mut kept = 0;
        let mut below: Vec<f64> = Vec::new();
        for layer in 0..self.layers() {
            let mut cost = vec![0.0; LABELS];
            for at in 0..LABELS {
                let parents = self.parents(layer, at);
                let of = |(other, place): &(usize, usize)| {
                    if *other == layer { cost[*place] } else { below[*place] }
                };
                let sum = 1.0 + parents.iter().map(of).sum::<f64>();
                if sum > budget {
                    kept += 1;
                } else {
                    cost[at] = sum;
                }
            }
            below = cost;
        }
        kept
    }
}

fn main() {
    println!("labels to compute for one dropped leaf, of all that a fill computes:");
    println!("layers  kept   work: median  cheapest 5 %   longest chain: median");
    for layers in 1..=4 {
        let graph = Graph::draw(layers);
        let all = (layers * LABELS) as f64;
        for percent in [90, 75, 50, 25, 10] {
            // Spread evenly, so that most labels have their neighbours: the best case for a cheat.
            let is_kept = |at: usize| (at * percent) / 100 != ((at + 1) * percent) / 100;
            let step = LABELS / LEAVES_TRIED;
            let mut costs: Vec<(usize, usize)> = (0..LEAVES_TRIED)
                .map(|number| graph.cost(number * step / LEAF_LABELS * LEAF_LABELS, &is_kept))
                .collect();
            costs.sort_unstable();
            let share = |index: usize| 100.0 * costs[index].0 as f64 / all;
            let chain = 100.0 * costs[LEAVES_TRIED / 2].1 as f64 / all;
            println!(
                "{layers:>6} {percent:>4} % {:>13.2} % {:>11.2} % {chain:>20.2} %",
                share(LEAVES_TRIED / 2),
                share(LEAVES_TRIED / 20),
            );
        }
    }
    println!("\nkept when each label is dropped that costs at most a budget of labels:");
    println!("layers  budget 10    100   1,000  10,000  100,000");
    for layers in 1..=4 {
        let graph = Graph::draw(layers);
        let row: Vec<String> = [10.0, 100.0, 1000.0, 10_000.0, 100_000.0]
            .into_iter()
            .map(|budget| {
                format!("{:>6.1} %", 100.0 * graph.kept_by_greed(budget) as f64 / LABELS as f64)
            })
            .collect();
        println!("{layers:>6}  {}", row.join(""));
    }
}
