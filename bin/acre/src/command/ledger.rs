//! `acre ledger` and `acre validator list`: the ledger as this home has verified it.

use acre_chain::audit::{AuditError, Depth};
use acre_ledger::{AnyObject, Handle, Key};
use acre_types::{Digest, Height};
use serde_json::{Value, json};

use super::show;
use crate::asking::{causes, failure, reader};
use crate::cli::Ledger;
use crate::context::Context;
use crate::exit::{Code, Failure, Outcome};
use crate::home::Home;
use crate::output::Output;
use crate::random;

pub(crate) async fn run(home: &Home, command: Ledger, out: &Output) -> Outcome {
    match command {
        Ledger::Info => info(home, out).await,
        Ledger::Block { height } => block(home, Height(height), out).await,
        Ledger::Tx { id } => transaction(home, id, out).await,
        Ledger::Get { kind, id } => get(home, &kind, id.as_deref(), out).await,
        Ledger::Verify { sample } => verify(home, sample, out).await,
    }
}

async fn info(home: &Home, out: &Output) -> Outcome {
    let context = Context::of_home(home)?;
    let ledger = reader(home).await?;
    let (_, last) = ledger.info().await.map_err(failure)?;
    let last = last.ok_or_else(|| Failure::new(Code::Unreachable, "there is no block yet"))?;
    let validators: Vec<Value> = (context.validators.iter())
        .map(|(key, address)| json!({ "id": key, "address": address.to_string() }))
        .collect();
    let report = json!({
        "chain": ledger.chain(), "height": last.height, "state_root": last.root,
        "time": last.time, "validators": validators,
    });
    out.data(&report, || show::lines(&report));
    Ok(())
}

async fn block(home: &Home, height: Height, out: &Output) -> Outcome {
    let ledger = reader(home).await?;
    let found = ledger.block(height).await.map_err(failure)?;
    let found = found.ok_or_else(|| {
        Failure::new(Code::NotFound, format!("block {height} is not kept, or not made yet"))
    })?;
    let transactions: Vec<Digest> =
        found.payload.transactions.iter().map(|signed| signed.transaction.id()).collect();
    let report = json!({
        "height": found.block.height, "id": found.block.id.to_string(), "state_root": found.block.root,
        "time": found.block.time, "transactions": transactions,
    });
    out.data(&report, || show::lines(&report));
    Ok(())
}

async fn transaction(home: &Home, id: Digest, out: &Output) -> Outcome {
    let ledger = reader(home).await?;
    let missing =
        || Failure::new(Code::NotFound, format!("no transaction {id} in the blocks that are kept"));
    let found = ledger.find(id).await.map_err(failure)?.ok_or_else(missing)?;
    let (block, transaction) = (&found.block, &found.signed.transaction);
    let report = json!({
        "id": id, "height": block.height, "block": block.id, "index": found.index,
        "time": block.time, "from": transaction.from, "nonce": transaction.nonce,
        "fee": transaction.fee.to_string(), "action": format!("{:?}", transaction.action),
    });
    out.data(&report, || show::lines(&report));
    Ok(())
}

/// The key that the words name.
pub(super) fn key(kind: &str, id: Option<&str>) -> Outcome<Key> {
    let wrong = |why: String| Failure::new(Code::Usage, why).hint("acre ledger get --help");
    let id = |what: &str| id.ok_or_else(|| wrong(format!("which {what}?")));
    let parse_error = |error: acre_types::ParseError| wrong(error.to_string());
    Ok(match kind {
        "account" => Key::Account(id(kind)?.parse().map_err(parse_error)?),
        "farm" => Key::Farm(id(kind)?.parse().map_err(parse_error)?),
        "node" => Key::Node(id(kind)?.parse().map_err(parse_error)?),
        "contract" => Key::Contract(id(kind)?.parse().map_err(parse_error)?),
        "twin" => {
            let handle: Handle = id(kind)?.parse().map_err(|error| wrong(format!("{error}")))?;
            Key::Twin(handle)
        }
        "earnings" => Key::Earnings(id(kind)?.parse().map_err(parse_error)?),
        "receipt" => {
            let named = id("node and period")?;
            let (node, period) = named.split_once('/').unwrap_or((named, ""));
            let period =
                period.parse().map_err(|_| wrong("a receipt is NODE/PERIOD".to_owned()))?;
            Key::MintReceipt(node.parse().map_err(parse_error)?, period)
        }
        "totals" => Key::Totals,
        "parameters" => Key::Parameters,
        "grid" => Key::Grid,
        "epoch" => Key::Epoch,
        "beacon" => Key::Beacon,
        "muster" => Key::Muster,
        "seats" => Key::Seats,
        "candidate" => Key::Candidate(id(kind)?.parse().map_err(parse_error)?),
        "proposal" => {
            let number = id(kind)?.parse().map_err(|_| wrong("a proposal has a number".into()))?;
            Key::Proposal(number)
        }
        other => return Err(wrong(format!("'{other}' is no kind of object")).into()),
    })
}

