//! Where a key can be reached.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{PoisonError, RwLock};

use acre_types::PublicKey;

/// Tells the addresses of a peer. Asked at every dial, so it must not block: the ledger's copy in
/// memory, a file read before.
pub trait AddressBook: Send + Sync + 'static {
    /// Addresses to try, best first; empty if there is none. They need not be true: whoever
    /// answers there must still prove the key.
    fn addresses(&self, peer: &PublicKey) -> Vec<SocketAddr>;
}

/// An address book in memory, changeable at run time.
#[derive(Debug, Default)]
pub struct StaticBook(RwLock<BTreeMap<PublicKey, Vec<SocketAddr>>>);

impl StaticBook {
    /// An empty book.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the addresses of a peer; what stood there is forgotten.
    pub fn insert(&self, peer: PublicKey, addresses: Vec<SocketAddr>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(peer, addresses);
    }

    /// Forgets a peer.
    pub fn remove(&self, peer: &PublicKey) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(peer);
    }
}

impl FromIterator<(PublicKey, SocketAddr)> for StaticBook {
    fn from_iter<I: IntoIterator<Item = (PublicKey, SocketAddr)>>(entries: I) -> Self {
        let mut book: BTreeMap<PublicKey, Vec<SocketAddr>> = BTreeMap::new();
        for (peer, address) in entries {
            book.entry(peer).or_default().push(address);
        }
        Self(RwLock::new(book))
    }
}

impl AddressBook for StaticBook {
    fn addresses(&self, peer: &PublicKey) -> Vec<SocketAddr> {
        let book = self.0.read().unwrap_or_else(PoisonError::into_inner);
        book.get(peer).cloned().unwrap_or_default()
    }
}
