//! Ids of things that were put, valid whatever they are called later.
//!
//! A put draws 16 random bytes and notes them in the volume's own tree, under a directory beside
//! the names, with the path at which the thing stands. A rename changes the note in the same
//! step, so the id still leads to the thing; a removal drops it. In text an id is
//! `acre-<contract>-<32 hexadecimal digits>`; it is no secret and useless without the words.

use std::fmt;
use std::str::FromStr;

use acre_store::StoreError;
use acre_store::tree::{self, Name};
use acre_types::{ContractId, PackId};

use crate::ClientError;

const PREFIX: &str = "acre-";

/// Names one put for as long as what it stored is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId {
    /// The volume.
    pub contract: ContractId,
    /// Random.
    pub number: [u8; 16],
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}-{}", self.contract, PackId(self.number))
    }
}

impl FromStr for ObjectId {
    type Err = ClientError;

    fn from_str(text: &str) -> Result<Self, ClientError> {
        let parts = text.strip_prefix(PREFIX).and_then(|rest| rest.split_once('-'));
        let parsed = parts.and_then(|(contract, number)| {
            let number = number.parse::<PackId>().ok()?;
            Some(Self { contract: contract.parse().ok()?, number: number.0 })
        });
        let given = text.bytes().take(120).collect();
        parsed.ok_or(ClientError::BadName { given, reason: "this is no object id" })
    }
}

/// What a person asks for: a path, or an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// By name: raw bytes apart by slashes.
    Path(Vec<u8>),
    /// By id.
    Object(ObjectId),
}

impl Wanted {
    /// An object id if the text is one, else a path.
    #[must_use]
    pub fn parse(text: &[u8]) -> Self {
        let object = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
        object.map_or_else(|| Self::Path(text.to_vec()), Self::Object)
    }
}

impl Wanted {
    /// As it was given, in bytes.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Path(path) => path.clone(),
            Self::Object(object) => object.to_string().into_bytes(),
        }
    }
}

/// The names of a path that a person gave.
///
/// # Errors
/// [`ClientError::BadName`].
pub(crate) fn given_path(path: &[u8]) -> Result<Vec<Name>, ClientError> {
    tree::parse(path).map_err(|error| {
        let given = path.iter().copied().take(300).collect();
        match error {
            StoreError::BadName { reason, .. } => ClientError::BadName { given, reason },
            StoreError::PastLimit { .. } => {
                ClientError::BadName { given, reason: "the path is too long" }
            }
            error => ClientError::Format(error),
        }
    })
}

impl From<&str> for Wanted {
    fn from(text: &str) -> Self {
        Self::parse(text.as_bytes())
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => path.escape_ascii().fmt(f),
            Self::Object(object) => object.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn object_ids_survive_text_and_names_are_no_ids() {
        let id = ObjectId { contract: ContractId(7), number: [0xAB; 16] };
        assert_eq!(Wanted::parse(id.to_string().as_bytes()), Wanted::Object(id));
        for text in ["/acre-7", "acre-7-ab", "acre-x-abababababababababababababababab", ""] {
            assert_eq!(Wanted::from(text), Wanted::Path(text.as_bytes().to_vec()));
        }
    }
}
