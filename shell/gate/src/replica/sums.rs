//! What a group of nodes offers together.

use acre_ledger::{Capacity, Node, NodeState};

/// Capacity of many nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) storage_bytes: u128,
    pub(crate) memory_bytes: u128,
    pub(crate) cores: u64,
}

impl Size {
    fn of(capacity: &Capacity) -> Self {
        Self {
            storage_bytes: u128::from(capacity.storage.0),
            memory_bytes: u128::from(capacity.memory.0),
            cores: u64::from(capacity.cores),
        }
    }

    fn add(&mut self, other: &Self) {
        self.storage_bytes += other.storage_bytes;
        self.memory_bytes += other.memory_bytes;
        self.cores += other.cores;
    }

    fn subtract(&mut self, other: &Self) {
        self.storage_bytes -= other.storage_bytes;
        self.memory_bytes -= other.memory_bytes;
        self.cores -= other.cores;
    }
}

/// Sums over nodes. What a retired node once offered is not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    pub(crate) active: u64,
    pub(crate) draining: u64,
    pub(crate) retired: u64,
    /// Claimed by the nodes.
    pub(crate) offered: Size,
    /// Claimed and found by witnesses.
    pub(crate) verified: Size,
    pub(crate) reserved_bytes: u128,
}

impl Sums {
    /// Of one node.
    pub(crate) fn of(node: &Node) -> Self {
        let (active, draining, retired) = match node.state {
            NodeState::Active => (1, 0, 0),
            NodeState::Draining => (0, 1, 0),
            NodeState::Retired => {
                let reserved_bytes = u128::from(node.reserved.storage.0);
                return Self { retired: 1, reserved_bytes, ..Self::default() };
            }
        };
        Self {
            active,
            draining,
            retired,
            offered: Size::of(&node.capacity),
            verified: Size::of(&node.proven()),
            reserved_bytes: u128::from(node.reserved.storage.0),
        }
    }

    /// Nodes that are not retired.
    pub(crate) const fn present(&self) -> u64 {
        self.active + self.draining
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.active += other.active;
        self.draining += other.draining;
        self.retired += other.retired;
        self.offered.add(&other.offered);
        self.verified.add(&other.verified);
        self.reserved_bytes += other.reserved_bytes;
    }

    /// Takes back what [`Sums::add`] added.
    pub(crate) fn subtract(&mut self, other: &Self) {
        self.active -= other.active;
        self.draining -= other.draining;
        self.retired -= other.retired;
        self.offered.subtract(&other.offered);
        self.verified.subtract(&other.verified);
        self.reserved_bytes -= other.reserved_bytes;
    }
}
