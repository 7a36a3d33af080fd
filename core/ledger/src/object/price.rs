//! Prices in a stable unit, and what a token is worth in it.
//!
//! Nobody is charged in a stable unit: an amount of micro-USD is turned into tokens once, when the
//! tokens are locked, and from then on the contract holds tokens.

use acre_codec::List;
use acre_types::{AccountId, Bytes, UnixMs};
use borsh::{BorshDeserialize, BorshSerialize};

use super::bounded;
use crate::error::GenesisError;
use crate::limits::{
    COMMITMENTS_MAX, FEEDS_MAX, FOUNDATION_PERCENT, TOKEN_PRICE_MAX, UNIT_PRICE_MAX,
};
pub use crate::mint::{MONTH_MS, MicroUsd};

/// What one TFT is worth, in micro-USD; never zero where it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub struct TokenPrice(pub u64);

impl TokenPrice {
    /// Whether it lies within the bounds of any price.
    #[must_use]
    pub const fn is_valid(self) -> bool {
        self.0 > 0 && self.0 <= TOKEN_PRICE_MAX
    }
}

/// What capacity costs.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Prices {
    /// One TiB (2^40 bytes) of raw storage, reserved for one hour, at one place.
    pub storage_tib_hour: MicroUsd,
    /// One compute unit (CU) for one hour.
    pub compute_hour: MicroUsd,
    /// One storage unit (SU) of a workload's disk for one hour.
    pub disk_hour: MicroUsd,
    /// One GiB (2^30 bytes) of public traffic (NU).
    pub traffic_gib: MicroUsd,
    /// One IPv4 address for one hour.
    pub ipv4_hour: MicroUsd,
    /// One name for one hour.
    pub name_hour: MicroUsd,
    /// What capacity of a certified farm costs more, in thousandths.
    pub certified_permille: u16,
    /// What a renter of a whole node pays of its list price, in thousandths.
    pub rent_permille: u16,
    /// How resources become units.
    pub formula: Formula,
    /// Discounts for those who commit themselves, the shortest time first.
    pub commitments: List<Commitment, COMMITMENTS_MAX>,
    /// What a token is worth.
    pub token: TokenSource,
    /// Who gets what of a payment.
    pub split: Split,
}

impl Default for Prices {
    /// Storage: about 10 USD a month for a TiB. The rest as in the genesis of the grid that the
    /// formulas come from: CU 10, SU 5, IPv4 4 and a name 0.25 mUSD an hour, traffic 1.5 mUSD a GiB.
    fn default() -> Self {
        let tier = |months_tenths: u64, percent| Commitment {
            ms: (MONTH_MS / 10).saturating_mul(months_tenths),
            percent,
        };
        let tiers = vec![tier(15, 20), tier(30, 30), tier(60, 40), tier(180, 60)];
        Self {
            storage_tib_hour: MicroUsd(13_600),
            compute_hour: MicroUsd(10_000),
            disk_hour: MicroUsd(5_000),
            traffic_gib: MicroUsd(1_500),
            ipv4_hour: MicroUsd(4_000),
            name_hour: MicroUsd(250),
            certified_permille: 250,
            rent_permille: 500,
            formula: Formula::default(),
            commitments: List::new(tiers).expect("four are within the limit"),
            token: TokenSource::Fixed(TokenPrice(80_000)),
            split: Split::default(),
        }
    }
}

impl Prices {
    /// Whether each value lies within its bounds.
    ///
    /// # Errors
    /// [`GenesisError::Parameter`] names the first that does not.
    pub fn check(&self) -> Result<(), GenesisError> {
        bounded("prices.storage_tib_hour", self.storage_tib_hour.0, UNIT_PRICE_MAX)?;
        bounded("prices.compute_hour", self.compute_hour.0, UNIT_PRICE_MAX)?;
        bounded("prices.disk_hour", self.disk_hour.0, UNIT_PRICE_MAX)?;
        bounded("prices.traffic_gib", self.traffic_gib.0, UNIT_PRICE_MAX)?;
        bounded("prices.ipv4_hour", self.ipv4_hour.0, UNIT_PRICE_MAX)?;
        bounded("prices.name_hour", self.name_hour.0, UNIT_PRICE_MAX)?;
        bounded("prices.certified_permille", self.certified_permille.into(), 1000)?;
        bounded("prices.rent_permille", self.rent_permille.into(), 1000)?;
        self.formula.check()?;
        check_commitments(&self.commitments)?;
        self.token.check()?;
        self.split.check()
    }

    /// Discount for a contract that is paid for so long ahead, in percent.
    #[must_use]
    pub fn discount(&self, period_ms: u64) -> u8 {
        let mut reached = self.commitments.iter().rev().filter(|tier| tier.ms <= period_ms);
        reached.next().map_or(0, |tier| tier.percent)
    }
}

fn check_commitments(tiers: &[Commitment]) -> Result<(), GenesisError> {
    let mut before = Commitment { ms: 0, percent: 0 };
    for tier in tiers {
        if tier.ms <= before.ms || tier.percent <= before.percent || tier.percent > 90 {
            return Err(GenesisError::Parameter { what: "prices.commitments" });
        }
        before = *tier;
    }
    Ok(())
}

/// A discount and what it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Commitment {
    /// Paid for at least so long ahead, in milliseconds.
    pub ms: u64,
    /// Percent off the list price.
    pub percent: u8,
}

