//! A local grid, driven by commands as a person would.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;
use tokio::process::Command;

use super::process::{self, FineUsage, Run, Usage};
use crate::exit::{Code, Failure, Outcome};

/// Nodes of the grid: what `acre up` starts when nobody says otherwise.
pub(crate) const NODES: usize = 24;
/// How often it is looked whether a grid has ended.
const DOWN_EVERY: Duration = Duration::from_millis(250);
/// Looks before `down` counts as failed: 10 s, twice what the supervisor gives each process.
const DOWN_TRIES: u32 = 40;

/// The grid of one home. Clones are the same grid.
#[derive(Clone)]
pub(crate) struct Grid {
    program: PathBuf,
    home: PathBuf,
    /// Whether an `up` was begun without a `down` after it.
    begun: Arc<AtomicBool>,
}

impl Grid {
    pub(crate) fn new(home: PathBuf) -> Outcome<Self> {
        let program = std::env::current_exe().context("this executable cannot be found")?;
        Ok(Self { program, home, begun: Arc::default() })
    }

    /// One command of `acre`, on this grid's home.
    async fn acre(&self, words: &[&str], paths: &[&Path]) -> Outcome<Run> {
        let mut command = Command::new(&self.program);
        // Neither a home nor a log level of the person who measures.
        command.env_remove("ACRE_HOME").env_remove("ACRE_LOG");
        command.arg("--json").arg("--home").arg(&self.home).args(words).args(paths);
        process::run(&format!("acre {}", words.join(" ")), command).await
    }

    pub(crate) fn is_up(&self) -> bool {
        self.begun.load(Ordering::Relaxed)
    }

    /// `acre up --detach`: returns when the grid is ready.
    pub(crate) async fn up(&self) -> Outcome<Run> {
        self.begun.store(true, Ordering::Relaxed);
        let nodes = NODES.to_string();
        self.acre(&["up", "--detach", "--nodes", &nodes], &[]).await
    }

    /// `acre down`: returns when all processes have ended, whatever the command said of it.
    pub(crate) async fn down(&self) -> Outcome {
        let asked = self.acre(&["down"], &[]).await;
        for _ in 0..DOWN_TRIES {
            if self.pids().is_empty() {
                self.begun.store(false, Ordering::Relaxed);
                return Ok(());
            }
            tokio::time::sleep(DOWN_EVERY).await;
        }
        asked?;
        Err(Failure::new(Code::Failed, "some processes outlived `acre down`").into())
    }

    /// Stops whatever of this grid may still run.
    pub(crate) async fn end(&self) {
        // A grid that was still starting takes no `down` yet, hence the second try.
        if self.is_up()
            && self.down().await.is_err()
            && let Err(error) = self.down().await
        {
            eprintln!("warning: the grid in {} did not stop: {error:#}", self.home.display());
        }
    }

    /// All its processes: supervisor, validator, nodes, gateway. Each names the home, or a directory
    /// below it, among its arguments.
    pub(crate) fn pids(&self) -> Vec<u32> {
        process::that_name(&self.home)
    }

    pub(crate) fn usage(&self) -> Usage {
        Usage::of(&self.pids())
    }

    pub(crate) fn fine_usage(&self) -> Option<FineUsage> {
        FineUsage::of(&self.pids())
    }

    /// Resident memory of each node, ascending.
    pub(crate) async fn node_memory(&self) -> Outcome<Vec<u64>> {
        let run = self.acre(&["status"], &[]).await?;
        let report: Value =
            serde_json::from_str(&run.stdout).context("`status` did not print JSON")?;
        let nodes = report["nodes"].as_array().context("`status` lists no nodes")?;
        let memory = |node: &Value| {
            let pid = u32::try_from(node["pid"].as_u64()?).ok()?;
            process::memory_bytes(pid, "VmRSS")
        };
        let mut bytes: Vec<u64> = nodes.iter().filter_map(memory).collect();
        bytes.sort_unstable();
        Ok(bytes)
    }

    /// Where the grid keeps its files.
    pub(crate) fn folder(&self) -> PathBuf {
        self.home.join("grid")
    }

    /// Where its nodes keep their shards.
    pub(crate) fn nodes(&self) -> PathBuf {
        self.folder().join("nodes")
    }

    /// `acre put`, with the profile `standard`.
    pub(crate) async fn put(&self, path: &Path, name: &str) -> Outcome<(Run, Value)> {
        let run = self.acre(&["put", "--profile", "standard", "--to", name], &[path]).await?;
        let report = serde_json::from_str(&run.stdout).context("`put` did not print JSON")?;
        Ok((run, report))
    }

    /// `acre get`.
    pub(crate) async fn get(&self, name: &str, target: &Path) -> Outcome<Run> {
        self.acre(&["get", name], &[target]).await
    }

    /// `acre rm -r`.
    pub(crate) async fn remove(&self, name: &str) -> Outcome {
        self.acre(&["rm", "-r", name], &[]).await.map(drop)
    }

    /// Nodes that hold shards of a thing, those with most of them first.
    pub(crate) async fn holders(&self, name: &str) -> Outcome<Vec<String>> {
        let run = self.acre(&["explain", name], &[]).await?;
        let report = serde_json::from_str(&run.stdout).context("`explain` did not print JSON")?;
        Ok(holders(&report))
    }

    /// `acre node stop`, or `start`.
    pub(crate) async fn switch(&self, word: &str, nodes: &[String]) -> Outcome {
        for node in nodes {
            self.acre(&["node", word, node], &[]).await?;
        }
        Ok(())
    }
}

fn holders(report: &Value) -> Vec<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let stripes = report["stripes"].as_array().into_iter().flatten();
    for shard in stripes.flat_map(|stripe| stripe["shards"].as_array().into_iter().flatten()) {
        if let (Some("verified"), Some(node)) = (shard["state"].as_str(), shard["node"].as_str()) {
            *counts.entry(node).or_default() += 1;
        }
    }
    let mut nodes: Vec<(&str, usize)> = counts.into_iter().collect();
    nodes.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    nodes.into_iter().map(|(node, _)| node.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holders_are_those_with_verified_shards_and_most_of_them_first() {
        let shard = |node: &str, state: &str| serde_json::json!({ "node": node, "state": state });
        let report = serde_json::json!({ "stripes": [
            { "shards": [shard("a", "verified"), shard("b", "verified"), shard("c", "missing")] },
            { "shards": [shard("b", "verified"), shard("c", "unreachable")] },
        ]});
        assert_eq!(holders(&report), ["b", "a"]);
        assert!(holders(&Value::Null).is_empty());
    }
}
