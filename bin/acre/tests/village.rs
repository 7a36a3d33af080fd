//! A grid of one's own as a village would make it: everybody has a directory and a process of his own,
//! and nobody hands out a key. And that grids do not mix.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{Kept, Output, Story, acre, acre_at, command, eventually, finish, free_address};
use common::{free_ports, list, number, text};
use serde_json::Value;
use tempfile::TempDir;

/// Three houses: a pack of profile `tiny` needs as many.
const HOUSES: usize = 3;

#[test]
fn village_makes_a_grid_of_its_own() {
    let mut village = Village::new();
    let mut story = Story::default();
    story.check("validators start from one genesis", || validators_start(&mut village));
    story.check("every house brings a node", || houses_bring_nodes(&mut village));
    story.check("what is put comes back", || what_is_put_comes_back(&village));
    story.check("one validator may be lost", || one_validator_may_be_lost(&mut village));
    story.check("a stranger is let in by vote", || stranger_is_let_in_by_vote(&village));
    story.check("a reader of another grid is refused", || reader_of_another_grid(&village));
    story.check("a token of another grid is refused", || token_of_another_grid(&village));
    story.check("a node of another grid is refused", || node_of_another_grid(&mut village));
    story.check("a validator keeps to its grid", || validator_keeps_to_its_grid(&mut village));
    story.check("a proof of another grid is none", || proof_of_another_grid(&village));
    story.end();
}

/// The words of `docs/GRID.md`, run as they stand there but for the ports.
#[test]
fn document_can_be_copied_and_pasted() {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/GRID.md");
    let document = fs::read_to_string(document).unwrap();
    let (_, script) = document.split_once("```sh\n").unwrap();
    let (script, _) = script.split_once("```\n").unwrap();
    assert!(script.contains("PORT=7100"), "the port to replace");
    let script = script.replace("PORT=7100", &format!("PORT={}", free_ports(10)));
    // All it started ends with it.
    let script = format!("set -e\ntrap 'kill $(jobs -p)' EXIT\n{script}");
    let folder = tempfile::tempdir().unwrap();
    let program = Path::new(common::ACRE).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    // Whatever hangs is ended with all that it started.
    let mut bash = std::process::Command::new("timeout");
    bash.args(["150", "bash", "-c", &script]).current_dir(folder.path()).env("PATH", path);
    bash.env_remove("ACRE_HOME").env_remove("ACRE_LOG").stdin(std::process::Stdio::null());
    finish(bash).exits(0);
    let copy = fs::read_to_string(folder.path().join("village/copy")).unwrap();
    assert_eq!(copy, "Minutes of the first meeting\n");
}

struct Village {
    folder: TempDir,
    /// What each validator's owner gave the founder.
    lines: Vec<String>,
    accounts: Vec<String>,
    validators: Vec<Option<Kept>>,
    nodes: Vec<Option<Kept>>,
}

impl Village {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let lines = (0..4).map(|number| {
            let dir = folder.path().join(format!("validator-{number}"));
            let (rpc, engine) = (free_address(), free_address());
            let new = ["validator", "new", "--dir", dir.to_str().unwrap(), "--rpc", &rpc];
            let made = acre(&[&new[..], &["--engine", &engine]].concat()).exits(0);
            made.stdout.trim().to_owned()
        });
        let lines = lines.collect();
        let accounts = (0..HOUSES).map(|number| {
            let home = folder.path().join(format!("house-{number}"));
            let shown = acre_at(&home, &["id", "new"]).exits(0).json();
            text(&shown, "account").to_owned()
        });
        let accounts = accounts.collect();
        let village = Self { folder, lines, accounts, validators: Vec::new(), nodes: Vec::new() };
        village.genesis("genesis", "Our village");
        village.genesis("other", "The next village");
        village
    }

    /// Writes a genesis of the same validators and people under another name.
    fn genesis(&self, file: &str, name: &str) {
        let mut words: Vec<String> =
            ["grid", "new", name, "--kind", "test", "-o"].map(str::to_owned).to_vec();
        words.push(self.arg(file));
        words.extend(["--foundation".to_owned(), self.accounts[0].clone()]);
        words.extend(["--accounts", "vote", "--farms", "vote"].map(str::to_owned));
        words.extend(self.lines.iter().map(|line| format!("--validator={line}")));
        for account in &self.accounts {
            words.push(format!("--admit={account}"));
            words.push(format!("--grant={account}=100000"));
        }
        words.extend(
            ["governance.voting_ms=2s", "governance.lock_ms=1s"].map(|it| format!("--set={it}")),
        );
        acre(&words).exits(0);
        // The same file is not written over.
        acre(&words).exits(7);
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn arg(&self, name: &str) -> String {
        self.path(name).into_os_string().into_string().unwrap()
    }

    #[track_caller]
    fn house(&self, number: usize, words: &[&str]) -> Output {
        acre_at(&self.path(&format!("house-{number}")), words)
    }

    fn run_validator(&self, number: usize) -> Kept {
        Kept::role(&["validator", "run"], &self.path(&format!("validator-{number}"))).0
    }
}

