//! `acre tour`: the guided five minutes, on a real directory, with real processes that are really
//! killed. It is also an integration test: any step that does not hold ends it with an error.

mod compare;
mod guide;
mod stage;

use std::path::{Path, PathBuf};
use std::time::Instant;

use acre_types::Bytes;
use serde_json::{Map, Value, json};

use crate::cli;
use crate::exit::{Code, Failure, Outcome};
use crate::home::Home;
use crate::output::Output;
use guide::{Guide, Interrupt};
use stage::{NODES, PROCESSES, Stage, VALIDATORS};

/// What is stored if nobody says what: everybody's machine has one of these.
const DIRECTORIES: [&str; 4] =
    ["/usr/share/doc", "/usr/share/common-licenses", "/usr/share/man", "/usr/share/perl5"];

pub(crate) async fn run(home: &Home, options: &cli::Tour, out: &Output) -> Outcome {
    let source = source(options)?;
    let mut interrupt = Interrupt::listen()?;
    let mut guide = Guide::new(options, out, &source);
    guide.say(&format!(
        "Acre in five minutes. You will store {} on a grid of {NODES} machines, lose some of them,\n\
         and lose this computer. You will see who earns, who pays, and how a liar is caught.\n\
         All of it is real: {PROCESSES} processes, keys and disks of their own.\n\
         It runs in a directory of its own, which is removed at the end.",
        source.display()
    ));
    let begun = Instant::now();
    let mut stage = Stage::new(home)?;
    let walked = tokio::select! {
        walked = walk(&mut stage, &source, &mut guide) => walked,
        () = interrupt.came() => {
            Err(Failure::new(Code::Interrupted, "the tour was interrupted").into())
        }
    };
    let cleaned = stage.clean_up();
    let mut report = walked?;
    cleaned?;
    guide.end()?;
    guide.say("\nThe grid has stopped and its directory is gone. A grid of your own: acre up");
    report.insert("source".to_owned(), json!(source));
    report.insert("processes".to_owned(), json!(PROCESSES));
    report.insert("seconds".to_owned(), json!(begun.elapsed().as_secs_f64()));
    report.insert("passed".to_owned(), json!(true));
    if out.is_json() {
        out.data(&Value::Object(report), String::new);
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

/// The steps, in order; the guide counts them.
fn titles(source: &Path) -> Vec<String> {
    let source = source.display();
    vec![
        format!("A whole grid starts: {VALIDATORS} validators, {NODES} nodes and a gateway"),
        "A farmer joins: a stranger, with words and a machine of her own".to_owned(),
        format!("Store {source}"),
        "Where the shards of one pack lie".to_owned(),
        "Kill four of these nodes (kill -9, as a power cut would)".to_owned(),
        "Read everything back while they are dead, and compare".to_owned(),
        "Repair: the lost shards are made again, on other machines".to_owned(),
        "Now kill five more: one more than the profile bears".to_owned(),
        "Start them again: nothing was lost".to_owned(),
        "Lose this computer: an empty home, and nothing but the 24 words".to_owned(),
        "The bill: every line computed again".to_owned(),
        "The farmer earns: what strangers saw of her machine becomes tokens".to_owned(),
        "A validator dies, and a payment goes through all the same".to_owned(),
        "A reader is lied to, and notices".to_owned(),
        "Trust nobody: the whole ledger is checked, not believed".to_owned(),
    ]
}

async fn walk(
    stage: &mut Stage,
    source: &Path,
    guide: &mut Guide<'_>,
) -> Outcome<Map<String, Value>> {
    guide.step().await?;
    let started = stage.start().await?;
    guide.show("grid", started);

    guide.step().await?;
    let joined = stage.farmer_joins().await?;
    guide.say(&joined);

    store_and_lose(stage, source, guide).await?;

    guide.step().await?;
    guide.show("bill", stage.bill().await?);

    guide.step().await?;
    guide.show("farmer", stage.farmer_earns().await?);

    guide.step().await?;
    guide.show("validator", stage.validator_dies().await?);

    guide.step().await?;
    guide.show("liar", stage.liar().await?);

    guide.step().await?;
    guide.show("ledger", stage.check_ledger().await?);
    Ok(guide.report())
}

/// From the first file stored to the words alone.
async fn store_and_lose(stage: &mut Stage, source: &Path, guide: &mut Guide<'_>) -> Outcome {
    guide.step().await?;
    guide.say(&stage.put(source, guide.out()).await?);

    guide.step().await?;
    guide.say(&stage.explain().await?);

    guide.step().await?;
    guide.say(&stage.kill_holders(4).await?);

    guide.step().await?;
    let seen = stage.get_and_compare("copy", source).await?;
    guide.note("files", json!(seen.files));
    guide.note("bytes", json!(seen.bytes));
    guide.say(&format!(
        "{} files, {} read back: every byte, name, time and permission is the same.",
        seen.files,
        Bytes(seen.bytes)
    ));

    guide.step().await?;
    guide.say(&stage.repair().await?);
    guide.say(&stage.explain().await?);

    guide.step().await?;
    guide.say(&stage.kill_holders(5).await?);
    guide.say(&stage.refused_get("too-few").await?);

    guide.step().await?;
    guide.say(&stage.start_all().await?);
    stage.get_and_compare("again", source).await?;
    guide.say("Read back and compared: the same.");

    guide.step().await?;
    guide.say(&stage.recover(source).await?);
    Ok(())
}
