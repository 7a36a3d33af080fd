//! The life of a local grid: started, asked, broken on purpose, started again.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use common::{
    Grid, Kept, Output, Story, acre_at, administered, command, eventually, is_alive, keys, kill,
    list, metric, number, processes_of, text, tree,
};
use serde_json::Value;

/// Enough for `tiny` and a spare.
const NODES: u16 = 5;

#[test]
fn grid_is_started_asked_broken_and_started_again() {
    let grid = Grid::up(NODES);
    let mut story = Story::default();
    story.check("status_has_the_documented_shape", || status_has_the_documented_shape(&grid));
    story.check("every_node_is_a_process_of_its_own", || every_node_is_a_process_of_its_own(&grid));
    story.check("detached_grid_is_out_of_reach", || detached_grid_is_out_of_reach(&grid));
    story.check("lists_have_the_documented_shape", || lists_have_the_documented_shape(&grid));
    story.check("page_answers_its_own_host_only", || page_answers_its_own_host_only(&grid));
    story.check("second_up_is_refused", || second_up_is_refused(&grid));
    story.check("stopped_node_stays_stopped", || stopped_node_stays_stopped(&grid));
    story.check("killed_node_stays_dead", || killed_node_stays_dead(&grid));
    story.check("unknown_node_is_not_found", || unknown_node_is_not_found(&grid));
    story.check("farm_takes_in_a_node_by_token", || farm_takes_in_a_node_by_token(&grid));
    story.check("tokens_are_sent_once", || tokens_are_sent_once(&grid));
    story.check("processes_tell_their_figures", || processes_tell_their_figures(&grid));
    story.check("doctor_finds_nothing_bad", || doctor_finds_nothing_bad(&grid));
    story.check("grid_survives_down_and_up", || grid_survives_down_and_up(&grid));
    story.check("taken_port_keeps_nobody_out", || taken_port_keeps_nobody_out(&grid));
    story.check("killed_supervisor_takes_all_along", || killed_supervisor_takes_all_along(&grid));
    story.check("bills_and_proofs_recompute", || bills_and_proofs_recompute(&grid));
    story.check("killed_validator_shows_and_returns", || killed_validator_shows_and_returns(&grid));
    story.check("second_down_has_nothing_to_stop", || second_down_has_nothing_to_stop(&grid));
    story.end();
}

#[test]
fn one_of_two_ups_at_once_wins() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    let up = ["up", "--detach", "--nodes", "1"];
    let ups: Vec<Output> = std::thread::scope(|scope| {
        let started: Vec<_> = (0..2).map(|_| scope.spawn(|| acre_at(&home, &up))).collect();
        started.into_iter().map(|up| up.join().unwrap()).collect()
    });
    let running = acre_at(&home, &["status"]).code();
    let stopped = acre_at(&home, &["down"]).code();
    let mut codes: Vec<i32> = ups.iter().map(Output::code).collect();
    codes.sort_unstable();
    assert_eq!((codes.as_slice(), running, stopped), (&[0, 7][..], 0, 0), "{ups:#?}");
    assert!(processes_of(&home).is_empty());
}

fn status_has_the_documented_shape(grid: &Grid) {
    let status = grid.status();
    assert_eq!(status["ready"], true);
    assert!(text(&status, "dashboard").starts_with("http://127.0.0.1:"));
    assert!(keys(&status).contains(&"s3"), "{status}");
    assert!(status["s3"].is_null() || text(&status, "s3").starts_with("http://"));
    assert!(number(&status, "height") > 0);
    assert_eq!(list(&status, "nodes").len(), usize::from(NODES));
    for node in list(&status, "nodes") {
        assert_eq!(keys(node), ["country", "farm", "id", "pid", "site", "state"]);
        assert_eq!(text(node, "id").len(), 64);
        assert_eq!(text(node, "country").len(), 2);
        assert_eq!(text(node, "state"), "running");
        assert!(!text(node, "farm").is_empty() && !text(node, "site").is_empty());
    }
    let people = grid.words(&["status"]).exits(0).stdout;
    assert!(people.contains("5 of 5 nodes run") && people.contains("Gent, BE"), "{people}");
}

fn every_node_is_a_process_of_its_own(grid: &Grid) {
    let status = grid.status();
    let mut pids: Vec<u64> =
        list(&status, "nodes").iter().map(|node| number(node, "pid")).collect();
    pids.push(number(&status["validators"][0], "pid"));
    pids.push(number(&status, "supervisor_pid"));
    let mine = processes_of(&grid.home());
    for pid in &pids {
        assert!(mine.contains(&u32::try_from(*pid).unwrap()), "{pid} is not in {mine:?}");
    }
    pids.sort_unstable();
    pids.dedup();
    assert_eq!(pids.len(), usize::from(NODES) + 2);
    assert_eq!(mine.len(), pids.len() + 1, "and the gateway");
}

