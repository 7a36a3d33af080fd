//! `acre vote`: how a grid changes its own settings.

use acre_chain::LedgerClient;
use acre_codec::List;
use acre_ledger::{
    Action, Amendment, NewBallot, NewProposal, Parameters, Proposal, ProposalAt, Side, Subject,
    TheAssembly, VoiceOf,
};
use acre_types::{AccountId, Amount, Height, NodeId, Text};
use serde_json::{Value, json};

use super::person::Person;
use super::show;
use crate::asking::{failure, reader};
use crate::cli::{Admitted, Cast, Change, Propose, Vote, VoteSide};
use crate::exit::{Code, Failure, Outcome};
use crate::home::Home;
use crate::output::Output;
use crate::setting::{self, Setting, span};

pub(crate) async fn run(home: &Home, command: Vote, out: &Output) -> Outcome {
    match command {
        Vote::List => list(home, out).await,
        Vote::Show { number } => tell(&reader(home).await?, number, out).await,
        Vote::Settings { prefix } => settings(home, &prefix, out).await,
        Vote::Propose(propose) => self::propose(home, propose, out).await,
        Vote::Cast(cast) => self::cast(home, cast, out).await,
        Vote::Close { number } => {
            act(home, number, Action::CloseProposal { proposal: number }, out).await
        }
        Vote::Enact { number } => {
            act(home, number, Action::EnactProposal { proposal: number }, out).await
        }
        Vote::Weigh { number, voter } => {
            let person = Person::of(home).await?;
            let voter = voter.unwrap_or_else(|| person.account());
            person.submit(Action::WeighBallot { proposal: number, voter }).await?;
            tell(&person.ledger, number, out).await
        }
        Vote::Voice => voice(&Person::of(home).await?, out).await,
        Vote::Lock { amount } => {
            let person = Person::of(home).await?;
            person.submit(Action::LockVoice { amount }).await?;
            voice(&person, out).await
        }
        Vote::Unlock { amount } => {
            let person = Person::of(home).await?;
            person.submit(Action::UnlockVoice { amount }).await?;
            voice(&person, out).await
        }
    }
}

/// Submits what anyone may ask for, and tells how the proposal stands then.
async fn act(home: &Home, number: u64, action: Action, out: &Output) -> Outcome {
    let person = Person::of(home).await?;
    find(&person.ledger, number).await?;
    person.submit(action).await?;
    tell(&person.ledger, number, out).await
}

async fn find(ledger: &LedgerClient, number: u64) -> Outcome<Proposal> {
    let missing = || {
        Failure::new(Code::NotFound, format!("there is no proposal {number}"))
            .hint("acre vote list")
    };
    let proposal = ledger.read(&ProposalAt(number)).await.map_err(failure)?;
    Ok(proposal.ok_or_else(missing)?)
}

fn numbered(number: u64, proposal: &Proposal) -> Value {
    let mut value = show::proposal(proposal);
    value["number"] = json!(number);
    value
}

async fn list(home: &Home, out: &Output) -> Outcome {
    let ledger = reader(home).await?;
    let count = ledger.totals().await.map_err(failure)?.proposals;
    let places: Vec<_> = (0..count).map(ProposalAt).collect();
    let found = ledger.read_all(&places).await.map_err(failure)?;
    let found: Vec<(u64, Proposal)> =
        (0..).zip(found).filter_map(|(number, found)| Some((number, found?))).collect();
    let values: Vec<Value> =
        found.iter().map(|(number, proposal)| numbered(*number, proposal)).collect();
    out.data(&json!({ "proposals": values }), || {
        let line = |(number, proposal): &(u64, Proposal)| {
            let state = show::proposal_state(proposal.state);
            let about = about(&proposal.change);
            format!("{number:>8}  {state:<10} {about:<14} {}", proposal.reason.as_str())
        };
        let head = format!("{:>8}  {:<10} {:<14} REASON", "PROPOSAL", "STATE", "ABOUT");
        std::iter::once(head).chain(found.iter().map(line)).collect::<Vec<_>>().join("\n")
    });
    Ok(())
}

/// What kind of change it is.
pub(super) fn about(change: &Amendment) -> String {
    let named = format!("{change:?}");
    let end = named.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(named.len());
    named.get(..end).unwrap_or_default().to_lowercase()
}

