//! Answers workloads that ask for this node: it runs none yet, and says so at once, so that their
//! owners have everything back and can go elsewhere.
//!
//! Whether any asks is one read: what contracts reserve here. Only then are the contracts looked
//! through, the newest first, down to those that were seen before or until all that is reserved was
//! found.

use std::sync::Arc;
use std::time::Duration;

use acre_chain::{ClientError, LedgerClient};
use acre_crypto::SigningKey;
use acre_ledger::{Action, Contract, ContractState, Reason, Report};
use acre_types::{Bytes, ContractId, NodeId};
use tokio::time::sleep;

use crate::limits::{CONTRACTS_AT_ONCE, DECLINE_LOOK_MAX, DECLINE_LOOK_MIN};
use crate::metrics::Counters;

/// What the owner of a workload reads.
const WHY: &str = "this node runs no workloads yet";

/// Between two looks in a grid whose epochs are so long: many in an epoch on a small grid, and twice
/// a minute on one where an epoch is an hour.
pub(crate) fn pause(epoch: Duration) -> Duration {
    (epoch / 20).clamp(DECLINE_LOOK_MIN, DECLINE_LOOK_MAX)
}

/// Answers workloads for ever; drop the task to stop it.
pub(crate) async fn run(
    ledger: LedgerClient,
    key: SigningKey,
    pause: Duration,
    counters: Arc<Counters>,
) {
    let mut seen = ContractId(0);
    loop {
        sleep(pause).await;
        match look(&ledger, &key, seen, &counters).await {
            Ok(newest) => seen = newest,
            Err(error) => {
                tracing::warn!(%error, "a workload could not be answered");
                sleep(DECLINE_LOOK_MAX).await;
            }
        }
    }
}

/// Answers what came after `seen`. Gives the newest contract that was looked at.
async fn look(
    ledger: &LedgerClient,
    key: &SigningKey,
    seen: ContractId,
    counters: &Counters,
) -> Result<ContractId, ClientError> {
    let me = NodeId::from(key.public());
    let Some(node) = ledger.node(me).await? else { return Ok(seen) };
    let mut unfound = node.reserved.cores_milli;
    if unfound == 0 {
        return Ok(seen);
    }
    let newest = ledger.totals().await?.contracts;
    let mut end = newest;
    while end > seen.0 && unfound > 0 {
        let batch = u64::try_from(CONTRACTS_AT_ONCE).unwrap_or(1).min(end.saturating_sub(seen.0));
        let begin = end.saturating_sub(batch);
        let ids: Vec<_> = (begin.saturating_add(1)..=end).map(ContractId).collect();
        for contract in ledger.read_all(&ids).await?.into_iter().flatten() {
            let Some(workload) = contract.workload().filter(|workload| workload.node == me) else {
                continue;
            };
            if matches!(contract.state, ContractState::Closed { .. }) {
                continue;
            }
            unfound = unfound.saturating_sub(workload.resources.cores_milli);
            if let Some(answer) = answer(&contract) {
                ledger.submit(key, answer).await?;
                counters.workloads_declined.add(1);
                tracing::info!(contract = %contract.id, "declined: {WHY}");
            }
        }
        end = begin;
    }
    Ok(ContractId(newest))
}

/// The refusal of a workload that waits for one.
fn answer(contract: &Contract) -> Option<Action> {
    let workload = contract.workload()?;
    if !matches!(contract.state, ContractState::Pending { .. }) {
        return None;
    }
    let report = Report::Rejected { reason: Reason::new(WHY).ok()? };
    Some(Action::ReportWorkload {
        contract: contract.id,
        number: workload.reports,
        traffic: Bytes(0),
        report,
    })
}
