//! Randomness from the operating system.

use std::fs::File;
use std::io::Read;

use acre_crypto::Secret;
use anyhow::Context as _;

use crate::exit::Outcome;

/// 32 fresh random bytes.
pub(crate) fn secret() -> Outcome<Secret> {
    bytes().map(Secret::new)
}

/// 32 fresh random bytes, bare.
pub(crate) fn bytes() -> Outcome<[u8; 32]> {
    let mut bytes = [0; 32];
    File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut bytes))
        .context("the system gives no randomness")?;
    Ok(bytes)
}
