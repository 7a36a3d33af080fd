//! Certification: what a farm or a node has shown beyond its capacity, and by whose word.
//!
//! Two ways lead to it. Certifiers, accounts named by parameter, attest that they saw evidence;
//! so many of them together grant a level. And a node that was up for long enough, as witnesses
//! found, is certified by its own record.

use acre_codec::List;
use acre_types::{AccountId, Digest, Epoch};
use borsh::{BorshDeserialize, BorshSerialize};

use super::grid::GridKind;
use super::parameters::{at_least, bounded};
use crate::error::GenesisError;
use crate::limits::{ATTESTATION_EPOCHS_MAX, ATTESTATIONS_MAX, CERTIFIERS_MAX, MERIT_PERIODS_MAX};
use crate::mint::Certification;

/// Who certifies, and what a record is worth.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct CertificationRules {
    /// Whose word counts, each once. None: only records certify.
    pub certifiers: List<AccountId, CERTIFIERS_MAX>,
    /// Attestations that make a farm [`Certification::Certified`].
    pub certified: u8,
    /// Attestations that make it [`Certification::Gold`].
    pub gold: u8,
    /// Epochs for which an attestation holds at most.
    pub epochs_max: u64,
    /// What a node shows by itself.
    pub record: MeritRules,
}

/// The record that certifies a node without anybody's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct MeritRules {
    /// Good periods of minting in a row; zero: no record certifies.
    pub periods: u16,
    /// Least uptime of a good period, in permille of the time that was witnessed.
    pub uptime_permille: u16,
    /// Least share of a good period that was witnessed, in permille.
    pub witnessed_permille: u16,
}

impl Default for CertificationRules {
    /// Nobody's word; six periods of 99 %, each witnessed for four fifths.
    fn default() -> Self {
        Self {
            certifiers: List::default(),
            certified: 2,
            gold: 3,
            epochs_max: 9_600,
            record: MeritRules { periods: 6, uptime_permille: 990, witnessed_permille: 800 },
        }
    }
}

impl CertificationRules {
    /// Whether each value lies within its bounds.
    ///
    /// # Errors
    /// The name of the first that does not.
    pub fn check(&self) -> Result<(), GenesisError> {
        let what = "certification.certifiers";
        let mut certifiers = self.certifiers.to_vec();
        certifiers.sort();
        certifiers.dedup();
        if certifiers.len() != self.certifiers.len() {
            return Err(GenesisError::Parameter { what });
        }
        at_least("certification.certified", self.certified.into(), 1)?;
        at_least("certification.gold", self.gold.into(), self.certified.into())?;
        if !certifiers.is_empty() {
            bounded("certification.gold", self.gold.into(), self.count())?;
        }
        at_least("certification.epochs_max", self.epochs_max, 1)?;
        bounded("certification.epochs_max", self.epochs_max, ATTESTATION_EPOCHS_MAX)?;
        let record = &self.record;
        bounded("certification.record.periods", record.periods.into(), MERIT_PERIODS_MAX)?;
        for (what, permille) in [
            ("certification.record.uptime_permille", record.uptime_permille),
            ("certification.record.witnessed_permille", record.witnessed_permille),
        ] {
            at_least(what, permille.into(), 500)?;
            bounded(what, permille.into(), 1000)?;
        }
        Ok(())
    }

    /// As [`CertificationRules::check`]; on a live grid no certifier grants a level alone, and none can
    /// prevent one alone.
    ///
    /// # Errors
    /// As there.
    pub fn check_for(&self, kind: GridKind) -> Result<(), GenesisError> {
        self.check()?;
        if kind != GridKind::Live || self.certifiers.is_empty() {
            return Ok(());
        }
        at_least("certification.certified", self.certified.into(), 2)?;
        bounded("certification.gold", self.gold.into(), self.count().saturating_sub(1))
    }

    fn count(&self) -> u64 {
        u64::try_from(self.certifiers.len()).unwrap_or(u64::MAX)
    }
}

/// The word of one certifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Attestation {
    /// Whose.
    pub by: AccountId,
    /// The level that the evidence is for.
    pub level: Certification,
    /// Hash of the evidence, which is kept elsewhere.
    pub evidence: Digest,
    /// Holds from the beginning of this epoch on.
    pub since: Epoch,
    /// Does not hold in this epoch any more.
    pub until: Epoch,
}

/// What was attested of a farm: one of each certifier and level. Those that ran out stay until
/// they are replaced, for periods that are not paid yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Certificate {
    /// In no order.
    pub attestations: List<Attestation, ATTESTATIONS_MAX>,
}

impl Certificate {
    /// The level that held in each epoch from `first` to `last`.
    #[must_use]
    pub fn level(&self, rules: &CertificationRules, first: Epoch, last: Epoch) -> Certification {
        let count = |level: Certification| {
            let holds = |certifier: &&AccountId| {
                self.attestations.iter().any(|one| {
                    one.by == **certifier
                        && one.level >= level
                        && one.since <= first
                        && last < one.until
                })
            };
            rules.certifiers.iter().filter(holds).count()
        };
        if count(Certification::Gold) >= usize::from(rules.gold) {
            Certification::Gold
        } else if count(Certification::Certified) >= usize::from(rules.certified) {
            Certification::Certified
        } else {
            Certification::Diy
        }
    }
}

