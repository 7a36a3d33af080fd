//! Who the validators are, as the ledger itself says.

use std::net::SocketAddr;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use acre_codec::List;
use acre_ledger::{Address, Lookup as _, TheSeats};
use acre_types::PublicKey;

use super::{Checkpoint, LedgerClient, Snapshot};
use crate::defaults::READ_TIMEOUT;
use crate::error::{ClientError, Lie};
use crate::light::addresses;
use crate::limits::CHANGE_REPLIES_MAX;
use crate::protocol::{Reply, Request};

impl LedgerClient {
    /// All that this client has proof of about who signs: begin from it next time.
    #[must_use]
    pub fn checkpoint(&self) -> Checkpoint {
        self.0.trust.read().unwrap_or_else(PoisonError::into_inner).checkpoint().clone()
    }

    /// Whom this client asks.
    #[must_use]
    pub fn validators(&self) -> Vec<PublicKey> {
        self.in_turn()
    }

    /// Follows all changes of validators up to now, and asks those that sit now.
    ///
    /// # Errors
    /// [`ClientError`] if no validator gives a provable answer.
    pub async fn refresh(&self) -> Result<(), ClientError> {
        self.0.seated.store(0, Ordering::Relaxed);
        self.snapshot(&[TheSeats.key()]).await.map(drop)
    }

    /// If the signers of a reply are unknown, there may have been a change of validators: fetches
    /// proof of it from whoever replied.
    pub(super) async fn learn_signers(&self, peer: PublicKey, reply: &Result<Reply, Lie>) {
        let Ok(reply) = reply else { return };
        let Some(finality) = reply.finality() else { return };
        if let Err(Lie::Certificate { .. }) = self.believe(finality) {
            self.catch_up(peer).await;
        }
    }

    /// Fetches changes of validators that we do not know, as far as they are proven.
    pub(super) async fn catch_up(&self, peer: PublicKey) {
        let newest = || {
            let trust = self.0.trust.read().unwrap_or_else(PoisonError::into_inner);
            trust.newest().from
        };
        let before = newest();
        let _one_at_a_time = self.0.learning.lock().await;
        if newest() != before {
            return;
        }
        for _ in 0..CHANGE_REPLIES_MAX {
            let from = newest();
            let asked = Request::Changes { after_term: from };
            let called = self.call(peer, &asked, Vec::new(), READ_TIMEOUT).await;
            let Ok(Ok(Reply::Changes { changes })) = called else { break };
            let mut trust = self.0.trust.write().unwrap_or_else(PoisonError::into_inner);
            for change in changes.iter() {
                if let Err(lie) = trust.advance(change) {
                    tracing::warn!(%peer, %lie, "a validator shows a change that is none");
                    break;
                }
            }
            if trust.newest().from == from {
                break;
            }
        }
        if newest() != before
            && let Some(keep) = &self.0.options.keep
        {
            keep(&self.checkpoint());
        }
    }

    /// Once a term: reads from whoever just answered who sits, and where. Those who went on sitting
    /// may be enough to sign for both sets, so a change need not show in a certificate.
    pub(super) async fn learn_seats(&self, peer: PublicKey) {
        let term = {
            let trust = self.0.trust.read().unwrap_or_else(PoisonError::into_inner);
            trust.checkpoint().term_of(self.seen())
        };
        // Whoever is first in a term does it; the others go on.
        if self.0.seated.fetch_max(term + 1, Ordering::Relaxed) > term {
            return;
        }
        let key = TheSeats.key();
        let keys = List::new(vec![key.clone()]).expect("one key");
        let request = Request::Get { keys, at_least: self.seen() };
        let called = self.call(peer, &request, Vec::new(), READ_TIMEOUT).await;
        let Ok(Ok(Reply::Values { finality, proofs })) = called else { return };
        let Ok(block) = self.believe(&finality) else { return };
        let snapshot = Snapshot::check(block, &[key], proofs.into_vec());
        let Ok(Some(seats)) = snapshot.and_then(|snapshot| snapshot.read(&TheSeats)) else {
            return;
        };
        let is_known = {
            let trust = self.0.trust.read().unwrap_or_else(PoisonError::into_inner);
            trust.newest().is(&seats.members)
        };
        if !is_known {
            self.catch_up(peer).await;
        }
        let Some(book) = &self.0.options.book else { return };
        let mut known = Vec::new();
        for (validator, address) in addresses(&seats) {
            let found = resolve(&address).await;
            if !found.is_empty() {
                book.insert(validator, found);
                known.push(validator);
            }
        }
        let mut validators = self.0.validators.write().unwrap_or_else(PoisonError::into_inner);
        // Those that were given, or sat before, may still follow the chain: they stay, behind.
        known.extend(
            validators.iter().filter(|old| !known.contains(old)).copied().collect::<Vec<_>>(),
        );
        if let Some(at) = known.iter().position(|validator| *validator == peer) {
            known.swap(0, at);
        }
        known.truncate(2 * acre_ledger::limits::SEATS_MAX);
        *validators = known;
    }
}

/// Where a name or an address leads now.
pub(crate) async fn resolve(address: &Address) -> Vec<SocketAddr> {
    if let Ok(address) = address.as_str().parse() {
        return vec![address];
    }
    match tokio::net::lookup_host(address.as_str()).await {
        Ok(found) => found.collect(),
        Err(error) => {
            tracing::debug!(%address, %error, "cannot resolve a validator's address");
            Vec::new()
        }
    }
}
