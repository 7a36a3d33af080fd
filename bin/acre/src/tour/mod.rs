//! `acre tour`: the guided five minutes, on a real directory, with real processes that are really
//! killed. It is also an integration test: any step that does not hold ends it with an error.

mod compare;
mod stage;

use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::json;

use crate::cli;
use crate::exit::{Code, Failure, Outcome};
use crate::home::Home;
use crate::output::Output;
use stage::Stage;

/// What is stored if nobody says what: everybody's machine has one of these.
const DIRECTORIES: [&str; 4] =
    ["/usr/share/doc", "/usr/share/common-licenses", "/usr/share/man", "/usr/share/perl5"];

pub(crate) async fn run(home: &Home, options: &cli::Tour, out: &Output) -> Outcome {
    let source = source(options)?;
    let guide = Guide::new(options, out);
    guide.say(&format!(
        "Acre in five minutes. You will store {} on a grid of 24 machines, lose some of them,\n\
         and lose this computer. All of it is real: 26 processes, keys and disks of their own.\n\
         It runs in a directory of its own, which is removed at the end.",
        source.display()
    ));
    let begun = Instant::now();
    let mut stage = Stage::new(home)?;
    let walked = tokio::select! {
        walked = walk(&mut stage, &source, &guide) => walked,
        _ = tokio::signal::ctrl_c() => {
            Err(Failure::new(Code::Interrupted, "the tour was interrupted").into())
        }
    };
    let cleaned = stage.clean_up();
    let seen = walked?;
    cleaned?;
    guide.say("\nThe grid has stopped and its directory is gone. A grid of your own: acre up");
    let seconds = begun.elapsed().as_secs_f64();
    if out.is_json() {
        let report = json!({
            "source": source, "files": seen.files, "bytes": seen.bytes, "seconds": seconds,
            "passed": true,
        });
        out.data(&report, String::new);
    }
    Ok(())
}

fn source(options: &cli::Tour) -> Outcome<PathBuf> {
    if let Some(directory) = &options.directory {
        if !directory.is_dir() {
            let what = format!("{} is not a directory", directory.display());
            return Err(Failure::new(Code::NotFound, what).into());
        }
        return Ok(std::fs::canonicalize(directory)?);
    }
    let is_filled = |path: &&Path| std::fs::read_dir(path).is_ok_and(|mut d| d.next().is_some());
    DIRECTORIES.iter().map(Path::new).find(is_filled).map(Path::to_path_buf).ok_or_else(|| {
        Failure::new(Code::NotFound, "no documentation directory was found here")
            .hint("acre tour DIRECTORY")
            .into()
    })
}

/// Leads through the steps.
pub(crate) struct Guide<'a> {
    out: &'a Output,
    pauses: bool,
}

impl<'a> Guide<'a> {
    fn new(options: &cli::Tour, out: &'a Output) -> Self {
        use std::io::IsTerminal;
        let is_watched = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
        Self { out, pauses: is_watched && !options.no_pause && !out.is_json() }
    }

    fn say(&self, text: &str) {
        if !self.out.is_json() {
            self.out.lines(text);
        }
    }

    /// A heading, after a pause for who reads along.
    fn step(&self, number: u8, title: &str) {
        if self.pauses {
            eprint!("\n[Enter] ");
            let mut line = String::new();
            let _ = std::io::stdin().read_line(&mut line);
        }
        self.say(&format!("\n{number}/10  {title}"));
    }
}

async fn walk(stage: &mut Stage, source: &Path, guide: &Guide<'_>) -> Outcome<compare::Counts> {
    guide.step(1, "A whole grid starts: a validator, 24 nodes and a gateway");
    guide.say(&stage.start()?);

    guide.step(2, &format!("Store {}", source.display()));
    guide.say(&stage.put(source, guide.out).await?);

    guide.step(3, "Where the shards of one pack lie");
    guide.say(&stage.explain().await?);

    guide.step(4, "Kill four of these nodes (kill -9, as a power cut would)");
    guide.say(&stage.kill_holders(4).await?);

    guide.step(5, "Read everything back while they are dead, and compare");
    let seen = stage.get_and_compare("copy", source).await?;
    guide.say(&format!(
        "{} files, {} read back: every byte, name, time and permission is the same.",
        seen.files,
        acre_types::Bytes(seen.bytes)
    ));

    guide.step(6, "Repair: the lost shards are made again, on other machines");
    guide.say(&stage.repair().await?);
    guide.say(&stage.explain().await?);

    guide.step(7, "Now kill five more: one more than the profile bears");
    guide.say(&stage.kill_holders(5).await?);
    guide.say(&stage.refused_get("too-few").await?);

    guide.step(8, "Start them again: nothing was lost");
    guide.say(&stage.start_all()?);
    stage.get_and_compare("again", source).await?;
    guide.say("Read back and compared: the same.");

    guide.step(9, "Lose this computer: an empty home, and nothing but the 24 words");
    guide.say(&stage.recover(source).await?);

    guide.step(10, "Trust nobody: the ledger is checked, not believed");
    guide.say(&stage.verify_ledger().await?);
    Ok(seen)
}
