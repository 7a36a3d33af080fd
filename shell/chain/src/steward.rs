//! What a running validator does beside the engine: keeps its peers up to date with the ledger's
//! seats, and does its duties.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use acre_crypto::SigningKey;
use acre_engine::Evidence;
use acre_ledger::{Address, SignedTransaction, Verified};
use acre_net::StaticBook;
use acre_types::{Digest, PublicKey};

use crate::client::resolve;
use crate::duty;
use crate::mempool::{Admission, Origin};
use crate::relay::Relay;
use crate::shared::{Roster, Shared};

/// The task of a validator that follows its own ledger.
pub(crate) struct Steward {
    pub(crate) shared: Arc<Shared>,
    pub(crate) relay: Relay,
    pub(crate) book: Arc<StaticBook>,
    /// Addresses known otherwise than from the ledger.
    pub(crate) overrides: BTreeMap<PublicKey, SocketAddr>,
    pub(crate) key: SigningKey,
    /// Filled by the engine.
    pub(crate) evidence: Evidence,
}

impl Steward {
    /// Runs until it is aborted.
    pub(crate) async fn run(self) {
        let mut roster = self.shared.roster.subscribe();
        let mut head = self.shared.head.subscribe();
        let present = Arc::clone(&roster.borrow_and_update());
        self.take_roster(&present).await;
        let mut submitted = None;
        loop {
            tokio::select! {
                changed = roster.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    let present = Arc::clone(&roster.borrow_and_update());
                    self.take_roster(&present).await;
                }
                changed = head.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    let newest = head.borrow_and_update().clone();
                    if let Some(newest) = newest {
                        match duty::due(&newest.state, &self.key, &self.evidence) {
                            Ok(Some(signed)) => self.submit(signed, &mut submitted),
                            Ok(None) => {}
                            Err(error) => tracing::error!(%error, "cannot tell what is due"),
                        }
                    }
                }
            }
        }
    }

    /// Peers are those who make blocks: they need what our clients bring.
    async fn take_roster(&self, roster: &Roster) {
        let own = self.key.public();
        let mut peers = BTreeSet::new();
        for (validator, address) in roster.seated.iter().filter(|(other, _)| **other != own) {
            self.book.insert(*validator, self.addresses(validator, address).await);
            peers.insert(*validator);
        }
        self.relay.set_peers(&peers);
    }

    async fn addresses(&self, validator: &PublicKey, address: &Address) -> Vec<SocketAddr> {
        match self.overrides.get(validator) {
            Some(known) => vec![*known],
            None => resolve(address).await,
        }
    }

    /// Puts a transaction of our own into the pool, once.
    fn submit(&self, signed: SignedTransaction, submitted: &mut Option<Digest>) {
        let id = signed.transaction.id();
        let mut pool = self.shared.pool();
        if *submitted == Some(id) && pool.contains(&id) {
            return;
        }
        // We have just signed it.
        let Ok(verified) = Verified::new(signed).map(Arc::new) else { return };
        match pool.insert(Arc::clone(&verified), Origin::Client) {
            Ok(Admission::Check) => {
                drop(pool);
                *submitted = Some(id);
                self.shared.wake.notify_one();
                // Fails if there is no other validator.
                let _ = self.shared.outgoing.send(verified);
            }
            Ok(_) => {}
            Err(reason) => tracing::debug!(%reason, "our own duty is not taken"),
        }
    }
}
