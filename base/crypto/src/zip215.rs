//! Ed25519 by the rules of ZIP 215, for signatures of others' protocols.
//!
//! Those rules name exactly which signatures are valid, with the equation multiplied by the
//! cofactor, so that all who check agree, one by one or in batches. A program that checks otherwise
//! may refuse a signature that its peers accepted, if the signer meant it to. Points and scalars
//! are `curve25519-dalek`'s; here is only the equation.
//!
//! Source: <https://zips.z.cash/zip-0215>

use acre_types::{PublicKey, Signature};
use aws_lc_rs::digest::{Context, SHA512};
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::IsIdentity as _;

use crate::CryptoError;

/// Checks that `key` signed these bytes, which carry their own domain if their protocol has one.
///
/// # Errors
/// [`CryptoError::BadSignature`].
pub fn verify_zip215(
    key: &PublicKey,
    message: &[u8],
    signature: &Signature,
) -> Result<(), CryptoError> {
    if is_valid(key, message, signature).unwrap_or(false) {
        Ok(())
    } else {
        Err(CryptoError::BadSignature)
    }
}

/// 8 s B = 8 R + 8 k A; `None` where a part is no point or no scalar.
#[expect(clippy::arithmetic_side_effects, reason = "points of a curve do not overflow")]
fn is_valid(key: &PublicKey, message: &[u8], signature: &Signature) -> Option<bool> {
    let (first, last) = signature.as_bytes().split_first_chunk::<32>()?;
    let public = CompressedEdwardsY(*key.as_bytes()).decompress()?;
    let nonce = CompressedEdwardsY(*first).decompress()?;
    let scalar = Option::<Scalar>::from(Scalar::from_canonical_bytes(last.try_into().ok()?))?;
    let mut hash = Context::new(&SHA512);
    for part in [first.as_slice(), key.as_bytes(), message] {
        hash.update(part);
    }
    let wide: [u8; 64] = hash.finish().as_ref().try_into().ok()?;
    let challenge = Scalar::from_bytes_mod_order_wide(&wide);
    let wanted = EdwardsPoint::vartime_double_scalar_mul_basepoint(&challenge, &(-public), &scalar);
    Some((nonce - wanted).mul_by_cofactor().is_identity())
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};

    use super::*;

    #[test]
    fn accepts_what_was_signed_and_nothing_else() {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let key = PublicKey(pair.public_key().as_ref().try_into().unwrap());
        let signature = Signature(pair.sign(b"a vote").as_ref().try_into().unwrap());
        assert_eq!(verify_zip215(&key, b"a vote", &signature), Ok(()));
        assert!(verify_zip215(&key, b"another", &signature).is_err());
        assert!(verify_zip215(&PublicKey([7; 32]), b"a vote", &signature).is_err());
        for at in [0, 31, 32, 63] {
            let mut bent = signature;
            bent.0[at] ^= 1;
            assert!(verify_zip215(&key, b"a vote", &bent).is_err(), "byte {at}");
        }
    }

    /// ZIP 215 accepts any pair of points of small order with s = 0; stricter rules do not. The
    /// identity is one: y = 1.
    #[test]
    fn counts_points_of_small_order_as_the_rules_say() {
        let mut identity = [0; 32];
        identity[0] = 1;
        let mut bytes = [0; 64];
        bytes[..32].copy_from_slice(&identity);
        assert_eq!(verify_zip215(&PublicKey(identity), b"any", &Signature(bytes)), Ok(()));
        // s has one encoding only: zero plus the order of the group is refused.
        let order = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";
        for (at, to) in bytes[32..].iter_mut().enumerate() {
            *to = u8::from_str_radix(&order[2 * at..2 * at + 2], 16).unwrap();
        }
        assert!(verify_zip215(&PublicKey(identity), b"any", &Signature(bytes)).is_err());
    }
}