/// Good periods of a node in a row, counted when they are paid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Merit {
    /// How many.
    pub run: u32,
    /// Number of the last one.
    pub last: u64,
}

impl Merit {
    /// After a period of `period_ms` in which `due_ms` were witnessed and the node was up for `up_ms`
    /// of these. A period that is missing breaks the row.
    #[must_use]
    pub fn after(
        self,
        rules: &MeritRules,
        period: u64,
        period_ms: u64,
        (due_ms, up_ms): (u64, u64),
    ) -> Self {
        let reaches = |part: u64, whole: u64, permille: u16| {
            let wanted = u128::from(whole).saturating_mul(permille.into());
            u128::from(part).saturating_mul(1000) >= wanted
        };
        let is_good = due_ms > 0
            && reaches(due_ms, period_ms, rules.witnessed_permille)
            && reaches(up_ms, due_ms, rules.uptime_permille);
        let follows = self.run > 0 && self.last.checked_add(1) == Some(period);
        let run = match (is_good, follows) {
            (false, _) => 0,
            (true, false) => 1,
            (true, true) => self.run.saturating_add(1),
        };
        Self { run, last: period }
    }

    /// What it is worth in the period it ends with.
    #[must_use]
    pub fn level(&self, rules: &MeritRules) -> Certification {
        if rules.periods > 0 && self.run >= rules.periods.into() {
            Certification::Certified
        } else {
            Certification::Diy
        }
    }

    /// What it is worth while a later period runs: nothing once a period was left out.
    #[must_use]
    pub fn level_in(&self, rules: &MeritRules, running: u64) -> Certification {
        // The one that just ended cannot be paid yet.
        if self.last.saturating_add(2) >= running { self.level(rules) } else { Certification::Diy }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certifiers(count: u8) -> List<AccountId, CERTIFIERS_MAX> {
        List::new((0..count).map(|n| AccountId([n; 32])).collect()).unwrap()
    }

    #[test]
    fn no_certifier_of_a_live_grid_decides_alone() {
        let check = |count, certified, gold, live, local| {
            let rules = CertificationRules {
                certifiers: certifiers(count),
                certified,
                gold,
                ..CertificationRules::default()
            };
            assert_eq!(rules.check_for(GridKind::Live).is_ok(), live, "{count} {certified} {gold}");
            assert_eq!(rules.check_for(GridKind::Local).is_ok(), local);
        };
        check(0, 2, 3, true, true);
        check(4, 2, 3, true, true);
        check(4, 1, 3, false, true);
        check(3, 2, 3, false, true);
        check(2, 2, 3, false, false);
        check(1, 1, 1, false, true);
        check(4, 0, 3, false, false);
        check(4, 3, 2, false, false);
        let twice = List::new(vec![AccountId([1; 32]); 2]).unwrap();
        let rules = CertificationRules { certifiers: twice, ..CertificationRules::default() };
        assert!(rules.check().is_err());
    }

    #[test]
    fn level_needs_so_many_certifiers_over_the_whole_time() {
        let rules =
            CertificationRules { certifiers: certifiers(4), ..CertificationRules::default() };
        let one = |by: u8, level, since, until| Attestation {
            by: AccountId([by; 32]),
            level,
            evidence: Digest([9; 32]),
            since: Epoch(since),
            until: Epoch(until),
        };
        let (gold, certified) = (Certification::Gold, Certification::Certified);
        let check = |all: &[Attestation], first, last, wanted| {
            let certificate = Certificate { attestations: List::new(all.to_vec()).unwrap() };
            assert_eq!(certificate.level(&rules, Epoch(first), Epoch(last)), wanted, "{all:?}");
        };
        let two = [one(0, certified, 5, 20), one(1, gold, 6, 30)];
        check(&two, 6, 19, certified);
        check(&two, 5, 19, Certification::Diy);
        check(&two, 6, 20, Certification::Diy);
        check(&[two[0], two[0]], 6, 19, Certification::Diy);
        // Nobody who is no certifier counts.
        check(&[two[0], one(7, gold, 6, 30)], 6, 19, Certification::Diy);
        let three = [one(0, gold, 5, 20), one(1, gold, 6, 30), one(2, gold, 0, 40)];
        check(&three, 6, 19, gold);
        check(&three, 6, 29, certified);
    }

    #[test]
    fn row_is_broken_by_a_bad_or_a_missing_period() {
        let rules = MeritRules { periods: 2, uptime_permille: 990, witnessed_permille: 800 };
        let good = Merit::default().after(&rules, 7, 1000, (800, 792));
        assert_eq!(good, Merit { run: 1, last: 7 });
        let next = good.after(&rules, 8, 1000, (1000, 990));
        assert_eq!(next.level(&rules), Certification::Certified);
        assert_eq!(next.level_in(&rules, 10), Certification::Certified);
        assert_eq!(next.level_in(&rules, 11), Certification::Diy);
        let bad = |merit: Merit, period, due, up| merit.after(&rules, period, 1000, (due, up)).run;
        assert_eq!(bad(next, 9, 1000, 989), 0);
        assert_eq!(bad(next, 9, 799, 799), 0);
        assert_eq!(bad(next, 9, 0, 0), 0);
        assert_eq!(bad(next, 10, 1000, 1000), 1);
        let never = MeritRules { periods: 0, ..rules };
        assert_eq!(next.level(&never), Certification::Diy);
    }
}
