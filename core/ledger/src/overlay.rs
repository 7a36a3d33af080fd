//! The objects that a block touches, typed, over the state before it.

use std::collections::BTreeMap;
use std::sync::Arc;

use acre_codec::CodecError;

use crate::error::StateError;
use crate::key::{Key, Lookup};
use crate::object::{AnyObject, Object};
use crate::state::State;

/// An object as a block sees it.
struct Entry {
    object: Option<AnyObject>,
    /// What the state has.
    stored: Option<Arc<[u8]>>,
    /// Put by a transaction of this block, so perhaps not what the state has.
    is_written: bool,
}

/// What an entry was before a write.
struct Before {
    key: Key,
    object: Option<AnyObject>,
    is_written: bool,
}

/// Reads through to the state, keeps writes to itself. Each object is looked up and decoded once
/// a block, and encoded once. A transaction that fails is undone by [`Overlay::roll_back`].
pub(crate) struct Overlay<'a> {
    base: &'a State,
    entries: BTreeMap<Key, Entry>,
    /// One for each write since [`Overlay::begin`], oldest first.
    undo: Vec<Before>,
}

impl<'a> Overlay<'a> {
    pub(crate) const fn new(base: &'a State) -> Self {
        Self { base, entries: BTreeMap::new(), undo: Vec::new() }
    }

    pub(crate) const fn base(&self) -> &'a State {
        self.base
    }

    /// From here on writes can be undone.
    pub(crate) fn begin(&mut self) {
        self.undo.clear();
    }

    /// Undoes every write since [`Overlay::begin`].
    pub(crate) fn roll_back(&mut self) {
        while let Some(Before { key, object, is_written }) = self.undo.pop() {
            if let Some(entry) = self.entries.get_mut(&key) {
                entry.object = object;
                entry.is_written = is_written;
            }
        }
    }

    pub(crate) fn get<L: Lookup>(&mut self, place: &L) -> Result<Option<L::Object>, StateError> {
        let key = place.key();
        if let Some(entry) = self.entries.get(&key) {
            return typed::<L>(&key, entry.object.as_ref());
        }
        let stored = self.base.map().get(&key.to_bytes()).cloned();
        let object = match &stored {
            None => None,
            Some(bytes) => Some(
                acre_codec::decode::<L::Object>(bytes)
                    .map_err(|source| StateError::Damaged { key: key.clone(), source })?,
            ),
        };
        let any = object.clone().map(Object::wrap);
        self.entries.insert(key, Entry { object: any, stored, is_written: false });
        Ok(object)
    }

    /// As [`Overlay::get`], for what must be there.
    pub(crate) fn must<L: Lookup>(&mut self, place: &L) -> Result<L::Object, StateError> {
        self.get(place)?.ok_or_else(|| StateError::Missing { key: place.key() })
    }

    pub(crate) fn put<L: Lookup>(&mut self, place: &L, object: L::Object) {
        let key = place.key();
        let base = self.base;
        let entry = self.entries.entry(key.clone()).or_insert_with(|| {
            let stored = base.map().get(&key.to_bytes()).cloned();
            Entry { object: None, stored, is_written: false }
        });
        let before = entry.object.replace(object.wrap());
        self.undo.push(Before { key, object: before, is_written: entry.is_written });
        entry.is_written = true;
    }

    /// Takes away what stands there.
    pub(crate) fn remove<L: Lookup>(&mut self, place: &L) -> Result<(), StateError> {
        if self.get(place)?.is_none() {
            return Ok(());
        }
        let key = place.key();
        if let Some(entry) = self.entries.get_mut(&key) {
            let before = entry.object.take();
            self.undo.push(Before { key, object: before, is_written: entry.is_written });
            entry.is_written = true;
        }
        Ok(())
    }

    /// Canonical bytes of all that differs from the state, by key.
    pub(crate) fn into_changes(self) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
        let mut changes = Vec::new();
        for (key, entry) in self.entries.into_iter().filter(|(_, entry)| entry.is_written) {
            let value = entry.object.map(|object| object.to_bytes());
            if entry.stored.as_deref() != value.as_deref() {
                changes.push((key.to_bytes(), value));
            }
        }
        changes
    }
}

fn typed<L: Lookup>(key: &Key, any: Option<&AnyObject>) -> Result<Option<L::Object>, StateError> {
    let Some(any) = any else { return Ok(None) };
    L::Object::unwrap(any).cloned().map(Some).ok_or_else(|| StateError::Damaged {
        key: key.clone(),
        source: CodecError::Malformed {
            what: std::any::type_name::<L::Object>(),
            bytes: 0,
            reason: "another type stands there".to_owned(),
        },
    })
}
