//! Rules of minting, what a node has earned and not been paid yet, and receipts.

use acre_codec::List;
use acre_types::{AccountId, Amount, Bytes, FarmId, NodeId, UnixMs};
use borsh::{BorshDeserialize, BorshSerialize};

use super::grid::GridKind;
use super::parameters::{at_least, bounded};
use crate::error::GenesisError;
use crate::limits::{
    CLOSED_SPANS_MAX, LIVE_UNBONDING_EPOCHS_MIN, PERIOD_EPOCHS_MAX, POLICIES_MAX, RATE_MAX,
    UNBONDING_EPOCHS_MAX, WITNESS_PERMILLE_MAX,
};
use crate::mint::{
    Certification, MONTH_MS, MicroUsd, MintInput, MintReceipt, Policy, PolicyId, Raw,
};

/// The policies of a grid. [`PolicyId`] is the position.
pub type Policies = List<Policy, POLICIES_MAX>;

/// How proven capacity becomes tokens.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct MintingRules {
    /// Every policy that ever was. A vote adds some and changes none: a node keeps its own.
    pub policies: Policies,
    /// Epochs of one period, for which there is one receipt a node. Fixed for the life of a grid.
    pub period_epochs: u64,
    /// Milliseconds that monthly rates pay for.
    pub month_ms: u64,
    /// Nodes that register from now on are paid at the price of a TFT of that time, or at this one if
    /// that has fallen below: a low price, or one that feeds made low, mints no more than this.
    pub price_floor: MicroUsd,
    /// What an honest witness gets on top of its own reward, in permille of that.
    pub witness_permille: u16,
    /// Epochs for which a farm's stake stays locked after its owner asked for it.
    pub unbonding_epochs: u64,
}

impl Default for MintingRules {
    /// For a real grid: periods of 731 epochs of an hour, 0.08 USD a TFT at least, stake comes back after 14
    /// days.
    fn default() -> Self {
        Self {
            policies: List::new(vec![Policy::standard()]).expect("one is within any limit"),
            period_epochs: 731,
            month_ms: MONTH_MS,
            price_floor: MicroUsd(80_000),
            witness_permille: 20,
            unbonding_epochs: 336,
        }
    }
}

impl MintingRules {
    /// For a grid on one machine: each epoch is a period, and a month is a minute, so that plots of a
    /// few MiB earn something one can see.
    #[must_use]
    pub fn local() -> Self {
        Self { period_epochs: 1, month_ms: 60_000, unbonding_epochs: 3, ..Self::default() }
    }

    /// The period that an epoch belongs to.
    #[must_use]
    pub const fn period_of(&self, epoch: acre_types::Epoch) -> u64 {
        match epoch.0.checked_div(self.period_epochs) {
            Some(period) => period,
            None => 0,
        }
    }

    /// The policy of this position.
    #[must_use]
    pub fn policy(&self, id: PolicyId) -> Option<&Policy> {
        self.policies.get(usize::from(id.0))
    }

    /// The policy that a node registers under now: the newest that is open to it.
    #[must_use]
    pub fn open_policy(&self, now: UnixMs, certification: Certification) -> Option<PolicyId> {
        let is_open = |policy: &Policy| {
            policy.entry.closes.is_none_or(|closes| now < closes)
                && certification >= policy.entry.least
        };
        let position = self.policies.iter().rposition(is_open)?;
        u16::try_from(position).ok().map(PolicyId)
    }

    /// Whether each value lies within its bounds.
    ///
    /// # Errors
    /// The name of the first that does not.
    pub fn check(&self) -> Result<(), GenesisError> {
        for policy in self.policies.iter() {
            policy.check().map_err(|_| GenesisError::Parameter { what: "minting.policies" })?;
        }
        bounded("minting.period_epochs", self.period_epochs, PERIOD_EPOCHS_MAX)?;
        at_least("minting.period_epochs", self.period_epochs, 1)?;
        bounded("minting.month_ms", self.month_ms, MONTH_MS)?;
        at_least("minting.month_ms", self.month_ms, 1_000)?;
        bounded("minting.price_floor", self.price_floor.0, RATE_MAX.0)?;
        at_least("minting.price_floor", self.price_floor.0, 100)?;
        let most = WITNESS_PERMILLE_MAX.into();
        bounded("minting.witness_permille", self.witness_permille.into(), most)?;
        bounded("minting.unbonding_epochs", self.unbonding_epochs, UNBONDING_EPOCHS_MAX)?;
        at_least("minting.unbonding_epochs", self.unbonding_epochs, 1)
    }

