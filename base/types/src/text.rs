//! Short texts with a limit in their type.

use std::fmt;
use std::io;
use std::str::FromStr;

use borsh::{BorshDeserialize, BorshSerialize};

use crate::ParseError;

/// UTF-8 text of at most `MAX` bytes.
#[derive(
    Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, serde::Serialize,
)]
#[serde(transparent)]
pub struct Text<const MAX: usize>(String);

impl<const MAX: usize> Text<MAX> {
    /// # Errors
    /// Text longer than `MAX` bytes.
    pub fn new(text: impl Into<String>) -> Result<Self, ParseError> {
        let text = text.into();
        if text.len() > MAX {
            return Err(ParseError::TooLong { length: text.len(), max: MAX });
        }
        Ok(Self(text))
    }

    /// The text itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> BorshDeserialize for Text<MAX> {
    fn deserialize_reader<R: io::Read>(reader: &mut R) -> io::Result<Self> {
        let length = usize::try_from(u32::deserialize_reader(reader)?).unwrap_or(usize::MAX);
        if length > MAX {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                ParseError::TooLong { length, max: MAX },
            ));
        }
        let mut bytes = vec![0; length];
        reader.read_exact(&mut bytes)?;
        let text = String::from_utf8(bytes)
            .map_err(|source| io::Error::new(io::ErrorKind::InvalidData, source))?;
        Ok(Self(text))
    }
}

impl<const MAX: usize> fmt::Display for Text<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl<const MAX: usize> fmt::Debug for Text<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<const MAX: usize> FromStr for Text<MAX> {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::new(text)
    }
}

impl<'de, const MAX: usize> serde::Deserialize<'de> for Text<MAX> {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::new(<String as serde::Deserialize>::deserialize(from)?)
            .map_err(serde::de::Error::custom)
    }
}

/// A country as ISO 3166-1 alpha-2: two capital letters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize)]
pub struct Country([u8; 2]);

impl Country {
    fn from_bytes(bytes: &[u8]) -> Result<Self, ParseError> {
        match bytes {
            [first @ b'A'..=b'Z', second @ b'A'..=b'Z'] => Ok(Self([*first, *second])),
            _ => Err(ParseError::Country {
                given: String::from_utf8_lossy(bytes).chars().take(80).collect(),
            }),
        }
    }
}

impl BorshDeserialize for Country {
    fn deserialize_reader<R: io::Read>(reader: &mut R) -> io::Result<Self> {
        let bytes = <[u8; 2]>::deserialize_reader(reader)?;
        Self::from_bytes(&bytes).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))
    }
}

impl FromStr for Country {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::from_bytes(text.as_bytes())
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(std::str::from_utf8(&self.0).expect("two capital letters are UTF-8"))
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl serde::Serialize for Country {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Country {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        <String as serde::Deserialize>::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_holds_its_limit() {
        assert!(Text::<4>::new("four").is_ok());
        assert_eq!(Text::<4>::new("fives"), Err(ParseError::TooLong { length: 5, max: 4 }));
        let encoded = borsh::to_vec(&Text::<5>::new("fives").unwrap()).unwrap();
        assert!(borsh::from_slice::<Text<5>>(&encoded).is_ok());
        assert!(borsh::from_slice::<Text<4>>(&encoded).is_err());
    }

    #[test]
    fn country_is_two_capitals() {
        assert_eq!("BE".parse::<Country>().unwrap().to_string(), "BE");
        for text in ["", "B", "be", "BEL", "1A", "É"] {
            assert!(text.parse::<Country>().is_err(), "{text}");
        }
        assert!(borsh::from_slice::<Country>(b"b3").is_err());
    }
}
