//! Steps that store, lose and find again.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use acre_client::{Explanation, PutOptions, RepairMode, Silent, Wanted};
use acre_types::{Bytes, Profile};
use anyhow::{Context as _, bail};

use super::{Stage, make_removable};
use crate::command::storage;
use crate::context::Context;
use crate::exit::{Code, Failure, Outcome, code_of};
use crate::grid::control::{Kind, Request};
use crate::home::Home;
use crate::output::Output;
use crate::tour::compare::{self, Counts};

const NAME: &str = "/tour";

impl Stage {
    pub(in crate::tour) async fn put(&self, source: &Path, out: &Output) -> Outcome<String> {
        let client = storage::open(&self.home).await?;
        let progress = storage::progress(out);
        let options =
            PutOptions { profile: Some(Profile::Standard), to: Some(NAME.as_bytes().to_vec()) };
        let report = client.put(source, options, progress).await;
        let report = report.map_err(storage::failure)?;
        for warning in &report.warnings {
            out.note(&storage::describe(&warning.path, &warning.kind));
        }
        Ok(storage::put_words(&report))
    }

    async fn explained(&self) -> Outcome<Explanation> {
        let client = storage::open(&self.home).await?;
        let explanation = client.explain(&Wanted::from(NAME)).await.map_err(storage::failure)?;
        Ok(explanation)
    }

    pub(in crate::tour) async fn explain(&self) -> Outcome<String> {
        Ok(storage::explain_words(&self.explained().await?))
    }

    /// Kills nodes that hold shards of the first pack, data shards first.
    pub(in crate::tour) async fn kill_holders(&mut self, count: usize) -> Outcome<String> {
        let explanation = self.explained().await?;
        let stripe = explanation.stripes.first().context("something was stored")?;
        let mut lines = Vec::new();
        for shard in &stripe.shards {
            if lines.len() == count {
                break;
            }
            let id = shard.node.to_string();
            // The farmer's machine is hers: nobody here can pull its plug.
            let is_hers = self.farmer.as_ref().is_some_and(|farmer| farmer.node == shard.node);
            if is_hers || !self.killed.insert(id.clone()) {
                continue;
            }
            self.switch(Request::Stop { kind: Kind::Node, id: id.clone() }).await?;
            let short: String = id.chars().take(8).collect();
            lines.push(format!("  killed {short} in {} (shard {})", shard.site, shard.index));
        }
        if lines.len() < count {
            bail!("only {} nodes hold shards, {count} were to be killed", lines.len());
        }
        Ok(lines.join("\n"))
    }

    pub(in crate::tour) async fn start_all(&mut self) -> Outcome<String> {
        let killed = std::mem::take(&mut self.killed);
        for id in &killed {
            self.switch(Request::Start { kind: Kind::Node, id: id.clone() }).await?;
        }
        Ok(format!("{} nodes are back.", killed.len()))
    }

    pub(in crate::tour) async fn get_and_compare(
        &self,
        to: &str,
        source: &Path,
    ) -> Outcome<Counts> {
        self.get_from(&self.home, to, source).await
    }

    async fn get_from(&self, home: &Home, to: &str, source: &Path) -> Outcome<Counts> {
        let copy = self.folder.join(to);
        let client = storage::open(home).await?;
        client.get(&Wanted::from(NAME), &copy, Arc::new(Silent)).await.map_err(storage::failure)?;
        let source = source.to_owned();
        tokio::task::spawn_blocking(move || {
            let counts = compare::trees(&source, &copy)?;
            make_removable(&copy);
            fs::remove_dir_all(&copy)?;
            Ok(counts)
        })
        .await?
    }

    /// What lies in the tour's directory.
    fn listed(&self) -> Outcome<BTreeSet<OsString>> {
        let entries = fs::read_dir(&self.folder)?;
        Ok(entries.filter_map(Result::ok).map(|entry| entry.file_name()).collect())
    }

    /// Tries to read what cannot be read, and insists on an honest answer.
    pub(in crate::tour) async fn refused_get(&self, to: &str) -> Outcome<String> {
        let copy = self.folder.join(to);
        let before = self.listed()?;
        let client = storage::open(&self.home).await?;
        let got = client.get(&Wanted::from(NAME), &copy, Arc::new(Silent)).await;
        let Err(error) = got else {
            bail!("more was lost than the profile bears, and yet it was read: how?")
        };
        let error = storage::failure(error);
        let code = code_of(&error);
        if !matches!(code, Code::Unreachable | Code::Damaged) {
            return Err(error);
        }
        let after = self.listed()?;
        if after != before {
            bail!("a refused read left files behind: {after:?}");
        }
        Ok(format!("{error}\n  (exit code {}, and no file was left that looks whole)", code as u8))
    }

    pub(in crate::tour) async fn repair(&self) -> Outcome<String> {
        let client = storage::open(&self.home).await?;
        let report = client.repair(RepairMode::Now, Arc::new(Silent)).await;
        let report = report.map_err(storage::failure)?;
        if report.unrepairable_total > 0 || report.full < report.packs {
            return Err(Failure::new(
                Code::Failed,
                format!("only {} of {} packs are full after the repair", report.full, report.packs),
            )
            .into());
        }
        Ok(storage::repair_words(&report))
    }

    /// A new home that knows nothing but the words and where the grid is.
    pub(in crate::tour) async fn recover(&self, source: &Path) -> Outcome<String> {
        let fresh = Home::find(Some(self.folder.join("recovered")))?;
        fresh.keep(&self.home.phrase()?)?;
        Context::adopt(&fresh, self.home.root())?;
        let counts = self.get_from(&fresh, "from-words", source).await?;
        Ok(format!(
            "The words gave the keys, the keys found the volume, the volume gave {} files, {}: all the same.",
            counts.files,
            Bytes(counts.bytes)
        ))
    }
}
