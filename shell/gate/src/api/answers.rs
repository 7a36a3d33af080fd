//! What each route answers.

use std::sync::Arc;

use acre_ledger::{
    BillAt, CandidateAt, CandidateBy, Contract, ContractOf, Handle, HandleAt, NodeState,
    ProposalAt, TallyOf, TwinOf,
};
use acre_types::{AccountId, ContractId, Country, Digest, FarmId, Height, NodeId};
use futures::StreamExt as _;
use futures::stream;

use super::Question;
use crate::dto::{self, ContractStateName, NodeStateName, One, Page};
use crate::explorer::Explorer;
use crate::limits::{BLOCKS_AT_ONCE, BLOCKS_PAGE_MAX, KEYS_PER_READ, SCAN_MAX};
use crate::problem::{Code, Problem};
use crate::replica::{FarmFilter, NodeFilter, Replica, nodes_of};

pub(super) type Answer<T> = Result<T, Problem>;

pub(super) fn missing(what: &str, id: impl std::fmt::Display) -> Problem {
    Problem::not_found(format!("there is no {what} {id}"), format!("GET /api/v1/{what}s lists all"))
}

pub(super) async fn grid(explorer: Arc<Explorer>, _: Question) -> Answer<One<dto::Grid>> {
    let replica = explorer.replica();
    let grid = replica.grid.as_ref().ok_or_else(not_read)?;
    Ok(One { seen: explorer.seen(&replica), item: dto::Grid::new(grid, &replica.totals) })
}

pub(super) async fn statistics(
    explorer: Arc<Explorer>,
    _: Question,
) -> Answer<One<dto::Statistics>> {
    let (seen, statistics) = explorer.statistics();
    Ok(One { seen, item: dto::Statistics::clone(&statistics) })
}

fn node_dto(replica: &Replica, index: u32) -> Option<dto::Node> {
    Some(dto::Node::new(index, replica.nodes.row(index)?))
}

pub(super) async fn nodes(explorer: Arc<Explorer>, q: Question) -> Answer<Page<dto::Node>> {
    let filter = NodeFilter {
        farm: q.value::<FarmId>("farm")?,
        country: q.value::<Country>("country")?,
        state: q.word::<NodeStateName>("state")?.map(NodeState::from),
    };
    let (after, limit) = (q.value::<u32>("after")?, q.rows()?);
    let replica = explorer.replica();
    let slice = replica.nodes.page(&filter, after, limit);
    let items = slice.rows.into_iter().filter_map(|index| node_dto(&replica, index)).collect();
    let next_after = slice.next_after.map(u64::from);
    Ok(Page { seen: explorer.seen(&replica), items, next_after })
}

pub(super) async fn node(explorer: Arc<Explorer>, q: Question) -> Answer<One<dto::Node>> {
    let id: NodeId = q.part("id")?;
    let replica = explorer.replica();
    let found = replica.nodes.index_of(&id).and_then(|index| node_dto(&replica, index));
    let item = found.ok_or_else(|| missing("node", id))?;
    Ok(One { seen: explorer.seen(&replica), item })
}

pub(super) fn not_read() -> Problem {
    let message = "the ledger was not read yet";
    Problem::new(Code::LedgerUnavailable, message, "ask again in some seconds")
}

pub(super) async fn witnesses(explorer: Arc<Explorer>, q: Question) -> Answer<One<dto::Witnesses>> {
    let id: NodeId = q.part("id")?;
    let replica = explorer.replica();
    let index = replica.nodes.index_of(&id).ok_or_else(|| missing("node", id))?;
    let epoch = replica.epoch.as_ref().ok_or_else(not_read)?;
    let rules = replica.parameters.as_ref().ok_or_else(not_read)?;
    let item = dto::Witnesses::new(&replica, epoch, rules.capacity.independence, index);
    Ok(One { seen: explorer.seen(&replica), item: item.ok_or_else(|| missing("node", id))? })
}

pub(super) async fn epoch(explorer: Arc<Explorer>, _: Question) -> Answer<One<dto::Epoch>> {
    let replica = explorer.replica();
    let epoch = replica.epoch.as_ref().ok_or_else(not_read)?;
    Ok(One { seen: explorer.seen(&replica), item: epoch.into() })
}

