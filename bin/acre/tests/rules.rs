//! The rules of the ledger by their commands, on one grid: stake, cooperatives, votes.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;
#[path = "rules/contracts.rs"]
mod contracts;

use std::path::PathBuf;

use common::{Grid, Kept, Output, Story, acre_at, eventually, list, number, text};

#[test]
fn farms_and_nodes_have_commands_for_their_rules() {
    // Epochs as short as witnesses can keep up with on a busy machine.
    let certifier = Certifier::new();
    let settings = [
        "capacity.epoch_ms=3s",
        "minting.unbonding_epochs=1",
        "certification.certified=1",
        "certification.gold=1",
        &format!("certification.certifiers={}", certifier.account),
    ];
    let grid = Grid::with_settings(2, 1, &settings);
    let mut story = Story::default();
    story.check("a farm stakes and gets it back", || farm_stakes_and_gets_it_back(&grid));
    story.check("a cooperative agrees", || cooperative_agrees(&grid));
    story.check("nodes show what they proved", || nodes_show_what_they_proved(&grid));
    story.check("only certifiers attest", || only_certifiers_attest(&grid));
    story.check("a certifier's word counts", || certifiers_word_counts(&grid, &certifier));
    story.check("a farm changes its name", || farm_changes_its_name(&grid));
    story.check("a validator changes its address", || validator_changes_its_address(&grid));
    story.check("a node closes a rent", || contracts::node_closes_the_rent_that_is_over(&grid));
    story.check("a whole node is rented", || contracts::whole_node_is_rented_and_given_back(&grid));
    story.check("a workload is declined", || {
        contracts::declined_workload_says_why_and_is_refunded(&grid);
    });
    story.check("a name is taken", || contracts::name_is_taken_once(&grid));
    story.check("a service is done", || {
        contracts::service_is_offered_accepted_charged_and_ended(&grid);
    });
    story.check("an own node drains and sleeps", || own_node_drains_and_sleeps(&grid));
    story.end();
}

#[test]
fn people_have_commands_for_their_rules() {
    // No epoch ends, so no farmer has proven anything that could be voted with.
    let settings = [
        "capacity.epoch_ms=24h",
        "governance.voting_ms=3s",
        "governance.lock_ms=1s",
        "phonebook.recovery_ms_min=1s",
    ];
    let grid = Grid::with_settings(1, 1, &settings);
    let mut story = Story::default();
    story.check("settings show their bounds", || settings_show_their_bounds(&grid));
    story.check("proposals out of bounds are refused", || proposals_out_of_bounds(&grid));
    story.check("a vote changes a fee", || vote_changes_a_fee(&grid));
    story.check("what is no number is voted on, too", || {
        what_is_no_number_is_voted_on_too(&grid);
    });
    story.check("a handle is claimed, given and released", || handle_changes_hands(&grid));
    story.check("a lost handle comes back", || lost_handle_comes_back(&grid));
    story.end();
}

/// Somebody whose word counts: he has an account before there is a grid.
struct Certifier {
    folder: tempfile::TempDir,
    account: String,
}

impl Certifier {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let shown = acre_at(&folder.path().join("home"), &["id", "new"]).exits(0).json();
        Self { folder, account: text(&shown, "account").to_owned() }
    }

    fn acre(&self, words: &[&str]) -> Output {
        acre_at(&self.folder.path().join("home"), words)
    }
}

/// Another person on the same grid, with some tokens.
struct Friend {
    home: PathBuf,
    account: String,
}

impl Friend {
    fn of(grid: &Grid, name: &str, tokens: &str) -> Self {
        let home = grid.path(name);
        let shown = acre_at(&home, &["id", "new"]).exits(0).json();
        acre_at(&home, &["grid", "join", grid.home().to_str().unwrap()]).exits(0);
        let account = text(&shown, "account").to_owned();
        grid.acre(&["wallet", "send", &account, tokens]).exits(0);
        Self { home, account }
    }

    #[track_caller]
    fn acre(&self, words: &[&str]) -> Output {
        acre_at(&self.home, words)
    }
}

