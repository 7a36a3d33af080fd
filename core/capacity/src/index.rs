//! What a node says it holds: a sum tree over plots and shards.
//!
//! The items are in strictly rising order of their ids, plots before shards. Each node of the tree
//! says the first and the last id below it, how many bytes they have, and a digest of its two
//! children, so that a position among all bytes leads to exactly one item, and each opened path
//! shows that the ids on its two sides do not overlap: an item that stands twice has at least one
//! path that contradicts itself. Nodes are joined in pairs, level by level; one without a partner
//! moves up as it is.
//!
//! ```text
//! leaf   digest = derive("acre 2026-11 capacity item", id | bytes u64 | root 32)
//! inner  digest = derive("acre 2026-11 capacity sum", left span | right span)
//! span   first id | last id | bytes u64 | digest 32
//! id     0 | region u32   or   1 | contract u64 | pack 16 | index u8
//! ```

use acre_codec::{Decode, Encode, List};
use acre_crypto::Hasher;
use acre_types::{ContractId, Digest, PackId};

use crate::CapacityError;
use crate::limits::{INDEX_DEPTH_MAX, ITEMS_MAX};

/// Names what is held. The order is that of the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub enum ItemId {
    /// A region of the node's plots.
    Plot(u32),
    /// A shard that a contract pays for.
    Shard {
        /// The contract.
        contract: ContractId,
        /// The pack.
        pack: PackId,
        /// Position in the pack.
        index: u8,
    },
}

/// A thing that is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Item {
    /// Its name.
    pub id: ItemId,
    /// Its length: that of the region, or of the shard's body.
    pub bytes: u64,
    /// BLAKE3 of these bytes.
    pub root: Digest,
}

/// A subtree, as its parent sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Span {
    /// Least id below.
    pub first: ItemId,
    /// Largest id below.
    pub last: ItemId,
    /// Sum of all bytes below.
    pub bytes: u64,
    /// What makes it this subtree.
    pub digest: Digest,
}

impl Span {
    fn of(item: &Item) -> Self {
        let digest =
            Hasher::new("acre 2026-11 capacity item").update(&acre_codec::encode(item)).finish();
        Self { first: item.id, last: item.id, bytes: item.bytes, digest }
    }

    /// Joins two neighbours.
    fn join(left: &Self, right: &Self) -> Result<Self, CapacityError> {
        if left.last >= right.first {
            return Err(CapacityError::Disorder(right.first));
        }
        let bytes = left.bytes.checked_add(right.bytes);
        let bytes = bytes.ok_or(CapacityError::Disorder(right.first))?;
        let mut hasher = Hasher::new("acre 2026-11 capacity sum");
        hasher.update(&acre_codec::encode(left)).update(&acre_codec::encode(right));
        Ok(Self { first: left.first, last: right.last, bytes, digest: hasher.finish() })
    }
}

/// The neighbour on the way up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Step {
    /// It stands to the left.
    Left(Span),
    /// It stands to the right.
    Right(Span),
}

/// The neighbours from an item up to the root.
pub type IndexPath = List<Step, INDEX_DEPTH_MAX>;

/// An index in memory, about 230 bytes an item.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Index {
    items: Vec<Item>,
    /// The items' spans first, the root last; empty without items.
    levels: Vec<Vec<Span>>,
}

/// An item found by a position, with its proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The item.
    pub item: Item,
    /// The position within it.
    pub offset: u64,
    /// Its way to the root.
    pub path: IndexPath,
}

