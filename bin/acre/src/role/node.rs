//! `acre node run`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use acre_gate::Registry;
use acre_ledger::{Capacity, SignedJoinToken};
use acre_node::{Config, Metrics, Node, NodeError, Offer};
use acre_types::{Bytes, Country};
use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::Keeper;
use crate::asking::failure;
use crate::context::Context;
use crate::exit::{Code, Failure, Outcome};
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
        node = Node::start(config) => node.map_err(in_words)?,
        stop = super::told_to_stop(keeper) => return stop,
    };
    settings.listen = node.address();
    super::write_settings(dir, &settings)?;
    let id = node.id().to_string();
    tracing::info!(%id, address = %settings.listen, site = %settings.site, "node ready");
    Ready { id, address: settings.listen.to_string() }.announce()?;
    let _admin = super::administer(dir, metrics(&node), || true);
    super::told_to_stop(keeper).await?;
    node.stop().await;
    Ok(())
}

/// What the node holds, proves and witnesses, by its own word.
fn metrics(node: &Node) -> Arc<Registry> {
    type Read = fn(&Metrics) -> u64;
    let registry = Arc::new(Registry::of_process());
    let whole = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    let gauges: [(&str, &str, Read); 9] = [
        ("acre_node_plots", "Regions of plots that are whole.", |of| of.plots),
        ("acre_node_plot_bytes", "Bytes of plots.", |of| of.plot_bytes),
        ("acre_node_shards", "Shards held.", |of| of.shards),
        ("acre_node_contracts", "Contracts of which anything is held.", |of| of.contracts),
        ("acre_node_used_bytes", "Bytes of the shard log, dead ones too.", |of| of.used_bytes),
        ("acre_node_free_bytes", "Bytes that may still be stored.", |of| of.free_bytes),
        ("acre_node_epoch", "Epoch in which it witnesses.", |of| of.epoch),
        ("acre_node_duties", "Nodes that it watches in that epoch.", |of| of.duties),
        ("acre_node_witnesses", "Nodes that watch it in that epoch.", |of| of.witnesses),
    ];
    for (name, help, read) in gauges {
        let meter = node.meter();
        registry.watch(name, help, move || whole(read(&meter.read())));
    }
    let totals: [(&str, &str, Read); 8] = [
        ("acre_node_verdicts_total", "Verdicts in reports that the ledger took.", |of| of.verdicts),
        ("acre_node_reports_total", "Reports that the ledger took.", |of| of.reports),
        ("acre_node_reports_failed_total", "Reports too late or refused.", |of| of.reports_failed),
        ("acre_node_challenges_answered_total", "Questions of witnesses answered.", |of| {
            of.challenges_answered
        }),
        (
            "acre_node_challenges_refused_total",
            "Questions refused: not by a witness, or too often.",
            |of| of.challenges_refused,
        ),
        (
            "acre_node_records_deleted_total",
            "Records deleted as their contracts were over.",
            |of| of.records_deleted,
        ),
        ("acre_node_workloads_declined_total", "Workloads declined.", |of| of.workloads_declined),
        ("acre_node_contracts_closed_total", "Contracts that were over, closed.", |of| {
            of.contracts_closed
        }),
    ];
    for (name, help, read) in totals {
        let meter = node.meter();
        registry.watch_total(name, help, move || whole(read(&meter.read())));
    }
    registry
}

/// What keeps a node from the ledger, as commands say it.
fn in_words(error: NodeError) -> anyhow::Error {
    match error {
        NodeError::Ledger(error) => failure(error),
        error if error.is_running() => {
            let what = "this node runs already: another process has its directory";
            Failure::new(Code::Conflict, what).state("it goes on as before").into()
        }
        other => other.into(),
    }
}

/// What this machine can offer beside the storage its owner chose: all cores, and three quarters of
/// the memory. At a muster it fills what it offers and is free, so the rest must do for the system.
fn capacity(storage: Bytes) -> Capacity {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let memory = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
    });
    Capacity {
        storage,
        cores: u32::try_from(cores).unwrap_or(u32::MAX),
        memory: Bytes(memory.unwrap_or(0).saturating_mul(1024 / 4 * 3)),
    }
}
