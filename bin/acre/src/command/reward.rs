//! `acre farm explain` and `acre farm claim`: what nodes earned, and why.

use acre_chain::LedgerClient;
use acre_ledger::mint::{Raw, recompute};
use acre_ledger::{Action, EarningsOf, MintReceiptObject, MintReceiptOf, Node, TheEpoch};
use acre_types::{Amount, FarmId, NodeId};
use serde_json::{Value, json};

use super::person::Person;
use super::show;
use crate::asking::{failure, reader};
use crate::exit::{Code, Failure, Outcome};
use crate::home::Home;
use crate::output::Output;

/// The nodes of a farm.
async fn nodes(ledger: &LedgerClient, farm: FarmId) -> Outcome<Vec<(NodeId, Node)>> {
    if ledger.farm(farm).await.map_err(failure)?.is_none() {
        return Err(Failure::new(Code::NotFound, format!("there is no farm {farm}")).into());
    }
    let all = ledger.nodes().await.map_err(failure)?;
    Ok(all.into_iter().filter(|(_, node)| node.farm == farm).collect())
}

/// Prints each receipt of the last periods, computed again from its input.
pub(crate) async fn explain(home: &Home, farm: FarmId, periods: u64, out: &Output) -> Outcome {
    let ledger = reader(home).await?;
    let minting = ledger.parameters().await.map_err(failure)?.minting;
    let epoch = ledger.read(&TheEpoch).await.map_err(failure)?;
    let epoch = epoch.ok_or_else(|| Failure::new(Code::Damaged, "the ledger has no epoch"))?;
    let now = minting.period_of(epoch.number);
    let mut values = Vec::new();
    let mut text = Vec::new();
    for (id, node) in nodes(&ledger, farm).await? {
        let earnings = ledger.read(&EarningsOf(id)).await.map_err(failure)?;
        let wanted: Vec<MintReceiptOf> =
            (now.saturating_sub(periods)..=now).map(|period| MintReceiptOf(id, period)).collect();
        let receipts = ledger.read_all(&wanted).await.map_err(failure)?;
        let receipts: Vec<MintReceiptObject> = receipts.into_iter().flatten().collect();
        for receipt in &receipts {
            check(receipt)?;
        }
        values.push(json!({
            "node": id,
            "verified_bytes": node.verified.storage,
            "up_ms": node.record.up, "due_ms": node.record.due,
            "minted": earnings.as_ref().map(|earnings| earnings.minted.to_string()),
            "receipts": receipts.iter().map(show::mint_receipt).collect::<Vec<Value>>(),
        }));
        let minted = earnings.map_or_else(|| "nothing".to_owned(), |e| e.minted.to_string());
        text.push(format!(
            "node {} has proven {} and was up for {} of {} s that it was due; minted so far: {minted}",
            short(id),
            node.verified.storage,
            node.record.up / 1000,
            node.record.due / 1000,
        ));
        text.extend(receipts.iter().flat_map(lines));
    }
    out.data(&json!({ "farm": farm, "period": now, "nodes": values }), || {
        text.push("Every receipt was computed again from its input.".to_owned());
        text.join("\n")
    });
    Ok(())
}

/// A receipt that does not follow from its input would be a token from nothing (L7).
pub(crate) fn check(stored: &MintReceiptObject) -> Outcome {
    let again = recompute(stored);
    if again.as_ref().ok() == Some(&stored.receipt) {
        return Ok(());
    }
    let what = format!(
        "the receipt of node {} for period {} does not follow from its input",
        stored.node, stored.input.period
    );
    Err(Failure::new(Code::Damaged, what).state("the ledger breaks L7").into())
}

pub(crate) fn lines(stored: &MintReceiptObject) -> Vec<String> {
    let (receipt, input) = (&stored.receipt, &stored.input);
    let mut text = vec![format!(
        "  period {}: up {} of {} s: {}, {} in all",
        input.period,
        input.up_ms / 1000,
        input.due_ms / 1000,
        receipt.reason.text(),
        receipt.total,
    )];
    if input.up_ms > 0 {
        text.push(format!("    proven     {}", capacity(&input.capacity)));
    }
    if input.sold != Raw::default() {
        text.push(format!("    of it sold {}", capacity(&input.sold)));
    }
    text.extend(receipt.lines.iter().map(|line| {
        let item = format!("{:?}", line.item).to_lowercase();
        format!(
            "    {item:<10} {:>16} units, {:>14} USD, {}",
            line.quantity, line.value, line.amount
        )
    }));
    if receipt.sold_owed > Amount::ZERO {
        text.push(format!(
            "    owed       {}: what is sold earns as much as bills for it gave to foundation and fire",
            receipt.sold_owed
        ));
    }
    text
}

/// In words.
fn capacity(raw: &Raw) -> String {
    let Raw { cores, memory, ssd, hdd } = raw;
    format!("{cores} cores, {memory} of memory, {ssd} of solid and {hdd} of other storage")
}

fn short(id: NodeId) -> String {
    id.to_string().chars().take(8).collect()
}

/// Has the ledger pay every period that is over.
pub(crate) async fn claim(home: &Home, farm: FarmId, out: &Output) -> Outcome {
    let person = Person::of(home).await?;
    let nodes = nodes(&person.ledger, farm).await?;
    let actions: Vec<Action> =
        nodes.iter().map(|(node, _)| Action::ClaimReward { node: *node }).collect();
    let mut values = Vec::new();
    // One after the other: that one node has nothing to claim must not keep the next from it.
    for ((node, _), action) in nodes.iter().zip(actions) {
        let claimed = person.ledger.submit(&person.key(), action).await;
        let why = claimed.as_ref().err().map(|error| crate::asking::causes(error));
        values.push(json!({ "node": node, "claimed": claimed.is_ok(), "why_not": why }));
    }
    out.data(&json!({ "farm": farm, "nodes": values }), || {
        let line = |value: &Value| {
            let node: String = value["node"].as_str().unwrap_or_default().chars().take(8).collect();
            match value["why_not"].as_str() {
                None => format!("node {node}: paid"),
                Some(why) => format!("node {node}: nothing paid now ({why})"),
            }
        };
        let mut text: Vec<String> = values.iter().map(line).collect();
        text.push(format!("what was paid, and why: acre farm explain {farm}"));
        text.join("\n")
    });
    Ok(())
}
