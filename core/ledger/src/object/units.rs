//! What capacity weighs where farmers decide: on seats and in votes.

use acre_types::Bytes;

use super::node::{Capacity, Node, NodeState};

/// Weight of a capacity in thousandths of 2 CU + SU, rounded down, after the units of the seeds:
/// CU = min((memory - 1 GiB) / 4 GiB, 2 per core), SU = storage / 1,200 GiB.
#[must_use]
pub fn capacity_units(capacity: &Capacity) -> u64 {
    let mib = |bytes: u64| bytes >> 20;
    let by_memory =
        u128::from(mib(capacity.memory.0).saturating_sub(1024)).saturating_mul(1000) >> 12;
    let by_cores = u128::from(capacity.cores).saturating_mul(2000);
    let storage = u128::from(mib(capacity.storage.0)).saturating_mul(1000) / (1200 << 10);
    let units = by_memory.min(by_cores).saturating_mul(2).saturating_add(storage);
    u64::try_from(units).unwrap_or(u64::MAX)
}

/// Weight of what witnesses verified of a node: its storage, and the cores and memory that were seen
/// at work at a muster. What it merely claims weighs nothing; nor do cores and memory that are
/// reserved, which an owner could reserve for himself without having them; nor does anything of a node
/// that is retired.
#[must_use]
pub fn proven_units(node: &Node) -> u64 {
    match node.state {
        NodeState::Active | NodeState::Draining => {
            let lent = Capacity { storage: Bytes(0), ..node.lent };
            capacity_units(&node.verified.without(lent))
        }
        NodeState::Retired => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(storage_gib: u64, cores: u32, memory_gib: u64, wanted: u64) {
        let (storage, memory) = (Bytes(storage_gib << 30), Bytes(memory_gib << 30));
        assert_eq!(capacity_units(&Capacity { storage, cores, memory }), wanted);
    }

    #[test]
    fn capacity_weighs_twice_its_computing_and_once_its_storage() {
        check(1200, 0, 0, 1000);
        check(0, 8, 0, 0);
        check(0, 8, 5, 2000);
        check(0, 1, 1000, 4000);
        check(2400, 4, 33, 2000 + 16_000);
        check(0, 0, 1, 0);
    }
}
