//! Random blocks of every action, valid and not, beside a plain model that was written apart.
//!
//! After each block: the ledger and the model accepted the same transactions and hold the same
//! things (L2), tokens add up (L3), nothing applies twice (L4), `apply_block` agrees with
//! `build_block`, and older states are what they were. At the end: the chain replayed from genesis
//! and the state rebuilt from persisted changes have the same root.
#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(clippy::arithmetic_side_effects, clippy::indexing_slicing, reason = "tests")]

mod common;
#[path = "model/ops.rs"]
mod ops;
#[path = "model/plain.rs"]
mod plain;

use std::cell::RefCell;
use std::collections::BTreeMap;

use acre_codec::List;
use acre_ledger::bill::{self, Book, Kept};
use acre_ledger::{
    AnyObject, BillAt, CapacityRules, Commitment, Contract, ContractRules, ContractState, Fees,
    Key, MicroUsd, NodeState, Parameters, PhonebookRules, Prices, State, TokenPrice, TokenSource,
    apply_block, apply_payload, build_block,
};
use acre_types::{Amount, ContractId, FarmId, Height, Profile, UnixMs};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use common::{account, genesis, key, node};
use ops::{NODES, Op, PEOPLE, Twist, first_places, id_of, op, twist};
use plain::{
    DISCOUNT, DISCOUNT_MS, FEE, FEE_BYTE, FEE_PLACE, FOUNDATION, PERIOD_MS, PRICE, Plain, TOKEN,
};

const GRANT: u64 = 1_000_000_000;

fn parameters() -> Parameters {
    Parameters {
        fees: Fees { transaction: Amount(FEE), byte: Amount(FEE_BYTE), place: Amount(FEE_PLACE) },
        prices: Prices {
            storage_tib_hour: MicroUsd(PRICE),
            commitments: List::new(vec![Commitment { ms: DISCOUNT_MS, percent: DISCOUNT }])
                .unwrap(),
            token: TokenSource::Fixed(TokenPrice(TOKEN)),
            ..Prices::default()
        },
        contracts: ContractRules { period_ms_min: PERIOD_MS, ..ContractRules::default() },
        capacity: CapacityRules { beacon_steps: 3, ..CapacityRules::default() },
        phonebook: PhonebookRules { deposit: Amount(0), ..PhonebookRules::default() },
        ..Parameters::default()
    }
}

/// Farms, nodes, twins and contracts to begin with, so that random operations have a chance.
fn prelude() -> Vec<(Op, Twist)> {
    let farm = |from| Op::CreateFarm { from, payout: from };
    let join = |n: u8| Op::RegisterNode {
        node: 100 + n,
        farm: n.into(),
        signer: n,
        named: None,
        expires_in: 1,
        site: n,
        storage: 1_500_000,
    };
    let twin = |n: u8| Op::RegisterTwin { from: n + 1, handle: n };
    let contract = |n: u8| Op::CreateContract {
        from: n + 1,
        profile: Profile::Tiny,
        places: first_places(n),
        bytes: 1000 + u64::from(n),
        period: 1_000_000 * (1 + u64::from(n)),
    };
    let all = PEOPLE.map(farm).chain((1..=12).map(join));
    let all = all.chain((0..2).map(twin)).chain((0..4).map(contract));
    all.map(|op| (op, Twist::None)).collect()
}