fn balance(grid: &Grid) -> u64 {
    number(&grid.acre(&["wallet", "balance"]).exits(0).json(), "balance_units")
}

const TFT: u64 = 10_000_000;

fn farm_stakes_and_gets_it_back(grid: &Grid) {
    let farm = grid.acre(&["farm", "create", "a farm with a stake"]).exits(0).json();
    let id = number(&farm, "id").to_string();
    let before = balance(grid);
    let staked = grid.acre(&["farm", "stake", &id, "100"]).exits(0).json();
    assert_eq!(text(&staked, "stake"), "100 TFT");
    assert!(balance(grid) < before - 100 * TFT, "the stake is held");
    let asked = grid.acre(&["farm", "unstake", &id, "40"]).exits(0).json();
    assert_eq!(text(&asked, "stake"), "60 TFT");
    assert_eq!(text(&list(&asked, "releases")[0], "amount"), "40 TFT");
    grid.words(&["farm", "show", &id]).exits(0).shows("comes back from epoch");
    let held = balance(grid);
    // Too early now, and done once its epoch has begun.
    let collected = eventually("the stake is due", || {
        let done = grid.acre(&["farm", "collect", &id]);
        (done.code() == 0).then(|| done.json())
    });
    assert!(list(&collected, "releases").is_empty(), "{collected}");
    assert!(balance(grid) > held + 39 * TFT, "what is due came back");
    // What cannot be is refused with its reason.
    grid.acre(&["farm", "unstake", &id, "61"]).exits(2).says(&["stake", "nothing was changed"]);
    grid.acre(&["farm", "stake", &id, "0"]).exits(2).error();
    grid.acre(&["farm", "stake", "999", "1"]).exits(3).says(&["no farm 999"]);
    grid.acre(&["farm", "stake", &id, "99000000"]).exits(8).error();
    grid.acre(&["farm", "stake", "1", "1"]).exits(4).says(&["belongs to another account"]);
}

fn cooperative_agrees(grid: &Grid) {
    let farm = grid.acre(&["farm", "create", "a cooperative"]).exits(0).json();
    let id = number(&farm, "id").to_string();
    let (ada, bob) = (Friend::of(grid, "ada", "10"), Friend::of(grid, "bob", "10"));
    let (two, one) = (format!("{}=2", ada.account), format!("{}=1", bob.account));
    let shown = grid.acre(&["farm", "members", "propose", &id, &two, &one]).exits(0).json();
    assert!(list(&shown, "members").is_empty(), "nobody has agreed yet: {shown}");
    assert_eq!(list(&shown, "missing").len(), 2);
    // Who is not asked cannot accept, and nobody accepts what he did not name.
    grid.acre(&["farm", "members", "accept", &id]).exits(7).error();
    ada.acre(&["farm", "members", "accept", &id, &one]).exits(7).says(&["another list"]);
    ada.acre(&["farm", "members", "accept", &id, &two, &one]).exits(0);
    let shown = bob.acre(&["farm", "members", "accept", &id]).exits(0).json();
    assert_eq!(list(&shown, "members").len(), 2, "{shown}");
    assert!(shown["proposed"].is_null());
    grid.words(&["farm", "show", &id]).exits(0).shows("2 of 3");
    grid.acre(&["farm", "members", "propose", &id, "nobody=1"]).exits(2).error();
    grid.acre(&["farm", "members", "accept", &id]).exits(3).says(&["nothing is proposed"]);
}

fn settings_show_their_bounds(grid: &Grid) {
    let shown = grid.acre(&["vote", "settings", "governance"]).exits(0).json();
    let all = list(&shown, "settings");
    let majority = all.iter().find(|it| it["setting"] == "governance.majority").unwrap();
    assert_eq!(majority["raw"], 500);
    assert_eq!(text(majority, "bounds"), "from 500 permille to 800 permille");
    grid.acre(&["vote", "settings", "weather"]).exits(3).error();
}

