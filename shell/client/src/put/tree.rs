//! Builds the tree of what is put while its packs are still being filled.
//!
//! A chunk's reference needs the length of its pack, which is known when that is closed. So steps
//! wait in a queue behind the first that refers to the open pack; closing it lets all of them
//! through. The queue is bounded by closing a pack early.

use std::collections::VecDeque;
use std::sync::Arc;

use acre_store::limits::RUN_CHUNKS_MAX;
use acre_store::pack::ChunkRef;
use acre_store::tree::{ContentBuilder, DirectoryBuilder, Entry, Extent, Kind, Meta, Name, Run};

use crate::ClientError;
use crate::cache::{PackInfo, Stored};
use crate::meta::MetaStore;

/// One step of building.
pub(super) enum Step {
    /// A directory begins.
    Enter(Name, Meta),
    /// The directory begun last is complete.
    Leave,
    /// Something that needs no pack.
    Entry(Entry),
    /// The next chunk of the file that is being read, in a closed pack...
    Stored(Stored),
    /// ...or in the open one.
    Open(ChunkRef),
    /// The file goes on with zeros.
    Hole(u64),
    /// The file is complete.
    File(Name, Meta),
    /// What came of the file so far does not count.
    Restart,
}

/// See the module.
pub(super) struct TreeBuilder {
    queue: VecDeque<Step>,
    open: Vec<(Name, Meta, DirectoryBuilder)>,
    content: ContentBuilder,
    run: Option<(Arc<PackInfo>, Vec<ChunkRef>)>,
    top: Option<Entry>,
    entries: u64,
}

impl TreeBuilder {
    pub(super) fn new() -> Self {
        Self {
            queue: VecDeque::new(),
            open: Vec::new(),
            content: ContentBuilder::new(),
            run: None,
            top: None,
            entries: 0,
        }
    }

    /// Takes a step, now or when the open pack is closed.
    pub(super) fn push(&mut self, store: &mut MetaStore, step: Step) -> Result<(), ClientError> {
        if self.queue.is_empty() && !matches!(step, Step::Open(_)) {
            return self.apply(store, step);
        }
        self.queue.push_back(step);
        Ok(())
    }

    /// Steps that wait for the open pack.
    pub(super) fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// The open pack was closed: this is it.
    pub(super) fn closed(
        &mut self,
        store: &mut MetaStore,
        pack: &Arc<PackInfo>,
    ) -> Result<(), ClientError> {
        while let Some(step) = self.queue.pop_front() {
            let step = match step {
                Step::Open(chunk) => Step::Stored(Stored { pack: Arc::clone(pack), chunk }),
                other => other,
            };
            self.apply(store, step)?;
        }
        Ok(())
    }

    /// The entry that was built, and how many are in it.
    pub(super) fn finish(self) -> Option<(Entry, u64)> {
        self.top.map(|top| (top, self.entries))
    }

    fn apply(&mut self, store: &mut MetaStore, step: Step) -> Result<(), ClientError> {
        match step {
            Step::Enter(name, meta) => self.open.push((name, meta, DirectoryBuilder::new())),
            Step::Leave => {
                let Some((name, meta, builder)) = self.open.pop() else { return Ok(()) };
                let kind = Kind::Directory(builder.finish(store)?);
                self.add(store, Entry { name, meta, kind })?;
            }
            Step::Entry(entry) => self.add(store, entry)?,
            Step::Stored(stored) => self.chunk(store, stored)?,
            Step::Open(_) => return Err(ClientError::Closed),
            Step::Hole(bytes) => {
                self.end_run(store)?;
                self.content.push(store, Extent::Hole { bytes })?;
            }
            Step::File(name, meta) => {
                self.end_run(store)?;
                let content = std::mem::take(&mut self.content).finish(store)?;
                self.add(store, Entry { name, meta, kind: Kind::File(content) })?;
            }
            Step::Restart => {
                self.run = None;
                self.content = ContentBuilder::new();
            }
        }
        Ok(())
    }

    fn add(&mut self, store: &mut MetaStore, entry: Entry) -> Result<(), ClientError> {
        self.entries += 1;
        match self.open.last_mut() {
            Some((_, _, builder)) => builder.push(store, &entry),
            None => {
                self.top = Some(entry);
                Ok(())
            }
        }
    }

    fn chunk(&mut self, store: &mut MetaStore, stored: Stored) -> Result<(), ClientError> {
        match &mut self.run {
            Some((pack, chunks))
                if pack.pack == stored.pack.pack && chunks.len() < RUN_CHUNKS_MAX =>
            {
                chunks.push(stored.chunk);
            }
            _ => {
                self.end_run(store)?;
                self.run = Some((stored.pack, vec![stored.chunk]));
            }
        }
        Ok(())
    }

    fn end_run(&mut self, store: &mut MetaStore) -> Result<(), ClientError> {
        let Some((pack, chunks)) = self.run.take() else { return Ok(()) };
        let run = Run::new(pack.pack, pack.pack_bytes, &pack.key, chunks)?;
        self.content.push(store, Extent::Data(run))
    }
}
