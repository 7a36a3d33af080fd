//! Attacks that cost their maker little or nothing, and what keeps them from harming others.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]
#![allow(clippy::arithmetic_side_effects, reason = "tests")]

mod common;
#[path = "common/farming.rs"]
mod farming;

use acre_codec::{Blob, List};
use acre_crypto::SigningKey;
use acre_ledger::mint::Policy;
use acre_ledger::{
    Action, Built, GridKind, Handle, KeyRole, NewCandidate, NewContract, NewKind, NewRecovery,
    NewStorage, Parameters, Possession, RecoveryConsent, RecoveryPlan, Refusal, SeatRules, SeatsBy,
    SignedJoinToken, TwinKey, TwinKeys, TwinOf, Verified, check_payer, check_tx, limits,
};
use acre_types::{Amount, Bytes, ContractId, Profile, PublicKey, UnixMs};

use common::{Grid, account, genesis, key, node, offer, text, token, wide_key};
use farming::{CLAIMED, EPOCH_MS, finding, parameters};

const DAY_MS: u64 = 24 * 3_600_000;

/// Three farms, and so many strangers with a token each.
fn crowd(parameters: Parameters, strangers: u32) -> (Grid, Vec<SigningKey>) {
    let keys: Vec<_> = (0..strangers).map(wide_key).collect();
    let one = Amount::tft(1).unwrap();
    let grants = keys.iter().map(|key| (key.public().into(), one));
    let people = (1..=9).map(|n| (account(n), Amount::tft(1000).unwrap()));
    let mut grid = Grid::new(&genesis(parameters, people.chain(grants).collect()));
    for n in 1..=3 {
        grid.act(n, Action::CreateFarm { name: text("farm"), payout: account(200 + n) }).unwrap();
        grid.join(100 + n, n, n.into(), &format!("site {n}")).unwrap();
    }
    (grid, keys)
}

fn storage(budget: u64) -> Action {
    let kind = NewKind::Storage(NewStorage {
        profile: Profile::Tiny,
        places: List::new((101..=103).map(node).collect()).unwrap(),
        bytes: Bytes(3000),
        writer: PublicKey([9; 32]),
    });
    Action::CreateContract(NewContract { kind, period_ms: DAY_MS, budget: Amount(budget) })
}

fn pay(grid: &Grid) -> Verified {
    grid.signed(2, Action::Transfer { to: account(3), amount: Amount(1) })
}

fn holds(built: &Built, one: &Verified) -> bool {
    built.payload.transactions.iter().any(|signed| signed == one.signed())
}

fn candidate(grid: &Grid, key: &SigningKey, stake: u64) -> Verified {
    let account = key.public().into();
    let new = NewCandidate {
        validator: key.public(),
        possession: key.sign(&Possession { chain: grid.chain(), account }),
        engine: text("127.0.0.1:3"),
        rpc: text("127.0.0.1:4"),
        stake: Amount(stake),
        nodes: List::default(),
    };
    grid.signed_by(key, Action::RegisterCandidate(new))
}

/// A list of candidates that is full, and keys of some who are not on it.
fn full_list() -> (Grid, Vec<SigningKey>) {
    let seats = SeatRules { by: SeatsBy::Stake { min: Amount(1) }, ..SeatRules::default() };
    let parameters = Parameters { seats, ..Parameters::default() };
    let (mut grid, keys) = crowd(parameters, limits::CANDIDATES_MAX + 200);
    let listed = limits::CANDIDATES_MAX as usize - 1;
    let all: Vec<_> = keys[..listed].iter().map(|key| candidate(&grid, key, 5)).collect();
    let built = grid.build(&all);
    assert_eq!(built.skipped, []);
    grid.state = built.applied.state;
    grid.height += 1;
    (grid, keys.into_iter().skip(listed).collect())
}

