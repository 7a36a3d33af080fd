//! The function: inputs of one node and one period to lines and a total.

use acre_codec::List;
use acre_types::{Amount, Bytes};
use borsh::{BorshDeserialize, BorshSerialize};

use super::policy::{Policy, Rates, Reward};
use super::units::{
    Certification, MicroUsd, NanoUnits, NanoUsd, Raw, compute_units, ipv4_hours, storage_units,
    traffic_units,
};
use crate::error::MintError;
use crate::limits::MINT_LINES_MAX;
use crate::object::MintReceiptObject;

/// What was found out about a node besides its capacity.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize,
)]
pub enum Health {
    /// Nothing against it.
    #[default]
    Sound,
    /// Not a machine of its own, but a guest on another: nothing is paid for the period.
    Virtual,
    /// Caught breaking the rules: nothing is paid for the period.
    Violating,
}

/// All that a reward depends on. One node, one period.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct MintInput {
    /// Number of the period, from 0.
    pub period: u64,
    /// Verified capacity, the mean over the time in which the node was up.
    pub capacity: Raw,
    /// Public traffic that tenants were billed for.
    pub traffic: Bytes,
    /// What the foundation and the fire got of these bills: traffic earns no more than this.
    pub traffic_cover: Amount,
    /// Milliseconds of public IPv4 addresses in use, summed over addresses. None on the ledger: its bills
    /// do not tell what was paid for them.
    pub ipv4_ms: u64,
    /// Milliseconds for which the node was to serve: those of the epochs that were witnessed.
    pub due_ms: u64,
    /// Milliseconds of these for which it did.
    pub up_ms: u64,
    /// Verdicts that it was to give of others as their witness.
    pub duties: u64,
    /// Verdicts that it gave and that agreed with those of the others.
    pub honest: u64,
    /// Milliseconds that monthly rates pay for.
    pub month_ms: u64,
    /// Of its farm, when the period was paid.
    pub certification: Certification,
    /// What was found out about it.
    pub health: Health,
    /// Under which it was registered.
    pub policy: Policy,
    /// Price of one TFT when it was registered; dollars become tokens at this price for its life.
    pub price: MicroUsd,
    /// Milliseconds of uptime that a grant was paid for before; only [`Reward::Seed`] asks.
    pub vested_ms: u64,
    /// What a witness that was honest in each verdict gets on top of its own capacity's reward, in
    /// permille of that.
    pub witness_permille: u16,
    /// What may still be minted under the policy; `None` if it has no budget.
    pub budget_left: Option<Amount>,
    /// Of `capacity`, what contracts had reserved: stored shards, and cores and memory, which nobody
    /// measured.
    pub sold: Raw,
    /// What was sold in earlier periods was worth and was not covered yet.
    pub sold_owed: Amount,
    /// What the foundation and the fire got for storage, workloads and rent at the node and was not
    /// minted for what is sold there before: that earns no more than this, so that nobody gains by
    /// being his own tenant.
    pub sold_cover: Amount,
}

/// What a line pays for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub enum MintItem {
    /// Quantity in CU.
    Compute,
    /// Quantity in SU.
    Storage,
    /// Quantity in GB of traffic; no more than is covered.
    Traffic,
    /// Quantity in hours of IPv4 addresses.
    Ipv4,
    /// The part of a once-only grant that vested; quantity in GB of 10^9 bytes of storage.
    Grant,
    /// Energy; quantity in GB of 10^9 bytes of storage.
    Energy,
    /// For honest verdicts; quantity in verdicts.
    Witness,
    /// What is sold: stored shards and reserved cores and memory, by the policy's terms but no more than
    /// is covered; quantity in GB of 10^9 bytes of shards.
    Sold,
}

/// One line of a receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct MintLine {
    /// What for.
    pub item: MintItem,
    /// How many, in billionths of the item's unit.
    pub quantity: NanoUnits,
    /// For one unit (a month, where the item is paid by time), with the surcharge for certification;
    /// in hundredths of a millionth of a dollar. Zero for items that are paid in tokens at once.
    pub rate: u64,
    /// Worth in dollars for the time; zero for items that are paid in tokens at once.
    pub value: NanoUsd,
    /// Tokens.
    pub amount: Amount,
}

