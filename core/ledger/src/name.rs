//! Names that people choose: the handle of a twin, the label of a name contract.

use std::fmt;
use std::io;
use std::str::FromStr;

use acre_types::Text;
use borsh::{BorshDeserialize, BorshSerialize};

use crate::limits::{HANDLE_BYTES_MAX, HANDLE_BYTES_MIN, LABEL_BYTES_MAX, LABEL_BYTES_MIN};

/// Whether `text` could stand in a domain name: of `a`-`z`, `0`-`9` and `-`, with no `-` at either
/// end.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// Text that is no name of the kind that was wanted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{given}' is not a {kind}: {least} to {most} of a-z, 0-9 and -, not at the ends")]
pub struct NoName {
    kind: &'static str,
    least: usize,
    most: usize,
    /// The text as given, its first 80 characters.
    given: String,
}

/// Makes a type of such names, whose text is checked wherever it comes from.
macro_rules! names {
    ($($(#[$doc:meta])* $name:ident, $kind:literal, $least:ident..=$most:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, serde::Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The text itself.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NoName;

            fn from_str(text: &str) -> Result<Self, NoName> {
                if ($least..=$most).contains(&text.len()) && is_plain(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    let given = text.chars().take(80).collect();
                    Err(NoName { kind: $kind, least: $least, most: $most, given })
                }
            }
        }

        impl BorshDeserialize for $name {
            fn deserialize_reader<R: io::Read>(reader: &mut R) -> io::Result<Self> {
                let text = Text::<$most>::deserialize_reader(reader)?;
                text.as_str().parse().map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    )*};
}

names! {
    /// Name of a twin: 3 to 32 of `a`-`z`, `0`-`9` and `-`, with no `-` at either end.
    Handle, "handle", HANDLE_BYTES_MIN..=HANDLE_BYTES_MAX;

    /// A label of a domain name, unique on the grid: 3 to 48 of `a`-`z`, `0`-`9` and `-`, with no
    /// `-` at either end.
    Label, "label", LABEL_BYTES_MIN..=LABEL_BYTES_MAX;
}
