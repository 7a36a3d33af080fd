//! The 24 words from which everything a person owns can be had again (BIP-39, English, 256 bits).

use bip39::{Language, Mnemonic};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::{PhraseError, Secret};

const WORDS: usize = 24;

/// 256 bits of entropy and their 24 words. No `Debug`; wiped when dropped.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Phrase([u8; 32]);

impl Phrase {
    /// The phrase of 32 random bytes.
    #[must_use]
    pub const fn from_entropy(entropy: [u8; 32]) -> Self {
        Self(entropy)
    }

    /// Reads 24 words apart by white space, in any case.
    ///
    /// # Errors
    /// A wrong count, an unknown word with its place, or a failing checksum.
    pub fn parse(words: &str) -> Result<Self, PhraseError> {
        let words: Vec<String> = words.split_whitespace().map(str::to_lowercase).collect();
        if words.len() != WORDS {
            return Err(PhraseError::Count { count: words.len() });
        }
        for (index, word) in words.iter().enumerate() {
            if Language::English.find_word(word).is_none() {
                return Err(PhraseError::Unknown {
                    position: index.saturating_add(1),
                    word: word.chars().take(20).collect(),
                    nearest: nearest(word),
                });
            }
        }
        let mnemonic = Mnemonic::parse_in_normalized(Language::English, &words.join(" "))
            .map_err(|_| PhraseError::Checksum)?;
        let mut entropy = mnemonic.to_entropy();
        let phrase =
            Self(entropy.as_slice().try_into().expect("24 words carry 32 bytes of entropy"));
        entropy.zeroize();
        Ok(phrase)
    }

    /// The 24 words with a space between; wipe them after use.
    #[must_use]
    pub fn words(&self) -> zeroize::Zeroizing<String> {
        let mnemonic = Mnemonic::from_entropy_in(Language::English, &self.0)
            .expect("32 bytes are an entropy of BIP-39");
        zeroize::Zeroizing::new(mnemonic.to_string())
    }

    /// The root of the key tree.
    #[must_use]
    pub fn root(&self) -> Secret {
        Secret::new(self.0).derive("acre 2026-11 root of a person's key tree", b"")
    }
}

/// The listed word that shares the longest beginning, if at least two letters.
fn nearest(word: &str) -> Option<String> {
    let shared =
        |listed: &str| listed.bytes().zip(word.bytes()).take_while(|(a, b)| a == b).count();
    let best = Language::English.word_list().iter().max_by_key(|listed| {
        let length_apart = listed.len().abs_diff(word.len());
        (shared(listed), usize::MAX.saturating_sub(length_apart))
    })?;
    (shared(best) >= 2).then(|| (*best).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phrase_survives_words() {
        let phrase = Phrase::from_entropy(std::array::from_fn(|i| i as u8));
        let words = phrase.words();
        assert_eq!(words.split(' ').count(), 24);
        let again = Phrase::parse(&format!("  {} \n", words.to_uppercase())).ok().unwrap();
        assert_eq!(again.root().expose(), phrase.root().expose());
    }

    #[test]
    fn agrees_with_bip_39() {
        let zero = Phrase::from_entropy([0; 32]);
        assert!(zero.words().starts_with("abandon abandon ") && zero.words().ends_with(" art"));
    }

    #[test]
    fn says_which_word_is_wrong() {
        let words = Phrase::from_entropy([1; 32]).words().to_string();
        let mut list: Vec<_> = words.split(' ').collect();
        assert_eq!(
            Phrase::parse(&list[..23].join(" ")).err(),
            Some(PhraseError::Count { count: 23 })
        );
        list[4] = "abandn";
        let error = Phrase::parse(&list.join(" ")).err().unwrap();
        assert_eq!(
            error.to_string(),
            "word 5 ('abandn') is not a word of recovery phrases; did you mean 'abandon'?"
        );
    }

    #[test]
    fn swapped_words_fail_the_checksum() {
        let words =
            Phrase::from_entropy(std::array::from_fn(|i| (i * 7) as u8)).words().to_string();
        let mut list: Vec<_> = words.split(' ').collect();
        list.swap(0, 1);
        assert_eq!(Phrase::parse(&list.join(" ")).err(), Some(PhraseError::Checksum));
    }
}