    /// As [`MintingRules::check`]; on a live grid a month is a month, and a stake stays for a day.
    ///
    /// # Errors
    /// As there.
    pub fn check_for(&self, kind: GridKind) -> Result<(), GenesisError> {
        self.check()?;
        match kind {
            GridKind::Local | GridKind::Test => Ok(()),
            GridKind::Live => {
                at_least("minting.month_ms", self.month_ms, MONTH_MS)?;
                let least = LIVE_UNBONDING_EPOCHS_MIN;
                at_least("minting.unbonding_epochs", self.unbonding_epochs, least)
            }
        }
    }
}

/// What witnesses agreed on about a node in one period: sums, so that each epoch counts for its own
/// time and one good epoch pays for itself alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Span {
    /// Number of the period.
    pub period: u64,
    /// Milliseconds for which the node was to serve.
    pub due_ms: u64,
    /// Milliseconds of these for which it did.
    pub up_ms: u64,
    /// Verdicts that it was to give.
    pub duties: u64,
    /// Verdicts that it gave, without strikes.
    pub honest: u64,
    /// What was verified x time up.
    pub proven: Sums,
    /// Of that, what contracts had reserved x time up.
    pub sold: Sums,
    /// Public traffic that tenants were billed for.
    pub traffic: Bytes,
    /// What the foundation and the fire got of these bills.
    pub traffic_cover: Amount,
}

/// Capacity x time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Sums {
    /// In cores x ms.
    pub cores: u128,
    /// In byte x ms.
    pub memory: u128,
    /// Storage that was proven to be solid, in byte x ms.
    pub ssd: u128,
    /// All other storage, in byte x ms.
    pub hdd: u128,
}

impl Sums {
    fn add(&mut self, raw: &Raw, ms: u64) {
        let grow = |sum: &mut u128, value: u64| {
            *sum = sum.saturating_add(u128::from(value).saturating_mul(ms.into()));
        };
        grow(&mut self.cores, raw.cores.into());
        grow(&mut self.memory, raw.memory.0);
        grow(&mut self.ssd, raw.ssd.0);
        grow(&mut self.hdd, raw.hdd.0);
    }

    /// Each field by this function, which leaves nothing above what was added.
    fn map(self, mean: impl Fn(u128) -> u128) -> Raw {
        let bytes = |sum| Bytes(u64::try_from(mean(sum)).unwrap_or(u64::MAX));
        Raw {
            cores: u32::try_from(mean(self.cores)).unwrap_or(u32::MAX),
            memory: bytes(self.memory),
            ssd: bytes(self.ssd),
            hdd: bytes(self.hdd),
        }
    }
}

impl Span {
    /// Of a period in which nothing was witnessed yet.
    #[must_use]
    pub fn of(period: u64) -> Self {
        Self { period, ..Self::default() }
    }

    /// Adds an epoch; `sold` is a part of what was proven.
    pub fn add(&mut self, due_ms: u64, up_ms: u64, proven: &Raw, sold: &Raw) {
        self.due_ms = self.due_ms.saturating_add(due_ms);
        self.up_ms = self.up_ms.saturating_add(up_ms);
        self.proven.add(proven, up_ms);
        self.sold.add(sold, up_ms);
    }

    /// Mean over the time up, rounded down; nothing of no time.
    #[must_use]
    pub fn mean(&self) -> Raw {
        self.proven.map(|sum| sum.checked_div(self.up_ms.into()).unwrap_or(0))
    }

    /// Mean of what was sold over the time up, rounded up.
    #[must_use]
    pub fn mean_sold(&self) -> Raw {
        let up_ms = std::num::NonZeroU64::new(self.up_ms);
        self.sold.map(|sum| up_ms.map_or(0, |up_ms| sum.div_ceil(up_ms.get().into())))
    }
}

