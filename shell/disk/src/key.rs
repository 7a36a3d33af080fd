//! What a record is found by: a short opaque byte string.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use crate::error::Error;
use crate::limits::KEY_BYTES_MAX;

/// Opaque key of a record: 1 to [`KEY_BYTES_MAX`] bytes, ordered as byte strings.
#[derive(Clone, Copy)]
pub struct Key {
    len: u8,
    bytes: [u8; KEY_BYTES_MAX],
}

impl Key {
    /// Makes a key of `bytes`.
    ///
    /// # Errors
    /// [`Error::KeyLength`] when `bytes` is empty or longer than [`KEY_BYTES_MAX`].
    pub fn new(bytes: &[u8]) -> Result<Self, Error> {
        let refuse = Error::KeyLength { len: bytes.len(), max: KEY_BYTES_MAX };
        if bytes.is_empty() || bytes.len() > KEY_BYTES_MAX {
            return Err(refuse);
        }
        let Ok(len) = u8::try_from(bytes.len()) else { return Err(refuse) };
        let mut own = [0; KEY_BYTES_MAX];
        own[..bytes.len()].copy_from_slice(bytes);
        Ok(Self { len, bytes: own })
    }

    /// The key's bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl TryFrom<&[u8]> for Key {
    type Error = Error;

    fn try_from(bytes: &[u8]) -> Result<Self, Error> {
        Self::new(bytes)
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Key {}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({self})")
    }
}
