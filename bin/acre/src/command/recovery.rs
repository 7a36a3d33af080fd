//! `acre id recovery`: how a handle comes back whose owner lost the words.
//!
//! The one who lost them makes a new identity and a file that says what is asked ([`RecoveryConsent`]).
//! It goes to friends whose keys the phonebook names; each prints a consent, a line. With enough of
//! them the recovery starts, and completes after a time in which the present keys may veto.

use std::path::Path;

use acre_chain::LedgerClient;
use acre_codec::List;
use acre_ledger::{
    Action, Handle, KeyRole, NewRecovery, RecoveryConsent, RecoveryOf, RecoveryPlan, RecoveryVeto,
};
use acre_types::{PublicKey, Signature};
use serde_json::json;

use super::person::Person;
use super::{show, twin};
use crate::asking::failure;
use crate::cli::IdRecovery;
use crate::exit::{Code, Failure, Outcome};
use crate::home::{Home, write_file};
use crate::output::Output;
use crate::setting::{read_span, span};

/// Bytes of a file at most: a transaction's worth.
const FILE_BYTES_MAX: usize = acre_ledger::limits::TRANSACTION_BYTES_MAX;

pub(super) async fn run(home: &Home, command: IdRecovery, out: &Output) -> Outcome {
    match command {
        IdRecovery::Set { threshold, delay } => set(home, threshold, &delay, out).await,
        IdRecovery::Show { handle } => {
            let (ledger, handle) = twin::named(home, handle).await?;
            tell(&ledger, &handle, out).await
        }
        IdRecovery::Ask { handle, file } => ask(home, handle, &file, out).await,
        IdRecovery::Agree { file } => agree(home, &file, out).await,
        IdRecovery::Start { file, consents } => start(home, &file, &consents, out).await,
        IdRecovery::Veto { handle } => veto(home, handle, out).await,
        IdRecovery::Finish { handle } => {
            let person = Person::of(home).await?;
            person.submit(Action::CompleteRecovery { handle: handle.clone() }).await?;
            out.note("The handle has its new owner: acre id handle show");
            tell(&person.ledger, &handle, out).await
        }
    }
}

async fn set(home: &Home, threshold: u8, delay: &str, out: &Output) -> Outcome {
    let wrong = || {
        Failure::new(Code::Usage, format!("'{delay}' is no time, as 7d or 12h"))
            .state("nothing was changed")
    };
    let delay_ms = read_span(delay).ok_or_else(wrong)?;
    let person = Person::of(home).await?;
    let handle = twin::own(&person.ledger, &person).await?;
    let plan = match threshold {
        0 => RecoveryPlan::default(),
        threshold => RecoveryPlan { threshold, delay_ms },
    };
    let known = twin::find(&person.ledger, &handle).await?.keys;
    let known = known.iter().filter(|key| key.role == KeyRole::Recover).count();
    person.submit(Action::PlanRecovery { handle: handle.clone(), plan }).await?;
    if known < usize::from(threshold) {
        out.warn(&format!(
            "only {known} recover keys stand in the phonebook: acre id key add recover KEY"
        ));
    }
    tell(&person.ledger, &handle, out).await
}

/// Writes what is asked of friends.
async fn ask(home: &Home, handle: Handle, file: &Path, out: &Output) -> Outcome {
    if file.exists() {
        let what = format!("{} exists already", file.display());
        return Err(Failure::new(Code::Conflict, what).state("it was not changed").into());
    }
    let person = Person::of(home).await?;
    let lost = twin::find(&person.ledger, &handle).await?;
    if lost.plan.threshold == 0 {
        let what = format!("the owner of '{handle}' allowed no recovery");
        return Err(Failure::new(Code::Denied, what).state("nothing was made").into());
    }
    let consent = RecoveryConsent {
        chain: person.ledger.chain(),
        handle,
        epoch: lost.epoch,
        attempt: lost.attempt,
        owner: person.account(),
        keys: twin::first_keys(&person)?,
    };
    write_file(file, &acre_codec::encode(&consent))?;
    let report = json!({
        "file": file.display().to_string(), "handle": consent.handle, "owner": consent.owner,
        "needed": lost.plan.threshold,
    });
    out.data(&report, || {
        format!(
            "{} asks for '{}' for account {}.\n\
             {} friends have to agree: acre id recovery agree {}",
            file.display(),
            consent.handle,
            consent.owner,
            lost.plan.threshold,
            file.display(),
        )
    });
    Ok(())
}

