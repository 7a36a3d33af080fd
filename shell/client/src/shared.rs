//! What all operations of a client share: keys, ledger, nodes, volumes, courier and cache.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use acre_chain::LedgerClient;
use acre_ledger::{Contract, ContractState, Node};
use acre_net::StaticBook;
use acre_net::rpc::Caller;
use acre_store::keys::Identity;
use acre_types::{AccountId, ContractId, NodeId, UnixMs};
use tokio::runtime::Handle;

use crate::ClientError;
use crate::cache::Cache;
use crate::courier::Courier;
use crate::volume::Volume;

/// The ledger's lists are read again after this time: a node that came back at another address
/// is found, and a command pays for it once.
const LISTS_FRESH: Duration = Duration::from_secs(10);

/// See the module.
pub(crate) struct Core {
    pub(crate) identity: Identity,
    pub(crate) account: AccountId,
    pub(crate) ledger: LedgerClient,
    pub(crate) book: Arc<StaticBook>,
    pub(crate) caller: Caller,
    pub(crate) courier: Courier,
    pub(crate) cache: Cache,
    /// Where the cache lies, for what processes of one home agree upon.
    pub(crate) cache_dir: Option<PathBuf>,
    pub(crate) working: Working,
    lists: tokio::sync::Mutex<Lists>,
    nodes: Mutex<Arc<BTreeMap<NodeId, Node>>>,
}

#[derive(Default)]
struct Lists {
    read: Option<Instant>,
    volumes: Vec<Arc<Volume>>,
}

impl Core {
    pub(crate) fn new(
        identity: Identity,
        ledger: LedgerClient,
        book: Arc<StaticBook>,
        caller: Caller,
        courier: Courier,
        cache: Cache,
        cache_dir: Option<PathBuf>,
    ) -> Self {
        let account = identity.account_id();
        let (lists, nodes) = (tokio::sync::Mutex::default(), Mutex::default());
        let working = Working::new(0);
        Self {
            identity,
            account,
            ledger,
            book,
            caller,
            courier,
            cache,
            cache_dir,
            working,
            lists,
            nodes,
        }
    }

    /// The person's volumes, oldest first, from the ledger.
    ///
    /// # Errors
    /// [`ClientError::Ledger`].
    pub(crate) async fn volumes(self: &Arc<Self>) -> Result<Vec<Arc<Volume>>, ClientError> {
        let mut lists = self.lists.lock().await;
        if lists.read.is_none_or(|read| read.elapsed() > LISTS_FRESH) {
            self.read_lists(&mut lists).await?;
        }
        Ok(lists.volumes.clone())
    }

    /// The same, not from memory.
    ///
    /// # Errors
    /// [`ClientError::Ledger`].
    pub(crate) async fn refresh(self: &Arc<Self>) -> Result<Vec<Arc<Volume>>, ClientError> {
        let mut lists = self.lists.lock().await;
        self.read_lists(&mut lists).await?;
        Ok(lists.volumes.clone())
    }

    async fn read_lists(self: &Arc<Self>, lists: &mut Lists) -> Result<(), ClientError> {
        let nodes: BTreeMap<_, _> = self.ledger.nodes().await?.into_iter().collect();
        for (id, node) in &nodes {
            let addresses: Vec<SocketAddr> =
                node.addresses.iter().filter_map(|text| text.as_str().parse().ok()).collect();
            self.book.insert(id.key(), addresses);
        }
        *self.nodes.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(nodes);
        let contracts = self.ledger.contracts_of(self.account).await?;
        let ordinals = u32::try_from(contracts.len()).unwrap_or(u32::MAX);
        let mut volumes = Vec::new();
        for contract in contracts {
            if matches!(contract.state, ContractState::Closed { .. }) {
                continue;
            }
            let known = lists.volumes.iter().find(|volume| volume.id == contract.id);
            if let Some(volume) = known {
                volume.update(contract);
                volumes.push(Arc::clone(volume));
            } else if let Some(volume) = self.volume(contract, ordinals) {
                volumes.push(Arc::new(volume));
            }
        }
        lists.volumes = volumes;
        lists.read = Some(Instant::now());
        Ok(())
    }

    fn volume(self: &Arc<Self>, contract: Contract, ordinals: u32) -> Option<Volume> {
        let id = contract.id;
        let storage = contract.storage()?.clone();
        let Some(keys) = self.identity.find_volume(&storage.writer, ordinals) else {
            tracing::warn!(contract = %id, "a contract of this account has another writer");
            return None;
        };
        match Volume::new(self, contract, &storage, keys) {
            Ok(volume) => Some(volume),
            Err(error) => {
                tracing::warn!(contract = %id, %error, "a contract has impossible places");
                None
            }
        }
    }

    /// The volume of an object.
    ///
    /// # Errors
    /// [`ClientError::Ledger`].
    pub(crate) async fn find(
        self: &Arc<Self>,
        contract: ContractId,
    ) -> Result<Option<Arc<Volume>>, ClientError> {
        Ok(self.volumes().await?.into_iter().find(|volume| volume.id == contract))
    }

    /// Waits until nothing is under way.
    pub(crate) async fn idle(&self) {
        // It fails when the sender is gone, which is here.
        let _ = self.working.subscribe().wait_for(|count| *count == 0).await;
    }

    /// All nodes of the ledger, as of the last reading.
    pub(crate) fn nodes(&self) -> Arc<BTreeMap<NodeId, Node>> {
        Arc::clone(&self.nodes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Name of the site of a node; empty if the ledger does not know it.
    pub(crate) fn site(&self, node: NodeId) -> String {
        let nodes = self.nodes();
        nodes.get(&node).map(|node| node.site.as_str().to_owned()).unwrap_or_default()
    }
}

/// Counts work under way.
pub(crate) type Working = tokio::sync::watch::Sender<usize>;

/// One of them.
struct Counted(Working);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

/// Runs work that blocks, on a thread where blocking is right; it may wait for async things.
pub(crate) async fn blocking<T: Send + 'static>(
    working: &Working,
    work: impl FnOnce(&Handle) -> Result<T, ClientError> + Send + 'static,
) -> Result<T, ClientError> {
    let handle = Handle::current();
    working.send_modify(|count| *count += 1);
    let counted = Counted(working.clone());
    let done = tokio::task::spawn_blocking(move || {
        let _counted = counted;
        work(&handle)
    })
    .await;
    done.unwrap_or_else(|error| {
        tracing::error!(%error, "work of the client broke");
        Err(ClientError::Closed)
    })
}

/// Now, by this machine's clock.
pub(crate) fn now() -> UnixMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMs(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
