//! Money in integers.

use std::fmt;
use std::str::FromStr;

use borsh::{BorshDeserialize, BorshSerialize};

use crate::ParseError;

/// An amount of tokens in units of 1e-7 TFT. At most 1.8e12 TFT fit.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    BorshSerialize,
    BorshDeserialize,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(transparent)]
pub struct Amount(pub u64);

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// Units in one TFT.
    pub const UNITS_PER_TFT: u64 = 10_000_000;

    /// This many whole TFT; `None` past the range.
    #[must_use]
    pub const fn tft(whole: u64) -> Option<Self> {
        match whole.checked_mul(Self::UNITS_PER_TFT) {
            Some(units) => Some(Self(units)),
            None => None,
        }
    }

    /// The sum, or `None` past the range.
    #[must_use]
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(units) => Some(Self(units)),
            None => None,
        }
    }

    /// The difference, or `None` where it would be below zero.
    #[must_use]
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(units) => Some(Self(units)),
            None => None,
        }
    }
}

/// `12.5 TFT`, without trailing zeros.
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = self.0.wrapping_div(Self::UNITS_PER_TFT);
        let part = self.0.wrapping_rem(Self::UNITS_PER_TFT);
        if part == 0 {
            return write!(f, "{whole} TFT");
        }
        let digits = format!("{part:07}");
        write!(f, "{whole}.{} TFT", digits.trim_end_matches('0'))
    }
}

impl FromStr for Amount {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let wrong = || ParseError::Amount { given: text.chars().take(80).collect() };
        let number = text.trim().trim_end_matches("TFT").trim_end();
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || part.len() > 7 || !is_digits(whole) || !is_digits(part) {
            return Err(wrong());
        }
        let whole = whole.parse().ok().and_then(Self::tft).ok_or_else(wrong)?;
        let part: u64 = format!("{part:0<7}").parse().map_err(|_| wrong())?;
        whole.checked_add(Self(part)).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, units: u64, shown: &str) {
        assert_eq!(text.parse(), Ok(Amount(units)));
        assert_eq!(Amount(units).to_string(), shown);
    }

    #[test]
    fn amount_survives_text() {
        check("0", 0, "0 TFT");
        check("12", 120_000_000, "12 TFT");
        check("0.0000001", 1, "0.0000001 TFT");
        check("1.50 TFT", 15_000_000, "1.5 TFT");
        check("1844674407370.9551615", u64::MAX, "1844674407370.9551615 TFT");
    }

    #[test]
    fn refuses_what_is_no_amount() {
        for text in ["", ".5", "-1", "1.00000001", "1e3", "1844674407370.9551616", "+1", "1 2"] {
            assert!(text.parse::<Amount>().is_err(), "{text}");
        }
    }
}