/// Registers a handle with keys of its own, lets "friends" give it to somebody who knows nothing.
#[test]
fn nobody_makes_a_stranger_the_owner_of_a_handle() {
    let (mut grid, _) = crowd(Parameters::default(), 0);
    let handle: Handle = "ada-pays".parse().unwrap();
    let entry = |role, n: u8| TwinKey { role, key: Blob::new(key(n).public().0.into()).unwrap() };
    let keys = |n| -> TwinKeys {
        List::new(vec![entry(KeyRole::Sign, n), entry(KeyRole::Recover, 31)]).unwrap()
    };
    grid.act(1, Action::RegisterTwin { handle: handle.clone(), keys: keys(21) }).unwrap();
    let delay_ms = grid.state.parameters().unwrap().phonebook.recovery_ms_min;
    let plan = RecoveryPlan { threshold: 1, delay_ms };
    grid.act(1, Action::PlanRecovery { handle: handle.clone(), plan }).unwrap();
    let (ada, chain) = (account(2), grid.chain());
    let (epoch, attempt) = (0, 0);
    let asked = handle.clone();
    let consent =
        RecoveryConsent { chain, handle: asked, epoch, attempt, owner: ada, keys: keys(22) };
    let signatures = List::new(vec![(key(31).public(), key(31).sign(&consent))]).unwrap();
    let open = NewRecovery { handle: handle.clone(), owner: ada, keys: keys(22), signatures };
    grid.act(1, Action::OpenRecovery(open)).unwrap();
    grid.now += delay_ms;
    let complete = Action::CompleteRecovery { handle: handle.clone() };
    let refusal = Refusal::NotYours { what: "the recovery" };
    assert_eq!(grid.act(1, complete.clone()), Err(refusal));
    assert_eq!(grid.state.read(&TwinOf(ada)).unwrap(), None);
    // Whoever asked for it has it.
    grid.act(2, complete).unwrap();
    assert_eq!(grid.state.read(&TwinOf(ada)).unwrap(), Some(handle));
}

/// Each is refused and pays nothing, and would visit three places.
#[test]
fn settling_what_is_not_due_shuts_no_contract_out() {
    let visits = limits::VISITS_BLOCK_MAX / 3 + 1;
    let (mut grid, keys) = crowd(Parameters::default(), visits);
    grid.act(1, storage(u64::MAX)).unwrap();
    let settle = Action::SettleContract { contract: ContractId(1) };
    let mut all: Vec<_> = keys.iter().map(|key| grid.signed_by(key, settle.clone())).collect();
    let honest = grid.signed(2, storage(u64::MAX));
    all.push(honest.clone());
    let built = grid.build(&all);
    assert!(holds(&built, &honest));
    assert!(built.skipped.iter().all(|(_, refusal)| *refusal == Refusal::NothingToDo));
    assert_eq!(built.skipped.len(), keys.len());
}

#[test]
fn leader_spends_little_on_what_is_refused_after_many_visits() {
    let (grid, keys) = crowd(Parameters::default(), limits::VISITS_REFUSED_MAX / 3 + 100);
    let mut all: Vec<_> = keys.iter().map(|key| grid.signed_by(key, storage(0))).collect();
    let honest = pay(&grid);
    all.push(honest.clone());
    let built = grid.build(&all);
    assert!(holds(&built, &honest));
    let tried = u32::try_from(built.skipped.len()).unwrap();
    assert_eq!(tried, limits::VISITS_REFUSED_MAX.div_ceil(3));
}

#[test]
fn leader_ranks_a_full_list_only_some_times_for_newcomers_it_refuses() {
    let (grid, others) = full_list();
    let mut all: Vec<_> = others.iter().map(|key| candidate(&grid, key, 5)).collect();
    let honest = pay(&grid);
    all.push(honest.clone());
    let built = grid.build(&all);
    assert!(holds(&built, &honest));
    let no_room = Refusal::NoRoom { candidates: limits::CANDIDATES_MAX, given: Amount(5) };
    assert!(built.skipped.iter().all(|(_, refusal)| *refusal == no_room));
    let each = limits::CANDIDATES_MAX / 8 + 8;
    let tried = u32::try_from(built.skipped.len()).unwrap();
    assert_eq!(tried, limits::VISITS_REFUSED_MAX.div_ceil(each));
    assert!((tried as usize) < others.len());
}

