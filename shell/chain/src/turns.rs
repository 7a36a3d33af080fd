//! A validator's own duty on the ledger: its turn at the beacon, once an epoch.
//!
//! Whenever readers see a new block, the state after it says whether a turn is due; it goes into our
//! own pool and to the other validators, like what a client brings. Nothing is remembered: a turn
//! that was lost is still due after the next block, and is the very same transaction.

use std::sync::Arc;

use acre_crypto::{Secret, SigningKey};
use acre_ledger::{State, StateError, Transaction, Verified, beacon};
use acre_types::{AccountId, Amount};
use tokio::task::AbortHandle;

use crate::mempool::{Admission, Origin};
use crate::shared::Shared;

/// The task that takes turns; stops when dropped.
pub(crate) struct Turns(AbortHandle);

impl Turns {
    /// Must be called within a Tokio runtime.
    pub(crate) fn start(shared: Arc<Shared>, key: SigningKey) -> Self {
        Self(tokio::spawn(run(shared, key)).abort_handle())
    }
}

impl Drop for Turns {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn run(shared: Arc<Shared>, key: SigningKey) {
    let root = key.seed().derive("acre 2026-11 validator beacon", &[]);
    let mut heads = shared.head.subscribe();
    loop {
        let state = heads.borrow_and_update().as_ref().map(|head| head.state.clone());
        match state.map_or(Ok(None), |state| due(&state, &key, &root)) {
            Ok(None) => {}
            Ok(Some(turn)) => send(&shared, turn),
            Err(error) => tracing::error!(%error, "cannot tell whether a turn is due"),
        }
        if heads.changed().await.is_err() {
            return;
        }
    }
}

/// The turn that this validator owes after this state, signed.
fn due(state: &State, key: &SigningKey, root: &Secret) -> Result<Option<Verified>, StateError> {
    let Some(action) = beacon::due_turn(state, &key.public(), root)? else { return Ok(None) };
    let from = AccountId::from(key.public());
    let nonce = state.read(&from)?.unwrap_or_default().nonce;
    let chain = state.grid().chain;
    let turn = Transaction { chain, from, nonce, fee: Amount::ZERO, action };
    Ok(Verified::new(turn.sign(key)).ok())
}

fn send(shared: &Shared, turn: Verified) {
    let turn = Arc::new(turn);
    let taken = shared.pool().insert(Arc::clone(&turn), Origin::Client);
    match taken {
        Ok(Admission::Check) => {
            shared.wake.notify_one();
            // Fails if there is no other validator.
            let _ = shared.outgoing.send(turn);
        }
        // It waits already, or another transaction of ours has to go first.
        Ok(_) => {}
        Err(refused) => tracing::debug!(%refused, "a turn at the beacon waits"),
    }
}

#[cfg(test)]
mod tests {
    use acre_ledger::{Action, TheBeacon, build_block};
    use acre_types::{Height, UnixMs};

    use super::*;
    use crate::testing::{genesis, key};

    #[test]
    fn turn_is_due_until_it_is_taken_and_again_in_the_next_epoch() {
        let validator = key(0);
        let genesis = genesis(&[validator.public().0]);
        let root = Secret::new([1; 32]);
        let mut state = genesis.state().unwrap();
        let mut now = genesis.time.0;
        for epoch in 0..3 {
            let turn = due(&state, &validator, &root).unwrap().unwrap();
            assert_eq!(due(&state, &validator, &root).unwrap().unwrap().id(), turn.id());
            let built = build_block(&state, [turn], Height(epoch + 1), UnixMs(now)).unwrap();
            assert!(built.skipped.is_empty(), "{:?}", built.skipped);
            let [signed] = &built.payload.transactions[..] else { panic!("one turn") };
            let reveals =
                matches!(signed.transaction.action, Action::TurnBeacon { reveal: Some(_), .. });
            assert_eq!(reveals, epoch > 0);
            state = built.applied.state;
            assert!(due(&state, &validator, &root).unwrap().is_none());
            now += state.parameters().unwrap().capacity.epoch_ms;
            let next = build_block::<Verified>(&state, [], Height(epoch + 2), UnixMs(now)).unwrap();
            state = next.applied.state;
        }
        let beacon = state.read(&TheBeacon).unwrap().unwrap();
        let turn = beacon.turn(&validator.public()).unwrap();
        assert_eq!((turn.given, turn.missed), (2, 0));
        assert!(due(&state, &key(1), &root).unwrap().is_none());
    }
}