/// The process group of a process.
fn group(pid: u64) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, rest) = stat.rsplit_once(") ").unwrap();
    rest.split(' ').nth(2).unwrap().parse().unwrap()
}

/// Ctrl-C in the script that started it must not end a detached grid.
fn detached_grid_is_out_of_reach(grid: &Grid) {
    let mine = group(u64::from(std::process::id()));
    let status = grid.status();
    for pid in std::iter::once(&status["supervisor_pid"]).chain([&status["nodes"][0]["pid"]]) {
        assert_ne!(group(pid.as_u64().unwrap()), mine, "in the group of the one who started it");
    }
}

fn lists_have_the_documented_shape(grid: &Grid) {
    let info = grid.acre(&["ledger", "info"]).exits(0).json();
    assert_eq!(keys(&info), ["chain", "height", "state_root", "time", "validators"]);
    let validators = grid.acre(&["validator", "list"]).exits(0).json();
    let [validator] = list(&validators, "validators") else { panic!("{validators}") };
    assert_eq!(keys(validator), ["height", "id", "pid", "power", "state"]);
    assert_eq!(validator["pid"], grid.status()["validators"][0]["pid"]);
    let nodes = grid.acre(&["node", "list"]).exits(0).json();
    let mut listed: Vec<&str> = list(&nodes, "nodes").iter().map(|node| text(node, "id")).collect();
    let mut known = grid.node_ids();
    listed.sort_unstable();
    known.sort_unstable();
    assert_eq!(listed, known);
    grid.acre(&["ledger", "verify"]).exits(0);
}

