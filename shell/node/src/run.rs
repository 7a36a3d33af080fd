//! A node as a whole: its shelf behind its endpoint, known to the ledger.

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use acre_chain::LedgerClient;
use acre_crypto::SigningKey;
use acre_ledger::{Capacity, Contract, Genesis, SignedJoinToken};
use acre_net::rpc::{Server, Services, serve};
use acre_net::{Endpoint, Service, StaticBook};
use acre_types::{ContractId, Country, NodeId, PublicKey};
use tokio::task::JoinHandle;

use crate::contracts::{ContractSource, Unknown};
use crate::error::NodeError;
use crate::shelf::Shelf;
use crate::{housekeeping, register};

/// The service that a node offers.
const SHARD: Service = Service::new(acre_store::protocol::SERVICE);
/// Calls in flight at the end have this long.
const GRACE: Duration = Duration::from_secs(2);

/// What a node offers and where it stands.
#[derive(Clone, Debug)]
pub struct Offer {
    /// House or hall; the failure domain.
    pub site: String,
    /// Where that is.
    pub country: Country,
    /// Storage, cores and memory.
    pub capacity: Capacity,
}

/// How a node runs.
pub struct Config {
    /// Its directory; the shard log lies in `shards` below it.
    pub dir: PathBuf,
    /// Its identity.
    pub key: SigningKey,
    /// Where it listens; port 0 draws one.
    pub listen: SocketAddr,
    /// What it offers.
    pub offer: Offer,
    /// The farm owner's consent; needed until the node is on the ledger.
    pub token: Option<SignedJoinToken>,
    /// The grid.
    pub genesis: Genesis,
    /// Validators and where they answer.
    pub validators: Vec<(PublicKey, SocketAddr)>,
}

/// A running node.
pub struct Node {
    id: NodeId,
    address: SocketAddr,
    server: Server,
    housekeeping: JoinHandle<()>,
}

impl ContractSource for LedgerClient {
    fn contract<'a>(
        &'a self,
        id: ContractId,
    ) -> Pin<Box<dyn Future<Output = Result<Option<Contract>, Unknown>> + Send + 'a>> {
        Box::pin(async move {
            Self::contract(self, id).await.map_err(|error| {
                tracing::warn!(%error, contract = %id, "a contract could not be read");
                Unknown
            })
        })
    }
}

impl Node {
    /// Opens the shards, listens, and serves as soon as the ledger knows where the node is.
    ///
    /// # Errors
    /// [`NodeError`]; nothing serves then.
    pub async fn start(config: Config) -> Result<Self, NodeError> {
        let Config { dir, key, listen, offer, token, genesis, validators } = config;
        let id = NodeId::from(key.public());
        let keys = validators.iter().map(|(key, _)| *key).collect();
        let book: StaticBook = validators.into_iter().collect();
        let endpoint =
            Endpoint::bind(&key, Some(listen), Arc::new(book)).await.map_err(NodeError::Net)?;
        let address = endpoint.local_addr().unwrap_or(listen);
        let ledger = LedgerClient::new(&genesis, endpoint.clone(), keys);
        let own = SigningKey::from_seed(key.seed().duplicate());
        let (capacity, source) = (offer.capacity.storage, Arc::new(ledger.clone()));
        let open = move || Shelf::open(&dir.join("shards"), capacity, own, source);
        let shelf = tokio::task::spawn_blocking(open)
            .await
            .map_err(|_| NodeError::Log(acre_disk::Error::Closed))??;
        let shelf = Arc::new(shelf);
        let answering = Arc::clone(&shelf);
        let services = Services::new().calls(SHARD, move |_peer, message| {
            let shelf = Arc::clone(&answering);
            async move { shelf.answer(message).await }
        });
        // Shards that are here can be read even while no validator answers.
        let server = serve(&endpoint, services);
        register::register(&ledger, &key, &offer, &address.to_string(), token.as_ref()).await?;
        let housekeeping = tokio::spawn(housekeeping::run(shelf));
        Ok(Self { id, address, server, housekeeping })
    }

    /// Its key.
    #[must_use]
    pub const fn id(&self) -> NodeId {
        self.id
    }

    /// Where it is dialled.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers what it has taken and stops.
    pub async fn stop(self) {
        self.housekeeping.abort();
        self.server.shutdown(GRACE).await;
    }
}