impl Index {
    /// Builds the index of `items`, which are in order.
    ///
    /// # Errors
    /// [`CapacityError::Disorder`] for ids that do not rise, an empty item, or a sum past 64 bits.
    pub fn build(items: Vec<Item>) -> Result<Self, CapacityError> {
        if items.len() > ITEMS_MAX {
            return Err(CapacityError::Rules { reason: "an index holds at most 2^30 items" });
        }
        if let Some(empty) = items.iter().find(|item| item.bytes == 0) {
            return Err(CapacityError::Disorder(empty.id));
        }
        let mut levels: Vec<Vec<Span>> = Vec::new();
        let mut level: Vec<Span> = items.iter().map(Span::of).collect();
        while level.len() > 1 {
            let mut above = Vec::with_capacity(level.len().div_ceil(2));
            for pair in level.chunks(2) {
                above.push(match pair {
                    [left, right] => Span::join(left, right)?,
                    rest => *rest.first().expect("chunks are not empty"),
                });
            }
            levels.push(std::mem::replace(&mut level, above));
        }
        if !level.is_empty() {
            levels.push(level);
        }
        Ok(Self { items, levels })
    }

    /// The root, `None` of an empty index.
    #[must_use]
    pub fn root(&self) -> Option<Span> {
        self.levels.last().and_then(|level| level.first()).copied()
    }

    /// The items, in order.
    #[must_use]
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// Bytes of all items of one kind: of plots, or of shards.
    #[must_use]
    pub fn plot_bytes(&self) -> u64 {
        let plots = self.items.iter().take_while(|item| matches!(item.id, ItemId::Plot(_)));
        plots.map(|item| item.bytes).sum()
    }

    /// The item that holds byte `position` of all bytes.
    #[must_use]
    pub fn find(&self, position: u64) -> Option<Found> {
        let root = self.root().filter(|root| position < root.bytes)?;
        debug_assert!(root.bytes > 0, "an item has at least one byte");
        let mut steps = Vec::new();
        let (mut number, mut offset) = (0_usize, position);
        for level in self.levels.iter().rev().skip(1) {
            let left_number = number.checked_mul(2)?;
            let left = level.get(left_number)?;
            match level.get(left_number.saturating_add(1)) {
                Some(_) if offset >= left.bytes => {
                    steps.push(Step::Left(*left));
                    offset = offset.saturating_sub(left.bytes);
                    number = left_number.saturating_add(1);
                }
                Some(right) => {
                    steps.push(Step::Right(*right));
                    number = left_number;
                }
                None => number = left_number,
            }
        }
        steps.reverse();
        let item = *self.items.get(number)?;
        Some(Found { item, offset, path: List::new(steps).ok()? })
    }
}

/// Checks that `item` is in the index with this root, and gives the position of its first byte.
///
/// # Errors
/// [`CapacityError::Disorder`] if ids overlap on the way, [`CapacityError::NotInIndex`] if it ends
/// at another root.
pub fn verify(root: &Span, item: &Item, path: &[Step]) -> Result<u64, CapacityError> {
    let mut reached = Span::of(item);
    let mut before = 0_u64;
    for step in path {
        reached = match step {
            Step::Left(left) => {
                before = before.checked_add(left.bytes).ok_or(CapacityError::Disorder(item.id))?;
                Span::join(left, &reached)?
            }
            Step::Right(right) => Span::join(&reached, right)?,
        };
    }
    if reached == *root { Ok(before) } else { Err(CapacityError::NotInIndex(item.id)) }
}

