//! The long-running processes: each has a directory with its key, its settings and its log.

pub(crate) mod gateway;
pub(crate) mod node;
pub(crate) mod validator;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use acre_crypto::{Secret, SigningKey};
use acre_gate::{Admin, Registry};
use anyhow::{Context as _, anyhow};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::exit::{Code, Failure, Outcome};
use crate::home::{write_file, write_secret};
use crate::random;

const KEY: &str = "key";
const SETTINGS: &str = "settings.json";

/// Whether somebody keeps this process, and ends it by closing its standard input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keeper {
    Supervisor,
    Nobody,
}

/// Completes when the process is to stop.
pub(crate) async fn told_to_stop(keeper: Keeper) -> Outcome {
    let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    let gone = async {
        match keeper {
            Keeper::Supervisor => crate::grid::process::supervisor_gone().await,
            Keeper::Nobody => std::future::pending().await,
        }
    };
    tokio::select! {
        () = gone => {}
        _ = terminated.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    Ok(())
}

/// The socket on which a process tells its metrics, until this is dropped.
pub(crate) struct Administered(Option<tokio::task::JoinHandle<()>>);

impl Drop for Administered {
    fn drop(&mut self) {
        if let Some(task) = self.0.take() {
            task.abort();
        }
    }
}

/// Serves a process's metrics on `admin.sock` in its directory. A process goes on without it.
pub(crate) fn administer(
    dir: &Path,
    registry: Arc<Registry>,
    is_ready: impl Fn() -> bool + Clone + Send + Sync + 'static,
) -> Administered {
    let admin = match Admin::bind(dir) {
        Ok(admin) => admin,
        Err(error) => {
            tracing::warn!(%error, "no metrics will be served");
            return Administered(None);
        }
    };
    Administered(Some(tokio::spawn(async move {
        if let Err(error) = admin.serve(registry, is_ready, std::future::pending()).await {
            tracing::warn!(%error, "metrics are no longer served");
        }
    })))
}

/// The signing key in a directory; drawn if there is none.
pub(crate) fn key(dir: &Path) -> Outcome<SigningKey> {
    let path = dir.join(KEY);
    match std::fs::read(&path) {
        Ok(bytes) => {
            let seed = <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| {
                let what = format!("{} is not a key of 32 bytes", path.display());
                Failure::new(Code::Damaged, what).state("nothing was changed")
            })?;
            Ok(SigningKey::from_seed(Secret::new(seed)))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let seed = random::secret()?;
            write_secret(&path, seed.expose())?;
            Ok(SigningKey::from_seed(seed))
        }
        Err(error) => Err(error).context(path.display().to_string()),
    }
}

pub(crate) fn read_settings<T: DeserializeOwned>(dir: &Path) -> Outcome<T> {
    let path = dir.join(SETTINGS);
    let bytes = std::fs::read(&path).map_err(|error| {
        anyhow!(
            Failure::new(Code::NotFound, format!("{}: {error}", path.display()))
                .hint("acre node join and acre validator new make directories to run, acre up all of a local grid")
        )
    })?;
    serde_json::from_slice(&bytes).with_context(|| path.display().to_string())
}

pub(crate) fn write_settings<T: Serialize>(dir: &Path, settings: &T) -> Outcome {
    write_file(&dir.join(SETTINGS), &serde_json::to_vec_pretty(settings)?)
}

/// The wanted address if it is free, else one with a port that the system draws: a port that was
/// taken since the last start must not keep a local grid from starting.
pub(crate) fn free_address(wanted: SocketAddr) -> SocketAddr {
    match std::net::TcpListener::bind(wanted) {
        Ok(_) => wanted,
        Err(error) => {
            tracing::warn!(%wanted, %error, "the port is taken; another is drawn");
            SocketAddr::new(wanted.ip(), 0)
        }
    }
}