fn same(plain: &Plain, state: &State) -> Result<(), TestCaseError> {
    for number in PEOPLE.chain(NODES).chain([FOUNDATION]) {
        let held = state.read(&id_of(number)).unwrap().unwrap_or_default();
        prop_assert_eq!(held.balance.0, plain.balances.get(&number).copied().unwrap_or(0));
        prop_assert_eq!(held.nonce, plain.nonces.get(&number).copied().unwrap_or(0));
        if number != FOUNDATION {
            prop_assert_eq!(held.key(id_of(number)), key(plain.key(number)).public());
        }
    }
    let totals = state.totals().unwrap();
    prop_assert_eq!(totals.burned.0, plain.burned);
    prop_assert_eq!(totals.escrow.0, plain.escrow());
    for handle in 0..4_u8 {
        let twin = state.read(&format!("twin-{handle}").parse::<acre_ledger::Handle>().unwrap());
        let twin = twin.unwrap().map(|twin| (twin.owner, twin.epoch));
        let wanted = plain.twins.get(&handle).map(|(owner, epoch)| (account(*owner), *epoch));
        prop_assert_eq!(twin, wanted);
    }
    for (number, (owner, payout)) in (1..).zip(&plain.farms) {
        let farm = state.read(&FarmId(number)).unwrap().unwrap();
        prop_assert_eq!((farm.owner, farm.payout), (id_of(*owner), id_of(*payout)));
    }
    for number in NODES {
        let held = state.read(&node(number)).unwrap();
        prop_assert_eq!(held.is_some(), plain.nodes.contains_key(&number));
        if let (Some(held), Some(wanted)) = (held, plain.nodes.get(&number)) {
            prop_assert_eq!(held.reserved.storage.0, wanted.reserved);
            prop_assert_eq!(held.capacity.storage.0, wanted.storage);
            prop_assert_eq!(held.operator, account(wanted.operator));
            let state = [NodeState::Active, NodeState::Draining, NodeState::Retired];
            prop_assert_eq!(held.state, state[usize::from(wanted.state)]);
        }
    }
    for (number, wanted) in (1..).zip(&plain.contracts) {
        let held = state.read(&ContractId(number)).unwrap().unwrap();
        let purses = (held.escrow.0, held.listed.0, held.deposit.0);
        prop_assert_eq!(purses, (wanted.escrow, wanted.listed, wanted.deposit));
        prop_assert_eq!(held.storage().unwrap().bytes.0, wanted.bytes);
        prop_assert_eq!(held.expires.0, wanted.expires);
        prop_assert_eq!(held.settled.0, wanted.settled);
        prop_assert_eq!(held.since.0, wanted.since);
        prop_assert_eq!(held.state == ContractState::Open, wanted.is_open);
        let places: Vec<_> = wanted.places.iter().map(|place| node(*place)).collect();
        prop_assert_eq!(held.nodes(), places);
        bill_adds_up(state, &held)?;
    }
    prop_assert_eq!(totals.contracts, u64::try_from(plain.contracts.len()).unwrap());
    Ok(())
}

/// L8: each line computes to itself and moves as much as it takes, and what the lines put into the
/// contract is what it holds.
fn bill_adds_up(state: &State, contract: &Contract) -> Result<(), TestCaseError> {
    let mut ledger = bill::Ledger::default();
    for number in 0..contract.bills {
        let line = state.read(&BillAt(contract.id, number)).unwrap().unwrap();
        prop_assert_eq!(bill::recompute(&line), Some(line.clone()), "L8");
        ledger.add(&line);
        prop_assert_eq!(ledger.sum(), 0, "L8");
    }
    let kept = |purse| ledger.of(Book::Purse(purse));
    prop_assert_eq!(kept(Kept::Time), i128::from(contract.escrow.0), "L8");
    prop_assert_eq!(kept(Kept::Use), i128::from(contract.usage.0), "L8");
    prop_assert_eq!(kept(Kept::Grace), i128::from(contract.deposit.0), "L8");
    prop_assert_eq!(kept(Kept::Closing), i128::from(contract.closing.0), "L8");
    prop_assert_eq!(state.read(&BillAt(contract.id, contract.bills)).unwrap(), None);
    Ok(())
}

/// L3, over every leaf.
fn adds_up(state: &State) -> Result<(), TestCaseError> {
    let (mut balances, mut escrow) = (0_u64, 0_u64);
    for (key, value) in state.leaves() {
        let key: Key = acre_codec::decode(key).unwrap();
        match AnyObject::decode(&key, value).unwrap() {
            AnyObject::Account(account) => balances += account.balance.0,
            AnyObject::Twin(twin) => escrow += twin.deposit.0,
            AnyObject::Voice(voice) => escrow += voice.amount.0,
            AnyObject::Proposal(proposal) => escrow += proposal.deposit.0,
            AnyObject::Candidate(candidate) => {
                let releases = candidate.releases.iter().map(|release| release.amount.0);
                escrow += candidate.stake.0 + releases.sum::<u64>();
            }
            AnyObject::Contract(contract) => escrow += contract.held().unwrap().0,
            _ => {}
        }
    }
    let totals = state.totals().unwrap();
    prop_assert_eq!(escrow, totals.escrow.0, "L3: escrow of contracts");
    prop_assert_eq!(balances + escrow, totals.minted.0 - totals.burned.0, "L3: all tokens");
    Ok(())
}

type Blocks = Vec<(u64, Vec<(Op, Twist)>)>;

