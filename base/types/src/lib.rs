//! The vocabulary of Acre: ids, keys, units, money, time, profiles.
//!
//! Values only: nothing here has state, does I/O or knows a protocol. Whatever is wrong with a
//! stranger's bytes is found when one of these is made from them, and never checked again below.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::arithmetic_side_effects,
        clippy::indexing_slicing,
        reason = "tests"
    )
)]

mod amount;
mod bytes;
mod error;
mod hex;
mod id;
mod machine;
mod profile;
mod text;
mod time;

pub use amount::Amount;
pub use bytes::Bytes;
pub use error::ParseError;
pub use id::{AccountId, ContractId, Digest, FarmId, NodeId, PackId, PublicKey, Signature};
pub use machine::Machine;
pub use profile::{Profile, ShardIndex};
pub use text::{Country, Text};
pub use time::{Epoch, Height, Tick, UnixMs};
