//! Keys, signatures, sealing and hashing: a thin cover over `aws-lc-rs`, `blake3` and `bip39`.
//!
//! No primitive is home-made; one equation over another's points is ([`verify_zip215`]). Secrets are wiped when dropped and have no `Debug`. Every signature
//! has a domain, every derived key a context. Randomness is handed in: this crate draws none.
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

pub mod aead;
pub mod aont;
mod error;
pub mod hash;
mod phrase;
mod secret;
mod sign;
mod zip215;

pub use error::{CryptoError, PhraseError};
pub use hash::{Hasher, digest};
pub use phrase::Phrase;
pub use secret::Secret;
pub use sign::{Domain, SigningKey, verify, verify_bytes};
pub use zip215::verify_zip215;
