//! `acre up`, `acre down`, `acre status`.

use std::fs::File;
use std::io::{BufRead, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use acre_ledger::{GridKind, Parameters};
use anyhow::Context as _;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::bootstrap::{self, Plan};
use super::control::{self, Answer, GridStatus, Request};
use super::process;
use super::supervisor::listen;
use crate::asking::ledger_client;
use crate::cli;
use crate::command::node::MIN_CAPACITY;
use crate::context::{self, Context};
use crate::exit::{self, Code, Failure, Outcome};
use crate::home::Home;
use crate::output::Output;
use crate::setting;

/// Starts a grid and keeps it until it is told to stop.
pub(crate) async fn up(home: &Home, options: &cli::Up, out: &Output) -> Outcome {
    let done = keep(home, options, out).await;
    if options.supervisor
        && let Err(error) = &done
    {
        // Whoever started this waits for it, and the log may be on a full disk.
        let _ = writeln!(std::io::stdout().lock(), "{}", exit::as_json(error));
    }
    done
}

/// What would make a grid that never starts, found out before anything is made.
fn check(home: &Home, options: &cli::Up) -> Outcome {
    let wrong = |what: String| Failure::new(Code::Usage, what).state("nothing was made");
    if options.capacity < MIN_CAPACITY {
        let what = format!("--capacity {} is too little for a node", options.capacity);
        return Err(wrong(what).hint(format!("--capacity {MIN_CAPACITY} or more")).into());
    }
    if options.plots > options.capacity {
        let (plots, capacity) = (options.plots, options.capacity);
        let what = format!("--plots {plots} does not fit into the {capacity} of a node");
        return Err(wrong(what).hint(format!("--plots {capacity} or less")).into());
    }
    Context::may_belong(home, context::genesis_at(home.root()).ok().as_ref())
}

async fn keep(home: &Home, options: &cli::Up, out: &Output) -> Outcome {
    check(home, options)?;
    let _lock = lock(home)?;
    let begun = Instant::now();
    let epoch = options.epoch.map(|seconds| Duration::from_secs(seconds.into()));
    let mut usual = Parameters::local();
    if let Some(epoch) = epoch {
        bootstrap::set_epoch(&mut usual, epoch)?;
    }
    let (parameters, _) = setting::apply(&usual, &options.settings, GridKind::Local)?;
    let plan = Plan {
        nodes: usize::from(options.nodes),
        validators: usize::from(options.validators),
        capacity: options.capacity,
        parameters,
        plots: options.plots,
    };
    let say = |line: &str| out.note(&format!("{line} ({:.1} s)", begun.elapsed().as_secs_f64()));
    let (caller_gone, gone) = watch::channel(false);
    if options.supervised {
        tokio::spawn(async move {
            process::supervisor_gone().await;
            let _ = caller_gone.send(true);
        });
    }
    let mut supervisor = tokio::select! {
        supervisor = bootstrap::start(home, plan, &say) => supervisor?,
        // What was started so far ends with this process.
        () = caller_left(gone.clone()) => return Ok(()),
    };
    if let Some(epoch) = epoch {
        let kept = Context::of_home(home)?.genesis.parameters.capacity.epoch_ms;
        if u128::from(kept) != epoch.as_millis() {
            say(&format!("this grid was made with epochs of {} s, and keeps them", kept / 1000));
        }
    }
    // Before anybody is told that the grid is ready.
    let requests = listen(&home.grid())?;
    let status = supervisor.status();
    let height = height(home).await;
    let report = report(&status, height);
    out.data(&report, || summary(&status, home, begun.elapsed().as_secs_f64()));
    if options.supervisor {
        // Whoever started this has read the line above and waits for its end.
        out.close();
    }
    supervisor.serve(requests, caller_left(gone)).await?;
    out.note("the grid has stopped; what it stores stays");
    Ok(())
}

/// Completes when the process that this one was started for has ended; never if there is none.
async fn caller_left(mut gone: watch::Receiver<bool>) {
    if gone.wait_for(|gone| *gone).await.is_err() {
        std::future::pending().await
    }
}

fn lock(home: &Home) -> Outcome<File> {
    let grid = home.grid();
    std::fs::create_dir_all(&grid).with_context(|| grid.display().to_string())?;
    let path = grid.join("lock");
    let file = File::create(&path).with_context(|| path.display().to_string())?;
    flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
        Failure::new(Code::Conflict, format!("a grid already runs in {}", grid.display()))
            .state("it goes on as before")
            .hint("acre status, acre down, or acre up --home DIR for a second grid")
    })?;
    Ok(file)
}

/// `acre up --detach`.
pub(crate) fn detach(home: &Home, options: &cli::Up, out: &Output) -> Outcome {
    let report = start_detached(home, options, out)?;
    out.data(&report, || ready_line(&report, home));
    Ok(())
}