/// What it would change, seen from the present parameters.
fn changes(change: &Amendment, present: &Parameters) -> Vec<(String, String, String)> {
    match change {
        Amendment::Admit(subject) => vec![("admit".into(), String::new(), named(subject))],
        Amendment::Revoke(subject) => vec![("revoke".into(), String::new(), named(subject))],
        Amendment::Rules { version, at_height } => {
            let (now, then) = (present.rules.version, format!("{version} from height {at_height}"));
            vec![("rules".into(), now.to_string(), then)]
        }
        Amendment::KeepRules => {
            let next = |next: acre_ledger::NextRules| format!("{} to come", next.version);
            let now = present.rules.next.map_or_else(|| "none to come".into(), next);
            vec![("rules".into(), now, "none to come".into())]
        }
        _ => {
            let changed = change.of(present, Height(0));
            let values = Setting::all().iter().map(|setting| {
                (setting.name.to_owned(), setting.value(present), setting.value(&changed))
            });
            values.filter(|(_, now, then)| now != then).collect()
        }
    }
}

fn named(subject: &Subject) -> String {
    match subject {
        Subject::Account(account) => format!("account {account}"),
        Subject::Farmer(account) => format!("farmer {account}"),
        Subject::Validator(key) => format!("validator {key}"),
    }
}

/// Prints how a proposal stands.
async fn tell(ledger: &LedgerClient, number: u64, out: &Output) -> Outcome {
    let proposal = find(ledger, number).await?;
    let present = ledger.parameters().await.map_err(failure)?;
    let totals = ledger.totals().await.map_err(failure)?;
    let units = ledger.read(&TheAssembly).await.map_err(failure)?.unwrap_or_default().units;
    let tokens = u128::from(totals.minted.0.saturating_sub(totals.burned.0));
    let changes = changes(&proposal.change, &present);
    let mut value = numbered(number, &proposal);
    let change = |(name, now, then): &(String, String, String)| json!({ "setting": name, "now": now, "then": then });
    value["changes"] = changes.iter().map(change).collect();
    value["quorum"] = json!({
        "users_permille": proposal.rules.quorum_users,
        "users_all": tokens.to_string(),
        "farmers_permille": proposal.rules.quorum_farmers,
        "farmers_all": units.to_string(),
        "majority_permille": proposal.rules.majority,
    });
    out.data(&value, || {
        let permille = |count: &acre_ledger::Count, all: u128| {
            let cast = count.yes.saturating_add(count.no).saturating_mul(1000);
            cast.checked_div(all).unwrap_or(0)
        };
        // Users vote with tokens, farmers with units of capacity.
        let weight = |name: &str, units: u128| match u64::try_from(units) {
            Ok(units) if name == "users" => Amount(units).to_string(),
            _ => units.to_string(),
        };
        let house = |name: &str, count: &acre_ledger::Count, all: u128, quorum: u16| match all {
            0 => format!("{name:<9} nobody can vote here: it does not count"),
            _ => format!(
                "{name:<9} yes {}, no {}: {} permille of all have voted, {quorum} are needed",
                weight(name, count.yes),
                weight(name, count.no),
                permille(count, all),
            ),
        };
        let state = show::proposal_state(proposal.state);
        let mut text = vec![format!("proposal {number} is {state}: {}", proposal.reason.as_str())];
        text.extend(changes.iter().map(|(name, now, then)| match now.as_str() {
            "" => format!("  {name} {then}"),
            _ => format!("  {name}: {now} -> {then}"),
        }));
        let rules = &proposal.rules;
        text.push(house("users", &proposal.users, tokens, rules.quorum_users));
        text.push(house("farmers", &proposal.farmers, units, rules.quorum_farmers));
        text.push(format!(
            "votes count for {}, then it waits for {}; more than {} permille of what is cast must be for it",
            span(rules.voting_ms),
            span(rules.lock_ms),
            rules.majority,
        ));
        text.join("\n")
    });
    Ok(())
}

async fn settings(home: &Home, prefix: &str, out: &Output) -> Outcome {
    let ledger = reader(home).await?;
    let present = ledger.parameters().await.map_err(failure)?;
    let kind = ledger.grid().await.map_err(failure)?.kind;
    let wanted: Vec<&Setting> =
        Setting::all().iter().filter(|setting| setting.name.starts_with(prefix)).collect();
    if wanted.is_empty() {
        let what = format!("no setting begins with '{prefix}'");
        return Err(Failure::new(Code::NotFound, what).hint("acre vote settings").into());
    }
    let bounds = |setting: &Setting| {
        setting.bounds(&present, kind).unwrap_or_else(|| setting.form().to_owned())
    };
    let values: Vec<Value> = (wanted.iter())
        .map(|setting| {
            json!({
                "setting": setting.name, "what": setting.what, "value": setting.value(&present),
                "raw": setting.json(&present), "bounds": bounds(setting),
            })
        })
        .collect();
    out.data(&json!({ "settings": values }), || {
        let line = |setting: &&Setting| {
            let value = setting.value(&present);
            format!("{:<36} {value:<20} {}; {}", setting.name, setting.what, bounds(setting))
        };
        wanted.iter().map(line).collect::<Vec<_>>().join("\n")
    });
    Ok(())
}

