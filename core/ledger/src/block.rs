//! Blocks: the only way in which the state moves on.

use std::borrow::Borrow;

use acre_codec::List;
use acre_types::{Digest, Height, UnixMs};
use borsh::{BorshDeserialize, BorshSerialize};

use crate::apply::{self, Work};
use crate::error::{BlockError, Fault, Refusal, StateError};
use crate::event::{Event, Receipt};
use crate::limits::{PAYLOAD_BYTES_MAX, PAYLOAD_TRANSACTIONS_MAX, RULES_KNOWN};
use crate::state::State;
use crate::transaction::{SignedTransaction, Verified};

/// What a block carries for the ledger.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Payload {
    /// Applied in this order.
    pub transactions: List<SignedTransaction, PAYLOAD_TRANSACTIONS_MAX>,
}

impl Payload {
    /// Of a block that does nothing.
    #[must_use]
    pub fn empty() -> Self {
        Self { transactions: List::new(Vec::new()).expect("none is within any limit") }
    }

    /// From a stranger's bytes.
    ///
    /// # Errors
    /// More than [`PAYLOAD_BYTES_MAX`] bytes, or not canonical ones.
    pub fn decode(bytes: &[u8]) -> Result<Self, acre_codec::CodecError> {
        acre_codec::decode_bounded(bytes, PAYLOAD_BYTES_MAX)
    }

    /// The canonical bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        acre_codec::encode(self)
    }

    /// Checks every signature, one after the other. A caller with several threads or a mempool
    /// makes its [`Verified`] itself.
    ///
    /// # Errors
    /// The first transaction that is too large or badly signed.
    pub fn verify(&self) -> Result<Vec<Verified>, BlockError> {
        let mut verified = Vec::with_capacity(self.transactions.len());
        for (index, signed) in self.transactions.iter().enumerate() {
            verified.push(Verified::new(signed.clone()).map_err(|source| {
                BlockError::Transaction { index, id: signed.transaction.id(), source }
            })?);
        }
        Ok(verified)
    }
}

/// One leaf that a block changed: key bytes, and value bytes or `None` if it is gone.
pub type Change = (Vec<u8>, Option<Vec<u8>>);

/// When a block is made. How likely a muster is called in it depends on the time since the block
/// before, which an empty block leaves no trace of in the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockTime {
    /// Time of the block before; of the first block that of genesis.
    pub before: UnixMs,
    /// Time of the block.
    pub now: UnixMs,
}

impl From<UnixMs> for BlockTime {
    /// As if the block before had the same time: calls no muster. For blocks that are only tried,
    /// and for those of one's own that no muster concerns.
    fn from(now: UnixMs) -> Self {
        Self { before: now, now }
    }
}

/// What a block made of a state.
#[derive(Clone, Debug)]
pub struct Applied {
    /// Height of the block, as given.
    pub height: Height,
    /// Time of the block, as given.
    pub time: UnixMs,
    /// The state after it.
    pub state: State,
    /// Digest of that state; goes into the block's header.
    pub root: Digest,
    /// The leaves to persist, by key. None for an empty block, unless it begins an epoch or a term, ends one, or calls a muster.
    pub changes: Vec<Change>,
    /// What transactions did, in order, then what the block did by itself.
    pub events: Vec<Event>,
    /// One for each transaction, in order.
    pub receipts: Vec<Receipt>,
}

/// A block made from candidates.
#[derive(Clone, Debug)]
pub struct Built {
    /// Goes into the block.
    pub payload: Payload,
    /// What it makes of the state; the same as [`apply_block`] will say.
    pub applied: Applied,
    /// Candidates that do not apply, by id; whether they may later, the refusal says.
    pub skipped: Vec<(Digest, Refusal)>,
}