async fn get(home: &Home, kind: &str, id: Option<&str>, out: &Output) -> Outcome {
    let key = key(kind, id)?;
    let ledger = reader(home).await?;
    let snapshot = ledger.snapshot(std::slice::from_ref(&key)).await.map_err(failure)?;
    let proof = snapshot.proof(&key);
    let proof = proof.ok_or_else(|| Failure::new(Code::Damaged, "the answer has no proof"))?;
    let block = &snapshot.block;
    let value = proof.verify(&block.root, &key.to_bytes())?;
    let object = value.map(|bytes| AnyObject::decode(&key, bytes)).transpose()?;
    let proof_bytes = proof.to_bytes();
    let hex: String = proof_bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let report = json!({
        "kind": kind, "id": id, "present": object.is_some(),
        "object": object.as_ref().map(show::object),
        "height": block.height, "state_root": block.root,
        "proof": hex, "proof_bytes": proof_bytes.len(), "verified": true,
    });
    out.data(&report, || {
        let said = match &object {
            Some(object) => show::lines(&show::object(object)),
            None => format!("there is no such {kind}, and that is proven"),
        };
        format!("{said}\nproven at height {}, state root {}", block.height, block.root)
    });
    if object.is_none() {
        let what = format!("there is no {kind} {}", id.unwrap_or_default());
        return Err(Failure::new(Code::NotFound, what).into());
    }
    Ok(())
}

/// Checks the blocks that are kept, and the proofs of everything that is listed under the newest
/// certificate.
async fn verify(home: &Home, sample: Option<u32>, out: &Output) -> Outcome {
    let genesis = Context::of_home(home)?.genesis;
    let ledger = reader(home).await?;
    let depth = match sample {
        Some(blocks) => {
            let drawn: [u8; 32] = random::bytes()?;
            let seed = drawn.first_chunk().copied().map_or(0, u64::from_le_bytes);
            Depth::Sample { blocks, seed }
        }
        None => Depth::Replay,
    };
    let (_, head) = ledger.info().await.map_err(failure)?;
    let newest = head.map_or(0, |head| head.height.0);
    let bar = out.counter(newest);
    let checked = ledger
        .verify_chain(&genesis, Height(1)..=Height(newest), depth, |height| {
            bar.set(height.0, newest, "blocks");
        })
        .await;
    bar.end();
    let checked = checked.map_err(|error| match error {
        AuditError::Client(error) => failure(error),
        other => Failure::new(Code::Damaged, causes(&other))
            .state("the ledger is not what its rules make of it")
            .into(),
    })?;
    let totals = ledger.totals().await.map_err(failure)?;
    let farms = ledger.farms().await.map_err(failure)?;
    let nodes = ledger.nodes().await.map_err(failure)?;
    let supply = totals.minted.checked_sub(totals.burned);
    let report = json!({
        "verified": true, "chain": ledger.chain(), "height": ledger.seen(),
        "from": checked.from, "to": checked.to, "oldest": checked.oldest,
        "blocks": checked.blocks, "replayed": checked.replayed,
        "transactions": checked.transactions,
        "farms": farms.len(), "nodes": nodes.len(), "contracts": totals.contracts,
        "supply": supply.map(|amount| amount.to_string()), "escrow": totals.escrow.to_string(),
    });
    out.data(&report, || {
        format!(
            "{} of the blocks {} to {} are final by a quorum of their term; {} were applied again and gave the signed state.\n\
             The certificate of height {} is good, and so are the proofs of {} farms, {} nodes and the totals under it.\n\
             {} exist, {} of them in escrow.",
            checked.blocks,
            checked.from,
            checked.to,
            checked.replayed,
            ledger.seen(),
            farms.len(),
            nodes.len(),
            supply.map_or_else(|| "?".to_owned(), |amount| amount.to_string()),
            totals.escrow,
        )
    });
    Ok(())
}
