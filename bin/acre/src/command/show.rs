//! Ledger objects as JSON: snake_case, units in the keys.

mod contract;

use acre_ledger::{
    Account, AnyObject, Attestation, Beacon, Candidate, Certificate, Count, Earnings, EpochState,
    Farm, FarmRelease, Grid, KeyRole, Member, MintReceiptObject, Node, NodeState, Parameters,
    Power, Proposal, ProposalState, Recovery, Release, Seat, Seats, Standing, Tally, Totals, Twin,
    TwinKey, TwinState,
};
use acre_types::{AccountId, FarmId, NodeId, UnixMs};
use serde_json::{Value, json};

use crate::setting::Setting;

pub(crate) use self::contract::{bill_line, cause, contract};

pub(crate) fn object(any: &AnyObject) -> Value {
    match any {
        AnyObject::Account(account) => self::account(account),
        AnyObject::Twin(twin) => self::twin(twin),
        AnyObject::Farm(farm) => self::farm(farm),
        AnyObject::Node(node) => self::node(node),
        AnyObject::Contract(contract) => self::contract(contract),
        AnyObject::Totals(totals) => self::totals(totals),
        AnyObject::Parameters(parameters) => self::parameters(parameters),
        AnyObject::Grid(grid) => self::grid(grid),
        AnyObject::Handle(handle) => json!({ "handle": handle.as_str() }),
        AnyObject::FarmId(id) => json!({ "farm": id }),
        AnyObject::NodeId(id) => json!({ "node": id }),
        AnyObject::ContractId(id) => json!({ "contract": id }),
        AnyObject::EpochState(epoch) => self::epoch(epoch),
        AnyObject::Beacon(beacon) => self::beacon(beacon),
        AnyObject::Tally(tally) => self::tally(tally),
        AnyObject::Earnings(earnings) => self::earnings(earnings),
        AnyObject::MintReceiptObject(receipt) => self::mint_receipt(receipt),
        AnyObject::PolicyBook(book) => json!({
            "minted": book.minted.to_string(),
            "nodes": book.nodes,
        }),
        AnyObject::Seats(seats) => self::seats(seats),
        AnyObject::Candidate(candidate) => self::candidate(candidate),
        AnyObject::PublicKey(key) => json!({ "validator": key }),
        AnyObject::Recovery(recovery) => self::recovery(recovery),
        AnyObject::Voice(voice) => json!({
            "locked": voice.amount.to_string(),
            "held_until_ms": voice.held_until,
        }),
        AnyObject::Assembly(assembly) => json!({ "units": assembly.units.to_string() }),
        AnyObject::Proposal(proposal) => self::proposal(proposal),
        AnyObject::Ballot(ballot) => json!({
            "side": format!("{:?}", ballot.side).to_lowercase(),
            "nodes": ballot.nodes.to_vec(),
            "users": ballot.users.to_string(),
            "farmers": ballot.farmers.to_string(),
        }),
        AnyObject::Admitted(admitted) => json!({
            "entry": format!("{:?}", admitted.entry).to_lowercase(),
            "number": admitted.number,
        }),
        AnyObject::BillLine(line) => bill_line(line),
        AnyObject::PriceState(state) => contract::price(state),
        AnyObject::Certificate(certificate) => self::certificate(certificate),
        AnyObject::Merit(merit) => json!({ "good_periods": merit.run, "last_period": merit.last }),
        AnyObject::Power(power) => self::power(power),
        AnyObject::Epoch(epoch) => json!(epoch),
        AnyObject::Offence(offence) => json!({
            "term": offence.term,
            "view": offence.view,
            "shown_by": offence.by,
            "at_ms": offence.at,
            "taken": offence.taken,
            "count": offence.count,
        }),
        AnyObject::Muster(muster) => json!({
            "number": muster.number,
            "epoch": muster.epoch,
            "seed": muster.seed,
            "at_ms": muster.at,
        }),
    }
}

pub(crate) fn account(account: &Account) -> Value {
    json!({
        "balance": account.balance.to_string(),
        "balance_units": account.balance,
        "nonce": account.nonce,
        "farms": account.farms,
        "contracts": account.contracts,
    })
}

