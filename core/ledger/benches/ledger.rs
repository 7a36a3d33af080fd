//! Speed of the ledger core on one thread: `cargo bench -p acre-ledger`.
//!
//! A million accounts; blocks of transfers between random ones, with checked signatures (signature
//! checks are timed apart). Aims: 2,000 transfers applied and rooted in 60 ms; 100,000 transfers/s
//! applied. Medians of several runs, in time on the processor as Linux counts it, so that other work
//! on the machine shows less; elsewhere in time on the clock.
#![expect(clippy::print_stdout, reason = "a bench prints its figures")]
#![expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
#![expect(clippy::unwrap_used, reason = "a bench stops at the first error")]

use std::time::{Duration, Instant};

use acre_codec::{List, encode};
use acre_crypto::{Secret, SigningKey, digest};
use acre_ledger::witness::duties_of;
use acre_ledger::{
    Account, Action, Genesis, GridKind, Key, Parameters, State, Totals, Transaction, Validator,
    Verified, apply_block, beacon, build_block,
};
use acre_types::{AccountId, Amount, Height, PublicKey, Text, UnixMs};

const ACCOUNTS: u64 = 1_000_000;
const RUNS: usize = 7;

fn id(number: u64) -> AccountId {
    AccountId(digest(&number.to_le_bytes()).0)
}

fn signer(number: u64) -> SigningKey {
    let seed = digest(&[&b"signer"[..], &number.to_le_bytes()].concat());
    SigningKey::from_seed(Secret::new(seed.0))
}

/// Leaves of a grid where these signers and `ACCOUNTS` others each hold 1,000 TFT.
fn leaves(genesis: &State, signers: &[SigningKey]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let balance = Amount::tft(1000).unwrap();
    let account = encode(&Account { balance, ..Account::default() });
    let ids = (0..ACCOUNTS).map(id).chain(signers.iter().map(|key| key.public().into()));
    let mut leaves: Vec<_> = ids.map(|id| (Key::Account(id).to_bytes(), account.clone())).collect();
    let minted = Amount(balance.0 * u64::try_from(leaves.len()).unwrap());
    leaves.extend(genesis.leaves().map(|(key, value)| (key.to_vec(), value.to_vec())));
    let totals = Totals { minted, ..Totals::default() };
    leaves.push((Key::Totals.to_bytes(), encode(&totals)));
    leaves
}

fn transfers(state: &State, signers: &[SigningKey], receivers: u64) -> Vec<Verified> {
    let parameters = state.parameters().unwrap();
    let one = |(index, key): (usize, &SigningKey)| {
        let index = u64::try_from(index).unwrap();
        let to = id(index.wrapping_mul(0x9e37_79b9_7f4a_7c15) % receivers);
        let action = Action::Transfer { to, amount: Amount(1) };
        let from = key.public().into();
        let transaction =
            Transaction { chain: state.grid().chain, from, nonce: 0, fee: Amount(0), action };
        Verified::new(transaction.with_least_fee(&parameters).sign(key)).unwrap()
    };
    signers.iter().enumerate().map(one).collect()
}

/// Time that this thread was on a processor, or that passed where nobody tells.
fn now(start: Instant) -> Duration {
    let line = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let on_processor = line.split(' ').next().and_then(|number| number.parse().ok());
    on_processor.map_or_else(|| start.elapsed(), Duration::from_nanos)
}

/// How long `run` takes, once.
fn time_of(run: impl FnOnce()) -> Duration {
    let start = Instant::now();
    let before = now(start);
    run();
    now(start).saturating_sub(before)
}

fn median(mut run: impl FnMut()) -> Duration {
    let mut times: Vec<_> = (0..RUNS).map(|_| time_of(&mut run)).collect();
    times.sort();
    times.into_iter().nth(RUNS / 2).unwrap()
}

fn row(what: &str, time: Duration, count: usize) {
    let rate = f64::from(u32::try_from(count).unwrap()) / time.as_secs_f64();
    println!("{what:<58} {:>9.2} ms {rate:>12.0} /s", time.as_secs_f64() * 1e3);
}

fn main() {
    let genesis = Genesis {
        name: Text::new("bench").unwrap(),
        kind: GridKind::Local,
        time: UnixMs(0),
        validators: List::new(vec![Validator {
            key: PublicKey([1; 32]),
            engine: Text::new("127.0.0.1:1").unwrap(),
            rpc: Text::new("127.0.0.1:2").unwrap(),
        }])
        .unwrap(),
        parameters: Parameters::default(),
        foundation: AccountId([2; 32]),
        admitted: List::default(),
        grants: List::new(Vec::new()).unwrap(),
    };
    let signers: Vec<_> = (0..9000).map(signer).collect();
    let leaves = leaves(&genesis.state().unwrap(), &signers);
    let count = leaves.len();
    let mut state = None;
    let built = time_of(|| state = Some(State::from_leaves(leaves).unwrap()));
    let state = state.unwrap();
    row("map built from unordered leaves", built, count);

    let (height, time) = (Height(1), UnixMs(1));
    for (count, receivers) in [(2000, ACCOUNTS), (9000, ACCOUNTS), (9000, 1000)] {
        let block = transfers(&state, &signers[..count], receivers);
        let touched = apply_block(&state, &block, height, time).unwrap().changes.len();
        let what = format!("{count} transfers, {touched} keys of a million: ");
        let applied = median(|| drop(apply_block(&state, &block, height, time).unwrap()));
        row(&format!("{what}applied + rooted"), applied, count);
        let changes = apply_block(&state, &block, height, time).unwrap().changes;
        let rooted = median(|| {
            let batch = changes.iter().map(|(key, value)| (&**key, value.as_deref()));
            drop(state.map().update(batch));
        });
        row(&format!("{what}of that, rooting"), rooted, count);
        row(&format!("{what}applied alone"), applied.saturating_sub(rooted), count);
    }
    let block = transfers(&state, &signers[..2000], ACCOUNTS);
    let built = median(|| drop(build_block(&state, &block, height, time).unwrap()));
    row("2000 transfers: built from candidates", built, 2000);
    let checked = median(|| {
        for transaction in &block {
            Verified::new(transaction.signed().clone()).unwrap();
        }
    });
    row("2000 transfers: signatures checked", checked, 2000);
    let seed = acre_types::Digest([7; 32]);
    let assigned = median(|| {
        for witness in 0..2_000 {
            assert_eq!(duties_of(&seed, witness * 49, 100_000, 5).len(), 5);
        }
    });
    row("2000 witnesses of 100000 nodes: their five duties", assigned, 2000);
    let delayed = median(|| assert_ne!(beacon::delay(seed, 1 << 20), seed));
    row("beacon delayed by 2^20 steps", delayed, 1 << 20);
    let proof = state.prove(&Key::Account(id(7)));
    let proved = median(|| {
        (0..20_000).for_each(|n| drop(state.prove(&Key::Account(id(n)))));
    });
    row(&format!("20000 keys proven, {} bytes each", proof.to_bytes().len()), proved, 20_000);
    let (root, key) = (state.root(), Key::Account(id(7)).to_bytes());
    let verified =
        median(|| (0..20_000).for_each(|_| assert!(proof.verify(&root, &key).unwrap().is_some())));
    row("20000 proofs verified", verified, 20_000);
}
