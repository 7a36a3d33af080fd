//! Contracts by their commands: whole nodes, workloads, names, services, and how each ends.

use std::path::PathBuf;

use serde_json::Value;

use super::common::{Grid, eventually, list, metric, number, text};
use super::{Friend, balance};

fn contract(grid: &Grid, id: u64) -> Value {
    grid.acre(&["contract", "show", &id.to_string()]).exits(0).json()
}

/// Nobody settles it but its node, whose operator pays and has all of that back.
pub(crate) fn node_closes_the_rent_that_is_over(grid: &Grid) {
    let node = grid.node_ids().remove(0);
    let made = grid.acre(&["contract", "rent", &node[..12], "--for", "1s"]).exits(0).json();
    assert_eq!((text(&made, "kind"), text(&made, "state")), ("rent", "open"));
    assert_eq!(list(&made, "places"), [Value::from(&*node)]);
    let id = number(&made, "id");
    let closed = eventually("its node closes it", || {
        let shown = contract(grid, id);
        (shown["state"] == "closed").then_some(shown)
    });
    assert_eq!(text(&closed, "cause"), "expired", "{closed}");
    assert!(number(&closed, "closed_ms") >= number(&closed, "over_ms"), "{closed}");
    let bill = grid.acre(&["contract", "bill", &id.to_string()]).exits(0).json();
    let reward = list(&bill, "lines").iter().find(|line| line["entry"] == "reward").unwrap();
    let operator = grid.acre(&["node", "show", &node]).exits(0).json()["operator"].clone();
    assert_eq!((&reward["settler"], &bill["exact"]), (&operator, &Value::Bool(true)));
    let closed = |dir: PathBuf| metric(&dir, "acre_node_contracts_closed_total");
    assert_eq!(grid.dirs("nodes").into_iter().map(closed).sum::<u64>(), 1);
}

pub(crate) fn whole_node_is_rented_and_given_back(grid: &Grid) {
    let node = grid.node_ids().remove(1);
    let rent = |period: &str, more: &[&str]| {
        grid.acre(&[&["contract", "rent", &node, "--for", period], more].concat())
    };
    rent("1ms", &[]).exits(2).says(&["the period of the contract", "nothing was changed"]);
    rent("1h", &["--budget", "0.0000001"]).exits(8).says(&["more than its budget"]);
    rent("soon", &[]).exits(2);
    grid.acre(&["contract", "rent", "no node", "--for", "1h"]).exits(3).error();
    let before = balance(grid);
    let made = rent("1h", &[]).exits(0).json();
    rent("1h", &[]).exits(7).says(&["is rented whole", "nothing was changed"]);
    let id = number(&made, "id").to_string();
    let longer = grid.acre(&["contract", "extend", &id, "--for", "1h"]).exits(0).json();
    assert_eq!(number(&longer, "expires_ms"), number(&made, "expires_ms") + 3_600_000);
    grid.acre(&["contract", "extend", &id]).exits(2).says(&["nothing was changed"]);
    grid.acre(&["contract", "extend", &id, "--bytes", "1GiB"]).exits(2).says(&["right kind"]);
    grid.acre(&["contract", "extend", "999", "--for", "1h"]).exits(3).error();
    assert!(balance(grid) < before);
    let stranger = Friend::of(grid, "no tenant", "1");
    stranger.acre(&["contract", "cancel", &id]).exits(4).says(&["another account"]);
    let gone = grid.acre(&["contract", "cancel", &id]).exits(0).json();
    assert_eq!((text(&gone, "state"), text(&gone, "cause")), ("closed", "cancelled"));
    assert_ne!(text(&gone, "refunded"), "0 TFT", "{gone}");
    grid.acre(&["contract", "cancel", &id]).exits(7).says(&["is over"]);
    rent("1h", &[]).exits(0);
    let again = grid.acre(&["contract", "list"]).exits(0).json();
    let again = list(&again, "contracts").iter().find(|it| it["state"] == "open").unwrap();
    grid.acre(&["contract", "cancel", &number(again, "id").to_string()]).exits(0);
}

