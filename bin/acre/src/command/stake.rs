//! `acre farm stake|unstake|collect|members`: what a farm has at stake, and who shares what it earns.

use acre_codec::List;
use acre_ledger::{Action, Farm, Member, Members};
use acre_types::{Amount, FarmId};
use serde_json::json;

use super::farm::find;
use super::person::Person;
use super::show;
use crate::asking::reader;
use crate::cli::FarmMembers;
use crate::exit::{Code, Failure, Outcome};
use crate::home::Home;
use crate::output::Output;

/// Submits a change of a farm's stake and tells what came of it.
pub(super) async fn change(home: &Home, id: FarmId, action: Action, out: &Output) -> Outcome {
    let person = Person::of(home).await?;
    if let Action::StakeFarm { amount, .. } | Action::UnstakeFarm { amount, .. } = &action
        && *amount == Amount::ZERO
    {
        return Err(Failure::new(Code::Usage, "an amount of nothing changes nothing").into());
    }
    let is_request = matches!(action, Action::UnstakeFarm { .. });
    find(&person.ledger, id).await?;
    let committed = person.submit(action).await?;
    let farm = find(&person.ledger, id).await?;
    let mut report = show::numbered_farm(id, &farm);
    report["tx"] = json!(committed.id);
    report["height"] = json!(committed.height);
    out.data(&report, || describe(id, &farm));
    if is_request {
        out.note(&format!("When its epoch has begun: acre farm collect {id}"));
    }
    Ok(())
}

/// `acre farm members`.
pub(super) async fn members(home: &Home, command: FarmMembers, out: &Output) -> Outcome {
    let id = match command {
        FarmMembers::Show { id } => id,
        FarmMembers::Propose { id, members } => {
            let members = parse(&members)?;
            let person = Person::of(home).await?;
            find(&person.ledger, id).await?;
            person.submit(Action::ProposeMembers { farm: id, members }).await?;
            id
        }
        FarmMembers::Accept { id, members } => {
            let agreed = parse(&members)?;
            let person = Person::of(home).await?;
            let farm = find(&person.ledger, id).await?;
            let nothing = || {
                let what = format!("nothing is proposed for farm {id}");
                Failure::new(Code::NotFound, what).hint(format!("acre farm members show {id}"))
            };
            let proposed = farm.proposed.ok_or_else(nothing)?;
            if !agreed.is_empty() && agreed != proposed.members {
                let what = format!("another list is proposed for farm {id} than the one you name");
                return Err(Failure::new(Code::Conflict, what)
                    .state("nothing was accepted")
                    .hint(format!("acre farm members show {id}"))
                    .into());
            }
            let action = Action::AcceptMembers { farm: id, members: proposed.members };
            person.submit(action).await?;
            id
        }
    };
    let farm = find(&reader(home).await?, id).await?;
    let proposed = farm.proposed.as_ref();
    let report = json!({
        "farm": id,
        "members": show::members(&farm.members),
        "proposed": proposed.map(|proposed| show::members(&proposed.members)),
        "missing": proposed.map(|proposed| proposed.missing.to_vec()),
    });
    out.data(&report, || shared(&farm).join("\n"));
    Ok(())
}

/// Reads `ACCOUNT=PARTS`.
fn parse(members: &[String]) -> Outcome<Members> {
    let wrong = |given: &str| {
        Failure::new(Code::Usage, format!("'{given}' is not ACCOUNT=PARTS, with whole parts"))
            .state("nothing was changed")
    };
    let mut list = Vec::new();
    for given in members {
        let (account, parts) = given.split_once('=').ok_or_else(|| wrong(given))?;
        let account = account.parse().map_err(|_| wrong(given))?;
        list.push(Member { account, parts: parts.parse().map_err(|_| wrong(given))? });
    }
    let most = acre_ledger::limits::MEMBERS_MAX;
    Ok(List::new(list)
        .map_err(|_| Failure::new(Code::Usage, format!("a farm has {most} members at most")))?)
}

/// A farm for people.
pub(super) fn describe(id: FarmId, farm: &Farm) -> String {
    let mut text = vec![
        format!("farm     {id} '{}'", farm.name),
        format!("owner    {}", farm.owner),
        format!("payout   {}", farm.payout),
        format!("stake    {}", farm.stake),
    ];
    text.extend(farm.releases.iter().map(|release| {
        format!("         {} comes back from epoch {} on", release.amount, release.epoch)
    }));
    text.extend(shared(farm));
    text.join("\n")
}

/// Who shares what it earns, and who shall.
fn shared(farm: &Farm) -> Vec<String> {
    let list = |members: &[Member]| -> Vec<String> {
        let whole: u64 = members.iter().map(|member| u64::from(member.parts)).sum();
        let line =
            |member: &Member| format!("         {} {} of {whole}", member.account, member.parts);
        members.iter().map(line).collect()
    };
    let mut text = match farm.members.is_empty() {
        true => vec!["members  none: all it earns goes to the payout account".to_owned()],
        false => vec!["members  share what it earns:".to_owned()],
    };
    text.extend(list(&farm.members));
    if let Some(proposed) = &farm.proposed {
        text.push(match proposed.members.is_empty() {
            true => "proposed none: all to the payout account again".to_owned(),
            false => "proposed to share it so:".to_owned(),
        });
        text.extend(list(&proposed.members));
        text.push("missing  the consent of:".to_owned());
        text.extend(proposed.missing.iter().map(|account| format!("         {account}")));
    }
    text
}
