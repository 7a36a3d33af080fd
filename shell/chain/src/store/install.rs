//! Begins a store in the middle of a chain, from a state that was fetched and proven.

use std::path::Path;

use acre_types::Digest;
use redb::Database;

use super::{BLOCKS, BODIES, Body, Head, TURNS, create, put};
use crate::error::StoreError;
use crate::limits::DATABASE_CACHE_BYTES;

/// What a store begins with.
pub struct Beginning {
    /// Digest of the genesis.
    pub genesis: Digest,
    /// Height of the block after which the state stands.
    pub height: u64,
    /// That block.
    pub head: Head,
    /// Its transactions, as the engine ordered them.
    pub payload: Vec<u8>,
    /// The leaves of the state.
    pub leaves: Vec<(Vec<u8>, Vec<u8>)>,
    /// Proofs of changes of validators, by the term that each ends.
    pub turns: Vec<(u64, Vec<u8>)>,
}

/// Writes a store into a new file: it is there wholly when this returns, or not at all.
///
/// # Errors
/// [`StoreError::Database`], [`StoreError::EntryTooLarge`], [`StoreError::File`] if the file cannot
/// be put in its place.
pub fn install(file: &Path, beginning: Beginning) -> Result<(), StoreError> {
    let Beginning { genesis, height, head, payload, leaves, turns } = beginning;
    let body = Body { payload, ..Body::default() };
    let part = file.with_extension("part");
    let moving = |source| StoreError::File { path: part.clone(), source };
    match std::fs::remove_file(&part) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(moving(error)),
        _ => {}
    }
    let failed = |source: redb::Error| StoreError::database("installing a state", source);
    let database = Database::builder()
        .set_cache_size(DATABASE_CACHE_BYTES)
        .create(&part)
        .map_err(|e| failed(e.into()))?;
    create(&database, genesis, leaves)?;
    let transaction = database.begin_write().map_err(|e| failed(e.into()))?;
    put(&transaction, BLOCKS, height, &acre_codec::encode(&head))?;
    put(&transaction, BODIES, height, &acre_codec::encode(&body))?;
    for (term, turn) in turns {
        put(&transaction, TURNS, term, &turn)?;
    }
    transaction.commit().map_err(|e| failed(e.into()))?;
    drop(database);
    std::fs::rename(&part, file).map_err(moving)?;
    sync_directory(file).map_err(moving)
}

/// Makes a rename durable.
fn sync_directory(file: &Path) -> std::io::Result<()> {
    match file.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => {
            std::fs::File::open(directory)?.sync_all()
        }
        _ => Ok(()),
    }
}
