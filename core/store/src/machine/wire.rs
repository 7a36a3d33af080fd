//! What the words of the protocol mean to the machines: the one place where the two meet, so that
//! the client and the simulator understand a node alike.

use super::types::{Failure, HeadSeen};
use crate::head::SignedHead;
use crate::protocol::Refusal;

impl From<&Refusal> for Failure {
    fn from(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::NoSuchContract(_) | Refusal::Busy => Self::Busy,
            Refusal::NoSpace { .. } | Refusal::OverContract { .. } => Self::NoSpace,
            Refusal::NotFound => Self::NotFound,
            Refusal::Damaged => Self::Damaged,
            _ => Self::Refused,
        }
    }
}

impl From<&SignedHead> for HeadSeen {
    /// The signature is not looked at: verify it before.
    fn from(signed: &SignedHead) -> Self {
        let (epoch, counter) = (signed.head.epoch, signed.head.counter);
        Self { epoch, counter, digest: signed.digest() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use acre_codec::Blob;
    use acre_crypto::{Secret, SigningKey};
    use acre_types::ContractId;

    use crate::head::{Head, VERSION};

    #[test]
    fn heads_are_ordered_as_the_format_says() {
        let key = SigningKey::from_seed(Secret::new([1; 32]));
        let mut heads = Vec::new();
        for epoch in 0..3 {
            for counter in 0..3 {
                for root in 0..3u8 {
                    let sealed_root = Blob::new(vec![root]).unwrap();
                    let contract = ContractId(1);
                    let head = Head { version: VERSION, contract, epoch, counter, sealed_root };
                    heads.push(head.sign(&key));
                }
            }
        }
        for one in &heads {
            for other in &heads {
                let seen = HeadSeen::from(one).cmp(&HeadSeen::from(other));
                assert_eq!(seen, one.compare(other));
            }
        }
    }
}
