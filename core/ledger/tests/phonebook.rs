//! The phonebook: handles, their price, recovery, and how they change hands.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
#![allow(clippy::arithmetic_side_effects, reason = "tests")]

mod common;

use acre_codec::{Blob, List};
use acre_ledger::phonebook::Phonebook;
use acre_ledger::{
    Action, Handle, HandleAt, KeyRole, NewRecovery, Parameters, PhonebookRules, RecoveryConsent,
    RecoveryOf, RecoveryPlan, RecoveryVeto, Refusal, Twin, TwinKey, TwinKeys, TwinOf, TwinState,
};
use acre_types::{AccountId, Amount, Digest, PublicKey, Signature, UnixMs};

use common::{Grid, account, genesis, key};

const DELAY_MS: u64 = 5_000;
const QUARANTINE_MS: u64 = 9_000;
/// Of `lovelace`, which is as long as a handle need be.
const DEPOSIT: u64 = 1_000;

fn grid() -> Grid {
    let phonebook = PhonebookRules {
        deposit: Amount(DEPOSIT),
        quarantine_ms: QUARANTINE_MS,
        recovery_ms_min: DELAY_MS,
    };
    let grants = (1..=9).map(|n| (account(n), Amount::tft(10).unwrap())).collect();
    Grid::new(&genesis(Parameters { phonebook, ..Parameters::default() }, grants))
}

fn handle() -> Handle {
    "lovelace".parse().unwrap()
}

fn entry(role: KeyRole, number: u8) -> TwinKey {
    TwinKey { role, key: Blob::new(key(number).public().0.to_vec()).unwrap() }
}

/// Key n signs, n + 1 is a device's, 31 to 33 recover.
fn keys(n: u8) -> TwinKeys {
    let mut all = vec![entry(KeyRole::Sign, n), entry(KeyRole::Device, n + 1)];
    all.extend([31, 32, 33].map(|n| entry(KeyRole::Recover, n)));
    List::new(all).unwrap()
}

fn twin(grid: &Grid) -> Twin {
    grid.state.read(&handle()).unwrap().unwrap()
}

/// Person 1 holds the handle; two of three keys may recover it.
fn with_twin() -> Grid {
    let mut grid = grid();
    grid.act(1, Action::RegisterTwin { handle: handle(), keys: keys(21) }).unwrap();
    let plan = RecoveryPlan { threshold: 2, delay_ms: DELAY_MS };
    grid.act(1, Action::PlanRecovery { handle: handle(), plan }).unwrap();
    grid
}

fn consent(grid: &Grid) -> RecoveryConsent {
    let twin = twin(grid);
    RecoveryConsent {
        chain: grid.chain(),
        handle: handle(),
        epoch: twin.epoch,
        attempt: twin.attempt,
        owner: account(2),
        keys: keys(41),
    }
}

fn signed(consent: &RecoveryConsent, by: &[u8]) -> Action {
    let one = |n: &u8| (key(*n).public(), key(*n).sign(consent));
    Action::OpenRecovery(NewRecovery {
        handle: handle(),
        owner: account(2),
        keys: keys(41),
        signatures: List::new(by.iter().map(one).collect()).unwrap(),
    })
}

fn open(grid: &mut Grid) {
    let action = signed(&consent(grid), &[31, 33]);
    grid.act(9, action).unwrap();
}

fn complete() -> Action {
    Action::CompleteRecovery { handle: handle() }
}

#[test]
fn handle_costs_a_deposit_that_is_higher_for_short_ones() {
    let mut grid = grid();
    let before = grid.state.totals().unwrap().escrow.0;
    grid.act(1, Action::RegisterTwin { handle: handle(), keys: keys(21) }).unwrap();
    let short: Handle = "ada".parse().unwrap();
    grid.act(2, Action::RegisterTwin { handle: short.clone(), keys: keys(21) }).unwrap();
    let after = grid.state.totals().unwrap();
    assert_eq!(after.escrow.0 - before, DEPOSIT + 32 * DEPOSIT);
    assert_eq!(grid.state.read(&HandleAt(0)).unwrap(), Some(handle()));
    assert_eq!(grid.state.read(&HandleAt(1)).unwrap(), Some(short));
    assert_eq!(after.twins, 2);
}

#[test]
fn recovery_takes_threshold_and_delay_and_the_new_owner_ends_it() {
    let mut grid = with_twin();
    open(&mut grid);
    let recovery = grid.state.read(&RecoveryOf(handle())).unwrap().unwrap();
    assert_eq!(recovery.completes, UnixMs(grid.now + DELAY_MS));
    let early = Refusal::TooEarly { what: "the recovery", from: recovery.completes };
    grid.now += DELAY_MS - 1;
    assert_eq!(grid.act(2, complete()), Err(early));
    grid.now += 1;
    grid.act(2, complete()).unwrap();
    let twin = twin(&grid);
    assert_eq!((twin.owner, twin.epoch, twin.keys), (account(2), 1, keys(41)));
    assert_eq!(grid.state.read(&TwinOf(account(1))).unwrap(), None);
    assert_eq!(grid.state.read(&TwinOf(account(2))).unwrap(), Some(handle()));
    assert_eq!(grid.act(2, complete()), Err(Refusal::NoRecovery));
    let rotate = Action::RotateTwin { handle: handle(), keys: keys(51) };
    assert_eq!(grid.act(1, rotate), Err(Refusal::NotYours { what: "the twin" }));
}

