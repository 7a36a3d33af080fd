//! Four validators under load, what a reader's check costs, and how an honest user fares in a flood.
//! Run with `cargo bench -p acre-chain --bench validators`; all in one process on one machine, so the
//! clients' work and that of all validators share its cores.
#![expect(clippy::print_stdout, reason = "figures are what a bench is for")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use acre_chain::client::{Snapshot, Trust};
use acre_chain::protocol::{LEDGER, Reply, Request};
use acre_chain::{Config, LedgerClient, PeerAddress, Validator};
use acre_codec::List;
use acre_crypto::{Secret, SigningKey, digest};
use acre_ledger::{
    Action, Genesis, GridKind, Key, Parameters, SignedTransaction, Transaction,
    Validator as GenesisValidator,
};
use acre_net::rpc::{Caller, Message};
use acre_net::{Endpoint, StaticBook};
use acre_types::{AccountId, Amount, Text, UnixMs};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Accounts that pay, eight to each client.
const ACCOUNTS: usize = 128;
/// Clients, each with connections of its own.
const CLIENTS: usize = 16;
/// Transfers of one account.
const EACH: u64 = 400;
/// Transfers of one client on their way at once.
const IN_FLIGHT: usize = 90;

fn main() -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        load("before")?;
        four().await?;
        load("after four validators")?;
        flood().await?;
        load("after the flood")
    })
}

fn load(when: &str) -> Result<(), Failure> {
    let load = std::fs::read_to_string("/proc/loadavg")?;
    println!("load of the machine {when}: {}", load.trim());
    Ok(())
}

fn seed(number: usize) -> [u8; 32] {
    digest(&(number as u64).to_le_bytes()).0
}

fn key(number: usize) -> SigningKey {
    SigningKey::from_seed(Secret::new(seed(number)))
}

/// A port that nobody uses now, below those that the system gives to outgoing connections.
fn free_address() -> Result<SocketAddr, Failure> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    const PORTS: u32 = 20_000;
    loop {
        let drawn = NEXT.fetch_add(1, Ordering::Relaxed);
        let place = std::process::id().wrapping_mul(64).wrapping_add(drawn) % PORTS;
        let address = SocketAddr::from(([127, 0, 0, 1], u16::try_from(10_000 + place)?));
        if std::net::TcpListener::bind(address).is_ok() {
            return Ok(address);
        }
    }
}

struct Grid {
    dir: tempfile::TempDir,
    genesis: Genesis,
    validators: Vec<Validator>,
}

async fn grid(count: usize) -> Result<Grid, Failure> {
    let mut places = Vec::new();
    for number in 0..count {
        let address = PeerAddress { engine: free_address()?, rpc: free_address()? };
        places.push((10_000 + number, address));
    }
    let mut list = Vec::new();
    for (number, address) in &places {
        list.push(GenesisValidator {
            key: key(*number).public(),
            engine: Text::new(address.engine.to_string())?,
            rpc: Text::new(address.rpc.to_string())?,
        });
    }
    let grant = Amount::tft(1_000).ok_or("in range")?;
    let grants = (0..ACCOUNTS).map(|n| (AccountId::from(key(n).public()), grant)).collect();
    let genesis = Genesis {
        name: Text::new("bench")?,
        kind: GridKind::Test,
        time: UnixMs(1_700_000_000_000),
        validators: List::new(list)?,
        parameters: Parameters::default(),
        foundation: AccountId([0xf0; 32]),
        admitted: List::default(),
        grants: List::new(grants)?,
    };
    let dir = tempfile::tempdir()?;
    let mut validators = Vec::new();
    for (number, address) in places {
        let config = Config {
            rpc: address.rpc,
            engine: address.engine,
            ..Config::local(dir.path().join(number.to_string()), genesis.clone(), key(number))
        };
        validators.push(Validator::start(config).await?);
    }
    Ok(Grid { dir, genesis, validators })
}

impl Grid {
    async fn stop(self) -> Result<(), Failure> {
        for validator in self.validators {
            validator.stop().await?;
        }
        drop(self.dir);
        Ok(())
    }

    async fn endpoint(&self, number: usize) -> Result<Endpoint, Failure> {
        let known = self.validators.iter().map(|v| (v.key(), v.rpc_address()));
        let book = StaticBook::from_iter(known);
        Ok(Endpoint::bind(&key(number), None, Arc::new(book)).await?)
    }

    /// A client that asks another validator first than the one before.
    async fn client(&self, number: usize) -> Result<LedgerClient, Failure> {
        let mut keys: Vec<_> = self.validators.iter().map(Validator::key).collect();
        let count = keys.len();
        keys.rotate_left(number % count);
        Ok(LedgerClient::new(&self.genesis, self.endpoint(20_000 + number).await?, keys))
    }

    fn pay(&self, from: usize, nonce: u64) -> SignedTransaction {
        let action = Action::Transfer { to: AccountId([0xaa; 32]), amount: Amount(1) };
        let key = key(from);
        let account = AccountId::from(key.public());
        let chain = self.genesis.digest();
        Transaction { chain, from: account, nonce, fee: Amount::ZERO, action }
            .with_least_fee(&self.genesis.parameters)
            .sign(&key)
    }
}

fn report(what: &str, times: &mut [Duration]) {
    times.sort();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100].as_secs_f64() * 1e3;
    println!("{what}: p50 {:.0} ms, p90 {:.0} ms, max {:.0} ms", at(50), at(90), at(100));
}

