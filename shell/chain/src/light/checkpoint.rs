//! What a reader has learnt of a chain's validators, small enough to keep and to pass on.

use std::io;
use std::path::Path;

use acre_codec::{Decode, Encode, List, decode_bounded};
use acre_ledger::limits::SEATS_MAX;
use acre_ledger::{Genesis, SeatList};
use acre_types::{Digest, Height, PublicKey};

use crate::error::Lie;
use crate::limits::{CHECKPOINT_BYTES_MAX, CHECKPOINT_SETS_MAX};

const VERSION: u16 = 1;

/// The validators of some terms.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct TrustedSet {
    /// The first of the terms; the last is the one before the next set's first.
    pub from: u64,
    validators: List<PublicKey, SEATS_MAX>,
}

impl TrustedSet {
    pub(super) fn new(from: u64, seats: &SeatList) -> Self {
        let mut keys: Vec<_> = seats.iter().map(|seat| seat.validator).collect();
        keys.sort();
        Self { from, validators: List::new(keys).expect("as many as there are seats") }
    }

    /// Their keys, sorted.
    #[must_use]
    pub fn validators(&self) -> &[PublicKey] {
        &self.validators
    }

    pub(super) fn keys(&self) -> Vec<[u8; 32]> {
        self.validators.iter().map(|key| key.0).collect()
    }

    /// Whether they are the holders of these seats.
    #[must_use]
    pub fn is(&self, seats: &SeatList) -> bool {
        Self::new(self.from, seats).validators == self.validators
    }
}

/// The sets of validators that a reader has proof of, oldest first, and what ties them to a chain.
/// Without secrets; whoever can change it where it is kept can make the reader believe anything.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Checkpoint {
    version: u16,
    /// Digest of the genesis.
    pub chain: Digest,
    /// Blocks of one term.
    pub term_heights: u64,
    sets: List<TrustedSet, CHECKPOINT_SETS_MAX>,
}

impl Checkpoint {
    /// Where every reader may begin.
    #[must_use]
    pub fn of(genesis: &Genesis) -> Self {
        let mut keys: Vec<_> = genesis.validators.iter().map(|validator| validator.key).collect();
        keys.sort();
        let validators = List::new(keys).expect("a genesis has no more validators than seats");
        Self {
            version: VERSION,
            chain: genesis.digest(),
            term_heights: genesis.parameters.seats.term_heights,
            sets: List::new(vec![TrustedSet { from: 0, validators }]).expect("one set"),
        }
    }

    /// From bytes of a file.
    ///
    /// # Errors
    /// [`Lie::Malformed`] for bytes that are none.
    pub fn decode(bytes: &[u8]) -> Result<Self, Lie> {
        let checkpoint: Self =
            decode_bounded(bytes, CHECKPOINT_BYTES_MAX).map_err(|_| Lie::Malformed)?;
        let sets = &checkpoint.sets;
        let is_ordered = sets.windows(2).all(|pair| pair[0].from < pair[1].from);
        let is_empty = sets.is_empty() || sets.iter().any(|set| set.validators.is_empty());
        if checkpoint.version != VERSION || checkpoint.term_heights == 0 || is_empty || !is_ordered
        {
            return Err(Lie::Malformed);
        }
        Ok(checkpoint)
    }

    /// The canonical bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        acre_codec::encode(self)
    }

    /// Reads a file; `None` if there is none, or one of another chain, or a damaged one: the reader
    /// begins from its genesis then.
    ///
    /// # Errors
    /// What the system says.
    pub fn load(file: &Path, chain: &Digest) -> io::Result<Option<Self>> {
        let bytes = match std::fs::read(file) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        match Self::decode(&bytes) {
            Ok(checkpoint) if checkpoint.chain == *chain => Ok(Some(checkpoint)),
            _ => {
                tracing::warn!(file = %file.display(), "ignoring a checkpoint that is not ours");
                Ok(None)
            }
        }
    }

    /// Writes a file, wholly or not at all.
    ///
    /// # Errors
    /// What the system says.
    pub fn save(&self, file: &Path) -> io::Result<()> {
        let part = file.with_extension("part");
        std::fs::write(&part, self.to_bytes())?;
        std::fs::rename(part, file)
    }

    /// The newest set.
    #[must_use]
    pub fn newest(&self) -> &TrustedSet {
        self.sets.last().expect("a checkpoint has a set")
    }

    /// Who signs in this term, as far as is known; `None` if it lies before all that is known.
    #[must_use]
    pub fn of_term(&self, term: u64) -> Option<&TrustedSet> {
        self.sets.iter().rev().find(|set| set.from <= term)
    }

    /// Whether those of the genesis are known to sit still in this term, as far as is known.
    #[must_use]
    pub fn is_without_changes(&self, term: u64) -> bool {
        self.of_term(term).is_some_and(|set| set.from == 0)
    }

    /// The term that a height belongs to.
    #[must_use]
    pub const fn term_of(&self, height: Height) -> u64 {
        match height.0.checked_div(self.term_heights) {
            Some(term) => term,
            None => 0,
        }
    }

    pub(super) fn add(&mut self, set: TrustedSet) {
        if self.newest().validators == set.validators {
            return;
        }
        let mut sets = self.sets.clone().into_vec();
        // The oldest are needed only to read old blocks.
        if sets.len() >= CHECKPOINT_SETS_MAX {
            sets.remove(0);
        }
        sets.push(set);
        self.sets = List::new(sets).expect("within the limit by the line above");
    }
}
