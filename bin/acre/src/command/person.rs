//! A person at work: identity, grid and ledger of a home.

use acre_chain::client::Committed;
use acre_chain::{ClientError, LedgerClient, Refused};
use acre_crypto::SigningKey;
use acre_ledger::Action;
use acre_store::keys::Identity;
use acre_types::AccountId;

use crate::context::Context;
use crate::exit::{Code, Failure, Outcome};
use crate::grid::bootstrap::ledger_client_in;
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

/// The ledger of a home's grid; no identity is needed to read it.
pub(crate) async fn reader(home: &Home) -> Outcome<LedgerClient> {
    ledger_client_in(&Context::of_home(home)?, &home.context().join("checkpoint")).await
}

/// What the ledger's answer means for the one who asked.
pub(crate) fn failure(error: ClientError) -> anyhow::Error {
    let text = causes(&error);
    let failure = match &error {
        ClientError::Refused(refused) => {
            Failure::new(code_of(refused), text).state("nothing was changed on the ledger")
        }
        ClientError::OutcomeUnknown { id } => Failure::new(Code::OutcomeUnknown, text)
            .state("it may be on the ledger or not")
            .hint(format!("acre ledger tx {id}, then repeat if it is not there")),
        ClientError::Lied { .. } => Failure::new(Code::Damaged, text)
            .state("the false answer was not used")
            .hint("acre doctor"),
        _ => Failure::new(Code::Unreachable, text).hint("acre status; if it is down: acre up"),
    };
    failure.into()
}

const fn code_of(refused: &Refused) -> Code {
    match refused {
        Refused::NoFunds { .. } => Code::NotEnough,
        Refused::NonceUsed { .. } | Refused::NonceAhead { .. } | Refused::NumberTaken { .. } => {
            Code::Conflict
        }
        Refused::AccountFull { .. } | Refused::PoolFull | Refused::WaitedTooLong => {
            Code::Unreachable
        }
        _ => Code::Denied,
    }
}

pub(super) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}
