//! Collections with a limit in their type.

use std::io;
use std::ops::Deref;

use borsh::{BorshDeserialize, BorshSerialize};

use crate::CodecError;

/// Memory set aside before any item of a list was read, in items. A length field alone must not
/// make us allocate more than this.
const ITEMS_AHEAD: usize = 64;
/// The same for a blob, in bytes.
const BYTES_AHEAD: usize = 64 * 1024;

fn too_many(items: usize, items_max: usize) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, CodecError::TooMany { items, items_max })
}

fn read_length<R: io::Read>(reader: &mut R, max: usize) -> io::Result<usize> {
    let length = usize::try_from(u32::deserialize_reader(reader)?).unwrap_or(usize::MAX);
    if length > max { Err(too_many(length, max)) } else { Ok(length) }
}

/// At most `MAX` items.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize)]
pub struct List<T, const MAX: usize>(Vec<T>);

impl<T, const MAX: usize> Default for List<T, MAX> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T, const MAX: usize> List<T, MAX> {
    /// # Errors
    /// More than `MAX` items.
    pub fn new(items: Vec<T>) -> Result<Self, CodecError> {
        if items.len() > MAX {
            return Err(CodecError::TooMany { items: items.len(), items_max: MAX });
        }
        Ok(Self(items))
    }

    /// The items themselves.
    #[must_use]
    pub fn into_vec(self) -> Vec<T> {
        self.0
    }
}

impl<T, const MAX: usize> Deref for List<T, MAX> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T, const MAX: usize> TryFrom<Vec<T>> for List<T, MAX> {
    type Error = CodecError;
    fn try_from(items: Vec<T>) -> Result<Self, CodecError> {
        Self::new(items)
    }
}

impl<T: BorshDeserialize, const MAX: usize> BorshDeserialize for List<T, MAX> {
    fn deserialize_reader<R: io::Read>(reader: &mut R) -> io::Result<Self> {
        let length = read_length(reader, MAX)?;
        let mut items = Vec::with_capacity(length.min(ITEMS_AHEAD));
        for _ in 0..length {
            items.push(T::deserialize_reader(reader)?);
        }
        Ok(Self(items))
    }
}

/// At most `MAX` bytes.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize)]
pub struct Blob<const MAX: usize>(Vec<u8>);

impl<const MAX: usize> Blob<MAX> {
    /// # Errors
    /// More than `MAX` bytes.
    pub fn new(bytes: Vec<u8>) -> Result<Self, CodecError> {
        if bytes.len() > MAX {
            return Err(CodecError::TooMany { items: bytes.len(), items_max: MAX });
        }
        Ok(Self(bytes))
    }

    /// The bytes themselves.
    #[must_use]
    pub fn into_vec(self) -> Vec<u8> {
        self.0
    }
}

impl<const MAX: usize> std::fmt::Debug for Blob<MAX> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Blob({} bytes)", self.0.len())
    }
}

impl<const MAX: usize> Deref for Blob<MAX> {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl<const MAX: usize> TryFrom<Vec<u8>> for Blob<MAX> {
    type Error = CodecError;
    fn try_from(bytes: Vec<u8>) -> Result<Self, CodecError> {
        Self::new(bytes)
    }
}

impl<const MAX: usize> BorshDeserialize for Blob<MAX> {
    fn deserialize_reader<R: io::Read>(reader: &mut R) -> io::Result<Self> {
        let length = read_length(reader, MAX)?;
        let mut bytes = Vec::new();
        while bytes.len() < length {
            let have = bytes.len();
            bytes.resize(length.min(have.saturating_add(BYTES_AHEAD)), 0);
            let fresh = bytes.get_mut(have..).expect("resized past it just now");
            reader.read_exact(fresh)?;
        }
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{decode, encode};

    #[test]
    fn limit_holds_for_values_and_bytes() {
        let full = List::<u16, 3>::new(vec![1, 2, 3]).unwrap();
        let bytes = encode(&full);
        assert_eq!(decode::<List<u16, 3>>(&bytes).unwrap(), full);
        assert!(decode::<List<u16, 2>>(&bytes).is_err());
        assert!(List::<u16, 2>::new(vec![1, 2, 3]).is_err());
        assert!(Blob::<2>::new(vec![0; 3]).is_err());
        assert!(decode::<Blob<2>>(&encode(&vec![0_u8; 3])).is_err());
    }

    #[test]
    fn length_field_alone_allocates_nothing() {
        let lie = u32::MAX.to_le_bytes();
        assert!(decode::<Blob<{ usize::MAX }>>(&lie).is_err());
        assert!(decode::<List<u64, { usize::MAX }>>(&lie).is_err());
    }

    #[test]
    fn left_over_bytes_are_refused() {
        let mut bytes = encode(&7_u32);
        bytes.push(0);
        assert!(decode::<u32>(&bytes).is_err());
    }

    proptest! {
        #[test]
        fn one_encoding_per_value(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            type Sample = (Option<List<(u8, bool), 4>>, Blob<16>);
            if let Ok(value) = decode::<Sample>(&bytes) {
                prop_assert_eq!(encode(&value), bytes);
            }
        }
    }
}
