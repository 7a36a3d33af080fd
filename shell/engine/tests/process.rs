//! The engine as it runs in production: Tokio, sockets, a directory, real processes.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;
#[path = "process/disk.rs"]
mod disk;
#[path = "process/four.rs"]
mod four;

use acre_engine::{
    AppError, Application, Applied, Block, BlockId, BlockRef, Committee, Config, Error, Genesis,
    Handle, Participant, Proposal, ValidatorKey, Verdict, spawn,
};
use common::Counter;
use std::{
    future::Future,
    io::{BufRead as _, BufReader, Write as _},
    net::{SocketAddr, TcpListener},
    num::NonZeroU64,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
};
use tokio::sync::Notify;

const NAMESPACE: &[u8] = b"acre-test";

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn lone() -> Counter {
    Counter::alone(ValidatorKey::from_seed(&[1; 32]).public())
}

fn alone(dir: &Path, counter: &Counter) -> Config {
    let key = ValidatorKey::from_seed(&[1; 32]);
    Config::alone(dir, NAMESPACE, key, Arc::clone(&counter.wake))
}

/// Waits until the application has applied this height.
#[track_caller]
fn reach(handle: &Handle, height: u64) {
    let mut status = handle.subscribe();
    let reached = block_on(async move { status.wait_for(|s| s.height >= height).await.is_ok() });
    assert!(reached, "the engine stopped: {:?}", handle.wait());
}

#[test]
fn handles_may_be_shared_between_threads() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<Handle>();
}

#[test]
fn commits_stops_reopens_and_proves() {
    let dir = tempfile::tempdir().unwrap();
    let counter = lone();
    let handle = spawn(alone(dir.path(), &counter), counter.start()).unwrap();
    counter.submit(5);
    reach(&handle, 2);
    let before = handle.status();
    handle.stop().unwrap();
    assert!(handle.is_finished());

    let handle = spawn(alone(dir.path(), &counter), counter.start()).unwrap();
    counter.submit(6);
    reach(&handle, before.height + 2);
    assert_eq!(counter.disk().spent, [5, 6].into());
    let disk_id = counter.disk().blocks[&before.height].id;
    assert_eq!(disk_id, before.id, "the restart changed a final block");

    let key = ValidatorKey::from_seed(&[1; 32]).public();
    for height in 1..=handle.status().height {
        let proof = block_on(handle.proof(height)).unwrap();
        let header = proof.verify(&[key], NAMESPACE).unwrap();
        assert_eq!(header.id(), counter.disk().blocks[&height].id);
    }
    assert!(block_on(handle.proof(1_000_000)).is_none());
}

#[test]
fn refuses_a_directory_in_use_and_a_port_taken() {
    let dir = tempfile::tempdir().unwrap();
    let counter = lone();
    let handle = spawn(alone(dir.path(), &counter), counter.start()).unwrap();
    let second = lone();
    let error = spawn(alone(dir.path(), &second), second.start()).err().unwrap();
    assert!(matches!(error, Error::InUse { .. }), "{error:?}");
    drop(handle);
    drop(spawn(alone(dir.path(), &counter), counter.start()).unwrap());

    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut config = alone(dir.path(), &counter);
    config.listen = socket.local_addr().unwrap();
    let error = spawn(config, counter.start()).err().unwrap();
    assert!(matches!(error, Error::Listen { .. }), "{error:?}");
}

#[test]
fn refuses_wrong_validators_and_times() {
    let refuse = |list: &[Participant], change: &dyn Fn(&mut Config)| {
        let dir = tempfile::tempdir().unwrap();
        let counter = lone();
        counter.change_roll(|roll| {
            roll.all = list.to_vec();
            roll.first = (0..list.len()).collect();
        });
        let mut config = alone(dir.path(), &counter);
        change(&mut config);
        spawn(config, counter.start()).err().unwrap()
    };
    let other = Participant {
        key: ValidatorKey::from_seed(&[2; 32]).public(),
        address: SocketAddr::from(([127, 0, 0, 1], 1)),
    };
    for list in [vec![], vec![other, other]] {
        let error = refuse(&list, &|_| {});
        assert!(matches!(error, Error::Validators { .. }), "{error:?}");
    }
    let error =
        refuse(&[other], &|config| config.timing.idle_interval = config.timing.leader_timeout);
    assert!(matches!(error, Error::Timing { .. }), "{error:?}");
    let error = refuse(&[other], &|config| config.term_heights = NonZeroU64::MIN);
    assert!(matches!(error, Error::TermHeights { heights: 1 }), "{error:?}");
}