#[test]
fn owner_signing_key_and_device_may_veto_and_nobody_else() {
    let veto = |by| Action::VetoRecovery { handle: handle(), by };
    let signed = |grid: &Grid, n: u8, attempt| {
        let statement = RecoveryVeto { chain: grid.chain(), handle: handle(), attempt };
        veto(Some((key(n).public(), key(n).sign(&statement))))
    };
    let mut grid = with_twin();
    assert_eq!(grid.act(1, veto(None)), Err(Refusal::NoRecovery));
    for (from, by) in [(1, None), (9, Some(21)), (9, Some(22))] {
        open(&mut grid);
        let attempt = twin(&grid).attempt;
        assert_eq!(grid.act(9, veto(None)), Err(Refusal::NotYours { what: "the twin" }));
        for (number, attempt) in [(31, attempt), (21, attempt - 1), (5, attempt)] {
            let bad = Refusal::BadConsent { key: key(number).public() };
            let action = signed(&grid, number, attempt);
            assert_eq!(grid.act(9, action), Err(bad));
        }
        let action = by.map_or(veto(None), |n| signed(&grid, n, attempt));
        grid.act(from, action).unwrap();
        grid.now += DELAY_MS;
        assert_eq!(grid.act(9, complete()), Err(Refusal::NoRecovery));
        assert_eq!(twin(&grid).owner, account(1));
    }
}

#[test]
fn consents_count_once_for_one_occasion() {
    let mut grid = with_twin();
    let good = consent(&grid);
    let refused = |grid: &mut Grid, consent: &RecoveryConsent, by: &[u8], blamed: u8| {
        let bad = Refusal::BadConsent { key: key(blamed).public() };
        assert_eq!(grid.act(9, signed(consent, by)), Err(bad), "{consent:?} {by:?}");
    };
    refused(&mut grid, &good, &[31, 31], 31);
    refused(&mut grid, &good, &[31, 21], 21);
    let few = Refusal::TooFewConsents { given: 1, wanted: 2 };
    assert_eq!(grid.act(9, signed(&good, &[31])), Err(few));
    for wrong in [
        RecoveryConsent { chain: Digest([9; 32]), ..good.clone() },
        RecoveryConsent { epoch: 7, ..good.clone() },
        RecoveryConsent { attempt: 7, ..good.clone() },
        RecoveryConsent { owner: account(3), ..good.clone() },
        RecoveryConsent { keys: keys(61), ..good.clone() },
        RecoveryConsent { handle: "somebody".parse().unwrap(), ..good.clone() },
    ] {
        refused(&mut grid, &wrong, &[31, 33], 31);
    }
    open(&mut grid);
    assert_eq!(grid.act(9, signed(&good, &[31, 33])), Err(Refusal::RecoveryRuns));
    grid.act(1, Action::VetoRecovery { handle: handle(), by: None }).unwrap();
    // What was vetoed cannot be sent again.
    refused(&mut grid, &good, &[31, 33], 31);
}

#[test]
fn owner_that_rotates_or_plans_anew_is_alive() {
    let rotate = Action::RotateTwin { handle: handle(), keys: keys(51) };
    let plan = RecoveryPlan { threshold: 3, delay_ms: DELAY_MS };
    let plan = Action::PlanRecovery { handle: handle(), plan };
    for sign_of_life in [rotate, plan] {
        let mut grid = with_twin();
        open(&mut grid);
        grid.act(1, sign_of_life).unwrap();
        grid.now += DELAY_MS;
        assert_eq!(grid.act(9, complete()), Err(Refusal::NoRecovery));
    }
}

#[test]
fn recovery_needs_a_plan_and_a_plan_has_bounds() {
    let mut grid = grid();
    grid.act(1, Action::RegisterTwin { handle: handle(), keys: keys(21) }).unwrap();
    assert_eq!(grid.act(9, signed(&consent(&grid), &[31, 33])), Err(Refusal::NoRecovery));
    for (threshold, delay_ms) in [(0, DELAY_MS), (1, DELAY_MS - 1), (1, u64::MAX)] {
        let plan = RecoveryPlan { threshold, delay_ms };
        let refusal = grid.act(1, Action::PlanRecovery { handle: handle(), plan });
        assert_eq!(refusal, Err(Refusal::OutOfRange { what: "the recovery plan" }), "{plan:?}");
    }
    let plan = RecoveryPlan::default();
    let refusal = grid.act(1, Action::PlanRecovery { handle: handle(), plan });
    assert_eq!(refusal, Err(Refusal::NothingToDo));
}

#[test]
fn account_with_a_twin_cannot_get_another_by_recovery() {
    let mut grid = with_twin();
    let other: Handle = "somebody".parse().unwrap();
    grid.act(2, Action::RegisterTwin { handle: other, keys: keys(61) }).unwrap();
    let refusal = grid.act(9, signed(&consent(&grid), &[31, 33]));
    assert_eq!(refusal, Err(Refusal::HasTwin { account: account(2) }));
}

