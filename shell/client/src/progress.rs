//! How far something is, for those who show it.

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Reading files and storing packs.
    Storing,
    /// Making the stored visible.
    Publishing,
    /// Reading packs and writing files.
    Reading,
    /// Listing what places hold.
    Listing,
    /// Rebuilding lost shards.
    Repairing,
    /// Dropping what nothing refers to.
    Deleting,
}

/// A moment of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// What is being done.
    pub phase: Phase,
    /// Plain bytes done (packs, for [`Phase::Repairing`]).
    pub done: u64,
    /// The same in all; `None` while it is not known.
    pub total: Option<u64>,
    /// Files done.
    pub files: u64,
}

/// Hears how far an operation is. Called often and from several threads: it must return at once.
pub trait Progress: Send + Sync + 'static {
    /// Takes note.
    fn at(&self, moment: Moment);
}

/// Nobody looks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn at(&self, _moment: Moment) {}
}

impl<F: Fn(Moment) + Send + Sync + 'static> Progress for F {
    fn at(&self, moment: Moment) {
        self(moment);
    }
}
