//! `acre doctor`: one line for each thing that could be wrong, with what to do.

use std::io::Write;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use acre_erasure::Kernel;
use acre_types::UnixMs;
use serde_json::{Value, json};

use crate::asking::reader;
use crate::exit::{Code, Failure, Outcome};
use crate::grid::up;
use crate::home::Home;
use crate::output::Output;

/// What validators bear of each other.
const CLOCK_BEHIND_MS_MAX: u64 = 5000;

/// How one look ended.
struct Finding {
    name: &'static str,
    verdict: Verdict,
    text: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Good,
    Note,
    Bad,
}

pub(crate) async fn run(home: &Home, out: &Output) -> Outcome {
    let findings = [
        identity(home),
        space(home),
        sync_speed(home),
        open_files(),
        kernel(),
        grid(home),
        ledger(home).await,
        clock(home).await,
    ];
    let word = |verdict| match verdict {
        Verdict::Good => "ok",
        Verdict::Note => "note",
        Verdict::Bad => "bad",
    };
    let values: Vec<Value> = (findings.iter())
        .map(|f| json!({ "check": f.name, "verdict": word(f.verdict), "text": f.text }))
        .collect();
    out.data(&json!({ "checks": values }), || {
        let line = |f: &Finding| format!("{:<5} {:<10} {}", word(f.verdict), f.name, f.text);
        findings.iter().map(line).collect::<Vec<_>>().join("\n")
    });
    let bad = findings.iter().filter(|finding| finding.verdict == Verdict::Bad).count();
    if bad > 0 {
        return Err(Failure::new(Code::Failed, format!("{bad} checks failed")).into());
    }
    Ok(())
}

fn identity(home: &Home) -> Finding {
    let name = "identity";
    if !home.has_identity() {
        let text = "none yet; acre up or acre id new makes one".to_owned();
        return Finding { name, verdict: Verdict::Note, text };
    }
    match home.phrase() {
        Ok(_) => Finding {
            name,
            verdict: Verdict::Good,
            text: format!("24 words in {}, for your eyes only", home.root().display()),
        },
        Err(error) => {
            Finding { name, verdict: Verdict::Bad, text: error.to_string().replace('\n', ";") }
        }
    }
}

/// The home, or the nearest folder above it that exists.
fn existing(home: &Home) -> std::path::PathBuf {
    let exists = home.root().ancestors().find(|folder| folder.exists());
    exists.unwrap_or(home.root()).to_path_buf()
}

fn space(home: &Home) -> Finding {
    let name = "space";
    match rustix::fs::statvfs(existing(home)) {
        Ok(stat) => {
            let free = acre_types::Bytes(stat.f_bavail.saturating_mul(stat.f_frsize));
            let verdict = if free.0 < 1 << 30 { Verdict::Bad } else { Verdict::Good };
            Finding { name, verdict, text: format!("{free} free where the home lies") }
        }
        Err(error) => Finding { name, verdict: Verdict::Bad, text: error.to_string() },
    }
}

fn sync_speed(home: &Home) -> Finding {
    let name = "sync";
    let file = existing(home).join(format!(".acre-doctor-{}", std::process::id()));
    let time = || -> std::io::Result<f64> {
        let mut probe = std::fs::File::create(&file)?;
        probe.write_all(&[0; 65_536])?;
        let begun = Instant::now();
        probe.sync_data()?;
        Ok(begun.elapsed().as_secs_f64() * 1000.0)
    };
    let timed = time();
    let _ = std::fs::remove_file(&file);
    match timed {
        Ok(ms) => {
            let verdict = if ms > 500.0 { Verdict::Note } else { Verdict::Good };
            Finding { name, verdict, text: format!("64 KiB are on the disk after {ms:.1} ms") }
        }
        Err(error) => Finding {
            name,
            verdict: Verdict::Bad,
            text: format!("{} cannot be written: {error}", file.display()),
        },
    }
}

fn open_files() -> Finding {
    let name = "files";
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let enough = limit.is_none_or(|limit| limit >= 1024);
    let shown = limit.map_or_else(|| "no limit".to_owned(), |limit| limit.to_string());
    Finding {
        name,
        verdict: if enough { Verdict::Good } else { Verdict::Bad },
        text: format!("{shown} files may be open at once; ulimit -n raises it"),
    }
}

fn kernel() -> Finding {
    let kernel = Kernel::best();
    let verdict = if kernel == Kernel::Scalar { Verdict::Note } else { Verdict::Good };
    Finding { name: "processor", verdict, text: format!("erasure coding by {kernel}") }
}

fn grid(home: &Home) -> Finding {
    let name = "grid";
    match up::processes(home) {
        Ok(grid) => {
            let running = grid.nodes.iter().filter(|node| node.state == "running").count();
            let all = grid.nodes.len();
            let verdict = if running == all { Verdict::Good } else { Verdict::Note };
            let text = format!("{running} of {all} local nodes run; acre node start ID starts one");
            Finding { name, verdict, text }
        }
        Err(_) => {
            let is_elsewhere = !home.grid().exists() && home.context().join("genesis").exists();
            let text = if is_elsewhere {
                "this home's grid runs elsewhere".to_owned()
            } else {
                "no local grid runs here; acre up starts one".to_owned()
            };
            Finding { name, verdict: Verdict::Note, text }
        }
    }
}

/// A clock that stands before the newest block is wrong; of one that is ahead nobody here can tell,
/// as a grid may have been idle.
async fn clock(home: &Home) -> Finding {
    let name = "clock";
    let here = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let here = UnixMs(u64::try_from(here.as_millis()).unwrap_or(u64::MAX));
    let block = match reader(home).await {
        Ok(ledger) => ledger.info().await.ok().and_then(|(_, last)| Some(last?.time)),
        Err(_) => None,
    };
    let behind = block.map_or(0, |block| block.0.saturating_sub(here.0));
    if behind > CLOCK_BEHIND_MS_MAX {
        let text = format!(
            "{here}, {} s behind the newest block: set it, or validators and nodes refuse this one",
            behind / 1000
        );
        return Finding { name, verdict: Verdict::Bad, text };
    }
    Finding { name, verdict: Verdict::Good, text: here.to_string() }
}

async fn ledger(home: &Home) -> Finding {
    let name = "ledger";
    let ledger = match reader(home).await {
        Ok(ledger) => ledger,
        Err(_) => {
            let text = "this home belongs to no grid yet".to_owned();
            return Finding { name, verdict: Verdict::Note, text };
        }
    };
    let begun = Instant::now();
    match ledger.totals().await {
        Ok(_) => {
            let ms = begun.elapsed().as_secs_f64() * 1000.0;
            let text = format!("height {} proven in {ms:.0} ms", ledger.seen());
            Finding { name, verdict: Verdict::Good, text }
        }
        Err(error) => {
            let text = format!("{error}; acre status, acre validator list");
            Finding { name, verdict: Verdict::Bad, text }
        }
    }
}
