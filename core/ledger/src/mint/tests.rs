//! Receipts by hand, thresholds, and what must hold for any input.

use acre_types::{Amount, Bytes};
use proptest::prelude::*;

use super::*;

const GIB: u64 = 1 << 30;
const HOUR_MS: u64 = 3_600_000;

/// The example of docs/protocols/minting.md: 8 cores, 32 GB, 1 TB solid state, 3 TB of disks; 731
/// hours due, 720 up; 1,400 of 1,440 verdicts honest.
fn example() -> MintInput {
    MintInput {
        period: 4,
        capacity: Raw {
            cores: 8,
            memory: Bytes(32 * GIB),
            ssd: Bytes(1024 * GIB),
            hdd: Bytes(3072 * GIB),
        },
        traffic: Bytes(0),
        traffic_cover: Amount(0),
        ipv4_ms: 0,
        due_ms: 731 * HOUR_MS,
        up_ms: 720 * HOUR_MS,
        duties: 1440,
        honest: 1400,
        month_ms: MONTH_MS,
        certification: Certification::Diy,
        health: Health::Sound,
        policy: Policy::standard(),
        price: MicroUsd(80_000),
        vested_ms: 0,
        witness_permille: 20,
        budget_left: None,
        sold: Raw::default(),
        sold_owed: Amount(0),
        sold_cover: Amount(0),
    }
}

/// 1,200 GiB of a node's 3,072 are shards: 1 SU.
#[test]
fn shards_earn_what_plots_do_as_far_as_they_are_covered() {
    let full = receipt(&MintInput { honest: 0, ..example() }).unwrap();
    let of = |sold_owed, sold_cover| {
        let (sold_owed, sold_cover) = (Amount(sold_owed), Amount(sold_cover));
        let sold = Raw { hdd: Bytes(1200 * GIB), ..Raw::default() };
        receipt(&MintInput { honest: 0, sold, sold_owed, sold_cover, ..example() }).unwrap()
    };
    let worth = of(0, u64::MAX).sold().0;
    // 1 SU x 1 USD x 720 / 730.8, at 0.08 USD a token.
    assert!((123_152_709..=123_152_710).contains(&worth), "{worth}");
    assert_eq!((of(0, u64::MAX).total, of(0, u64::MAX).sold_owed), (full.total, Amount(0)));
    let part = of(0, 1_000);
    assert_eq!((part.sold(), part.sold_owed), (Amount(1_000), Amount(worth - 1_000)));
    assert_eq!(part.total, Amount(full.total.0 - worth + 1_000));
    let later = of(worth - 1_000, 2 * worth);
    assert_eq!((later.sold(), later.sold_owed), (Amount(2 * worth - 1_000), Amount(0)));
    let sold = example().capacity;
    let witness = receipt(&MintInput { sold, ..example() }).unwrap();
    assert_eq!(witness.lines.last().unwrap().item, MintItem::Sold);
    assert_eq!(witness.sold(), Amount(0), "nothing is covered");
}

#[test]
fn example_of_the_documentation_by_hand() {
    let made = receipt(&example()).unwrap();
    let line = |item, quantity, rate, value, amount| MintLine {
        item,
        quantity: NanoUnits(quantity),
        rate,
        value: NanoUsd(value),
        amount: Amount(amount),
    };
    let wanted = [
        // 7.75 CU, not sold, x 0.12 USD x 720 / 730.8
        line(MintItem::Compute, 7_750_000_000, 12_000_000, 916_256_157, 114_532_019),
        // 6.656 SU x 1 USD x 720 / 730.8
        line(MintItem::Storage, 6_656_000_000, 100_000_000, 6_557_635_467, 819_704_433),
        // 2 % x 1400 / 1440 of both
        line(MintItem::Witness, 1_400_000_000_000, 0, 0, 18_165_708),
    ];
    assert_eq!(made.lines.to_vec(), wanted);
    assert_eq!((made.reason, made.total), (Reason::Paid, Amount(952_402_160)));
}

