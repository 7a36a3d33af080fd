//! A person at work: identity, grid and ledger of a home.

use acre_chain::LedgerClient;
use acre_chain::client::Committed;
use acre_crypto::SigningKey;
use acre_ledger::Action;
use acre_store::keys::Identity;
use acre_types::AccountId;

use crate::asking::{failure, reader};
use crate::exit::Outcome;
use crate::home::Home;

pub(crate) struct Person {
    pub(crate) identity: Identity,
    pub(crate) ledger: LedgerClient,
}

impl Person {
    pub(crate) async fn of(home: &Home) -> Outcome<Self> {
        let identity = Identity::new(home.phrase()?.root());
        let ledger = reader(home).await?;
        Ok(Self { identity, ledger })
    }

    pub(crate) fn key(&self) -> SigningKey {
        self.identity.account()
    }

    pub(crate) fn account(&self) -> AccountId {
        self.identity.account_id()
    }

    /// Signs an action, submits it and waits until it is final.
    pub(crate) async fn submit(&self, action: Action) -> Outcome<Committed> {
        self.ledger.submit(&self.key(), action).await.map_err(failure)
    }
}
