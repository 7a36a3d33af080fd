//! `acre id handle` and `acre id key`: what the phonebook says of an account.

use acre_chain::LedgerClient;
use acre_codec::{Blob, List};
use acre_ledger::{Action, Handle, KeyRole, Twin, TwinKey, TwinKeys, TwinOf, TwinState};
use serde_json::{Value, json};

use super::person::Person;
use super::show;
use crate::asking::{failure, reader};
use crate::cli::{IdHandle, IdKey, Role};
use crate::exit::{Code, Failure, Outcome};
use crate::home::Home;
use crate::output::Output;

pub(super) async fn handle(home: &Home, command: IdHandle, out: &Output) -> Outcome {
    if let IdHandle::Show { handle } = command {
        let (ledger, handle) = named(home, handle).await?;
        return tell(&ledger, &handle, out).await;
    }
    let person = Person::of(home).await?;
    let (handle, action) = match command {
        IdHandle::Claim { handle } => {
            let action =
                Action::RegisterTwin { handle: handle.clone(), keys: first_keys(&person)? };
            (handle, action)
        }
        IdHandle::Accept { handle } => {
            let action = Action::AcceptTwin { handle: handle.clone(), keys: first_keys(&person)? };
            (handle, action)
        }
        IdHandle::Give { handle, to } => (handle.clone(), Action::OfferTwin { handle, to }),
        IdHandle::Release { handle } => (handle.clone(), Action::ReleaseTwin { handle }),
        IdHandle::Show { .. } => return Ok(()),
    };
    person.submit(action).await?;
    tell(&person.ledger, &handle, out).await
}

pub(super) async fn key(home: &Home, command: IdKey, out: &Output) -> Outcome {
    let person = match command {
        IdKey::List { handle } => {
            let (ledger, handle) = named(home, handle).await?;
            let twin = find(&ledger, &handle).await?;
            return list(&handle, &twin, out);
        }
        IdKey::Add { .. } | IdKey::Remove { .. } => Person::of(home).await?,
    };
    let handle = own(&person.ledger, &person).await?;
    let mut keys = find(&person.ledger, &handle).await?.keys.into_vec();
    match command {
        IdKey::Add { role, key } => {
            let new = TwinKey { role: role_of(role), key: bytes(&key)? };
            if keys.contains(&new) {
                let what = format!("'{handle}' has this key in this role already");
                return Err(Failure::new(Code::Conflict, what).state("nothing was changed").into());
            }
            keys.push(new);
        }
        IdKey::Remove { key } => {
            let is_it = |known: &TwinKey| show::hex(&known.key).starts_with(&key);
            let count = keys.iter().filter(|known| is_it(known)).count();
            if count != 1 || key.is_empty() {
                let (code, what) = match count {
                    0 => (Code::NotFound, format!("no key of '{handle}' begins with '{key}'")),
                    _ => (Code::Usage, format!("'{key}' begins {count} keys of '{handle}'")),
                };
                return Err(Failure::new(code, what)
                    .state("nothing was changed")
                    .hint("acre id key list")
                    .into());
            }
            keys.retain(|known| !is_it(known));
        }
        IdKey::List { .. } => {}
    }
    let most = acre_ledger::limits::TWIN_KEYS_MAX;
    let keys = List::new(keys)
        .map_err(|_| Failure::new(Code::Usage, format!("a handle has {most} keys at most")))?;
    person.submit(Action::RotateTwin { handle: handle.clone(), keys }).await?;
    let twin = find(&person.ledger, &handle).await?;
    list(&handle, &twin, out)
}

/// What a new owner begins with: the account's own key signs.
pub(super) fn first_keys(person: &Person) -> Outcome<TwinKeys> {
    let key = Blob::new(person.key().public().as_bytes().to_vec())?;
    Ok(List::new(vec![TwinKey { role: KeyRole::Sign, key }])?)
}

const fn role_of(role: Role) -> KeyRole {
    match role {
        Role::Sign => KeyRole::Sign,
        Role::Agree => KeyRole::Agree,
        Role::Device => KeyRole::Device,
        Role::Recover => KeyRole::Recover,
    }
}

/// Reads hexadecimal.
fn bytes<const MAX: usize>(text: &str) -> Outcome<Blob<MAX>> {
    let wrong = || {
        let start: String = text.chars().take(16).collect();
        Failure::new(Code::Usage, format!("'{start}' begins no public key in hexadecimal"))
            .state("nothing was changed")
    };
    let text = text.trim();
    let pairs = (0..text.len()).step_by(2).map(|at| text.get(at..at + 2));
    let bytes: Option<Vec<u8>> = pairs.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect();
    let bytes = bytes.filter(|bytes| !bytes.is_empty()).ok_or_else(wrong)?;
    Ok(Blob::new(bytes).map_err(|_| wrong())?)
}

/// The handle of this account.
pub(super) async fn own(ledger: &LedgerClient, person: &Person) -> Outcome<Handle> {
    let handle = ledger.read(&TwinOf(person.account())).await.map_err(failure)?;
    let none = || {
        Failure::new(Code::NotFound, "this account has no handle")
            .state("nothing was changed")
            .hint("acre id handle claim HANDLE")
    };
    Ok(handle.ok_or_else(none)?)
}

/// The handle that was named, or this account's.
pub(super) async fn named(home: &Home, handle: Option<Handle>) -> Outcome<(LedgerClient, Handle)> {
    if let Some(handle) = handle {
        return Ok((reader(home).await?, handle));
    }
    let person = Person::of(home).await?;
    let handle = own(&person.ledger, &person).await?;
    Ok((person.ledger, handle))
}

/// A twin that somebody holds, or held.
pub(super) async fn find(ledger: &LedgerClient, handle: &Handle) -> Outcome<Twin> {
    let missing = || Failure::new(Code::NotFound, format!("nobody has the handle '{handle}'"));
    Ok(ledger.twin(handle).await.map_err(failure)?.ok_or_else(missing)?)
}

async fn tell(ledger: &LedgerClient, handle: &Handle, out: &Output) -> Outcome {
    let twin = find(ledger, handle).await?;
    let mut value = show::twin(&twin);
    value["handle"] = json!(handle);
    out.data(&value, || {
        let mut text = match twin.state {
            TwinState::Held => vec![format!("{handle} is held by {}", twin.owner)],
            TwinState::Released { .. } => {
                vec![format!("{handle} is nobody's; it was given back by {}", twin.owner)]
            }
        };
        text.push(format!("epoch {}, deposit {}", twin.epoch, twin.deposit));
        text.extend(lines(&twin));
        text.extend(twin.offered.map(|to| format!("offered to {to}")));
        text.join("\n")
    });
    Ok(())
}

fn list(handle: &Handle, twin: &Twin, out: &Output) -> Outcome {
    let value: Value =
        json!({ "handle": handle, "epoch": twin.epoch, "keys": show::keys(&twin.keys) });
    out.data(&value, || lines(twin).join("\n"));
    Ok(())
}

fn lines(twin: &Twin) -> Vec<String> {
    let line = |key: &TwinKey| format!("{:<8} {}", show::role(key.role), show::hex(&key.key));
    twin.keys.iter().map(line).collect()
}
