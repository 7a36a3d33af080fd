//! A copy of the ledger's farms, nodes and open contracts, with the indexes that lists need.
//!
//! Plain data without clock, socket or task: whoever fills it has checked the proofs. Rows are
//! found in the order in which they joined, so a page is a range of a set: its price is its size,
//! not the grid's. Sums are kept while rows change; [`Replica::statistics`] walks farms and
//! countries, never nodes.

mod contracts;
mod farms;
mod nodes;
mod statistics;
mod sums;
#[cfg(test)]
mod tests;

use acre_chain::client::Final;
use acre_ledger::{Beacon, EpochState, Grid, Parameters, Seats, Totals};

pub(crate) use contracts::{Contracts, nodes_of};
pub(crate) use farms::{FarmFilter, Farms};
pub(crate) use nodes::{NodeFilter, NodeRow, Nodes};
pub(crate) use statistics::Shares;
pub(crate) use sums::{Size, Sums};

use crate::limits::SCAN_MAX;

/// The copy.
#[derive(Debug, Default)]
pub(crate) struct Replica {
    /// The newest block all of whose news is in here.
    pub(crate) block: Option<Final>,
    /// Whether everything was read once since the last gap in the news.
    pub(crate) is_complete: bool,
    pub(crate) grid: Option<Grid>,
    pub(crate) parameters: Option<Parameters>,
    pub(crate) totals: Totals,
    pub(crate) seats: Option<Seats>,
    pub(crate) epoch: Option<EpochState>,
    pub(crate) beacon: Option<Beacon>,
    pub(crate) nodes: Nodes,
    pub(crate) farms: Farms,
    pub(crate) contracts: Contracts,
}

/// Some rows, and where the next ones begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Slice<T> {
    pub(crate) rows: Vec<T>,
    /// The last row looked at, if there are more behind it.
    pub(crate) next_after: Option<T>,
}

impl<T: Copy> Slice<T> {
    /// The first `limit` candidates that fit, of the first [`SCAN_MAX`].
    pub(crate) fn take(
        candidates: impl Iterator<Item = T>,
        fits: impl Fn(T) -> bool,
        limit: usize,
    ) -> Self {
        let (mut rows, mut last) = (Vec::with_capacity(limit.min(64)), None);
        for (looked_at, candidate) in candidates.enumerate() {
            if rows.len() == limit || looked_at == SCAN_MAX {
                return Self { rows, next_after: last };
            }
            last = Some(candidate);
            if fits(candidate) {
                rows.push(candidate);
            }
        }
        Self { rows, next_after: None }
    }
}
