//! Who is connected to us, and how much of us each of them uses.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
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
    /// Handshakes by address, as [`network`] sees it.
    shaking: BTreeMap<IpAddr, usize>,
    /// Handshakes and open connections by address.
    addresses: BTreeMap<IpAddr, usize>,
    peers: BTreeMap<PublicKey, (usize, Arc<Budget>)>,
}

impl Counts {
    fn add(&mut self, address: IpAddr) {
        self.connections += 1;
        *self.addresses.entry(address).or_default() += 1;
    }

    fn remove(&mut self, address: IpAddr) {
        self.connections -= 1;
        if let Some(count) = self.addresses.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                self.addresses.remove(&address);
            }
        }
    }
}

/// What counts as one address: of IPv6 the first half, since everybody has the whole of the other.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address => address,
    }
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
        // Who dials from this very machine is no stranger, and on a grid in one box all do.
        let is_local = address.to_canonical().is_loopback();
        let address = network(address);
        let mut counts = self.counts();
        let of_address = counts.addresses.get(&address).copied().unwrap_or_default();
        if counts.connections >= self.limits.connections
            || (of_address >= self.limits.connections_per_address && !is_local)
        {
            return None;
        }
        let shaking = counts.shaking.entry(address).or_default();
        if *shaking >= self.limits.handshakes_per_address {
            return None;
        }
        *shaking += 1;
        counts.add(address);
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
        counts.add(self.address);
        drop(counts);
        Some(Seat { census: Arc::clone(&self.census), address: self.address, peer, budget })
    }
}

impl Drop for Shaking {
    fn drop(&mut self) {
        let mut counts = self.census.counts();
        counts.remove(self.address);
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
    address: IpAddr,
    peer: PublicKey,
    pub(crate) budget: Arc<Budget>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut counts = self.census.counts();
        counts.remove(self.address);
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
            connections_per_address: 4,
            ..Limits::default()
        })
    }
    const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
    const B: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

    const C: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 3));

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
        let seats: Vec<_> = [A, A, B, B, C]
            .into_iter()
            .zip(0..)
            .map(|(from, n)| census.shake(from).unwrap().sit(PublicKey([n; 32])).unwrap())
            .collect();
        assert!(census.shake(C).is_none());
        drop(seats);
        let counts = census.counts();
        assert_eq!((counts.connections, counts.shaking.len(), counts.peers.len()), (0, 0, 0));
        assert!(counts.addresses.is_empty());
    }

    #[test]
    fn address_has_its_connections_whatever_keys_it_shows_and_leaves_room_for_others() {
        let census = census();
        let sit = |from, key| census.shake(from).and_then(|place| place.sit(PublicKey([key; 32])));
        let mut seats: Vec<_> = (0..4).map(|n| sit(A, n).unwrap()).collect();
        assert!(sit(A, 9).is_none());
        assert!(sit("::ffff:10.0.0.1".parse().unwrap(), 9).is_none(), "the same address");
        let other = sit(B, 9).unwrap();
        seats.pop();
        assert!(sit(A, 10).is_some());
        drop((seats, other));
        // Any of the addresses that one line has.
        let line = |n: u8| format!("2001:db8:1:2::{n}").parse().unwrap();
        let seats: Vec<_> = (0..4).map(|n| sit(line(n), n).unwrap()).collect();
        assert!(sit(line(5), 5).is_none());
        assert!(sit("2001:db8:1:3::1".parse().unwrap(), 5).is_some());
        drop(seats);
        let local = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
        assert_eq!((0..5).filter_map(|n| sit(local, n)).collect::<Vec<_>>().len(), 5);
    }
}
