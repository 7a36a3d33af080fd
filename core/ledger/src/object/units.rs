//! What capacity weighs where farmers decide: on seats and in votes.

use super::node::{Node, NodeState};

/// Weight of what witnesses verified of a node: thousandths of 1,200 GiB of storage, rounded down. No
/// disk is shown twice, while cores and memory may be rented for the moments at which they are
/// measured: they weigh nothing. Nor does what a node merely claims, nor anything of one that is
/// retired.
#[must_use]
pub fn proven_units(node: &Node) -> u64 {
    match node.state {
        NodeState::Active | NodeState::Draining => {
            let mib = u128::from(node.verified.storage.0 >> 20);
            u64::try_from(mib.saturating_mul(1000) / (1200 << 10)).unwrap_or(u64::MAX)
        }
        NodeState::Retired => 0,
    }
}
