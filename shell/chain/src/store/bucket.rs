//! Lists of entries: the layout of buckets and of one block's changes.
//!
//! ```text
//! entries = entry*
//! entry   = key length u16 | key | value length + 1 as u32, 0 for "removed" | value
//! ```
//! Integers are little endian. A bucket's entries are sorted by key and none is removed; a block's
//! changes come in the ledger's order.

use std::collections::BTreeMap;

use crate::error::StoreError;
use crate::limits::{BUCKETS, KEY_BYTES_MAX, VALUE_BYTES_MAX};

/// Changes of one bucket that are newer than its blob: key -> new value, `None` for removed.
pub(super) type Pending = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// The bucket of a key: the first bits of its BLAKE3 hash.
pub(super) fn of(key: &[u8]) -> u16 {
    let digest = acre_crypto::digest(key);
    u16::from_le_bytes([digest.0[0], digest.0[1]]) & (BUCKETS - 1)
}

/// Appends one entry.
///
/// # Errors
/// [`StoreError::EntryTooLarge`].
pub(super) fn push(out: &mut Vec<u8>, key: &[u8], value: Option<&[u8]>) -> Result<(), StoreError> {
    let value_bytes = value.map_or(0, <[u8]>::len);
    let too_large = || StoreError::EntryTooLarge { key_bytes: key.len(), value_bytes };
    if key.len() > KEY_BYTES_MAX || value_bytes > VALUE_BYTES_MAX {
        return Err(too_large());
    }
    let key_length = u16::try_from(key.len()).map_err(|_| too_large())?;
    let value_length = match value {
        Some(value) => u32::try_from(value.len() + 1).map_err(|_| too_large())?,
        None => 0,
    };
    out.extend_from_slice(&key_length.to_le_bytes());
    out.extend_from_slice(key);
    out.extend_from_slice(&value_length.to_le_bytes());
    out.extend_from_slice(value.unwrap_or_default());
    Ok(())
}

/// Walks entries; an error ends the walk.
pub(super) struct Entries<'a>(pub(super) &'a [u8]);

impl<'a> Entries<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn entry(&mut self) -> Option<(&'a [u8], Option<&'a [u8]>)> {
        let key_length = u16::from_le_bytes(self.take(2)?.try_into().ok()?);
        let key = self.take(usize::from(key_length))?;
        let value_length = u32::from_le_bytes(self.take(4)?.try_into().ok()?);
        let value = match usize::try_from(value_length).ok()?.checked_sub(1) {
            Some(length) => Some(self.take(length)?),
            None => None,
        };
        Some((key, value))
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<(&'a [u8], Option<&'a [u8]>), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let entry = self.entry();
        if entry.is_none() {
            self.0 = &[];
        }
        Some(entry.ok_or(StoreError::Damaged { what: "list of state entries" }))
    }
}

/// Gives the entries of a bucket as they are now, in order of their keys.
pub(super) fn merge(
    blob: &[u8],
    pending: &Pending,
    mut give: impl FnMut(&[u8], &[u8]) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut newer = pending.iter().peekable();
    for entry in Entries(blob) {
        let (key, old) = entry?;
        while let Some((fresh, value)) = newer.next_if(|(fresh, _)| fresh.as_slice() < key) {
            if let Some(value) = value {
                give(fresh, value)?;
            }
        }
        let value = match newer.next_if(|(fresh, _)| fresh.as_slice() == key) {
            Some((_, value)) => value.as_deref(),
            None => old,
        };
        if let Some(value) = value {
            give(key, value)?;
        }
    }
    for (key, value) in newer {
        if let Some(value) = value {
            give(key, value)?;
        }
    }
    Ok(())
}