/// All of the memory is sold, so no CU is idle.
#[test]
fn compute_that_is_sold_earns_the_higher_rate_as_far_as_it_is_covered() {
    let of = |sold_cover| {
        let sold = Raw { memory: Bytes(32 * GIB), ..Raw::default() };
        let sold_cover = Amount(sold_cover);
        receipt(&MintInput { honest: 0, sold, sold_cover, ..example() }).unwrap()
    };
    let amount = |of: &MintReceipt, item| {
        of.lines.iter().find(|line| line.item == item).map_or(0, |line| line.amount.0)
    };
    let covered = of(u64::MAX);
    // 7.75 CU x 2.40 USD x 720 / 730.8, at 0.08 USD a token.
    assert_eq!(covered.sold(), Amount(2_290_640_394));
    assert_eq!(amount(&covered, MintItem::Compute), 0);
    assert_eq!((of(0).sold(), of(0).sold_owed), (Amount(0), Amount(2_290_640_394)));
    let idle = receipt(&MintInput { honest: 0, ..example() }).unwrap();
    assert_eq!(amount(&idle, MintItem::Compute), 114_532_019);
    assert_eq!(idle.sold(), Amount(0));
}

#[test]
fn compute_units_are_the_least_of_memory_cores_and_solid_state() {
    let check = |cores, memory_gib: u64, ssd_gib: u64, wanted| {
        let (memory, ssd) = (Bytes(memory_gib * GIB), Bytes(ssd_gib * GIB));
        let raw = Raw { cores, memory, ssd, hdd: Bytes(0) };
        assert_eq!(compute_units(&raw), NanoUnits(wanted));
    };
    check(8, 9, 1000, 2_000_000_000);
    check(1, 1000, 1000, 2_000_000_000);
    check(64, 1000, 75, 1_500_000_000);
    check(64, 1, 1000, 0);
    check(64, 0, 1000, 0);
    check(64, 64, 0, 0);
    check(u32::MAX, u64::MAX / GIB, u64::MAX / GIB, 343_597_383_660_000_000);
}

#[test]
fn storage_of_unknown_speed_counts_as_the_slower_kind() {
    let proven = crate::Capacity { storage: Bytes(1200 * GIB), cores: 4, memory: Bytes(9 * GIB) };
    let (slow, fast) = (Raw::new(proven, Bytes(0)), Raw::new(proven, Bytes(u64::MAX)));
    assert_eq!(
        (compute_units(&slow), storage_units(&slow)),
        (NanoUnits(0), NanoUnits(1_000_000_000))
    );
    assert_eq!(storage_units(&fast), NanoUnits(4_800_000_000));
    assert_eq!(compute_units(&fast), NanoUnits(2_000_000_000));
}

#[test]
fn uptime_has_a_threshold_and_counts_by_time_above_it() {
    let check = |certification, up_ms, due_ms, paid: bool| {
        let input = MintInput { certification, up_ms, due_ms, ..example() };
        let made = receipt(&input).unwrap();
        let wanted = if paid { Reason::Paid } else { Reason::UptimeTooLow };
        assert_eq!((made.reason, made.total.0 > 0), (wanted, paid));
        made.total
    };
    let all = check(Certification::Diy, 1_000_000_000, 1_000_000_000, true);
    let some = check(Certification::Diy, 950_000_000, 1_000_000_000, true);
    assert!(some.0.abs_diff(all.0 * 95 / 100) < 10, "{some:?} of {all:?}");
    check(Certification::Diy, 949_999_999, 1_000_000_000, false);
    check(Certification::Certified, 980_000_000, 1_000_000_000, true);
    check(Certification::Certified, 979_999_999, 1_000_000_000, false);
    check(Certification::Gold, 950_000_000, 1_000_000_000, false);
    // More than was due is not paid.
    let more = check(Certification::Diy, u64::MAX, 1_000_000_000, true);
    assert_eq!(more, all);
}

#[test]
fn certified_farms_get_a_quarter_more() {
    let plain = receipt(&MintInput { honest: 0, ..example() }).unwrap();
    let certification = Certification::Certified;
    let more = receipt(&MintInput { certification, honest: 0, ..example() }).unwrap();
    assert_eq!(more.lines[0].rate * 100, plain.lines[0].rate * 125);
    assert!(more.total.0.abs_diff(plain.total.0 * 125 / 100) < 10);
}

