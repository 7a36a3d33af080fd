//! A process's metrics and health, on a Unix socket that only its owner may open.
//!
//! | path | answer |
//! |---|---|
//! | `/metrics` | Prometheus text 0.0.4 |
//! | `/healthz` | 200 while the process answers |
//! | `/readyz` | 200 once it serves, 503 before |
//!
//! `curl --unix-socket admin.sock http://x/metrics`

use std::fs;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse as _;
use axum::routing::get;
use tokio::net::UnixListener;

use crate::GateError;
use crate::metrics::Registry;

/// Name of the socket in a process's directory.
pub const SOCKET: &str = "admin.sock";

/// A socket that is bound; see [`Admin::serve`]. Dropped, it is removed.
#[derive(Debug)]
pub struct Admin {
    listener: Option<UnixListener>,
    path: PathBuf,
}

impl Admin {
    /// Binds [`SOCKET`] in this directory with mode 0600. One that a killed process left is
    /// replaced: the directory belongs to one process at a time.
    ///
    /// # Errors
    /// [`GateError::Admin`].
    pub fn bind(dir: &Path) -> Result<Self, GateError> {
        let path = dir.join(SOCKET);
        let failed = |source| GateError::Admin { path: path.clone(), source };
        let listener = bind_private(dir).map_err(failed)?;
        Ok(Self { listener: Some(listener), path })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Serves until `stop` completes. `is_ready` is what `/readyz` says.
    ///
    /// # Errors
    /// [`GateError::Serve`].
    pub async fn serve(
        mut self,
        registry: Arc<Registry>,
        is_ready: impl Fn() -> bool + Clone + Send + Sync + 'static,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), GateError> {
        let Some(listener) = self.listener.take() else { return Ok(()) };
        let metrics = move || {
            let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
            std::future::ready((kind, registry.render()))
        };
        let ready = move || {
            let answer = match is_ready() {
                true => (StatusCode::OK, "ready\n").into_response(),
                false => (StatusCode::SERVICE_UNAVAILABLE, "not ready yet\n").into_response(),
            };
            std::future::ready(answer)
        };
        let router = Router::new()
            .route("/metrics", get(metrics))
            .route("/healthz", get(|| async { "ok\n" }))
            .route("/readyz", get(ready));
        axum::serve(listener, router).with_graceful_shutdown(stop).await.map_err(GateError::Serve)
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Binds within a directory that nobody else may enter, and moves the socket out of it when its
/// mode is set: at no time may another user connect. Goes by the open directory, since the path of
/// a socket has 107 bytes at most and the directory may lie deeper.
fn bind_private(dir: &Path) -> io::Result<UnixListener> {
    let held = fs::File::open(dir)?;
    let dir = PathBuf::from(format!("/proc/self/fd/{}", held.as_raw_fd()));
    let private = dir.join(".admin");
    match fs::remove_dir_all(&private) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::DirBuilder::new().mode(0o700).create(&private)?;
    let inner = private.join(SOCKET);
    let bound = UnixListener::bind(&inner).and_then(|listener| {
        fs::set_permissions(&inner, fs::Permissions::from_mode(0o600))?;
        fs::rename(&inner, dir.join(SOCKET))?;
        Ok(listener)
    });
    fs::remove_dir_all(&private)?;
    bound
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::UnixStream;

    use super::*;

    async fn ask(path: &Path, what: &str) -> String {
        let mut stream = UnixStream::connect(path).await.unwrap();
        let request = format!("GET {what} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn serves_metrics_to_its_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let registry = Arc::new(Registry::of_process());
        registry.counter("acre_test_total", "Test.", None).add(3);
        fs::write(dir.path().join(SOCKET), "left by a killed process").unwrap();
        let admin = Admin::bind(dir.path()).unwrap();
        let path = admin.path().to_owned();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing else is left");
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let stopped = async move { drop(stopped.await) };
        let serving = tokio::spawn(admin.serve(registry, || false, stopped));
        let metrics = ask(&path, "/metrics").await;
        assert!(metrics.starts_with("HTTP/1.1 200"), "{metrics}");
        assert!(metrics.contains("acre_test_total 3\n"), "{metrics}");
        assert!(ask(&path, "/healthz").await.ends_with("ok\n"));
        assert!(ask(&path, "/readyz").await.starts_with("HTTP/1.1 503"));
        stop.send(()).unwrap();
        serving.await.unwrap().unwrap();
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn deep_directory_will_do_and_a_missing_one_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("d".repeat(120));
        fs::create_dir(&deep).unwrap();
        let admin = Admin::bind(&deep).unwrap();
        assert!(fs::symlink_metadata(admin.path()).is_ok());
        let error = Admin::bind(&dir.path().join("missing")).unwrap_err();
        assert!(error.to_string().contains("missing/admin.sock"), "{error}");
    }
}