fn proposals_out_of_bounds(grid: &Grid) {
    let propose = |settings: &[&str]| {
        let mut words = vec!["vote", "propose", "set"];
        words.extend(settings);
        grid.acre(&words)
    };
    let unchanged = ["nothing was"];
    propose(&["governance.majority=900"]).exits(2).says(&["from 500 permille to 800 permille"]);
    propose(&["fees.bite=1"]).exits(2).says(&["no setting 'fees.bite'"]);
    propose(&["fees.byte=cheap"]).exits(2).says(&["an amount of TFT"]);
    propose(&["fees.byte=1", "seats.seats_max=3"]).exits(2).says(&unchanged);
    propose(&["seats.term_heights=3"]).exits(2).says(&["fixed for the life of the grid"]);
    grid.acre(&["vote", "propose", "admit", "account", &"a".repeat(64)]).exits(4).error();
    let proposals = grid.acre(&["vote", "list"]).exits(0).json();
    assert!(list(&proposals, "proposals").is_empty(), "{proposals}");
    grid.acre(&["vote", "show", "0"]).exits(3).error();
}

fn vote_changes_a_fee(grid: &Grid) {
    let words = ["vote", "propose", "set", "fees.transaction=0.002", "--reason", "dearer"];
    let proposal = grid.acre(&words).exits(0).json();
    let number = number(&proposal, "number").to_string();
    assert_eq!(text(&list(&proposal, "changes")[0], "setting"), "fees.transaction");
    // Without tokens locked, and without proven capacity, there is nothing to vote with.
    grid.acre(&["vote", "cast", &number, "yes"]).exits(8).says(&["needs tokens that are locked"]);
    grid.acre(&["vote", "lock", "900000"]).exits(0);
    let cast = grid.acre(&["vote", "cast", &number, "yes"]).exits(0).json();
    assert_ne!(text(&cast["users"], "yes"), "0", "{cast}");
    grid.words(&["vote", "show", &number]).exits(0).shows("0.0008 TFT -> 0.002 TFT");
    grid.acre(&["vote", "unlock", "1"]).exits(7).says(&["too early"]);
    grid.acre(&["vote", "enact", &number]).exits(7).error();
    let closed = eventually("the vote is over", || {
        let done = grid.acre(&["vote", "close", &number]);
        (done.code() == 0).then(|| done.json())
    });
    assert_eq!(text(&closed, "state"), "passed", "{closed}");
    eventually("the time lock is over", || {
        (grid.acre(&["vote", "enact", &number]).code() == 0).then_some(())
    });
    let settings = grid.acre(&["vote", "settings", "fees.transaction"]).exits(0).json();
    assert_eq!(text(&list(&settings, "settings")[0], "value"), "0.002 TFT");
    eventually("tokens are free again", || {
        (grid.acre(&["vote", "unlock", "900000"]).code() == 0).then_some(())
    });
}

fn what_is_no_number_is_voted_on_too(grid: &Grid) {
    let propose = |settings: &[&str]| grid.acre(&[&["vote", "propose", "set"], settings].concat());
    let feeds = format!("prices.token=feeds:{},{}/2", "1".repeat(64), "2".repeat(64));
    let proposal = propose(&[&feeds, "prices.feeds.fresh_ms=1h"]).exits(0).json();
    let changes = list(&proposal, "changes");
    let then = |name: &str| {
        let found = changes.iter().find(|change| change["setting"] == name);
        text(found.unwrap_or_else(|| panic!("no {name} in {proposal}")), "then").to_owned()
    };
    assert!(feeds.ends_with(&then("prices.token")), "{proposal}");
    // The rest begins as usual, and all of it is seen before anybody votes.
    assert_eq!(
        (then("prices.feeds.fresh_ms"), then("prices.feeds.start")),
        ("1h".to_owned(), "0.08 USD".to_owned())
    );
    for (settings, name) in [
        ("prices.commitments=30d:10,90d:25", "prices.commitments"),
        ("prices.formula=4/2,8/1,2/4;100", "prices.formula"),
        ("capacity.independence=site", "capacity.independence"),
        ("minting.policies=standard;seed2017;village:cu=3,su=1,budget=1000", "minting.policies"),
    ] {
        let proposal = propose(&[settings]).exits(0).json();
        let [change] = list(&proposal, "changes") else { panic!("{proposal}") };
        assert_eq!(text(change, "setting"), name);
    }
    propose(&["prices.feeds.fresh_ms=1h"]).exits(2).says(&["is fixed here", "nothing was changed"]);
    propose(&["prices.commitments=90d:25,30d:10"]).exits(2).says(&["both rising"]);
    propose(&["capacity.independence=nobody"]).exits(2).says(&["operator, site or node"]);
    // What there is stays as it is.
    propose(&["minting.policies=standard:cu=9"]).exits(2).error();
}

