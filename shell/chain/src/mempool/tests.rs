//! What is let in, in which order it comes out, and what is dropped.

use acre_codec::{Blob, List};
use acre_ledger::{Genesis, KeyRole, TwinKey, apply_block};
use acre_types::{Amount, Height};

use super::*;
use crate::testing::{account, genesis, key, signed, transfer};

const TO: AccountId = AccountId([0xaa; 32]);
const NOW: UnixMs = UnixMs(1_700_000_000_001);

fn pool(limits: PoolLimits) -> (Mempool, Genesis) {
    let genesis = genesis(&[[1; 32]]);
    (Mempool::new(limits, genesis.state().unwrap(), 0, NOW), genesis)
}

fn add(pool: &mut Mempool, signed: SignedTransaction) -> Result<Admission, Refused> {
    pool.admit(&signed.transaction.id(), &signed)?;
    pool.insert(Verified::new(signed).unwrap(), Origin::Client)
}

#[track_caller]
fn check_refused(result: Result<Admission, Refused>, expected: &str) {
    let reason = result.unwrap_err().to_string();
    assert!(reason.contains(expected), "{reason}");
}

fn numbers(candidates: &[Arc<Verified>]) -> Vec<(AccountId, u64)> {
    candidates.iter().map(|v| (v.transaction().from, v.transaction().nonce)).collect()
}

#[test]
fn each_account_comes_out_in_order_without_gaps() {
    let (mut pool, genesis) = pool(PoolLimits::default());
    for nonce in [2, 0, 1, 4] {
        assert_eq!(add(&mut pool, transfer(&genesis, 1, nonce, TO, 1)), Ok(Admission::Check));
    }
    add(&mut pool, transfer(&genesis, 2, 0, TO, 1)).unwrap();
    let state = pool.state().clone();
    let (one, two) = (account(1), account(2));
    assert_eq!(numbers(&pool.candidates(&state)), [(one, 0), (one, 1), (one, 2), (two, 0)]);
    assert!(pool.has_work(&state));
}

#[test]
fn gap_alone_is_no_work() {
    let (mut pool, genesis) = pool(PoolLimits::default());
    add(&mut pool, transfer(&genesis, 1, 1, TO, 1)).unwrap();
    let state = pool.state().clone();
    assert!(!pool.has_work(&state));
    assert!(pool.candidates(&state).is_empty());
}

#[test]
fn what_cannot_apply_is_refused_with_its_reason() {
    let (mut pool, genesis) = pool(PoolLimits::default());
    let good = transfer(&genesis, 1, 0, TO, 1);
    add(&mut pool, good.clone()).unwrap();
    assert_eq!(pool.admit(&good.transaction.id(), &good), Ok(Admission::Waiting));
    check_refused(add(&mut pool, transfer(&genesis, 1, 0, TO, 2)), "waits already");
    check_refused(add(&mut pool, transfer(&genesis, 1, 256, TO, 1)), "is ahead");
    check_refused(add(&mut pool, transfer(&genesis, 99, 0, TO, 1)), "holds 0 TFT");
    let mut cheap = transfer(&genesis, 2, 0, TO, 1);
    cheap.transaction.fee = Amount(1);
    check_refused(pool.admit(&cheap.transaction.id(), &cheap), "too low");
    let mut other = transfer(&genesis, 2, 0, TO, 1);
    other.transaction.chain = Digest([3; 32]);
    check_refused(pool.admit(&other.transaction.id(), &other), "another grid");
    // The id does not cover the signature: a bad one must not pass for the one that waits.
    let mut forged = good;
    forged.signature.0[5] ^= 1;
    assert_eq!(pool.admit(&forged.transaction.id(), &forged), Ok(Admission::Check));
    assert!(Verified::new(forged).is_err());
}