/// Whether a period was paid, and if not, why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Reason {
    /// Paid by the lines.
    Paid,
    /// No time was due: nobody asked the node, so nothing was proven.
    NothingDue,
    /// Up for less than the policy asks.
    UptimeTooLow,
    /// See [`Health::Virtual`].
    Virtual,
    /// See [`Health::Violating`].
    Violating,
    /// The farm no longer has the certification that the policy asks for.
    NotCertified,
    /// The policy ended before this period.
    PolicyOver,
}

impl Reason {
    /// A sentence for people, without a full stop.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Paid => "paid",
            Self::NothingDue => "no time was due, so nothing was proven",
            Self::UptimeTooLow => "up for less than the policy asks",
            Self::Virtual => "not a machine of its own",
            Self::Violating => "caught breaking the rules",
            Self::NotCertified => "the farm lacks the certification that the policy asks for",
            Self::PolicyOver => "the policy ended before this period",
        }
    }
}

/// What a node earned in a period.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct MintReceipt {
    /// Whether it was paid, and why not.
    pub reason: Reason,
    /// What for.
    pub lines: List<MintLine, MINT_LINES_MAX>,
    /// What the policy's budget no longer had.
    pub withheld: Amount,
    /// Tokens minted: the sum of the lines without what was withheld.
    pub total: Amount,
    /// [`MintInput::vested_ms`] for the next period.
    pub vested_ms: u64,
    /// [`MintInput::sold_owed`] for the next period.
    pub sold_owed: Amount,
}

impl MintReceipt {
    /// What was paid for what is sold.
    #[must_use]
    pub fn sold(&self) -> Amount {
        let line = self.lines.iter().find(|line| line.item == MintItem::Sold);
        line.map_or(Amount::ZERO, |line| line.amount)
    }
}

/// What a node earned in a period. Depends on nothing but the input.
///
/// # Errors
/// Values past the range in which the integers are exact; parameters that passed their own checks
/// do not lead there.
pub fn receipt(input: &MintInput) -> Result<MintReceipt, MintError> {
    let reason = reason(input);
    if reason != Reason::Paid {
        return Ok(MintReceipt {
            reason,
            lines: list(Vec::new()),
            withheld: Amount::ZERO,
            total: Amount::ZERO,
            vested_ms: input.vested_ms,
            sold_owed: input.sold_owed,
        });
    }
    let up_ms = input.up_ms.min(input.due_ms);
    let free = input.capacity.without(&input.sold);
    let (mut lines, vested_ms) = by_capacity(input, &free, up_ms, Rates::idle)?;
    let (less, _) = by_capacity(input, &free, up_ms, Rates::sold)?;
    let (all, _) = by_capacity(input, &input.capacity, up_ms, Rates::sold)?;
    let (sold, sold_owed) = sold(input, &less, &all)?;
    lines.extend(witness(input, &lines)?);
    lines.extend(sold);
    let sum = sum(&lines)?;
    let total = input.budget_left.map_or(sum, |left| sum.min(left));
    let withheld = Amount(sum.0.saturating_sub(total.0));
    Ok(MintReceipt { reason, lines: list(lines), withheld, total, vested_ms, sold_owed })
}

/// What a receipt on the ledger must say, computed again from its own input: if this is not its
/// [`MintReceiptObject::receipt`], the ledger is wrong.
///
/// # Errors
/// As [`receipt`]; not of an object that the ledger made.
pub fn recompute(stored: &MintReceiptObject) -> Result<MintReceipt, MintError> {
    receipt(&stored.input)
}

fn reason(input: &MintInput) -> Reason {
    let least = u128::from(input.policy.uptime.of(input.certification));
    let up = u128::from(input.up_ms.min(input.due_ms)).saturating_mul(1000);
    let wanted = u128::from(input.due_ms).saturating_mul(least);
    match input.health {
        Health::Virtual => Reason::Virtual,
        Health::Violating => Reason::Violating,
        Health::Sound if input.due_ms == 0 => Reason::NothingDue,
        Health::Sound if input.policy.last_period.is_some_and(|last| input.period > last) => {
            Reason::PolicyOver
        }
        Health::Sound if input.certification < input.policy.entry.least => Reason::NotCertified,
        Health::Sound if up < wanted => Reason::UptimeTooLow,
        Health::Sound => Reason::Paid,
    }
}

