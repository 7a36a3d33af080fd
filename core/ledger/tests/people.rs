//! Random blocks of what people do with handles and votes, beside a plain model that was written
//! apart: the same is accepted (L2), tokens add up (L3), nothing applies twice (L4).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
#![allow(clippy::arithmetic_side_effects, reason = "tests")]

mod common;
#[path = "people/plain.rs"]
mod plain;

use std::cell::RefCell;
use std::collections::BTreeMap;

use acre_codec::{Blob, List};
use acre_ledger::{
    Action, Amendment, AnyObject, Fees, GovernanceRules, Handle, Key, KeyRole, NewBallot,
    NewProposal, Parameters, PhonebookRules, Side, State, TwinKey, TwinKeys, TwinState, Verified,
    VoiceOf, apply_block, build_block,
};
use acre_types::{Amount, Height, UnixMs};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use common::{Grid, account, genesis, key, text};
use plain::{DEPOSIT, GRANT, LOCK_MS, Op, PEOPLE, Plain, QUARANTINE_MS, RULES, VOTING_MS};

fn grid() -> Grid {
    let governance = GovernanceRules {
        voting_ms: VOTING_MS,
        lock_ms: LOCK_MS,
        deposit: Amount(RULES.deposit),
        quorum_users: RULES.quorum,
        quorum_farmers: 1,
        majority: RULES.majority,
    };
    let phonebook = PhonebookRules {
        deposit: Amount(DEPOSIT),
        quarantine_ms: QUARANTINE_MS,
        ..PhonebookRules::default()
    };
    let fees = Fees { transaction: Amount(0), byte: Amount(0), place: Amount(0) };
    let parameters = Parameters { fees, governance, phonebook, ..Parameters::default() };
    let grants = PEOPLE.map(|n| (account(n), Amount(GRANT))).collect();
    Grid::new(&genesis(parameters, grants))
}

fn handle(number: u8) -> Handle {
    format!("handle-{number}").parse().unwrap()
}

fn keys() -> TwinKeys {
    let key = TwinKey { role: KeyRole::Sign, key: Blob::new(vec![7; 32]).unwrap() };
    List::new(vec![key]).unwrap()
}

fn action(op: &Op) -> (u8, Action) {
    let side = |yes| if yes { Side::Yes } else { Side::No };
    match *op {
        Op::Register { from, name } => {
            (from, Action::RegisterTwin { handle: handle(name), keys: keys() })
        }
        Op::Rotate { from, name } => {
            (from, Action::RotateTwin { handle: handle(name), keys: keys() })
        }
        Op::Offer { from, name, to } => {
            (from, Action::OfferTwin { handle: handle(name), to: to.map(account) })
        }
        Op::Accept { from, name } => {
            (from, Action::AcceptTwin { handle: handle(name), keys: keys() })
        }
        Op::Release { from, name } => (from, Action::ReleaseTwin { handle: handle(name) }),
        Op::Pay { from, to, amount } => {
            (from, Action::Transfer { to: account(to), amount: Amount(amount) })
        }
        Op::Lock { from, amount } => (from, Action::LockVoice { amount: Amount(amount) }),
        Op::Unlock { from, amount } => (from, Action::UnlockVoice { amount: Amount(amount) }),
        Op::Propose { from, deposit } => {
            let rules = PhonebookRules {
                deposit: Amount(deposit),
                quarantine_ms: QUARANTINE_MS,
                ..PhonebookRules::default()
            };
            let change = Amendment::Phonebook(rules);
            (from, Action::Propose(NewProposal { change, reason: text("") }))
        }
        Op::Vote { from, proposal, yes } => {
            let ballot = NewBallot { proposal, side: side(yes), nodes: List::default() };
            (from, Action::Vote(ballot))
        }
        Op::Close { from, proposal } => (from, Action::CloseProposal { proposal }),
        Op::Enact { from, proposal } => (from, Action::EnactProposal { proposal }),
    }
}

