//! What can keep a node from running.

/// Why a node could not start or go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NodeError {
    /// The shard log could not be opened.
    #[error("the shard log could not be opened")]
    Log(#[source] acre_disk::Error),
    /// The plots could not be opened.
    #[error("the plots could not be opened")]
    Plots(#[source] std::io::Error),
    /// The rules of the grid cannot be met by this node.
    #[error("the grid's rules of capacity proofs do not fit")]
    Rules(#[source] acre_capacity::CapacityError),
    /// The address could not be listened on.
    #[error("the network endpoint could not be started")]
    Net(#[source] acre_net::NetError),
    /// The ledger refused or could not be read.
    #[error("the ledger did not take the node's registration")]
    Ledger(#[source] acre_chain::ClientError),
    /// What the node says of itself does not fit the ledger.
    #[error("the node's description does not fit the ledger: {0}")]
    Offer(String),
    /// The node is not on the ledger and has no token to join with.
    #[error("the node is on no farm and has no token to join one")]
    NoToken,
}

impl NodeError {
    /// Whether another process runs the node of this directory.
    #[must_use]
    pub const fn is_running(&self) -> bool {
        matches!(self, Self::Log(acre_disk::Error::Locked))
    }
}