/// Lines for this capacity, and the time that has vested afterwards.
fn by_capacity(
    input: &MintInput,
    capacity: &Raw,
    up_ms: u64,
    compute: fn(&Rates) -> MicroUsd,
) -> Result<(Vec<MintLine>, u64), MintError> {
    match &input.policy.reward {
        Reward::Monthly(rates) => {
            let lines = by_units(input, capacity, (rates, compute(rates)), up_ms)?;
            Ok((lines, input.vested_ms))
        }
        Reward::Seed { .. } => seed(input, capacity, up_ms),
    }
}

/// What is sold is worth what all capacity is worth more than the free one alone, and what was owed
/// for it; it is paid as far as that is covered. The line, and what is owed then.
fn sold(
    input: &MintInput,
    free: &[MintLine],
    all: &[MintLine],
) -> Result<(Option<MintLine>, Amount), MintError> {
    let more = sum(all)?.0.saturating_sub(sum(free)?.0);
    let owed = Amount(more).checked_add(input.sold_owed);
    let owed = owed.ok_or(MintError::OutOfRange { what: "what is owed for what is sold" })?;
    if owed == Amount::ZERO {
        return Ok((None, owed));
    }
    let amount = owed.min(input.sold_cover);
    let worth =
        |lines: &[MintLine]| lines.iter().fold(0_u64, |sum, line| sum.saturating_add(line.value.0));
    let value = NanoUsd(worth(all).saturating_sub(worth(free)));
    // A billionth of 10^9 bytes is a byte.
    let quantity = NanoUnits(input.sold.storage().min(input.capacity.storage()).0);
    let line = MintLine { item: MintItem::Sold, quantity, rate: 0, value, amount };
    Ok((Some(line), Amount(owed.0.saturating_sub(amount.0))))
}

fn by_units(
    input: &MintInput,
    capacity: &Raw,
    (rates, rate_of_compute): (&Rates, MicroUsd),
    up_ms: u64,
) -> Result<Vec<MintLine>, MintError> {
    let percent = match input.certification {
        Certification::Diy => 100,
        Certification::Certified | Certification::Gold => rates.certified_percent,
    };
    let caps = &input.policy.caps;
    let capped = |units: NanoUnits, cap: Option<NanoUnits>| cap.map_or(units, |cap| units.min(cap));
    let compute = capped(compute_units(capacity), caps.compute);
    let storage = capped(storage_units(capacity), caps.storage);
    let time = Some((up_ms, input.month_ms));
    let all = [
        (MintItem::Compute, compute, rate_of_compute, time),
        (MintItem::Storage, storage, rates.storage, time),
        (MintItem::Traffic, traffic_units(input.traffic), rates.traffic, None),
        (MintItem::Ipv4, ipv4_hours(input.ipv4_ms), rates.ipv4, None),
    ];
    let mut lines = Vec::new();
    for (item, quantity, rate, time) in all {
        if quantity.0 == 0 {
            continue;
        }
        let rate = rate
            .0
            .checked_mul(u64::from(percent))
            .ok_or(MintError::OutOfRange { what: "a rate" })?;
        let value = worth(quantity, rate, time)?;
        let worth = tokens(value, input.price)?;
        let amount = match item {
            MintItem::Traffic => worth.min(input.traffic_cover),
            _ => worth,
        };
        lines.push(MintLine { item, quantity, rate, value, amount });
    }
    Ok(lines)
}

/// `quantity` x `rate` x part / whole, rounded down once. 10^-9 x 10^-8 USD are 10^-17 USD, of
/// which 10^8 are a billionth.
fn worth(quantity: NanoUnits, rate: u64, time: Option<(u64, u64)>) -> Result<NanoUsd, MintError> {
    let out = MintError::OutOfRange { what: "the worth of a line" };
    let (part, whole) = time.unwrap_or((1, 1));
    let product = u128::from(quantity.0)
        .checked_mul(u128::from(rate))
        .and_then(|product| product.checked_mul(u128::from(part)));
    let divisor = u128::from(whole).checked_mul(100_000_000);
    let value = match (product, divisor) {
        (Some(product), Some(divisor)) => product.checked_div(divisor),
        _ => None,
    };
    value.and_then(|value| u64::try_from(value).ok()).map(NanoUsd).ok_or(out)
}

