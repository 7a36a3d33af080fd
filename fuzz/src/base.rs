//! Text that people or peers give.

use std::fmt::Display;
use std::str::FromStr;

use acre_crypto::Phrase;
use acre_types::{AccountId, Amount, ContractId, Country, Digest, PackId, Profile};

/// The 24 words: what is read is written as it is understood.
pub(crate) fn phrase(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(phrase) = Phrase::parse(text) else { return };
    let words = phrase.words();
    let plain = text.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>().join(" ");
    assert_eq!(*words, plain, "the words read are the words written");
    assert!(Phrase::parse(&words).is_ok(), "what is written can be read");
}

/// Names and numbers in text: what is read, written and read again is the same.
pub(crate) fn names(data: &[u8]) {
    fn again<T: FromStr + Display + PartialEq>(text: &str) {
        if let Ok(value) = text.parse::<T>() {
            assert!(value.to_string().parse::<T>().is_ok_and(|other| other == value), "{text}");
        }
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    again::<AccountId>(text);
    again::<Amount>(text);
    again::<ContractId>(text);
    again::<Country>(text);
    again::<Digest>(text);
    again::<PackId>(text);
    again::<Profile>(text);
    again::<acre_ledger::Handle>(text);
}
