//! `acre validator join|set|leave|stake|unstake|collect`: standing for a seat.

use std::net::SocketAddr;
use std::path::Path;

use acre_chain::LedgerClient;
use acre_codec::List;
use acre_crypto::SigningKey;
use acre_ledger::{
    Action, Address, BackingNodes, Candidate, CandidateBy, CandidateOf, NewCandidate, Possession,
    SeatsBy, Standing, TheSeats,
};
use acre_types::{AccountId, Amount, NodeId, PublicKey, Text};
use serde_json::json;

use super::person::Person;
use super::show;
use crate::asking::failure;
use crate::exit::{Code, Failure, Outcome};
use crate::home::Home;
use crate::output::Output;
use crate::role::{self, validator::Settings};

/// Which way a stake goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    More,
    Less,
}

/// A candidate and the key that speaks for it.
struct Own {
    validator: PublicKey,
    account: AccountId,
    key: SigningKey,
}

/// Registers the validator whose directory this is.
pub(crate) async fn join(
    home: &Home,
    dir: &Path,
    stake: Option<Amount>,
    nodes: Vec<NodeId>,
    out: &Output,
) -> Outcome {
    let settings: Settings = role::read_settings(dir)?;
    let key = existing_key(dir)?;
    let person = Person::of(home).await?;
    let genesis = crate::context::Context::of_grid(&settings.grid)?.genesis;
    if genesis.digest() != person.ledger.chain() {
        let what = format!(
            "the validator in {} is of the grid '{}', chain {}; this home is of chain {}",
            dir.display(),
            genesis.name,
            genesis.digest(),
            person.ledger.chain()
        );
        return Err(Failure::new(Code::Denied, what).state("nothing was registered").into());
    }
    let parameters = person.ledger.parameters().await.map_err(failure)?;
    let least = match parameters.seats.by {
        SeatsBy::Stake { min } => min,
        SeatsBy::Fixed | SeatsBy::ProvenCapacity { .. } => Amount::ZERO,
    };
    let stake = stake.unwrap_or(least);
    let account = person.account();
    let new = NewCandidate {
        validator: key.public(),
        possession: key.sign(&Possession { chain: person.ledger.chain(), account }),
        engine: Text::new(settings.engine.to_string())?,
        rpc: Text::new(settings.rpc.to_string())?,
        stake,
        nodes: backing(nodes)?,
    };
    person.submit(Action::RegisterCandidate(new)).await?;
    if stake < least {
        out.warn(&format!("{least} are needed for a seat here: acre validator stake"));
    }
    out.note("Keep it running; it follows the chain from the next term on, and sits at a later one: acre validator list");
    tell(&person.ledger, key.public(), out).await
}

fn backing(nodes: Vec<NodeId>) -> Outcome<BackingNodes> {
    Ok(List::new(nodes).map_err(|_| {
        let most = acre_ledger::limits::BACKING_NODES_MAX;
        Failure::new(Code::Usage, format!("{most} nodes at most stand behind a candidate"))
            .state("nothing was changed")
    })?)
}

/// What a candidate says of itself anew; `None` stays as it is.
pub(crate) struct Update {
    pub(crate) engine: Option<SocketAddr>,
    pub(crate) rpc: Option<SocketAddr>,
    pub(crate) nodes: Option<Vec<NodeId>>,
}

/// Changes where a candidate is reached, or which nodes stand behind it.
pub(crate) async fn set(home: &Home, dir: Option<&Path>, new: Update, out: &Output) -> Outcome {
    if new.engine.is_none() && new.rpc.is_none() && new.nodes.is_none() {
        return Err(Failure::new(Code::Usage, "nothing to change was named")
            .state("nothing was changed")
            .hint("acre validator set --help")
            .into());
    }
    let person = Person::of(home).await?;
    let own = own(&person, dir).await?;
    let missing = || {
        let what = format!("{} is no candidate any more", own.validator);
        Failure::new(Code::NotFound, what).state("nothing was changed")
    };
    let known = find(&person.ledger, own.validator).await?.ok_or_else(missing)?;
    let address = |new: Option<SocketAddr>, known: Address| match new {
        Some(new) => Text::new(new.to_string()),
        None => Ok(known),
    };
    let action = Action::UpdateCandidate {
        validator: own.validator,
        engine: address(new.engine, known.engine)?,
        rpc: address(new.rpc, known.rpc)?,
        nodes: new.nodes.map_or(Ok(known.nodes), backing)?,
    };
    submit(&person, &own, action).await?;
    out.note("A seat takes new addresses with the next term; the validator's own settings are its directory's.");
    tell(&person.ledger, own.validator, out).await
}

