//! The real network: who may connect, and how.

use crate::{
    defaults,
    error::{Error, Result},
    limits,
    orchestrator::Roster,
    term::Members,
    wiring,
};
use commonware_cryptography::{
    ChaCha20Poly1305,
    ed25519::{PrivateKey, PublicKey},
};
use commonware_p2p::{
    Address, AddressableManager as _, AddressableTrackedPeers, authenticated::lookup,
};
use commonware_runtime::Quota;
use commonware_stream::{
    cups::{self, Cups},
    sake::{self, Sake},
};
use commonware_utils::ordered::Map;
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    num::{NonZeroU32, NonZeroUsize},
};

type Handshake = Cups<Sake<PrivateKey>, ChaCha20Poly1305>;

/// Network of a process that makes room for `room` peers.
pub(crate) fn config(
    key: PrivateKey,
    namespace: &[u8],
    listen: SocketAddr,
    room: NonZeroUsize,
) -> lookup::Config<Handshake> {
    let handshake = Cups::new(
        Sake {
            signer: key,
            synchrony_bound: defaults::CLOCK_SKEW,
            max_handshake_age: defaults::HANDSHAKE_AGE,
            version: sake::Version::V1,
        },
        cups::Version::V1,
    );
    let local = lookup::Config::local(
        handshake,
        namespace,
        listen,
        room,
        wiring::max_message_size(),
        limits::MAILBOX_MESSAGES,
    );
    lookup::Config {
        allow_dns: false,
        peer_connection_cooldown: defaults::RECONNECT_COOLDOWN,
        // Several validators of a local grid share one address.
        allowed_handshake_rate_per_ip: Quota::per_second(NonZeroU32::new(16).expect("not zero")),
        ping_frequency: defaults::PING_INTERVAL,
        dial_frequency: defaults::DIAL_INTERVAL,
        tracked_peer_sets: limits::TRACKED_PEER_SETS,
        block_duration: defaults::BLOCK_DURATION,
        ..local
    }
}

/// Keeps the network's list of peers.
pub(crate) struct Peers {
    pub(crate) oracle: lookup::Oracle<PublicKey>,
    pub(crate) me: PublicKey,
    /// Where this process really listens.
    pub(crate) listen: SocketAddr,
    pub(crate) room: NonZeroUsize,
    /// Number of the next list.
    pub(crate) next: u64,
}

impl Peers {
    fn map(&self, peers: BTreeMap<&PublicKey, SocketAddr>) -> Map<PublicKey, Address> {
        Map::from_iter_dedup(peers.into_iter().map(|(key, address)| {
            let address = if *key == self.me { self.listen } else { address };
            (key.clone(), Address::Symmetric(address))
        }))
    }
}

impl Roster for Peers {
    fn track(&mut self, members: &Members, former: &Members) -> Result<()> {
        // One place is our own, even if we are on no list.
        let room = self.room.get() - 1;
        let primary: BTreeMap<_, _> = members.validators.iter().map(|(k, a)| (k, *a)).collect();
        if primary.len() > room {
            return Err(Error::Room { validators: primary.len(), room });
        }
        let former = former.validators.iter().map(|(key, address)| (key, *address));
        let others = former.chain(members.followers.iter().map(|(key, address)| (key, *address)));
        let mut secondary = BTreeMap::new();
        let (places, mut refused) = (room - primary.len(), 0);
        for (key, address) in others.filter(|(key, _)| !primary.contains_key(key)) {
            if secondary.len() < places || secondary.contains_key(key) {
                secondary.insert(key, address);
            } else {
                refused += 1;
            }
        }
        if refused > 0 {
            tracing::warn!(refused, room, "no room for all followers until the next start");
        }
        let peers = AddressableTrackedPeers::new(self.map(primary), self.map(secondary));
        // A network that is gone is noticed elsewhere.
        let _ = self.oracle.track(self.next, peers);
        self.next += 1;
        Ok(())
    }
}