pub(crate) fn twin(twin: &Twin) -> Value {
    json!({
        "owner": twin.owner,
        "epoch": twin.epoch,
        "state": match twin.state {
            TwinState::Held => "held",
            TwinState::Released { .. } => "released",
        },
        "keys": keys(&twin.keys),
        "deposit": twin.deposit.to_string(),
        "recovery_threshold": twin.plan.threshold,
        "recovery_delay_ms": twin.plan.delay_ms,
        "offered_to": twin.offered,
    })
}

pub(crate) fn keys(keys: &[TwinKey]) -> Value {
    keys.iter().map(|key| json!({ "role": role(key.role), "key": hex(&key.key) })).collect()
}

pub(crate) const fn role(role: KeyRole) -> &'static str {
    match role {
        KeyRole::Sign => "sign",
        KeyRole::Agree => "agree",
        KeyRole::Device => "device",
        KeyRole::Recover => "recover",
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn recovery(recovery: &Recovery) -> Value {
    json!({
        "owner": recovery.owner,
        "keys": keys(&recovery.keys),
        "opened_ms": recovery.opened,
        "completes_ms": recovery.completes,
    })
}

fn farm(farm: &Farm) -> Value {
    let release = |it: &FarmRelease| json!({ "amount": it.amount.to_string(), "epoch": it.epoch });
    json!({
        "name": farm.name,
        "owner": farm.owner,
        "payout": farm.payout,
        "stake": farm.stake.to_string(),
        "releases": farm.releases.iter().map(release).collect::<Vec<_>>(),
        "members": members(&farm.members),
        "proposed": farm.proposed.as_ref().map(|proposed| json!({
            "members": members(&proposed.members),
            "missing": proposed.missing.to_vec(),
        })),
    })
}

pub(crate) fn power(power: &Power) -> Value {
    let nap = power.nap.map(|nap| {
        json!({
            "from_epoch": nap.from,
            "until_epoch": nap.until,
            "called_in_epoch": nap.called,
        })
    });
    json!({ "naps": power.naps, "in_period": power.period, "nap": nap })
}

pub(crate) fn certificate(certificate: &Certificate) -> Value {
    let attestation = |one: &Attestation| {
        json!({
            "by": one.by,
            "level": format!("{:?}", one.level).to_lowercase(),
            "evidence": one.evidence,
            "since_epoch": one.since,
            "until_epoch": one.until,
        })
    };
    json!({ "attestations": certificate.attestations.iter().map(attestation).collect::<Vec<_>>() })
}

pub(crate) fn members(members: &[Member]) -> Value {
    members.iter().map(|it| json!({ "account": it.account, "parts": it.parts })).collect()
}

pub(crate) fn numbered_farm(id: FarmId, farm: &Farm) -> Value {
    let mut value = self::farm(farm);
    value["id"] = json!(id);
    value
}

pub(crate) fn named_node(id: NodeId, node: &Node) -> Value {
    let mut value = self::node(node);
    value["id"] = json!(id);
    value
}

pub(crate) const fn node_state(state: NodeState) -> &'static str {
    match state {
        NodeState::Active => "active",
        NodeState::Draining => "draining",
        NodeState::Retired => "retired",
    }
}

fn node(node: &Node) -> Value {
    json!({
        "farm": node.farm,
        "operator": node.operator,
        "site": node.site,
        "country": node.country,
        "capacity_bytes": node.capacity.storage,
        "reserved_bytes": node.reserved.storage,
        "cores": node.capacity.cores,
        "memory_bytes": node.capacity.memory,
        "addresses": node.addresses.to_vec(),
        "state": node_state(node.state),
        "registered_ms": node.registered,
        "verified_bytes": node.verified.storage,
        "solid_bytes": node.solid,
        "verified_cores": node.verified.cores,
        "verified_memory_bytes": node.verified.memory,
        "lent_bytes": node.lent.storage,
        "lent_cores": node.lent.cores,
        "lent_memory_bytes": node.lent.memory,
        "due_ms": node.record.due,
        "up_ms": node.record.up,
        "failed_challenges": node.record.failed,
        "epochs_counted": node.record.epochs,
        "witness_reports": node.witnessing.reports,
        "witness_strikes": node.witnessing.off,
    })
}

fn totals(totals: &Totals) -> Value {
    json!({
        "minted": totals.minted.to_string(),
        "burned": totals.burned.to_string(),
        "escrow": totals.escrow.to_string(),
        "farms": totals.farms,
        "nodes": totals.nodes,
        "contracts": totals.contracts,
        "twins": totals.twins,
    })
}