fn farm_dto(replica: &Replica, id: FarmId) -> Option<dto::Farm> {
    Some(dto::Farm::new(id, replica.farms.get(id)?, &replica.nodes.farm_sums(id)))
}

pub(super) async fn farms(explorer: Arc<Explorer>, q: Question) -> Answer<Page<dto::Farm>> {
    let filter = FarmFilter { owner: q.value::<AccountId>("owner")? };
    let (after, limit) = (q.value::<u32>("after")?, q.rows()?);
    let replica = explorer.replica();
    let slice = replica.farms.page(filter, after, limit);
    let ids = slice.rows.into_iter().map(FarmId);
    let items = ids.filter_map(|id| farm_dto(&replica, id)).collect();
    let next_after = slice.next_after.map(u64::from);
    Ok(Page { seen: explorer.seen(&replica), items, next_after })
}

pub(super) async fn farm(explorer: Arc<Explorer>, q: Question) -> Answer<One<dto::Farm>> {
    let id: FarmId = q.part("number")?;
    let replica = explorer.replica();
    let item = farm_dto(&replica, id).ok_or_else(|| missing("farm", id))?;
    Ok(One { seen: explorer.seen(&replica), item })
}

/// Contracts by their numbers: those held here, and the others with proofs.
async fn contracts_by_id(explorer: &Explorer, ids: &[u64]) -> Answer<Vec<Contract>> {
    let mut found: Vec<Option<Contract>> = {
        let replica = explorer.replica();
        ids.iter().map(|id| replica.contracts.get(ContractId(*id)).cloned()).collect()
    };
    let absent: Vec<_> = (ids.iter().zip(&found))
        .filter(|(_, held)| held.is_none())
        .map(|(id, _)| ContractId(*id))
        .collect();
    if !absent.is_empty() {
        let mut read = explorer.read(explorer.ledger().read_all(&absent)).await?.into_iter();
        for place in found.iter_mut().filter(|place| place.is_none()) {
            *place = read.next().flatten();
        }
    }
    Ok(found.into_iter().flatten().collect())
}

fn contract_page(
    explorer: &Explorer,
    rows: &[Contract],
    next_after: Option<u64>,
) -> Page<dto::Contract> {
    let seen = explorer.seen(&explorer.replica());
    Page { seen, items: rows.iter().map(dto::Contract::from).collect(), next_after }
}

pub(super) async fn contracts(explorer: Arc<Explorer>, q: Question) -> Answer<Page<dto::Contract>> {
    let owner = q.value::<AccountId>("owner")?;
    let node = q.value::<NodeId>("node")?;
    let state = q.word::<ContractStateName>("state")?;
    let (after, limit) = (q.value::<u64>("after")?, q.rows()?);
    if node.is_some() && state == Some(ContractStateName::Closed) {
        let hint = "leave node out, or ask for the open ones";
        return Err(Problem::bad_query("closed contracts are not found by node", hint));
    }
    let fits = |contract: &Contract| {
        owner.is_none_or(|owner| owner == contract.owner)
            && node.is_none_or(|node| nodes_of(contract).any(|place| place == node))
            && state.is_none_or(|state| state == ContractStateName::of(&contract.state))
    };
    if node.is_some() || (owner.is_none() && state == Some(ContractStateName::Open)) {
        let replica = explorer.replica();
        let slice = replica.contracts.page(node, fits, after, limit);
        let held = slice.rows.iter().filter_map(|id| replica.contracts.get(ContractId(*id)));
        let items = held.map(dto::Contract::from).collect();
        return Ok(Page { seen: explorer.seen(&replica), items, next_after: slice.next_after });
    }
    if let Some(owner) = owner {
        return contracts_of(&explorer, owner, fits, after, limit).await;
    }
    let last = explorer.replica().contracts.known();
    let first = after.map_or(1, |after| after.saturating_add(1)).max(1);
    let (mut rows, mut looked_at) = (Vec::new(), first.saturating_sub(1));
    while rows.len() < limit && looked_at < last && looked_at < first + SCAN_MAX as u64 {
        let count = (limit - rows.len()).min(KEYS_PER_READ);
        let ids: Vec<u64> = (looked_at + 1..=last).take(count).collect();
        looked_at += ids.len() as u64;
        rows.extend(contracts_by_id(&explorer, &ids).await?.into_iter().filter(fits));
    }
    Ok(contract_page(&explorer, &rows, (looked_at < last).then_some(looked_at)))
}

