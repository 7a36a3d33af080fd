//! What a block costs at a million accounts, how long a restart takes, and how soon a transaction
//! is final. Run with `cargo bench -p acre-chain`; a smaller state with `-- --accounts 100000`.
#![expect(clippy::print_stdout, reason = "figures are what a bench is for")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use acre_chain::store::{Body, Commit, Retention, Store};
use acre_chain::{Config, LedgerClient, Validator};
use acre_codec::List;
use acre_crypto::{Secret, SigningKey, digest};
use acre_ledger::{
    Account, Action, Genesis, GridKind, Key, Lookup as _, Parameters, State, TheTotals, Totals,
    Transaction, Validator as GenesisValidator, Verified, apply_block,
};
use acre_net::{Endpoint, StaticBook};
use acre_types::{AccountId, Amount, Digest, Height, Text, UnixMs};

type Failure = Box<dyn std::error::Error>;

/// Transfers in one block, as DESIGN section 9 asks.
const TRANSFERS: usize = 2_000;
/// Blocks measured; enough for the log to reach its steady length.
const BLOCKS: u64 = 60;
/// Accounts that send.
const SENDERS: usize = 20_000;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().collect();
    let accounts = arguments
        .iter()
        .position(|argument| argument == "--accounts")
        .and_then(|index| arguments.get(index + 1))
        .map_or(Ok(1_000_000), |number| number.parse())?;
    blocks(accounts)?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(validator())
}

fn seed(number: usize) -> [u8; 32] {
    digest(&(number as u64).to_le_bytes()).0
}

fn genesis(key: &SigningKey, grants: Vec<(AccountId, Amount)>) -> Result<Genesis, Failure> {
    let (engine, rpc) = (Text::new("127.0.0.1:1")?, Text::new("127.0.0.1:2")?);
    let validator = GenesisValidator { key: key.public(), engine, rpc };
    Ok(Genesis {
        name: Text::new("bench")?,
        kind: GridKind::Test,
        time: UnixMs(1_700_000_000_000),
        validators: List::new(vec![validator])?,
        parameters: Parameters::default(),
        foundation: AccountId([0xf0; 32]),
        admitted: List::default(),
        grants: List::new(grants)?,
    })
}

type Leaves = Vec<(Vec<u8>, Vec<u8>)>;
type Leaf = (Box<[u8]>, Arc<[u8]>);

/// The leaves of a state of so many accounts, the first of which belong to `senders`.
fn leaves(genesis: &Genesis, senders: &[SigningKey], accounts: usize) -> Result<Leaves, Failure> {
    let balance = Amount::tft(1_000).ok_or("in range")?;
    let state = genesis.state()?;
    let mut leaves: Leaves =
        state.leaves().map(|(key, value)| (key.to_vec(), value.to_vec())).collect();
    let rich = acre_codec::encode(&Account { balance, ..Account::default() });
    for number in 0..accounts {
        let id = match senders.get(number) {
            Some(key) => AccountId::from(key.public()),
            None => AccountId(seed(number)),
        };
        leaves.push((Key::Account(id).to_bytes(), rich.clone()));
    }
    let minted = Amount(balance.0 * accounts as u64);
    let totals = TheTotals.key().to_bytes();
    leaves.retain(|(key, _)| *key != totals);
    leaves.push((totals, acre_codec::encode(&Totals { minted, ..Totals::default() })));
    Ok(leaves)
}

