//! Files as chunks, packs, shards, trees and heads: the formats, and the machines that move them.
//!
//! The way of a file: [`chunk`] cuts it, [`compress`] shrinks what pays, [`pack`] seals the pieces,
//! joins them and codes them into shards, [`shard`] is what a node keeps, [`tree`] remembers where
//! everything is, and [`head`] is the one mutable thing: a signed pointer to the newest tree.
//! [`protocol`] is what a client and a node say to each other. [`keys`] derives every key.
//!
//! Nothing here knows a socket, a file, a clock or the ledger. Randomness is a seed handed in
//! ([`Entropy`]); metadata is loaded and saved through [`tree::Nodes`].
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::arithmetic_side_effects,
        clippy::indexing_slicing,
        clippy::cast_possible_truncation,
        reason = "tests"
    )
)]

pub mod chunk;
pub mod compress;
mod entropy;
mod error;
#[cfg(test)]
mod formats_tests;
pub mod head;
pub mod keys;
pub mod limits;
pub mod machine;
pub mod pack;
pub mod protocol;
pub mod shard;
#[cfg(test)]
mod testing;
pub mod tree;

pub use entropy::Entropy;
pub use error::StoreError;
