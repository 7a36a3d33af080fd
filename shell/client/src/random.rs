//! Randomness of the operating system: drawn here and nowhere below.

use std::io::Read;
use std::path::Path;

use acre_crypto::Secret;
use acre_store::Entropy;

use crate::ClientError;

const SOURCE: &str = "/dev/urandom";

/// 32 bytes that nobody can guess.
///
/// # Errors
/// The operating system has none to give.
pub(crate) fn secret() -> Result<Secret, ClientError> {
    let mut bytes = [0; 32];
    let read = std::fs::File::open(SOURCE).and_then(|mut file| file.read_exact(&mut bytes));
    read.map_err(ClientError::io("drawing randomness from", Path::new(SOURCE)))?;
    Ok(Secret::new(bytes))
}

/// A fresh generator.
pub(crate) fn entropy() -> Result<Entropy, ClientError> {
    secret().map(Entropy::new)
}

/// 8 random bytes as a number.
pub(crate) fn number() -> Result<u64, ClientError> {
    let secret = secret()?;
    let first = secret.expose().first_chunk::<8>().expect("32 bytes hold 8");
    Ok(u64::from_le_bytes(*first))
}
