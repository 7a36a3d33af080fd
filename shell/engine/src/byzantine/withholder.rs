//! An honest engine whose blocks, or votes, reach nobody: it talks on a channel that none listens to.

use super::Actor;
use crate::wiring::CHANNELS;

/// Added to a channel's number where nobody listens.
const NOWHERE: u64 = 1_000;

/// Positions in [`CHANNELS`].
const VOTES: usize = 0;
const BROADCAST: usize = 3;
const BACKFILL: usize = 4;

/// The number that this actor really uses for the channel at this position.
pub(crate) fn deaf_channel(actor: Option<Actor>, position: usize) -> u64 {
    let silent = match actor {
        Some(Actor::Withholder) => position == BROADCAST || position == BACKFILL,
        Some(Actor::Mute) => position == VOTES,
        _ => false,
    };
    CHANNELS[position].0 + if silent { NOWHERE } else { 0 }
}
