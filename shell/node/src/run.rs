//! A node as a whole: its shelf behind its endpoint, known to the ledger.

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use acre_capacity::duty::Duty;
use acre_capacity::message::{Answer, Refusal};
use acre_chain::client::Options;
use acre_chain::{ClientError, LedgerClient};
use acre_crypto::SigningKey;
use acre_ledger::{Capacity, Genesis, Lookup, SignedJoinToken};
use acre_net::rpc::{Caller, Message, Server, Services, serve};
use acre_net::{Endpoint, Service, StaticBook};
use acre_types::{Bytes, ContractId, Country, NodeId, PublicKey};
use tokio::task::JoinSet;

use crate::contracts::{ContractSource, Proven, Unknown};
use crate::error::NodeError;
use crate::metrics::{Counters, Meter};
use crate::muster::{Musters, Worker};
use crate::plots::{Demand, Keeper, Plots};
use crate::prover::{Audience, Prover};
use crate::rules::rules;
use crate::shelf::Shelf;
use crate::watch::{self, Watch};
use crate::{close, decline, housekeeping, keep, register};

/// The service that a node offers.
const SHARD: Service = Service::new(acre_store::protocol::SERVICE);
/// The service through which witnesses ask.
const WITNESS: Service = Service::new(acre_capacity::message::SERVICE);
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
    /// Most bytes of plots that show free space to witnesses; zero for none. Plots are made in the
    /// background and given up as space is sold.
    pub plots: Bytes,
}

/// A running node.
pub struct Node {
    id: NodeId,
    address: SocketAddr,
    server: Server,
    /// What runs beside serving, for as long as the node does.
    beside: JoinSet<()>,
    meter: Meter,
    /// Ends its thread when dropped.
    _plots: Keeper,
}

/// Until the ledger knows the node, it has no witnesses.
async fn prove(prover: Option<Arc<Prover>>, peer: PublicKey, message: Message) -> Message {
    match prover {
        Some(prover) => prover.answer(peer, message).await,
        None => {
            let refused = Answer::Refused(Refusal::NotWitness);
            Message::new(bytes::Bytes::new(), acre_codec::encode(&refused))
        }
    }
}

impl ContractSource for LedgerClient {
    fn contracts<'a>(
        &'a self,
        ids: &'a [ContractId],
    ) -> Pin<Box<dyn Future<Output = Result<Proven, Unknown>> + Send + 'a>> {
        Box::pin(async move {
            let keys: Vec<_> = ids.iter().map(Lookup::key).collect();
            let unknown = |error: ClientError| {
                tracing::warn!(%error, "contracts could not be read");
                Unknown
            };
            let snapshot = self.snapshot(&keys).await.map_err(unknown)?;
            let shown = ids.iter().take(snapshot.len());
            let contracts = shown.map(|id| snapshot.read(id)).collect::<Result<_, _>>();
            let contracts = contracts.map_err(|error| {
                tracing::warn!(%error, "a contract could not be read");
                Unknown
            })?;
            Ok(Proven { at: snapshot.block.time, contracts })
        })
    }
}

