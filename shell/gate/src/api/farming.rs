//! Answers about what farms earn and what a token is worth.

use std::sync::Arc;

use acre_ledger::{CertificateOf, MintReceiptOf, PowerOf, ThePrice};
use acre_types::{Epoch, FarmId, NodeId, UnixMs};

use super::Question;
use super::answers::{Answer, missing, not_read};
use crate::dto::{self, One, Page};
use crate::explorer::Explorer;
use crate::limits::{KEYS_PER_READ, RECEIPT_NODES_MAX, SCAN_MAX};
use crate::problem::Problem;
use crate::replica::NodeFilter;

/// Receipts of a node or of all nodes of a farm, newest period first, in each the nodes in the order
/// in which they joined. The cursor is period x [`RECEIPT_NODES_MAX`] + place of the node in the farm.
pub(super) async fn receipts(explorer: Arc<Explorer>, q: Question) -> Answer<Page<dto::Receipt>> {
    let (node, farm) = (q.value::<NodeId>("node")?, q.value::<FarmId>("farm")?);
    let (after, limit) = (q.value::<u64>("after")?, q.rows()?);
    let asked = Asked::new(&explorer, node, farm)?;
    let mut places = asked.places(after).peekable();
    let (mut items, mut last, mut looked_at) = (Vec::new(), None, 0);
    while items.len() < limit && looked_at < SCAN_MAX && places.peek().is_some() {
        let wanted = (limit - items.len()).min(KEYS_PER_READ);
        let (cursors, keys): (Vec<u64>, Vec<MintReceiptOf>) = places.by_ref().take(wanted).unzip();
        let read = explorer.read(explorer.ledger().read_all(&keys)).await?;
        items.extend(read.iter().flatten().map(dto::Receipt::from));
        last = cursors.last().copied();
        looked_at += cursors.len();
    }
    let wrong = items.iter().filter(|receipt| !receipt.recomputes).count();
    explorer.metrics.wrong_receipts.add(wrong as u64);
    let next_after = last.filter(|_| places.peek().is_some());
    Ok(Page { seen: explorer.seen_now(), items, next_after })
}

/// Whose receipts are asked for, and for which periods there may be some.
struct Asked {
    /// Each with the period in which it was registered.
    nodes: Vec<(NodeId, u64)>,
    newest: u64,
}

impl Asked {
    fn new(explorer: &Explorer, node: Option<NodeId>, farm: Option<FarmId>) -> Answer<Self> {
        let replica = explorer.replica();
        let rules = &replica.parameters.as_ref().ok_or_else(not_read)?.minting;
        let epoch = replica.epoch.as_ref().ok_or_else(not_read)?;
        let rows = match (node, farm) {
            (Some(node), None) => {
                vec![replica.nodes.index_of(&node).ok_or_else(|| missing("node", node))?]
            }
            (None, Some(farm)) => {
                replica.farms.get(farm).ok_or_else(|| missing("farm", farm))?;
                let filter = NodeFilter { farm: Some(farm), ..NodeFilter::default() };
                replica.nodes.page(&filter, None, RECEIPT_NODES_MAX).rows
            }
            _ => {
                let hint = "give node=, its key, or farm=, its number";
                return Err(Problem::bad_query("receipts are found by node or by farm", hint));
            }
        };
        // Numbers of epochs rise by time, also where the grid was down.
        let first = |registered: UnixMs| {
            let since = epoch.ends().0.saturating_sub(registered.0);
            let epochs = since.checked_div(epoch.span_ms).unwrap_or(0).saturating_add(1);
            rules.period_of(Epoch(epoch.number.0.saturating_sub(epochs)))
        };
        let known = rows.into_iter().filter_map(|row| replica.nodes.row(row));
        let nodes = known.map(|row| (row.id, first(row.node.registered))).collect();
        Ok(Self { nodes, newest: rules.period_of(epoch.number) })
    }