#[test]
fn traffic_and_addresses_are_paid_by_use() {
    let (traffic, ipv4_ms) = (Bytes(10 * GIB), 730 * HOUR_MS);
    let of = |cover| {
        let traffic_cover = Amount(cover);
        receipt(&MintInput { traffic, traffic_cover, ipv4_ms, ..example() }).unwrap()
    };
    assert_eq!(of(0).lines[2].amount, Amount(0), "nothing was billed");
    assert_eq!(of(1_000).lines[2].amount, Amount(1_000), "no more than it cost");
    let made = of(u64::MAX);
    // 10 GB x 0.03 USD and 730 h x 0.005 USD, at 0.08 USD a token.
    assert_eq!(made.lines[2].amount, Amount(37_500_000));
    assert_eq!(made.lines[3].amount, Amount(456_250_000));
}

#[test]
fn nothing_is_paid_without_proof_or_to_those_caught() {
    let check = |input: MintInput, reason| {
        let made = receipt(&input).unwrap();
        assert_eq!((made.reason, made.total, made.lines.len()), (reason, Amount::ZERO, 0));
    };
    check(MintInput { due_ms: 0, ..example() }, Reason::NothingDue);
    check(MintInput { health: Health::Virtual, ..example() }, Reason::Virtual);
    check(MintInput { health: Health::Violating, ..example() }, Reason::Violating);
    let over = Policy { last_period: Some(3), ..Policy::standard() };
    check(MintInput { policy: over, ..example() }, Reason::PolicyOver);
    let entry = Entry { least: Certification::Certified, closes: None };
    check(
        MintInput { policy: Policy { entry, ..Policy::standard() }, ..example() },
        Reason::NotCertified,
    );
    let nothing = MintInput { capacity: Raw::default(), ..example() };
    assert_eq!(receipt(&nothing).unwrap().total, Amount::ZERO);
}

#[test]
fn caps_bound_units_and_budget() {
    let cap = NanoUnits(1_000_000_000);
    let caps = Caps { compute: Some(cap), storage: Some(cap), budget: None };
    let policy = Policy { caps, ..Policy::standard() };
    let made = receipt(&MintInput { policy, budget_left: Some(Amount(5)), ..example() }).unwrap();
    assert_eq!((made.lines[0].quantity, made.lines[1].quantity), (cap, cap));
    let sum: u64 = made.lines.iter().map(|line| line.amount.0).sum();
    assert_eq!((made.total, made.withheld), (Amount(5), Amount(sum - 5)));
}

/// C15: 75 tokens for 2 TB, once, and a few each year.
#[test]
fn first_schedule_pays_75_tokens_for_2_tb_once_and_a_few_a_year() {
    let plan = FarmPlan {
        nodes: 1,
        node: Raw { hdd: Bytes(2_000_000_000_000), ..Raw::default() },
        traffic: Bytes(0),
        certification: Certification::Diy,
        uptime_permille: 1000,
        policy: Policy::seed2017(),
        price: MicroUsd(80_000),
        market: MicroUsd(80_000),
        watts: 10,
        kwh: MicroUsd(250_000),
        hardware: MicroUsd(0),
        witness_permille: 0,
        years: 3,
    };
    let table = simulate(&plan).unwrap();
    let minted: Vec<_> = table.iter().map(|year| year.minted).collect();
    assert_eq!(minted, [78, 3, 3].map(|tokens| Amount::tft(tokens).unwrap()));
    // 6.24 USD for the first year's tokens; 87.696 kWh at 0.25 USD.
    assert_eq!((table[0].income, table[0].energy), (MicroUsd(6_240_000), MicroUsd(21_924_000)));
    assert_eq!(table[0].balance, 6_240_000 - 21_924_000);
    let doubled = FarmPlan { nodes: 2, ..plan.clone() };
    assert_eq!(simulate(&doubled).unwrap()[0].minted, Amount::tft(156).unwrap());
    assert!(simulate(&FarmPlan { years: 51, ..plan }).is_err());
}