/// The ledger itself lists an account's contracts; the cursor is the place in that list.
async fn contracts_of(
    explorer: &Explorer,
    owner: AccountId,
    fits: impl Fn(&Contract) -> bool,
    after: Option<u64>,
    limit: usize,
) -> Answer<Page<dto::Contract>> {
    let count = explorer.read(explorer.ledger().account(owner)).await?.contracts;
    let first = after.map_or(0, |after| after.saturating_add(1));
    let first = u32::try_from(first).unwrap_or(u32::MAX).min(count);
    let places: Vec<_> = (first..count).take(limit).map(|at| ContractOf(owner, at)).collect();
    let read = explorer.read(explorer.ledger().read_all(&places)).await?;
    let ids: Vec<u64> = read.into_iter().flatten().map(|id| id.0).collect();
    let mut rows = contracts_by_id(explorer, &ids).await?;
    rows.retain(fits);
    let last = u64::from(first) + places.len() as u64;
    let next_after = (last < u64::from(count) && last > 0).then(|| last - 1);
    Ok(contract_page(explorer, &rows, next_after))
}

pub(super) async fn contract(explorer: Arc<Explorer>, q: Question) -> Answer<One<dto::Contract>> {
    let id: ContractId = q.part("number")?;
    let found = contracts_by_id(&explorer, &[id.0]).await?;
    let item = found.first().map(dto::Contract::from).ok_or_else(|| missing("contract", id))?;
    Ok(One { seen: explorer.seen(&explorer.replica()), item })
}

pub(super) async fn account(explorer: Arc<Explorer>, q: Question) -> Answer<One<dto::Account>> {
    let id: AccountId = q.part("id")?;
    let ledger = explorer.ledger();
    let reading = async { Ok((ledger.account(id).await?, ledger.read(&TwinOf(id)).await?)) };
    let (account, twin) = explorer.read(reading).await?;
    Ok(One { seen: explorer.seen_now(), item: dto::Account::new(id, &account, twin) })
}

pub(super) async fn twin(explorer: Arc<Explorer>, q: Question) -> Answer<One<dto::Twin>> {
    let handle: Handle = q.part("handle")?;
    let twin = explorer.read(explorer.ledger().twin(&handle)).await?;
    let twin = twin.ok_or_else(|| {
        Problem::not_found(format!("there is no twin {handle}"), "check the spelling")
    })?;
    Ok(One { seen: explorer.seen_now(), item: dto::Twin::new(&handle, &twin) })
}

pub(super) async fn blocks(
    explorer: Arc<Explorer>,
    q: Question,
) -> Answer<Page<dto::BlockSummary>> {
    let (before, limit) = (q.value::<u64>("after")?, q.limit(BLOCKS_PAGE_MAX)?);
    let reading = async {
        let (info, head) = explorer.ledger().info().await?;
        if let Some(head) = &head {
            explorer.check_block(head);
        }
        let newest = head.map_or(0, |head| head.height.0);
        let oldest = info.oldest.0.max(1);
        let from = before.map_or(newest, |before| before.saturating_sub(1).min(newest));
        let heights: Vec<u64> = (oldest..=from).rev().take(limit).collect();
        let mut reads = stream::iter(heights)
            .map(|height| explorer.block_summary(height))
            .buffered(BLOCKS_AT_ONCE);
        let mut items = Vec::new();
        while let Some(summary) = reads.next().await {
            match summary? {
                Some(summary) => items.push(summary),
                // Pruned meanwhile, as are all before it.
                None => break,
            }
        }
        let last = items.last().map(|summary: &dto::BlockSummary| summary.height);
        Ok((items, last.filter(|last| *last > oldest)))
    };
    let (items, next_after) = explorer.read(reading).await?;
    Ok(Page { seen: explorer.seen_now(), items, next_after })
}