#[test]
fn a_failing_application_ends_the_engine_with_its_error() {
    let dir = tempfile::tempdir().unwrap();
    let counter = lone();
    counter.fail_at(2);
    let handle = spawn(alone(dir.path(), &counter), counter.start()).unwrap();
    let error = handle.wait().unwrap_err();
    assert!(matches!(error, Error::Application { height: 2, .. }), "{error:?}");
}

/// A ledger that keeps nothing but its height, in a file.
struct FileLedger(PathBuf);

impl FileLedger {
    fn read(path: &Path) -> Applied {
        let Ok(bytes) = std::fs::read(path) else {
            return Applied { height: 0, id: None };
        };
        let (height, id) = bytes.split_at(8);
        let height = u64::from_be_bytes(height.try_into().unwrap());
        Applied { height, id: Some(id.try_into().unwrap()) }
    }
}

impl Application for FileLedger {
    fn genesis(&self) -> Genesis {
        Genesis { payload: bytes::Bytes::new(), state_root: [0; 32], timestamp_ms: 0 }
    }

    fn applied(&self) -> Applied {
        Self::read(&self.0)
    }

    fn committee(&self, _: u64) -> Option<Committee> {
        let key = ValidatorKey::from_seed(&[1; 32]).public();
        let address = SocketAddr::from(([127, 0, 0, 1], 1));
        Some(Committee { validators: vec![Participant { key, address }], followers: Vec::new() })
    }

    fn knows(&self, _: &BlockId) -> bool {
        true
    }

    fn has_work(&mut self, _: &BlockRef) -> bool {
        true
    }

    fn propose(&mut self, _: &BlockRef, _: u64) -> Result<Option<Proposal>, AppError> {
        Ok(Some(Proposal { payload: bytes::Bytes::new(), state_root: [0; 32] }))
    }

    fn verify(&mut self, _: &Block) -> Result<Verdict, AppError> {
        Ok(Verdict::Valid)
    }

    fn finalize(&mut self, block: &Block, _: Option<&[u8]>) -> Result<(), AppError> {
        let applied = self.applied();
        if block.height() != applied.height + 1 || applied.id.is_some_and(|id| id != block.parent())
        {
            return Err(format!("block {} after {}", block.height(), applied.height).into());
        }
        let next = self.0.with_extension("next");
        let mut file = std::fs::File::create(&next)?;
        file.write_all(&[&block.height().to_be_bytes()[..], &block.id()].concat())?;
        file.sync_all()?;
        std::fs::rename(next, &self.0)?;
        Ok(())
    }
}

const CHILD: &str = "ACRE_ENGINE_TEST_CHILD";

/// Not a test by itself: the process that the next test kills.
#[test]
fn child_process() {
    let Ok(dir) = std::env::var(CHILD) else {
        return;
    };
    let handle = file_ledger(Path::new(&dir));
    let mut status = handle.subscribe();
    let mut out = std::io::stderr();
    block_on(async {
        while status.changed().await.is_ok() {
            let height = status.borrow_and_update().height;
            writeln!(out, "height {height}").unwrap();
        }
    });
    handle.wait().unwrap();
}

fn file_ledger(dir: &Path) -> Handle {
    let key = ValidatorKey::from_seed(&[1; 32]);
    let mut config = Config::alone(dir.join("engine"), NAMESPACE, key, Arc::new(Notify::new()));
    // Many boundaries within a few blocks.
    config.term_heights = NonZeroU64::new(5).unwrap();
    spawn(config, Box::new(FileLedger(dir.join("ledger")))).unwrap()
}

fn start_child(dir: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_process", "--nocapture"])
        .env(CHILD, dir)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn killed_at_any_moment_it_continues_without_contradiction() {
    let dir = tempfile::tempdir().unwrap();
    let mut reached = 0;
    for round in 0..8_u64 {
        let mut child = start_child(dir.path());
        // Some blocks further, and each time somewhere else within a block's life.
        let goal = reached + 3 + 5 * round;
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut log = Vec::new();
        let at_goal = lines.by_ref().map_while(Result::ok).any(|line| {
            let height = line.strip_prefix("height ").and_then(|h| h.parse::<u64>().ok());
            log.push(line);
            height.is_some_and(|height| height >= goal)
        });
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(at_goal, "round {round}: the child ended by itself: {log:#?}");
        let height = FileLedger::read(&dir.path().join("ledger")).height;
        assert!(height >= goal, "round {round}: {height} after {goal} was reported");
        reached = height;
    }
    // Whatever the crashes did to certificates, every block can be proved.
    let handle = file_ledger(dir.path());
    reach(&handle, reached + 3);
    let key = ValidatorKey::from_seed(&[1; 32]).public();
    for height in 1..=reached {
        let proof = block_on(handle.proof(height)).unwrap();
        assert_eq!(proof.verify(&[key], NAMESPACE).unwrap().height(), height);
    }
}
