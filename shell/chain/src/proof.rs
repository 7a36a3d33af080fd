//! Proofs as files: what the ledger holds at a key, or that a transaction is in it, checked by
//! anybody who has the genesis, without any network.
//!
//! ```text
//! file = magic 8 = "acre-prf" | version u16 | chain 32
//!      | changes of validators since genesis | finality of one block | claim | words
//! ```
//! The whole is the canonical encoding of [`ProofFile`]; the words say what is shown, for people, and
//! are checked like the rest.

use acre_codec::{Blob, Decode, Encode, List, decode_bounded};
use acre_ledger::limits::PAYLOAD_BYTES_MAX;
use acre_ledger::{AnyObject, Genesis, Key, Payload, Proof, SignedTransaction};
use acre_types::{Digest, Height, Text};

use crate::error::Lie;
use crate::light::{Change, Final, Trust};
use crate::limits::{PROOF_CHANGES_MAX, PROOF_FILE_BYTES_MAX, PROOF_WORDS_BYTES_MAX};
use crate::protocol::Finality;

/// First bytes of every proof file.
const MAGIC: [u8; 8] = *b"acre-prf";
const VERSION: u16 = 1;

/// What a file shows.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
enum Claim {
    /// What stands at a key after the block, or that nothing does.
    Value { key: Key, proof: Proof },
    /// That the transaction with this id is among those of the block.
    Transaction { id: Digest, payload: Blob<PAYLOAD_BYTES_MAX> },
}

/// A proof that stands for itself.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ProofFile {
    magic: [u8; 8],
    version: u16,
    chain: Digest,
    changes: List<Change, PROOF_CHANGES_MAX>,
    finality: Finality,
    claim: Claim,
    words: Text<PROOF_WORDS_BYTES_MAX>,
}

/// What was shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// What stands at this key; `None` if nothing does.
    Value {
        /// The key.
        key: Key,
        /// What stands there.
        object: Option<Box<AnyObject>>,
    },
    /// This transaction was applied in the block.
    Transaction {
        /// Its id.
        id: Digest,
        /// Its place in the block, from 0.
        index: usize,
        /// The transaction.
        signed: Box<SignedTransaction>,
    },
}

/// A proof that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    /// The block that shows it: a value stood there right after it.
    pub block: Final,
    /// What it shows.
    pub shown: Shown,
}

/// Why a proof file shows nothing.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ProofFileError {
    /// Bytes that are no proof file.
    #[error("this is no proof file")]
    NotOne,
    /// A file of a later version.
    #[error("the proof file has version {found}, this program knows {known}")]
    Version {
        /// Its version.
        found: u16,
        /// Ours.
        known: u16,
    },
    /// A proof about another grid.
    #[error("the proof is about the grid {found}, not {wanted}")]
    OtherGrid {
        /// Digest of its genesis.
        found: Digest,
        /// Digest of the genesis given.
        wanted: Digest,
    },
    /// Part of it is not true.
    #[error("the proof does not hold")]
    Lie(#[from] Lie),
    /// The transaction is not in the block.
    #[error("transaction {id} is not in block {height}")]
    NoSuchTransaction {
        /// Its id.
        id: Digest,
        /// The block.
        height: Height,
    },
    /// What it says it shows is not what it shows.
    #[error("the words in the proof file do not fit what it shows")]
    Words,
    /// Validators changed more often than one file takes.
    #[error("the proof would need {changes} changes of validators, more than {limit}")]
    TooManyChanges {
        /// How many.
        changes: usize,
        /// How many fit.
        limit: usize,
    },
}

impl ProofFile {
    /// Shows what stands at a key.
    ///
    /// # Errors
    /// As [`ProofFile::verify`]: what is wrong is not put into a file.
    pub fn of_value(
        genesis: &Genesis,
        changes: Vec<Change>,
        finality: Finality,
        key: Key,
        proof: Proof,
    ) -> Result<Self, ProofFileError> {
        Self::new(genesis, changes, finality, Claim::Value { key, proof })
    }

    /// Shows that a transaction is in a block, by all transactions of the block.
    ///
    /// # Errors
    /// As [`ProofFile::verify`].
    pub fn of_transaction(
        genesis: &Genesis,
        changes: Vec<Change>,
        finality: Finality,
        id: Digest,
        payload: &Payload,
    ) -> Result<Self, ProofFileError> {
        let payload = Blob::new(payload.to_bytes()).map_err(|_| ProofFileError::NotOne)?;
        Self::new(genesis, changes, finality, Claim::Transaction { id, payload })
    }