fn parameters(parameters: &Parameters) -> Value {
    let settings: serde_json::Map<String, Value> = Setting::all()
        .iter()
        .map(|setting| (setting.name.to_owned(), setting.json(parameters)))
        .collect();
    json!({
        "settings": settings,
        "rules_version": parameters.rules.version,
        "fee_transaction": parameters.fees.transaction.to_string(),
        "fee_byte": parameters.fees.byte.to_string(),
        "fee_place": parameters.fees.place.to_string(),
        "storage_tib_hour_micro_usd": parameters.prices.storage_tib_hour.0,
    })
}

fn seats(seats: &Seats) -> Value {
    let list = |seats: &[Seat]| -> Value {
        let one = |seat: &Seat| {
            json!({
                "validator": seat.validator,
                "engine": seat.engine.as_str(),
                "rpc": seat.rpc.as_str(),
            })
        };
        seats.iter().map(one).collect()
    };
    json!({ "term": seats.term, "members": list(&seats.members), "next": list(&seats.next) })
}

pub(crate) fn candidate(candidate: &Candidate) -> Value {
    let standing = match candidate.standing {
        Standing::Standing => "standing",
        Standing::Leaving => "leaving",
    };
    let release =
        |release: &Release| json!({ "amount": release.amount.to_string(), "term": release.term });
    json!({
        "account": candidate.account,
        "engine": candidate.engine.as_str(),
        "rpc": candidate.rpc.as_str(),
        "stake": candidate.stake.to_string(),
        "releases": candidate.releases.iter().map(release).collect::<Vec<_>>(),
        "nodes": candidate.nodes.to_vec(),
        "standing": standing,
        "registered_height": candidate.registered,
        "missed": candidate.missed,
    })
}

pub(crate) const fn proposal_state(state: ProposalState) -> &'static str {
    match state {
        ProposalState::Voting => "voting",
        ProposalState::Passed => "passed",
        ProposalState::Rejected => "rejected",
        ProposalState::NoQuorum => "no_quorum",
        ProposalState::Enacted { .. } => "enacted",
    }
}

pub(crate) fn proposal(proposal: &Proposal) -> Value {
    let count = |count: &Count| json!({ "yes": count.yes.to_string(), "no": count.no.to_string() });
    json!({
        "proposer": proposal.proposer,
        "change": super::vote::about(&proposal.change),
        "reason": proposal.reason.as_str(),
        "deposit": proposal.deposit.to_string(),
        "opened_ms": proposal.opened,
        "closes_ms": proposal.closes,
        "enactable_ms": proposal.enactable,
        "lapses_ms": proposal.lapses,
        "users": count(&proposal.users),
        "farmers": count(&proposal.farmers),
        "state": proposal_state(proposal.state),
    })
}

fn grid(grid: &Grid) -> Value {
    json!({
        "chain": grid.chain,
        "name": grid.name,
        "kind": grid.kind.name(),
        "foundation": grid.foundation,
        "started_ms": grid.started,
    })
}

fn epoch(epoch: &EpochState) -> Value {
    json!({
        "number": epoch.number,
        "began_ms": epoch.began,
        "ends_ms": epoch.ends(),
        "seed": epoch.seed,
        "nodes": epoch.nodes,
        "witnesses": epoch.witnesses,
        "reports_about": epoch.past.map(|past| past.number),
    })
}

fn beacon(beacon: &Beacon) -> Value {
    let turns = beacon.turns.iter().map(|turn| {
        json!({
            "validator": turn.validator,
            "committed": turn.next.is_some(),
            "revealed": turn.revealed.is_some(),
            "given": turn.given,
            "missed": turn.missed,
        })
    });
    json!({ "turns": turns.collect::<Vec<_>>() })
}