/// Bytes that the index says belong to the contract of `item`, as far as this path shows: the item
/// and all neighbours that are of this contract alone. Ids rise, so nothing else can lie in these.
/// Zero for a plot. The path was verified.
#[must_use]
pub fn contract_bytes(item: &Item, path: &[Step]) -> u64 {
    let ItemId::Shard { contract, .. } = item.id else { return 0 };
    let is_own = |id: ItemId| matches!(id, ItemId::Shard { contract: of, .. } if of == contract);
    let own = path.iter().map(|step| match step {
        Step::Left(span) | Step::Right(span) => span,
    });
    let own = own.filter(|span| is_own(span.first) && is_own(span.last));
    own.fold(item.bytes, |sum, span| sum.saturating_add(span.bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(number: u32, bytes: u64) -> Item {
        let id = if number < 3 {
            ItemId::Plot(number)
        } else {
            let pack = PackId([number as u8; 16]);
            ItemId::Shard { contract: ContractId(1), pack, index: 0 }
        };
        Item { id, bytes, root: Digest([number as u8; 32]) }
    }

    fn items(count: u32) -> Vec<Item> {
        (0..count).map(|number| item(number, u64::from(number) * 10 + 1)).collect()
    }

    #[test]
    fn each_position_leads_to_its_item_and_back() {
        for count in [1, 2, 3, 5, 8, 13] {
            let index = Index::build(items(count)).unwrap();
            let root = index.root().unwrap();
            let mut first = 0;
            for item in items(count) {
                for position in [first, first + item.bytes - 1] {
                    let found = index.find(position).unwrap();
                    assert_eq!((found.item, found.offset), (item, position - first));
                    assert_eq!(verify(&root, &item, &found.path), Ok(first));
                }
                first += item.bytes;
            }
            assert_eq!(root.bytes, first);
            assert_eq!(index.find(first), None);
        }
        assert_eq!(Index::default().find(0), None);
    }

    #[test]
    fn plots_come_first() {
        let index = Index::build(items(6)).unwrap();
        assert_eq!(index.plot_bytes(), 1 + 11 + 21);
    }

    #[test]
    fn refuses_items_out_of_order_twice_or_empty() {
        let [a, b] = [item(1, 5), item(2, 5)];
        for wrong in [vec![b, a], vec![a, a], vec![a, item(2, 0)]] {
            assert!(Index::build(wrong).is_err());
        }
        let huge = vec![item(1, u64::MAX), item(2, 1)];
        assert!(Index::build(huge).is_err());
    }

    #[test]
    fn item_that_stands_twice_contradicts_itself() {
        // A cheat joins two copies of one list and lies about the ranges of one of them.
        let half = Index::build(items(4)).unwrap();
        let honest = half.root().unwrap();
        let shifted = Span { first: item(8, 1).id, last: item(9, 1).id, ..honest };
        let root = Span::join(&honest, &shifted).unwrap();
        let right_copy = |position| {
            let found = half.find(position).unwrap();
            let mut path = found.path.into_vec();
            path.push(Step::Left(honest));
            verify(&root, &found.item, &path)
        };
        for position in 0..honest.bytes {
            assert!(right_copy(position).is_err());
        }
    }

    #[test]
    fn path_tells_what_its_contract_has_at_least() {
        let of = |contract, number: u8| {
            let id = ItemId::Shard {
                contract: ContractId(contract),
                pack: PackId([number; 16]),
                index: 0,
            };
            Item { id, bytes: 100, root: Digest([number; 32]) }
        };
        let mut all = vec![item(0, 50), of(1, 1)];
        all.extend((0..61).map(|number| of(2, number)));
        all.push(of(3, 1));
        let index = Index::build(all).unwrap();
        let shown = |position| {
            let found = index.find(position).unwrap();
            contract_bytes(&found.item, &found.path)
        };
        assert_eq!(shown(0), 0, "a plot is of no contract");
        assert_eq!(shown(50), 100);
        assert_eq!(shown(50 + 62 * 100), 100);
        for number in 0..61 {
            let shown = shown(150 + number * 100);
            assert!((6_100 / 4..=6_100).contains(&shown), "{number}: {shown}");
        }
    }

    #[test]
    fn refuses_another_item_or_path() {
        let index = Index::build(items(7)).unwrap();
        let root = index.root().unwrap();
        let found = index.find(40).unwrap();
        let other = Item { bytes: found.item.bytes + 1, ..found.item };
        assert!(verify(&root, &other, &found.path).is_err());
        assert!(verify(&root, &found.item, &found.path[1..]).is_err());
        let elsewhere = index.find(0).unwrap();
        assert!(verify(&root, &found.item, &elsewhere.path).is_err());
    }
}
