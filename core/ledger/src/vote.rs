//! Votes of the engine as bytes that were signed, and two of them that contradict each other.
//!
//! The engine is unknown here; what it signs is written down in `docs/protocols/consensus.md`:
//!
//! ```text
//! signed   = length of namespace u8 | namespace | message
//! namespace = "acre-ledger/1/" | chain 32 | "_NOTARIZE", "_NULLIFY" or "_FINALIZE"
//! message  = term varint | view varint                                   of a nullification
//!          | term varint | view varint | parent view varint | block 32   of the others
//! varint   = seven bits a byte, the lowest first, the eighth set on all bytes but the last
//! ```

use acre_crypto::{CryptoError, verify_zip215};
use acre_types::{Digest, PublicKey, Signature};
use borsh::{BorshDeserialize, BorshSerialize};

const NAMESPACE: &[u8] = b"acre-ledger/1/";

/// What a validator said of one view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Vote {
    /// This block stands.
    Notarize {
        /// The view of the block that it follows.
        parent: u64,
        /// Its digest.
        block: Digest,
    },
    /// The view is given up.
    Nullify,
    /// This block is final.
    Finalize {
        /// The view of the block that it follows.
        parent: u64,
        /// Its digest.
        block: Digest,
    },
}

/// A vote with its signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SignedVote {
    /// What was said.
    pub vote: Vote,
    /// Of [`Vote::signed_bytes`], by the validator's key.
    pub signature: Signature,
}

/// Two votes of one validator in one view, as evidence against it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Accusation {
    /// Who voted.
    pub validator: PublicKey,
    /// In which term.
    pub term: u64,
    /// In which view of it.
    pub view: u64,
    /// One vote.
    pub first: SignedVote,
    /// The other one.
    pub second: SignedVote,
}

impl Vote {
    /// What is signed for it.
    #[must_use]
    pub fn signed_bytes(&self, chain: &Digest, term: u64, view: u64) -> Vec<u8> {
        let (suffix, proposal): (&[u8], _) = match self {
            Self::Notarize { parent, block } => (b"_NOTARIZE", Some((*parent, block))),
            Self::Nullify => (b"_NULLIFY", None),
            Self::Finalize { parent, block } => (b"_FINALIZE", Some((*parent, block))),
        };
        let namespace = [NAMESPACE, &chain.0, suffix].concat();
        let mut bytes = Vec::with_capacity(namespace.len().saturating_add(63));
        put_varint(&mut bytes, u64::try_from(namespace.len()).unwrap_or(u64::MAX));
        bytes.extend_from_slice(&namespace);
        put_varint(&mut bytes, term);
        put_varint(&mut bytes, view);
        if let Some((parent, block)) = proposal {
            put_varint(&mut bytes, parent);
            bytes.extend_from_slice(&block.0);
        }
        bytes
    }

    /// Whether an honest validator never says both of one view: two blocks notarized, two blocks
    /// final, or one final and the view given up.
    #[must_use]
    pub fn contradicts(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Notarize { .. }, Self::Notarize { .. })
            | (Self::Finalize { .. }, Self::Finalize { .. }) => self != other,
            (Self::Nullify, Self::Finalize { .. }) | (Self::Finalize { .. }, Self::Nullify) => true,
            _ => false,
        }
    }
}

impl Accusation {
    /// Whether the votes contradict each other, if they were given.
    #[must_use]
    pub fn contradicts(&self) -> bool {
        self.first.vote.contradicts(&self.second.vote)
    }

    /// Whether the validator gave both votes, on this chain, by the rules by which the engine checks
    /// signatures.
    ///
    /// # Errors
    /// [`CryptoError::BadSignature`].
    pub fn verify(&self, chain: &Digest) -> Result<(), CryptoError> {
        for SignedVote { vote, signature } in [&self.first, &self.second] {
            let bytes = vote.signed_bytes(chain, self.term, self.view);
            verify_zip215(&self.validator, &bytes, signature)?;
        }
        Ok(())
    }
}

fn put_varint(bytes: &mut Vec<u8>, mut value: u64) {
    loop {
        let [low, ..] = value.to_le_bytes();
        value >>= 7;
        if value == 0 {
            bytes.push(low & 0x7f);
            return;
        }
        bytes.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contradictions_are_those_of_the_protocol() {
        let notarize = |block| Vote::Notarize { parent: 1, block: Digest([block; 32]) };
        let finalize = |block| Vote::Finalize { parent: 1, block: Digest([block; 32]) };
        let check = |a: Vote, b: Vote, wanted| {
            assert_eq!((a.contradicts(&b), b.contradicts(&a)), (wanted, wanted), "{a:?} {b:?}");
        };
        check(notarize(1), notarize(1), false);
        check(notarize(1), notarize(2), true);
        check(notarize(1), Vote::Notarize { parent: 2, block: Digest([1; 32]) }, true);
        check(finalize(1), finalize(2), true);
        check(finalize(1), Vote::Nullify, true);
        // Who saw a quorum for another block may help to make that one final.
        check(notarize(1), finalize(2), false);
        // Who waited too long gives up a view that it voted in.
        check(notarize(1), Vote::Nullify, false);
        check(Vote::Nullify, Vote::Nullify, false);
    }

    #[test]
    fn numbers_take_the_shortest_form() {
        let of = |value| {
            let mut bytes = Vec::new();
            put_varint(&mut bytes, value);
            bytes
        };
        assert_eq!(of(0), [0]);
        assert_eq!(of(127), [0x7f]);
        assert_eq!(of(128), [0x80, 1]);
        assert_eq!(of(300), [0xac, 2]);
        assert_eq!(of(u64::MAX).len(), 10);
    }
}
