//! Contracts, their bills and the price of a token as JSON.

use acre_ledger::{
    Answer, BillEntry, BillLine, Cause, Contract, ContractKind, ContractState, PriceState,
    Progress, Shares,
};
use serde_json::{Value, json};

pub(crate) fn contract(contract: &Contract) -> Value {
    let mut shown = json!({
        "id": contract.id,
        "owner": contract.owner,
        "kind": contract.kind.name(),
        "places": contract.nodes(),
        "created_ms": contract.created,
        "expires_ms": contract.expires,
        "over_ms": contract.grace_end(),
        "settled_ms": contract.settled,
        "escrow": contract.escrow.to_string(),
        "usage": contract.usage.to_string(),
        "deposit": contract.deposit.to_string(),
        "closing": contract.closing.to_string(),
        "bill_lines": contract.bills,
    });
    extend(&mut shown, state(&contract.state));
    extend(&mut shown, about(&contract.kind));
    shown
}

fn state(state: &ContractState) -> Value {
    match state {
        ContractState::Pending { deadline, answer } => json!({
            "state": "pending",
            "answer_until_ms": deadline,
            "answer": match answer {
                Answer::Awaited => "awaited",
                Answer::Accepted => "accepted",
            },
        }),
        ContractState::Open => json!({ "state": "open" }),
        ContractState::Closed { at, cause } => {
            let mut shown = json!({
                "state": "closed",
                "closed_ms": at,
                "cause": self::cause(cause),
            });
            if let Cause::Rejected { reason } = cause {
                shown["reason"] = json!(reason);
            }
            shown
        }
    }
}

/// Why a contract was closed, in a word.
pub(crate) const fn cause(cause: &Cause) -> &'static str {
    match cause {
        Cause::Cancelled => "cancelled",
        Cause::Expired => "expired",
        Cause::Rejected { .. } => "rejected",
        Cause::Unanswered => "unanswered",
        Cause::Gang => "gang",
    }
}

fn about(kind: &ContractKind) -> Value {
    match kind {
        ContractKind::Storage(storage) => json!({
            "profile": storage.profile.to_string(),
            "bytes": storage.bytes,
        }),
        ContractKind::Workload(workload) => {
            let (progress, why) = match &workload.progress {
                Progress::Waiting => ("waiting", None),
                Progress::Accepted => ("accepted", None),
                Progress::Running { evidence } => ("running", Some(evidence.to_string())),
                Progress::Exited { code } => ("exited", Some(code.to_string())),
                Progress::Failed { reason } => ("failed", Some(reason.to_string())),
            };
            json!({
                "spec": workload.spec,
                "cores_milli": workload.resources.cores_milli,
                "memory_bytes": workload.resources.memory,
                "disk_bytes": workload.resources.storage,
                "ipv4": workload.resources.ipv4,
                "traffic_bytes": workload.traffic,
                "traffic_used_bytes": workload.traffic_used,
                "progress": progress,
                "progress_says": why,
            })
        }
        ContractKind::Rent(rent) => json!({
            "cores": rent.capacity.cores,
            "memory_bytes": rent.capacity.memory,
            "capacity_bytes": rent.capacity.storage,
        }),
        ContractKind::Name(label) => json!({ "name": label }),
        ContractKind::Service(service) => json!({
            "provider": service.provider,
            "terms": service.terms,
            "base_hour_micro_usd": service.base_hour.0,
            "variable_hour_micro_usd": service.variable_hour.0,
            "variable_left_micro_usd": service.variable_left.0,
            "billed_ms": service.billed,
        }),
    }
}

fn extend(shown: &mut Value, fields: Value) {
    if let (Value::Object(shown), Value::Object(fields)) = (shown, fields) {
        shown.extend(fields);
    }
}

/// A line of a bill: what it is about, and where its tokens came from and went.
pub(crate) fn bill_line(line: &BillLine) -> Value {
    let mut shown = json!({ "at_ms": line.at, "from_ms": line.from, "to_ms": line.to });
    let fields = match &line.entry {
        BillEntry::Lock(lock) => json!({
            "entry": "lock",
            "item": lock.item.name(),
            "quantity": lock.quantity.to_string(),
            "unit": lock.item.unit(),
            "weight_permille": lock.weight,
            "unit_price_micro_usd": lock.unit_price.0,
            "token_micro_usd": lock.token.0,
            "gross": lock.gross.to_string(),
            "discount_percent": lock.discount_percent,
            "discount": lock.discount.to_string(),
            "net": lock.net.to_string(),
        }),
        BillEntry::Deposit(deposit) => json!({
            "entry": "deposit",
            "listed": deposit.listed.to_string(),
            "whole_ms": deposit.whole_ms,
            "grace_ms": deposit.grace_ms,
            "held": deposit.held.to_string(),
            "net": deposit.net.to_string(),
        }),
        BillEntry::Pay(pay) => json!({
            "entry": "pay",
            "purse": format!("{:?}", pay.purse).to_lowercase(),
            "listed": pay.listed.to_string(),
            "held": pay.held.to_string(),
            "part": pay.part,
            "whole": pay.whole,
            "gross": pay.gross.to_string(),
            "discount": pay.discount.to_string(),
            "net": pay.net.to_string(),
            "refund": pay.refund.to_string(),
            "penalty": pay.penalty.to_string(),
            "shares": shares(&pay.shares),
        }),
        BillEntry::Recall(recall) => json!({
            "entry": "recall",
            "listed": recall.listed.to_string(),
            "paid": recall.paid.to_string(),
            "discount_percent": recall.discount_percent,
            "net": recall.net.to_string(),
            "shares": shares(&recall.shares),
        }),
        BillEntry::Closing(closing) => json!({
            "entry": "closing",
            "net": closing.net.to_string(),
        }),
        BillEntry::Reward(reward) => json!({
            "entry": "reward",
            "settler": reward.settler,
            "net": reward.net.to_string(),
        }),
        BillEntry::Refund(refund) => json!({
            "entry": "refund",
            "time": refund.time.to_string(),
            "usage": refund.usage.to_string(),
            "deposit": refund.deposit.to_string(),
            "net": refund.net.to_string(),
        }),
    };
    extend(&mut shown, fields);
    shown
}

fn shares(shares: &Shares) -> Value {
    json!({
        "farms": shares.farms.to_string(),
        "foundation": shares.foundation.to_string(),
        "fund": shares.fund.to_string(),
        "burned": shares.burned.to_string(),
    })
}

pub(super) fn price(state: &PriceState) -> Value {
    json!({
        "token_micro_usd": state.price.0,
        "agreed_ms": state.agreed,
        "posts": state.posts.iter().map(|post| json!({
            "feed": post.feed, "micro_usd": post.price.0, "at_ms": post.at,
        })).collect::<Vec<_>>(),
    })
}