fn nodes_show_what_they_proved(grid: &Grid) {
    let id = grid.node_ids().remove(0);
    let node = eventually("witnesses have counted an epoch", || {
        let node = grid.acre(&["node", "show", &id]).exits(0).json();
        (number(&node, "epochs_counted") > 0).then_some(node)
    });
    assert!(number(&node, "verified_bytes") > 0, "{node}");
    assert!(number(&node, "uptime_permille") <= 1000, "{node}");
    assert_eq!(list(&node, "watched_by").len(), 1, "the other one: {node}");
    grid.words(&["node", "list"]).exits(0).shows("PROVEN");
}

fn handle_changes_hands(grid: &Grid) {
    let (ada, bob) = (Friend::of(grid, "hada", "50"), Friend::of(grid, "hbob", "50"));
    ada.acre(&["id", "handle", "show"]).exits(3).says(&["has no handle"]);
    ada.acre(&["id", "handle", "claim", "Ada!"]).exits(2);
    let claimed = ada.acre(&["id", "handle", "claim", "ada-lovelace"]).exits(0).json();
    assert_eq!(text(&claimed, "owner"), ada.account);
    assert_eq!(text(&list(&claimed, "keys")[0], "role"), "sign");
    bob.acre(&["id", "handle", "claim", "ada-lovelace"]).exits(7).says(&["taken"]);
    // Keys come and go, and each change counts.
    let device = "d".repeat(64);
    ada.acre(&["id", "key", "add", "device", &device]).exits(0);
    ada.acre(&["id", "key", "add", "device", &device]).exits(7).error();
    ada.acre(&["id", "key", "add", "device", "no key"]).exits(2).error();
    let listed = bob.acre(&["id", "key", "list", "ada-lovelace"]).exits(0).json();
    assert_eq!((list(&listed, "keys").len(), number(&listed, "epoch")), (2, 1));
    ada.acre(&["id", "key", "remove", "dddd"]).exits(0);
    ada.acre(&["id", "key", "remove", "dddd"]).exits(3).error();
    // Without a key that signs there is no handle.
    ada.acre(&["id", "key", "remove", &ada.account]).exits(2).says(&["a key of the twin"]);
    // Nobody takes what was not offered to him.
    bob.acre(&["id", "handle", "accept", "ada-lovelace"]).exits(4).error();
    bob.acre(&["id", "handle", "give", "ada-lovelace", &bob.account]).exits(4).error();
    ada.acre(&["id", "handle", "give", "ada-lovelace", &bob.account]).exits(0);
    let taken = bob.acre(&["id", "handle", "accept", "ada-lovelace"]).exits(0).json();
    assert_eq!(text(&taken, "owner"), bob.account);
    let released = bob.acre(&["id", "handle", "release", "ada-lovelace"]).exits(0).json();
    assert_eq!(text(&released, "state"), "released");
}

