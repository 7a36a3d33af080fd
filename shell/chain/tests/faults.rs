//! Four validators, and one whose disk fails: full, wiped, taken back, or damaged in the middle.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::Duration;

use acre_chain::{Config, LedgerClient, Validator};
use acre_engine::{Role, Timing};
use acre_ledger::{Action, Genesis};
use acre_types::{AccountId, Amount};
use common::{Grid, key, reach, validator_key};
use rustix::process::{Pid, Resource, Rlimit, prlimit};

const TO: AccountId = AccountId([0xaa; 32]);
/// The one that has the faults.
const VICTIM: usize = 3;

fn pay(amount: u64) -> Action {
    Action::Transfer { to: TO, amount: Amount(amount) }
}

fn timing() -> Timing {
    Timing { idle_interval: Duration::from_millis(100), ..Timing::default() }
}

fn grid(term_heights: u64) -> Grid {
    let mut grid = Grid::with(4, 4, |genesis| genesis.parameters.seats.term_heights = term_heights);
    grid.timing = timing();
    grid
}

async fn start(grid: &Grid, count: usize) -> (Vec<Validator>, LedgerClient) {
    let mut validators = Vec::new();
    for index in 0..count {
        validators.push(grid.start_at(index).await);
    }
    let client = grid.client_of(&validators.iter().collect::<Vec<_>>(), 200).await;
    (validators, client)
}

async fn until_role(validator: &Validator, roles: &[Role]) -> Role {
    let mut status = validator.subscribe();
    let found = status.wait_for(|status| roles.contains(&status.role)).await;
    found.unwrap().role
}

fn set_aside(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.to_string_lossy().contains("damaged")).collect()
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

