//! The exact price of a contract before it is signed: the ledger locks what this says.

use acre_types::{Amount, UnixMs};

use super::{Rate, WHOLE_WEIGHT, is_metered, lock};
use crate::bill;
use crate::error::Refusal;
use crate::object::{
    Capacity, ContractKind, Deposit, Grace, Item, Lock, MicroUsd, Parameters, Prices, Progress,
    Rent, Resources, Service, Storage, TokenPrice, Workload,
};
use crate::transaction::{NewContract, NewKind};

const TOO_DEAR: Refusal = Refusal::OutOfRange { what: "the price of the contract" };
const HOUR_MS: u128 = 3_600_000;

/// What the price of a contract depends on at one of its nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlaceTerms {
    /// Thousandths of the list price: [`WHOLE_WEIGHT`], with [`Prices::certified_permille`] on top
    /// where the farm is certified, 0 where the tenant rents the whole node.
    pub weight: u32,
    /// What the node offers; matters to a rent alone.
    pub capacity: Capacity,
}

impl PlaceTerms {
    /// Of a node at list price.
    #[must_use]
    pub const fn plain(capacity: Capacity) -> Self {
        Self { weight: WHOLE_WEIGHT, capacity }
    }
}

/// The price of a contract, as its first bill lines will say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// A line for each item.
    pub lines: Vec<Lock>,
    /// What is locked for grace, and comes back if it is not used.
    pub deposit: Deposit,
    /// What is kept for whoever closes the contract once it is over; comes back to who cancels it.
    pub closing: Amount,
    /// The grace that this pays for.
    pub grace: Grace,
}

impl Quote {
    /// All that is locked; `None` if it is more than there can be.
    #[must_use]
    pub fn total(&self) -> Option<Amount> {
        let nets = self.lines.iter().map(|line| line.net).chain([self.deposit.net, self.closing]);
        nets.into_iter().try_fold(Amount::ZERO, Amount::checked_add)
    }
}

/// The price of a contract. `places` are its nodes in order, none for names and services.
///
/// # Errors
/// [`Refusal::OutOfRange`] for a price past what an amount can hold, or a period of zero.
pub fn quote(
    parameters: &Parameters,
    token: TokenPrice,
    new: &NewContract,
    places: &[PlaceTerms],
) -> Result<Quote, Refusal> {
    let capacity = places.first().map(|place| place.capacity).unwrap_or_default();
    let kind = kind_of(new, capacity, UnixMs(0));
    let weight = places.iter().try_fold(0_u32, |sum, place| sum.checked_add(place.weight));
    let terms = Terms { prices: &parameters.prices, token, weight: weight.ok_or(TOO_DEAR)? };
    let grace = parameters.grace.of(new.period_ms);
    let (lines, deposit) = terms.price(&kind, new.period_ms, grace)?;
    Ok(Quote { lines, deposit, closing: parameters.closing_fee(), grace })
}

/// What a contract is about, as it will stand on the ledger.
pub(crate) fn kind_of(new: &NewContract, capacity: Capacity, now: UnixMs) -> ContractKind {
    let period_ms = new.period_ms;
    match &new.kind {
        NewKind::Storage(new) => ContractKind::Storage(Storage {
            profile: new.profile,
            places: new.places.clone(),
            writer: new.writer,
            bytes: new.bytes,
        }),
        NewKind::Workload(new) => ContractKind::Workload(Workload {
            spec: new.spec,
            node: new.node,
            resources: new.resources,
            traffic: new.traffic,
            traffic_used: acre_types::Bytes(0),
            progress: Progress::Waiting,
            reports: 0,
        }),
        NewKind::Rent { node } => ContractKind::Rent(Rent { node: *node, capacity }),
        NewKind::Name(label) => ContractKind::Name(label.clone()),
        NewKind::Service(new) => ContractKind::Service(Service {
            provider: new.provider,
            terms: new.terms,
            base_hour: new.base_hour,
            variable_hour: new.variable_hour,
            variable_left: for_time(new.variable_hour, period_ms),
            billed: now,
        }),
    }
}

/// A price for each hour over so many milliseconds, rounded down.
pub(crate) fn for_time(hour: MicroUsd, period_ms: u64) -> MicroUsd {
    let product = u128::from(hour.0).saturating_mul(period_ms.into());
    MicroUsd(u64::try_from(product / HOUR_MS).unwrap_or(u64::MAX))
}

/// What a price is computed with.
#[derive(Clone, Copy)]
pub(crate) struct Terms<'a> {
    pub(crate) prices: &'a Prices,
    pub(crate) token: TokenPrice,
    /// Sum over all nodes, in thousandths.
    pub(crate) weight: u32,
}

