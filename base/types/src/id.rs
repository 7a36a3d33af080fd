//! Names of things: fixed-size byte strings and ledger-assigned numbers.

use std::fmt;
use std::str::FromStr;

use borsh::{BorshDeserialize, BorshSerialize};

use crate::{ParseError, hex};

macro_rules! byte_id {
    ($(#[$doc:meta])* $name:ident, $bytes:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
        pub struct $name(pub [u8; $bytes]);

        impl $name {
            /// Length in bytes.
            pub const LEN: usize = $bytes;

            /// The bytes themselves.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; $bytes] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                hex::write(&self.0, f)
            }
        }

        /// The first eight digits: enough to tell things apart in a log line.
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "("))?;
                hex::write(self.0.first_chunk::<4>().expect("every id has four bytes"), f)?;
                write!(f, "…)")
            }
        }

        impl FromStr for $name {
            type Err = ParseError;
            fn from_str(text: &str) -> Result<Self, ParseError> {
                hex::read(text).map(Self)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident, $repr:ty) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash,
            BorshSerialize, BorshDeserialize, serde::Serialize, serde::Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub $repr);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = ParseError;
            fn from_str(text: &str) -> Result<Self, ParseError> {
                let wrong = |_| ParseError::Number { given: text.chars().take(80).collect() };
                text.parse().map(Self).map_err(wrong)
            }
        }
    };
}

byte_id!(
    /// A BLAKE3 digest.
    Digest,
    32
);
byte_id!(
    /// An Ed25519 public key (RFC 8032).
    PublicKey,
    32
);
byte_id!(
    /// An Ed25519 signature (RFC 8032).
    Signature,
    64
);
byte_id!(
    /// An account on the ledger: the first public key that owned it. The keys may rotate later,
    /// the id stays.
    AccountId,
    32
);
byte_id!(
    /// A node: its public key, which is also what one dials.
    NodeId,
    32
);
byte_id!(
    /// A pack: 16 random bytes drawn by its owner, so that a node learns nothing from the name.
    PackId,
    16
);
number_id!(
    /// A farm, numbered by the ledger from 1.
    FarmId,
    u32
);
number_id!(
    /// A contract, numbered by the ledger from 1.
    ContractId,
    u64
);

impl From<PublicKey> for AccountId {
    fn from(key: PublicKey) -> Self {
        Self(key.0)
    }
}

impl From<PublicKey> for NodeId {
    fn from(key: PublicKey) -> Self {
        Self(key.0)
    }
}

impl NodeId {
    /// The key to dial and to check this node's signatures with.
    #[must_use]
    pub const fn key(self) -> PublicKey {
        PublicKey(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_survives_text() {
        let id = Digest([0xab; 32]);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(format!("{id:?}"), "Digest(abababab…)");
    }

    #[test]
    fn refuses_text_that_is_no_id() {
        for text in ["", "00", &"g".repeat(64), &"0".repeat(63), &"é".repeat(32)] {
            assert!(text.parse::<Digest>().is_err(), "{text}");
        }
    }
}