fn same(plain: &Plain, state: &State) -> Result<(), TestCaseError> {
    for n in PEOPLE {
        let held = state.read(&account(n)).unwrap().unwrap_or_default();
        prop_assert_eq!(held.balance.0, plain.balances[&n], "balance of {}", n);
        let voice = state.read(&VoiceOf(account(n))).unwrap().unwrap_or_default();
        prop_assert_eq!(voice.amount.0, plain.voice(n), "voice of {}", n);
    }
    for name in 0..4 {
        let twin = state.read(&handle(name)).unwrap();
        let held = twin.map(|twin| {
            let is_held = twin.state == TwinState::Held;
            (is_held.then_some(twin.owner), twin.epoch, twin.deposit.0)
        });
        let wanted = plain.handle(name);
        prop_assert_eq!(held, wanted.map(|it| (it.0.map(account), it.1, it.2)), "{}", name);
    }
    let parameters = state.parameters().unwrap();
    prop_assert_eq!(parameters.phonebook.deposit.0, plain.deposit);
    let totals = state.totals().unwrap();
    prop_assert_eq!(totals.burned.0, plain.burned);
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
            _ => {}
        }
    }
    let totals = state.totals().unwrap();
    prop_assert_eq!(escrow, totals.escrow.0, "L3: escrow");
    prop_assert_eq!(balances + escrow, totals.minted.0 - totals.burned.0, "L3: all tokens");
    Ok(())
}

type Reached = BTreeMap<String, u32>;

fn run(blocks: &[(u64, Vec<Op>)], reached: &mut Reached) -> Result<(), TestCaseError> {
    let mut grid = grid();
    let mut plain = Plain::new(grid.now);
    let mut ever: Vec<Verified> = Vec::new();
    for (pause, ops) in blocks {
        grid.now += pause;
        plain.now += pause;
        let mut nonces = BTreeMap::<u8, u64>::new();
        let (mut candidates, mut wanted) = (Vec::new(), Vec::new());
        for op in ops {
            let (from, action) = action(op);
            let mut transaction = grid.transaction(from, action);
            let done = nonces.entry(from).or_default();
            transaction.nonce += *done;
            let transaction = Verified::new(transaction.sign(&key(from))).unwrap();
            let mut after = plain.clone();
            if after.run(op).is_some() {
                plain = after;
                *done += 1;
                wanted.push(transaction.id());
                let name = format!("{op:?}").split(' ').next().unwrap().to_owned();
                *reached.entry(name).or_default() += 1;
            }
            candidates.push(transaction);
        }
        let (height, time) = (Height(grid.height + 1), UnixMs(grid.now));
        let built = build_block(&grid.state, &candidates, height, time).unwrap();
        let taken: Vec<_> = built.applied.receipts.iter().map(|it| it.transaction).collect();
        prop_assert_eq!(&taken, &wanted, "{:?}\nskipped {:?}", ops, built.skipped);
        same(&plain, &built.applied.state)?;
        adds_up(&built.applied.state)?;
        let verified = built.payload.verify().unwrap();
        let again = apply_block(&grid.state, &verified, height, time).unwrap();
        prop_assert_eq!(again.root, built.applied.root);
        ever.extend(verified);
        let replay = build_block(&built.applied.state, &ever, height.next(), time).unwrap();
        prop_assert!(replay.applied.receipts.is_empty(), "L4");
        grid.state = built.applied.state;
        grid.height += 1;
    }
    Ok(())
}

/// Handles, locked tokens and a vote to begin with, so that random operations have a chance.
fn prelude() -> Vec<Op> {
    let mut all: Vec<_> = (1..=3).map(|n| Op::Register { from: n, name: n - 1 }).collect();
    all.extend((1..=3).map(|from| Op::Lock { from, amount: 3_500 + u64::from(from) }));
    all.extend((0..2).map(|n| Op::Propose { from: 4, deposit: DEPOSIT + 1 + n }));
    all.extend((1..=2).map(|from| Op::Vote { from, proposal: 0, yes: true }));
    all
}

#[test]
fn handles_and_votes_agree_with_a_plain_model() {
    let pause = prop_oneof![
        2 => Just(0),
        2 => 0..VOTING_MS,
        2 => VOTING_MS..LOCK_MS,
        1 => LOCK_MS..2 * LOCK_MS,
    ];
    let block = (pause, proptest::collection::vec(plain::op(), 0..10));
    let blocks = proptest::collection::vec(block, 1..16).prop_map(|blocks| {
        let mut all = vec![(0, prelude())];
        all.extend(blocks);
        all
    });
    let reached = RefCell::new(Reached::new());
    let outcome = TestRunner::new(common::cases(192))
        .run(&blocks, |blocks| run(&blocks, &mut reached.borrow_mut()));
    if let Err(error) = outcome {
        panic!("{error}");
    }
    // Every kind was accepted at least now and then, or this shows nothing.
    let reached = reached.into_inner();
    assert_eq!(reached.len(), 12, "{reached:?}");
}
