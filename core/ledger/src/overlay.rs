//! The objects that a block touches, typed, over the state before it.

use std::collections::BTreeMap;

use acre_codec::CodecError;

use crate::error::StateError;
use crate::key::{Key, Lookup};
use crate::object::{AnyObject, Object};
use crate::state::State;

/// An object as a block sees it.
#[derive(Clone)]
struct Entry {
    object: Option<AnyObject>,
    /// Put by a transaction of this block, so perhaps not what the state has.
    written: bool,
}

/// Reads through to the state, keeps writes to itself. Each object is decoded once and encoded
/// once a block. A transaction that fails is undone by [`Overlay::roll_back`].
pub(crate) struct Overlay<'a> {
    base: &'a State,
    entries: BTreeMap<Key, Entry>,
    /// What stood in `entries` before each write since [`Overlay::begin`], oldest first.
    undo: Vec<(Key, Option<Entry>)>,
}

impl<'a> Overlay<'a> {
    pub(crate) const fn new(base: &'a State) -> Self {
        Self { base, entries: BTreeMap::new(), undo: Vec::new() }
    }

    pub(crate) const fn base(&self) -> &State {
        self.base
    }

    /// From here on writes can be undone.
    pub(crate) fn begin(&mut self) {
        self.undo.clear();
    }

    /// Undoes every write since [`Overlay::begin`].
    pub(crate) fn roll_back(&mut self) {
        while let Some((key, before)) = self.undo.pop() {
            match before {
                Some(entry) => self.entries.insert(key, entry),
                None => self.entries.remove(&key),
            };
        }
    }

    pub(crate) fn get<L: Lookup>(&mut self, place: &L) -> Result<Option<L::Object>, StateError> {
        let key = place.key();
        if let Some(entry) = self.entries.get(&key) {
            return typed::<L>(&key, entry.object.as_ref());
        }
        let object = self.base.read(place)?;
        let any = object.clone().map(Object::wrap);
        self.entries.insert(key, Entry { object: any, written: false });
        Ok(object)
    }

    /// As [`Overlay::get`], for what must be there.
    pub(crate) fn must<L: Lookup>(&mut self, place: &L) -> Result<L::Object, StateError> {
        self.get(place)?.ok_or_else(|| StateError::Missing { key: place.key() })
    }

    pub(crate) fn put<L: Lookup>(&mut self, place: &L, object: L::Object) {
        let key = place.key();
        let entry = Entry { object: Some(object.wrap()), written: true };
        let before = self.entries.insert(key.clone(), entry);
        self.undo.push((key, before));
    }

    /// Canonical bytes of all that differs from the state, by key.
    pub(crate) fn into_changes(self) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
        let mut changes = Vec::new();
        for (key, entry) in self.entries.into_iter().filter(|(_, entry)| entry.written) {
            let key = key.to_bytes();
            let value = entry.object.map(|object| object.to_bytes());
            if self.base.map().get(&key).map(|bytes| &**bytes) != value.as_deref() {
                changes.push((key, value));
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
