//! The whole state of a grid at one height.

use std::sync::Arc;

use acre_types::{Digest, UnixMs};

use crate::error::{ProofError, StateError};
use crate::key::{Key, Lookup, TheGrid, TheParameters, TheTotals};
use crate::map::{Map, Proof};
use crate::object::{Grid, Parameters, Totals};

/// The state. Cloning is two reference counts, so every unfinalized block may have its own.
#[derive(Clone, Debug)]
pub struct State {
    map: Map,
    grid: Arc<Grid>,
}

/// A shell applies blocks on one thread and answers readers on others.
const _: fn() = || {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<State>();
};

impl State {
    pub(crate) fn new(map: Map, grid: Grid) -> Self {
        Self { map, grid: Arc::new(grid) }
    }

    pub(crate) fn with_map(&self, map: Map) -> Self {
        Self { map, grid: Arc::clone(&self.grid) }
    }

    /// The state of these leaves (as [`State::leaves`] or the changes of all blocks gave them), in
    /// any order.
    ///
    /// # Errors
    /// No grid among the leaves, or a damaged one, or a leaf too large. Other damage shows in the
    /// root, which the caller compares with the one it knows.
    pub fn from_leaves<K, V>(leaves: impl IntoIterator<Item = (K, V)>) -> Result<Self, StateError>
    where
        K: Into<Box<[u8]>>,
        V: Into<Arc<[u8]>>,
    {
        let map = Map::from_leaves(leaves)?;
        let grid = read(&map, &TheGrid)?.ok_or(StateError::Missing { key: Key::Grid })?;
        Ok(Self::new(map, grid))
    }

    /// The digest of everything.
    #[must_use]
    pub fn root(&self) -> Digest {
        self.map.root()
    }

    /// The map below.
    #[must_use]
    pub const fn map(&self) -> &Map {
        &self.map
    }

    /// All leaves as key bytes and value bytes, in an order that is the same everywhere.
    pub fn leaves(&self) -> impl Iterator<Item = (&[u8], &Arc<[u8]>)> {
        self.map.iter()
    }

    /// The same from this key on.
    pub fn leaves_from(&self, key: &[u8]) -> impl Iterator<Item = (&[u8], &Arc<[u8]>)> {
        self.map.iter_from(key)
    }

    /// What never changes: the chain's id, the foundation account.
    #[must_use]
    pub fn grid(&self) -> &Grid {
        &self.grid
    }

    /// What is at this place: `state.read(&account_id)`, `state.read(&NodeAt(3))`.
    ///
    /// # Errors
    /// Damaged bytes.
    pub fn read<L: Lookup>(&self, place: &L) -> Result<Option<L::Object>, StateError> {
        read(&self.map, place)
    }

    /// Sums and counters.
    ///
    /// # Errors
    /// Damaged bytes.
    pub fn totals(&self) -> Result<Totals, StateError> {
        self.read(&TheTotals)?.ok_or(StateError::Missing { key: Key::Totals })
    }

    /// Prices and fees.
    ///
    /// # Errors
    /// Damaged bytes.
    pub fn parameters(&self) -> Result<Parameters, StateError> {
        self.read(&TheParameters)?.ok_or(StateError::Missing { key: Key::Parameters })
    }

    /// Time of genesis.
    #[must_use]
    pub fn started(&self) -> UnixMs {
        self.grid.started
    }

    /// Proves what is at a key, present or absent.
    #[must_use]
    pub fn prove(&self, key: &Key) -> Proof {
        self.map.prove(&key.to_bytes())
    }
}

fn read<L: Lookup>(map: &Map, place: &L) -> Result<Option<L::Object>, StateError> {
    let key = place.key();
    match map.get(&key.to_bytes()) {
        None => Ok(None),
        Some(bytes) => acre_codec::decode(bytes)
            .map(Some)
            .map_err(|source| StateError::Damaged { key, source }),
    }
}

/// What is at a place, according to a proof and a root that the reader trusts.
///
/// # Errors
/// A proof of something else, or bytes that are no such object.
pub fn proven<L: Lookup>(
    root: &Digest,
    place: &L,
    proof: &Proof,
) -> Result<Option<L::Object>, ProofError> {
    let key = place.key();
    match proof.verify(root, &key.to_bytes())? {
        None => Ok(None),
        Some(bytes) => acre_codec::decode(bytes)
            .map(Some)
            .map_err(|source| ProofError::Undecodable { key, source }),
    }
}
