//! `acre node run`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use acre_gate::Registry;
use acre_ledger::{Capacity, SignedJoinToken};
use acre_node::{Config, Node, Offer};
use acre_types::{Bytes, Country};
use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::Keeper;
use crate::context::Context;
use crate::exit::Outcome;
use crate::grid::process::Ready;
use crate::home::write_secret;

const TOKEN: &str = "token";

/// A node's settings.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Settings {
    /// The directory with genesis and peers.
    pub(crate) grid: PathBuf,
    pub(crate) listen: SocketAddr,
    pub(crate) site: String,
    pub(crate) country: Country,
    pub(crate) capacity_bytes: u64,
    /// Most bytes of plots that show free space to witnesses.
    #[serde(default = "plot_bytes")]
    pub(crate) plot_bytes: u64,
}

/// What a node of a local grid shows of its free space: little, as all nodes share one disk.
pub(crate) const fn plot_bytes() -> u64 {
    32 << 20
}

/// Keeps the token with which the node will join.
pub(crate) fn write_token(dir: &Path, token: &SignedJoinToken) -> Outcome {
    write_secret(&dir.join(TOKEN), &acre_codec::encode(token))
}

fn read_token(dir: &Path) -> Outcome<Option<SignedJoinToken>> {
    let path = dir.join(TOKEN);
    match std::fs::read(&path) {
        Ok(bytes) => acre_codec::decode(&bytes)
            .map(Some)
            .with_context(|| format!("{} is no join token", path.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).context(path.display().to_string()),
    }
}

pub(crate) async fn run(dir: &Path, keeper: Keeper) -> Outcome {
    let mut settings: Settings = super::read_settings(dir)?;
    let context = Context::of_grid(&settings.grid)?;
    let offer = Offer {
        site: settings.site.clone(),
        country: settings.country,
        capacity: capacity(Bytes(settings.capacity_bytes)),
    };
    let config = Config {
        dir: dir.to_path_buf(),
        key: super::key(dir)?,
        listen: super::free_address(settings.listen),
        offer,
        token: read_token(dir)?,
        genesis: context.genesis,
        validators: context.validators,
        plots: Bytes(settings.plot_bytes),
    };
    let node = tokio::select! {
        node = Node::start(config) => node?,
        stop = super::told_to_stop(keeper) => return stop,
    };
    settings.listen = node.address();
    super::write_settings(dir, &settings)?;
    let id = node.id().to_string();
    tracing::info!(%id, address = %settings.listen, site = %settings.site, "node ready");
    Ready { id, address: settings.listen.to_string() }.announce()?;
    let _admin = super::administer(dir, Arc::new(Registry::of_process()), || true);
    super::told_to_stop(keeper).await?;
    node.stop().await;
    Ok(())
}

/// What this machine can offer beside the storage its owner chose.
fn capacity(storage: Bytes) -> Capacity {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let memory = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
    });
    Capacity {
        storage,
        cores: u32::try_from(cores).unwrap_or(u32::MAX),
        memory: Bytes(memory.unwrap_or(0).saturating_mul(1024)),
    }
}