#[test]
fn policies_are_checked() {
    assert_eq!(Policy::standard().check(), Ok(()));
    assert_eq!(Policy::seed2017().check(), Ok(()));
    let uptime = Uptime { diy: 1001, certified: 0 };
    assert!(Policy { uptime, ..Policy::standard() }.check().is_err());
    let reward =
        Reward::Seed { per: Bytes(0), grant: Amount(1), vest_months: 1, yearly: Amount(0) };
    assert!(Policy { reward, ..Policy::standard() }.check().is_err());
}

fn inputs() -> impl Strategy<Value = MintInput> {
    let raw = (any::<u32>(), any::<u64>(), 0..1_u64 << 60, 0..1_u64 << 60);
    let raw = raw.prop_map(|(cores, memory, ssd, hdd)| Raw {
        cores,
        memory: Bytes(memory),
        ssd: Bytes(ssd),
        hdd: Bytes(hdd),
    });
    let times = (0..1_u64 << 35, 0..1_u64 << 35, 0..1000_u64, 0..1000_u64);
    let rest = (any::<bool>(), any::<bool>(), 1000..10_000_000_u64, 0..1000_u16);
    (raw, times, rest).prop_map(|(capacity, times, rest)| {
        let (due_ms, up_ms, duties, honest) = times;
        let (certified, seed, price, witness_permille) = rest;
        let certification = if certified { Certification::Certified } else { Certification::Diy };
        let mut policy = if seed { Policy::seed2017() } else { Policy::standard() };
        policy.uptime = Uptime { diy: 500, certified: 500 };
        let price = MicroUsd(price);
        let base = example();
        let input = MintInput { capacity, due_ms, up_ms, duties, honest, certification, ..base };
        MintInput { policy, price, witness_permille, ..input }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]
    /// L7 of the function: more is never minted for less, and the total is the sum of its lines.
    #[test]
    fn receipt_adds_up_and_never_grows_with_less(input in inputs(), part in 0..1000_u64) {
        let Ok(made) = receipt(&input) else { return Ok(()) };
        let sum: u64 = made.lines.iter().map(|line| line.amount.0).sum();
        prop_assert_eq!(made.total.0 + made.withheld.0, sum);
        prop_assert_eq!(receipt(&input).unwrap(), made.clone());
        prop_assert!(input.due_ms > 0 || made.total.0 == 0);
        let less = |value: u64| u64::try_from(u128::from(value) * u128::from(part) / 1000).unwrap();
        let raw = input.capacity;
        let capacity = Raw { ssd: Bytes(less(raw.ssd.0)), hdd: Bytes(less(raw.hdd.0)), ..raw };
        let weaker = receipt(&MintInput { capacity, ..input.clone() }).unwrap();
        prop_assert!(weaker.total <= made.total);
        let shorter = receipt(&MintInput { up_ms: less(input.up_ms), ..input.clone() }).unwrap();
        prop_assert!(shorter.total <= made.total);
        let rude = receipt(&MintInput { honest: 0, ..input.clone() }).unwrap();
        prop_assert!(rude.total <= made.total);
        let bytes = acre_codec::encode(&(input.clone(), made.clone()));
        prop_assert_eq!(acre_codec::decode::<(MintInput, MintReceipt)>(&bytes).unwrap(), (input, made));
    }

    /// Two halves of a node earn no more than the node, but for the fixed GB of memory.
    #[test]
    fn splitting_a_node_gains_nothing(input in inputs()) {
        let half = |bytes: Bytes| Bytes(bytes.0 / 2);
        let raw = input.capacity;
        let capacity = Raw { cores: raw.cores / 2, memory: half(raw.memory), ssd: half(raw.ssd), hdd: half(raw.hdd) };
        if let (Ok(whole), Ok(part)) = (receipt(&input), receipt(&MintInput { capacity, ..input })) {
            prop_assert!(part.total.0.saturating_mul(2) <= whole.total.0);
        }
    }
}
