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
    let price = byte_ms.checked_mul(u128::from(parameters.prices.storage_tib_hour.0))?;
    u64::try_from(price.div_ceil(TIB_HOUR)).ok().map(Amount)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::Prices;

    const TIB: Bytes = Bytes(1 << 40);
    const HOUR_MS: u64 = 3_600_000;

    #[track_caller]
    fn check(bytes: Bytes, places: usize, period_ms: u64, wanted: Option<u64>) {
        let parameters = Parameters {
            prices: Prices { storage_tib_hour: Amount(1000) },
            ..Parameters::default()
        };
        let price = storage_price(&parameters, bytes, places, period_ms);
        assert_eq!(price, wanted.map(Amount));
    }

    #[test]
    fn price_is_exact_and_rounded_up() {
        check(TIB, 1, HOUR_MS, Some(1000));
        check(TIB, 20, HOUR_MS / 2, Some(10_000));
        check(TIB, 1, HOUR_MS + 1, Some(1001));
        check(Bytes(1), 1, 1, Some(1));
        check(Bytes(0), 20, HOUR_MS, Some(0));
    }

    #[test]
    fn price_past_the_range_is_none() {
        check(Bytes(u64::MAX), usize::MAX, u64::MAX, None);
        check(Bytes(1 << 60), 255, u64::MAX, None);
    }
}
