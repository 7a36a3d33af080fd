//! Closes contracts that are over and still hold something of this node: nobody else may care, and
//! what they hold is sold to nobody until then. Whoever closes one has the fee back, so the operator,
//! who pays for his node, loses nothing.
//!
//! ```text
//! over, or not answered in time ──▶ its nodes, one after the other, each waits for its turn ──▶ closed
//! ```
//! Which contracts there are is found out through the ledger alone: the node's own object says how
//! much is reserved there, and whenever that has changed, the contracts made since are looked
//! through. All reads are proven; time is that of certified blocks. Each look does a bounded amount
//! of work and goes on where the last one ended.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use acre_chain::{ClientError, LedgerClient};
use acre_crypto::SigningKey;
use acre_ledger::{
    Action, Contract, ContractKind, ContractState, Key, Lookup as _, Resources, TheTotals,
};
use acre_types::{ContractId, NodeId, UnixMs};
use tokio::time::sleep;

use crate::limits::{
    CLOSE_AT_ONCE, CLOSE_LOOK_MAX, CLOSE_LOOK_MIN, CLOSE_RETRY, CLOSE_TURN, CONTRACTS_AT_ONCE,
    FOLLOWED_MAX, READS_AT_ONCE,
};
use crate::metrics::Counters;
use crate::shelf::Shelf;

/// Between two looks in a grid whose epochs are so long.
pub(crate) fn pause(epoch: Duration) -> Duration {
    (epoch / 10).clamp(CLOSE_LOOK_MIN, CLOSE_LOOK_MAX)
}

/// Closes what is over for ever; drop the task to stop it.
pub(crate) async fn run(
    ledger: LedgerClient,
    key: SigningKey,
    shelf: Arc<Shelf>,
    pause: Duration,
    counters: Arc<Counters>,
) {
    let me = NodeId::from(key.public());
    // What it has shards of was sold before it last started, and need not be searched for.
    let mut followed = Followed::new(me, pause.min(CLOSE_TURN), shelf.held());
    loop {
        sleep(pause).await;
        if let Err(error) = look(&ledger, &key, &mut followed, &counters).await {
            tracing::warn!(%error, "contracts that may be over could not be looked at");
            sleep(pause.saturating_mul(4).min(CLOSE_LOOK_MAX)).await;
        }
    }
}

async fn look(
    ledger: &LedgerClient,
    key: &SigningKey,
    followed: &mut Followed,
    counters: &Counters,
) -> Result<(), ClientError> {
    let me = followed.me;
    let snapshot = ledger.snapshot(&[Key::Node(me), TheTotals.key()]).await?;
    let (node, totals) = (snapshot.read(&me), snapshot.read(&TheTotals));
    let (Ok(Some(node)), Ok(Some(totals))) = (node, totals) else { return Ok(()) };
    let now = snapshot.block.time;
    followed.see((node.reserved, node.rented), ContractId(totals.contracts));
    let mut over = Vec::new();
    for _ in 0..READS_AT_ONCE {
        let ids = followed.wanted(now);
        if ids.is_empty() {
            break;
        }
        let contracts = ledger.read_all(&ids).await?;
        let read = ids.iter().zip(contracts);
        over.extend(
            read.filter(|(id, read)| followed.take(**id, read.as_ref(), now)).map(|it| *it.0),
        );
    }
    // The rest is still due at the next look.
    for id in over.into_iter().take(CLOSE_AT_ONCE) {
        match ledger.submit(key, Action::SettleContract { contract: id }).await {
            Ok(_) => {
                counters.contracts_closed.add(1);
                tracing::info!(contract = %id, "closed: it was over");
            }
            // Mostly another one of its nodes was faster.
            Err(ClientError::Refused(error)) => {
                tracing::info!(contract = %id, %error, "what was over was not closed by this node");
            }
            Err(error) => return Err(error),
        }
        followed.tried(id, now);
    }
    Ok(())
}

/// What is reserved at a node, and the contract that has rented it whole.
type Held = (Resources, Option<ContractId>);

/// Contracts that hold something of a node, and when each is to be read again.
struct Followed {
    me: NodeId,
    /// Between two nodes of one contract, in milliseconds.
    turn_ms: u64,
    /// By the ledger's time.
    due: BTreeMap<ContractId, UnixMs>,
    /// To be read at once.
    asked: BTreeSet<ContractId>,
    /// What was held of the node when contracts were last looked through.
    held: Option<Held>,
    /// All up to here were looked through, or are about to be.
    seen: ContractId,
    scan: Option<Scan>,
}

