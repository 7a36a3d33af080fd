//! What a head points to.

use acre_codec::{Decode, Encode};
use acre_types::UnixMs;

use super::{Directory, MetaRef};
use crate::StoreError;
use crate::limits::SEALED_ROOT_BYTES_MAX;

/// One state of a volume.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Root {
    /// All that is in it; totals are the directory's.
    pub tree: Directory,
    /// The state before, saved as a metadata chunk; none for the first.
    pub previous: Option<MetaRef>,
    /// When it was made, by its writer's clock.
    pub created: UnixMs,
}

impl Root {
    /// An empty volume.
    #[must_use]
    pub fn empty(created: UnixMs) -> Self {
        Self { tree: Directory::empty(), previous: None, created }
    }

    /// Decodes a root saved as a chunk.
    ///
    /// # Errors
    /// Bytes that are no root.
    pub fn decode(bytes: &[u8]) -> Result<Self, StoreError> {
        Ok(acre_codec::decode_bounded(bytes, SEALED_ROOT_BYTES_MAX)?)
    }
}
