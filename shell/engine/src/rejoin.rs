//! How a process comes back, or in for the first time.

use bytes::Bytes;

/// Where a process begins if its directory is empty. What is already there takes precedence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// With the genesis block: everything after it is fetched and applied.
    #[default]
    Genesis,
    /// With a final block whose state the application holds already, for instance from a proven
    /// snapshot: what came before is neither fetched nor served.
    ///
    /// A validator that starts so has lost its votes, or never had any. Unless it is the only one
    /// it stays silent until the next term begins.
    At {
        /// The block, [`Block::to_bytes`](crate::Block::to_bytes); at most as high as the
        /// application's last one.
        block: Bytes,
        /// The certificate of exactly this block.
        certificate: Bytes,
    },
}

/// Whether a validator that may have forgotten votes of the present term votes in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rejoin {
    /// It does not; it comes back with the next term.
    #[default]
    Safe,
    /// It does, at the risk of contradicting itself. For an operator who knows that its lost
    /// votes can do no harm, or whose chain would otherwise stand still for good because too many
    /// validators are silent at once.
    Force,
}