/// Dollars to tokens: a token has 10^7 units, a millionth of a dollar 1000 billionths.
fn tokens(value: NanoUsd, price: MicroUsd) -> Result<Amount, MintError> {
    let scaled = u128::from(value.0).saturating_mul(10_000);
    let amount = scaled
        .checked_div(u128::from(price.0))
        .ok_or(MintError::OutOfRange { what: "a price of nothing" })?;
    let out = MintError::OutOfRange { what: "the tokens of a line" };
    u64::try_from(amount).map(Amount).map_err(|_| out)
}

/// Grant and energy of [`Reward::Seed`], and the time that has vested afterwards.
fn seed(input: &MintInput, capacity: &Raw, up_ms: u64) -> Result<(Vec<MintLine>, u64), MintError> {
    let Reward::Seed { per, grant, vest_months, yearly } = input.policy.reward else {
        return Ok((Vec::new(), input.vested_ms));
    };
    let months = |count: u64| {
        input
            .month_ms
            .checked_mul(count)
            .ok_or(MintError::OutOfRange { what: "the time of a grant" })
    };
    let (vest_ms, year_ms) = (months(vest_months.into())?, months(12)?);
    let vests = up_ms.min(vest_ms.saturating_sub(input.vested_ms));
    let storage = capacity.storage();
    // A billionth of 10^9 bytes is a byte.
    let quantity = NanoUnits(storage.0);
    let mut lines = Vec::new();
    for (item, tokens, part, whole) in
        [(MintItem::Grant, grant, vests, vest_ms), (MintItem::Energy, yearly, up_ms, year_ms)]
    {
        let amount = share(tokens, (storage.0, per.0), (part, whole))?;
        if amount != Amount::ZERO {
            lines.push(MintLine { item, quantity, rate: 0, value: NanoUsd(0), amount });
        }
    }
    Ok((lines, input.vested_ms.saturating_add(vests)))
}

/// `tokens` x bytes / per, rounded down, x part / whole, rounded down.
fn share(
    tokens: Amount,
    (bytes, per): (u64, u64),
    (part, whole): (u64, u64),
) -> Result<Amount, MintError> {
    let out = MintError::OutOfRange { what: "the tokens of a line" };
    let full = u128::from(tokens.0)
        .saturating_mul(u128::from(bytes))
        .checked_div(u128::from(per))
        .ok_or_else(|| out.clone())?;
    let amount = full
        .checked_mul(u128::from(part))
        .and_then(|scaled| scaled.checked_div(u128::from(whole)))
        .ok_or_else(|| out.clone())?;
    u64::try_from(amount).map(Amount).map_err(|_| out)
}

/// For honest reports, a share of what the node's own capacity earned: so it needs proven capacity
/// like everything else, and many small nodes get no more than one of their size together.
fn witness(input: &MintInput, lines: &[MintLine]) -> Result<Option<MintLine>, MintError> {
    let honest = input.honest.min(input.duties);
    let of_time = |line: &&MintLine| {
        matches!(
            line.item,
            MintItem::Compute | MintItem::Storage | MintItem::Grant | MintItem::Energy
        )
    };
    let base: Vec<MintLine> = lines.iter().filter(of_time).copied().collect();
    let scaled = u128::from(sum(&base)?.0)
        .saturating_mul(u128::from(input.witness_permille))
        .saturating_mul(u128::from(honest));
    let amount = scaled.checked_div(u128::from(input.duties).saturating_mul(1000)).unwrap_or(0);
    let amount = u64::try_from(amount)
        .map(Amount)
        .map_err(|_| MintError::OutOfRange { what: "the tokens of a line" })?;
    if amount == Amount::ZERO {
        return Ok(None);
    }
    let quantity = NanoUnits(honest.saturating_mul(1_000_000_000));
    Ok(Some(MintLine { item: MintItem::Witness, quantity, rate: 0, value: NanoUsd(0), amount }))
}

fn sum(lines: &[MintLine]) -> Result<Amount, MintError> {
    lines
        .iter()
        .try_fold(Amount::ZERO, |sum, line| sum.checked_add(line.amount))
        .ok_or(MintError::OutOfRange { what: "the sum of a receipt" })
}

fn list(lines: Vec<MintLine>) -> List<MintLine, MINT_LINES_MAX> {
    List::new(lines).expect("there are fewer items than a receipt has lines")
}
