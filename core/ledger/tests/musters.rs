//! When all nodes are called at once: how often, when not, and that all agree about it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
#![allow(clippy::arithmetic_side_effects, reason = "tests")]

mod common;

use acre_ledger::{
    Applied, BlockTime, CapacityRules, EpochState, Event, Muster, Parameters, PuzzleParams,
    TheEpoch, TheMuster, Verified, apply_block, build_block,
};
use acre_types::{Height, UnixMs};

use common::{Grid, node};

const EPOCH_MS: u64 = 64_000;

fn rules(musters: u16) -> Parameters {
    let puzzle = PuzzleParams { musters, ..PuzzleParams::local() };
    let local = CapacityRules::local();
    let capacity = CapacityRules { epoch_ms: EPOCH_MS, beacon_steps: 2, puzzle, ..local };
    Parameters { capacity, ..Parameters::default() }
}

impl Grid {
    /// Two nodes that watch each other, at the beginning of an epoch.
    fn watched(musters: u16) -> Self {
        let mut grid = Self::with_farms_under(rules(musters), 2);
        for _ in 0..3 {
            let step = grid.epoch().ends().0 - grid.now;
            grid.idle(step);
        }
        assert_eq!(grid.epoch().nodes, 2);
        grid
    }

    fn epoch(&self) -> EpochState {
        self.state.read(&TheEpoch).unwrap().unwrap()
    }

    fn muster(&self) -> Option<Muster> {
        self.state.read(&TheMuster).unwrap()
    }

    /// What an empty block after so long would do.
    fn next(&self, step: u64) -> Applied {
        let time = BlockTime { before: UnixMs(self.now), now: UnixMs(self.now + step) };
        apply_block::<Verified>(&self.state, &[], Height(self.height + 1), time).unwrap()
    }

    /// An empty block after so long.
    fn idle(&mut self, step: u64) -> Applied {
        let applied = self.next(step);
        (self.state, self.height, self.now) =
            (applied.state.clone(), self.height + 1, self.now + step);
        applied
    }

    /// Musters that were called until this many epochs are over, with empty blocks `step` apart.
    fn musters(&mut self, epochs: u64, step: u64) -> Vec<Muster> {
        let last = self.epoch().number.0 + epochs;
        let mut called = Vec::new();
        loop {
            let applied = self.idle(step);
            if self.epoch().number.0 >= last {
                return called;
            }
            let events = applied.events.iter();
            for event in events.filter(|event| matches!(event, Event::MusterCalled { .. })) {
                let muster = self.muster().unwrap();
                let Muster { number, epoch, seed, at } = muster;
                assert_eq!(*event, Event::MusterCalled { number, epoch, seed });
                assert_eq!((epoch, at), (self.epoch().number, UnixMs(self.now)));
                called.push(muster);
            }
        }
    }
}

#[test]
fn as_many_come_as_are_wanted_whatever_the_pace_of_blocks() {
    // Two wanted over 40 s: with 4 s of quiet after each, 40 / (20 + 4) = 1.7 and a little, as the
    // quiet after the last may lie past the window. The draws are fixed by the state.
    for step in [100, 500, 1000] {
        let mut grid = Grid::watched(2);
        let called = grid.musters(300, step);
        let count = called.len();
        assert!((450..600).contains(&count), "{count} in 300 epochs, every {step} ms");
        let with = called.chunk_by(|a, b| a.epoch == b.epoch).count();
        // 1 - e^-2 = 86.5 % of epochs have one: 259, standard deviation 6.
        assert!((235..290).contains(&with), "{with} epochs of 300 with one, every {step} ms");
    }
}

#[test]
fn none_comes_early_late_or_soon_after_another() {
    let mut grid = Grid::watched(8);
    let began = grid.epoch().began.0;
    let called = grid.musters(300, 250);
    let within: Vec<u64> = called.iter().map(|one| (one.at.0 - began) % EPOCH_MS).collect();
    let (first, last) = (*within.iter().min().unwrap(), *within.iter().max().unwrap());
    assert!((EPOCH_MS / 8..EPOCH_MS / 8 + 2000).contains(&first), "{first}");
    assert!((EPOCH_MS / 4 * 3 - 2000..EPOCH_MS / 4 * 3).contains(&last), "{last}");
    let apart: Vec<u64> = called.windows(2).map(|two| two[1].at.0 - two[0].at.0).collect();
    let least = *apart.iter().min().unwrap();
    assert!((EPOCH_MS / 16..EPOCH_MS / 16 + 1000).contains(&least), "{least}");
    assert!(called.windows(2).all(|two| two[1].number == two[0].number + 1));
}

#[test]
fn waiting_brings_none_nearer() {
    // Of the time in which one may be called, the first half has as many first ones as its share.
    let mut grid = Grid::watched(1);
    let began = grid.epoch().began.0;
    let mut called = grid.musters(600, 500);
    called.dedup_by_key(|one| one.epoch);
    let half = EPOCH_MS / 8 + EPOCH_MS * 5 / 16;
    let early = called.iter().filter(|one| (one.at.0 - began) % EPOCH_MS < half).count();
    // (1 - e^-0.5) / (1 - e^-1) = 62 %.
    let share = early * 100 / called.len();
    assert!((55..70).contains(&share), "{share} % of {} in the first half", called.len());
}

#[test]
fn all_agree_about_one_and_seeds_differ() {
    let mut grid = Grid::watched(8);
    let called = loop {
        let (state, height, now) = (grid.state.clone(), grid.height, grid.now);
        let before = Grid { state, height, now };
        if grid.idle(1000).events.iter().any(|it| matches!(it, Event::MusterCalled { .. })) {
            break before;
        }
    };
    let time = BlockTime { before: UnixMs(called.now), now: UnixMs(grid.now) };
    let built = build_block::<Verified>(&called.state, [], Height(grid.height), time).unwrap();
    assert_eq!(built.applied.root, grid.state.root(), "who proposes and who applies");
    // Time is what counts: no time, no muster. And it is one leaf.
    assert_eq!(called.next(0).root, called.state.root());
    assert_eq!(built.applied.changes.len(), 1);
    let untimed = UnixMs(grid.now);
    let untimed = apply_block::<Verified>(&called.state, &[], Height(grid.height), untimed);
    assert_eq!(untimed.unwrap().root, called.state.root());
    let muster = grid.muster().unwrap();
    assert_ne!(muster.seed_of(node(101)), muster.seed_of(node(102)));
    assert_ne!(muster.seed_of(node(101)), muster.seed);
    let mut seeds: Vec<_> = grid.musters(20, 1000).iter().map(|one| one.seed).collect();
    let count = seeds.len();
    seeds.sort_unstable();
    seeds.dedup();
    assert_eq!(seeds.len(), count);
}

#[test]
fn grid_in_which_nobody_watches_anybody_is_never_called() {
    let mut grid = Grid::with_farms_under(rules(8), 1);
    assert_eq!(grid.musters(50, 1000), []);
    assert_eq!(grid.muster(), None);
}

#[test]
fn long_halt_calls_none_for_sure() {
    // Ten seconds count at most: of 40 s with one muster wanted, a fourth.
    let mut called = 0;
    for offset in 0..64 {
        let mut grid = Grid::watched(1);
        let into = EPOCH_MS / 8 + 20_000 + offset;
        called += usize::from(!grid.idle(into).events.is_empty());
    }
    assert!((6..28).contains(&called), "{called} of 64");
}
