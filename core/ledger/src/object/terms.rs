//! Rules for all contracts that are no prices.

use borsh::{BorshDeserialize, BorshSerialize};

use super::grid::GridKind;
use super::parameters::{at_least, bounded};
use crate::error::GenesisError;
use crate::limits::{CONTRACT_PERIOD_MS_MAX, LIVE_PERIOD_MS_MIN, PERIOD_MS_MIN_MAX};

/// What follows when the time that was paid for is over: first frozen, then archived, then deleted.
///
/// Both times are paid for by a deposit that is locked when the contract is made, so that nobody
/// keeps capacity for nothing. A short contract has a short grace: each time is at most its share
/// of the whole period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct GraceRules {
    /// Frozen for at most so long.
    pub freeze_ms: u64,
    /// Archived for at most so long after that.
    pub archive_ms: u64,
    /// Each at most this share of the period, in percent.
    pub percent: u8,
}

impl Default for GraceRules {
    /// Two weeks each, and at most a twentieth of the period.
    fn default() -> Self {
        let two_weeks_ms = 14 * 24 * 3_600_000;
        Self { freeze_ms: two_weeks_ms, archive_ms: two_weeks_ms, percent: 5 }
    }
}

impl GraceRules {
    pub(super) fn check(&self) -> Result<(), GenesisError> {
        bounded("grace.freeze_ms", self.freeze_ms, CONTRACT_PERIOD_MS_MAX)?;
        bounded("grace.archive_ms", self.archive_ms, CONTRACT_PERIOD_MS_MAX)?;
        bounded("grace.percent", self.percent.into(), 50)
    }

    /// The grace of a contract that is made for so long.
    #[must_use]
    pub fn of(&self, period_ms: u64) -> Grace {
        // A hundredth first: the product of a long period would not fit.
        let most = (period_ms / 100).saturating_mul(self.percent.into());
        Grace { freeze_ms: self.freeze_ms.min(most), archive_ms: self.archive_ms.min(most) }
    }
}

/// The grace of one contract.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Grace {
    /// Frozen for so long from its end.
    pub freeze_ms: u64,
    /// Archived for so long after that.
    pub archive_ms: u64,
}

impl Grace {
    /// Both times.
    #[must_use]
    pub const fn whole_ms(&self) -> u64 {
        self.freeze_ms.saturating_add(self.archive_ms)
    }
}

/// Rules for contracts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ContractRules {
    /// Least period of a contract, in milliseconds: what is held for a moment costs next to nothing,
    /// and then has to be freed by somebody.
    pub period_ms_min: u64,
    /// Virtual cores that may be reserved for each core that a node offers.
    pub overcommit: u8,
    /// How far ahead the deadline of a node's or partner's answer may lie.
    pub answer_ms_max: u64,
    /// What a farm loses of its stake for proven capacity that witnesses found down, in percent of
    /// the price, on top of the price itself: half to the tenant, half destroyed.
    pub penalty_percent: u16,
    /// Time that one bill of a service may cover.
    pub window_ms_max: u64,
}

impl Default for ContractRules {
    /// An hour at least, four cores for one, answers within a day, as much again for time that was found down, bills of a
    /// service within a week.
    fn default() -> Self {
        let day_ms = 24 * 3_600_000;
        Self {
            period_ms_min: LIVE_PERIOD_MS_MIN,
            overcommit: 4,
            answer_ms_max: day_ms,
            penalty_percent: 100,
            window_ms_max: 7 * day_ms,
        }
    }
}

impl ContractRules {
    /// For a grid on one machine: a second.
    #[must_use]
    pub fn local() -> Self {
        Self { period_ms_min: 1_000, ..Self::default() }
    }

    pub(super) fn check(&self) -> Result<(), GenesisError> {
        at_least("contracts.period_ms_min", self.period_ms_min, 1)?;
        bounded("contracts.period_ms_min", self.period_ms_min, PERIOD_MS_MIN_MAX)?;
        bounded("contracts.overcommit", self.overcommit.into(), 16)?;
        bounded("contracts.answer_ms_max", self.answer_ms_max, CONTRACT_PERIOD_MS_MAX)?;
        bounded("contracts.penalty_percent", self.penalty_percent.into(), 1000)?;
        bounded("contracts.window_ms_max", self.window_ms_max, CONTRACT_PERIOD_MS_MAX)
    }

    /// As the private check; on a live grid nothing is held for less than an hour.
    pub(super) fn check_for(&self, kind: GridKind) -> Result<(), GenesisError> {
        match kind {
            GridKind::Local | GridKind::Test => Ok(()),
            GridKind::Live => {
                at_least("contracts.period_ms_min", self.period_ms_min, LIVE_PERIOD_MS_MIN)
            }
        }
    }
}