/// Starts `acre up` as a process of its own and returns its status when the grid is ready.
pub(crate) fn start_detached(home: &Home, options: &cli::Up, out: &Output) -> Outcome<Value> {
    check(home, options)?;
    let mut child = launch(home, options)?;
    out.note("starting a grid; the first time takes some seconds");
    let report = ready(home, &mut child)?;
    let has = report["validators"].as_array().map_or(0, Vec::len);
    if usize::from(options.validators) > has {
        out.note(&format!("this grid was made with {has} validators, and keeps them"));
    }
    Ok(report)
}

/// Starts `acre up` as a process of its own. With `supervised`, the grid ends when the child's
/// standard input is closed, hence with this process at the latest.
pub(crate) fn launch(home: &Home, options: &cli::Up) -> Outcome<Child> {
    let grid = home.grid();
    // Found out here, where there is somebody to tell.
    drop(lock(home)?);
    let log = std::fs::OpenOptions::new().create(true).append(true).open(grid.join("log"))?;
    let mut command = Command::new(process::EXECUTABLE);
    let stdin = if options.supervised { Stdio::piped() } else { Stdio::null() };
    command
        .arg0(process::name()?)
        .args(["up", "--json", "--supervisor", "--home"])
        .arg(home.root())
        .args(["--nodes", &options.nodes.to_string()])
        .args(["--validators", &options.validators.to_string()])
        .args(["--capacity", &options.capacity.0.to_string()])
        .args(["--plots", &options.plots.0.to_string()])
        .args(options.epoch.iter().map(|seconds| format!("--epoch={seconds}")))
        .args(options.settings.iter().map(|setting| format!("--set={setting}")))
        .args(options.supervised.then_some("--supervised"))
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(log)
        // Ctrl-C for whoever called must not reach the grid that was left behind.
        .process_group(0);
    Ok(command.spawn()?)
}

/// Waits until a grid that was launched is ready, and returns its status.
pub(crate) fn ready(home: &Home, child: &mut Child) -> Outcome<Value> {
    let grid = home.grid();
    let stdout = child.stdout.take().context("standard output was piped")?;
    let mut text = String::new();
    for line in BufReader::new(stdout).lines() {
        text.push_str(&line?);
        text.push('\n');
        if let Ok(report) = serde_json::from_str::<Value>(&text) {
            return match exit::of_json(&report) {
                Some(failure) => {
                    // Its home is free for the next try when it has ended.
                    child.wait()?;
                    Err(failure.into())
                }
                None => Ok(report),
            };
        }
    }
    let status = child.wait()?;
    let what = format!("the grid did not start ({status})");
    let tail = std::fs::read_to_string(grid.join("log")).unwrap_or_default();
    let last = tail.lines().rev().take(6).collect::<Vec<_>>();
    let last = last.into_iter().rev().collect::<Vec<_>>().join("\n    ");
    let code = status.code().and_then(Code::of_number).unwrap_or(Code::Failed);
    Err(Failure::new(code, format!("{what}; its log ends with:\n    {last}"))
        .hint(format!("less {}", grid.join("log").display()))
        .into())
}

fn ready_line(report: &Value, home: &Home) -> String {
    let nodes = report["nodes"].as_array().map_or(0, Vec::len);
    let dashboard = report["dashboard"].as_str().unwrap_or("no page");
    format!("{nodes} nodes are ready. Status page: {dashboard}\n{}", advice(home))
}

/// The words that the other commands need to find this grid.
fn advice(home: &Home) -> String {
    let option = match Home::find(None) {
        Ok(default) if default.root() == home.root() => String::new(),
        _ => format!(" --home {}", home.root().display()),
    };
    format!(
        "  acre put{option} FILE    store something\n  acre tour{option}        the guided five minutes\n  acre down{option}        stop the grid"
    )
}

fn summary(status: &GridStatus, home: &Home, seconds: f64) -> String {
    let countries: std::collections::BTreeSet<_> =
        status.nodes.iter().filter_map(|node| node.country.as_deref()).collect();
    let dashboard = status.dashboard.as_deref().unwrap_or("no page");
    format!(
        "A grid of {} nodes in {} countries is ready after {seconds:.1} s. Status page: {dashboard}\n\
         Its data and test tokens are for this machine only: {}\n{}\n\
         Ctrl-C stops it.",
        status.nodes.len(),
        countries.len(),
        home.root().display(),
        advice(home),
    )
}

/// How long the supervisor may take to end after it has stopped everything.
const GONE: Timespec = Timespec { tv_sec: 10, tv_nsec: 0 };

