//! Whose turn it is to write a volume: one operation of this process, and one process of the home.
//!
//! Two devices at the same instant are another matter: they share no file (see `volume`).

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use acre_types::ContractId;
use tokio::sync::{Mutex, MutexGuard};

/// Held by whoever publishes a head or collects packs.
pub(crate) struct Turns {
    own: Mutex<()>,
    /// A file in the cache, which all processes of the home lock.
    file: Option<PathBuf>,
}

/// Until it is dropped, nobody else of this home writes the volume.
pub(crate) struct Turn<'a> {
    _own: MutexGuard<'a, ()>,
    _all: Option<File>,
}

impl Turns {
    /// Without a cache only the operations of this process take turns.
    pub(crate) fn new(cache: Option<&Path>, volume: ContractId) -> Self {
        let file = cache.map(|dir| dir.join(format!("writing-{volume}")));
        Self { own: Mutex::default(), file }
    }

    /// Waits until nobody writes.
    pub(crate) async fn take(&self) -> Turn<'_> {
        let own = self.own.lock().await;
        let all = match self.file.clone() {
            Some(file) => tokio::task::spawn_blocking(move || locked(&file)).await.ok().flatten(),
            None => None,
        };
        Turn { _own: own, _all: all }
    }
}

/// The cache may be lost or read-only: that must keep nobody from writing.
fn locked(path: &Path) -> Option<File> {
    let open = || OpenOptions::new().create(true).truncate(false).write(true).open(path);
    match open().and_then(|file| file.lock().map(|()| file)) {
        Ok(file) => Some(file),
        Err(error) => {
            tracing::info!(%error, "other processes of this home are not waited for");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn of_two_with_the_same_cache_one_waits() {
        let dir = tempfile::tempdir().unwrap();
        let [one, two, other] = [1, 1, 2].map(|id| Turns::new(Some(dir.path()), ContractId(id)));
        let turn = one.take().await;
        drop(other.take().await);
        let mut waiting = std::pin::pin!(two.take());
        let soon = std::time::Duration::from_millis(50);
        assert!(tokio::time::timeout(soon, &mut waiting).await.is_err());
        drop(turn);
        drop(waiting.await);
        // Nobody is kept from writing by a cache that is gone.
        drop(Turns::new(Some(&dir.path().join("gone")), ContractId(1)).take().await);
        drop(Turns::new(None, ContractId(1)).take().await);
    }
}
