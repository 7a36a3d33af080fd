//! Four validators over real sockets, in one process.

use super::{NAMESPACE, block_on, reach};
use crate::common::{Counter, JOIN, LEAVE, Roll};
use acre_engine::{Config, Handle, Participant, Role, Status, ValidatorKey, spawn};
use std::{
    fs,
    net::{SocketAddr, TcpListener},
    num::NonZeroU64,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};
use tempfile::TempDir;

struct Grid {
    dir: TempDir,
    addresses: Vec<SocketAddr>,
    counters: Vec<Counter>,
    handles: Vec<Option<Handle>>,
    term_heights: u64,
}

fn seed(index: usize) -> [u8; 32] {
    [u8::try_from(index).unwrap() + 1; 32]
}

/// A port that nobody uses now, below those that the system gives to outgoing connections: one of
/// these could take it before its engine listens.
fn free_address() -> SocketAddr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    const PORTS: u32 = 20_000;
    loop {
        let drawn = NEXT.fetch_add(1, Ordering::Relaxed);
        let place = std::process::id().wrapping_mul(64).wrapping_add(drawn) % PORTS;
        let address = SocketAddr::from(([127, 0, 0, 1], u16::try_from(10_000 + place).unwrap()));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

impl Grid {
    /// Starts `count` processes of which `first` vote.
    fn start(count: usize, first: impl IntoIterator<Item = usize>, term_heights: u64) -> Self {
        let addresses: Vec<_> = (0..count).map(|_| free_address()).collect();
        let all = addresses.iter().enumerate().map(|(index, address)| Participant {
            key: ValidatorKey::from_seed(&seed(index)).public(),
            address: *address,
        });
        let roll = Roll { all: all.collect(), first: first.into_iter().collect(), term_heights };
        let mut grid = Self {
            dir: tempfile::tempdir().unwrap(),
            addresses,
            counters: (0..count).map(|_| Counter::new(roll.clone())).collect(),
            handles: (0..count).map(|_| None).collect(),
            term_heights,
        };
        (0..count).for_each(|index| grid.run(index));
        grid
    }

    fn engine(&self, index: usize) -> PathBuf {
        self.dir.path().join(index.to_string())
    }

    fn run(&mut self, index: usize) {
        let counter = &self.counters[index];
        let key = ValidatorKey::from_seed(&seed(index));
        let mut config =
            Config::alone(self.engine(index), NAMESPACE, key, Arc::clone(&counter.wake));
        config.listen = self.addresses[index];
        config.term_heights = NonZeroU64::new(self.term_heights).unwrap();
        config.timing.idle_interval = Duration::from_millis(100);
        self.handles[index] = Some(spawn(config, counter.start()).unwrap());
    }

    fn stop(&mut self, index: usize) {
        self.handles[index].take().unwrap().stop().unwrap();
    }

    fn handle(&self, index: usize) -> &Handle {
        self.handles[index].as_ref().unwrap()
    }

    fn submit(&self, number: u64) {
        self.counters.iter().for_each(|counter| counter.submit(number));
    }

    /// Waits until the status of a process is as wanted.
    #[track_caller]
    fn wait(&self, index: usize, wanted: impl FnMut(&Status) -> bool) -> Status {
        let mut status = self.handle(index).subscribe();
        let found = block_on(async move { status.wait_for(wanted).await.map(|status| *status) });
        found.expect("the engine runs")
    }

    #[track_caller]
    fn agree(&self) {
        let shortest = self.counters.iter().map(|c| c.disk().applied).min().unwrap();
        for height in 1..=shortest {
            let ids: Vec<_> = self.counters.iter().map(|c| c.disk().blocks[&height].id).collect();
            assert!(ids.windows(2).all(|w| w[0] == w[1]), "fork at height {height}");
        }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.metadata().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn committee_grows_over_sockets_and_a_seat_changes_hands() {
    let grid = Grid::start(4, [0], 12);
    [1, 2, 3].into_iter().for_each(|index| grid.submit(JOIN + index));
    (0..4).for_each(|index| {
        grid.wait(index, |status| status.role == Role::Validator && status.term > 0);
    });
    grid.submit(LEAVE);
    let left = grid.wait(0, |status| status.role == Role::Follower);
    // Who left follows on.
    reach(grid.handle(0), left.height + 15);
    grid.submit(77);
    (0..4).for_each(|index| reach(grid.handle(index), left.height + 15));
    grid.agree();
}

#[test]
fn restored_from_an_old_backup_it_is_silent_until_the_next_term() {
    let mut grid = Grid::start(4, 0..4, 150);
    reach(grid.handle(2), 5);
    grid.stop(2);
    let backup = grid.dir.path().join("backup");
    copy(&grid.engine(2), &backup);
    let disk = grid.counters[2].disk().clone();
    grid.run(2);
    let tip = grid.wait(2, |status| status.role == Role::Validator).tip;
    reach(grid.handle(2), tip + 20);
    grid.stop(2);
    fs::remove_dir_all(grid.engine(2)).unwrap();
    copy(&backup, &grid.engine(2));
    *grid.counters[2].disk() = disk;
    grid.run(2);
    let silent = grid.wait(2, |status| matches!(status.role, Role::Silent | Role::Validator));
    assert_eq!((silent.role, silent.term), (Role::Silent, 0));
    let back = grid.wait(2, |status| status.role == Role::Validator);
    assert!(back.term > 0);
    grid.agree();
}

#[test]
fn with_one_of_four_gone_the_rest_commit_within_a_second() {
    let mut grid = Grid::start(4, 0..4, 600);
    (0..4).for_each(|index| reach(grid.handle(index), 4));
    grid.stop(3);
    let mut latencies = Vec::new();
    for number in 0..24 {
        let begin = Instant::now();
        grid.submit(number);
        let counter = grid.counters[0].clone();
        grid.wait(0, move |_| counter.disk().spent.contains(&number));
        latencies.push(begin.elapsed());
    }
    // A dead leader costs at first; then its turns are skipped.
    eprintln!("{latencies:?}");
    grid.run(3);
    let tip = grid.handle(0).status().tip;
    reach(grid.handle(3), tip);
    grid.agree();
}
