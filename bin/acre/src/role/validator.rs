//! `acre validator run`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use acre_chain::{ChainError, Config, Metrics, Role, Status, StoreError, Validator};
use acre_gate::Registry;
use serde::{Deserialize, Serialize};

use super::Keeper;
use crate::context::Context;
use crate::exit::{Code, Failure, Outcome};
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
    let validator = Validator::start(config).await.map_err(|error| in_words(error, dir))?;
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

/// A directory serves one grid for ever: votes of another must not be mixed with its own.
fn in_words(error: ChainError, dir: &Path) -> anyhow::Error {
    match &error {
        ChainError::Store(StoreError::OtherGenesis { .. }) => Failure::new(Code::Denied, &error)
            .state("nothing was changed, and no vote was given")
            .hint(format!(
                "put back the genesis that {} was made with, or make another directory: acre validator new",
                dir.display()
            ))
            .into(),
        _ => error.into(),
    }
}

/// Reads one figure.
type Read<T> = fn(&T) -> u64;

/// Where the chain stands, and what waits, as this validator knows it.
fn metrics(validator: &Validator) -> Arc<Registry> {
    let registry = Arc::new(Registry::of_process());
    let whole = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    let gauges: [(&str, &str, Read<Status>); 8] = [
        ("acre_chain_height", "Last block applied.", |of| of.height),
        ("acre_chain_tip", "Newest final block known.", |of| of.tip),
        ("acre_chain_block_time_ms", "Time of the last block, since 1970.", |of| of.timestamp_ms),
        ("acre_chain_term", "Term of the newest final block known.", |of| of.epoch),
        ("acre_chain_view", "View of the newest final block, within its term.", |of| of.view),
        ("acre_chain_peers", "Validators of the term that can be reached, and itself.", |of| {
            of.reachable.into()
        }),
        ("acre_chain_quorum", "How many of them are needed.", |of| of.quorum.into()),
        ("acre_chain_votes", "1 while this one votes.", |of| u64::from(of.role == Role::Validator)),
    ];
    for (name, help, read) in gauges {
        let status = validator.subscribe();
        registry.watch(name, help, move || whole(read(&status.borrow())));
    }
    let meter = validator.meter();
    let waiting = move || whole(meter().waiting);
    registry.watch("acre_chain_mempool", "Transactions that wait for a block.", waiting);
    let totals: [(&str, &str, Read<Metrics>); 8] = [
        ("acre_chain_submitted_total", "Transactions taken from clients.", |of| of.submitted),
        ("acre_chain_refused_total", "Transactions refused to clients.", |of| of.refused),
        ("acre_chain_relayed_in_total", "Taken from other validators.", |of| of.relayed_in),
        ("acre_chain_relayed_out_total", "Given to other validators.", |of| of.relayed_out),
        ("acre_chain_relayed_in_vain_total", "Brought though they were here.", |of| {
            of.relayed_in_vain
        }),
        ("acre_chain_signatures_good_total", "Signatures found good.", |of| of.signatures_good),
        ("acre_chain_signatures_bad_total", "Signatures found bad.", |of| of.signatures_bad),
        ("acre_chain_signatures_turned_away_total", "Not looked at: too many of a peer.", |of| {
            of.signatures_turned_away
        }),
    ];
    for (name, help, read) in totals {
        let meter = validator.meter();
        registry.watch_total(name, help, move || whole(read(&meter())));
    }
    registry
}
