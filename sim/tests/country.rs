//! A small country, in seconds; the full one is `cargo run --release -p acre-sim --example country`.
#![allow(clippy::unwrap_used, reason = "tests")]

use acre_sim::country::{CountryOptions, run_country};

#[test]
fn ring_is_found_and_the_honest_are_not_wronged() {
    let options = CountryOptions::village();
    let nodes = u64::from(options.nodes);
    let outcome = run_country(options).unwrap_or_else(|violation| panic!("{violation}"));
    assert!(outcome.ring > 20, "{}", outcome.ring);
    let last = outcome.epochs.last().unwrap();
    assert!(last.folded > nodes * 99 / 100, "{}", last.folded);
    assert!(last.reports > nodes * 95 / 100 && last.turns == 4, "{last:?}");
    assert!(last.strikes > 0);
    // Nearly every node has a receipt for the epoch before; about one in 33 was up too little, and
    // the ring, a twentieth, is paid for the tenth that it has, but for the few it could praise.
    assert!(last.claims > nodes * 95 / 100 && last.paid + last.unpaid >= last.claims, "{last:?}");
    assert!(last.unpaid * 100 <= last.claims * 6 && last.minted > 0, "{last:?}");
    assert!(last.minted_ring * 100 <= last.minted * 2, "{last:?}");
    for epoch in &outcome.epochs {
        // One in a hundred would be far more than the 0.1 % that the share of the ring explains.
        assert!(epoch.wronged * 100 <= nodes && epoch.believed * 20 <= outcome.ring, "{epoch:?}");
    }
}

#[test]
fn the_same_seed_is_the_same_country() {
    let small = CountryOptions { nodes: 100, farms: 25, epochs: 1, ..CountryOptions::village() };
    let root = |options| run_country(options).unwrap().state.root();
    assert_eq!(root(small.clone()), root(small.clone()));
    assert_ne!(root(small.clone()), root(CountryOptions { seed: 2, ..small }));
}