/// Gives up a seat or the wish for one.
pub(crate) async fn leave(home: &Home, dir: Option<&Path>, out: &Output) -> Outcome {
    let person = Person::of(home).await?;
    let own = own(&person, dir).await?;
    submit(&person, &own, Action::LeaveSeats { validator: own.validator }).await?;
    let seats = person.ledger.read(&TheSeats).await.map_err(failure)?;
    let sits =
        seats.is_some_and(|seats| seats.members.iter().any(|seat| seat.validator == own.validator));
    if sits {
        out.note("Keep it running until it has lost its seat: acre validator list");
    }
    tell(&person.ledger, own.validator, out).await
}

/// Adds to a stake, or asks for a part of it.
pub(crate) async fn stake(home: &Home, change: Change, amount: Amount, out: &Output) -> Outcome {
    let person = Person::of(home).await?;
    let own = own(&person, None).await?;
    let validator = own.validator;
    let action = match change {
        Change::More => Action::RaiseStake { validator, amount },
        Change::Less => Action::LowerStake { validator, amount },
    };
    submit(&person, &own, action).await?;
    tell(&person.ledger, validator, out).await
}

/// Has what is due of a stake paid back; anybody may.
pub(crate) async fn collect(home: &Home, validator: Option<PublicKey>, out: &Output) -> Outcome {
    let person = Person::of(home).await?;
    let validator = match validator {
        Some(validator) => validator,
        None => own(&person, None).await?.validator,
    };
    person.submit(Action::CollectStake { validator }).await?;
    tell(&person.ledger, validator, out).await
}

/// The candidate of this account, or that of the genesis whose directory this is.
async fn own(person: &Person, dir: Option<&Path>) -> Outcome<Own> {
    let Some(dir) = dir else {
        let account = person.account();
        let validator = person.ledger.read(&CandidateOf(account)).await.map_err(failure)?;
        let none = || {
            Failure::new(Code::NotFound, "this account has no candidate")
                .state("nothing was changed")
                .hint(
                    "acre validator join --dir DIR; for a validator of the genesis name its --dir",
                )
        };
        let validator = validator.ok_or_else(none)?;
        return Ok(Own { validator, account, key: person.key() });
    };
    let key = existing_key(dir)?;
    let validator = key.public();
    let candidate = find(&person.ledger, validator).await?;
    let missing = || {
        let what = format!("the validator in {} is no candidate", dir.display());
        Failure::new(Code::NotFound, what).state("nothing was changed").hint("acre validator list")
    };
    let account = candidate.ok_or_else(missing)?.account;
    if account == person.account() {
        return Ok(Own { validator, account, key: person.key() });
    }
    if account == AccountId::from(validator) {
        return Ok(Own { validator, account, key });
    }
    let what = format!("candidate {validator} belongs to account {account}");
    Err(Failure::new(Code::Denied, what).state("nothing was changed").into())
}

async fn submit(person: &Person, own: &Own, action: Action) -> Outcome {
    let done = person.ledger.submit_as(own.account, &own.key, action).await;
    let Err(error) = done else { return Ok(()) };
    let error = failure(error);
    // A validator of the genesis has an account of its own, mostly without a token for fees.
    match error.downcast::<Failure>() {
        Ok(failed) if failed.code == Code::NotEnough && own.account != person.account() => {
            let hint = format!("send it some for fees: acre wallet send {} 1", own.account);
            Err(failed.hint(hint).into())
        }
        Ok(failed) => Err(failed.into()),
        Err(error) => Err(error),
    }
}

async fn find(ledger: &LedgerClient, validator: PublicKey) -> Outcome<Option<Candidate>> {
    ledger.read(&CandidateBy(validator)).await.map_err(failure)
}

/// Prints how a candidate stands; one that left and has all back is gone.
async fn tell(ledger: &LedgerClient, validator: PublicKey, out: &Output) -> Outcome {
    let candidate = find(ledger, validator).await?;
    let mut report = match &candidate {
        Some(candidate) => show::candidate(candidate),
        None => json!({ "standing": "gone" }),
    };
    report["id"] = json!(validator);
    out.data(&report, || {
        let Some(candidate) = &candidate else {
            return format!(
                "{validator} is no candidate any more, and nothing of its stake is left here"
            );
        };
        let standing = match candidate.standing {
            Standing::Standing => "stands for a seat",
            Standing::Leaving => "leaves",
        };
        let mut text = vec![format!("{validator} {standing} with a stake of {}", candidate.stake)];
        text.extend(candidate.releases.iter().map(|release| {
            format!(
                "{} come back from term {} on: acre validator collect",
                release.amount, release.term
            )
        }));
        text.join("\n")
    });
    Ok(())
}

/// The key in a directory; none is drawn.
fn existing_key(dir: &Path) -> Outcome<SigningKey> {
    if !dir.join("key").exists() {
        let what = format!("there is no validator in {}", dir.display());
        return Err(Failure::new(Code::NotFound, what)
            .state("nothing was changed")
            .hint("acre validator new --dir DIR")
            .into());
    }
    role::key(dir)
}