impl Node {
    /// Opens the shards, listens, and serves as soon as the ledger knows where the node is.
    ///
    /// # Errors
    /// [`NodeError`]; nothing serves then.
    pub async fn start(config: Config) -> Result<Self, NodeError> {
        let Config { dir, key, listen, offer, token, genesis, validators, plots } = config;
        let id = NodeId::from(key.public());
        let keys = validators.iter().map(|(key, _)| *key).collect();
        let book: Arc<StaticBook> = Arc::new(validators.into_iter().collect());
        let endpoint = Endpoint::bind(&key, Some(listen), Arc::<StaticBook>::clone(&book));
        let endpoint = endpoint.await.map_err(NodeError::Net)?;
        let address = endpoint.local_addr().unwrap_or(listen);
        // It asks validators that joined later, too.
        let options = Options::default().with_book(Arc::clone(&book));
        let ledger = LedgerClient::with(&genesis, endpoint.clone(), keys, options);
        let own = SigningKey::from_seed(key.seed().duplicate());
        let (capacity, source) = (offer.capacity.storage, Arc::new(ledger.clone()));
        let shards = dir.join("shards");
        let open = move || Shelf::open(&shards, capacity, own, source);
        let shelf = tokio::task::spawn_blocking(open)
            .await
            .map_err(|_| NodeError::Log(acre_disk::Error::Closed))??;
        let shelf = Arc::new(shelf);
        let answering = Arc::clone(&shelf);
        let prover: Arc<OnceLock<Arc<Prover>>> = Arc::default();
        let proving = Arc::clone(&prover);
        let services = Services::new()
            .calls(SHARD, move |_peer, message| {
                let shelf = Arc::clone(&answering);
                async move { shelf.answer(message).await }
            })
            .calls(WITNESS, move |peer, message| {
                let prover = proving.get().cloned();
                async move { prove(prover, peer, message).await }
            });
        // Shards that are here can be read even while no validator answers.
        let server = serve(&endpoint, services);
        register::register(&ledger, &key, &offer, &address.to_string(), token.as_ref()).await?;
        let mut beside = JoinSet::new();
        beside.spawn(housekeeping::run(Arc::clone(&shelf)));
        let counters: Arc<Counters> = Arc::default();
        beside.spawn(keep::run(Arc::clone(&shelf), Arc::clone(&counters)));
        let capacity_rules = match ledger.parameters().await {
            Ok(parameters) => parameters.capacity,
            Err(_) => genesis.parameters.capacity.clone(),
        };
        let epoch = Duration::from_millis(capacity_rules.epoch_ms);
        let own = SigningKey::from_seed(key.seed().duplicate());
        let pause = decline::pause(epoch);
        beside.spawn(decline::run(ledger.clone(), own, pause, Arc::clone(&counters)));
        let own = SigningKey::from_seed(key.seed().duplicate());
        let (closing, pause) = (Arc::clone(&shelf), close::pause(epoch));
        let counted = Arc::clone(&counters);
        beside.spawn(close::run(ledger.clone(), own, closing, pause, counted));
        let rules = rules(&capacity_rules);
        rules.check().map_err(NodeError::Rules)?;
        let made = Plots::open(&dir.join("plots"), id, rules.plot).map_err(NodeError::Plots)?;
        let (made, log) = (Arc::new(made), shelf.log().clone());
        let asked = Arc::clone(&shelf);
        let demand = Demand {
            bytes: Box::new(move || {
                let left = capacity.0.saturating_sub(log.stats().used_bytes);
                Bytes(plots.0.min(left))
            }),
            is_busy: Box::new(move || asked.is_busy()),
        };
        let plots = Keeper::start(Arc::clone(&made), demand).map_err(NodeError::Plots)?;
        let (audience, heard) = tokio::sync::watch::channel(Audience::default());
        let own = SigningKey::from_seed(key.seed().duplicate());
        let meter = Meter {
            counters: Arc::clone(&counters),
            shelf: Arc::clone(&shelf),
            plots: Arc::clone(&made),
        };
        let musters = Arc::new(Musters::new(ledger.clone()));
        let (cores, memory) = (offer.capacity.cores, offer.capacity.memory);
        let (proven, reserved) = ((0, Bytes(0)), Bytes(0));
        let whole = Duty { node: id, cores, memory, proven, reserved };
        let working = SigningKey::from_seed(key.seed().duplicate());
        let timing = (rules.work, rules.answer);
        let worker = Worker::new(working, timing, whole, Arc::clone(&musters));
        let counting = (Arc::clone(&counters), worker);
        let made = Prover::new(own, rules, made, shelf, heard, counting);
        // Set once, here.
        let _ = prover.set(Arc::new(made));
        let caller = Caller::new(endpoint, WITNESS);
        let watch = Watch { ledger, key, book, caller, rules, audience, counters, musters };
        beside.spawn(watch::run(watch));
        Ok(Self { id, address, server, beside, meter, _plots: plots })
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

    /// Reads its figures.
    #[must_use]
    pub fn meter(&self) -> Meter {
        self.meter.clone()
    }

    /// Answers what it has taken and stops.
    pub async fn stop(mut self) {
        self.beside.shutdown().await;
        self.server.shutdown(GRACE).await;
    }
}
