//! What can go wrong in the gateway.

use std::path::PathBuf;

/// The gateway ended, or does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GateError {
    /// The listener failed.
    #[error("the gateway's listener failed")]
    Serve(#[source] std::io::Error),
    /// The local socket for metrics cannot be made.
    #[error("the socket {} cannot be made", path.display())]
    Admin {
        /// Where it should be.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}