pub(crate) fn declined_workload_says_why_and_is_refunded(grid: &Grid) {
    let node = grid.node_ids().remove(0);
    std::fs::write(grid.path("spec"), "image = \"nothing\"").unwrap();
    let spec = grid.arg("spec");
    let run = |more: &[&str]| {
        let words = ["contract", "workload", &node, "--spec", &spec, "--for", "1h"];
        grid.acre(&[&words[..], more].concat())
    };
    run(&["--memory", "900TiB"]).exits(2).says(&["out of range", "nothing was changed"]);
    run(&["--cores", "0.0001"]).exits(2);
    run(&["--hour-max", "0.000001"]).exits(8).says(&["an hour would cost"]);
    run(&["--deadline", "300d"]).exits(2).says(&["the deadline of the contract"]);
    run(&["--hash", &"a".repeat(64)]).exits(2);
    let before = balance(grid);
    let small = ["--cores", "0.5", "--memory", "64MiB", "--disk", "1MiB", "--traffic", "1GiB"];
    let error = run(&small).exits(4).error();
    assert!(text(&error, "error").contains("runs no workloads yet"), "{error}");
    assert!(text(&error, "state").contains("came back"), "{error}");
    assert!(before - balance(grid) < 1_000_000, "all but the fee came back");
    let all = grid.acre(&["contract", "list"]).exits(0).json();
    let declined = list(&all, "contracts").last().unwrap();
    assert_eq!((text(declined, "kind"), text(declined, "cause")), ("workload", "rejected"));
    assert!(text(declined, "reason").contains("no workloads"), "{declined}");
    assert_eq!((number(declined, "cores_milli"), number(declined, "disk_bytes")), (500, 1 << 20));
    // Who does not wait sees it later.
    let asked = run(&[&small[..], &["--no-wait"]].concat()).exits(0).json();
    assert!(["pending", "closed"].contains(&text(&asked, "state")), "{asked}");
    eventually("it is declined", || {
        (contract(grid, number(&asked, "id"))["cause"] == "rejected").then_some(())
    });
}

pub(crate) fn name_is_taken_once(grid: &Grid) {
    let take = ["contract", "name", "old-harbour", "--for", "1h"];
    let made = grid.acre(&take).exits(0).json();
    assert_eq!((text(&made, "name"), text(&made, "state")), ("old-harbour", "open"));
    let other = Friend::of(grid, "late", "10");
    other.acre(&take).exits(7).says(&["nothing was changed"]);
    grid.acre(&["contract", "name", "Old Harbour", "--for", "1h"]).exits(2);
    let id = number(&made, "id").to_string();
    grid.acre(&["contract", "cancel", &id]).exits(0);
    other.acre(&take).exits(0);
}

/// One dollar a second may be billed, so that it is not long until half a dollar may.
pub(crate) fn service_is_offered_accepted_charged_and_ended(grid: &Grid) {
    let gardener = Friend::of(grid, "gardener", "10");
    gardener.acre(&["id", "handle", "claim", "gardener"]).exits(0);
    std::fs::write(grid.path("terms"), "the hedge, once a week").unwrap();
    std::fs::write(grid.path("other"), "the hedge, once a year").unwrap();
    let (terms, other) = (grid.arg("terms"), grid.arg("other"));
    let offer = |provider: &str| {
        let words = ["contract", "service", "offer", provider, "--terms", &terms, "--for", "1h"];
        grid.acre(&[&words[..], &["--base", "0.36", "--variable", "3600"]].concat())
    };
    offer("nobody-here").exits(3).error();
    offer("No One").exits(2).error();
    let made = offer("gardener").exits(0).json();
    assert_eq!((text(&made, "state"), text(&made, "answer")), ("pending", "awaited"));
    assert_eq!(text(&made, "provider"), gardener.account);
    let id = number(&made, "id").to_string();
    let id = id.as_str();
    let service = |words: &[&str]| gardener.acre(&[&["contract", "service"], words].concat());
    grid.acre(&["contract", "service", "accept", id]).exits(4).says(&["another account"]);
    service(&["charge", id, "0.5"]).exits(7).says(&["was not accepted yet"]);
    service(&["accept", id, "--terms", &other]).exits(7).says(&["nothing was accepted"]);
    let begun = service(&["accept", id, "--terms", &terms]).exits(0).json();
    assert_eq!(text(&begun, "state"), "open");
    service(&["charge", id, "9999"]).exits(8).says(&["does not allow for so much"]);
    service(&["charge", id, "lots"]).exits(2);
    let charged = eventually("half a second has passed", || {
        let done = service(&["charge", id, "0.5"]);
        (done.code() == 0).then(|| done.json())
    });
    assert_eq!(number(&charged, "variable_left_micro_usd"), 3_600_000_000 - 500_000);
    let ended = service(&["cancel", id]).exits(0).json();
    assert_eq!(text(&ended, "cause"), "cancelled");
    assert_ne!(text(&ended, "refunded"), "0 TFT");
    let bill = grid.acre(&["contract", "bill", id]).exits(0).json();
    let used = list(&bill, "lines").iter().find(|line| line["purse"] == "use").unwrap();
    assert_eq!((number(used, "part"), &bill["exact"]), (500_000, &Value::Bool(true)));
    // What is no service is not treated as one.
    let name = ["contract", "name", "no-service", "--for", "1h"];
    let name = number(&grid.acre(&name).exits(0).json(), "id").to_string();
    service(&["cancel", &name]).exits(2).says(&["is no service but name"]);
}