/// A look through contracts, the newest first.
struct Scan {
    /// The newest that was not read yet.
    next: ContractId,
    /// All up to this were read before.
    low: ContractId,
    /// At the first scan: what is reserved and was not found yet. Once all is found, the older ones are
    /// not read.
    unfound: Option<Resources>,
}

impl Followed {
    fn new(me: NodeId, turn: Duration, asked: BTreeSet<ContractId>) -> Self {
        let (due, seen) = (BTreeMap::new(), ContractId(0));
        Self {
            me,
            turn_ms: turn.as_secs().saturating_mul(1000),
            due,
            asked,
            held: None,
            seen,
            scan: None,
        }
    }

    /// Begins to look through what was made since, if what is held of the node has changed.
    fn see(&mut self, held: Held, newest: ContractId) {
        if self.scan.is_some() || self.held == Some(held) {
            return;
        }
        let (reserved, rented) = held;
        self.asked.extend(rented);
        if reserved != Resources::default() && newest > self.seen {
            let unfound = self.held.is_none().then_some(reserved);
            self.scan = Some(Scan { next: newest, low: self.seen, unfound });
        }
        (self.held, self.seen) = (Some(held), newest);
    }

    /// What is to be read next: what is asked for or due, then some of those that are looked through.
    fn wanted(&mut self, now: UnixMs) -> Vec<ContractId> {
        let due = self.due.iter().filter(|(_, due)| **due <= now).map(|(id, _)| *id);
        self.asked.extend(due);
        let ids: Vec<_> = self.asked.iter().copied().take(CONTRACTS_AT_ONCE).collect();
        if !ids.is_empty() {
            self.asked.retain(|id| !ids.contains(id));
            return ids;
        }
        let Some(scan) = &mut self.scan else { return ids };
        if scan.unfound == Some(Resources::default()) || scan.next <= scan.low {
            self.scan = None;
            return ids;
        }
        let batch = u64::try_from(CONTRACTS_AT_ONCE).unwrap_or(1);
        let before = scan.next.0.saturating_sub(batch).max(scan.low.0);
        let ids = (before.saturating_add(1)..=scan.next.0).map(ContractId).collect();
        scan.next = ContractId(before);
        ids
    }

    /// Whether it is for this node to close the contract, now.
    fn take(&mut self, id: ContractId, contract: Option<&Contract>, now: UnixMs) -> bool {
        let turn = contract.and_then(|contract| self.turn(contract));
        let (Some(turn), Some(contract)) = (turn, contract) else {
            self.due.remove(&id);
            return false;
        };
        let is_new = !self.due.contains_key(&id);
        if is_new && self.due.len() >= FOLLOWED_MAX {
            return turn <= now;
        }
        // One that is over already is read again at the next look, not in this one.
        self.due.insert(id, turn.max(UnixMs(now.0.saturating_add(1))));
        if let Some(unfound) = self.scan.as_mut().and_then(|scan| scan.unfound.as_mut())
            && is_new
        {
            *unfound = unfound.checked_sub(reserved(contract)).unwrap_or(*unfound);
        }
        turn <= now
    }

    /// When it is this node's turn to close the contract, if nobody has until then. `None` if there is
    /// nothing to close, or nothing of this node in it.
    fn turn(&self, contract: &Contract) -> Option<UnixMs> {
        let over = match contract.state {
            ContractState::Pending { deadline, .. } => deadline,
            ContractState::Open => contract.grace_end(),
            ContractState::Closed { .. } => return None,
        };
        let nodes = contract.nodes();
        let count = u64::try_from(nodes.len()).unwrap_or(u64::MAX);
        let place = u64::try_from(nodes.iter().position(|node| *node == self.me)?).ok()?;
        // Another one begins with each contract.
        let first = contract.id.0.checked_rem(count)?;
        let before = place.saturating_add(count).saturating_sub(first).checked_rem(count)?;
        Some(UnixMs(over.0.saturating_add(before.saturating_mul(self.turn_ms))))
    }

    /// It was closed by somebody, or could not be: it is read again later.
    fn tried(&mut self, id: ContractId, now: UnixMs) {
        let retry_ms = u64::try_from(CLOSE_RETRY.as_millis()).unwrap_or(u64::MAX);
        self.due.insert(id, UnixMs(now.0.saturating_add(retry_ms)));
    }
}

/// What a contract reserves at each of its nodes.
fn reserved(contract: &Contract) -> Resources {
    match &contract.kind {
        ContractKind::Storage(storage) => Resources::storage(storage.place_bytes()),
        ContractKind::Workload(workload) => workload.resources,
        ContractKind::Rent(_) | ContractKind::Name(_) | ContractKind::Service(_) => {
            Resources::default()
        }
    }
}

#[cfg(test)]
#[path = "close_tests.rs"]
mod tests;