fn read(file: &Path) -> Outcome<RecoveryConsent> {
    let bytes = std::fs::read(file)
        .map_err(|error| Failure::new(Code::NotFound, format!("{}: {error}", file.display())))?;
    Ok(acre_codec::decode_bounded(&bytes, FILE_BYTES_MAX).map_err(|error| {
        Failure::new(Code::Damaged, format!("{} asks for no recovery: {error}", file.display()))
            .state("nothing was signed or sent")
    })?)
}

/// Prints the consent of a friend.
async fn agree(home: &Home, file: &Path, out: &Output) -> Outcome {
    let consent = read(file)?;
    let person = Person::of(home).await?;
    check_chain(&person, &consent)?;
    let key = person.key();
    let lost = twin::find(&person.ledger, &consent.handle).await?;
    if !lost.has_key(KeyRole::Recover, &key.public()) {
        let what = format!("the key of this account is no recover key of '{}'", consent.handle);
        return Err(Failure::new(Code::Denied, what).state("nothing was signed").into());
    }
    let line = format!("{}:{}", key.public(), key.sign(&consent));
    out.note(&format!(
        "With this line you agree that '{}' goes to account {}. Be sure that this is who you think.",
        consent.handle, consent.owner
    ));
    let report = json!({ "consent": line, "handle": consent.handle, "owner": consent.owner });
    out.data(&report, || line.clone());
    Ok(())
}

fn check_chain(person: &Person, consent: &RecoveryConsent) -> Outcome {
    if consent.chain == person.ledger.chain() {
        return Ok(());
    }
    let (theirs, ours) = (consent.chain, person.ledger.chain());
    let what = format!("the file is for another grid: its chain is {theirs}, ours is {ours}");
    Err(Failure::new(Code::Denied, what).state("nothing was signed or sent").into())
}

async fn start(home: &Home, file: &Path, consents: &[String], out: &Output) -> Outcome {
    let consent = read(file)?;
    let mut signatures = Vec::new();
    for line in consents {
        let wrong = || {
            let start: String = line.chars().take(24).collect();
            Failure::new(Code::Usage, format!("'{start}' begins no consent"))
                .state("nothing was sent")
                .hint("acre id recovery agree prints the line that is meant")
        };
        let (key, signature) = line.trim().split_once(':').ok_or_else(wrong)?;
        let key: PublicKey = key.parse().map_err(|_| wrong())?;
        let signature: Signature = signature.parse().map_err(|_| wrong())?;
        signatures.push((key, signature));
    }
    let person = Person::of(home).await?;
    check_chain(&person, &consent)?;
    let handle = consent.handle.clone();
    let signatures =
        List::new(signatures).map_err(|_| Failure::new(Code::Usage, "too many consents"))?;
    let RecoveryConsent { owner, keys, .. } = consent;
    let new = NewRecovery { handle: handle.clone(), owner, keys, signatures };
    person.submit(Action::OpenRecovery(new)).await?;
    out.note(&format!("If nobody vetoes it in time: acre id recovery finish {handle}"));
    tell(&person.ledger, &handle, out).await
}

async fn veto(home: &Home, handle: Handle, out: &Output) -> Outcome {
    let person = Person::of(home).await?;
    let present = twin::find(&person.ledger, &handle).await?;
    let key = person.key();
    let public = key.public();
    let speaks =
        [KeyRole::Sign, KeyRole::Device].iter().any(|role| present.has_key(*role, &public));
    let by = if present.owner != person.account() && speaks {
        let (chain, attempt) = (person.ledger.chain(), present.attempt);
        let veto = RecoveryVeto { chain, handle: handle.clone(), attempt };
        Some((public, key.sign(&veto)))
    } else {
        None
    };
    person.submit(Action::VetoRecovery { handle: handle.clone(), by }).await?;
    tell(&person.ledger, &handle, out).await
}

/// Prints the plan, and what runs.
async fn tell(ledger: &LedgerClient, handle: &Handle, out: &Output) -> Outcome {
    let found = twin::find(ledger, handle).await?;
    let running = ledger.read(&RecoveryOf(handle.clone())).await.map_err(failure)?;
    let plan = found.plan;
    let report = json!({
        "handle": handle, "owner": found.owner, "threshold": plan.threshold,
        "delay_ms": plan.delay_ms, "attempt": found.attempt,
        "running": running.as_ref().map(show::recovery),
    });
    out.data(&report, || {
        let mut text = vec![match plan.threshold {
            0 => format!("'{handle}' of {} cannot be recovered", found.owner),
            threshold => format!(
                "'{handle}' of {} is recovered by {threshold} of its recover keys, after {} to veto",
                found.owner,
                span(plan.delay_ms),
            ),
        }];
        text.extend(running.as_ref().map(|running| {
            format!(
                "a recovery runs: to account {}, complete from {} ms on",
                running.owner, running.completes.0
            )
        }));
        text.join("\n")
    });
    Ok(())
}
