//! `acre farm attest|unattest`: the word of certifiers about a farm.

use std::path::Path;

use acre_chain::LedgerClient;
use acre_ledger::mint::Certification;
use acre_ledger::{Action, CertificateOf};
use acre_types::{AccountId, Digest, Epoch, FarmId};
use serde_json::{Value, json};

use super::farm::find;
use super::node::present_epoch;
use super::person::Person;
use super::show;
use crate::asking::failure;
use crate::cli::Level;
use crate::exit::{Code, Failure, Outcome};
use crate::home::Home;
use crate::output::Output;

pub(super) async fn attest(
    home: &Home,
    id: FarmId,
    level: Level,
    evidence: &Path,
    epochs: Option<u64>,
    out: &Output,
) -> Outcome {
    let evidence = digest(evidence)?;
    let person = Person::of(home).await?;
    find(&person.ledger, id).await?;
    let most = person.ledger.parameters().await.map_err(failure)?.certification.epochs_max;
    let running = present_epoch(&person.ledger).await?.number;
    let until = Epoch(running.0.saturating_add(epochs.unwrap_or(most)));
    let level = match level {
        Level::Certified => Certification::Certified,
        Level::Gold => Certification::Gold,
    };
    person.submit(Action::AttestFarm { farm: id, level, evidence, until }).await?;
    tell(&person, id, out).await
}

pub(super) async fn unattest(
    home: &Home,
    id: FarmId,
    by: Option<AccountId>,
    out: &Output,
) -> Outcome {
    let person = Person::of(home).await?;
    find(&person.ledger, id).await?;
    let by = by.unwrap_or_else(|| person.account());
    person.submit(Action::RevokeAttestation { farm: id, by }).await?;
    tell(&person, id, out).await
}

/// BLAKE3 of a file, as `b3sum` prints it.
fn digest(file: &Path) -> Outcome<Digest> {
    let bytes = std::fs::read(file).map_err(|error| {
        Failure::new(Code::NotFound, format!("{}: {error}", file.display()))
            .state("nothing was attested")
    })?;
    Ok(acre_crypto::digest(&bytes))
}

async fn tell(person: &Person, id: FarmId, out: &Output) -> Outcome {
    let mut report = of(&person.ledger, id).await?;
    report["farm"] = json!(id);
    out.data(&report, || show::lines(&report));
    Ok(())
}

/// Whose word a farm has, and what that makes of it in the epoch that runs.
pub(super) async fn of(ledger: &LedgerClient, id: FarmId) -> Outcome<Value> {
    let certificate = ledger.read(&CertificateOf(id)).await.map_err(failure)?.unwrap_or_default();
    let rules = ledger.parameters().await.map_err(failure)?.certification;
    let running = present_epoch(ledger).await?.number;
    let mut report = show::certificate(&certificate);
    let level = certificate.level(&rules, running, running);
    report["certification"] = json!(format!("{level:?}").to_lowercase());
    Ok(report)
}

/// The same for people, a line each.
pub(super) fn in_words(report: &Value) -> Vec<String> {
    let text = |value: &Value, key: &str| {
        value[key].as_str().map_or_else(|| value[key].to_string(), ToOwned::to_owned)
    };
    let level = format!("level    {}", text(report, "certification"));
    let words = report["attestations"].as_array().into_iter().flatten().map(|one| {
        let (by, level, until) = (text(one, "by"), text(one, "level"), text(one, "until_epoch"));
        format!("         {level} by the word of {by}, until epoch {until}")
    });
    std::iter::once(level).chain(words).collect()
}