fn blocks(accounts: usize) -> Result<(), Failure> {
    let senders: Vec<_> =
        (0..SENDERS).map(|n| SigningKey::from_seed(Secret::new(seed(n)))).collect();
    let genesis = genesis(senders.first().ok_or("there are senders")?, Vec::new())?;
    let leaves = leaves(&genesis, &senders, accounts)?;
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("state.redb");
    let (mut state, mut store) = open(&file, &genesis, leaves)?;
    println!("{accounts} accounts: {} MiB on disk", std::fs::metadata(&file)?.len() >> 20);

    let (mut applying, mut committing, mut both) = (Vec::new(), Vec::new(), Vec::new());
    for height in 1..=BLOCKS {
        let block = transfers(&genesis, &senders, accounts, height)?;
        let begun = Instant::now();
        let applied =
            apply_block(&state, &block, Height(height), UnixMs(1_700_000_000_000 + height))?;
        let rooted = begun.elapsed();
        let body = Body {
            payload: block.iter().flat_map(|verified| verified.signed().to_bytes()).collect(),
            transactions: block.iter().map(Verified::id).collect(),
            events: acre_codec::encode(&applied.events),
        };
        let commit = Commit {
            height,
            id: [1; 32],
            header: &[2; 180],
            certificate: None,
            body: &body,
            turn: None,
        };
        let writing = Instant::now();
        let changes = applied.changes.iter().map(|(key, value)| (&**key, value.as_deref()));
        store.commit(&commit, changes)?;
        let written = writing.elapsed();
        state = applied.state;
        applying.push(rooted);
        committing.push(written);
        both.push(rooted + written);
    }
    let what = format!("block of {TRANSFERS} transfers");
    report(&format!("{what}: applied and rooted"), &mut applying);
    report(&format!("{what}: written and synced"), &mut committing);
    report(&format!("{what}: both"), &mut both);
    println!(
        "log of changes {} MiB, {} MiB on disk",
        store.log_bytes() >> 20,
        std::fs::metadata(&file)?.len() >> 20
    );
    let root = state.root();
    // As kill -9 leaves it: never closed.
    let killed = dir.path().join("killed.redb");
    std::fs::copy(&file, &killed)?;
    drop((state, store));
    for (file, how) in [(&file, "an orderly stop"), (&killed, "a kill")] {
        let begun = Instant::now();
        let (state, _store) = open(file, &genesis, Vec::new())?;
        let took = begun.elapsed();
        assert_eq!(state.root(), root, "the state came back changed");
        println!("restart at {accounts} accounts after {how}: {} ms", took.as_millis());
    }
    Ok(())
}

fn open(
    file: &std::path::Path,
    genesis: &Genesis,
    first: Leaves,
) -> Result<(State, Store), Failure> {
    let mut leaves: Vec<Leaf> = Vec::new();
    let loaded = Store::open(
        file,
        Retention::default(),
        genesis.digest(),
        || first,
        |key, value| {
            leaves.push((key.into(), value.into()));
        },
    )?;
    Ok((State::from_leaves(leaves)?, loaded.store))
}

/// Transfers between random accounts, one a sender.
fn transfers(
    genesis: &Genesis,
    senders: &[SigningKey],
    accounts: usize,
    height: u64,
) -> Result<Vec<Verified>, Failure> {
    let chain: Digest = genesis.digest();
    let blocks_apart = senders.len() / TRANSFERS;
    let turn = usize::try_from(height - 1)?;
    let first = turn % blocks_apart * TRANSFERS;
    let nonce = (turn / blocks_apart) as u64;
    let mut block = Vec::new();
    for (offset, key) in senders.iter().skip(first).take(TRANSFERS).enumerate() {
        let random = digest(&[height.to_le_bytes(), (offset as u64).to_le_bytes()].concat());
        let random = u64::from_le_bytes(*random.0.first_chunk().ok_or("eight bytes")?);
        let receiver = usize::try_from(random)? % (accounts - senders.len()) + senders.len();
        let action = Action::Transfer { to: AccountId(seed(receiver)), amount: Amount(1) };
        let from = AccountId::from(key.public());
        let transaction = Transaction { chain, from, nonce, fee: Amount::ZERO, action };
        block.push(Verified::new(transaction.with_least_fee(&genesis.parameters).sign(key))?);
    }
    Ok(block)
}

fn report(what: &str, times: &mut [Duration]) {
    times.sort();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100].as_secs_f64() * 1e3;
    println!("{what}: p50 {:.1} ms, p90 {:.1} ms, max {:.1} ms", at(50), at(90), at(100));
}

