//! From what several witnesses found to one finding, and who was far off.
//!
//! Each field is the lower median of what was reported, apart from the others: of n values, sorted,
//! the one at position (n - 1) / 2, from 0. While fewer than half of the reports lie, it is in the
//! range of what the others reported, whatever the liars say.

use acre_types::Bytes;

use crate::object::{
    Capacity, CapacityRules, Failures, Finding, Heard, Node, Record, Tally, WHOLE,
};

/// Reports below which no strike is given: of two that differ nobody can say which is off.
const STRIKE_REPORTS_MIN: usize = 3;

/// The epoch of a node as its witnesses agree on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folded {
    /// Answered share of the epoch, in millionths.
    pub uptime: u64,
    /// Measured, before it is cut to what the node claims.
    pub measured: Capacity,
    /// Shards of the storage measured.
    pub sold: Bytes,
    /// Of the storage measured, what is solid.
    pub solid: Bytes,
    /// Failed challenges.
    pub failures: Failures,
    /// Registration indexes of witnesses that were far from this.
    pub off: Vec<u32>,
}

/// What a tally says of a node that claims so much and at which contracts have reserved so much
/// storage, or `None` if too few reported: then the epoch neither counts for the node nor against
/// it. More shards than are reserved count for no witness's word.
#[must_use]
pub fn fold(
    tally: &Tally,
    (claimed, reserved): (Capacity, Bytes),
    rules: &CapacityRules,
) -> Option<Folded> {
    let paid_for = |one: &Heard| Heard { finding: one.finding.paid_for(reserved), ..*one };
    let heard: Vec<Heard> = tally.heard.iter().map(paid_for).collect();
    if heard.is_empty() || heard.len() < tally.quorum(rules.reports_min) {
        return None;
    }
    let of = |field: fn(&Finding) -> u64| median(heard.iter().map(|one| field(&one.finding)));
    let of_u32 = |field: fn(&Finding) -> u32| median(heard.iter().map(|one| field(&one.finding)));
    let of_u16 = |field: fn(&Finding) -> u16| median(heard.iter().map(|one| field(&one.finding)));
    let mut folded = Folded {
        uptime: of(Finding::uptime),
        measured: Capacity {
            storage: Bytes(of(|finding| finding.measured.storage.0)),
            cores: of_u32(|finding| finding.measured.cores),
            memory: Bytes(of(|finding| finding.measured.memory.0)),
        },
        sold: Bytes(of(|finding| finding.sold.0)),
        solid: Bytes(of(|finding| finding.solid.0)),
        failures: Failures {
            late: of_u16(|finding| finding.failures.late),
            missing: of_u16(|finding| finding.failures.missing),
            wrong: of_u16(|finding| finding.failures.wrong),
        },
        off: Vec::new(),
    };
    if heard.len() >= STRIKE_REPORTS_MIN {
        let far = heard.iter().filter(|one| is_far(&one.finding, &folded, claimed, rules));
        folded.off = far.map(|one| one.witness).collect();
    }
    Some(folded)
}

impl Folded {
    /// Enters the epoch into the books of the node. Never more than it claims (L7).
    ///
    /// Cores and memory were measured as far as they were free. What contracts that the node agreed to
    /// have reserved by now is added, and what is reserved is not free: no core is both, whenever a
    /// contract began or ended.
    pub fn enter(&self, tally: &Tally, node: &mut Node, overcommit: u8) {
        let up = u128::from(tally.span_ms).saturating_mul(self.uptime.min(WHOLE).into());
        let up = u64::try_from(up.div_euclid(WHOLE.into())).unwrap_or(tally.span_ms);
        let old = node.record;
        let (free, reserved) = (node.idle(overcommit), node.busy(overcommit));
        let measured = self.measured.min(Capacity { storage: node.capacity.storage, ..free });
        node.verified = Capacity {
            storage: measured.storage,
            cores: measured.cores.saturating_add(reserved.cores),
            memory: Bytes(measured.memory.0.saturating_add(reserved.memory.0)),
        };
        node.solid = self.solid.min(measured.storage);
        node.lent = Capacity { storage: self.sold.min(measured.storage), ..reserved };
        node.record = Record {
            due: old.due.saturating_add(tally.span_ms),
            up: old.up.saturating_add(up),
            failed: old.failed.saturating_add(self.failures.total()),
            epochs: old.epochs.saturating_add(1),
            last: Some(tally.epoch),
        };
    }
}

/// The lower median; the default of nothing.
fn median<T: Ord + Copy + Default>(values: impl Iterator<Item = T>) -> T {
    let mut values: Vec<T> = values.collect();
    values.sort_unstable();
    let middle = values.len().saturating_sub(1) >> 1;
    values.get(middle).copied().unwrap_or_default()
}

/// Uptime by percent of the epoch, capacity by percent of what is claimed. Failures are no measure
/// of a witness: each draws its own samples; nor is the speed of storage: who could not measure it,
/// says that it is slow.
fn is_far(one: &Finding, folded: &Folded, claimed: Capacity, rules: &CapacityRules) -> bool {
    let capacity = rules.capacity_tolerance_percent;
    let (given, middle) = (one.measured.min(claimed), folded.measured.min(claimed));
    let cores = |capacity: Capacity| u64::from(capacity.cores);
    differs(one.uptime(), folded.uptime, WHOLE, rules.uptime_tolerance_percent)
        || differs(given.storage.0, middle.storage.0, claimed.storage.0, capacity)
        || differs(given.memory.0, middle.memory.0, claimed.memory.0, capacity)
        || differs(cores(given), cores(middle), cores(claimed), capacity)
}

fn differs(given: u64, middle: u64, whole: u64, percent: u8) -> bool {
    let apart = u128::from(given.abs_diff(middle)).saturating_mul(100);
    apart > u128::from(whole).saturating_mul(percent.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_is_the_lower_one() {
        assert_eq!(median([3_u64, 1, 2].into_iter()), 2);
        assert_eq!(median([4_u64, 1, 2, 3].into_iter()), 2);
        assert_eq!(median([9_u64].into_iter()), 9);
        assert_eq!(median(std::iter::empty::<u64>()), 0);
    }

    #[test]
    fn far_is_more_than_the_percent_of_the_whole() {
        assert!(!differs(80, 100, 100, 20));
        assert!(differs(79, 100, 100, 20));
        assert!(!differs(5, 5, 0, 0));
        assert!(differs(u64::MAX, 0, u64::MAX, 99));
    }
}
