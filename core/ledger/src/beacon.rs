//! Randomness that no single party chooses: what validators commit to in one epoch and reveal in
//! the next, mixed with the old seed and drawn through a chain of hashes that nobody can shorten.
//!
//! | value | formula |
//! |---|---|
//! | commitment | `H("acre 2026-11 beacon commitment", chain ++ validator ++ secret)` |
//! | mix | `H("acre 2026-11 beacon mix", seed ++ (validator ++ secret)*)`, by validator's key |
//! | next seed | BLAKE3 of the mix, of that, and so on, `beacon_steps` times |
//!
//! `H(context, bytes)` is BLAKE3 in a context of its own. All parts have 32 bytes. Neither the time
//! nor the number of an epoch, nor anything that the maker of a block chooses, goes into a seed.
//! What a validator can still do, and what it costs: `docs/protocols/randomness.md`.

use acre_crypto::{Hasher, Secret};
use acre_types::{Digest, Epoch, PublicKey};

use crate::error::StateError;
use crate::key::{Key, TheBeacon, TheEpoch};
use crate::state::State;
use crate::transaction::Action;

/// What a validator publishes in one epoch about the secret it will reveal in the next. Bound to
/// the chain and the validator, so that nobody can commit to another's secret.
#[must_use]
pub fn commitment(chain: &Digest, validator: &PublicKey, secret: &Digest) -> Digest {
    Hasher::new("acre 2026-11 beacon commitment")
        .update(&chain.0)
        .update(&validator.0)
        .update(&secret.0)
        .finish()
}

/// The mix of a seed and what was revealed, in the order of the validators' keys.
#[must_use]
pub fn mix<'a>(
    seed: &Digest,
    revealed: impl IntoIterator<Item = (&'a PublicKey, &'a Digest)>,
) -> Digest {
    let mut hasher = Hasher::new("acre 2026-11 beacon mix");
    hasher.update(&seed.0);
    for (validator, secret) in revealed {
        hasher.update(&validator.0).update(&secret.0);
    }
    hasher.finish()
}

/// The seed after `steps` hashes, each of the one before: takes its time on any machine, since
/// none of them can begin before the last is done.
#[must_use]
pub fn delay(mix: Digest, steps: u32) -> Digest {
    (0..steps).fold(mix, |digest, _| acre_crypto::digest(&digest.0))
}

/// What a validator does for the beacon now: a [`Action::TurnBeacon`] to be sent from the account
/// of its key, or `None` if it did its part in this epoch or holds no seat.
///
/// Its secrets follow from `root`, which is its own and never changes: so it need not remember any,
/// and gives the same turn again after a restart or from an old backup.
///
/// # Errors
/// A damaged state.
pub fn due_turn(
    state: &State,
    validator: &PublicKey,
    root: &Secret,
) -> Result<Option<Action>, StateError> {
    let beacon = state.read(&TheBeacon)?.ok_or(StateError::Missing { key: Key::Beacon })?;
    let epoch = state.read(&TheEpoch)?.ok_or(StateError::Missing { key: Key::Epoch })?;
    let Some(turn) = beacon.turn(validator).filter(|turn| turn.next.is_none()) else {
        return Ok(None);
    };
    let chain = &state.grid().chain;
    let secret = |epoch: Epoch| {
        let path = [&chain.0[..], &epoch.0.to_le_bytes()].concat();
        Digest(*root.derive("acre 2026-11 beacon secret", &path).expose())
    };
    // What is sealed now was committed to in the last epoch that was.
    let sealed = epoch.past.map(|past| secret(past.number));
    let reveal = sealed.filter(|it| turn.sealed == Some(commitment(chain, validator, it)));
    let commit = commitment(chain, validator, &secret(epoch.number));
    Ok(Some(Action::TurnBeacon { epoch: epoch.number, reveal, commit }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_of_a_commitment_and_a_mix_counts() {
        let (chain, validator, secret) = (Digest([1; 32]), PublicKey([2; 32]), Digest([3; 32]));
        let other = Digest([4; 32]);
        let one = commitment(&chain, &validator, &secret);
        assert_ne!(one, commitment(&other, &validator, &secret));
        assert_ne!(one, commitment(&chain, &PublicKey([4; 32]), &secret));
        assert_ne!(one, commitment(&chain, &validator, &other));
        let all = mix(&chain, [(&validator, &secret)]);
        assert_ne!(all, mix(&other, [(&validator, &secret)]));
        assert_ne!(all, mix(&chain, []));
        assert_ne!(all, mix(&chain, [(&validator, &other)]));
    }

    #[test]
    fn delay_is_a_chain_of_hashes() {
        let start = Digest([5; 32]);
        assert_eq!(delay(start, 0), start);
        assert_eq!(delay(start, 5), delay(delay(start, 2), 3));
        assert_eq!(delay(start, 1), acre_crypto::digest(&start.0));
    }
}
