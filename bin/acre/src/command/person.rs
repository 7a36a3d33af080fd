//! A person at work: identity, grid and ledger of a home.

use acre_chain::client::Committed;
use acre_chain::{ClientError, LedgerClient, Refused, RuleKind};
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
    let plain = Failure::new(code_of_error(&error), causes(&error));
    ledger_failure(&error, plain).into()
}

const fn code_of_error(error: &ClientError) -> Code {
    match error {
        ClientError::Refused(refused) => code_of(refused),
        ClientError::OutcomeUnknown { .. } => Code::OutcomeUnknown,
        ClientError::NoQuorum { .. } => Code::NotEnough,
        ClientError::OtherGrid { .. } => Code::Denied,
        ClientError::Lied { .. } => Code::Damaged,
        _ => Code::Unreachable,
    }
}

/// The same failure with what is unchanged and what to do.
pub(super) fn ledger_failure(error: &ClientError, failure: Failure) -> Failure {
    match error {
        ClientError::Refused(_) => failure.state("nothing was changed on the ledger"),
        ClientError::OutcomeUnknown { id } => failure
            .state("it is not final; the validators that took it apply it, once, when a quorum of them runs, or drop it")
            .hint(format!("acre validator list; acre ledger tx {id}, then repeat if it is not there")),
        ClientError::NoQuorum { .. } => failure
            .state("nothing was changed")
            .hint("acre validator list; start validators that are down, or --timeout 5min to wait for longer"),
        ClientError::OtherGrid { .. } => failure
            .state("nothing was read or changed")
            .hint("take the genesis of the grid that you mean: acre grid join GENESIS, in another --home"),
        ClientError::Lied { .. } => {
            failure.state("the false answer was not used").hint("acre doctor")
        }
        _ => failure.hint("acre status, then acre up for a grid of your own; of another one: see that its validators run"),
    }
}

const fn code_of(refused: &Refused) -> Code {
    match refused {
        Refused::NoFunds { .. } => Code::NotEnough,
        Refused::NonceUsed { .. } | Refused::NonceAhead { .. } | Refused::NumberTaken { .. } => {
            Code::Conflict
        }
        Refused::Rule { kind: RuleKind::Missing, .. } => Code::NotFound,
        Refused::Rule { kind: RuleKind::Bounds, .. } => Code::Usage,
        Refused::Rule { kind: RuleKind::Conflict, .. } => Code::Conflict,
        Refused::Rule { kind: RuleKind::Lack, .. } => Code::NotEnough,
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
