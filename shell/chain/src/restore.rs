//! How a validator comes by its state: what lies on its disk, if that is sound; else, or if it has
//! none and the chain is long, what the other validators hold, proven.
//!
//! A damaged file is never used: it is set aside with a line in the log, so that somebody can look at
//! it, and kept until another one is set aside in its place. If nobody can be reached, it stays where
//! it is and the validator does not start: better none than one that says what is not so.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use acre_engine::Start;
use acre_ledger::Genesis;
use bytes::{BufMut as _, Bytes, BytesMut};

use crate::client::{Fetched, LedgerClient};
use crate::error::{ChainError, ClientError, Lie, StoreError};
use crate::executor::Executor;
use crate::light::Trust;
use crate::store::{Beginning, Head, Reader, Retention, install};

/// What a validator needs to begin.
pub(crate) struct Restore {
    pub(crate) dir: PathBuf,
    pub(crate) genesis: Genesis,
    pub(crate) retention: Retention,
    /// Height from which on a newcomer takes a state instead of all blocks.
    pub(crate) sync_from: u64,
    /// Asks the other validators; `None` if there is none.
    pub(crate) others: Option<LedgerClient>,
}

impl Restore {
    fn file(&self) -> PathBuf {
        self.dir.join("state.redb")
    }

    /// The state, and where an engine begins that has no files of its own.
    pub(crate) async fn open(&self) -> Result<(Executor, Start), ChainError> {
        if !self.file().exists()
            && let Some(others) = &self.others
            && self.is_far_behind(others).await
        {
            match self.fetch(others).await {
                Ok(()) => {}
                // The blocks may still be there, one by one.
                Err(error) => tracing::warn!(%error, "cannot begin with a state of the others"),
            }
        }
        let executor = match self.load().await {
            Ok(executor) => executor,
            Err(error) if is_damage(&error) => self.replace(error).await?,
            Err(error) => return Err(error),
        };
        let start = anchor(&executor.shared().reader, executor.height())?;
        Ok((executor, start))
    }

    async fn load(&self) -> Result<Executor, ChainError> {
        let (dir, file) = (self.dir.clone(), self.file());
        let (genesis, retention) = (self.genesis.clone(), self.retention);
        let loading = tokio::task::spawn_blocking(move || {
            std::fs::create_dir_all(&dir)
                .map_err(|source| ChainError::Directory { path: dir, source })?;
            Executor::open(&file, &genesis, retention)
        });
        // The database panics at some kinds of damage.
        let panicked = |_| StoreError::Damaged { what: "database" };
        loading.await.map_err(panicked)?
    }

    async fn is_far_behind(&self, others: &LedgerClient) -> bool {
        match others.info().await {
            Ok((_, Some(head))) => head.height.0 >= self.sync_from,
            Ok((_, None)) | Err(_) => false,
        }
    }

    /// Takes the state of the others in place of a damaged one.
    async fn replace(&self, damage: ChainError) -> Result<Executor, ChainError> {
        let file = self.file();
        let refuse = |restore: Option<ClientError>, damage: ChainError| ChainError::Irreparable {
            file: file.clone(),
            damage: Box::new(damage),
            restore: restore.map(Box::new),
        };
        let Some(others) = &self.others else { return Err(refuse(None, damage)) };
        let fetched = match others.fetch_state().await {
            Ok(fetched) => fetched,
            Err(error) => return Err(refuse(Some(error), damage)),
        };
        let aside = set_aside(&file)?;
        tracing::error!(
            error = &damage as &dyn std::error::Error,
            aside = %aside.display(),
            height = %fetched.block.height,
            "the ledger's state is damaged: it is set aside, and restored from other validators"
        );
        self.install(fetched).await?;
        self.load().await
    }

    async fn fetch(&self, others: &LedgerClient) -> Result<(), ChainError> {
        let failed = |source| ChainError::Sync { source: Box::new(source) };
        let fetched = others.fetch_state().await.map_err(failed)?;
        tracing::info!(
            height = %fetched.block.height,
            leaves = fetched.leaves.len(),
            "begins with a state of the other validators"
        );
        self.install(fetched).await
    }