impl Terms<'_> {
    /// The lines and the deposit of a contract of this length.
    fn price(
        &self,
        kind: &ContractKind,
        period_ms: u64,
        grace: Grace,
    ) -> Result<(Vec<Lock>, Deposit), Refusal> {
        let discount = self.prices.discount(period_ms);
        let mut lines = self
            .locks(&self.rates(kind), discount, |rate| rate.per_ms.checked_mul(period_ms.into()))?;
        let listed = sum(&lines, |line| line.gross)?;
        lines.extend(self.locks(&self.metered(kind, period_ms), 0, |rate| Some(rate.per_ms))?);
        let deposit = bill::deposit(listed, period_ms, grace.whole_ms(), Amount::ZERO);
        Ok((lines, deposit.ok_or(TOO_DEAR)?))
    }

    /// A line for each rate that costs anything; services know no discount.
    pub(crate) fn locks(
        &self,
        rates: &[Rate],
        discount: u8,
        quantity: impl Fn(&Rate) -> Option<u128>,
    ) -> Result<Vec<Lock>, Refusal> {
        let mut locks = Vec::with_capacity(rates.len());
        for rate in rates {
            let discount = if rate.item == Item::Base { 0 } else { discount };
            let quantity = quantity(rate).ok_or(TOO_DEAR)?;
            let line = lock(rate, quantity, self.token, discount).ok_or(TOO_DEAR)?;
            if line.gross != Amount::ZERO {
                locks.push(line);
            }
        }
        Ok(locks)
    }

    /// What a contract costs for each millisecond.
    pub(crate) fn rates(&self, kind: &ContractKind) -> Vec<Rate> {
        let Prices { formula, .. } = self.prices;
        let rate = |item, per_ms, weight, unit_price| Rate { item, per_ms, weight, unit_price };
        let compute = |cores_milli, memory, weight| {
            let per_ms = formula.compute_micro(cores_milli, memory);
            rate(Item::Compute, per_ms, weight, self.prices.compute_hour)
        };
        match kind {
            ContractKind::Storage(storage) => {
                let price = self.prices.storage_tib_hour;
                vec![rate(Item::Storage, storage.place_bytes().0.into(), self.weight, price)]
            }
            ContractKind::Workload(workload) => {
                let Resources { storage, cores_milli, memory, ipv4 } = workload.resources;
                let disk = formula.disk_micro(storage);
                vec![
                    compute(cores_milli, memory, self.weight),
                    rate(Item::Disk, disk, self.weight, self.prices.disk_hour),
                    // Addresses do not come with a rented node.
                    rate(Item::Ipv4, ipv4.into(), WHOLE_WEIGHT, self.prices.ipv4_hour),
                ]
            }
            ContractKind::Rent(rent) => {
                let Capacity { storage, cores, memory } = rent.capacity;
                let weight = rented(self.weight, self.prices.rent_permille);
                let price = self.prices.storage_tib_hour;
                vec![
                    compute(u64::from(cores).saturating_mul(1000), memory, weight),
                    rate(Item::Storage, storage.0.into(), weight, price),
                ]
            }
            ContractKind::Name(_) => {
                vec![rate(Item::Name, 1, WHOLE_WEIGHT, self.prices.name_hour)]
            }
            ContractKind::Service(service) => {
                vec![rate(Item::Base, 1, WHOLE_WEIGHT, service.base_hour)]
            }
        }
    }

    /// What a contract may use of what is metered, each with its whole quantity.
    pub(crate) fn metered(&self, kind: &ContractKind, period_ms: u64) -> Vec<Rate> {
        match kind {
            ContractKind::Workload(workload) => vec![self.traffic(workload.traffic)],
            ContractKind::Service(service) => vec![Rate {
                item: Item::Variable,
                per_ms: period_ms.into(),
                weight: WHOLE_WEIGHT,
                unit_price: service.variable_hour,
            }],
            _ => Vec::new(),
        }
    }

    pub(crate) fn traffic(&self, bytes: acre_types::Bytes) -> Rate {
        Rate {
            item: Item::Traffic,
            per_ms: bytes.0.into(),
            weight: WHOLE_WEIGHT,
            unit_price: self.prices.traffic_gib,
        }
    }

    /// List price of an hour, without what is metered, rounded up.
    pub(crate) fn hour(&self, kind: &ContractKind) -> Option<MicroUsd> {
        let mut sum = 0_u128;
        for rate in self.rates(kind).iter().filter(|rate| !is_metered(rate.item)) {
            let above = rate
                .per_ms
                .checked_mul(HOUR_MS)?
                .checked_mul(rate.weight.into())?
                .checked_mul(rate.unit_price.0.into())?;
            let below = rate.item.per().checked_mul(WHOLE_WEIGHT.into())?;
            let odd = above.checked_rem(below)? != 0;
            sum = sum.checked_add(above.checked_div(below)?)?.checked_add(u128::from(odd))?;
        }
        u64::try_from(sum).ok().map(MicroUsd)
    }
}

/// The weight of a whole node.
fn rented(weight: u32, rent_permille: u16) -> u32 {
    let scaled = u64::from(weight).saturating_mul(rent_permille.into());
    u32::try_from(scaled / 1000).unwrap_or(u32::MAX)
}

fn sum(lines: &[Lock], of: impl Fn(&Lock) -> Amount) -> Result<Amount, Refusal> {
    lines.iter().map(of).try_fold(Amount::ZERO, Amount::checked_add).ok_or(TOO_DEAR)
}
