//! Makes the ledger say of this node what is true of it: that it is there, and where.

use acre_chain::{ClientError, LedgerClient};
use acre_codec::List;
use acre_crypto::SigningKey;
use acre_ledger::{Action, Addresses, Node, NodeOffer, SignedJoinToken};
use acre_types::{NodeId, Text};

use crate::error::NodeError;
use crate::limits::REGISTER_RETRY;
use crate::run::Offer;

/// Registers the node, or updates its addresses and capacity; waits as long as no validator answers.
pub(crate) async fn register(
    ledger: &LedgerClient,
    key: &SigningKey,
    offer: &Offer,
    address: &str,
    token: Option<&SignedJoinToken>,
) -> Result<(), NodeError> {
    let id = NodeId::from(key.public());
    let addresses = addresses(address)?;
    loop {
        match once(ledger, key, id, offer, &addresses, token).await {
            Err(NodeError::Ledger(error)) if is_passing(&error) => {
                tracing::warn!(%error, "not registered yet");
                tokio::time::sleep(REGISTER_RETRY).await;
            }
            done => return done,
        }
    }
}

fn addresses(address: &str) -> Result<Addresses, NodeError> {
    let wrong = |error: &dyn std::fmt::Display| NodeError::Offer(error.to_string());
    let address = Text::new(address).map_err(|error| wrong(&error))?;
    List::new(vec![address]).map_err(|error| wrong(&error))
}

/// Whether the same call may succeed later.
const fn is_passing(error: &ClientError) -> bool {
    matches!(
        error,
        ClientError::Unreachable { .. }
            | ClientError::NotReady { .. }
            | ClientError::Stale { .. }
            | ClientError::NoQuorum { .. }
            | ClientError::OutcomeUnknown { .. }
    )
}

async fn once(
    ledger: &LedgerClient,
    key: &SigningKey,
    id: NodeId,
    offer: &Offer,
    addresses: &Addresses,
    token: Option<&SignedJoinToken>,
) -> Result<(), NodeError> {
    let action = match ledger.node(id).await.map_err(NodeError::Ledger)? {
        Some(node) if is_true(&node, offer, addresses) => return Ok(()),
        Some(node) => Action::UpdateNode {
            node: id,
            capacity: offer.capacity,
            addresses: addresses.clone(),
            state: node.state,
        },
        None => {
            let token = token.ok_or(NodeError::NoToken)?.clone();
            let offer = NodeOffer {
                site: Text::new(&*offer.site).map_err(|e| NodeError::Offer(e.to_string()))?,
                country: offer.country,
                capacity: offer.capacity,
                addresses: addresses.clone(),
            };
            Action::RegisterNode { token, offer }
        }
    };
    let committed = ledger.submit(key, action).await.map_err(NodeError::Ledger)?;
    tracing::info!(node = %id, height = %committed.height, "the ledger knows this node");
    Ok(())
}

fn is_true(node: &Node, offer: &Offer, addresses: &Addresses) -> bool {
    node.capacity == offer.capacity && node.addresses == *addresses
}
