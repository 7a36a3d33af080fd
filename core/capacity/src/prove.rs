//! The node's side: opening what was drawn.

use acre_codec::Blob;
use acre_types::{ContractId, Digest, PackId};

use crate::CapacityError;
use crate::index::{Found, Index, Item, ItemId};
use crate::limits::{GROUP, GROUP_BYTES, LEAF, LEAF_BYTES, SAMPLES_MAX};
use crate::message::{Opening, Sample, Samples, position};
use crate::tree;

/// A shard as it is stored.
pub struct Shard {
    /// Its encoded, signed header.
    pub header: Vec<u8>,
    /// Its body.
    pub body: Vec<u8>,
}

/// Where a node reads what it holds.
pub trait Holdings {
    /// Fills `into` from a region of the plots.
    ///
    /// # Errors
    /// [`CapacityError::Read`].
    fn plot(&self, region: u32, offset: u64, into: &mut [u8]) -> Result<(), CapacityError>;
    /// Fills `into` from the stored tree of a region.
    ///
    /// # Errors
    /// [`CapacityError::Read`].
    fn outboard(&self, region: u32, offset: u64, into: &mut [u8]) -> Result<(), CapacityError>;
    /// Reads a shard.
    ///
    /// # Errors
    /// [`CapacityError::Read`].
    fn shard(&self, contract: ContractId, pack: PackId, index: u8) -> Result<Shard, CapacityError>;
    /// Fills `into` from the body of a shard. Whoever can do so without reading all of it should: a
    /// chase is timed.
    ///
    /// # Errors
    /// [`CapacityError::Read`].
    fn part(
        &self,
        contract: ContractId,
        pack: PackId,
        index: u8,
        offset: u64,
        into: &mut [u8],
    ) -> Result<(), CapacityError> {
        let shard = self.shard(contract, pack, index)?;
        let rest = usize::try_from(offset).ok().and_then(|offset| shard.body.get(offset..));
        let part = rest.and_then(|rest| rest.get(..into.len()));
        let missing = CapacityError::Malformed { reason: "a shorter shard than indexed" };
        into.copy_from_slice(part.ok_or(missing)?);
        Ok(())
    }
}

/// Reads leaf `number` of an item, and nothing else, into `into`; says how long it is.
pub(crate) fn leaf(
    item: &Item,
    number: u64,
    holdings: &dyn Holdings,
    into: &mut [u8; LEAF_BYTES],
) -> Result<usize, CapacityError> {
    let length = tree::leaf_bytes(item.bytes, number);
    let offset = number.saturating_mul(LEAF.get());
    let into = into.get_mut(..length).expect("no leaf is longer than the longest");
    match item.id {
        ItemId::Plot(region) => holdings.plot(region, offset, into)?,
        ItemId::Shard { contract, pack, index } => {
            holdings.part(contract, pack, index, offset, into)?;
        }
    }
    Ok(length)
}

/// Opens what `nonce` draws from `index`. What cannot be read is [`Sample::Missing`].
///
/// # Errors
/// [`CapacityError::NothingHeld`]; [`CapacityError::Malformed`] for more than [`SAMPLES_MAX`].
pub fn open(
    index: &Index,
    holdings: &dyn Holdings,
    nonce: &Digest,
    samples: u8,
) -> Result<Samples, CapacityError> {
    if usize::from(samples) > SAMPLES_MAX {
        return Err(CapacityError::Malformed { reason: "more samples than one answer has" });
    }
    let root = index.root().ok_or(CapacityError::NothingHeld)?;
    let sample = |number: u8| sample(index, holdings, position(&root, nonce, u64::from(number)));
    Ok(Samples::new((0..samples).map(sample).collect()).expect("counted just now"))
}

/// Opens what stands at one position of `index`, if it can be read.
pub(crate) fn sample(index: &Index, holdings: &dyn Holdings, position: u64) -> Sample {
    let opening = index.find(position).and_then(|found| opening(found, holdings).ok());
    opening.map_or(Sample::Missing, |opening| Sample::Opened(Box::new(opening)))
}

fn opening(found: Found, holdings: &dyn Holdings) -> Result<Opening, CapacityError> {
    let Found { item, offset, path } = found;
    let number = offset / LEAF;
    let wrong = |_| CapacityError::Malformed { reason: "a leaf or header past its limit" };
    let (leaf, tree, header) = match item.id {
        ItemId::Plot(region) => {
            let (leaf, tree) = plot_leaf(region, item.bytes, number, holdings)?;
            (leaf, tree, Vec::new())
        }
        ItemId::Shard { contract, pack, index } => {
            let shard = holdings.shard(contract, pack, index)?;
            let missing = CapacityError::Malformed { reason: "a shorter shard than indexed" };
            let tree = tree::path(&shard.body, number).ok_or(missing.clone())?;
            let first = usize::try_from(number).ok().and_then(|n| n.checked_mul(LEAF_BYTES));
            let rest = first.and_then(|first| shard.body.get(first..)).ok_or(missing)?;
            (rest.iter().take(LEAF_BYTES).copied().collect(), tree, shard.header)
        }
    };
    let leaf = Blob::new(leaf).map_err(wrong)?;
    Ok(Opening { item, index: path, leaf, tree, header: Blob::new(header).map_err(wrong)? })
}

fn plot_leaf(
    region: u32,
    bytes: u64,
    leaf: u64,
    holdings: &dyn Holdings,
) -> Result<(Vec<u8>, tree::Path), CapacityError> {
    let wrong = CapacityError::Malformed { reason: "a region of another length" };
    let at = leaf.saturating_mul(LEAF.get());
    let within = at % GROUP;
    let first = at.saturating_sub(within);
    let mut group = vec![0; GROUP_BYTES];
    holdings.plot(region, first, &mut group)?;
    let region_bytes = u32::try_from(bytes).map_err(|_| wrong.clone())?;
    let path = tree::region_path(region_bytes, leaf, &group, |place| {
        let mut value = Digest([0; 32]);
        holdings.outboard(region, place, &mut value.0)?;
        Ok(value)
    })?;
    let rest = usize::try_from(within).ok().and_then(|at| group.get(at..)).ok_or(wrong)?;
    Ok((rest.iter().take(LEAF_BYTES).copied().collect(), path))
}
