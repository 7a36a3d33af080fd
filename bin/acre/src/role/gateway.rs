//! `acre gateway run`: the status page and the explorer's API of a grid.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use acre_chain::LedgerClient;
use acre_client::{Surveyor, VolumeSurvey};
use acre_crypto::SigningKey;
use acre_gate::{
    Explorer, LedgerPart, NodePart, NodeState, Registry, Report, Safety, Source, VolumePart,
};
use acre_ledger::ContractState;
use acre_net::rpc::{Caller, Message};
use acre_net::{Service, StaticBook};
use acre_store::protocol::{self, NodeStatus, Reply, Request};
use acre_types::{ContractId, FarmId, NodeId, PublicKey};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use super::Keeper;
use crate::asking::connected;
use crate::context::Context;
use crate::exit::Outcome;
use crate::grid::process::Ready;

/// A node that has not said how it is by then counts as down on the page.
const ANSWER: Duration = Duration::from_secs(2);
const SHARD: Service = Service::new(protocol::SERVICE);

/// A gateway's settings.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Settings {
    /// The directory with genesis and peers.
    pub(crate) grid: PathBuf,
    pub(crate) listen: SocketAddr,
}

/// Makes the directory of a local grid's gateway.
pub(crate) fn prepare(dir: &Path, grid: &Path) -> Outcome {
    if dir.join("settings.json").exists() {
        return Ok(());
    }
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    super::write_settings(dir, &Settings { grid: grid.to_owned(), listen })
}

pub(crate) async fn run(dir: &Path, keeper: Keeper) -> Outcome {
    let mut settings: Settings = super::read_settings(dir)?;
    let context = Context::of_grid(&settings.grid)?;
    let key = super::key(dir)?;
    let source = Arc::new(GridSource::new(&context, &key).await?);
    let wanted = super::free_address(settings.listen);
    let listener = tokio::net::TcpListener::bind(wanted).await?;
    settings.listen = listener.local_addr()?;
    super::write_settings(dir, &settings)?;
    let address = format!("http://{}", settings.listen);
    Ready { id: key.public().to_string(), address }.announce()?;
    let registry = Arc::new(Registry::of_process());
    let explorer = Explorer::new(source.ledger.clone(), &registry);
    let copied = Arc::clone(&explorer);
    let _admin = super::administer(dir, registry, move || copied.is_ready());
    let stop = async move {
        if let Err(error) = super::told_to_stop(keeper).await {
            tracing::error!(%error, "signals cannot be heard");
        }
    };
    Ok(acre_gate::serve(listener, source, explorer, stop).await?)
}

/// Asks the ledger and the nodes.
struct GridSource {
    ledger: LedgerClient,
    book: Arc<StaticBook>,
    caller: Caller,
    surveyor: Surveyor,
}

/// Contracts read in one go.
const CONTRACTS_AT_ONCE: usize = 128;

impl GridSource {
    async fn new(context: &Context, key: &SigningKey) -> Outcome<Self> {
        let (ledger, endpoint, book) =
            connected(context, key, acre_chain::client::Options::default()).await?;
        let caller = Caller::new(endpoint, SHARD);
        let surveyor = Surveyor::new(caller.clone());
        Ok(Self { ledger, book, caller, surveyor })
    }

    async fn ledger_part(&self) -> Result<LedgerPart, acre_chain::ClientError> {
        let (_, last) = self.ledger.info().await?;
        let chain = self.ledger.chain().to_string();
        Ok(match last {
            Some(last) => LedgerPart {
                chain,
                height: last.height.0,
                state_root: last.root.to_string(),
                time_ms: last.time.0,
            },
            None => LedgerPart { chain, height: 0, state_root: String::new(), time_ms: 0 },
        })
    }

    async fn nodes(&self) -> Vec<NodePart> {
        let farms: BTreeMap<FarmId, String> = match self.ledger.farms().await {
            Ok(farms) => farms.into_iter().map(|(id, farm)| (id, farm.name.to_string())).collect(),
            Err(_) => BTreeMap::new(),
        };
        let Ok(nodes) = self.ledger.nodes().await else { return Vec::new() };
        let mut asking = JoinSet::new();
        for (number, (id, node)) in nodes.into_iter().enumerate() {
            let addresses =
                node.addresses.iter().filter_map(|text| text.as_str().parse().ok()).collect();
            self.book.insert(id.key(), addresses);
            let caller = self.caller.clone();
            let farm = farms.get(&node.farm).cloned().unwrap_or_else(|| node.farm.to_string());
            asking.spawn(async move {
                let status = ask(&caller, id).await;
                let (used, shards) = status.as_ref().map_or((0, 0), |s| (s.used.0, s.shards));
                let part = NodePart {
                    id: id.to_string(),
                    farm,
                    site: node.site.to_string(),
                    country: node.country.to_string(),
                    state: if status.is_some() { NodeState::Up } else { NodeState::Down },
                    capacity_bytes: node.capacity.storage.0,
                    used_bytes: used,
                    shards,
                };
                (number, part)
            });
        }
        let mut parts = asking.join_all().await;
        parts.sort_by_key(|(number, _)| *number);
        parts.into_iter().map(|(_, part)| part).collect()
    }
}

impl GridSource {
    /// Contracts that hold something now, each looked at in its places.
    async fn volumes(&self) -> Vec<VolumePart> {
        let Ok(totals) = self.ledger.totals().await else { return Vec::new() };
        let mut volumes = Vec::new();
        let ids: Vec<ContractId> = (1..=totals.contracts).map(ContractId).collect();
        for ids in ids.chunks(CONTRACTS_AT_ONCE) {
            let Ok(contracts) = self.ledger.read_all(ids).await else { continue };
            for contract in contracts.into_iter().flatten() {
                if contract.state == ContractState::Open
                    && let Some(storage) = contract.storage()
                {
                    volumes.push(volume_part(self.surveyor.survey(contract.id, storage).await));
                }
            }
        }
        volumes
    }
}

fn volume_part(survey: VolumeSurvey) -> VolumePart {
    VolumePart {
        contract: survey.contract.0,
        profile: survey.profile.to_string(),
        places_up: survey.places_up,
        places: survey.places,
        packs: survey.packs,
        stored_bytes: survey.stored_bytes,
        safety: match survey.safety {
            acre_client::Safety::Full { losses_survivable } => Safety::Full { losses_survivable },
            acre_client::Safety::Degraded { losses_survivable } => {
                Safety::Degraded { losses_survivable }
            }
            acre_client::Safety::Unavailable { packs } => Safety::Unavailable { packs },
            acre_client::Safety::Empty => Safety::Empty,
        },
    }
}

async fn ask(caller: &Caller, node: NodeId) -> Option<NodeStatus> {
    let request = Message::new(acre_codec::encode(&Request::Status), Vec::new());
    let key: PublicKey = node.key();
    let reply = caller.call(key, request, ANSWER).await.ok()?;
    match protocol::decode_reply(&reply.meta).ok()? {
        Reply::Status(status) => Some(status),
        _ => None,
    }
}

impl Source for GridSource {
    fn report(&self) -> Pin<Box<dyn Future<Output = Report> + Send + '_>> {
        Box::pin(async {
            let (ledger, ledger_error) = match self.ledger_part().await {
                Ok(part) => (Some(part), None),
                Err(error) => (None, Some(error.to_string())),
            };
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            Report {
                taken_ms: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
                ledger,
                ledger_error,
                nodes: self.nodes().await,
                volumes: self.volumes().await,
            }
        })
    }
}
