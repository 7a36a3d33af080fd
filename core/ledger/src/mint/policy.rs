//! Farming policies: by which rule a node earns. A node keeps the policy it was registered under.

use acre_types::{Amount, Bytes, Text, UnixMs};
use borsh::{BorshDeserialize, BorshSerialize};

use super::units::{Certification, MicroUsd, NanoUnits};
use crate::error::MintError;
use crate::limits::{POLICY_NAME_BYTES_MAX, RATE_MAX, SEED_AMOUNT_MAX, VEST_MONTHS_MAX};

/// Position of a policy in the list of a grid, from 0. Policies are only ever added to it.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    BorshSerialize,
    BorshDeserialize,
)]
pub struct PolicyId(pub u16);

/// For people.
pub type PolicyName = Text<POLICY_NAME_BYTES_MAX>;

/// What units are worth. A month is [`super::MintInput::month_ms`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Rates {
    /// For one CU that is sold, a month; as all that is sold, it is paid as far as it is covered.
    pub compute: MicroUsd,
    /// For one CU that was measured and is not sold, a month. A machine can be rented for the moments
    /// at which cores and memory are measured, so this lies below what that costs.
    pub idle_compute: MicroUsd,
    /// For one SU, a month.
    pub storage: MicroUsd,
    /// For one GB (2^30 bytes) of public traffic.
    pub traffic: MicroUsd,
    /// For one public IPv4 address in use, an hour.
    pub ipv4: MicroUsd,
    /// What certified and gold farms get of all that, in percent: 125 is a quarter more.
    pub certified_percent: u16,
}

impl Rates {
    /// For a CU that is sold.
    pub(super) const fn sold(&self) -> MicroUsd {
        self.compute
    }

    /// For a CU that is not.
    pub(super) const fn idle(&self) -> MicroUsd {
        self.idle_compute
    }
}

/// How a policy pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Reward {
    /// By units and time, for as long as the node is up.
    Monthly(Rates),
    /// So many tokens once for so many bytes of storage, and a few each year for its energy.
    Seed {
        /// Bytes of storage that the two amounts are for.
        per: Bytes,
        /// Paid once, evenly over the first `vest_months` of uptime, so that leaving after a month
        /// and coming back under another name gains nothing.
        grant: Amount,
        /// Months of uptime that the grant is spread over.
        vest_months: u16,
        /// Paid for each year (twelve months) of uptime.
        yearly: Amount,
    },
}

/// Least share of the due epochs in which a node must be up to be paid at all, in permille.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Uptime {
    /// Of farms without certification.
    pub diy: u16,
    /// Of certified and gold farms.
    pub certified: u16,
}

impl Uptime {
    /// The threshold for this certification, in permille.
    #[must_use]
    pub const fn of(self, certification: Certification) -> u16 {
        match certification {
            Certification::Diy => self.diy,
            Certification::Certified | Certification::Gold => self.certified,
        }
    }
}

/// The most that a policy pays for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Caps {
    /// CU of one node.
    pub compute: Option<NanoUnits>,
    /// SU of one node; under [`Reward::Seed`] that does not apply.
    pub storage: Option<NanoUnits>,
    /// Tokens that the policy mints for all nodes together, ever.
    pub budget: Option<Amount>,
}

/// Whose nodes may register under a policy, and until when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Entry {
    /// The least certification; it must still be held for each period that is paid.
    pub least: Certification,
    /// No node registers from here on; those that did keep the policy.
    pub closes: Option<UnixMs>,
}

/// A farming policy.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Policy {
    /// For people.
    pub name: PolicyName,
    /// How it pays.
    pub reward: Reward,
    /// Below this nothing is paid; above, for the time that the node was up.
    pub uptime: Uptime,
    /// The most it pays for.
    pub caps: Caps,
    /// Who may register under it.
    pub entry: Entry,
    /// Nothing is paid for later periods.
    pub last_period: Option<u64>,
}

fn name(text: &str) -> PolicyName {
    Text::new(text).expect("shorter than any limit on names")
}

impl Policy {
    /// The rates of the grid that Acre learns from: per month 2.40 USD a CU and 1 USD an SU, 0.03 USD
    /// a GB, 0.005 USD an address and hour, 25 % more when certified; 95 and 98 % uptime. A CU that is
    /// not sold earns a twentieth.
    #[must_use]
    pub fn standard() -> Self {
        Self {
            name: name("standard"),
            reward: Reward::Monthly(Rates {
                compute: MicroUsd(2_400_000),
                idle_compute: MicroUsd(120_000),
                storage: MicroUsd(1_000_000),
                traffic: MicroUsd(30_000),
                ipv4: MicroUsd(5_000),
                certified_percent: 125,
            }),
            uptime: Uptime { diy: 950, certified: 980 },
            caps: Caps::default(),
            entry: Entry::default(),
            last_period: None,
        }
    }

    /// The first schedule that was ever told (C15): 75 tokens for 2 TB once, and a few, here 3,
    /// each year for energy. The 75 vest over the first twelve months of uptime.
    #[must_use]
    pub fn seed2017() -> Self {
        Self {
            name: name("seed2017"),
            reward: Reward::Seed {
                per: Bytes(2_000_000_000_000),
                grant: Amount(75 * Amount::UNITS_PER_TFT),
                vest_months: 12,
                yearly: Amount(3 * Amount::UNITS_PER_TFT),
            },
            ..Self::standard()
        }
    }

    /// Whether each value lies within its bounds, for a policy that somebody wrote.
    ///
    /// # Errors
    /// [`MintError::OutOfRange`] names the first value that does not.
    pub fn check(&self) -> Result<(), MintError> {
        let in_range = |what, fits| if fits { Ok(()) } else { Err(MintError::OutOfRange { what }) };
        in_range("the name of a policy", !self.name.as_str().is_empty())?;
        let Uptime { diy, certified } = self.uptime;
        in_range("the least uptime of a policy", diy.max(certified) <= 1000)?;
        match self.reward {
            Reward::Monthly(rates) => {
                let Rates { compute, idle_compute, storage, traffic, ipv4, .. } = rates;
                let all = [compute, storage, traffic, ipv4];
                in_range("a rate", all.iter().all(|rate| *rate <= RATE_MAX))?;
                in_range("the rate of idle compute", idle_compute <= compute)?;
                in_range("the surcharge for certification", rates.certified_percent <= 200)
            }
            Reward::Seed { per, grant, vest_months, yearly } => {
                in_range("the bytes of a grant", per.0 >= 1 << 30)?;
                let vests = vest_months > 0 && vest_months <= VEST_MONTHS_MAX;
                in_range("the months of a grant", vests)?;
                in_range("the tokens of a grant", grant.max(yearly) <= SEED_AMOUNT_MAX)
            }
        }
    }
}