    fn new(
        genesis: &Genesis,
        changes: Vec<Change>,
        finality: Finality,
        claim: Claim,
    ) -> Result<Self, ProofFileError> {
        let count = changes.len();
        let too_many =
            |_| ProofFileError::TooManyChanges { changes: count, limit: PROOF_CHANGES_MAX };
        let mut file = Self {
            magic: MAGIC,
            version: VERSION,
            chain: genesis.digest(),
            changes: List::new(changes).map_err(too_many)?,
            finality,
            claim,
            words: Text::default(),
        };
        file.words = words(&file.prove(genesis)?);
        Ok(file)
    }

    /// From a stranger's bytes.
    ///
    /// # Errors
    /// [`ProofFileError::NotOne`], [`ProofFileError::Version`].
    pub fn decode(bytes: &[u8]) -> Result<Self, ProofFileError> {
        let rest = bytes.strip_prefix(&MAGIC).ok_or(ProofFileError::NotOne)?;
        let version = rest.first_chunk().ok_or(ProofFileError::NotOne)?;
        let found = u16::from_le_bytes(*version);
        if found != VERSION {
            return Err(ProofFileError::Version { found, known: VERSION });
        }
        decode_bounded(bytes, PROOF_FILE_BYTES_MAX).map_err(|_| ProofFileError::NotOne)
    }

    /// The canonical bytes, for a file.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        acre_codec::encode(self)
    }

    /// Digest of the genesis that it is about.
    #[must_use]
    pub const fn chain(&self) -> Digest {
        self.chain
    }

    /// What it says it shows: not to be believed before [`ProofFile::verify`].
    #[must_use]
    pub fn words(&self) -> &str {
        self.words.as_str()
    }

    /// Checks everything, from the genesis on, without any network. That the value stood there right
    /// after that block says nothing about later blocks.
    ///
    /// # Errors
    /// [`ProofFileError`] says what does not hold.
    pub fn verify(&self, genesis: &Genesis) -> Result<Proven, ProofFileError> {
        let proven = self.prove(genesis)?;
        if words(&proven) == self.words { Ok(proven) } else { Err(ProofFileError::Words) }
    }

    fn prove(&self, genesis: &Genesis) -> Result<Proven, ProofFileError> {
        let wanted = genesis.digest();
        if self.chain != wanted {
            return Err(ProofFileError::OtherGrid { found: self.chain, wanted });
        }
        let mut trust = Trust::new(genesis);
        for change in self.changes.iter() {
            trust.advance(change)?;
        }
        let block = trust.check(&self.finality)?;
        let shown = match &self.claim {
            Claim::Value { key, proof } => {
                let value = proof.verify(&block.root, &key.to_bytes()).map_err(Lie::from)?;
                let object = value.map(|bytes| AnyObject::decode(key, bytes).map(Box::new));
                let object = object.transpose().map_err(|_| Lie::Malformed)?;
                Shown::Value { key: key.clone(), object }
            }
            Claim::Transaction { id, payload } => {
                if !block.has_payload(payload) {
                    return Err(Lie::Unfit.into());
                }
                let payload = Payload::decode(payload).map_err(|_| Lie::Malformed)?;
                let all = payload.transactions.into_vec().into_iter().enumerate();
                let mut found = all.filter(|(_, signed)| signed.transaction.id() == *id);
                let missing = ProofFileError::NoSuchTransaction { id: *id, height: block.height };
                let (index, signed) = found.next().ok_or(missing)?;
                Shown::Transaction { id: *id, index, signed: Box::new(signed) }
            }
        };
        Ok(Proven { block, shown })
    }
}

