//! `acre farm`.

use std::time::{SystemTime, UNIX_EPOCH};

use acre_ledger::{Action, JoinToken, SignedJoinToken};
use acre_types::{FarmId, Text, UnixMs};
use serde_json::{Value, json};

use super::person::{Person, failure, reader};
use super::show;
use crate::cli::Farm;
use crate::exit::{Code, Failure, Outcome};
use crate::home::Home;
use crate::output::Output;

/// How long a token may be used: time to carry it to a box and boot that.
const TOKEN_LIFE_MS: u64 = 7 * 24 * 3600 * 1000;

pub(crate) async fn run(home: &Home, command: Farm, out: &Output) -> Outcome {
    match command {
        Farm::Create { name } => create(home, &name, out).await,
        Farm::Show { id } => list(home, id, out).await,
        Farm::Token { id } => token(home, id, out).await,
        Farm::Explain { id, periods } => super::reward::explain(home, id, periods, out).await,
        Farm::Claim { id } => super::reward::claim(home, id, out).await,
        Farm::Simulate(options) => super::plan::run(&options, out),
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

async fn list(home: &Home, id: Option<FarmId>, out: &Output) -> Outcome {
    let ledger = reader(home).await?;
    let farms = match id {
        None => ledger.farms().await.map_err(failure)?,
        Some(id) => {
            let missing = || Failure::new(Code::NotFound, format!("there is no farm {id}"));
            let farm = ledger.farm(id).await.map_err(failure)?.ok_or_else(missing)?;
            vec![(id, farm)]
        }
    };
    let values: Vec<Value> =
        farms.iter().map(|(id, farm)| show::numbered_farm(*id, farm)).collect();
    out.data(&json!({ "farms": values }), || {
        let mut lines = vec![format!("{:>5}  {:<24} {}", "FARM", "NAME", "OWNER")];
        for (id, farm) in &farms {
            lines.push(format!("{id:>5}  {:<24} {}…", farm.name, show::short(farm.owner)));
        }
        lines.join("\n")
    });
    Ok(())
}

/// Prints a bearer token in hexadecimal: for one file, carried to one box.
async fn token(home: &Home, id: FarmId, out: &Output) -> Outcome {
    let person = Person::of(home).await?;
    let farm = person.ledger.farm(id).await.map_err(failure)?;
    let farm =
        farm.ok_or_else(|| Failure::new(Code::NotFound, format!("there is no farm {id}")))?;
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
