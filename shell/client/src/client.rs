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
use crate::shared::{Core, blocking};
use crate::courier::{Courier, SHARD};
use crate::meter::{Meter, StopOnDrop};
use crate::progress::{Phase, Progress};
use crate::put::PutOptions;
use crate::report::{GetReport, PutReport};
use crate::{ClientError, Wanted, get, put, random};

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
        let core = Core::new(Identity::new(root), ledger, book, caller, courier, cache);
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
        blocking(move |handle| put::run(&core, handle, &path, &options, &meter)).await
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
        blocking(move |handle| get::run(&core, handle, &wanted, &out, &meter)).await
    }
}

/// A meter, and what stops the work when the future is dropped.
fn meter(progress: Arc<dyn Progress>, phase: Phase) -> (Arc<Meter>, StopOnDrop) {
    let stop = Arc::new(AtomicBool::new(false));
    (Arc::new(Meter::new(progress, phase, Arc::clone(&stop))), StopOnDrop(stop))
}
