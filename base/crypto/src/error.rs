//! What can be wrong with a key, a signature, a seal or a phrase.

/// Bytes that fail a cryptographic check. Never says more: a finer answer would help a forger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CryptoError {
    /// The signature is not this key's over this message.
    #[error("the signature is not valid")]
    BadSignature,
    /// The sealed bytes were changed, or sealed under another key, nonce or context.
    #[error("the sealed data is damaged or was sealed under another key")]
    BadSeal,
}

/// Why some words are not a recovery phrase. Tells places, never repeats good words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PhraseError {
    /// Not 24 of them.
    #[error("a recovery phrase has 24 words, but {count} were given")]
    Count {
        /// Words given.
        count: usize,
    },
    /// A word that is not in the list.
    #[error("word {position} ('{word}') is not a word of recovery phrases{}", suggest(.nearest.as_deref()))]
    Unknown {
        /// Counted from 1.
        position: usize,
        /// The word as given.
        word: String,
        /// A listed word that begins alike.
        nearest: Option<String>,
    },
    /// All words are known, but the checksum in the last one does not fit.
    #[error(
        "the words do not fit together: one is wrong or two are swapped (their checksum fails)"
    )]
    Checksum,
}

fn suggest(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |word| format!("; did you mean '{word}'?"))
}