#[test]
fn what_comes_too_early_is_not_kept_for_later() {
    let (mut pool, genesis) = pool(PoolLimits::default());
    let handle = "ada".parse::<acre_ledger::Handle>().unwrap();
    let key = Blob::new(key(1).public().0.to_vec()).unwrap();
    let keys = List::new(vec![TwinKey { role: KeyRole::Sign, key }]).unwrap();
    let register = Action::RegisterTwin { handle: handle.clone(), keys };
    let first = [
        signed(&genesis, 1, 0, register.clone()),
        signed(&genesis, 1, 1, Action::ReleaseTwin { handle }),
    ];
    let block: Vec<_> = first.into_iter().map(|one| Verified::new(one).unwrap()).collect();
    let ids: Vec<_> = block.iter().map(Verified::id).collect();
    let applied = apply_block(pool.state(), &block, Height(1), NOW).unwrap();
    pool.commit(applied.state, 1, NOW, &ids, &[account(1)]);

    let again = signed(&genesis, 2, 0, register);
    check_refused(add(&mut pool, again.clone()), "too early");
    assert!(pool.is_empty());
    let quarantine = genesis.parameters.phonebook.quarantine_ms;
    pool.time = UnixMs(NOW.0 + quarantine);
    assert_eq!(add(&mut pool, again), Ok(Admission::Check));
}

#[test]
fn pool_is_bounded_in_count_bytes_and_per_account() {
    let limits = PoolLimits { transactions: 4, bytes: 1 << 20, per_account: 2 };
    let (mut pool, genesis) = pool(limits);
    add(&mut pool, transfer(&genesis, 1, 0, TO, 1)).unwrap();
    add(&mut pool, transfer(&genesis, 1, 1, TO, 1)).unwrap();
    check_refused(add(&mut pool, transfer(&genesis, 1, 2, TO, 1)), "2 transactions");
    let mut pool = Mempool::new(limits, genesis.state().unwrap(), 0, NOW);
    for from in 1..=4 {
        add(&mut pool, transfer(&genesis, from, 0, TO, 1)).unwrap();
    }
    check_refused(add(&mut pool, transfer(&genesis, 5, 0, TO, 1)), "too many");
    assert_eq!(pool.len(), 4);
    pool.limits = PoolLimits { transactions: 100, bytes: pool.bytes, per_account: 2 };
    check_refused(add(&mut pool, transfer(&genesis, 5, 0, TO, 1)), "too many");
}

#[test]
fn commit_drops_what_it_carried_and_what_is_stale_and_tells_those_who_wait() {
    let (mut pool, genesis) = pool(PoolLimits::default());
    let (ours, stale) = (transfer(&genesis, 1, 0, TO, 1), transfer(&genesis, 2, 0, TO, 1));
    for signed in [&ours, &stale] {
        add(&mut pool, signed.clone()).unwrap();
    }
    let mut ours_waits = pool.wait(ours.transaction.id());
    let mut stale_waits = pool.wait(stale.transaction.id());
    // A block of another validator carries ours, and another transaction in place of the other.
    let block = [ours.clone(), transfer(&genesis, 2, 0, TO, 9)];
    let ids: Vec<_> = block.iter().map(|signed| signed.transaction.id()).collect();
    let block: Vec<_> = block.into_iter().map(|signed| Verified::new(signed).unwrap()).collect();
    let applied = apply_block(pool.state(), &block, Height(1), NOW).unwrap();
    pool.commit(applied.state, 1, NOW, &ids, &[account(1), account(2)]);
    assert!(pool.is_empty());
    let refused = stale_waits.try_recv().unwrap();
    assert!(matches!(refused, Outcome::Refused(Refused::NonceUsed { .. })), "{refused:?}");
    assert!(ours_waits.try_recv().is_err(), "not before it can be proven");
    pool.publish(1, &ids);
    assert_eq!(ours_waits.try_recv().unwrap(), Outcome::Committed { height: 1 });
    // A replay is recognised (L4).
    let replay = pool.admit(&ours.transaction.id(), &ours);
    assert_eq!(replay, Ok(Admission::Committed { height: 1 }));
    assert_eq!(
        pool.wait(ours.transaction.id()).try_recv().unwrap(),
        Outcome::Committed { height: 1 }
    );
}

