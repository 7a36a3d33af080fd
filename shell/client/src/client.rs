//! The client as its callers see it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use acre_chain::LedgerClient;
use acre_crypto::Secret;
use acre_net::rpc::Caller;
use acre_net::{Endpoint, StaticBook};
use acre_store::keys::Identity;
use acre_types::AccountId;

use crate::cache::Cache;
use crate::courier::{Courier, SHARD};
use crate::meter::{Meter, StopOnDrop};
use crate::progress::{Phase, Progress};
use crate::put::PutOptions;
use crate::report::{
    Explanation, GetReport, Item, PutReport, RemoveReport, RepairMode, RepairReport, VolumeInfo,
};
use crate::shared::{Core, blocking};
use crate::space::View;
use crate::volume::Volume;
use crate::{ClientError, Depth, Wanted, change, explain, get, list, put, random, repair};

/// What a client is made of.
pub struct Config {
    /// Root of the words: `Phrase::root()`.
    pub root: Secret,
    /// The ledger of the grid.
    pub ledger: LedgerClient,
    /// Dials nodes; its address book must be `book`.
    pub endpoint: Endpoint,
    /// Filled with the addresses of nodes as the ledger tells them.
    pub book: Arc<StaticBook>,
    /// Where to keep what spares work; may be deleted at any time. `None` keeps nothing.
    pub cache_dir: Option<PathBuf>,
}

/// A person's storage. Clones are the same client.
///
/// Every operation reads the newest state first. A future that is dropped gives its work up and
/// cleans up behind itself in the background.
#[derive(Clone)]
pub struct Client {
    core: Arc<Core>,
}

impl Client {
    /// Finds everything that the words lead to. Needs no state of this machine.
    ///
    /// # Errors
    /// [`ClientError::Ledger`].
    pub async fn open(config: Config) -> Result<Self, ClientError> {
        let Config { root, ledger, endpoint, book, cache_dir } = config;
        let caller = Caller::new(endpoint, SHARD);
        let courier = Courier::start(caller.clone(), random::number()?);
        let cache = Cache::open(cache_dir.as_deref());
        let identity = Identity::new(root);
        let core = Core::new(identity, ledger, book, caller, courier, cache, cache_dir);
        let core = Arc::new(core);
        core.refresh().await?;
        Ok(Self { core })
    }

    /// The account that pays.
    #[must_use]
    pub fn account(&self) -> AccountId {
        self.core.account
    }

    /// Stores a file, link or directory and makes it visible as a whole.
    ///
    /// What has the name already is replaced as by `cp -rT`: a directory is merged into a
    /// directory, name by name; a file replaces a file; a directory is never replaced by a file.
    /// It stays in its volume, so another profile is a conflict. Links are stored as links.
    /// Sockets, pipes and devices are left out, as is what cannot be read: see the warnings.
    ///
    /// # Errors
    /// Any but those of reading; nothing is visible then.
    pub async fn put(
        &self,
        path: &Path,
        options: PutOptions,
        progress: Arc<dyn Progress>,
    ) -> Result<PutReport, ClientError> {
        let (core, path) = (Arc::clone(&self.core), path.to_owned());
        let (meter, _stop) = meter(progress, Phase::Storing);
        blocking(&self.core.working, move |handle| put::run(&core, handle, &path, &options, &meter))
            .await
    }

    /// Writes what is stored to `out`, where nothing must be. It appears there as a whole or not
    /// at all. A directory comes back as `out` itself.
    ///
    /// # Errors
    /// [`ClientError::NotFound`]; [`ClientError::Conflict`] if `out` exists;
    /// [`ClientError::Unreachable`] or [`ClientError::Damaged`] past what the profile bears.
    pub async fn get(
        &self,
        wanted: &Wanted,
        out: &Path,
        progress: Arc<dyn Progress>,
    ) -> Result<GetReport, ClientError> {
        let (core, wanted, out) = (Arc::clone(&self.core), wanted.clone(), out.to_owned());
        let (meter, _stop) = meter(progress, Phase::Reading);
        blocking(&self.core.working, move |handle| get::run(&core, handle, &wanted, &out, &meter))
            .await
    }

    /// Waits until the work of dropped futures is given up and cleaned up behind.
    pub async fn idle(&self) {
        self.core.idle().await;
    }