fn no_block(height: u64) -> Problem {
    let hint = "GET /api/v1/blocks lists those that are kept";
    Problem::not_found(format!("block {height} is not kept, or not made yet"), hint)
}

pub(super) async fn block(explorer: Arc<Explorer>, q: Question) -> Answer<One<dto::Block>> {
    let (height, after, limit) = (q.part("height")?, q.value::<u64>("after")?, q.rows()?);
    let found = explorer.read(explorer.ledger().block(Height(height))).await?;
    let found = found.ok_or_else(|| no_block(height))?;
    explorer.check_block(&found.block);
    Ok(One { seen: explorer.seen_now(), item: dto::Block::new(&found, after, limit) })
}

pub(super) async fn transaction(
    explorer: Arc<Explorer>,
    q: Question,
) -> Answer<One<dto::Transaction>> {
    let id: Digest = q.part("id")?;
    let found = explorer.read(explorer.ledger().find(id)).await?;
    let found = found.map(|found| {
        explorer.check_block(&found.block);
        dto::Transaction::new(found.block.height, &found.signed)
    });
    let item = found.ok_or_else(|| {
        let message = format!("no transaction {id} in the blocks that are kept");
        Problem::not_found(message, "GET /api/v1/accounts/{id} tells how many were applied")
    })?;
    Ok(One { seen: explorer.seen_now(), item })
}

pub(super) async fn validators(
    explorer: Arc<Explorer>,
    _: Question,
) -> Answer<Page<dto::Validator>> {
    let replica = explorer.replica();
    let items = dto::Validator::all(&replica);
    Ok(Page { seen: explorer.seen(&replica), items, next_after: None })
}

pub(super) async fn term(explorer: Arc<Explorer>, _: Question) -> Answer<One<dto::Term>> {
    let replica = explorer.replica();
    let seats = replica.seats.as_ref().ok_or_else(not_read)?;
    let rules = replica.parameters.as_ref().ok_or_else(not_read)?;
    Ok(One { seen: explorer.seen(&replica), item: dto::Term::new(seats, &rules.seats) })
}

pub(super) async fn candidates(
    explorer: Arc<Explorer>,
    q: Question,
) -> Answer<Page<dto::Candidate>> {
    let (after, limit) = (q.value::<u32>("after")?, q.rows()?);
    let ledger = explorer.ledger();
    let first = after.map_or(0, |after| after.saturating_add(1));
    let reading = async {
        let count = ledger.totals().await?.candidates;
        let places: Vec<_> = (first..count).take(limit).map(CandidateAt).collect();
        let keys = ledger.read_all(&places).await?;
        let keys: Vec<_> = keys.into_iter().flatten().map(CandidateBy).collect();
        let candidates = ledger.read_all(&keys).await?;
        Ok((count, places.len(), keys, candidates))
    };
    let (count, looked_at, keys, candidates) = explorer.read(reading).await?;
    let seen = explorer.seen_now();
    let replica = explorer.replica();
    let rows = keys.iter().zip(&candidates);
    let items = rows
        .filter_map(|(key, found)| Some(dto::Candidate::new(&replica, key.0, found.as_ref()?)))
        .collect();
    let last = u64::from(first) + looked_at as u64;
    let next_after = (looked_at > 0 && last < u64::from(count)).then(|| last - 1);
    Ok(Page { seen, items, next_after })
}

pub(super) async fn reports(explorer: Arc<Explorer>, q: Question) -> Answer<One<dto::Reports>> {
    let id: NodeId = q.part("id")?;
    if explorer.replica().nodes.index_of(&id).is_none() {
        return Err(missing("node", id));
    }
    let tally = explorer.read(explorer.ledger().read(&TallyOf(id))).await?;
    let seen = explorer.seen_now();
    let replica = explorer.replica();
    let rules = replica.parameters.as_ref().ok_or_else(not_read)?;
    let item = dto::Reports::new(&replica, tally.as_ref(), rules.capacity.reports_min);
    Ok(One { seen, item })
}

