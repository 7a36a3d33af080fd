//! Commitments and reveals of validators, and the seed that comes of them.

use acre_codec::List;
use acre_types::{AccountId, Digest, Epoch, PublicKey};

use super::{Done, Work};
use crate::beacon;
use crate::error::{Refusal, StateError};
use crate::event::Event;
use crate::key::{TheBeacon, TheEpoch};
use crate::limits::VALIDATORS_MAX;
use crate::object::{Beacon, EpochState, Turn};
use crate::overlay::Overlay;

/// Free for a validator that holds a seat, in the epoch that runs, if it did not commit in it yet.
pub(super) fn admit_turn(
    overlay: &mut Overlay<'_>,
    from: AccountId,
    epoch: Epoch,
    reveal: Option<&Digest>,
) -> Done {
    let wanted = overlay.must(&TheEpoch)?.number;
    if epoch != wanted {
        return Err(Refusal::WrongEpoch { given: epoch, wanted }.into());
    }
    let beacon = overlay.must(&TheBeacon)?;
    let validator = PublicKey(from.0);
    let turn = beacon.turn(&validator).ok_or(Refusal::NoSeat { account: from })?;
    if turn.next.is_some() {
        return Err(Refusal::DoneThisEpoch { epoch }.into());
    }
    let Some(secret) = reveal else { return Ok(()) };
    let chain = overlay.base().grid().chain;
    let opens = turn.sealed == Some(beacon::commitment(&chain, &validator, secret));
    if opens { Ok(()) } else { Err(Refusal::BadReveal.into()) }
}

impl Work<'_> {
    /// New members take turns; former ones do no more, but what they committed to counts: they
    /// owe the secret until the epoch ends, and one that was revealed stays in the mix, or leaving
    /// would be a free way to withhold.
    pub(super) fn reseat_beacon(&mut self, members: &[PublicKey]) -> Result<(), StateError> {
        let old = self.overlay.must(&TheBeacon)?.turns.into_vec();
        let is_known = |key: &PublicKey| old.iter().any(|turn| turn.validator == *key);
        let mut turns: Vec<_> =
            members.iter().filter(|key| !is_known(key)).copied().map(Turn::of).collect();
        let (seated, mut gone): (Vec<_>, Vec<_>) =
            old.into_iter().partition(|turn| members.contains(&turn.validator));
        turns.extend(seated);
        gone.retain(|turn| turn.sealed.is_some());
        gone.truncate(VALIDATORS_MAX.saturating_sub(turns.len()));
        turns.extend(gone);
        turns.sort_by_key(|turn| turn.validator);
        self.overlay.put(&TheBeacon, beacon_of(turns));
        Ok(())
    }

    /// The turn was admitted.
    pub(super) fn turn_beacon(
        &mut self,
        from: AccountId,
        reveal: Option<Digest>,
        commit: Digest,
    ) -> Done {
        let beacon = self.overlay.must(&TheBeacon)?;
        let mut turns = beacon.turns.into_vec();
        let validator = PublicKey(from.0);
        let turn = turns
            .iter_mut()
            .find(|turn| turn.validator == validator)
            .ok_or(Refusal::NoSeat { account: from })?;
        turn.next = Some(commit);
        if reveal.is_some() {
            turn.revealed = reveal;
            turn.given = turn.given.saturating_add(1);
        }
        self.overlay.put(&TheBeacon, beacon_of(turns));
        self.events.push(Event::BeaconTurned { validator });
        Ok(())
    }

    /// The seed that follows the epoch `over`, and the turns of the epoch after it. A reveal that
    /// is missing counts as withheld, unless the grid was down for at least one `skipped` epoch:
    /// then there may have been no block to reveal in.
    pub(super) fn next_seed(
        &mut self,
        over: &EpochState,
        skipped: u64,
    ) -> Result<Digest, StateError> {
        let beacon = self.overlay.must(&TheBeacon)?;
        let revealed = beacon.turns.iter().filter_map(|turn| {
            let secret = turn.revealed.as_ref()?;
            Some((&turn.validator, secret))
        });
        let mix = beacon::mix(&over.seed, revealed);
        let mut turns = beacon.turns.into_vec();
        let mut withheld = Vec::new();
        for turn in &mut turns {
            let is_withheld = turn.sealed.is_some() && turn.revealed.is_none() && skipped == 0;
            if is_withheld {
                turn.missed = turn.missed.saturating_add(1);
                withheld.push(turn.validator);
            }
            turn.sealed = turn.next.take();
            turn.revealed = None;
        }
        // Who lost its seat stayed for the secret that it owed.
        let seats = self.seats()?;
        turns.retain(|turn| seats.members.iter().any(|seat| seat.validator == turn.validator));
        self.overlay.put(&TheBeacon, beacon_of(turns));
        for validator in withheld {
            self.miss_duty(validator)?;
        }
        Ok(beacon::delay(mix, self.parameters.capacity.beacon_steps))
    }
}

fn beacon_of(turns: Vec<Turn>) -> Beacon {
    Beacon { turns: List::new(turns).expect("as many as there are seats at most") }
}