fn lost_handle_comes_back(grid: &Grid) {
    let people = ["owner", "one", "two", "again"].map(|name| Friend::of(grid, name, "50"));
    let [owner, one, two, again] = &people;
    owner.acre(&["id", "handle", "claim", "grace-hopper"]).exits(0);
    again.acre(&["id", "recovery", "ask", "grace-hopper"]).exits(4).says(&["no recovery"]);
    for friend in [one, two] {
        owner.acre(&["id", "key", "add", "recover", &friend.account]).exits(0);
    }
    owner.acre(&["id", "recovery", "set", "2", "--delay", "soon"]).exits(2).error();
    owner.acre(&["id", "recovery", "set", "2", "--delay", "2s"]).exits(0);
    // The first attempt is not the owner's, who says no.
    let file = grid.arg("ask 1");
    let open = |file: &str| {
        again.acre(&["id", "recovery", "ask", "grace-hopper", "-o", file]).exits(0);
        again.acre(&["id", "recovery", "agree", file]).exits(4).says(&["no recover key"]);
        let consents = [one, two].map(|friend| {
            let agreed = friend.acre(&["id", "recovery", "agree", file]).exits(0).json();
            text(&agreed, "consent").to_owned()
        });
        again.acre(&["id", "recovery", "start", file, &consents[0]]).exits(8).says(&["too few"]);
        again.acre(&["id", "recovery", "start", file, &consents[0], &consents[1]]).exits(0).json()
    };
    let running = open(&file);
    assert_eq!(text(&running["running"], "owner"), again.account, "{running}");
    one.acre(&["id", "recovery", "veto", "grace-hopper"]).exits(4).error();
    let vetoed = owner.acre(&["id", "recovery", "veto", "grace-hopper"]).exits(0).json();
    assert!(vetoed["running"].is_null());
    again.acre(&["id", "recovery", "finish", "grace-hopper"]).exits(3).error();
    // The second time nobody does.
    open(&grid.arg("ask 2"));
    eventually("the time to veto is over", || {
        (again.acre(&["id", "recovery", "finish", "grace-hopper"]).code() == 0).then_some(())
    });
    let shown = again.acre(&["id", "handle", "show"]).exits(0).json();
    assert_eq!((text(&shown, "handle"), text(&shown, "owner")), ("grace-hopper", &*again.account));
}

fn only_certifiers_attest(grid: &Grid) {
    let evidence = grid.path("evidence");
    std::fs::write(&evidence, "a photograph").unwrap();
    let file = evidence.to_str().unwrap();
    let attest = ["farm", "attest", "1", "certified", "--evidence", file];
    grid.acre(&attest).exits(4).says(&["nothing was changed"]);
    grid.acre(&["farm", "attest", "1", "certified", "--evidence", "/nowhere"]).exits(3).error();
    grid.acre(&["farm", "unattest", "1"]).exits(7).error();
}

fn certifiers_word_counts(grid: &Grid, certifier: &Certifier) {
    certifier.acre(&["grid", "join", grid.home().to_str().unwrap()]).exits(0);
    grid.acre(&["wallet", "send", &certifier.account, "10"]).exits(0);
    std::fs::write(grid.path("seal"), "a seal on a box").unwrap();
    let file = grid.arg("seal");
    let attest = ["farm", "attest", "1", "certified", "--evidence", &file];
    let said = certifier.acre(&[&attest[..], &["--epochs", "500"]].concat()).exits(0).json();
    let [word] = list(&said, "attestations") else { panic!("{said}") };
    assert_eq!((text(word, "by"), text(word, "level")), (&*certifier.account, "certified"));
    // An epoch may have ended while it was said.
    let epochs = number(word, "until_epoch") - number(word, "since_epoch");
    assert!((499..=500).contains(&epochs), "{word}");
    let shown = eventually("the word counts", || {
        let shown = grid.acre(&["farm", "show", "1"]).exits(0).json();
        let farm = list(&shown, "farms")[0].clone();
        (farm["certification"] == "certified").then_some(farm)
    });
    assert_eq!(list(&shown, "attestations"), std::slice::from_ref(word));
    grid.words(&["farm", "show", "1"])
        .exits(0)
        .shows(&format!("by the word of {}", certifier.account));
    let taken = certifier.acre(&["farm", "unattest", "1"]).exits(0).json();
    assert!(list(&taken, "attestations").is_empty());
    assert_eq!(text(&taken, "certification"), "diy");
    certifier.acre(&["farm", "unattest", "1"]).exits(7).says(&["nothing was changed"]);
}

