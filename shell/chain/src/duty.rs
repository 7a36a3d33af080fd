//! What a seated validator owes the grid besides votes, done without anybody asking: its turn at
//! the randomness of each epoch, and evidence against validators that contradicted themselves.

use acre_crypto::SigningKey;
use acre_engine::{Contradiction, Evidence, Said};
use acre_ledger::vote::{Accusation, SignedVote, Vote};
use acre_ledger::{
    Action, Fault, SignedTransaction, State, StateError, Transaction, beacon, check_tx,
};
use acre_types::{AccountId, Amount, Digest, PublicKey, Signature, UnixMs};

/// The transaction that this validator should submit now; `None` if it has no seat, or has had its
/// turn in this epoch and nobody to accuse. Evidence that the ledger will not take is forgotten.
///
/// # Errors
/// A damaged state.
pub fn due(
    state: &State,
    key: &SigningKey,
    evidence: &Evidence,
) -> Result<Option<SignedTransaction>, StateError> {
    if let Some(action) = beacon::due_turn(state, &key.public(), key.seed())? {
        return sign(state, key, action).map(Some);
    }
    for contradiction in evidence.all() {
        let accusation = accusation(&contradiction);
        if accusation.verify(&state.grid().chain).is_err() {
            evidence.forget(&contradiction);
            continue;
        }
        let signed = sign(state, key, Action::AccuseValidator(accusation))?;
        // No rule about accusations looks at the time.
        match check_tx(state, &signed, UnixMs(0)) {
            Ok(()) => return Ok(Some(signed)),
            Err(Fault::State(error)) => return Err(error),
            Err(reason) => {
                tracing::debug!(%reason, "evidence is of no use");
                evidence.forget(&contradiction);
            }
        }
    }
    Ok(None)
}

/// Evidence of the engine as the ledger reads it.
#[must_use]
pub fn accusation(contradiction: &Contradiction) -> Accusation {
    let Contradiction { validator, term, view, votes } = *contradiction;
    let signed = |(said, signature): (Said, [u8; 64])| {
        let vote = match said {
            Said::Notarize { parent, block } => Vote::Notarize { parent, block: Digest(block) },
            Said::Nullify => Vote::Nullify,
            Said::Finalize { parent, block } => Vote::Finalize { parent, block: Digest(block) },
        };
        SignedVote { vote, signature: Signature(signature) }
    };
    let [first, second] = votes.map(signed);
    Accusation { validator: PublicKey(validator), term, view, first, second }
}

fn sign(state: &State, key: &SigningKey, action: Action) -> Result<SignedTransaction, StateError> {
    let from = AccountId::from(key.public());
    let (chain, fee) = (state.grid().chain, Amount::ZERO);
    let nonce = state.read(&from)?.unwrap_or_default().nonce;
    let transaction = Transaction { chain, from, nonce, fee, action };
    Ok(transaction.sign(key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{genesis, key};
    use acre_ledger::{Event, TheBeacon, Verified, apply_block};
    use acre_types::Height;

    #[test]
    fn validator_takes_its_turn_once_an_epoch_and_reveals_what_it_committed_to() {
        let own = key(1);
        let genesis = genesis(&[own.public().0]);
        let mut state = genesis.state().unwrap();
        let none = Evidence::default();
        assert!(due(&state, &key(2), &none).unwrap().is_none(), "no seat, no duty");
        let (mut reveals, mut turns) = (0, 0);
        let step = genesis.parameters.capacity.epoch_ms / 2;
        // One epoch is skipped: the grid was down.
        for (height, half) in [1, 2, 3, 4, 5, 6, 11, 12, 13, 14].into_iter().enumerate() {
            let transaction = due(&state, &own, &none).unwrap();
            if let Some(signed) = &transaction
                && let Action::TurnBeacon { reveal: Some(_), .. } = signed.transaction.action
            {
                reveals += 1;
            }
            let transactions: Vec<_> =
                transaction.into_iter().map(|signed| Verified::new(signed).unwrap()).collect();
            let (height, time) = (Height(height as u64 + 1), UnixMs(genesis.time.0 + half * step));
            // An epoch that begins with this very block takes the turn of the one before no more.
            let applied = apply_block(&state, &transactions, height, time)
                .or_else(|_| apply_block::<Verified>(&state, &[], height, time))
                .unwrap();
            turns +=
                applied.events.iter().filter(|e| matches!(e, Event::BeaconTurned { .. })).count();
            state = applied.state;
        }
        assert!(turns >= 4, "{turns}");
        assert!(reveals >= 3, "{reveals}");
        let beacon = state.read(&TheBeacon).unwrap().unwrap();
        assert_eq!(beacon.turn(&own.public()).unwrap().missed, 0);
    }
}