pub(super) async fn proposals(explorer: Arc<Explorer>, q: Question) -> Answer<Page<dto::Proposal>> {
    let (after, limit) = (q.value::<u64>("after")?, q.rows()?);
    let first = after.map_or(0, |after| after.saturating_add(1));
    let ledger = explorer.ledger();
    let reading = async {
        let count = ledger.totals().await?.proposals;
        let places: Vec<_> = (first..count).take(limit).map(ProposalAt).collect();
        Ok((count, ledger.read_all(&places).await?))
    };
    let (count, found) = explorer.read(reading).await?;
    let last = first.saturating_add(found.len() as u64);
    let rows = (first..).zip(&found);
    let items = rows.filter_map(|(id, found)| Some(dto::Proposal::new(id, found.as_ref()?)));
    let next_after = (!found.is_empty() && last < count).then(|| last - 1);
    Ok(Page { seen: explorer.seen_now(), items: items.collect(), next_after })
}

pub(super) async fn proposal(explorer: Arc<Explorer>, q: Question) -> Answer<One<dto::Proposal>> {
    let id: u64 = q.part("number")?;
    let found = explorer.read(explorer.ledger().read(&ProposalAt(id))).await?;
    let found = found.ok_or_else(|| missing("proposal", id))?;
    Ok(One { seen: explorer.seen_now(), item: dto::Proposal::new(id, &found) })
}

/// The whole phonebook, a page at a time: who has it all looks people up without telling anybody.
pub(super) async fn twins(explorer: Arc<Explorer>, q: Question) -> Answer<Page<dto::Twin>> {
    let (after, limit) = (q.value::<u64>("after")?, q.rows()?);
    let first = after.map_or(0, |after| after.saturating_add(1));
    let ledger = explorer.ledger();
    let reading = async {
        let count = ledger.totals().await?.twins;
        let places: Vec<_> = (first..count).take(limit).map(HandleAt).collect();
        let handles: Vec<_> = ledger.read_all(&places).await?.into_iter().flatten().collect();
        let twins = ledger.read_all(&handles).await?;
        Ok((count, places.len(), handles, twins))
    };
    let (count, looked_at, handles, twins) = explorer.read(reading).await?;
    let rows = handles.iter().zip(&twins);
    let items = rows.filter_map(|(handle, twin)| Some(dto::Twin::new(handle, twin.as_ref()?)));
    let last = first.saturating_add(looked_at as u64);
    let next_after = (looked_at > 0 && last < count).then(|| last - 1);
    Ok(Page { seen: explorer.seen_now(), items: items.collect(), next_after })
}

pub(super) async fn bill(explorer: Arc<Explorer>, q: Question) -> Answer<Page<dto::Bill>> {
    let id: ContractId = q.part("number")?;
    let (after, limit) = (q.value::<u32>("after")?, q.rows()?);
    let first = after.map_or(0, |after| after.saturating_add(1));
    let ledger = explorer.ledger();
    let reading = async {
        // Not from the replica: lines are as new as the contract that counts them.
        let Some(contract) = ledger.read(&id).await? else { return Ok(None) };
        let places: Vec<_> =
            (first..contract.bills).take(limit).map(|line| BillAt(id, line)).collect();
        Ok(Some((contract.bills, ledger.read_all(&places).await?)))
    };
    let found = explorer.read(reading).await?;
    let (count, lines) = found.ok_or_else(|| missing("contract", id))?;
    let rows = (first..).zip(&lines);
    let items: Vec<_> =
        rows.filter_map(|(index, line)| Some(dto::Bill::new(index, line.as_ref()?))).collect();
    let wrong = items.iter().filter(|line| !line.recomputes).count();
    explorer.metrics.wrong_lines.add(wrong as u64);
    let last = first.saturating_add(u32::try_from(lines.len()).unwrap_or(u32::MAX));
    let next_after = (!lines.is_empty() && last < count).then(|| u64::from(last - 1));
    Ok(Page { seen: explorer.seen_now(), items, next_after })
}