async fn validator() -> Result<(), Failure> {
    let key = SigningKey::from_seed(Secret::new([0; 32]));
    let senders: Vec<_> = (0..8).map(|n| SigningKey::from_seed(Secret::new(seed(n)))).collect();
    let grant = Amount::tft(1_000).ok_or("in range")?;
    let grants = senders.iter().map(|key| (AccountId::from(key.public()), grant)).collect();
    let genesis = genesis(&key, grants)?;
    let dir = tempfile::tempdir()?;
    let begun = Instant::now();
    let validator = Validator::start(Config::local(dir.path(), genesis.clone(), key)).await?;
    let client = client(&genesis, &validator, 99).await?;
    client.totals().await?;
    println!("validator: first proven answer {} ms after its start", begun.elapsed().as_millis());

    let to = AccountId([0xaa; 32]);
    let sender = senders.first().ok_or("there are senders")?;
    let mut times = Vec::new();
    for _ in 0..50 {
        // Idle in between, as a grid mostly is.
        tokio::time::sleep(Duration::from_millis(120)).await;
        let from = AccountId::from(sender.public());
        let pay = [Action::Transfer { to, amount: Amount(1) }];
        let signed = client.prepare(from, sender, &pay).await?;
        let begun = Instant::now();
        client.send(signed.first().ok_or("one was asked for")?).await?;
        times.push(begun.elapsed());
    }
    report("validator: submit to proven commit, idle", &mut times);

    let begun = Instant::now();
    let mut sending = tokio::task::JoinSet::new();
    for key in senders {
        let client = client.clone();
        sending.spawn(async move {
            let pay = Action::Transfer { to, amount: Amount(1) };
            let done = client.submit_all(&key, &vec![pay; 256]).await;
            done.map(|results| results.iter().filter(|result| result.is_ok()).count())
        });
    }
    let mut done = 0;
    for count in sending.join_all().await {
        done += count?;
    }
    let seconds = begun.elapsed().as_secs_f64();
    println!(
        "validator: {done} transfers of 8 accounts proven in {seconds:.2} s, {:.0} a second",
        done as f64 / seconds
    );
    idle(&validator, &genesis).await?;
    validator.stop().await?;
    Ok(())
}

/// Processor time of a validator and 24 subscribers that have nothing to do, all in this process.
async fn idle(validator: &Validator, genesis: &Genesis) -> Result<(), Failure> {
    let mut following = tokio::task::JoinSet::new();
    for number in 0..24 {
        let client = client(genesis, validator, 100 + number).await?;
        let mut events = client.subscribe(validator.published().next());
        following.spawn(async move { while events.next().await.is_ok() {} });
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (before, begun) = (processor_time()?, Instant::now());
    let height = validator.published().0;
    tokio::time::sleep(Duration::from_secs(15)).await;
    let used = processor_time()?.saturating_sub(before);
    println!(
        "idle validator and 24 subscribers: {:.1} % of a core, {} blocks in {} s",
        used.as_secs_f64() / begun.elapsed().as_secs_f64() * 100.0,
        validator.published().0 - height,
        begun.elapsed().as_secs()
    );
    Ok(())
}

/// User and system time of this process; the kernel counts in hundredths of a second.
fn processor_time() -> Result<Duration, Failure> {
    let line = std::fs::read_to_string("/proc/self/stat")?;
    let fields = line.rsplit(')').next().ok_or("a name in brackets")?;
    let ticks: Vec<u64> =
        fields.split_whitespace().skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
    Ok(Duration::from_millis(ticks.iter().sum::<u64>() * 10))
}

async fn client(
    genesis: &Genesis,
    validator: &Validator,
    number: usize,
) -> Result<LedgerClient, Failure> {
    let book = StaticBook::from_iter([(validator.key(), validator.rpc_address())]);
    let key = SigningKey::from_seed(Secret::new(seed(number)));
    let endpoint = Endpoint::bind(&key, None, Arc::new(book)).await?;
    Ok(LedgerClient::new(genesis, endpoint, vec![validator.key()]))
}
