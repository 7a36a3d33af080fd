//! `acre farm`.

use std::time::{SystemTime, UNIX_EPOCH};

use acre_chain::LedgerClient;
use acre_ledger::{Action, Farm, JoinToken, SignedJoinToken};
use acre_types::{AccountId, FarmId, Text, UnixMs};
use serde_json::{Value, json};

use super::person::Person;
use super::{attest, show, stake};
use crate::asking::{failure, reader};
use crate::cli::Farm as Command;
use crate::exit::{Code, Failure, Outcome};
use crate::home::Home;
use crate::output::Output;

/// How long a token may be used: time to carry it to a box and boot that.
const TOKEN_LIFE_MS: u64 = 7 * 24 * 3600 * 1000;

pub(crate) async fn run(home: &Home, command: Command, out: &Output) -> Outcome {
    match command {
        Command::Create { name } => create(home, &name, out).await,
        Command::Show { id } => list(home, id, out).await,
        Command::Set { id, name, payout } => set(home, id, name, payout, out).await,
        Command::Token { id } => token(home, id, out).await,
        Command::Explain { id, periods } => super::reward::explain(home, id, periods, out).await,
        Command::Claim { id } => super::reward::claim(home, id, out).await,
        Command::Stake { id, amount } => {
            stake::change(home, id, Action::StakeFarm { farm: id, amount }, out).await
        }
        Command::Unstake { id, amount } => {
            stake::change(home, id, Action::UnstakeFarm { farm: id, amount }, out).await
        }
        Command::Collect { id } => {
            stake::change(home, id, Action::CollectFarmStake { farm: id }, out).await
        }
        Command::Attest { id, level, evidence, epochs } => {
            attest::attest(home, id, level, &evidence, epochs, out).await
        }
        Command::Unattest { id, by } => attest::unattest(home, id, by, out).await,
        Command::Members(command) => stake::members(home, command, out).await,
        Command::Simulate(options) => super::plan::run(&options, out),
    }
}

async fn create(home: &Home, name: &str, out: &Output) -> Outcome {
    let person = Person::of(home).await?;
    let name = Text::new(name).map_err(|error| Failure::new(Code::Usage, error))?;
    let action = Action::CreateFarm { name: name.clone(), payout: person.account() };
    let committed = person.ledger.submit(&person.key(), action).await.map_err(failure)?;
    let farms = person.ledger.farms_of(person.account()).await.map_err(failure)?;
    let id = farms.last().map(|(id, _)| *id);
    let report = json!({ "id": id, "name": name, "tx": committed.id, "height": committed.height });
    out.data(&report, || {
        let id = id.map_or_else(|| "?".to_owned(), |id| id.to_string());
        format!("farm {id} '{name}' is yours. A node joins it with: acre farm token {id}")
    });
    Ok(())
}

async fn set(
    home: &Home,
    id: FarmId,
    name: Option<String>,
    payout: Option<AccountId>,
    out: &Output,
) -> Outcome {
    if name.is_none() && payout.is_none() {
        return Err(Failure::new(Code::Usage, "neither a name nor an account was named")
            .state("nothing was changed")
            .hint(format!("acre farm set {id} --name NAME"))
            .into());
    }
    let person = Person::of(home).await?;
    let known = find(&person.ledger, id).await?;
    let name = match name {
        Some(name) => Text::new(name)
            .map_err(|error| Failure::new(Code::Usage, error).state("nothing was changed"))?,
        None => known.name,
    };
    let payout = payout.unwrap_or(known.payout);
    person.submit(Action::UpdateFarm { farm: id, name, payout }).await?;
    let farm = find(&person.ledger, id).await?;
    let value = show::numbered_farm(id, &farm);
    out.data(&value, || show::lines(&value));
    Ok(())
}

async fn list(home: &Home, id: Option<FarmId>, out: &Output) -> Outcome {
    let ledger = reader(home).await?;
    let farms = match id {
        None => ledger.farms().await.map_err(failure)?,
        Some(id) => vec![(id, find(&ledger, id).await?)],
    };
    let mut values: Vec<Value> =
        farms.iter().map(|(id, farm)| show::numbered_farm(*id, farm)).collect();
    // Of one farm, whose word it has, too.
    let mut words = Vec::new();
    if let (Some(id), [value]) = (id, values.as_mut_slice()) {
        let found = attest::of(&ledger, id).await?;
        value["certification"] = found["certification"].clone();
        value["attestations"] = found["attestations"].clone();
        words = attest::in_words(&found);
    }
    out.data(&json!({ "farms": values }), || match (&id, farms.as_slice()) {
        (Some(id), [(_, farm)]) => {
            std::iter::once(stake::describe(*id, farm)).chain(words).collect::<Vec<_>>().join("\n")
        }
        _ => {
            let head = format!("{:>5}  {:<24} {:<17} {:>16}", "FARM", "NAME", "OWNER", "STAKE");
            let lines = farms.iter().map(|(id, farm)| {
                let (owner, stake) = (show::short(farm.owner), farm.stake.to_string());
                format!("{id:>5}  {:<24} {owner}… {stake:>16}", farm.name)
            });
            std::iter::once(head).chain(lines).collect::<Vec<_>>().join("\n")
        }
    });
    Ok(())
}

/// A farm that must be there.
pub(super) async fn find(ledger: &LedgerClient, id: FarmId) -> Outcome<Farm> {
    let missing =
        || Failure::new(Code::NotFound, format!("there is no farm {id}")).hint("acre farm show");
    Ok(ledger.farm(id).await.map_err(failure)?.ok_or_else(missing)?)
}

/// Prints a bearer token in hexadecimal: for one file, carried to one box.
async fn token(home: &Home, id: FarmId, out: &Output) -> Outcome {
    let person = Person::of(home).await?;
    let farm = find(&person.ledger, id).await?;
    if farm.owner != person.account() {
        let what = format!("farm {id} belongs to another account");
        return Err(Failure::new(Code::Denied, what).state("no token was signed").into());
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let expires = UnixMs(u64::try_from(now.as_millis())?.saturating_add(TOKEN_LIFE_MS));
    let token = JoinToken { chain: person.ledger.chain(), farm: id, node: None, expires };
    let signed = SignedJoinToken::new(token, &person.key());
    let hex: String =
        acre_codec::encode(&signed).iter().map(|byte| format!("{byte:02x}")).collect();
    out.note(
        "Whoever has this token may join your farm for seven days. Keep it in a file of its own.",
    );
    out.data(&json!({ "token": hex, "expires_ms": expires }), || hex.clone());
    Ok(())
}
