//! Who is connected to us, and how much of us each of them uses.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use acre_types::PublicKey;
use tokio::sync::Semaphore;

use crate::Limits;

/// What one peer may use at once, shared by all its connections.
#[derive(Debug)]
pub(crate) struct Budget {
    /// A permit for each running call.
    pub(crate) calls: Arc<Semaphore>,
    /// A permit for each byte of a request that is being received or handled.
    pub(crate) bytes: Arc<Semaphore>,
}

impl Budget {
    fn is_unused(&self, limits: &Limits) -> bool {
        self.calls.available_permits() == limits.calls_per_peer
            && self.bytes.available_permits() == limits.request_bytes_per_peer
    }
}

/// Counts inbound connections.
#[derive(Debug)]
pub(crate) struct Census {
    limits: Limits,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    connections: usize,
    shaking: BTreeMap<IpAddr, usize>,
    peers: BTreeMap<PublicKey, (usize, Arc<Budget>)>,
}

impl Census {
    pub(crate) fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self { limits, counts: Mutex::default() })
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a handshake with who connected from `address`; `None` if there are enough.
    pub(crate) fn shake(self: &Arc<Self>, address: IpAddr) -> Option<Shaking> {
        let mut counts = self.counts();
        if counts.connections >= self.limits.connections {
            return None;
        }
        let shaking = counts.shaking.entry(address).or_default();
        if *shaking >= self.limits.handshakes_per_address {
            return None;
        }
        *shaking += 1;
        counts.connections += 1;
        Some(Shaking { census: Arc::clone(self), address })
    }
}

/// A connection whose handshake is not over.
#[derive(Debug)]
pub(crate) struct Shaking {
    census: Arc<Census>,
    address: IpAddr,
}

impl Shaking {
    /// A place for the connection of `peer`; `None` if it has enough.
    pub(crate) fn sit(self, peer: PublicKey) -> Option<Seat> {
        let limits = &self.census.limits;
        let mut counts = self.census.counts();
        if counts.peers.len() > limits.connections {
            counts
                .peers
                .retain(|_, (connections, budget)| *connections > 0 || !budget.is_unused(limits));
        }
        let (connections, budget) = counts.peers.entry(peer).or_insert_with(|| {
            let calls = Arc::new(Semaphore::new(limits.calls_per_peer));
            let bytes = Arc::new(Semaphore::new(limits.request_bytes_per_peer));
            (0, Arc::new(Budget { calls, bytes }))
        });
        if *connections >= limits.connections_per_peer {
            return None;
        }
        *connections += 1;
        let budget = Arc::clone(budget);
        // `self` goes with the count of this connection, so the seat adds its own.
        counts.connections += 1;
        drop(counts);
        Some(Seat { census: Arc::clone(&self.census), peer, budget })
    }
}

impl Drop for Shaking {
    fn drop(&mut self) {
        let mut counts = self.census.counts();
        counts.connections -= 1;
        if let Some(shaking) = counts.shaking.get_mut(&self.address) {
            *shaking -= 1;
            if *shaking == 0 {
                counts.shaking.remove(&self.address);
            }
        }
    }
}

/// An open connection of a peer.
#[derive(Debug)]
pub(crate) struct Seat {
    census: Arc<Census>,
    peer: PublicKey,
    pub(crate) budget: Arc<Budget>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut counts = self.census.counts();
        counts.connections -= 1;
        if let Some((connections, _)) = counts.peers.get_mut(&self.peer) {
            *connections -= 1;
            // Who left calls behind is remembered: a new connection must not bring a new budget.
            if *connections == 0 && self.budget.is_unused(&self.census.limits) {
                counts.peers.remove(&self.peer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn census() -> Arc<Census> {
        Census::new(Limits {
            connections: 5,
            handshakes_per_address: 2,
            connections_per_peer: 2,
            ..Limits::default()
        })
    }
    const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
    const B: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

    #[test]
    fn address_has_its_handshakes_and_no_more() {
        let census = census();
        let (first, _second) = (census.shake(A).unwrap(), census.shake(A).unwrap());
        assert!(census.shake(A).is_none());
        assert!(census.shake(B).is_some());
        drop(first);
        assert!(census.shake(A).is_some());
    }

    #[test]
    fn peer_has_its_connections_and_no_more() {
        let census = census();
        let peer = PublicKey([1; 32]);
        let first = census.shake(A).unwrap().sit(peer).unwrap();
        let _second = census.shake(A).unwrap().sit(peer).unwrap();
        assert!(census.shake(A).unwrap().sit(peer).is_none());
        assert!(census.shake(A).unwrap().sit(PublicKey([2; 32])).is_some());
        drop(first);
        assert!(census.shake(A).unwrap().sit(peer).is_some());
    }

    #[test]
    fn endpoint_has_its_connections_and_forgets_the_gone() {
        let census = census();
        let seats: Vec<_> =
            (0..5).map(|n| census.shake(A).unwrap().sit(PublicKey([n; 32])).unwrap()).collect();
        assert!(census.shake(B).is_none());
        drop(seats);
        let counts = census.counts();
        assert_eq!((counts.connections, counts.shaking.len(), counts.peers.len()), (0, 0, 0));
    }
}
