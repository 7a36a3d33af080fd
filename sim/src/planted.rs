//! Known-bad behaviour of the shells around the cores, to measure the tester: each must be caught.

/// What is wrong on purpose. The cores stay as they are shipped; nodes, the client's shell or the
/// wallet around them misbehave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// A node says "stored" before it synced.
    StoredBeforeSync,
    /// A repair takes shards it did not check, and nodes store what they are given.
    UnverifiedRepair,
    /// A put counts as acknowledged at k shards instead of k + 3 (or all).
    AcknowledgedAtData,
    /// A head counts as written once a single place keeps it.
    HeadWithoutMajority,
    /// A reader takes bytes whose tags do not open.
    TagIgnored,
    /// A surplus copy is dropped although nobody verified those that stay.
    TrimUnverified,
    /// A wallet that hears nothing signs the payment anew with the next nonce.
    NonceIgnored,
    /// A node serves its heads from before the last crash.
    HeadNotSynced,
}

impl Planted {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::StoredBeforeSync,
        Self::UnverifiedRepair,
        Self::AcknowledgedAtData,
        Self::HeadWithoutMajority,
        Self::TagIgnored,
        Self::TrimUnverified,
        Self::NonceIgnored,
        Self::HeadNotSynced,
    ];
}
