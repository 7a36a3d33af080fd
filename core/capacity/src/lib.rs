//! Proofs of capacity: what a node shows, and what its witnesses ask.
//!
//! Free space is shown by [`plot`]s: data bound to the node's key that is slow to compute and read
//! back at random. Sold space is shown by random leaves of the shards themselves. Both stand in one
//! [`index`], a sum tree to which the node commits before it learns which bytes are asked; a leaf
//! and its path in BLAKE3's own tree ([`tree`]) are the answer. Cores and memory are shown by a
//! timed [`puzzle`], and how fast storage is by a timed [`chase`] through it. [`duty`] is the witness: a machine that asks at times nobody else can foresee
//! and ends in one [`duty::Report`] an epoch. The protocol, its figures and what it does not prevent are in
//! `docs/protocols/witnesses.md`.
//!
//! Nothing here knows a socket, a file, a clock, the ledger, or how shards are laid out: a shell
//! reads contracts and headers, and hands in what it found.
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

pub mod chase;
mod draw;
pub mod duty;
mod error;
#[cfg(test)]
mod formats_tests;
pub mod index;
pub mod limits;
pub mod message;
pub mod plot;
pub mod prove;
pub mod puzzle;
pub mod tree;
pub mod verify;

pub use error::CapacityError;