    async fn install(&self, fetched: Fetched) -> Result<(), ChainError> {
        let turns = self.turns(&fetched).map_err(|lie| ChainError::Changes { lie })?;
        let Fetched { block, finality, leaves, payload, .. } = fetched;
        let proof = finality.to_proof();
        // The state of a block comes with the certificate of that very block.
        let (header, certificate) = match proof.headers.as_slice() {
            [header] => (header.clone(), proof.certificate),
            _ => return Err(ChainError::Changes { lie: Lie::Unfit }),
        };
        let unfit = |_| StoreError::Damaged { what: "header or certificate from a validator" };
        let head = Head {
            id: block.id.0,
            header: acre_codec::Blob::new(header.to_vec()).map_err(unfit)?,
            certificate: Some(acre_codec::Blob::new(certificate.to_vec()).map_err(unfit)?),
            body_bytes: 0,
        };
        let leaves = leaves.into_iter().map(|(key, value)| (key.into_vec(), value.to_vec()));
        let beginning = Beginning {
            genesis: self.genesis.digest(),
            height: block.height.0,
            head,
            payload,
            leaves: leaves.collect(),
            turns,
        };
        let (dir, file) = (self.dir.clone(), self.file());
        let writing = tokio::task::spawn_blocking(move || {
            std::fs::create_dir_all(&dir)
                .map_err(|source| ChainError::Directory { path: dir, source })?;
            Ok(install(&file, beginning)?)
        });
        writing.await.map_err(|_| ChainError::Broken { part: "installing a state" })?
    }

    /// The changes of validators that lead to a state, each checked: we will show them to others.
    fn turns(&self, fetched: &Fetched) -> Result<Vec<(u64, Vec<u8>)>, Lie> {
        let mut trust = Trust::new(&self.genesis);
        let mut turns = Vec::new();
        for change in &fetched.changes {
            trust.advance(change)?;
            turns.push((change.term()?, acre_codec::encode(change)));
        }
        trust.check(&fetched.finality)?;
        Ok(turns)
    }
}

/// Where an engine begins that has no files, from what the store keeps of the newest blocks.
fn anchor(reader: &Reader, height: u64) -> Result<Start, StoreError> {
    for height in (1..=height).rev().take(acre_engine::limits::MAX_PROOF_HEADERS) {
        let Some(head) = reader.head(height)? else { break };
        let Some(certificate) = head.certificate else { continue };
        let payload = match reader.body(height)? {
            Some(body) if !body.payload.is_empty() => body.payload,
            _ => acre_ledger::Payload::empty().to_bytes(),
        };
        let mut block = BytesMut::from(&head.header[..]);
        block.put_slice(&payload);
        let certificate = Bytes::from(certificate.into_vec());
        return Ok(Start::At { block: block.freeze(), certificate });
    }
    Ok(Start::Genesis)
}

/// Whether the file itself is bad, so that another one would help.
fn is_damage(error: &ChainError) -> bool {
    match error {
        ChainError::Store(error) => match error {
            StoreError::Damaged { .. } | StoreError::WrongRoot { .. } | StoreError::State(_) => {
                true
            }
            StoreError::Database { source, .. } => {
                matches!(source, redb::Error::Corrupted(_) | redb::Error::UpgradeRequired(_))
            }
            _ => false,
        },
        _ => false,
    }
}

/// Renames a file or directory out of the way; gives its new name. What was set aside of it before is
/// deleted: a disk that fails again and again must not fill up with it.
pub(crate) fn set_aside(path: &Path) -> Result<PathBuf, StoreError> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis());
    let mut prefix = path.file_name().unwrap_or_default().to_os_string();
    prefix.push(".damaged-");
    let mut name = prefix.clone();
    name.push(now.to_string());
    let aside = path.with_file_name(name);
    std::fs::rename(path, &aside)
        .map_err(|source| StoreError::File { path: path.to_owned(), source })?;
    for old in set_aside_before(&aside, &prefix) {
        let deleted =
            if old.is_dir() { std::fs::remove_dir_all(&old) } else { std::fs::remove_file(&old) };
        if let Err(error) = deleted {
            tracing::warn!(%error, old = %old.display(), "what was set aside before stays");
        }
    }
    Ok(aside)
}

/// Everything beside `newest` that was set aside under this prefix.
fn set_aside_before(newest: &Path, prefix: &OsStr) -> Vec<PathBuf> {
    let is_time = |rest: &[u8]| !rest.is_empty() && rest.iter().all(u8::is_ascii_digit);
    let is_aside = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        path != newest && name.strip_prefix(prefix.as_encoded_bytes()).is_some_and(is_time)
    };
    let folder = newest.parent().unwrap_or(Path::new(""));
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    entries.filter_map(|entry| Some(entry.ok()?.path())).filter(is_aside).collect()
}
