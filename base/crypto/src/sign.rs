//! Ed25519 signatures over canonical bytes, each with a domain.

use acre_codec::Encode;
use acre_types::{PublicKey, Signature};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

use crate::{CryptoError, Secret};

/// A thing that is signed. The domain keeps a signature for one use from serving another.
pub trait Domain: Encode {
    /// As in `acre/transaction/1`; never reused for another layout.
    const DOMAIN: &'static str;
}

/// An Ed25519 key that signs.
pub struct SigningKey {
    seed: Secret,
    pair: Ed25519KeyPair,
    public: PublicKey,
}

impl SigningKey {
    /// The key whose RFC 8032 seed this is.
    #[must_use]
    pub fn from_seed(seed: Secret) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.expose())
            .expect("any 32 bytes are an Ed25519 seed");
        let bytes = pair.public_key().as_ref();
        let public = PublicKey(bytes.try_into().expect("an Ed25519 public key has 32 bytes"));
        Self { seed, pair, public }
    }

    /// The public half.
    #[must_use]
    pub const fn public(&self) -> PublicKey {
        self.public
    }

    /// The seed, for sealed storage and for other libraries' key types.
    #[must_use]
    pub const fn seed(&self) -> &Secret {
        &self.seed
    }

    /// Signs a value within its domain.
    #[must_use]
    pub fn sign<T: Domain>(&self, value: &T) -> Signature {
        self.sign_bytes(T::DOMAIN, &acre_codec::encode(value))
    }

    /// Signs bytes that are already canonical.
    #[must_use]
    pub fn sign_bytes(&self, domain: &'static str, bytes: &[u8]) -> Signature {
        let signature = self.pair.sign(&message(domain, bytes));
        Signature(signature.as_ref().try_into().expect("an Ed25519 signature has 64 bytes"))
    }
}

/// Domain, a zero byte, then the bytes: no domain contains a zero byte.
fn message(domain: &'static str, bytes: &[u8]) -> Vec<u8> {
    let mut message =
        Vec::with_capacity(domain.len().saturating_add(bytes.len()).saturating_add(1));
    message.extend_from_slice(domain.as_bytes());
    message.push(0);
    message.extend_from_slice(bytes);
    message
}

/// Checks that `key` signed `value` within its domain.
///
/// # Errors
/// [`CryptoError::BadSignature`].
pub fn verify<T: Domain>(
    key: &PublicKey,
    value: &T,
    signature: &Signature,
) -> Result<(), CryptoError> {
    verify_bytes(key, T::DOMAIN, &acre_codec::encode(value), signature)
}

/// As [`verify`], for bytes that are already canonical.
///
/// # Errors
/// [`CryptoError::BadSignature`].
pub fn verify_bytes(
    key: &PublicKey,
    domain: &'static str,
    bytes: &[u8],
    signature: &Signature,
) -> Result<(), CryptoError> {
    UnparsedPublicKey::new(&ED25519, key.as_bytes())
        .verify(&message(domain, bytes), signature.as_bytes())
        .map_err(|_| CryptoError::BadSignature)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Note(u32);
    impl Encode for Note {
        fn serialize<W: std::io::Write>(&self, writer: &mut W) -> std::io::Result<()> {
            self.0.serialize(writer)
        }
    }
    impl Domain for Note {
        const DOMAIN: &'static str = "acre/test/1";
    }

    #[test]
    fn signature_is_bound_to_key_value_and_domain() {
        let key = SigningKey::from_seed(Secret::new([1; 32]));
        let signature = key.sign(&Note(5));
        assert_eq!(verify(&key.public(), &Note(5), &signature), Ok(()));
        let other = SigningKey::from_seed(Secret::new([2; 32])).public();
        assert!(verify(&other, &Note(5), &signature).is_err());
        assert!(verify(&key.public(), &Note(6), &signature).is_err());
        let bytes = acre_codec::encode(&Note(5));
        assert!(verify_bytes(&key.public(), "acre/test/2", &bytes, &signature).is_err());
    }

    #[test]
    fn agrees_with_rfc_8032() {
        // RFC 8032, section 7.1, test 1: the public key of the seed 9d61b19d…
        let seed: PublicKey =
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60".parse().unwrap();
        let key = SigningKey::from_seed(Secret::new(seed.0));
        let public = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
        assert_eq!(key.public().to_string(), public);
    }
}