/// Makes a block of those candidates that apply one after the other, until it is full.
///
/// Candidates of one account must come in the order of their nonces.
///
/// # Errors
/// A damaged state; a candidate is never an error.
pub fn build_block<T: Borrow<Verified>>(
    state: &State,
    candidates: impl IntoIterator<Item = T>,
    height: Height,
    time: impl Into<BlockTime>,
) -> Result<Built, StateError> {
    let mut work = Work::new(state, height, time.into(), RULES_KNOWN)?;
    let mut taken = Vec::new();
    let mut skipped = Vec::new();
    // The length field of the list.
    let mut bytes = 4_usize;
    for candidate in candidates {
        let candidate = candidate.borrow();
        let with_it = bytes.saturating_add(candidate.bytes());
        if taken.len() >= PAYLOAD_TRANSACTIONS_MAX {
            break;
        }
        if with_it > PAYLOAD_BYTES_MAX {
            continue;
        }
        match work.transaction(candidate) {
            Ok(()) => {
                taken.push(candidate.signed().clone());
                bytes = with_it;
            }
            // Nothing is wrong with it: it waits for the next block.
            Err(Fault::Refused(Refusal::BlockFull)) => {}
            Err(Fault::Refused(refusal)) => skipped.push((candidate.id(), refusal)),
            Err(Fault::State(error)) => return Err(error),
        }
    }
    let payload = Payload { transactions: List::new(taken).expect("counted while it was filled") };
    Ok(Built { payload, applied: work.finish()?, skipped })
}

/// Applies a block whose signatures were checked. One transaction that does not apply makes the
/// whole block invalid.
///
/// # Errors
/// The first transaction that does not apply, a block too large, or a damaged state.
pub fn apply_block<T: Borrow<Verified>>(
    state: &State,
    transactions: &[T],
    height: Height,
    time: impl Into<BlockTime>,
) -> Result<Applied, BlockError> {
    apply_block_knowing(RULES_KNOWN, state, transactions, height, time)
}

/// As [`apply_block`], by a program that knows the rules up to this version: for simulations of
/// grids in which some have upgraded and some have not.
///
/// # Errors
/// As there; [`StateError::UnknownRules`] from the first block by newer rules on.
pub fn apply_block_knowing<T: Borrow<Verified>>(
    rules_known: u32,
    state: &State,
    transactions: &[T],
    height: Height,
    time: impl Into<BlockTime>,
) -> Result<Applied, BlockError> {
    let bytes = transactions
        .iter()
        .fold(4_usize, |sum, transaction| sum.saturating_add(transaction.borrow().bytes()));
    if transactions.len() > PAYLOAD_TRANSACTIONS_MAX || bytes > PAYLOAD_BYTES_MAX {
        return Err(BlockError::TooLarge { transactions: transactions.len(), bytes });
    }
    let mut work = Work::new(state, height, time.into(), rules_known)?;
    for (index, transaction) in transactions.iter().enumerate() {
        let transaction = transaction.borrow();
        work.transaction(transaction).map_err(|fault| match fault {
            Fault::Refused(source) => {
                BlockError::Transaction { index, id: transaction.id(), source }
            }
            Fault::State(error) => BlockError::State(error),
        })?;
    }
    Ok(work.finish()?)
}

/// [`Payload::verify`], then [`apply_block`].
///
/// # Errors
/// As both.
pub fn apply_payload(
    state: &State,
    payload: &Payload,
    height: Height,
    time: impl Into<BlockTime>,
) -> Result<Applied, BlockError> {
    apply_block(state, &payload.verify()?, height, time)
}

/// The dear checks that [`check_tx`] leaves out: that he who pays for another's transaction agreed,
/// which takes a signature, and that a free report is a duty. For after the transaction's own
/// signature, so that nobody makes others work for nothing, and outside of locks.
///
/// # Errors
/// Why it would not apply.
pub fn check_payer(state: &State, signed: &SignedTransaction) -> Result<(), Fault> {
    apply::check_payer(state, signed)
}

/// The cheap checks, for a mempool, before the signature is looked at: size, chain, key, nonce,
/// fee and funds for the fee; `now` is the time of the last block. That it passes does not mean that it will apply.
///
/// # Errors
/// Why it would not apply now. [`Refusal::NonceAhead`] comes only if nothing else is wrong, and may
/// be kept for later.
pub fn check_tx(state: &State, signed: &SignedTransaction, now: UnixMs) -> Result<(), Fault> {
    apply::check(state, signed, now)
}