#[test]
fn handle_is_handed_over_only_to_one_who_takes_it() {
    let mut grid = with_twin();
    let accept = || Action::AcceptTwin { handle: handle(), keys: keys(41) };
    let offer = |to| Action::OfferTwin { handle: handle(), to };
    assert_eq!(grid.act(2, accept()), Err(Refusal::NotYours { what: "the twin" }));
    assert_eq!(grid.act(1, offer(Some(account(1)))), Err(Refusal::NothingToDo));
    grid.act(1, offer(Some(account(2)))).unwrap();
    assert_eq!(grid.act(3, accept()), Err(Refusal::NotYours { what: "the twin" }));
    let before = grid.balance(account(1));
    grid.act(2, accept()).unwrap();
    assert_eq!(grid.balance(account(1)), before + DEPOSIT);
    let twin = twin(&grid);
    assert_eq!((twin.owner, twin.epoch, twin.offered), (account(2), 1, None));
    assert_eq!(grid.state.read(&TwinOf(account(2))).unwrap(), Some(handle()));
    assert_eq!(grid.state.totals().unwrap().escrow, Amount(DEPOSIT));
    grid.act(2, offer(Some(account(3)))).unwrap();
    grid.act(2, offer(None)).unwrap();
    assert_eq!(grid.act(3, accept()), Err(Refusal::NotYours { what: "the twin" }));
}

#[test]
fn released_handle_rests_and_its_epoch_goes_on() {
    let mut grid = with_twin();
    grid.act(1, Action::RotateTwin { handle: handle(), keys: keys(51) }).unwrap();
    let (before, burned) = (grid.balance(account(1)), grid.state.totals().unwrap().burned.0);
    let applied = grid.submit(grid.signed(1, Action::ReleaseTwin { handle: handle() })).unwrap();
    let fee = applied.receipts[0].fee.0;
    assert_eq!(grid.balance(account(1)), before - fee + DEPOSIT * 9 / 10);
    assert_eq!(grid.state.totals().unwrap().burned.0, burned + fee + DEPOSIT / 10);
    let released = twin(&grid);
    assert_eq!(released.state, TwinState::Released { at: UnixMs(grid.now) });
    assert!(released.keys.is_empty());
    assert_eq!(grid.state.read(&TwinOf(account(1))).unwrap(), None);
    let rotate = Action::RotateTwin { handle: handle(), keys: keys(51) };
    assert_eq!(grid.act(1, rotate), Err(Refusal::NoSuchTwin));
    let take = || Action::RegisterTwin { handle: handle(), keys: keys(41) };
    let from = UnixMs(grid.now + QUARANTINE_MS);
    assert_eq!(grid.act(2, take()), Err(Refusal::TooEarly { what: "the handle", from }));
    grid.now += QUARANTINE_MS;
    grid.act(2, take()).unwrap();
    let taken = twin(&grid);
    assert_eq!((taken.owner, taken.epoch), (account(2), 3));
    assert_eq!(grid.state.totals().unwrap().twins, 1);
}

#[test]
fn copy_of_the_phonebook_answers_alone() {
    let mut grid = with_twin();
    let other: Handle = "somebody".parse().unwrap();
    grid.act(2, Action::RegisterTwin { handle: other.clone(), keys: keys(61) }).unwrap();
    let mut book = Phonebook::of(&grid.state).unwrap();
    assert_eq!(book.get(&handle()), Some(&twin(&grid)));
    assert_eq!(book.handle_of(account(2)), Some(&other));
    let holders = |book: &Phonebook, n: u8| -> Vec<Handle> {
        book.holders(&key(n).public().0).cloned().collect()
    };
    assert_eq!(holders(&book, 21), [handle()]);
    assert_eq!(holders(&book, 31), [handle(), other.clone()]);
    assert_eq!(book.iter().count(), 2);
    grid.act(1, Action::ReleaseTwin { handle: handle() }).unwrap();
    book.change(handle(), twin(&grid));
    assert_eq!((book.get(&handle()), book.handle_of(account(1))), (None, None));
    assert_eq!((holders(&book, 21), holders(&book, 31)), (vec![], vec![other]));
    let anew = Phonebook::of(&grid.state).unwrap();
    assert!(anew.iter().eq(book.iter()));
}

#[test]
fn bad_keys_and_signatures_are_refused_everywhere() {
    let mut grid = with_twin();
    let no_sign = List::new(vec![entry(KeyRole::Recover, 1)]).unwrap();
    let refused = Err(Refusal::OutOfRange { what: "a key of the twin" });
    let accept = Action::AcceptTwin { handle: handle(), keys: no_sign.clone() };
    assert_eq!(grid.act(2, accept), refused);
    let open = Action::OpenRecovery(NewRecovery {
        handle: handle(),
        owner: AccountId([5; 32]),
        keys: no_sign,
        signatures: List::new(vec![(PublicKey([1; 32]), Signature([2; 64]))]).unwrap(),
    });
    assert_eq!(grid.act(2, open), refused);
}
