//! One canonical binary form for everything that is signed or stored.
//!
//! The form is Borsh (<https://borsh.io>, little endian, no padding, sorted maps): each value has
//! exactly one encoding and each encoding that decodes is the encoding of its value. What Borsh
//! leaves open is closed here: a decoder reads all its bytes or fails, and collections carry their
//! limit in their type ([`List`], [`Blob`]), so that a stranger's length field costs nothing.
//!
//! Formats are pinned by golden files; see [`golden`].
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

mod bounded;
mod error;
pub mod golden;

pub use borsh::{BorshDeserialize as Decode, BorshSerialize as Encode};
pub use bounded::{Blob, List};
pub use error::CodecError;

/// The canonical bytes of `value`.
///
/// # Panics
/// Only for a collection of more than `u32::MAX` items, which no type of ours can hold.
pub fn encode<T: Encode + ?Sized>(value: &T) -> Vec<u8> {
    borsh::to_vec(value).expect("writing to memory fails only past 2^32 items")
}

/// The value whose canonical bytes these are.
///
/// # Errors
/// Bytes missing, left over, out of a type's range or past its limits.
pub fn decode<T: Decode>(bytes: &[u8]) -> Result<T, CodecError> {
    borsh::from_slice(bytes).map_err(|source| CodecError::Malformed {
        what: std::any::type_name::<T>(),
        bytes: bytes.len(),
        reason: source.to_string(),
    })
}

/// As [`decode`], for bytes whose total length has a limit of its own.
///
/// # Errors
/// More than `bytes_max` bytes, or as [`decode`].
pub fn decode_bounded<T: Decode>(bytes: &[u8], bytes_max: usize) -> Result<T, CodecError> {
    if bytes.len() > bytes_max {
        return Err(CodecError::TooLarge {
            what: std::any::type_name::<T>(),
            bytes: bytes.len(),
            bytes_max,
        });
    }
    decode(bytes)
}

/// Decodes a value from the front of `bytes` and moves `bytes` past it.
///
/// # Errors
/// As [`decode`], but bytes may be left over.
pub fn decode_prefix<T: Decode>(bytes: &mut &[u8]) -> Result<T, CodecError> {
    let length = bytes.len();
    T::deserialize(bytes).map_err(|source| CodecError::Malformed {
        what: std::any::type_name::<T>(),
        bytes: length,
        reason: source.to_string(),
    })
}