/// Status code and body of `GET path`.
fn get(address: SocketAddr, path: &str, host: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

fn page_answers_its_own_host_only(grid: &Grid) {
    let status = grid.status();
    let host = text(&status, "dashboard").strip_prefix("http://").unwrap();
    let address: SocketAddr = host.parse().unwrap();
    let (code, page) = get(address, "/", host);
    assert_eq!(code, 200);
    assert!(page.contains("<html") && page.contains("Acre"), "{page}");
    let (code, facts) = get(address, "/api/status", host);
    assert_eq!(code, 200);
    let facts: Value = serde_json::from_str(&facts).unwrap();
    assert_eq!(list(&facts, "nodes").len(), usize::from(NODES));
    for foreign in ["evil.example", &format!("evil.example:{}", address.port()), ""] {
        for path in ["/", "/api/status"] {
            let (code, body) = get(address, path, foreign);
            assert_eq!(code, 403, "host '{foreign}': {body}");
        }
    }
}

fn second_up_is_refused(grid: &Grid) {
    let before = grid.status();
    for words in [&["up", "--detach", "--nodes", "5"][..], &["up", "--nodes", "7"]] {
        let error = grid.acre(words).exits(7).error();
        assert!(text(&error, "error").contains("already runs"), "{error}");
    }
    let after = grid.status();
    assert_eq!(after["nodes"], before["nodes"]);
    assert_eq!(after["supervisor_pid"], before["supervisor_pid"]);
}

fn stopped_node_stays_stopped(grid: &Grid) {
    let ids = grid.node_ids();
    let pid = u32::try_from(number(&grid.node(&ids[0]), "pid")).unwrap();
    grid.stop(&ids[..1]);
    assert!(!is_alive(pid), "a stopped node is gone when the command returns");
    let node = grid.node(&ids[0]);
    assert_eq!((text(&node, "state"), &node["pid"]), ("stopped", &Value::Null));
    // Stopping twice is no error, nor is starting another meanwhile.
    grid.stop(&ids[..1]);
    grid.start(&ids[1..2]);
    assert_eq!(text(&grid.node(&ids[0]), "state"), "stopped");
    // The beginning of an id is enough.
    grid.acre(&["node", "start", &ids[0][..12]]).exits(0);
    let node = grid.node(&ids[0]);
    assert_eq!(text(&node, "state"), "running");
    assert_ne!(number(&node, "pid"), u64::from(pid));
}

fn killed_node_stays_dead(grid: &Grid) {
    let ids = grid.node_ids();
    let pid = u32::try_from(number(&grid.node(&ids[1]), "pid")).unwrap();
    kill(pid);
    eventually("the supervisor notices", || {
        let node = grid.node(&ids[1]);
        (text(&node, "state") == "failed" && node["pid"].is_null()).then_some(())
    });
    let status = grid.status();
    assert_eq!(status["ready"], true, "a grid bears the loss of a node: {status}");
    // It had time to be started again while another was stopped and started.
    grid.stop(&ids[2..3]);
    grid.start(&ids[2..3]);
    assert_eq!(text(&grid.node(&ids[1]), "state"), "failed");
    grid.start(&ids[1..2]);
    let node = grid.node(&ids[1]);
    assert_eq!(text(&node, "state"), "running");
    assert!(is_alive(u32::try_from(number(&node, "pid")).unwrap()));
}

fn unknown_node_is_not_found(grid: &Grid) {
    for word in ["start", "stop", "show"] {
        grid.acre(&["node", word, &"0".repeat(64)]).exits(3).error();
        grid.acre(&["node", word, "no id at all"]).exits(3).error();
    }
}

fn farm_takes_in_a_node_by_token(grid: &Grid) {
    let farm = grid.acre(&["farm", "create", "a farm of tests"]).exits(0).json();
    let farm = number(&farm, "id").to_string();
    let token = grid.acre(&["farm", "token", &farm]).exits(0).json();
    std::fs::write(grid.path("token"), text(&token, "token")).unwrap();
    let home = grid.home();
    let (dir, token, home) = (grid.arg("guest"), grid.arg("token"), home.to_str().unwrap());
    let site = ["--site", "Testville", "--country", "BE", "--capacity", "1GiB"];
    let join = ["node", "join", "--dir", &dir, "--token-file", &token, "--grid", home];
    let join: Vec<&str> = join.into_iter().chain(site).collect();
    let joined = grid.acre(&join).exits(0).json();
    grid.acre(&join).exits(7).error();

    let mut run = command(&["node", "run", "--dir", &dir]);
    let mut guest = Kept(run.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    let ready: Value = serde_json::from_str(&guest.first_line()).unwrap();
    assert_eq!(ready["id"], joined["node"]);
    let shown = grid.acre(&["node", "show", text(&ready, "id")]).exits(0).json();
    assert_eq!(shown["site"], "Testville");
    assert_eq!(shown["farm"].to_string(), farm);
    assert_eq!(number(&shown, "capacity_bytes"), 1 << 30);
    // A node of a local grid is not the supervisor's to stop if it did not start it.
    grid.acre(&["node", "stop", text(&ready, "id")]).exits(3).error();

    std::fs::write(grid.path("token"), "00ff").unwrap();
    let dir = grid.arg("intruder");
    let join = ["node", "join", "--dir", &dir, "--token-file", &token, "--grid", home];
    let join: Vec<&str> = join.into_iter().chain(site).collect();
    grid.acre(&join).exits(4).error();
    assert!(!grid.path("intruder").exists(), "nothing is made for a false token");
}

fn tokens_are_sent_once(grid: &Grid) {
    let units = |report: &Value| number(report, "balance_units");
    let before = grid.acre(&["wallet", "balance"]).exits(0).json();
    let to = "07".repeat(32);
    let sent = grid.acre(&["wallet", "send", &to, "12.5"]).exits(0).json();
    // It is found with the block that it is in, as all that is read.
    let found = grid.acre(&["ledger", "tx", text(&sent, "tx")]).exits(0).json();
    assert_eq!((&found["id"], &found["height"]), (&sent["tx"], &sent["height"]));
    assert_eq!(found["from"], before["account"]);
    let block = grid.acre(&["ledger", "block", &found["height"].to_string()]).exits(0).json();
    assert_eq!((&block["id"], &block["time"]), (&found["block"], &found["time"]));
    let index = usize::try_from(number(&found, "index")).unwrap();
    assert_eq!(list(&block, "transactions")[index], sent["tx"]);
    grid.acre(&["ledger", "tx", &"0".repeat(64)]).exits(3).error();
    let after = grid.acre(&["wallet", "balance"]).exits(0).json();
    let spent = units(&before) - units(&after);
    assert!((125_000_000..126_000_000).contains(&spent), "12.5 TFT and a fee, not {spent}");
    let got = grid.acre(&["ledger", "get", "account", &to]).exits(0);
    assert!(got.stdout.contains("12.5 TFT"), "{}", got.stdout);
    grid.acre(&["wallet", "send", &to, "999999999"]).exits(8).error();
    grid.acre(&["wallet", "send", &to, "-1"]).exits(2);
    assert_eq!(grid.acre(&["wallet", "balance"]).exits(0).json()["balance"], after["balance"]);
}

/// Of one node and the validator: what each says of itself is what the ledger says of it.
fn processes_tell_their_figures(grid: &Grid) {
    let [node, validator] = ["nodes", "validators"].map(|kind| grid.dirs(kind).remove(0));
    for dir in [&node, &validator] {
        for path in ["/healthz", "/readyz"] {
            assert_eq!(administered(dir, path).0, 200, "{path} in {}", dir.display());
        }
        assert!(metric(dir, "acre_process_memory_bytes") > 1 << 20);
        assert!(metric(dir, "acre_process_open_files") > 0);
        let mode = std::fs::metadata(dir.join("admin.sock")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "nobody else asks");
    }
    assert_eq!(administered(&node, "/nothing").0, 404);
    let before = grid.acre(&["ledger", "info"]).exits(0).json();
    assert!(metric(&validator, "acre_chain_height") >= number(&before, "height"));
    let taken = metric(&validator, "acre_chain_submitted_total");
    grid.acre(&["wallet", "send", &"07".repeat(32), "1"]).exits(0);
    assert!(metric(&validator, "acre_chain_submitted_total") > taken);
    assert_eq!(
        (metric(&validator, "acre_chain_votes"), metric(&validator, "acre_chain_quorum")),
        (1, 1)
    );
    assert_eq!(metric(&node, "acre_node_shards"), 0, "nothing was stored yet");
    assert!(metric(&node, "acre_node_free_bytes") > 0);
    assert_eq!(metric(&node, "acre_node_workloads_declined_total"), 0);
    let epoch = grid.acre(&["ledger", "get", "epoch"]).exits(0).json();
    assert!(metric(&node, "acre_node_epoch") <= number(&epoch["object"], "number"));
}

fn doctor_finds_nothing_bad(grid: &Grid) {
    let report = grid.acre(&["doctor"]).exits(0).json();
    for check in list(&report, "checks") {
        assert_ne!(check["verdict"], "bad", "{report}");
    }
}

fn grid_survives_down_and_up(grid: &Grid) {
    let (before, balance) = (grid.status(), grid.acre(&["wallet", "balance"]).exits(0).json());
    grid.acre(&["down"]).exits(0);
    assert!(processes_of(&grid.home()).is_empty(), "down returns when all is down");
    let error = grid.acre(&["wallet", "balance"]).exits(5).error();
    assert!(text(&error, "try").contains("acre up"), "{error}");
    grid.acre(&["status"]).exits(5).error();
    let after = grid.up_again();
    let ids = |status: &Value| -> Vec<String> {
        list(status, "nodes").iter().map(|node| text(node, "id").to_owned()).collect()
    };
    assert_eq!(ids(&after), ids(&before));
    assert!(number(&after, "height") >= number(&before, "height"));
    let now = grid.acre(&["wallet", "balance"]).exits(0).json();
    assert_eq!(now["balance"], balance["balance"]);
}

/// Where the validator answers, by its settings.
fn rpc(grid: &Grid) -> SocketAddr {
    let file = grid.home().join("grid/validators/0/settings.json");
    let settings: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    text(&settings, "rpc").parse().unwrap()
}

fn taken_port_keeps_nobody_out(grid: &Grid) {
    let words = grid.acre(&["id", "words"]).exits(0).json();
    std::fs::write(grid.path("words"), text(&words, "words")).unwrap();
    let (friend, file, home) = (grid.path("friend"), grid.arg("words"), grid.home());
    let restore = ["id", "restore", "--words-file", &file, "--grid", home.to_str().unwrap()];
    acre_at(&friend, &restore).exits(0);

    grid.acre(&["down"]).exits(0);
    let address = rpc(grid);
    let squatter = TcpListener::bind(address).unwrap();
    grid.up_again();
    assert_ne!(rpc(grid), address);
    grid.acre(&["wallet", "balance"]).exits(0);
    grid.acre(&["ledger", "verify"]).exits(0);
    acre_at(&friend, &["wallet", "balance"]).exits(0);
    // Nodes find it too, or they would not be up to date and ready.
    let ids = grid.node_ids();
    grid.stop(&ids[..1]);
    grid.start(&ids[..1]);
    drop(squatter);
}

fn killed_supervisor_takes_all_along(grid: &Grid) {
    let source = grid.path("kept.bin");
    std::fs::write(&source, tree::noise(7, 600_000)).unwrap();
    let put = ["put", source.to_str().unwrap(), "--profile", "tiny", "--to", "/kept.bin"];
    grid.acre(&put).exits(0);
    let balance = grid.acre(&["wallet", "balance"]).exits(0).json();

    let supervisor = u32::try_from(number(&grid.status(), "supervisor_pid")).unwrap();
    kill(supervisor);
    eventually("all processes of the grid end", || {
        processes_of(&grid.home()).is_empty().then_some(())
    });
    grid.acre(&["status"]).exits(5).error();
    grid.up_again();
    let now = grid.acre(&["wallet", "balance"]).exits(0).json();
    assert_eq!(now["balance"], balance["balance"]);
    let copy = grid.arg("kept copy");
    grid.acre(&["get", "/kept.bin", &copy]).exits(0);
    tree::assert_same(&source, copy.as_ref());
}

fn bills_and_proofs_recompute(grid: &Grid) {
    let contracts = grid.acre(&["contract", "list"]).exits(0).json();
    let id = number(&list(&contracts, "contracts")[0], "id").to_string();
    let bill = grid.acre(&["contract", "bill", &id]).exits(0).json();
    assert_eq!(bill["exact"], true, "{bill}");
    assert!(!list(&bill, "lines").is_empty(), "{bill}");
    grid.acre(&["contract", "show", "999"]).exits(3).error();
    grid.acre(&["contract", "settle", "999"]).exits(3).error();
    // What stores data is not cancelled by the way, and grows in both directions.
    let unchanged = ["--with-data", "nothing was changed"];
    grid.acre(&["contract", "cancel", &id]).exits(2).says(&unchanged);
    let before = grid.acre(&["contract", "show", &id]).exits(0).json();
    assert_eq!(text(&before, "state"), "open");
    let extend = ["contract", "extend", &id, "--for", "1h", "--bytes", "1MiB"];
    let after = grid.acre(&extend).exits(0).json();
    assert_eq!(number(&after, "bytes"), number(&before, "bytes") + (1 << 20));
    assert_eq!(number(&after, "expires_ms"), number(&before, "expires_ms") + 3_600_000);

    let explained = grid.acre(&["farm", "explain", "1"]).exits(0).json();
    assert_eq!(list(&explained, "nodes").len(), 1, "{explained}");
    grid.acre(&["farm", "explain", "999"]).exits(3).error();

    let verified = grid.acre(&["ledger", "verify"]).exits(0).json();
    assert_eq!(verified["blocks"], verified["replayed"], "{verified}");

    // A proof is checked without the grid, and not believed with a byte changed.
    let file = grid.arg("contract.proof");
    grid.acre(&["proof", "export", "contract", &id, "-o", &file]).exits(0);
    grid.acre(&["proof", "export", "contract", &id, "-o", &file]).exits(7).error();
    let genesis = grid.home().join("grid/genesis");
    let elsewhere = grid.path("nobody");
    let verify = ["proof", "verify", &file, "--grid", genesis.to_str().unwrap()];
    let shown = acre_at(&elsewhere, &verify).exits(0).json();
    assert_eq!(shown["object"]["id"].to_string(), id, "{shown}");
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    acre_at(&elsewhere, &verify).exits(9).error();
}

fn killed_validator_shows_and_returns(grid: &Grid) {
    let balance = grid.acre(&["wallet", "balance"]).exits(0).json();
    kill(u32::try_from(number(&grid.status()["validators"][0], "pid")).unwrap());
    let status = eventually("status says that the ledger is gone", || {
        let status = grid.status();
        (status["ready"] == false).then_some(status)
    });
    assert!(status["height"].is_null(), "no height is known without a ledger: {status}");
    assert!(list(&status, "nodes").iter().all(|node| node["state"] == "running"), "{status}");
    grid.acre(&["wallet", "balance"]).exits(5).error();
    grid.acre(&["up", "--detach"]).exits(7).error();
    grid.acre(&["down"]).exits(0);
    grid.up_again();
    let now = grid.acre(&["wallet", "balance"]).exits(0).json();
    assert_eq!(now["balance"], balance["balance"]);
}

fn second_down_has_nothing_to_stop(grid: &Grid) {
    grid.acre(&["down"]).exits(0);
    let error = grid.acre(&["down"]).exits(5).error();
    assert!(text(&error, "error").contains("no grid runs"), "{error}");
    for words in [&["node", "stop", "00"][..], &["status"], &["ledger", "info"]] {
        grid.acre(words).exits(5).error();
    }
}
