//! What can be wrong with a text that should become one of our values.

/// Why a text or a number is not a value of the wanted type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// Not the right count of hexadecimal digits, or another character among them.
    #[error("expected {digits} hexadecimal digits, got '{given}'")]
    Hex {
        /// Digits wanted.
        digits: usize,
        /// The text as given.
        given: String,
    },
    /// Not a number with a unit, as in `10GiB`.
    #[error("'{given}' is not a size; write it like 512KiB, 10GiB or 1000000")]
    Bytes {
        /// The text as given.
        given: String,
    },
    /// Not a decimal number of tokens with at most seven places.
    #[error("'{given}' is not an amount; write it like 12 or 0.0000001 (TFT)")]
    Amount {
        /// The text as given.
        given: String,
    },
    /// No profile of this name.
    #[error("'{given}' is not a profile; there are tiny, ten, standard, lean, wide and fortress")]
    Profile {
        /// The text as given.
        given: String,
    },
    /// A shard index at or past the number of shards of the profile.
    #[error("shard index {index} is out of range: the profile has {shards} shards")]
    ShardIndex {
        /// The index as given.
        index: usize,
        /// Shards in the profile.
        shards: usize,
    },
    /// Text longer than its field allows.
    #[error("text of {length} bytes is too long: at most {max} fit here")]
    TooLong {
        /// Bytes given.
        length: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// Not two capital letters as in ISO 3166-1 alpha-2.
    #[error("'{given}' is not a country code of two capital letters, like BE")]
    Country {
        /// The text as given.
        given: String,
    },
    /// Not a whole number.
    #[error("'{given}' is not a whole number")]
    Number {
        /// The text as given.
        given: String,
    },
}