/// Stops the fourth, does this to its directory, and starts it again: it must say nothing in this
/// term, know what the others know, and vote in the next.
async fn comes_back_silent(fault: impl AsyncFnOnce(&Grid, &LedgerClient), aside: usize, paid: u64) {
    let grid = grid(100);
    let (mut others, client) = start(&grid, 2).await;
    let victim = grid.start_at(VICTIM).await;
    // Nothing is final without its vote, since the third of the others is not there yet.
    client.submit(&key(1), pay(1)).await.unwrap();
    victim.stop().await.unwrap();

    fault(&grid, &client).await;
    others.push(grid.start_at(2).await);
    client.submit(&key(1), pay(10)).await.unwrap();
    let victim = grid.start_at(VICTIM).await;
    assert_eq!(set_aside(&grid.dir(VICTIM)).len(), aside);
    assert!(!grid.dir(VICTIM).join("engine.damaged-1").exists(), "only the newest is kept");
    let role = until_role(&victim, &[Role::Silent, Role::Validator]).await;
    assert_eq!((role, victim.status().term), (Role::Silent, 0));
    let its_client = grid.client_of(&[&victim], 202).await;
    reach(&its_client, client.seen()).await;
    until_role(&victim, &[Role::Validator]).await;
    assert!(victim.status().term > 0);
    its_client.submit(&key(2), pay(100)).await.unwrap();
    assert_eq!(its_client.account(TO).await.unwrap().balance, Amount(paid));
    for validator in others.into_iter().chain([victim]) {
        validator.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn block_archive_damaged_in_the_middle_is_set_aside_and_restored_from_the_others() {
    let damage = async |grid: &Grid, _: &LedgerClient| {
        let dir = grid.dir(VICTIM).join("engine/engine/ledger-blocks-value");
        let files = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
        let file = files.max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap();
        let mut bytes = fs::read(&file).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x10;
        fs::write(&file, bytes).unwrap();
        // Of what was set aside only the newest is kept; other things are left alone.
        for name in ["engine.damaged-1", "engine.damaged-17", "engine.damaged-by-hand"] {
            copy(&grid.dir(VICTIM).join("engine"), &grid.dir(VICTIM).join(name));
        }
        fs::write(grid.dir(VICTIM).join("state.redb.damaged-1"), b"of before").unwrap();
    };
    comes_back_silent(damage, 3, 111).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn disk_wiped_under_the_same_identity_is_filled_again_and_contradicts_nothing() {
    let wipe = async |grid: &Grid, _: &LedgerClient| {
        fs::remove_dir_all(grid.dir(VICTIM)).unwrap();
    };
    comes_back_silent(wipe, 0, 111).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_backup_is_noticed_and_contradicts_nothing() {
    let restore = async |grid: &Grid, client: &LedgerClient| {
        let (dir, backup) = (grid.dir(VICTIM), grid.dir(VICTIM).with_extension("backup"));
        copy(&dir, &backup);
        let again = grid.start_at(VICTIM).await;
        // It votes for more blocks than the backup knows of.
        client.submit(&key(3), pay(1_000)).await.unwrap();
        again.stop().await.unwrap();
        fs::remove_dir_all(&dir).unwrap();
        copy(&backup, &dir);
    };
    comes_back_silent(restore, 0, 1_111).await;
}

const CHILD: &str = "ACRE_CHAIN_TEST_CHILD";

/// Not a test by itself: the process whose disk is full in the next one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child_process() {
    let Ok(dir) = std::env::var(CHILD) else { return };
    let dir = PathBuf::from(dir);
    let genesis = fs::read(dir.with_extension("genesis")).unwrap();
    let genesis = Genesis::decode(&genesis).unwrap();
    let own = genesis.validators.iter().find(|one| one.key == validator_key(VICTIM).public());
    let own = own.unwrap();
    let (engine, rpc) = (own.engine.as_str().parse().unwrap(), own.rpc.as_str().parse().unwrap());
    let config = Config {
        engine,
        rpc,
        timing: timing(),
        ..Config::local(dir, genesis, validator_key(VICTIM))
    };
    let validator = match Validator::start(config).await {
        Ok(validator) => validator,
        Err(error) => panic!("did not start: {}", causes(&error)),
    };
    let mut status = validator.subscribe();
    status.wait_for(|status| status.role == Role::Validator).await.unwrap();
    eprintln!("votes");
    let error = validator.stopped().await.unwrap_err();
    panic!("stopped: {}", causes(&error));
}

fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

fn child(grid: &Grid, limit: &str) -> Child {
    // A limit on its files is met like a full disk, if the signal is ignored.
    Command::new("sh")
        .arg("-c")
        .arg(format!(
            "trap '' XFSZ; ulimit -S -f {limit}; exec \"$0\" --exact child_process --nocapture"
        ))
        .arg(std::env::current_exe().unwrap())
        .env(CHILD, grid.dir(VICTIM))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What the child says until it votes, or ends.
fn hear(stderr: &mut BufReader<ChildStderr>) -> String {
    tokio::task::block_in_place(|| {
        let mut said = String::new();
        while !said.ends_with("votes\n") && stderr.read_line(&mut said).unwrap() > 0 {}
        said
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_disk_stops_one_in_its_own_words_and_with_room_again_it_comes_back() {
    let grid = grid(40);
    let (three, client) = start(&grid, VICTIM).await;
    fs::write(grid.dir(VICTIM).with_extension("genesis"), grid.genesis.to_bytes()).unwrap();
    let mut victim = child(&grid, "unlimited");
    let mut stderr = BufReader::new(victim.stderr.take().unwrap());
    let said = hear(&mut stderr);
    assert!(said.ends_with("votes\n"), "{said}");
    client.submit(&key(1), pay(1)).await.unwrap();

    // Not a byte more.
    let full = Rlimit { current: Some(0), maximum: None };
    prlimit(Pid::from_raw(victim.id().try_into().unwrap()), Resource::Fsize, full).unwrap();
    let said = hear(&mut stderr);
    assert!(!victim.wait().unwrap().success());
    assert!(said.contains("the disk is full"), "{said}");
    client.submit(&key(1), pay(10)).await.unwrap();

    // While there is no room it does not start, says why, and takes nothing for damaged.
    let mut refused = child(&grid, "0");
    let mut stderr = BufReader::new(refused.stderr.take().unwrap());
    let said = hear(&mut stderr);
    assert!(!refused.wait().unwrap().success());
    assert!(said.contains("the disk is full"), "{said}");
    assert_eq!(set_aside(&grid.dir(VICTIM)), [] as [PathBuf; 0]);

    let victim = grid.start_at(VICTIM).await;
    until_role(&victim, &[Role::Validator]).await;
    let its_client = grid.client_of(&[&victim], 204).await;
    its_client.submit(&key(2), pay(100)).await.unwrap();
    assert_eq!(its_client.account(TO).await.unwrap().balance, Amount(111));
    for validator in three.into_iter().chain([victim]) {
        validator.stop().await.unwrap();
    }
}