/// In words for people, the same on every machine.
fn words(proven: &Proven) -> Text<PROOF_WORDS_BYTES_MAX> {
    let (height, time) = (proven.block.height, proven.block.time.0);
    // Ids are cut short where people read them, so the whole key comes with it.
    let whole = |key: &Key| {
        let bytes = key.to_bytes();
        bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let mut words = match &proven.shown {
        Shown::Value { key, object: Some(_) } => {
            let whole = whole(key);
            format!("what stands at {key:?} ({whole}) after block {height} (time {time} ms)")
        }
        Shown::Value { key, object: None } => {
            let whole = whole(key);
            format!(
                "that nothing stands at {key:?} ({whole}) after block {height} (time {time} ms)"
            )
        }
        Shown::Transaction { id, index, .. } => {
            format!("that transaction {id} is number {index} of block {height} (time {time} ms)")
        }
    };
    let mut end = words.len().min(PROOF_WORDS_BYTES_MAX);
    while !words.is_char_boundary(end) {
        end -= 1;
    }
    words.truncate(end);
    Text::new(words).expect("cut to its limit just now")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::light::tests::Chain;
    use acre_ledger::Lookup as _;
    use acre_types::AccountId;

    fn file() -> (Genesis, ProofFile) {
        let chain = Chain::new();
        let key = AccountId([5; 32]).key();
        let state = chain.genesis.state().unwrap();
        let finality = chain.finality((1, 12), &state.root(), 5, &[0, 1, 2, 4]);
        let (changes, proof) = (vec![chain.change(0, 4, 5)], state.prove(&key));
        let file = ProofFile::of_value(&chain.genesis, changes, finality, key, proof).unwrap();
        (chain.genesis, file)
    }

    #[test]
    fn file_shows_offline_what_was_put_in_and_no_changed_byte_passes() {
        let (genesis, file) = file();
        let bytes = file.to_bytes();
        let proven = ProofFile::decode(&bytes).unwrap().verify(&genesis).unwrap();
        assert_eq!(proven.block.height, Height(12));
        assert!(matches!(proven.shown, Shown::Value { object: None, .. }));
        assert!(file.words().contains("nothing stands"), "{}", file.words());
        for position in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[position] ^= 1 << (position % 8);
            let result = ProofFile::decode(&changed).and_then(|file| file.verify(&genesis));
            assert!(result.is_err(), "byte {position} was changed");
        }
        let mut other = genesis.clone();
        other.time.0 += 1;
        assert!(matches!(file.verify(&other), Err(ProofFileError::OtherGrid { .. })));
    }

    #[test]
    fn proof_without_its_change_of_validators_is_none() {
        let (genesis, mut file) = file();
        file.changes = List::default();
        assert!(matches!(file.verify(&genesis), Err(ProofFileError::Lie(Lie::Certificate { .. }))));
    }

    #[test]
    fn transaction_is_shown_by_its_block_and_a_missing_one_is_not() {
        let chain = Chain::new();
        let root = Digest([1; 32]);
        let finality = chain.finality((0, 3), &root, 4, &[0, 1, 2]);
        let id = Digest([2; 32]);
        let result =
            ProofFile::of_transaction(&chain.genesis, Vec::new(), finality, id, &Payload::empty());
        // The header's payload has no bytes at all.
        assert!(matches!(result, Err(ProofFileError::Lie(Lie::Unfit))), "{result:?}");
    }

    /// Genesis and proof file, as they were written when version 1 came to be.
    const GOLDEN: &str = include_str!("../tests/golden/proof-v1.hex");

    fn from_hex(line: &str) -> Vec<u8> {
        let pair = |at| u8::from_str_radix(&line[at..at + 2], 16).unwrap();
        (0..line.len()).step_by(2).map(pair).collect()
    }

    #[test]
    fn file_of_version_1_is_read_and_holds_for_ever() {
        // The lines of a fresh pair: `PROOF_GOLDEN=1 cargo test -p acre-chain --lib version_1 -- --nocapture`.
        if std::env::var_os("PROOF_GOLDEN").is_some() {
            let (genesis, file) = file();
            for bytes in [genesis.to_bytes(), file.to_bytes()] {
                eprintln!("{}", bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
            }
        }
        let mut lines = GOLDEN.lines().filter(|line| !line.starts_with('#')).map(from_hex);
        let (genesis, bytes) = (lines.next().unwrap(), lines.next().unwrap());
        let file = ProofFile::decode(&bytes).unwrap();
        assert_eq!(file.to_bytes(), bytes);
        let proven = file.verify(&Genesis::decode(&genesis).unwrap()).unwrap();
        assert_eq!((proven.block.height, proven.block.term), (Height(12), 1));
        assert!(matches!(proven.shown, Shown::Value { object: None, .. }));
    }

    #[test]
    fn layout_is_the_one_drawn_above() {
        let (_, file) = file();
        let parts = [
            b"acre-prf".to_vec(),
            vec![1, 0],
            file.chain.0.to_vec(),
            acre_codec::encode(&file.changes),
            acre_codec::encode(&file.finality),
            acre_codec::encode(&file.claim),
            acre_codec::encode(&file.words),
        ];
        assert_eq!(file.to_bytes(), parts.concat());
        let mut later = file.to_bytes();
        later[8] = 2;
        let refused = ProofFile::decode(&later);
        assert!(matches!(refused, Err(ProofFileError::Version { found: 2, known: 1 })));
    }
}
