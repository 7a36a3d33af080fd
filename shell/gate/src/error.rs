//! What can go wrong in the gateway.

/// The gateway ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GateError {
    /// The listener failed.
    #[error("the status page's listener failed")]
    Serve(#[source] std::io::Error),
}
