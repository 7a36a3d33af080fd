//! Prices in integers, always rounded in the farms' favour by less than one unit.

use acre_types::{Amount, Bytes};

use crate::object::Parameters;

/// Bytes times milliseconds that one `storage_tib_hour` pays for.
const TIB_HOUR: u128 = (1 << 40) * 3_600_000;

/// Price of `place_bytes` raw bytes at each of `places` for `period_ms`, rounded up; `None` past
/// the range of amounts.
#[must_use]
pub fn storage_price(
    parameters: &Parameters,
    place_bytes: Bytes,
    places: usize,
    period_ms: u64,
) -> Option<Amount> {
    let places = u128::try_from(places).ok()?;
    let byte_ms = u128::from(place_bytes.0).checked_mul(u128::from(period_ms))?;
    price_of(parameters, byte_ms.checked_mul(places)?)
}

/// Price of so many bytes times milliseconds, rounded up.
pub(crate) fn price_of(parameters: &Parameters, byte_ms: u128) -> Option<Amount> {
    let price = byte_ms.checked_mul(u128::from(parameters.storage_tib_hour.0))?;
    u64::try_from(price.div_ceil(TIB_HOUR)).ok().map(Amount)
}
