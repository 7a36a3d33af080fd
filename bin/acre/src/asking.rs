//! How this process asks the ledger: the clients it makes, how long they wait and what they say of it on
//! standard error (set once, from the command line), and what an answer means for the one who asked.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use acre_chain::client::{Options, Waiting};
use acre_chain::{ClientError, LedgerClient, Refused, RuleKind};
use acre_crypto::SigningKey;
use acre_net::{Endpoint, StaticBook};
use anyhow::Context as _;

use crate::context::Context;
use crate::exit::{Code, Failure, Outcome};
use crate::home::Home;
use crate::output::{Notes, say};
use crate::random;

struct Manner {
    patience: Option<Duration>,
    notes: Notes,
}

static MANNER: OnceLock<Manner> = OnceLock::new();

/// Called once, before any client is made; later calls change nothing.
pub(crate) fn set(patience: Option<Duration>, notes: Notes) {
    let _ = MANNER.set(Manner { patience, notes });
}

/// The same options, with how this process waits.
fn with_manner(options: Options) -> Options {
    let patience = MANNER.get().and_then(|manner| manner.patience);
    let options = match MANNER.get().map(|manner| manner.notes) {
        Some(Notes::Hidden) => options,
        _ => options.with_told(|waiting: &Waiting| say(waiting)),
    };
    Options { patience, ..options }
}

/// A ledger client of a process that only dials, and trusts the genesis alone.
pub(crate) async fn ledger_client(context: &Context) -> Outcome<LedgerClient> {
    client_with(context, Options::default()).await
}

/// The same, which begins from the checkpoint in a file and keeps newer ones there.
pub(crate) async fn ledger_client_in(context: &Context, file: &Path) -> Outcome<LedgerClient> {
    client_with(context, kept_in(file, context)?).await
}

/// Begins from the checkpoint in a file and keeps newer ones there.
pub(crate) fn kept_in(file: &Path, context: &Context) -> Outcome<Options> {
    Options::in_file(file, &context.genesis).with_context(|| file.display().to_string())
}

async fn client_with(context: &Context, options: Options) -> Outcome<LedgerClient> {
    let key = SigningKey::from_seed(random::secret()?);
    Ok(connected(context, &key, options).await?.0)
}

/// A client with the endpoint and the address book that it uses: it learns from the ledger which
/// validators there are.
pub(crate) async fn connected(
    context: &Context,
    key: &SigningKey,
    options: Options,
) -> Outcome<(LedgerClient, Endpoint, Arc<StaticBook>)> {
    let book: Arc<StaticBook> = Arc::new(context.validators.iter().copied().collect());
    let endpoint = Endpoint::bind(key, None, Arc::clone(&book) as _).await?;
    let keys = context.validators.iter().map(|(key, _)| *key).collect();
    let options = with_manner(options.with_book(Arc::clone(&book)));
    Ok((LedgerClient::with(&context.genesis, endpoint.clone(), keys, options), endpoint, book))
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
pub(crate) fn ledger_failure(error: &ClientError, failure: Failure) -> Failure {
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

pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}
