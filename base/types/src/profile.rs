//! How many places hold a pack, and how many may be lost (CLAIMS section 8).

use std::fmt;
use std::str::FromStr;

use borsh::{BorshDeserialize, BorshSerialize};

use crate::ParseError;

/// A named erasure code: `data` shards of which any suffice, and `parity` that may be lost.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
#[borsh(use_discriminant = false)]
pub enum Profile {
    /// 2+1, for a few boxes of one's own.
    Tiny,
    /// 8+2 on ten places (C59).
    Ten,
    /// 16+4: any 4 of 20 may be lost, 16 are needed (C60).
    Standard,
    /// 20+4: 20 % on data (C58).
    Lean,
    /// 100+20: 20 % on data, any 20 may be lost (C58, C61).
    Wide,
    /// 16+20: any 20 of 36 may be lost (C60, C61).
    Fortress,
}

impl Profile {
    /// Every profile, from few places to many.
    pub const ALL: [Self; 6] =
        [Self::Tiny, Self::Ten, Self::Standard, Self::Lean, Self::Fortress, Self::Wide];

    /// k: shards that suffice to decode.
    #[must_use]
    pub const fn data(self) -> u8 {
        match self {
            Self::Tiny => 2,
            Self::Ten => 8,
            Self::Standard | Self::Fortress => 16,
            Self::Lean => 20,
            Self::Wide => 100,
        }
    }

    /// m: shards that may be lost.
    #[must_use]
    pub const fn parity(self) -> u8 {
        match self {
            Self::Tiny => 1,
            Self::Ten => 2,
            Self::Standard | Self::Lean => 4,
            Self::Wide | Self::Fortress => 20,
        }
    }

    /// n = k + m: shards, hence places.
    #[must_use]
    pub const fn shards(self) -> u8 {
        self.data().saturating_add(self.parity())
    }

    /// Shards that must be synced before a put is acknowledged: k + 3, or all where m is smaller.
    #[must_use]
    pub const fn acknowledge(self) -> u8 {
        if self.parity() < 3 { self.shards() } else { self.data().saturating_add(3) }
    }

    /// Spare places taken beside the n, so that a repair has somewhere to go at once.
    #[must_use]
    pub const fn spares(self) -> u8 {
        self.parity()
    }

    /// Overhead on data, m/k, in percent with one decimal, times ten.
    #[must_use]
    pub fn overhead_on_data_permille(self) -> u32 {
        permille(self.parity(), self.data())
    }

    /// Overhead on raw, m/n, in percent with one decimal, times ten.
    #[must_use]
    pub fn overhead_on_raw_permille(self) -> u32 {
        permille(self.parity(), self.shards())
    }

    /// The index as one of this profile's.
    ///
    /// # Errors
    /// An index at or past [`Profile::shards`].
    pub fn shard(self, index: usize) -> Result<ShardIndex, ParseError> {
        match u8::try_from(index) {
            Ok(small) if small < self.shards() => Ok(ShardIndex(small)),
            _ => Err(ParseError::ShardIndex { index, shards: usize::from(self.shards()) }),
        }
    }

    /// All indices, data shards first.
    pub fn indices(self) -> impl Iterator<Item = ShardIndex> {
        (0..self.shards()).map(ShardIndex)
    }

    /// The name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tiny => "tiny",
            Self::Ten => "ten",
            Self::Standard => "standard",
            Self::Lean => "lean",
            Self::Wide => "wide",
            Self::Fortress => "fortress",
        }
    }
}

fn permille(part: u8, whole: u8) -> u32 {
    let (part, whole) = (u32::from(part), u32::from(whole));
    let scaled = part.saturating_mul(1000).saturating_add(whole.wrapping_div(2));
    scaled.checked_div(whole).expect("no profile is empty")
}

/// `16+4`.
impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}", self.data(), self.parity())
    }
}

/// By name (`standard`) or by numbers (`16+4`).
impl FromStr for Profile {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::ALL
            .into_iter()
            .find(|profile| profile.name() == text || profile.to_string() == text)
            .ok_or_else(|| ParseError::Profile { given: text.chars().take(80).collect() })
    }
}

/// Position of a shard in its pack; below [`Profile::shards`] of the profile that made it.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
pub struct ShardIndex(u8);

impl ShardIndex {
    /// As a number.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }

    /// For indexing.
    #[must_use]
    pub fn as_usize(self) -> usize {
        usize::from(self.0)
    }
}

impl fmt::Display for ShardIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_overheads_are_those_of_the_claims() {
        let table = Profile::ALL.map(|profile| {
            let (data, raw) =
                (profile.overhead_on_data_permille(), profile.overhead_on_raw_permille());
            (profile.to_string(), data, raw)
        });
        let expected = [
            ("2+1", 500, 333),
            ("8+2", 250, 200),
            ("16+4", 250, 200),
            ("20+4", 200, 167),
            ("16+20", 1250, 556),
            ("100+20", 200, 167),
        ];
        assert_eq!(table, expected.map(|(name, data, raw)| (name.to_owned(), data, raw)));
    }

    #[test]
    fn acknowledges_at_three_past_data() {
        let acks = Profile::ALL.map(Profile::acknowledge);
        assert_eq!(acks, [3, 10, 19, 23, 19, 103]);
    }

    #[test]
    fn index_past_the_profile_is_refused() {
        assert_eq!(Profile::Standard.shard(19).unwrap().get(), 19);
        for index in [20, 255, 256, usize::MAX] {
            assert!(Profile::Standard.shard(index).is_err(), "{index}");
        }
    }

    #[test]
    fn profile_is_read_by_name_and_numbers() {
        for profile in Profile::ALL {
            assert_eq!(profile.name().parse(), Ok(profile));
            assert_eq!(profile.to_string().parse(), Ok(profile));
        }
        assert!("huge".parse::<Profile>().is_err());
    }
}
