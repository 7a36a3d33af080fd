//! What a survey means for a person: where each shard is, and how many losses are left to bear.

use acre_types::{NodeId, PackId, ShardIndex};

use super::head::HeadSpec;
use super::redundancy;
use super::survey::{Condition, Seen, Sighting};
use super::types::{Places, ShardAt};

/// State of one shard of a pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ShardState {
    /// Its node read it and found it whole.
    Verified,
    /// At no place that answered, and its own place answered.
    Missing,
    /// Its node found it damaged, and there is no whole copy.
    Damaged,
    /// Its place did not answer.
    Unreachable,
}

impl ShardState {
    /// The word for it in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Missing => "missing",
            Self::Damaged => "damaged",
            Self::Unreachable => "unreachable",
        }
    }
}

/// One shard, where it is or should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Which shard.
    pub index: ShardIndex,
    /// The place that holds it, else its primary place.
    pub node: NodeId,
    /// The site of that place, if known.
    pub site: Option<String>,
    /// How it is.
    pub state: ShardState,
}

/// The table of one pack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// One row a shard, by index.
    pub rows: Vec<Row>,
    /// Further places that may be lost with the pack still readable, and with it the head of its
    /// volume, without which nobody knows what to read; `None` if it is not readable now.
    pub losses_survivable: Option<u8>,
}

/// Makes the table of `pack` from what its places said; `site_of` names the site of a node.
#[must_use]
pub fn explain(
    pack: PackId,
    places: &Places,
    sightings: &[Sighting],
    site_of: impl Fn(NodeId) -> Option<String>,
) -> Explained {
    let copies = copies(sightings);
    let with = |condition: Condition| {
        let wanted = copies.iter().filter(move |(_, found)| *found == condition);
        wanted.map(|(copy, _)| *copy).collect::<Vec<ShardAt>>()
    };
    let is_primary = |(index, node): ShardAt| places.primary(pack, index) == node;
    let verified = with(Condition::Verified);
    let assigned = redundancy::assign(&verified, is_primary);
    let silent = |node: NodeId| {
        sightings.iter().all(|sighting| sighting.node != node || sighting.seen == Seen::Unreachable)
    };
    let (damaged, unknown) = (with(Condition::Damaged), with(Condition::Unknown));
    let first = |list: &[ShardAt], index| {
        list.iter().find(|(other, _)| *other == index).map(|(_, node)| *node)
    };
    let row = |index: ShardIndex| {
        let primary = places.primary(pack, index);
        let whole = assigned.get(&index).copied().or_else(|| first(&verified, index));
        let (node, state) = if let Some(node) = whole {
            (node, ShardState::Verified)
        } else if let Some(node) = first(&unknown, index) {
            (node, ShardState::Unreachable)
        } else if let Some(node) = first(&damaged, index) {
            (node, ShardState::Damaged)
        } else if silent(primary) {
            (primary, ShardState::Unreachable)
        } else {
            (primary, ShardState::Missing)
        };
        Row { index, node, site: site_of(node), state }
    };
    let profile = places.profile();
    let shards = assigned.len().checked_sub(usize::from(profile.data()));
    let answered = places.all().iter().filter(|place| !silent(**place)).count();
    let quorum = HeadSpec { places: places.clone() }.read_quorum();
    let heads = answered.checked_sub(quorum);
    let spare = shards.zip(heads).map(|(shards, heads)| shards.min(heads));
    Explained {
        rows: profile.indices().map(row).collect(),
        losses_survivable: spare.and_then(|spare| u8::try_from(spare).ok()),
    }
}

fn copies(sightings: &[Sighting]) -> Vec<(ShardAt, Condition)> {
    let mut copies = Vec::new();
    for sighting in sightings {
        if let Seen::Shards(shards) = &sighting.seen {
            let held = shards.iter().map(|(index, found)| ((*index, sighting.node), *found));
            copies.extend(held);
        }
    }
    copies
}