async fn four() -> Result<(), Failure> {
    let grid = Arc::new(grid(4).await?);
    let mut sending: JoinSet<Result<Vec<Duration>, Failure>> = JoinSet::new();
    let failed = Arc::new(AtomicU64::new(0));
    let mut prepared = Vec::new();
    for number in 0..CLIENTS {
        let client = grid.client(number).await?;
        client.totals().await?;
        let accounts = (0..ACCOUNTS).filter(|account| account % CLIENTS == number);
        let mut transfers = Vec::new();
        // One of each account in turn, as many users would.
        let accounts: Vec<_> = accounts.collect();
        for nonce in 0..EACH {
            transfers.extend(accounts.iter().map(|account| grid.pay(*account, nonce)));
        }
        prepared.push((client, transfers));
    }
    let begun = Instant::now();
    for (client, transfers) in prepared {
        let failed = Arc::clone(&failed);
        sending.spawn(async move {
            let places = Arc::new(Semaphore::new(IN_FLIGHT));
            let mut running = JoinSet::new();
            let mut times = Vec::new();
            for signed in transfers {
                let place = Arc::clone(&places).acquire_owned().await?;
                let client = client.clone();
                running.spawn(async move {
                    let begun = Instant::now();
                    let sent = client.send(&signed).await;
                    drop(place);
                    sent.map(|_| begun.elapsed())
                });
            }
            for done in running.join_all().await {
                match done {
                    Ok(time) => times.push(time),
                    Err(_) => drop(failed.fetch_add(1, Ordering::Relaxed)),
                }
            }
            Ok(times)
        });
    }
    let mut times = Vec::new();
    for done in sending.join_all().await {
        times.extend(done?);
    }
    let seconds = begun.elapsed().as_secs_f64();
    println!(
        "four validators: {} transfers of {ACCOUNTS} accounts proven in {seconds:.1} s, {:.0} a \
         second, {} failed",
        times.len(),
        times.len() as f64 / seconds,
        failed.load(Ordering::Relaxed)
    );
    report("four validators: submit to proven commit, under that load", &mut times);
    light(&grid).await?;
    let metrics: Vec<_> = grid.validators.iter().map(Validator::metrics).collect();
    for one in &metrics {
        println!("  {one:?}");
    }
    Arc::into_inner(grid).ok_or("all tasks ended")?.stop().await
}

/// One certificate of four validators and one proof, checked from their bytes.
async fn light(grid: &Grid) -> Result<(), Failure> {
    let caller = Caller::new(grid.endpoint(30_000).await?, LEDGER);
    let keys = vec![Key::Account(AccountId::from(key(0).public()))];
    let request = Request::Get { keys: List::new(keys.clone())?, at_least: acre_types::Height(1) };
    let message = Message::new(acre_codec::encode(&request), Vec::new());
    let first = grid.validators.first().ok_or("there are four")?;
    let reply = caller.call(first.key(), message, Duration::from_secs(5)).await?;
    let trust = Trust::new(&grid.genesis);
    let rounds = 1_000_u32;
    let begun = Instant::now();
    for _ in 0..rounds {
        let Reply::Values { finality, proofs } = acre_codec::decode(&reply.body)? else {
            return Err("another reply".into());
        };
        let block = trust.check(&finality)?;
        Snapshot::check(block, &keys, proofs.into_vec())?;
    }
    let each = begun.elapsed().as_secs_f64() * 1e3 / f64::from(rounds);
    println!("reader: certificate and proof checked in {each:.3} ms, {} bytes", reply.body.len());
    Ok(())
}

/// One validator: how long an honest user waits, alone and while sixteen peers send rubbish.
async fn flood() -> Result<(), Failure> {
    let grid = Arc::new(grid(1).await?);
    let honest = grid.client(0).await?;
    let mut nonce = 0;
    let mut alone = pace(&grid, &honest, &mut nonce).await?;
    report("one validator, idle: submit to proven commit", &mut alone);
    let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut flooding = JoinSet::new();
    for number in 0..16_usize {
        let caller = Caller::new(grid.endpoint(40_000 + number).await?, LEDGER);
        let mut forged = grid.pay(1 + number, 0);
        forged.signature.0[7] ^= 1;
        let body = forged.to_bytes();
        let peer = grid.validators.first().ok_or("there is one")?.key();
        for _ in 0..32 {
            let (caller, body) = (caller.clone(), body.clone());
            let (stop, sent) = (Arc::clone(&stop), Arc::clone(&sent));
            flooding.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let message = Message::new(acre_codec::encode(&Request::Submit), body.clone());
                    drop(caller.call(peer, message, Duration::from_secs(10)).await);
                    sent.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    }
    let begun = Instant::now();
    let mut under = pace(&grid, &honest, &mut nonce).await?;
    let seconds = begun.elapsed().as_secs_f64();
    stop.store(true, Ordering::Relaxed);
    flooding.join_all().await;
    println!(
        "flood: 16 peers sent {:.0} badly signed transactions a second",
        sent.load(Ordering::Relaxed) as f64 / seconds
    );
    report("one validator, in that flood: submit to proven commit", &mut under);
    println!("  {:?}", grid.validators.first().map(Validator::metrics));
    Arc::into_inner(grid).ok_or("all tasks ended")?.stop().await
}

/// Sixty transfers, one after the other.
async fn pace(
    grid: &Grid,
    client: &LedgerClient,
    nonce: &mut u64,
) -> Result<Vec<Duration>, Failure> {
    let mut times = Vec::new();
    for _ in 0..60 {
        let signed = grid.pay(0, *nonce);
        *nonce += 1;
        let begun = Instant::now();
        client.send(&signed).await?;
        times.push(begun.elapsed());
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    Ok(times)
}