fn earnings(earnings: &Earnings) -> Value {
    let span = |span: &acre_ledger::Span| {
        json!({
            "period": span.period,
            "due_ms": span.due_ms,
            "up_ms": span.up_ms,
            "duties": span.duties,
            "honest": span.honest,
            "mean_storage_bytes": span.mean().storage(),
            "mean_solid_bytes": span.mean().ssd,
            "mean_cores": span.mean().cores,
            "mean_memory_bytes": span.mean().memory,
            "mean_sold_bytes": span.mean_sold().storage(),
            "mean_sold_cores": span.mean_sold().cores,
            "mean_sold_memory_bytes": span.mean_sold().memory,
            "traffic_bytes": span.traffic,
            "traffic_cover": span.traffic_cover.to_string(),
        })
    };
    json!({
        "policy": earnings.policy.0,
        "price_usd": earnings.price.to_string(),
        "open": span(&earnings.open),
        "closed": earnings.closed.iter().map(span).collect::<Vec<_>>(),
        "minted": earnings.minted.to_string(),
        "vested_ms": earnings.vested_ms,
        "sold_owed": earnings.sold_owed.to_string(),
        "sold_cover": earnings.sold_cover.to_string(),
    })
}

fn raw(raw: &acre_ledger::mint::Raw) -> Value {
    json!({
        "cores": raw.cores,
        "memory_bytes": raw.memory,
        "solid_bytes": raw.ssd,
        "other_bytes": raw.hdd,
    })
}

pub(crate) fn mint_receipt(stored: &MintReceiptObject) -> Value {
    let line = |line: &acre_ledger::mint::MintLine| {
        json!({
            "item": format!("{:?}", line.item).to_lowercase(),
            "quantity": line.quantity.to_string(),
            "value_usd": line.value.to_string(),
            "amount": line.amount.to_string(),
        })
    };
    json!({
        "node": stored.node,
        "farm": stored.farm,
        "payout": stored.payout,
        "at_ms": stored.at,
        "period": stored.input.period,
        "policy": stored.input.policy.name,
        "price_usd": stored.input.price.to_string(),
        "due_ms": stored.input.due_ms,
        "up_ms": stored.input.up_ms,
        "proven": raw(&stored.input.capacity),
        "sold": raw(&stored.input.sold),
        "sold_cover": stored.input.sold_cover.to_string(),
        "traffic_bytes": stored.input.traffic,
        "traffic_cover": stored.input.traffic_cover.to_string(),
        "reason": stored.receipt.reason.text(),
        "lines": stored.receipt.lines.iter().map(line).collect::<Vec<_>>(),
        "withheld": stored.receipt.withheld.to_string(),
        "sold_owed": stored.receipt.sold_owed.to_string(),
        "total": stored.receipt.total.to_string(),
    })
}

fn tally(tally: &Tally) -> Value {
    let heard = tally.heard.iter().map(|heard| {
        json!({
            "witness_index": heard.witness,
            "asked": heard.finding.asked,
            "answered": heard.finding.answered,
            "measured_bytes": heard.finding.measured.storage,
            "measured_cores": heard.finding.measured.cores,
            "measured_memory_bytes": heard.finding.measured.memory,
            "failures": heard.finding.failures.total(),
        })
    });
    json!({
        "epoch": tally.epoch,
        "span_ms": tally.span_ms,
        "witnesses": tally.witnesses,
        "heard": heard.collect::<Vec<_>>(),
    })
}

/// An account in a table: enough digits to tell accounts apart.
pub(crate) fn short(account: AccountId) -> String {
    let text = account.to_string();
    text.get(..12).unwrap_or(&text).to_owned()
}

/// Keys and values, a line each.
pub(crate) fn lines(value: &Value) -> String {
    let Some(fields) = value.as_object() else { return value.to_string() };
    let width = fields.keys().map(String::len).max().unwrap_or(0);
    let line = |(key, value): (&String, &Value)| {
        let text = match value {
            Value::String(text) => text.clone(),
            // One below the other, under the first.
            Value::Array(values) if !values.is_empty() => {
                let words =
                    |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                let gap = format!("\n{:width$}  ", "");
                values.iter().map(words).collect::<Vec<_>>().join(&gap)
            }
            Value::Array(_) | Value::Null => "-".to_owned(),
            Value::Number(ms) if key == "time" || key.ends_with("_ms") => {
                let Some(moment) = ms.as_u64().and_then(moment) else {
                    return format!("{key:<width$}  {ms}");
                };
                return format!("{:<width$}  {moment}", key.trim_end_matches("_ms"));
            }
            value => value.to_string(),
        };
        format!("{key:<width$}  {text}")
    };
    fields.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Milliseconds that are a point in time: no span of this software is as long as the years since
/// 1970, and no grid is older than this century.
fn moment(ms: u64) -> Option<String> {
    (ms > 1_000_000_000_000).then(|| UnixMs(ms).to_string())
}