fn validators_start(village: &mut Village) {
    for number in 0..village.lines.len() {
        let dir = village.path(&format!("validator-{number}"));
        // Without a genesis it says what is missing.
        let run = ["validator", "run", "--dir", dir.to_str().unwrap()];
        acre(&run).exits(3).says(&["no genesis"]);
        fs::copy(village.path("genesis"), dir.join("genesis")).unwrap();
        let validator = village.run_validator(number);
        village.validators.push(Some(validator));
    }
    for house in 0..HOUSES {
        let joined = village.house(house, &["grid", "join", &village.arg("genesis")]).exits(0);
        assert_eq!(text(&joined.json(), "name"), "Our village");
    }
    let listed = eventually("blocks are made", || {
        let listed = village.house(0, &["validator", "list"]);
        (listed.code() == 0).then(|| listed.json())
    });
    assert_eq!(list(&listed, "validators").len(), 4, "{listed}");
    let info = village.house(1, &["ledger", "info"]).exits(0).json();
    let shown = acre(&["grid", "show", &village.arg("genesis"), "--json"]).exits(0).json();
    assert_eq!(info["chain"], shown["chain"]);
    // A home belongs to one grid.
    village.house(0, &["grid", "join", &village.arg("other")]).exits(7).says(&["Our village"]);
}

/// Prepares the directory of a house's node.
fn join(village: &Village, house: usize, name: &str, genesis: &str) -> Output {
    let (dir, token) = (village.arg(name), village.arg(&format!("token-{house}")));
    let site = format!("House {house}");
    let words = ["node", "join", "--dir", &dir, "--token-file", &token, "--grid"];
    let about = [genesis, "--site", &site, "--country", "BE", "--capacity", "1GiB", "--json"];
    acre(&[&words[..], &about].concat())
}

fn houses_bring_nodes(village: &mut Village) {
    let genesis = village.arg("genesis");
    for house in 0..HOUSES {
        let farm = village.house(house, &["farm", "create", "a house"]).exits(0).json();
        let farm = number(&farm, "id").to_string();
        let token = village.house(house, &["farm", "token", &farm]).exits(0).json();
        fs::write(village.path(&format!("token-{house}")), text(&token, "token")).unwrap();
        let name = format!("node-{house}");
        let joined = join(village, house, &name, &genesis).exits(0).json();
        let (node, ready) = Kept::role(&["node", "run"], &village.path(&name));
        assert_eq!(ready["id"], joined["node"]);
        village.nodes.push(Some(node));
    }
    let nodes = village.house(0, &["node", "list"]).exits(0).json();
    let sites: Vec<&str> = list(&nodes, "nodes").iter().map(|node| text(node, "site")).collect();
    assert_eq!(sites, ["House 0", "House 1", "House 2"]);
}

fn comes_back(village: &Village, name: &str, wanted: &Path) {
    let out = tempfile::tempdir().unwrap();
    let out = out.path().join("out");
    village.house(0, &["get", name, out.to_str().unwrap()]).exits(0);
    assert_eq!(fs::read(out).unwrap(), fs::read(wanted).unwrap());
}

fn what_is_put_comes_back(village: &Village) {
    let file = village.path("minutes");
    fs::write(&file, common::tree::noise(7, 300_000)).unwrap();
    let put = ["put", file.to_str().unwrap(), "--profile", "tiny", "--to", "/minutes"];
    let report = village.house(0, &put).exits(0).json();
    assert_eq!(report["durable"], true);
    comes_back(village, "/minutes", &file);
}

