//! What things cost: from quantities and prices in a stable unit to tokens, in integers, rounded
//! up by less than one unit of a token.

mod feed;
mod quote;

use acre_types::{Amount, Bytes};

use crate::object::{Item, Lock, MicroUsd, Parameters, Prices, TokenPrice};
use crate::object::{PriceState, TokenSource};

pub(crate) use feed::agreed;
pub use feed::is_stale;
pub use quote::{PlaceTerms, Quote, quote};
pub(crate) use quote::{Terms, for_time, kind_of};

/// The weight of one place at list price, in thousandths.
pub const WHOLE_WEIGHT: u32 = 1000;

/// What something costs: so much of an item for each millisecond, or at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    pub(crate) item: Item,
    /// For each millisecond, at one place, in [`Item::unit`] without its time; metered items: at
    /// once, or for each millisecond of the period.
    pub(crate) per_ms: u128,
    /// Sum over all places, in thousandths.
    pub(crate) weight: u32,
    /// Price of [`Item::per`].
    pub(crate) unit_price: MicroUsd,
}

/// Whether an item goes into the purse for use.
pub(crate) const fn is_metered(item: Item) -> bool {
    matches!(item, Item::Traffic | Item::Variable)
}

/// The price of a quantity; `None` past the range of amounts.
pub(crate) fn lock(
    rate: &Rate,
    quantity: u128,
    token: TokenPrice,
    discount_percent: u8,
) -> Option<Lock> {
    let Rate { item, weight, unit_price, .. } = *rate;
    let gross = gross(item, quantity, weight, unit_price, token)?;
    let discount = crate::bill::share_of(gross, discount_percent.into(), 100);
    let net = gross.checked_sub(discount)?;
    Some(Lock { item, quantity, weight, unit_price, token, gross, discount_percent, discount, net })
}

/// quantity x weight x price / (1000 x per) in micro-USD, x 10^7 / token price, rounded up once.
fn gross(
    item: Item,
    quantity: u128,
    weight: u32,
    unit_price: MicroUsd,
    token: TokenPrice,
) -> Option<Amount> {
    let below = item.per().checked_mul(WHOLE_WEIGHT.into())?;
    let units = u128::from(Amount::UNITS_PER_TFT);
    // Shortened first: then the largest contract at the highest price still fits.
    let common = gcd(below, units);
    let above = quantity
        .checked_mul(weight.into())?
        .checked_mul(unit_price.0.into())?
        .checked_mul(units.checked_div(common)?)?;
    let below = below.checked_div(common)?.checked_mul(token.0.into())?;
    let quotient = above.checked_div(below)?;
    let is_odd = above.checked_rem(below)? != 0;
    u64::try_from(quotient.checked_add(u128::from(is_odd))?).ok().map(Amount)
}

fn gcd(mut a: u128, mut b: u128) -> u128 {
    while let Some(rest) = a.checked_rem(b) {
        (a, b) = (b, rest);
    }
    a
}

/// Tokens for an amount in a stable unit, rounded up; `None` past the range.
#[must_use]
pub fn tokens(amount: MicroUsd, token: TokenPrice) -> Option<Amount> {
    let units = u128::from(amount.0).checked_mul(Amount::UNITS_PER_TFT.into())?;
    let token = u128::from(token.0);
    let rounded = units.checked_add(token)?.checked_sub(1)?;
    u64::try_from(rounded.checked_div(token)?).ok().map(Amount)
}

/// What tokens are worth, in micro-USD, rounded down.
#[must_use]
pub fn worth(amount: Amount, token: TokenPrice) -> MicroUsd {
    let product = u128::from(amount.0).saturating_mul(token.0.into());
    let worth = product.checked_div(Amount::UNITS_PER_TFT.into()).unwrap_or(0);
    MicroUsd(u64::try_from(worth).unwrap_or(u64::MAX))
}

/// What a token is worth now: the parameter, or what the feeds last agreed on.
#[must_use]
pub const fn token_price(prices: &Prices, state: Option<&PriceState>) -> TokenPrice {
    match (&prices.token, state) {
        (TokenSource::Fixed(price), _) => *price,
        (TokenSource::Feeds(_), Some(state)) => state.price,
        (TokenSource::Feeds(rules), None) => rules.start,
    }
}

/// List price of `place_bytes` raw bytes at each of `places` for `period_ms`, none of them
/// certified, without discount or deposit; `None` past the range of amounts.
#[must_use]
pub fn storage_price(
    parameters: &Parameters,
    token: TokenPrice,
    place_bytes: Bytes,
    places: usize,
    period_ms: u64,
) -> Option<Amount> {
    let weight = u32::try_from(places).ok()?.checked_mul(WHOLE_WEIGHT)?;
    let quantity = u128::from(place_bytes.0).checked_mul(period_ms.into())?;
    gross(Item::Storage, quantity, weight, parameters.prices.storage_tib_hour, token)
}

#[cfg(test)]
mod tests;
