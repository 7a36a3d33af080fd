//! The decoders of what peers send, for fuzzing: each gives what it read in its bytes again.
//!
//! Votes and certificates of consensus are the engine library's; a vote is part of a pulse, a
//! certificate is read by [`crate::light`].

use crate::{block::Block, pulse::Pulse};
use commonware_codec::{Copying, Decode as _, Encode as _};

/// A beat, a question, or an answer.
#[must_use]
pub fn pulse(bytes: &[u8]) -> Option<Vec<u8>> {
    let pulse = Pulse::decode_cfg(Copying(bytes), &()).ok()?;
    Some(pulse.encode().to_vec())
}

/// A block as it is broadcast and fetched.
#[must_use]
pub fn block(bytes: &[u8]) -> Option<Vec<u8>> {
    let block = Block::decode_cfg(Copying(bytes), &()).ok()?;
    Some(block.encode().to_vec())
}
