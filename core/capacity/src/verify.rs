//! The witness's side: checking what was opened.

use acre_types::Digest;

use crate::CapacityError;
use crate::index::{self, ItemId, Span};
use crate::limits::LEAF;
use crate::message::{Commitment, Opening, position};
use crate::plot::PlotRules;
use crate::tree;

/// What the shell found about the header in an [`Opening`]: it knows how shards are laid out and
/// asks the ledger, this crate does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderCheck {
    /// The item is a plot and has no header.
    None,
    /// The writer of the item's contract signed it, the contract lives and names this node, and the
    /// header is of the item's contract, pack and index.
    Signed {
        /// What the header says the body hashes to.
        root: Digest,
        /// What it says the body's length is.
        bytes: u64,
        /// Most bytes that the contract may have at this node.
        most: u64,
    },
    /// One of these is not so.
    Refused,
    /// The ledger could not be asked. Nobody is blamed.
    Unknown,
}

/// What one sample showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// The byte that was asked is held.
    Held,
    /// Nothing could be told.
    Unknown,
}

/// Checks the opening of sample `number` of a commitment.
///
/// # Errors
/// [`CapacityError`]: the node does not hold what it said it holds.
pub fn check(
    commitment: &Commitment,
    rules: &PlotRules,
    nonce: &Digest,
    number: u64,
    opening: &Opening,
    header: HeaderCheck,
) -> Result<Shown, CapacityError> {
    let root: &Span = commitment.index.as_ref().ok_or(CapacityError::NothingHeld)?;
    let item = &opening.item;
    let wanted = position(root, nonce, number);
    let first = index::verify(root, item, &opening.index)?;
    let offset = wanted.checked_sub(first).filter(|offset| *offset < item.bytes);
    let offset = offset.ok_or(CapacityError::WrongItem(item.id))?;
    let is_plot = matches!(item.id, ItemId::Plot(_));
    if is_plot != (wanted < commitment.plots) {
        return Err(CapacityError::WrongItem(item.id));
    }
    let mut shown = Shown::Held;
    match (is_plot, header) {
        (true, _) if item.bytes != u64::from(rules.region_bytes) => {
            return Err(CapacityError::Malformed { reason: "a region of another length" });
        }
        (true, _) => {}
        (false, HeaderCheck::Signed { root, bytes, most })
            if root == item.root && bytes == item.bytes =>
        {
            let shown = index::contract_bytes(item, &opening.index);
            if shown > most {
                return Err(CapacityError::Unpaid { item: item.id, shown, most });
            }
        }
        (false, HeaderCheck::Unknown) => shown = Shown::Unknown,
        (false, _) => {
            return Err(CapacityError::Malformed { reason: "a shard that nobody pays for here" });
        }
    }
    let leaf = offset / LEAF;
    tree::verify(&item.root, item.bytes, leaf, &opening.leaf, &opening.tree)?;
    Ok(shown)
}
