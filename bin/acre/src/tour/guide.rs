//! Leads through the steps, and keeps what they showed for the report.

use std::path::Path;

use anyhow::bail;
use serde_json::{Map, Value};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::stage::Shown;
use super::titles;
use crate::cli;
use crate::exit::Outcome;
use crate::output::Output;

pub(super) struct Guide<'a> {
    out: &'a Output,
    pauses: bool,
    titles: Vec<String>,
    /// Steps that were begun.
    begun: usize,
    report: Map<String, Value>,
}

impl<'a> Guide<'a> {
    pub(super) fn new(options: &cli::Tour, out: &'a Output, source: &Path) -> Self {
        use std::io::IsTerminal;
        let is_watched = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
        let pauses = is_watched && !options.no_pause && !out.is_json();
        Self { out, pauses, titles: titles(source), begun: 0, report: Map::new() }
    }

    pub(super) const fn out(&self) -> &'a Output {
        self.out
    }

    pub(super) fn say(&self, text: &str) {
        if !self.out.is_json() {
            self.out.lines(text);
        }
    }

    /// A fact for the report.
    pub(super) fn note(&mut self, name: &str, fact: Value) {
        self.report.insert(name.to_owned(), fact);
    }

    /// What a step shows, and its facts for the report.
    pub(super) fn show(&mut self, name: &str, shown: Shown) {
        self.say(&shown.text);
        self.note(name, shown.facts);
    }

    /// The heading of the next step, after a pause for who reads along.
    pub(super) async fn step(&mut self) -> Outcome {
        let Some(title) = self.titles.get(self.begun) else {
            bail!("the tour has more steps than titles");
        };
        self.begun += 1;
        if self.pauses {
            eprint!("\n[Enter] ");
            // On a thread of its own, so that Ctrl-C is heard meanwhile.
            let read = || std::io::stdin().read_line(&mut String::new());
            tokio::task::spawn_blocking(read).await??;
        }
        self.say(&format!("\n{}/{}  {title}", self.begun, self.titles.len()));
        Ok(())
    }

    /// Insists that each step was there.
    pub(super) fn end(&self) -> Outcome {
        if self.begun != self.titles.len() {
            bail!("the tour ended after {} of {} steps", self.begun, self.titles.len());
        }
        Ok(())
    }

    /// All facts.
    pub(super) fn report(&mut self) -> Map<String, Value> {
        self.note("steps", self.begun.into());
        std::mem::take(&mut self.report)
    }
}

/// The signals that end a tour early: from its first moment on, so that none leaves a grid behind.
pub(super) struct Interrupt([Signal; 3]);

impl Interrupt {
    pub(super) fn listen() -> Outcome<Self> {
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        let [interrupt, terminate, hangup] = kinds.map(signal);
        Ok(Self([interrupt?, terminate?, hangup?]))
    }

    /// Completes when one came.
    pub(super) async fn came(&mut self) {
        let Self([interrupt, terminate, hangup]) = self;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}