async fn propose(home: &Home, propose: Propose, out: &Output) -> Outcome {
    let person = Person::of(home).await?;
    let present = person.ledger.parameters().await.map_err(failure)?;
    let kind = person.ledger.grid().await.map_err(failure)?.kind;
    let change = match &propose.change {
        Change::Set { settings } => {
            let (changed, groups) = setting::apply(&present, settings, kind)?;
            let [group] = groups.as_slice() else {
                let what = format!("one vote changes one group, these are {}", groups.join(", "));
                return Err(Failure::new(Code::Usage, what)
                    .state("nothing was proposed")
                    .hint("one proposal for each group")
                    .into());
            };
            let none = || Failure::new(Code::Usage, format!("no vote changes {group}"));
            setting::amendment(group, &changed).ok_or_else(none)?
        }
        Change::Admit { what, id } => Amendment::Admit(subject(*what, id)?),
        Change::Revoke { what, id } => Amendment::Revoke(subject(*what, id)?),
        Change::Rules { version, height } => {
            Amendment::Rules { version: *version, at_height: Height(*height) }
        }
        Change::KeepRules => Amendment::KeepRules,
    };
    let reason = Text::new(&*propose.reason).map_err(|error| Failure::new(Code::Usage, error))?;
    let before = person.ledger.totals().await.map_err(failure)?.proposals;
    person.submit(Action::Propose(NewProposal { change: change.clone(), reason })).await?;
    // Somebody else may have proposed at the same time: ours is the one that is ours.
    let after = person.ledger.totals().await.map_err(failure)?.proposals;
    let mut number = None;
    for candidate in before..after {
        let proposal = find(&person.ledger, candidate).await?;
        if proposal.proposer == person.account() && proposal.change == change {
            number = Some(candidate);
        }
    }
    let number = number.ok_or_else(|| {
        Failure::new(Code::OutcomeUnknown, "the proposal is not seen yet").hint("acre vote list")
    })?;
    out.note(&format!("Vote on it: acre vote cast {number} yes"));
    tell(&person.ledger, number, out).await
}

fn subject(what: Admitted, id: &str) -> Outcome<Subject> {
    let usage = |error: acre_types::ParseError| Failure::new(Code::Usage, error);
    Ok(match what {
        Admitted::Account => Subject::Account(id.parse().map_err(usage)?),
        Admitted::Farmer => Subject::Farmer(id.parse().map_err(usage)?),
        Admitted::Validator => Subject::Validator(id.parse().map_err(usage)?),
    })
}

async fn cast(home: &Home, cast: Cast, out: &Output) -> Outcome {
    let person = Person::of(home).await?;
    find(&person.ledger, cast.number).await?;
    let nodes = match cast.nodes.is_empty() {
        true => own_nodes(&person.ledger, person.account()).await?,
        false => cast.nodes,
    };
    let most = acre_ledger::limits::BALLOT_NODES_MAX;
    let nodes = List::new(nodes)
        .map_err(|_| Failure::new(Code::Usage, format!("a ballot names {most} nodes at most")))?;
    let side = match cast.side {
        VoteSide::Yes => Side::Yes,
        VoteSide::No => Side::No,
    };
    person.submit(Action::Vote(NewBallot { proposal: cast.number, side, nodes })).await?;
    tell(&person.ledger, cast.number, out).await
}

/// The nodes that an account operates, as many as a ballot holds, those that prove most first.
async fn own_nodes(ledger: &LedgerClient, account: AccountId) -> Outcome<Vec<NodeId>> {
    let mut nodes = ledger.nodes().await.map_err(failure)?;
    nodes.retain(|(_, node)| node.operator == account);
    nodes.sort_by_key(|(_, node)| std::cmp::Reverse(acre_ledger::proven_units(node)));
    let nodes = nodes.into_iter().map(|(id, _)| id);
    Ok(nodes.take(acre_ledger::limits::BALLOT_NODES_MAX).collect())
}

async fn voice(person: &Person, out: &Output) -> Outcome {
    let voice = person.ledger.read(&VoiceOf(person.account())).await.map_err(failure)?;
    let voice = voice.unwrap_or_default();
    let report = json!({
        "account": person.account(),
        "locked": voice.amount.to_string(),
        "locked_units": voice.amount,
        "held_until_ms": voice.held_until,
    });
    out.data(&report, || format!("{} locked to vote with", voice.amount));
    Ok(())
}