    /// All places behind a cursor at which there may be a receipt, each with its own cursor.
    fn places(&self, after: Option<u64>) -> impl Iterator<Item = (u64, MintReceiptOf)> {
        let width = RECEIPT_NODES_MAX as u64;
        let newest = after.map_or(self.newest, |after| (after / width).min(self.newest));
        let oldest = self.nodes.iter().map(|(_, first)| *first).min().unwrap_or(u64::MAX);
        let is_behind = move |cursor: u64| {
            after.is_none_or(|after| cursor / width < after / width || cursor > after)
        };
        let of_period = move |period: u64| {
            let nodes = (0..).zip(&self.nodes).filter(move |(_, (_, first))| *first <= period);
            nodes.map(move |(place, (node, _))| {
                let cursor = period.saturating_mul(width).saturating_add(place);
                (cursor, MintReceiptOf(*node, period))
            })
        };
        let all = (oldest..=newest).rev().flat_map(of_period);
        all.filter(move |(cursor, _)| is_behind(*cursor))
    }
}

pub(super) async fn certificate(
    explorer: Arc<Explorer>,
    q: Question,
) -> Answer<One<dto::Certificate>> {
    let id: FarmId = q.part("number")?;
    let (rules, epoch) = {
        let replica = explorer.replica();
        replica.farms.get(id).ok_or_else(|| missing("farm", id))?;
        let rules = replica.parameters.as_ref().ok_or_else(not_read)?.certification.clone();
        (rules, replica.epoch.as_ref().ok_or_else(not_read)?.number)
    };
    let found = explorer.read(explorer.ledger().read(&CertificateOf(id))).await?;
    let item = dto::Certificate::new(id.0, &found.unwrap_or_default(), &rules, epoch);
    Ok(One { seen: explorer.seen_now(), item })
}

pub(super) async fn power(explorer: Arc<Explorer>, q: Question) -> Answer<One<dto::Power>> {
    let id: NodeId = q.part("id")?;
    let epoch = {
        let replica = explorer.replica();
        replica.nodes.index_of(&id).ok_or_else(|| missing("node", id))?;
        replica.epoch.as_ref().ok_or_else(not_read)?.number
    };
    let power = explorer.read(explorer.ledger().read(&PowerOf(id))).await?.unwrap_or_default();
    Ok(One { seen: explorer.seen_now(), item: dto::Power::new(&power, epoch) })
}

pub(super) async fn price(explorer: Arc<Explorer>, _: Question) -> Answer<One<dto::Price>> {
    let ledger = explorer.ledger();
    let reading = async { Ok((ledger.parameters().await?.prices, ledger.read(&ThePrice).await?)) };
    let (prices, state) = explorer.read(reading).await?;
    let seen = explorer.seen_now();
    let item = dto::Price::new(&prices, state.as_ref(), UnixMs(seen.block_time_ms));
    Ok(One { seen, item })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_receipts_show_each_place_once_newest_first() {
        // The last one joined in period 3.
        let nodes = [0, 0, 3].into_iter().zip(0..).map(|(first, n)| (NodeId([n; 32]), first));
        let asked = Asked { nodes: nodes.collect(), newest: 4 };
        let page = |after, size| -> Vec<(u64, NodeId, u64)> {
            let places = asked.places(after).take(size);
            places.map(|(cursor, at)| (cursor, at.0, at.1)).collect()
        };
        let all = page(None, usize::MAX);
        let shown: Vec<_> = all.iter().map(|(_, node, period)| (node.0[0], *period)).collect();
        let wanted = [(0, 4), (1, 4), (2, 4), (0, 3), (1, 3), (2, 3), (0, 2), (1, 2)];
        assert_eq!(shown[..8], wanted);
        assert_eq!(shown.len(), 12);
        for size in 1..=all.len() {
            let (mut after, mut seen) = (None, Vec::new());
            while let Some((cursor, ..)) = page(after, size).last() {
                seen.extend(page(after, size));
                after = Some(*cursor);
            }
            assert_eq!(seen, all, "pages of {size}");
        }
        assert_eq!(page(Some(u64::MAX), usize::MAX), all, "all lie behind it");
        assert_eq!(Asked { nodes: vec![], newest: 4 }.places(None).count(), 0);
    }
}