/// How much one unit is.
///
/// CU of a workload = the least over three shapes of max(memory / shape's, cores / shape's); SU =
/// disk / `disk_gib`. Both are counted in millionths and rounded up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Formula {
    /// What one CU may look like.
    pub shapes: [Shape; 3],
    /// GiB of a workload's disk in one SU.
    pub disk_gib: u32,
}

/// One shape of a compute unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Shape {
    /// GiB of memory in one CU.
    pub memory_gib: u32,
    /// Virtual cores in one CU.
    pub cores: u32,
}

impl Default for Formula {
    /// 4 GiB and 2 cores, 8 GiB and 1, or 2 GiB and 4; 200 GiB of disk.
    fn default() -> Self {
        let shape = |memory_gib, cores| Shape { memory_gib, cores };
        Self { shapes: [shape(4, 2), shape(8, 1), shape(2, 4)], disk_gib: 200 }
    }
}

impl Formula {
    fn check(&self) -> Result<(), GenesisError> {
        let fits = |value: u32| (1..=1 << 16).contains(&value);
        let shapes = self.shapes.iter().all(|shape| fits(shape.memory_gib) && fits(shape.cores));
        if shapes && fits(self.disk_gib) {
            return Ok(());
        }
        Err(GenesisError::Parameter { what: "prices.formula" })
    }

    /// Millionths of a CU in so many thousandths of a core and so much memory.
    #[must_use]
    pub fn compute_micro(&self, cores_milli: u64, memory: Bytes) -> u128 {
        let of_shape = |shape: &Shape| {
            let memory = micro_gib(memory).div_ceil(u128::from(shape.memory_gib.max(1)));
            let cores = u128::from(cores_milli)
                .saturating_mul(1000)
                .div_ceil(u128::from(shape.cores.max(1)));
            memory.max(cores)
        };
        self.shapes.iter().map(of_shape).min().unwrap_or(0)
    }

    /// Millionths of an SU in so much disk.
    #[must_use]
    pub fn disk_micro(&self, disk: Bytes) -> u128 {
        micro_gib(disk).div_ceil(u128::from(self.disk_gib.max(1)))
    }
}

/// Millionths of a GiB, rounded up.
fn micro_gib(bytes: Bytes) -> u128 {
    u128::from(bytes.0).saturating_mul(1_000_000).div_ceil(1 << 30)
}

/// Who gets what of a payment, in percent of it, each rounded down. The foundation's
/// [`FOUNDATION_PERCENT`] stands apart; what is left goes to the farms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Split {
    /// Destroyed.
    pub burn_percent: u8,
    /// To the account of the fund.
    pub fund_percent: u8,
    /// The account of the fund: for those who make blocks, for the commons, as a grid decides.
    /// Without one its percentage must be zero.
    pub fund: Option<AccountId>,
}

impl Split {
    /// Farms always get at least half.
    fn check(&self) -> Result<(), GenesisError> {
        let most = 50_u64.saturating_sub(FOUNDATION_PERCENT);
        let sum = u64::from(self.burn_percent).saturating_add(self.fund_percent.into());
        if self.fund.is_none() && self.fund_percent > 0 {
            return Err(GenesisError::Parameter { what: "prices.split" });
        }
        bounded("prices.split", sum, most)
    }
}

/// Where the price of a token comes from.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum TokenSource {
    /// From this parameter: local and private grids.
    Fixed(TokenPrice),
    /// From what several accounts post.
    Feeds(FeedRules),
}

impl TokenSource {
    fn check(&self) -> Result<(), GenesisError> {
        let what = "prices.token";
        let is_good = match self {
            Self::Fixed(price) => price.is_valid(),
            Self::Feeds(rules) => rules.is_good(),
        };
        if is_good { Ok(()) } else { Err(GenesisError::Parameter { what }) }
    }
}

/// How the posts of several accounts become one price.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct FeedRules {
    /// Who may post.
    pub feeds: List<AccountId, FEEDS_MAX>,
    /// How long a post counts.
    pub fresh_ms: u64,
    /// Fresh posts without which the price stays where it is.
    pub quorum: u8,
    /// How far the price may move in [`FeedRules::step_ms`], in thousandths of itself; less time,
    /// proportionally less; more time, no more.
    pub step_permille: u16,
    /// The time of one step.
    pub step_ms: u64,
    /// The price before the first quorum.
    pub start: TokenPrice,
    /// Never below.
    pub least: TokenPrice,
    /// Never above.
    pub most: TokenPrice,
}

impl FeedRules {
    fn is_good(&self) -> bool {
        let mut feeds = self.feeds.to_vec();
        feeds.sort_unstable();
        feeds.dedup();
        let quorum = usize::from(self.quorum);
        feeds.len() == self.feeds.len()
            && quorum > 0
            && quorum <= feeds.len()
            && self.fresh_ms > 0
            && self.step_ms > 0
            && (1..=500).contains(&self.step_permille)
            && self.least.is_valid()
            && self.most.is_valid()
            && self.least <= self.start
            && self.start <= self.most
    }
}

/// What one feed said last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Post {
    /// Who.
    pub feed: AccountId,
    /// What.
    pub price: TokenPrice,
    /// Time of the block.
    pub at: UnixMs,
}

/// The price of a token as the feeds make it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct PriceState {
    /// Now.
    pub price: TokenPrice,
    /// When it was last agreed on by a quorum of fresh posts, even if it did not move.
    pub agreed: UnixMs,
    /// When it last moved, or had no need to: steps are counted from here.
    pub moved: UnixMs,
    /// Newest post of each feed.
    pub posts: List<Post, FEEDS_MAX>,
}
