//! What the tour happens on: a grid in a directory of its own, and what is done with it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use acre_client::{Explanation, PutOptions, RepairMode, Silent, Wanted};
use acre_ledger::{Key, TheTotals};
use acre_types::{Bytes, Profile};
use anyhow::{Context as _, bail};

use super::compare::{self, Counts};
use crate::cli;
use crate::command::{person, storage};
use crate::context::Context;
use crate::exit::{Code, Failure, Outcome, code_of};
use crate::grid::control::{self, Answer, Kind, Request};
use crate::grid::up;
use crate::home::Home;
use crate::output::{Form, Notes, Output};

const NAME: &str = "/tour";
const NODES: u16 = 24;

pub(crate) struct Stage {
    folder: PathBuf,
    home: Home,
    supervisor: Option<rustix::process::Pid>,
    killed: BTreeSet<String>,
}

impl Stage {
    /// Makes the tour's own directory inside the home.
    pub(crate) fn new(home: &Home) -> Outcome<Self> {
        let folder = home.root().join(format!("tour-{}", std::process::id()));
        fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        let home = Home::find(Some(folder.join("home")))?;
        Ok(Self { folder, home, supervisor: None, killed: BTreeSet::new() })
    }

    /// Stops the grid and removes the directory.
    pub(crate) fn clean_up(&mut self) -> Outcome {
        if let Some(supervisor) = self.supervisor.take()
            && control::ask(&self.home.grid(), &Request::Down).is_err()
        {
            // It does not answer; its children end with it.
            let _ = rustix::process::kill_process(supervisor, rustix::process::Signal::TERM);
        }
        // A recovered tree may hold directories without write permission.
        make_removable(&self.folder);
        fs::remove_dir_all(&self.folder).with_context(|| self.folder.display().to_string())
    }

    pub(crate) fn start(&mut self) -> Outcome<String> {
        let options = cli::Up {
            nodes: NODES,
            validators: 1,
            settings: Vec::new(),
            capacity: Bytes(64 << 30),
            detach: true,
            supervisor: false,
        };
        let begun = std::time::Instant::now();
        let quiet = Output::new(Form::Words, Notes::Hidden);
        let report = up::start_detached(&self.home, &options, &quiet)?;
        let pid = report["supervisor_pid"].as_i64().and_then(|pid| i32::try_from(pid).ok());
        self.supervisor = pid.and_then(rustix::process::Pid::from_raw);
        let status = up::processes(&self.home)?;
        let countries: BTreeSet<_> =
            status.nodes.iter().filter_map(|node| node.country.clone()).collect();
        Ok(format!(
            "{} nodes in {} countries, each with a site, a farm and an operator of its own, ready after {:.1} s.\nSee them: {}",
            status.nodes.len(),
            countries.len(),
            begun.elapsed().as_secs_f64(),
            status.dashboard.unwrap_or_default()
        ))
    }

    pub(crate) async fn put(&self, source: &Path, out: &Output) -> Outcome<String> {
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

    pub(crate) async fn explain(&self) -> Outcome<String> {
        Ok(storage::explain_words(&self.explained().await?))
    }

    /// Kills nodes that hold shards of the first pack, data shards first.
    pub(crate) async fn kill_holders(&mut self, count: usize) -> Outcome<String> {
        let explanation = self.explained().await?;
        let stripe = explanation.stripes.first().context("something was stored")?;
        let mut lines = Vec::new();
        for shard in &stripe.shards {
            if lines.len() == count {
                break;
            }
            let id = shard.node.to_string();
            if !self.killed.insert(id.clone()) {
                continue;
            }
            self.switch(&Request::Stop { kind: Kind::Node, id: id.clone() })?;
            let short: String = id.chars().take(8).collect();
            lines.push(format!("  killed {short} in {} (shard {})", shard.site, shard.index));
        }
        if lines.len() < count {
            bail!("only {} nodes hold shards, {count} were to be killed", lines.len());
        }
        Ok(lines.join("\n"))
    }

    fn switch(&self, request: &Request) -> Outcome {
        match control::ask(&self.home.grid(), request)? {
            Answer::Done => Ok(()),
            answer => bail!("the grid said {answer:?}"),
        }
    }

    pub(crate) fn start_all(&mut self) -> Outcome<String> {
        let killed = std::mem::take(&mut self.killed);
        for id in &killed {
            self.switch(&Request::Start { kind: Kind::Node, id: id.clone() })?;
        }
        Ok(format!("{} nodes are back.", killed.len()))
    }

    pub(crate) async fn get_and_compare(&self, to: &str, source: &Path) -> Outcome<Counts> {
        self.get_from(&self.home, to, source).await
    }

    async fn get_from(&self, home: &Home, to: &str, source: &Path) -> Outcome<Counts> {
        let copy = self.folder.join(to);
        let client = storage::open(home).await?;
        client.get(&Wanted::from(NAME), &copy, Arc::new(Silent)).await.map_err(storage::failure)?;
        let counts = compare::trees(source, &copy)?;
        make_removable(&copy);
        fs::remove_dir_all(&copy)?;
        Ok(counts)
    }

    /// Tries to read what cannot be read, and insists on an honest answer.
    pub(crate) async fn refused_get(&self, to: &str) -> Outcome<String> {
        let copy = self.folder.join(to);
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
        let left: Vec<_> = fs::read_dir(&self.folder)?
            .filter_map(Result::ok)
            .map(|entry| entry.file_name())
            .filter(|name| name != "home")
            .collect();
        if !left.is_empty() {
            bail!("a refused read left files behind: {left:?}");
        }
        Ok(format!("{error}\n  (exit code {}, and no file was left that looks whole)", code as u8))
    }

    pub(crate) async fn repair(&self) -> Outcome<String> {
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
    pub(crate) async fn recover(&self, source: &Path) -> Outcome<String> {
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

    pub(crate) async fn verify_ledger(&self) -> Outcome<String> {
        let ledger = person::reader(&self.home).await?;
        let key = Key::Totals;
        let snapshot =
            ledger.snapshot(std::slice::from_ref(&key)).await.map_err(person::failure)?;
        let totals = snapshot.read(&TheTotals).ok().flatten().context("totals are proven")?;
        let proof = snapshot.proof(&key).context("the answer has a proof")?;
        let (root, mut forged) = (snapshot.block.root, proof.to_bytes());
        if let Some(byte) = forged.last_mut() {
            *byte ^= 1;
        }
        let is_refused = acre_ledger::Proof::decode(&forged)
            .is_ok_and(|forged| forged.verify(&root, &key.to_bytes()).is_err());
        if !is_refused {
            bail!("a forged proof was not refused");
        }
        Ok(format!(
            "Height {}: {} nodes, {} contracts, {} in escrow, with a certificate and a proof of {} bytes.\nThe same proof with one bit changed is refused.",
            snapshot.block.height,
            totals.nodes,
            totals.contracts,
            totals.escrow,
            proof.to_bytes().len()
        ))
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if self.folder.exists() {
            let _ = self.clean_up();
        }
    }
}

/// Lets the owner remove a tree whose directories were stored without write permission.
fn make_removable(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let Ok(metadata) = fs::symlink_metadata(folder) else { return };
    if !metadata.is_dir() {
        return;
    }
    let mode = metadata.permissions().mode() | 0o700;
    let _ = fs::set_permissions(folder, fs::Permissions::from_mode(mode));
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.filter_map(Result::ok) {
        make_removable(&entry.path());
    }
}