    /// What a name stands for.
    ///
    /// # Errors
    /// [`ClientError::NotFound`], [`ClientError::VolumeUnreachable`] and the like.
    pub async fn stat(&self, wanted: &Wanted) -> Result<Item, ClientError> {
        let (core, wanted) = (Arc::clone(&self.core), wanted.clone());
        blocking(&self.core.working, move |handle| list::stat(&core, handle, &wanted)).await
    }

    /// The next page of a directory, ascending: entries above the name `after`. An empty page is
    /// the end. Of anything but a directory, itself.
    ///
    /// # Errors
    /// As [`Client::stat`].
    pub async fn list(
        &self,
        wanted: &Wanted,
        after: Option<&[u8]>,
    ) -> Result<Vec<Item>, ClientError> {
        let (core, wanted) = (Arc::clone(&self.core), wanted.clone());
        let after = after.map(<[u8]>::to_vec);
        blocking(&self.core.working, move |handle| {
            list::list(&core, handle, &wanted, after.as_deref())
        })
        .await
    }

    /// Removes an entry, and drops packs that nothing refers to any more.
    ///
    /// # Errors
    /// [`ClientError::NotFound`]; [`ClientError::Conflict`] for a directory that is not empty.
    pub async fn remove(
        &self,
        wanted: &Wanted,
        depth: Depth,
        progress: Arc<dyn Progress>,
    ) -> Result<RemoveReport, ClientError> {
        let (core, wanted) = (Arc::clone(&self.core), wanted.clone());
        let (meter, _stop) = meter(progress, Phase::Publishing);
        blocking(&self.core.working, move |handle| {
            change::remove(&core, handle, &wanted, depth, &meter)
        })
        .await
    }

    /// Moves an entry to a path where nothing is. It stays in its volume.
    ///
    /// # Errors
    /// [`ClientError::NotFound`]; [`ClientError::Conflict`] if something is at `target`.
    pub async fn rename(&self, source: &Wanted, target: &[u8]) -> Result<(), ClientError> {
        let (core, source, target) = (Arc::clone(&self.core), source.clone(), target.to_vec());
        blocking(&self.core.working, move |handle| change::rename(&core, handle, &source, &target))
            .await
    }

    /// Where the shards are, each read and hashed by its node now.
    ///
    /// # Errors
    /// As [`Client::stat`].
    pub async fn explain(&self, wanted: &Wanted) -> Result<Explanation, ClientError> {
        let (core, wanted) = (Arc::clone(&self.core), wanted.clone());
        blocking(&self.core.working, move |handle| explain::run(&core, handle, &wanted)).await
    }

    /// One pass over all volumes: lost shards are made again and stored elsewhere, left-overs are
    /// collected. Progress counts packs.
    ///
    /// # Errors
    /// [`ClientError::VolumeUnreachable`] and the like; packs that cannot be repaired now are in
    /// the report.
    pub async fn repair(
        &self,
        mode: RepairMode,
        progress: Arc<dyn Progress>,
    ) -> Result<RepairReport, ClientError> {
        let core = Arc::clone(&self.core);
        let (meter, _stop) = meter(progress, Phase::Repairing);
        blocking(&self.core.working, move |handle| repair::run(&core, handle, mode, &meter)).await
    }

    /// The person's volumes.
    ///
    /// # Errors
    /// [`ClientError::Ledger`].
    pub async fn volumes(&self) -> Result<Vec<VolumeInfo>, ClientError> {
        let core = Arc::clone(&self.core);
        blocking(&self.core.working, move |handle| {
            let volumes = handle.block_on(core.refresh())?;
            let info = |volume: &Arc<Volume>| {
                let (contract, storage) = (volume.contract(), volume.storage());
                let view = View::open(&core, volume, handle).ok();
                VolumeInfo {
                    contract: volume.id,
                    profile: volume.profile,
                    reserved: storage.bytes,
                    expires: contract.expires,
                    places: storage.places.to_vec(),
                    content: view.map(|view| view.space.names.totals()),
                }
            };
            Ok(volumes.iter().map(info).collect())
        })
        .await
    }
}

/// A meter, and what stops the work when the future is dropped.
fn meter(progress: Arc<dyn Progress>, phase: Phase) -> (Arc<Meter>, StopOnDrop) {
    let stop = Arc::new(AtomicBool::new(false));
    (Arc::new(Meter::new(progress, phase, Arc::clone(&stop))), StopOnDrop(stop))
}