/// Returns how often each kind of operation was accepted.
fn run(blocks: Blocks) -> Result<BTreeMap<String, u32>, TestCaseError> {
    let grants = PEOPLE.map(|n| (account(n), Amount(GRANT))).collect();
    let genesis = genesis(parameters(), grants);
    let start = genesis.state().unwrap();
    let chain = genesis.digest();
    let mut plain = Plain::default();
    plain.balances.extend(PEOPLE.map(|n| (n, GRANT)));
    let leaf = |(key, value): (&[u8], &std::sync::Arc<[u8]>)| (key.to_vec(), value.to_vec());
    let mut stored: BTreeMap<Vec<u8>, Vec<u8>> = start.leaves().map(leaf).collect();
    let (mut state, mut now, mut accepted_ever, mut history) =
        (start.clone(), genesis.time.0, Vec::new(), Vec::new());
    let mut reached = BTreeMap::new();
    for (height, (pause, ops)) in (1..).zip(blocks) {
        now += pause;
        let (height, time) = (Height(height), UnixMs(now));
        let (mut candidates, mut wanted) = (Vec::new(), Vec::new());
        for (op, twist) in &ops {
            let transaction = op.signed(&plain, *twist, chain, now);
            let mut after = plain.clone();
            if after.apply(op, *twist, transaction.bytes(), now).is_some() {
                plain = after;
                let name = format!("{op:?}").split(' ').next().unwrap().to_owned();
                *reached.entry(name).or_default() += 1;
                wanted.push(transaction.id());
            }
            candidates.push(transaction);
        }
        let built = build_block(&state, &candidates, height, time).unwrap();
        let taken: Vec<_> = built.applied.receipts.iter().map(|it| it.transaction).collect();
        prop_assert_eq!(&taken, &wanted, "{:?}\nskipped {:?}", ops, built.skipped);
        same(&plain, &built.applied.state)?;
        adds_up(&built.applied.state)?;
        // A second time on the same state: the same, and the state is still what it was.
        let root = state.root();
        let again = apply_payload(&state, &built.payload, height, time).unwrap();
        prop_assert_eq!(again.root, built.applied.root);
        prop_assert_eq!(&again.changes, &built.applied.changes);
        prop_assert_eq!(&again.events, &built.applied.events);
        prop_assert_eq!(state.root(), root);
        for (key, value) in again.changes {
            match value {
                Some(value) => stored.insert(key, value),
                None => stored.remove(&key),
            };
        }
        // L4: whatever was ever applied never applies again.
        accepted_ever.extend(built.payload.verify().unwrap());
        let replayed =
            build_block(&built.applied.state, &accepted_ever, height.next(), time).unwrap();
        prop_assert!(replayed.applied.receipts.is_empty(), "L4");
        prop_assert_eq!(replayed.applied.root, built.applied.root);
        for old in accepted_ever.iter().take(3) {
            prop_assert!(apply_block(&built.applied.state, &[old], height, time).is_err());
        }
        state = built.applied.state;
        history.push((built.payload, height, time, state.root()));
    }
    let mut replay = start;
    for (payload, height, time, root) in history {
        replay = apply_payload(&replay, &payload, height, time).unwrap().state;
        prop_assert_eq!(replay.root(), root);
    }
    prop_assert_eq!(State::from_leaves(stored).unwrap().root(), state.root());
    Ok(reached)
}

fn blocks() -> impl Strategy<Value = Blocks> {
    let pause = prop_oneof![Just(0), 0..3000_u64, 0..5_000_000_u64];
    let block = (pause, proptest::collection::vec((op(), twist()), 0..12));
    proptest::collection::vec(block, 1..8).prop_map(|blocks| {
        let mut all = vec![(1, prelude())];
        all.extend(blocks);
        all
    })
}

#[test]
fn ledger_agrees_with_a_plain_model() {
    let reached = RefCell::new(BTreeMap::<String, u32>::new());
    let mut runner = TestRunner::new(common::cases(128));
    let outcome = runner.run(&blocks(), |blocks| {
        for (kind, times) in run(blocks)? {
            *reached.borrow_mut().entry(kind).or_default() += times;
        }
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
    // Every kind of operation was accepted at least now and then, or this shows nothing.
    let reached = reached.into_inner();
    assert_eq!(reached.len(), 13, "{reached:?}");
}

#[test]
fn prelude_is_accepted_whole() {
    let reached = run(vec![(1, prelude())]).unwrap();
    assert_eq!(reached.values().sum::<u32>(), 30);
}
