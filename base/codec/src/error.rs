//! Why bytes are not a value.

/// Bytes that are not the canonical form of the wanted type. The sender is to blame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// Missing, left over or invalid bytes.
    #[error("{bytes} bytes are not a valid {what}: {reason}")]
    Malformed {
        /// The wanted type.
        what: &'static str,
        /// Bytes given.
        bytes: usize,
        /// What was wrong with them.
        reason: String,
    },
    /// More bytes than such a value may have.
    #[error("{bytes} bytes are too many for a {what}: at most {bytes_max} are accepted")]
    TooLarge {
        /// The wanted type.
        what: &'static str,
        /// Bytes given.
        bytes: usize,
        /// Bytes allowed.
        bytes_max: usize,
    },
    /// More items than a collection may hold.
    #[error("{items} items are too many: at most {items_max} fit here")]
    TooMany {
        /// Items given.
        items: usize,
        /// Items allowed.
        items_max: usize,
    },
}