/// What a node earns. Made when it registers, if a policy was open to it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Earnings {
    /// The policy it registered under.
    pub policy: PolicyId,
    /// Price of a TFT when it registered.
    pub price: MicroUsd,
    /// The period that runs.
    pub open: Span,
    /// Periods that are over and not paid yet, by number.
    pub closed: List<Span, CLOSED_SPANS_MAX>,
    /// Tokens minted for it, ever.
    pub minted: Amount,
    /// Milliseconds of uptime that a grant was paid for.
    pub vested_ms: u64,
    /// Of [`super::WitnessRecord::honest`], how many went into a span.
    pub honest_counted: u64,
    /// What it had sold was worth and was not paid for yet.
    pub sold_owed: Amount,
    /// What the foundation and the fire got for what was sold there, less what was minted for it.
    pub sold_cover: Amount,
}

impl Earnings {
    /// Of a node that just registered.
    #[must_use]
    pub fn new(policy: PolicyId, price: MicroUsd, period: u64) -> Self {
        Self {
            policy,
            price,
            open: Span::of(period),
            closed: List::default(),
            minted: Amount::ZERO,
            vested_ms: 0,
            honest_counted: 0,
            sold_owed: Amount::ZERO,
            sold_cover: Amount::ZERO,
        }
    }
}

/// Sums of one policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct PolicyBook {
    /// Tokens minted under it, ever: what its budget is measured by.
    pub minted: Amount,
    /// Nodes that registered under it, ever.
    pub nodes: u64,
}

/// A receipt of minting as the ledger keeps it: the input and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct MintReceiptObject {
    /// The node.
    pub node: NodeId,
    /// Its farm.
    pub farm: FarmId,
    /// Where the farm was paid then; members of a cooperative instead, if there were some.
    pub payout: AccountId,
    /// Time of the block that minted.
    pub at: UnixMs,
    /// All that the amount depends on.
    pub input: MintInput,
    /// What [`crate::mint::receipt`] made of it.
    pub receipt: MintReceipt,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mint::Entry;

    #[test]
    fn one_good_epoch_does_not_pay_for_others() {
        let mut span = Span::of(3);
        let big = Raw { cores: 8, memory: Bytes(100), ssd: Bytes(400), hdd: Bytes(1000) };
        let sold = Raw { cores: 3, memory: Bytes(9), ssd: Bytes(0), hdd: Bytes(600) };
        span.add(10, 10, &big, &sold);
        for _ in 0..9 {
            span.add(10, 10, &Raw::default(), &Raw::default());
        }
        assert_eq!((span.due_ms, span.up_ms), (100, 100));
        let tenth = Raw { cores: 0, memory: Bytes(10), ssd: Bytes(40), hdd: Bytes(100) };
        assert_eq!(span.mean(), tenth);
        // Rounded up: what is sold is not taken for free.
        let tenth = Raw { cores: 1, memory: Bytes(1), ssd: Bytes(0), hdd: Bytes(60) };
        assert_eq!(span.mean_sold(), tenth);
        assert_eq!((Span::of(4).mean(), Span::of(4).mean_sold()), (Raw::default(), Raw::default()));
    }

    #[test]
    fn newest_open_policy_is_taken() {
        let closed = Entry { closes: Some(UnixMs(10)), ..Entry::default() };
        let gold = Entry { least: Certification::Gold, closes: None };
        let of = |entry| Policy { entry, ..Policy::standard() };
        let policies = vec![of(Entry::default()), of(closed), of(gold)];
        let rules =
            MintingRules { policies: List::new(policies).unwrap(), ..MintingRules::default() };
        let check = |now, certification, wanted| {
            assert_eq!(rules.open_policy(UnixMs(now), certification), Some(PolicyId(wanted)));
        };
        check(9, Certification::Diy, 1);
        check(10, Certification::Diy, 0);
        check(10, Certification::Gold, 2);
    }

    #[test]
    fn bounds_are_checked_and_a_live_month_is_a_month() {
        let refused = |change: fn(&mut MintingRules)| {
            let mut rules = MintingRules::default();
            change(&mut rules);
            assert!(rules.check().is_err(), "{rules:?}");
        };
        refused(|rules| rules.period_epochs = 0);
        refused(|rules| rules.month_ms = 999);
        refused(|rules| rules.price_floor = MicroUsd(99));
        refused(|rules| rules.witness_permille = WITNESS_PERMILLE_MAX + 1);
        refused(|rules| rules.unbonding_epochs = 0);
        assert_eq!(MintingRules::local().check_for(GridKind::Local), Ok(()));
        assert!(MintingRules::local().check_for(GridKind::Live).is_err());
        assert_eq!(MintingRules::default().check_for(GridKind::Live), Ok(()));
    }
}
