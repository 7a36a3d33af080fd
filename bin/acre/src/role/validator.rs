//! `acre validator run`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use acre_chain::{Config, Validator};
use acre_gate::Registry;
use serde::{Deserialize, Serialize};

use super::Keeper;
use crate::context::Context;
use crate::exit::Outcome;
use crate::grid::process::Ready;

/// A validator's settings.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Settings {
    /// The directory with genesis and peers.
    pub(crate) grid: PathBuf,
    /// Where clients call.
    pub(crate) rpc: SocketAddr,
    /// Where other validators connect.
    pub(crate) engine: SocketAddr,
}

pub(crate) async fn run(dir: &Path, keeper: Keeper) -> Outcome {
    let settings: Settings = super::read_settings(dir)?;
    let context = Context::of_grid(&settings.grid)?;
    let config = Config {
        rpc: settings.rpc,
        engine: settings.engine,
        peers: context.peers(),
        ..Config::local(dir, context.genesis, super::key(dir)?)
    };
    let validator = Validator::start(config).await?;
    let id = validator.key().to_string();
    tracing::info!(%id, address = %settings.rpc, "validator ready");
    Ready { id, address: settings.rpc.to_string() }.announce()?;
    let _admin = super::administer(dir, metrics(&validator), || true);
    tokio::select! {
        stop = super::told_to_stop(keeper) => stop?,
        ended = validator.stopped() => ended?,
    }
    Ok(validator.stop().await?)
}

/// Where the chain stands, as this validator knows it.
fn metrics(validator: &Validator) -> Arc<Registry> {
    let registry = Arc::new(Registry::of_process());
    let whole = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    let status = validator.subscribe();
    let height = move || whole(status.borrow().height);
    registry.watch("acre_chain_height", "Last block applied.", height);
    let status = validator.subscribe();
    let tip = move || whole(status.borrow().tip);
    registry.watch("acre_chain_tip", "Newest final block known.", tip);
    let status = validator.subscribe();
    let time = move || whole(status.borrow().timestamp_ms);
    registry.watch("acre_chain_block_time_ms", "Time of the last block, since 1970.", time);
    let status = validator.subscribe();
    let term = move || whole(status.borrow().epoch);
    registry.watch("acre_chain_term", "Term of the newest final block known.", term);
    registry
}