fn one_validator_may_be_lost(village: &mut Village) {
    village.validators[3] = None;
    village.house(0, &["wallet", "send", &village.accounts[1], "1"]).exits(0);
    village.validators[3] = Some(village.run_validator(3));
}

fn stranger_is_let_in_by_vote(village: &Village) {
    let home = village.path("stranger");
    let stranger = |words: &[&str]| acre_at(&home, words);
    let account = stranger(&["id", "new"]).exits(0).json();
    let account = text(&account, "account").to_owned();
    stranger(&["grid", "join", &village.arg("genesis")]).exits(0);
    // Others may give, and may read; more is for those who are in.
    village.house(0, &["wallet", "send", &account, "10"]).exits(0);
    let back = ["wallet", "send", &village.accounts[0], "1"];
    stranger(&back).exits(4).says(&["not admitted"]);
    village.house(0, &["vote", "lock", "90000"]).exits(0);
    let propose = ["vote", "propose", "admit", "account", &account, "--reason", "a good neighbour"];
    let proposal = village.house(0, &propose).exits(0).json();
    let proposal = number(&proposal, "number").to_string();
    village.house(0, &["vote", "cast", &proposal, "yes"]).exits(0);
    for step in ["close", "enact"] {
        eventually("the time of the vote is over", || {
            (village.house(1, &["vote", step, &proposal]).code() == 0).then_some(())
        });
    }
    stranger(&back).exits(0);
    stranger(&["farm", "create", "not yet"]).exits(4).says(&["not admitted"]);
}

fn reader_of_another_grid(village: &Village) {
    let home = village.path("lost");
    acre_at(&home, &["id", "new"]).exits(0);
    acre_at(&home, &["grid", "join", &village.arg("other")]).exits(0);
    for words in [&["wallet", "balance"][..], &["ledger", "info"], &["wallet", "send", "aa", "1"]] {
        let mut words = words.to_vec();
        let nobody = "aa".repeat(32);
        words.iter_mut().filter(|word| **word == "aa").for_each(|word| *word = &nobody);
        let error = acre_at(&home, &words).exits(4).error();
        assert!(text(&error, "error").contains("belongs to another grid"), "{error}");
        assert!(text(&error, "try").contains("acre grid join"), "{error}");
    }
}

fn token_of_another_grid(village: &Village) {
    let refused = join(village, 0, "node-x", &village.arg("other")).exits(4).error();
    assert!(text(&refused, "error").contains("another grid"), "{refused}");
    assert!(!village.path("node-x").join("key").exists(), "nothing was made");
}

fn node_of_another_grid(village: &mut Village) {
    village.nodes[2] = None;
    let genesis = village.path("node-2/context/genesis");
    fs::copy(village.path("other"), &genesis).unwrap();
    let run = ["node", "run", "--dir", &village.arg("node-2")];
    acre(&run).exits(4).says(&["belongs to another grid"]);
    fs::copy(village.path("genesis"), &genesis).unwrap();
    village.nodes[2] = Some(Kept::role(&["node", "run"], &village.path("node-2")).0);
    comes_back(village, "/minutes", &village.path("minutes"));
}

fn validator_keeps_to_its_grid(village: &mut Village) {
    village.validators[0] = None;
    let genesis = village.path("validator-0/genesis");
    fs::copy(village.path("other"), &genesis).unwrap();
    let run = ["validator", "run", "--dir", &village.arg("validator-0")];
    acre(&run).exits(4).says(&["belongs to the grid", "no vote was given"]);
    fs::copy(village.path("genesis"), &genesis).unwrap();
    village.validators[0] = Some(village.run_validator(0));
    village.house(2, &["wallet", "send", &village.accounts[0], "1"]).exits(0);
}

fn proof_of_another_grid(village: &Village) {
    let file = village.arg("totals.proof");
    village.house(0, &["proof", "export", "totals", "-o", &file]).exits(0);
    let verify = |genesis: &str| {
        let mut verify = command(&["proof", "verify", &file, "--json", "--grid", genesis]);
        finish({
            verify.env("HOME", "/nonexistent");
            verify
        })
    };
    let checked: Value = verify(&village.arg("genesis")).exits(0).json();
    assert_eq!(checked["verified"], true, "{checked}");
    let refused = verify(&village.arg("other"));
    assert!([4, 9].contains(&refused.code()), "{refused:?}");
    refused.error();
}