fn farm_changes_its_name(grid: &Grid) {
    let farm = grid.acre(&["farm", "create", "a farm with a typo"]).exits(0).json();
    let id = number(&farm, "id").to_string();
    let before = grid.acre(&["farm", "show", &id]).exits(0).json();
    let set = grid.acre(&["farm", "set", &id, "--name", "a farm"]).exits(0).json();
    assert_eq!(text(&set, "name"), "a farm");
    assert_eq!(set["payout"], list(&before, "farms")[0]["payout"], "what is not named stays");
    let (other, name) = ("07".repeat(32), "x".repeat(200));
    let set = grid.acre(&["farm", "set", &id, "--payout", &other]).exits(0).json();
    assert_eq!((text(&set, "payout"), text(&set, "name")), (&*other, "a farm"));
    grid.acre(&["farm", "set", &id]).exits(2).says(&["nothing was changed"]);
    grid.acre(&["farm", "set", &id, "--name", &name]).exits(2).says(&["nothing was changed"]);
    grid.acre(&["farm", "set", "1", "--name", "mine"]).exits(4).says(&["another account"]);
    grid.acre(&["farm", "set", "999", "--name", "mine"]).exits(3).error();
}

/// That of the genesis, which has an account of its own.
fn validator_changes_its_address(grid: &Grid) {
    let dir = grid.home().join("grid/validators/0");
    let dir = dir.to_str().unwrap();
    let id = text(&list(&grid.status(), "validators")[0], "id").to_owned();
    let set = |words: &[&str]| grid.acre(&[&["validator", "set", "--dir", dir], words].concat());
    set(&[]).exits(2).says(&["nothing was changed"]);
    set(&["--rpc", "localhost"]).exits(2);
    grid.acre(&["validator", "set", "--rpc", "127.0.0.1:9"]).exits(3).says(&["has no candidate"]);
    let error = set(&["--rpc", "127.0.0.1:9"]).exits(8).error();
    assert!(text(&error, "try").contains("acre wallet send"), "{error}");
    grid.acre(&["wallet", "send", &id, "1"]).exits(0);
    let candidate = set(&["--rpc", "127.0.0.1:9"]).exits(0).json();
    assert_eq!(text(&candidate, "rpc"), "127.0.0.1:9");
    let engine = text(&candidate, "engine").to_owned();
    // Before a term ends it is said as it was.
    let file = grid.home().join("grid/validators/0/settings.json");
    let known: serde_json::Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let again = set(&["--rpc", text(&known, "rpc"), "--engine", &engine, "--no-nodes"]);
    assert_eq!(again.exits(0).json()["rpc"], known["rpc"]);
    let foreign = grid.node_ids().remove(0);
    set(&["--node", &foreign]).exits(4).says(&["nothing was changed"]);
}

fn own_node_drains_and_sleeps(grid: &Grid) {
    let farm = grid.acre(&["farm", "create", "a farm with a node"]).exits(0).json();
    let farm = number(&farm, "id").to_string();
    let token = grid.acre(&["farm", "token", &farm]).exits(0).json();
    std::fs::write(grid.path("token"), text(&token, "token")).unwrap();
    let (dir, token, home) = (grid.arg("own"), grid.arg("token"), grid.home());
    let join = ["node", "join", "--dir", &dir, "--token-file", &token, "--site", "Here"];
    let about = ["--country", "BE", "--capacity", "1GiB", "--grid", home.to_str().unwrap()];
    grid.acre(&[&join[..], &about].concat()).exits(0);
    let (_node, ready) = Kept::role(&["node", "run"], &grid.path("own"));
    let id = text(&ready, "id");
    let turned = |words: &[&str]| {
        let words = [&["node"], &words[..1], &[id], &words[1..]].concat();
        grid.acre(&words).exits(0).json()
    };
    assert_eq!(text(&turned(&["drain"]), "state"), "draining");
    assert_eq!(text(&turned(&["drain", "--undo"]), "state"), "active");
    turned(&["sleep", "--in", "2", "--for", "3"]);
    turned(&["wake"]);
    assert_eq!(text(&turned(&["retire"]), "state"), "retired");
    let others = grid.node_ids().remove(0);
    grid.acre(&["node", "drain", &others]).exits(4).says(&["belongs to another account"]);
}