/// Offers more than he has: nobody leaves the list, and nobody is told so.
#[test]
fn refused_newcomer_leaves_no_events() {
    let (grid, others) = full_list();
    let built = grid.build(&[candidate(&grid, &others[0], 1 << 60)]);
    assert!(matches!(built.skipped[..], [(_, Refusal::NoFunds { .. })]), "{:?}", built.skipped);
    assert_eq!(built.applied.events, []);
}

#[test]
fn token_of_a_node_is_verified_only_after_the_signature_of_the_node() {
    let (grid, _) = crowd(Parameters::default(), 0);
    let token = token(grid.chain(), 1, None, grid.now + 1000);
    let forged = SignedJoinToken::new(token, &key(9));
    let join = Action::RegisterNode { token: forged, offer: offer("site 9", 1000) };
    let join = grid.signed(109, join);
    let bad = Refusal::BadToken { farm: token_farm(&join) };
    let now = UnixMs(grid.now);
    assert!(check_tx(&grid.state, join.signed(), now).is_ok(), "a pool's lock waits for it");
    let refused = check_payer(&grid.state, join.signed()).unwrap_err();
    assert_eq!(refused.to_string(), acre_ledger::Fault::from(bad.clone()).to_string());
    assert_eq!(grid.build(std::slice::from_ref(&join)).skipped, [(join.id(), bad)]);
}

fn token_farm(join: &Verified) -> acre_types::FarmId {
    match &join.transaction().action {
        Action::RegisterNode { token, .. } => token.token.farm,
        other => panic!("{other:?}"),
    }
}

/// Five keys without a disk among nine praise each other, and see nothing of the others.
#[test]
fn keys_without_disks_are_believed_by_nobody() {
    let grants = (1..=9).map(|n| (account(n), Amount::tft(1000).unwrap())).collect();
    let mut genesis = genesis(parameters(Policy::standard()), grants);
    genesis.kind = GridKind::Test;
    let mut grid = Grid::new(&genesis);
    let join = |grid: &mut Grid, n: u8, claimed| {
        grid.act(n, Action::CreateFarm { name: text("farm"), payout: account(200 + n) }).unwrap();
        let token = token(grid.chain(), n.into(), None, grid.now + 1000);
        let token = SignedJoinToken::new(token, &key(n));
        let offer = offer(&format!("site {n}"), claimed);
        grid.act(100 + n, Action::RegisterNode { token, offer }).unwrap();
    };
    (1..=4).for_each(|n| join(&mut grid, n, CLAIMED));
    grid.pass();
    grid.pass();
    for _ in 0..3 {
        grid.pass_with(finding(10, CLAIMED));
    }
    let shown =
        |grid: &Grid, n: u8| grid.state.read(&node(100 + n)).unwrap().unwrap().verified.storage.0;
    assert!((1..=4).all(|n| shown(&grid, n) == CLAIMED));
    grid.now += limits::YOUNG_EPOCHS * EPOCH_MS;
    grid.idle_block();
    (5..=9).for_each(|n| join(&mut grid, n, 1 << 59));
    grid.pass();
    grid.pass();
    let mut reported = 0;
    for epoch in 0..6 {
        grid.pass();
        for n in 5..=9 {
            let seen = if epoch % 2 == 0 { 0 } else { 1 << 59 };
            grid.report(100 + n, finding(10, seen)).unwrap();
            reported += 1;
        }
    }
    assert_eq!(reported, 30);
    assert!((1..=4).all(|n| shown(&grid, n) == CLAIMED), "they lost nothing");
    assert!((5..=9).all(|n| shown(&grid, n) == 0), "they got nothing");
}