#[test]
fn what_waits_too_long_is_dropped() {
    let (mut pool, genesis) = pool(PoolLimits::default());
    add(&mut pool, transfer(&genesis, 1, 3, TO, 1)).unwrap();
    let state = pool.state().clone();
    pool.commit(state.clone(), POOL_BLOCKS, NOW, &[], &[]);
    assert_eq!(pool.len(), 1);
    pool.commit(state, POOL_BLOCKS + 1, NOW, &[], &[]);
    assert!(pool.is_empty());
}

/// A transfer that pays `times` the least fee.
fn paying(genesis: &Genesis, from: u8, nonce: u64, times: u64) -> SignedTransaction {
    let mut transaction = transfer(genesis, from, nonce, TO, 1).transaction;
    transaction.fee = Amount(transaction.fee.0 * times);
    transaction.sign(&crate::testing::key(from))
}

#[test]
fn who_offers_more_comes_first_and_nobody_waits_for_a_long_queue() {
    let (mut pool, genesis) = pool(PoolLimits::default());
    for nonce in 0..40 {
        add(&mut pool, transfer(&genesis, 1, nonce, TO, 1)).unwrap();
    }
    add(&mut pool, transfer(&genesis, 2, 0, TO, 1)).unwrap();
    add(&mut pool, paying(&genesis, 3, 0, 2)).unwrap();
    let order = numbers(&pool.candidates(&pool.state().clone()));
    assert_eq!(order.len(), 42);
    assert_eq!(order[0], (account(3), 0));
    assert_eq!(order[1], (account(1), 0));
    assert_eq!(order[POOL_TURN + 1], (account(2), 0));
    assert_eq!(order[41], (account(1), 39));
}

#[test]
fn full_pool_makes_room_for_who_offers_more_or_has_less_waiting() {
    let limits = PoolLimits { transactions: 4, bytes: 1 << 20, per_account: 4 };
    let (mut pool, genesis) = pool(limits);
    for nonce in 0..3 {
        add(&mut pool, transfer(&genesis, 1, nonce, TO, 1)).unwrap();
    }
    add(&mut pool, transfer(&genesis, 2, 0, TO, 1)).unwrap();
    let last = transfer(&genesis, 1, 2, TO, 1).transaction.id();
    let mut told = pool.wait(last);
    // Account 3 has nothing waiting: the longest queue gives way.
    add(&mut pool, transfer(&genesis, 3, 0, TO, 1)).unwrap();
    assert_eq!(told.try_recv().unwrap(), Outcome::Refused(Refused::PoolFull));
    // Now no queue is longer than the one that wants to grow.
    check_refused(add(&mut pool, transfer(&genesis, 2, 1, TO, 1)), "too many");
    // Unless it pays for it. An account never pushes out its own.
    add(&mut pool, paying(&genesis, 2, 1, 3)).unwrap();
    let order = numbers(&pool.candidates(&pool.state().clone()));
    assert_eq!(order.len(), 4);
    assert!(order.contains(&(account(2), 1)), "{order:?}");
    assert!(order.contains(&(account(3), 0)), "{order:?}");
    assert_eq!(pool.len(), 4);
}

#[test]
fn account_may_have_waiting_what_it_can_pay_the_fees_of() {
    let (mut pool, genesis) = pool(PoolLimits::default());
    let balance = Amount::tft(1_000_000).unwrap();
    let mut greedy = transfer(&genesis, 1, 0, TO, 1).transaction;
    greedy.fee = Amount(balance.0 / 2 + 1);
    let first = greedy.clone().sign(&crate::testing::key(1));
    greedy.nonce = 1;
    let second = greedy.sign(&crate::testing::key(1));
    add(&mut pool, first).unwrap();
    check_refused(add(&mut pool, second), "holds");
}