/// `acre down`.
pub(crate) fn down(home: &Home, out: &Output) -> Outcome {
    let supervisor = processes(home)?.supervisor_pid;
    let gone = i32::try_from(supervisor).ok().and_then(Pid::from_raw);
    let gone = gone.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
    match control::ask(&home.grid(), &Request::Down)? {
        Answer::Done => {
            if let Some(gone) = gone {
                // The home is free for the next grid when its process has really ended.
                let _ = poll(&mut [PollFd::new(&gone, PollFlags::IN)], Some(&GONE));
            }
            out.data(&json!({ "stopped": true }), || {
                "The grid has stopped; what it stores stays.".to_owned()
            });
            Ok(())
        }
        answer => Err(unexpected(&answer)),
    }
}

fn unexpected(answer: &Answer) -> anyhow::Error {
    match answer {
        Answer::Failed(why) => Failure::new(Code::Failed, why).into(),
        Answer::NotFound(why) => Failure::new(Code::NotFound, why).hint("acre status").into(),
        other => Failure::new(Code::Failed, format!("the grid said {other:?}")).into(),
    }
}

/// `acre node stop|start`, `acre validator stop|start`.
pub(crate) fn switch(home: &Home, request: &Request, out: &Output) -> Outcome {
    match control::ask(&home.grid(), request)? {
        Answer::Done => {
            let (kind, id, state) = match request {
                Request::Stop { kind, id } => (kind, id, "stopped"),
                Request::Start { kind, id } => (kind, id, "running"),
                Request::Status | Request::Down => return Ok(()),
            };
            out.data(&json!({ "id": id, "state": state }), || {
                format!("{} {id} is {state}", kind.name())
            });
            Ok(())
        }
        answer => Err(unexpected(&answer)),
    }
}

/// What the supervisor says of its processes.
pub(crate) fn processes(home: &Home) -> Outcome<GridStatus> {
    match control::ask(&home.grid(), &Request::Status)? {
        Answer::Status(status) => Ok(status),
        answer => Err(unexpected(&answer)),
    }
}

/// `acre status`.
pub(crate) async fn status(home: &Home, out: &Output) -> Outcome {
    let status = processes(home)?;
    let height = height(home).await;
    out.data(&report(&status, height), || table(&status, height));
    Ok(())
}

/// The newest certified height, if a validator answers.
async fn height(home: &Home) -> Option<u64> {
    let context = Context::of_home(home).ok()?;
    let ledger = ledger_client(&context).await.ok()?;
    ledger.totals().await.ok()?;
    Some(ledger.seen().0)
}

fn report(status: &GridStatus, height: Option<u64>) -> Value {
    json!({
        "ready": status.ready && height.is_some(),
        "dashboard": status.dashboard,
        "s3": null,
        "nodes": status.nodes,
        "validators": status.validators,
        "validators_quorum": control::quorum(status.validators.len()),
        "height": height,
        "supervisor_pid": status.supervisor_pid,
    })
}

/// What the loss of validators means, if any are lost.
fn votes(status: &GridStatus) -> Option<String> {
    let all = status.validators.len();
    let running = status.validators.iter().filter(|one| one.state == "running").count();
    let quorum = control::quorum(all);
    (running < all).then(|| {
        let says = format!("{running} of {all} validators run");
        if running < quorum {
            format!("{says}: no quorum, so nothing is committed until {quorum} run; what was committed stays")
        } else {
            format!("{says}: commits go on, {} more may be lost", running - quorum)
        }
    })
}

fn table(status: &GridStatus, height: Option<u64>) -> String {
    let mut lines = Vec::new();
    let running = status.nodes.iter().filter(|node| node.state == "running").count();
    lines.push(match height {
        Some(height) => {
            format!("ledger at height {height}, {running} of {} nodes run", status.nodes.len())
        }
        None => "the ledger does not answer".to_owned(),
    });
    if let Some(line) = votes(status) {
        lines.push(line);
    }
    lines.push(match &status.dashboard {
        Some(dashboard) => format!("status page {dashboard}"),
        None => "the process of the status page has ended: acre down, then acre up".to_owned(),
    });
    if status.validators.len() > 1 {
        lines.push(format!("{:<10} {:<8} {:>8}", "VALIDATOR", "STATE", "PID"));
        lines.extend(status.validators.iter().map(|validator| {
            let pid = validator.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string());
            let id = validator.id.get(..8).unwrap_or(&validator.id);
            format!("{id:<10} {:<8} {pid:>8}", validator.state)
        }));
    }
    lines.push(format!("{:<10} {:<8} {:>8}  {:<14} {}", "NODE", "STATE", "PID", "SITE", "FARM"));
    for node in &status.nodes {
        let pid = node.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string());
        let site = format!(
            "{}, {}",
            node.site.as_deref().unwrap_or("?"),
            node.country.as_deref().unwrap_or("?")
        );
        let farm = node.farm.as_deref().unwrap_or("?");
        let id = node.id.get(..8).unwrap_or(&node.id);
        lines.push(format!("{id:<10} {:<8} {pid:>8}  {site:<14} {farm}", node.state));
    }
    lines.join("\n")
}
