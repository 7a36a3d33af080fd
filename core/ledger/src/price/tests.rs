//! Prices by hand.

use super::*;

const TIB: Bytes = Bytes(1 << 40);
const HOUR_MS: u64 = 3_600_000;

#[track_caller]
fn check(bytes: Bytes, places: usize, period_ms: u64, wanted: Option<u64>) {
    let parameters = Parameters {
        prices: Prices { storage_tib_hour: MicroUsd(1000), ..Prices::default() },
        ..Parameters::default()
    };
    // Ten USD a token: one micro-USD is one unit.
    let token = TokenPrice(10_000_000);
    let price = storage_price(&parameters, token, bytes, places, period_ms);
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

#[test]
fn largest_contract_at_the_highest_price_is_still_computed() {
    use crate::limits::{CONTRACT_BYTES_MAX, CONTRACT_PERIOD_MS_MAX, PLACES_MAX, UNIT_PRICE_MAX};
    let weight = u32::try_from(PLACES_MAX).unwrap() * 2 * WHOLE_WEIGHT;
    let quantity = u128::from(CONTRACT_BYTES_MAX.0 / 2) * u128::from(CONTRACT_PERIOD_MS_MAX);
    let price = MicroUsd(UNIT_PRICE_MAX);
    // Dear tokens, so that the amount fits.
    let token = TokenPrice(1_000_000_000_000);
    assert!(gross(Item::Storage, quantity, weight, price, token).is_some());
}

#[test]
fn default_storage_costs_what_it_always_did() {
    let price = storage_price(&Parameters::default(), TokenPrice(80_000), TIB, 1, HOUR_MS);
    assert_eq!(price, Some(Amount(1_700_000)), "0.17 TFT for a TiB and hour");
}

#[test]
fn tokens_and_their_worth_are_inverse_but_for_rounding() {
    let token = TokenPrice(80_000);
    assert_eq!(tokens(MicroUsd(80_000), token), Some(Amount(10_000_000)));
    assert_eq!(tokens(MicroUsd(1), token), Some(Amount(125)));
    assert_eq!(worth(Amount(125), token), MicroUsd(1));
    assert_eq!(worth(Amount(124), token), MicroUsd(0));
    assert_eq!(tokens(MicroUsd(u64::MAX), TokenPrice(1)), None);
}

#[test]
fn compute_unit_takes_the_cheapest_of_three_shapes() {
    let formula = crate::object::Formula::default();
    let check = |cores_milli, gib: u64, wanted| {
        assert_eq!(formula.compute_micro(cores_milli, Bytes(gib << 30)), wanted);
    };
    check(2000, 4, 1_000_000);
    check(1000, 8, 1_000_000);
    check(4000, 2, 1_000_000);
    // min(max(16/4, 4/2), max(16/8, 4/1), max(16/2, 4/4)) = 4.
    check(4000, 16, 4_000_000);
    check(0, 0, 0);
    assert_eq!(formula.compute_micro(1, Bytes(1)), 250, "a quarter of a thousandth of a core");
    assert_eq!(formula.disk_micro(Bytes(200 << 30)), 1_000_000);
    assert_eq!(formula.disk_micro(Bytes(1)), 1);
}
