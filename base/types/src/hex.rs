//! Lower-case hexadecimal, for ids on the command line and in JSON.

use crate::ParseError;

const DIGITS: &[u8; 16] = b"0123456789abcdef";

pub(crate) fn write(bytes: &[u8], out: &mut impl std::fmt::Write) -> std::fmt::Result {
    for byte in bytes {
        for nibble in [byte >> 4, byte & 15] {
            let digit = DIGITS.get(usize::from(nibble)).expect("a nibble is below 16");
            out.write_char(char::from(*digit))?;
        }
    }
    Ok(())
}

pub(crate) fn read<const N: usize>(text: &str) -> Result<[u8; N], ParseError> {
    let wrong =
        || ParseError::Hex { digits: N.saturating_mul(2), given: text.chars().take(80).collect() };
    let digits = text.as_bytes();
    if digits.len() != N.saturating_mul(2) {
        return Err(wrong());
    }
    let mut out = [0; N];
    for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
        for digit in pair {
            let value = char::from(*digit).to_digit(16).ok_or_else(wrong)?;
            *byte = (*byte << 4) | u8::try_from(value).map_err(|_| wrong())?;
        }
    }
    Ok(out)
}
