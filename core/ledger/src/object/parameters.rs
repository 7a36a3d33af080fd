//! Prices, fees and rules: typed, bounded, changeable by vote.

use acre_types::Amount;
use borsh::{BorshDeserialize, BorshSerialize};

use super::admission::Admission;
use super::certify::CertificationRules;
use super::epoch::CapacityRules;
use super::grid::GridKind;
use super::minting::MintingRules;
use super::power::PowerRules;
use super::proposal::{GovernanceRules, RuleVersion};
use super::seat::SeatRules;
use super::twin::PhonebookRules;
use super::{ContractRules, GraceRules, Prices};
use crate::error::GenesisError;
use crate::limits::{FEE_BYTE_MAX, FEE_MAX, PLACES_MAX, SETTLE_BYTES};
use crate::transaction::Action;

/// Everything that a vote may change; set by genesis first.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Parameters {
    /// What transactions cost.
    pub fees: Fees,
    /// What capacity costs.
    pub prices: Prices,
    /// How capacity is proven.
    pub capacity: CapacityRules,
    /// What proven capacity is worth.
    pub minting: MintingRules,
    /// Who makes blocks.
    pub seats: SeatRules,
    /// How all of this is changed.
    pub governance: GovernanceRules,
    /// Who may take part.
    pub admission: Admission,
    /// What handles cost.
    pub phonebook: PhonebookRules,
    /// Which rules blocks are made by.
    pub rules: RuleVersion,
    /// What follows when a contract's time is over.
    pub grace: GraceRules,
    /// Rules for contracts that are no prices.
    pub contracts: ContractRules,
    /// Whose word makes farms certified, and what record.
    pub certification: CertificationRules,
    /// How nodes may sleep.
    pub power: PowerRules,
}

impl Parameters {
    /// For a grid on one machine: an epoch of a minute, each with receipts.
    #[must_use]
    pub fn local() -> Self {
        let (capacity, minting) = (CapacityRules::local(), MintingRules::local());
        Self { capacity, minting, contracts: ContractRules::local(), ..Self::default() }
    }

    /// Whether each value lies within its bounds.
    ///
    /// # Errors
    /// [`GenesisError::Parameter`] names the first that does not.
    pub fn check(&self) -> Result<(), GenesisError> {
        self.fees.check()?;
        self.prices.check()?;
        self.capacity.check()?;
        self.minting.check()?;
        self.seats.check()?;
        self.governance.check()?;
        self.admission.check()?;
        self.phonebook.check()?;
        self.grace.check()?;
        self.contracts.check()?;
        self.certification.check()?;
        self.power.check()?;
        at_least("rules.version", self.rules.version.into(), 1)
    }

    /// As [`Parameters::check`], and what a live grid asks for beyond.
    ///
    /// # Errors
    /// As there.
    pub fn check_for(&self, kind: GridKind) -> Result<(), GenesisError> {
        self.check()?;
        self.capacity.check_for(kind)?;
        self.minting.check_for(kind)?;
        self.certification.check_for(kind)?;
        self.contracts.check_for(kind)?;
        self.governance.check_for(kind)
    }

    /// What whoever closes a contract once it is over is paid: the least fee of doing so.
    #[must_use]
    pub fn closing_fee(&self) -> Amount {
        self.with_places(self.fee(SETTLE_BYTES), PLACES_MAX)
    }

    /// Least fee of a signed transaction of so many bytes that does this.
    #[must_use]
    pub fn fee_of(&self, action: &Action, bytes: usize) -> Amount {
        self.with_places(self.fee(bytes), action.places())
    }

    fn with_places(&self, fee: Amount, places: usize) -> Amount {
        let places = u64::try_from(places).unwrap_or(u64::MAX);
        Amount(fee.0.saturating_add(self.fees.place.0.saturating_mul(places)))
    }

    /// Least fee of a signed transaction of so many bytes, but for the places that it touches.
    #[must_use]
    pub fn fee(&self, bytes: usize) -> Amount {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        Amount(self.fees.transaction.0.saturating_add(self.fees.byte.0.saturating_mul(bytes)))
    }
}

/// What transactions cost.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Fees {
    /// Least fee of any transaction.
    pub transaction: Amount,
    /// Least fee per byte of the signed transaction, added to the former.
    pub byte: Amount,
    /// Least fee for each place that a transaction about contracts may touch, added to these: see
    /// [`Action::places`].
    pub place: Amount,
}

impl Default for Fees {
    /// 0.001 TFT a transaction of 1 kB, and 0.0001 TFT a place.
    fn default() -> Self {
        Self { transaction: Amount(8_000), byte: Amount(2), place: Amount(1_000) }
    }
}

impl Fees {
    fn check(&self) -> Result<(), GenesisError> {
        bounded("fees.transaction", self.transaction.0, FEE_MAX.0)?;
        bounded("fees.byte", self.byte.0, FEE_BYTE_MAX.0)?;
        bounded("fees.place", self.place.0, FEE_BYTE_MAX.0)
    }
}

/// Values must leave room for the sums they go into.
pub(super) fn bounded(what: &'static str, value: u64, max: u64) -> Result<(), GenesisError> {
    if value > max { Err(GenesisError::Parameter { what }) } else { Ok(()) }
}

/// Values below which nothing would work.
pub(super) fn at_least(what: &'static str, value: u64, min: u64) -> Result<(), GenesisError> {
    if value < min { Err(GenesisError::Parameter { what }) } else { Ok(()) }
}
