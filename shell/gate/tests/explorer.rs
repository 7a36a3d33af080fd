//! The explorer over a real validator and a real socket.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use acre_ledger::{Action, NodeState};
use acre_types::{Amount, ContractId};
use common::{COUNTRIES, Grid, account, node_key, owner};
use serde_json::Value;

fn ids(items: &[Value]) -> Vec<&str> {
    items.iter().map(|item| item["id"].as_str().unwrap()).collect()
}

fn sum(items: &[Value], field: &str) -> u64 {
    items.iter().map(|item| item.pointer(field).unwrap().as_u64().unwrap()).sum()
}

fn at(value: &Value, field: &str) -> u64 {
    sum(std::slice::from_ref(value), field)
}

#[tokio::test]
async fn pages_to_the_end_filters_and_sums() {
    let grid = Grid::start(3, 8).await;
    grid.set(4, 1, NodeState::Draining).await;
    grid.set(5, 2, NodeState::Retired).await;
    grid.contract(&[0, 1, 2]).await;
    grid.contract(&[1, 2, 3]).await;
    grid.submit(&owner(0), Action::CancelContract { contract: ContractId(1) }).await;
    let gateway = grid.gateway().await;

    let nodes = gateway.all("/api/v1/nodes", 3).await;
    let wanted: Vec<_> = (0..8).map(|number| node_key(number).public().to_string()).collect();
    assert_eq!(ids(&nodes), wanted, "every node once, in order");
    assert_eq!(gateway.all("/api/v1/nodes", 8).await, nodes);

    for (country, count) in COUNTRIES.iter().zip([3, 3, 2]) {
        let found = gateway.all(&format!("/api/v1/nodes?country={country}"), 2).await;
        assert_eq!(found.len(), count, "{country}");
        assert!(found.iter().all(|node| node["country"] == *country));
    }
    let found = gateway.all("/api/v1/nodes?farm=2&state=draining", 5).await;
    assert_eq!(ids(&found), [wanted[4].as_str()]);
    assert_eq!(gateway.all("/api/v1/nodes?state=retired", 5).await.len(), 1);
    assert!(gateway.all("/api/v1/nodes?farm=9", 5).await.is_empty());
    let one = gateway.get(&format!("/api/v1/nodes/{}", wanted[2])).await;
    assert_eq!(one["item"], nodes[2]);

    let farms = gateway.all("/api/v1/farms", 2).await;
    assert_eq!(farms.len(), 3);
    let owned = format!("/api/v1/farms?owner={}", account(&owner(1)));
    assert_eq!(gateway.all(&owned, 5).await, [farms[1].clone()]);

    let statistics = gateway.get("/api/v1/statistics").await["item"].clone();
    let fields = ["/offered/storage_bytes", "/offered/cores", "/offered/memory_bytes"];
    for field in fields.iter().chain(&["/reserved_bytes", "/verified/cores"]) {
        assert_eq!(sum(&farms, field), at(&statistics, field), "{field} of farms");
    }
    let present: Vec<Value> =
        nodes.iter().filter(|node| node["state"] != "retired").cloned().collect();
    let countries = statistics["countries"].as_array().unwrap();
    for field in fields {
        assert!(at(&statistics, field) > 0);
        assert_eq!(sum(&present, field), at(&statistics, field), "{field} of nodes");
        assert_eq!(sum(countries, field), at(&statistics, field), "{field} of countries");
    }
    assert_eq!((&statistics["farmers"], &statistics["nodes_retired"]), (&3.into(), &1.into()));
    assert_eq!(statistics["contracts_open"], 1);
    let shares = &statistics["decentralisation"]["storage"];
    assert_eq!(shares["top_5_ppm"], 1_000_000);
    // Farm 1 has 1 + 4 + 7, farm 2 has 2 + 5 + 8, farm 3 has 3 of 30 TiB.
    assert_eq!((&shares["top_1_ppm"], &shares["owners_for_half"]), (&500_000.into(), &2.into()));

    let contracts = gateway.all("/api/v1/contracts", 1).await;
    let states: Vec<_> = contracts.iter().map(|c| c["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["closed", "open"]);
    let of_owner = format!("/api/v1/contracts?owner={}", account(&owner(0)));
    assert_eq!(gateway.all(&of_owner, 1).await, contracts);
    assert_eq!(gateway.all(&format!("{of_owner}&state=open"), 1).await, contracts[1..]);
    let on_node = format!("/api/v1/contracts?node={}", wanted[2]);
    assert_eq!(gateway.all(&on_node, 1).await, contracts[1..], "the open one");
    let on_node = format!("/api/v1/contracts?node={}", wanted[0]);
    assert!(gateway.all(&on_node, 1).await.is_empty(), "its contract is closed");
    for (state, index) in [("closed", 0), ("open", 1)] {
        let found = gateway.all(&format!("/api/v1/contracts?state={state}"), 5).await;
        assert_eq!(found, [contracts[index].clone()], "{state}");
        let one = gateway.get(&format!("/api/v1/contracts/{}", index + 1)).await;
        assert_eq!(one["item"], contracts[index]);
    }

    let bill = gateway.all("/api/v1/contracts/1/bill", 2).await;
    assert_eq!(bill.len() as u64, at(&contracts[0], "/bill_lines"));
    assert_eq!((&bill[0]["kind"], &bill[0]["item"]), (&"lock".into(), &"storage".into()));
    assert_eq!(bill.last().unwrap()["kind"], "refund", "it was cancelled");
    assert!(bill.iter().all(|line| line["recomputes"] == true), "{bill:?}");
    let indexes: Vec<_> = bill.iter().map(|line| at(line, "/index")).collect();
    assert_eq!(indexes, (0..indexes.len() as u64).collect::<Vec<_>>(), "each once, in order");
}

#[tokio::test]
async fn shows_blocks_transactions_accounts_and_twins_with_proofs() {
    let grid = Grid::start(1, 1).await;
    let handle: acre_ledger::Handle = "ann".parse().unwrap();
    let key = acre_codec::Blob::new(owner(0).public().0.to_vec()).unwrap();
    let key = acre_ledger::TwinKey { role: acre_ledger::KeyRole::Sign, key };
    let keys = acre_codec::List::new(vec![key]).unwrap();
    grid.submit(&owner(0), Action::RegisterTwin { handle, keys }).await;
    let to = account(&owner(7));
    let height = grid.submit(&owner(0), Action::Transfer { to, amount: Amount(15_000_000) }).await;
    let gateway = grid.gateway().await;

    let paid = gateway.get(&format!("/api/v1/accounts/{to}")).await;
    assert_eq!(paid["item"]["balance_tft"], "1.5");
    assert!(paid["height"].as_u64().unwrap() >= height && paid["fresh"] == true);
    let payer = gateway.get(&format!("/api/v1/accounts/{}", account(&owner(0)))).await;
    assert_eq!(payer["item"]["twin"], "ann");
    let twin = gateway.get("/api/v1/twins/ann").await;
    assert_eq!(twin["item"]["owner"], payer["item"]["id"]);
    assert_eq!(gateway.all("/api/v1/twins", 1).await, [twin["item"].clone()]);
    assert!(gateway.all("/api/v1/proposals", 1).await.is_empty());
    let stranger = "0".repeat(64);
    assert_eq!(gateway.get(&format!("/api/v1/accounts/{stranger}")).await["item"]["nonce"], 0);

    let block = gateway.get(&format!("/api/v1/blocks/{height}")).await["item"].clone();
    // A validator's own duties may be in the same block.
    let page = block["page"].as_array().unwrap();
    assert_eq!((&block["transactions"], &block["next_after"]), (&page.len().into(), &Value::Null));
    let transaction = page.iter().find(|transaction| transaction["kind"] == "transfer").unwrap();
    assert_eq!(transaction["amount_tft"], "1.5");
    assert_eq!(transaction["accounts"][0], to.to_string());
    let found = format!("/api/v1/transactions/{}", transaction["id"].as_str().unwrap());
    assert_eq!(&gateway.get(&found).await["item"], transaction);

    let blocks = gateway.all("/api/v1/blocks", 2).await;
    let heights: Vec<_> = blocks.iter().map(|block| block["height"].as_u64().unwrap()).collect();
    let first = heights[0];
    assert_eq!(heights, (1..=first).rev().collect::<Vec<_>>(), "newest first, every one once");
    assert!(blocks.iter().any(|summary| summary["id"] == block["id"]));
    let validators = gateway.get("/api/v1/validators").await["items"].clone();
    let validators = validators.as_array().unwrap();
    let candidates = gateway.all("/api/v1/candidates", 1).await;
    let term = gateway.get("/api/v1/terms/current").await["item"].clone();
    assert_eq!(ids(validators), ids(&candidates));
    assert_eq!((&term["members"][0], validators.len()), (&validators[0]["id"], 1));
    assert_eq!(candidates[0]["seated"], true);
    let statistics = gateway.get("/api/v1/statistics").await["item"].clone();
    assert_eq!(statistics["decentralisation"]["validators_to_stop"], 1);
    let sums = gateway.get("/api/v1/grid").await["item"]["totals"].clone();
    assert_eq!((&sums["farms"], &sums["twins"]), (&1.into(), &1.into()));
}

#[tokio::test]
async fn shows_the_epoch_and_who_witnesses_whom() {
    let grid = Grid::start(2, 5).await;
    let gateway = grid.gateway().await;
    let first = gateway.until("/api/v1/epochs/current", |now| now["item"]["nodes"] == 5).await;
    let wanted = |now: &Value| now["item"]["number"].as_u64() > first["item"]["number"].as_u64();
    let next = gateway.until("/api/v1/epochs/current", wanted).await;
    assert_ne!(first["item"]["seed"], next["item"]["seed"]);
    // Each as (witness, node), from both sides; asked again when an epoch ends in between.
    loop {
        let (mut by, mut of, mut epochs) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for number in 0..5 {
            let id = node_key(number).public().to_string();
            let told = gateway.get(&format!("/api/v1/nodes/{id}/witnesses")).await["item"].clone();
            epochs.insert(told["epoch"].as_u64().unwrap());
            for witness in told["witnessed_by"].as_array().unwrap() {
                assert_eq!(witness["counts"], true, "any other node may witness here");
                by.insert((witness["node"].as_str().unwrap().to_owned(), id.clone()));
            }
            for node in told["witness_of"].as_array().unwrap() {
                of.insert((id.clone(), node.as_str().unwrap().to_owned()));
            }
        }
        if epochs.len() == 1 {
            assert_eq!((&by, by.len()), (&of, 15), "three witnesses for each of five nodes");
            assert!(by.iter().all(|(witness, node)| witness != node));
            break;
        }
    }
}

#[tokio::test]
async fn follows_the_ledger_and_streams_resume_where_they_were_left() {
    let grid = Grid::start(1, 2).await;
    let gateway = grid.gateway().await;
    let mut all = gateway.events(None).await;
    let mut left = gateway.events(None).await;
    // Reads nothing from here on.
    let slow = gateway.events(None).await;

    grid.set(0, 0, NodeState::Draining).await;
    let (_, event) = left.next_of(&["node_updated"]).await;
    assert_eq!(event["nodes"][0], node_key(0).public().to_string());
    let path = format!("/api/v1/nodes/{}", node_key(0).public());
    let node = gateway.get(&path).await;
    assert_eq!(node["item"]["state"], "draining", "the state is there before its event");
    assert!(node["height"].as_u64() >= event["height"].as_u64());
    drop(left);

    grid.register(2, 0).await;
    grid.set(1, 0, NodeState::Retired).await;
    let mut back = gateway.events(event["id"].as_str()).await;
    let kinds = ["node_registered", "node_updated"];
    let missed = [back.next_of(&kinds).await, back.next_of(&kinds).await];
    assert_eq!([&missed[0].0, &missed[1].0], kinds);
    let mut everything = Vec::new();
    for _ in 0..3 {
        everything.push(all.next_of(&kinds).await);
    }
    assert_eq!(everything[1..], missed, "nothing twice, nothing missed");
    assert_eq!(gateway.all("/api/v1/nodes", 2).await.len(), 3);

    let mut lost = gateway.events(Some("0-5")).await;
    assert_eq!(lost.next().await.0, "gap");
    let (_, kept) = lost.next_of(&kinds).await;
    assert_eq!(kept, everything[0].1, "then what is kept");
    let text = gateway.registry.render();
    assert!(text.contains("acre_gate_replica_complete 1\n"), "{text}");
    assert!(text.contains("acre_invariant_violations_total{invariant=\"L1\"} 0\n"), "{text}");
    gateway.stop().await;
    slow.end().await;
}

#[tokio::test]
async fn reads_again_what_it_knew_before_a_gap() {
    let grid = Grid::start(2, 3).await;
    let ledger = &grid.ledger;
    let mut farms: Vec<_> = ledger.farms().await.unwrap().into_iter().map(|(_, f)| f).collect();
    let mut nodes = ledger.nodes().await.unwrap();
    farms.pop();
    nodes.pop();
    farms[0].name = acre_types::Text::new("an old name").unwrap();
    nodes[1].1.state = NodeState::Retired;
    let gateway = grid.gateway_knowing(farms, nodes).await;
    let states: Vec<_> = gateway.all("/api/v1/nodes", 2).await;
    assert!(states.len() == 3 && states.iter().all(|node| node["state"] == "active"));
    let names = gateway.all("/api/v1/farms", 1).await;
    assert_eq!((&names[0]["name"], names.len()), (&"farm 0".into(), 2));
    let statistics = gateway.get("/api/v1/statistics").await["item"].clone();
    assert_eq!((&statistics["nodes_active"], &statistics["nodes_retired"]), (&3.into(), &0.into()));
}

#[tokio::test]
async fn says_how_old_it_is_when_validators_are_gone() {
    let mut grid = Grid::start(1, 2).await;
    let gateway = grid.gateway().await;
    grid.validator.take().unwrap().stop().await.unwrap();
    assert_eq!(gateway.all("/api/v1/nodes", 1).await.len(), 2, "the copy is still there");
    let first = gateway.get("/api/v1/nodes").await["age_ms"].as_u64().unwrap();
    let older = gateway.until("/api/v1/nodes", |page| page["age_ms"].as_u64() > Some(first)).await;
    assert!(older["height"].as_u64().unwrap() > 0);
    let (status, problem) = gateway.ask(&format!("/api/v1/accounts/{}", "1".repeat(64))).await;
    assert_eq!((status, &problem["error"]["code"]), (503, &"ledger_unavailable".into()));
}

#[tokio::test]
async fn refuses_bad_questions_with_the_reason_and_what_to_do() {
    let grid = Grid::start(1, 1).await;
    let gateway = grid.gateway().await;
    let id = "0".repeat(64);
    for (path, status, message) in [
        ("/api/v1/nodes?limit=0", 400, "limit is 0"),
        ("/api/v1/nodes?limit=201", 400, "limit is 201"),
        ("/api/v1/nodes?after=x", 400, "after cannot be 'x'"),
        ("/api/v1/nodes?country=be", 400, "country cannot be 'be'"),
        ("/api/v1/nodes?state=gone", 400, "state cannot be 'gone'"),
        ("/api/v1/nodes?color=red", 400, "there is no parameter 'color'"),
        ("/api/v1/nodes/zz", 400, "the path's id cannot be 'zz'"),
        ("/api/v1/farms/0x1", 400, "the path's number cannot be '0x1'"),
        ("/api/v1/farms/7", 404, "there is no farm 7"),
        ("/api/v1/contracts/7", 404, "there is no contract 7"),
        ("/api/v1/contracts/7/bill", 404, "there is no contract 7"),
        ("/api/v1/twins/Ann", 400, "the path's handle cannot be 'Ann'"),
        ("/api/v1/twins/nobody", 404, "there is no twin nobody"),
        ("/api/v1/proposals/0", 404, "there is no proposal 0"),
        ("/api/v1/blocks/99999999", 404, "block 99999999 is not kept, or not made yet"),
        ("/api/v1/blocks?limit=33", 400, "limit is 33"),
        ("/api/v1/events?after=yesterday", 400, "after cannot be 'yesterday'"),
        ("/api/v1/nothing", 404, "there is no /api/v1/nothing"),
        (
            &format!("/api/v1/contracts?node={id}&state=closed"),
            400,
            "closed contracts are not found by node",
        ),
        (&format!("/api/v1/nodes/{id}"), 404, &format!("there is no node {id}")),
    ] {
        let (found, problem) = gateway.ask(path).await;
        assert_eq!((found, &problem["error"]["message"]), (status, &message.into()), "{path}");
        assert!(problem["error"]["try"].as_str().is_some_and(|hint| !hint.is_empty()), "{path}");
    }
}

#[tokio::test]
async fn the_document_names_every_route_and_answers_are_as_it_says() {
    let grid = Grid::start(1, 3).await;
    let height = grid.contract(&[0, 1, 2]).await;
    let gateway = grid.gateway().await;
    let document = gateway.get("/api/v1/openapi.json").await;
    let mut asked = BTreeSet::new();
    let examples: BTreeMap<&str, String> = [
        ("nodes", node_key(0).public().to_string()),
        ("farms", "1".to_owned()),
        ("contracts", "1".to_owned()),
        ("accounts", account(&owner(0)).to_string()),
        ("blocks", height.to_string()),
        ("receipts", "?farm=1".to_owned()),
    ]
    .into();
    for (path, operations) in document["paths"].as_object().unwrap() {
        let answers = &operations["get"]["responses"]["200"]["content"];
        let Some(schema) = answers.get("application/json").map(|answer| &answer["schema"]) else {
            continue;
        };
        let name = path.split('/').nth(3).unwrap();
        let path = match (path.split_once('{'), examples.get(name)) {
            (Some((base, rest)), Some(example)) => {
                let rest = rest.split_once('}').map_or("", |(_, rest)| rest);
                format!("{base}{example}{rest}")
            }
            (Some(_), None) => continue,
            // What must be asked for by something.
            (None, Some(example)) if example.starts_with('?') => format!("{path}{example}"),
            (None, _) => path.clone(),
        };
        let answer = gateway.get(&path).await;
        let wrong = fits(&document, schema, &answer, &path);
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        asked.insert(path);
    }
    assert!(asked.len() >= 20, "{asked:?}");
    let (_, problem) = gateway.ask("/api/v1/farms/7").await;
    let schema = &document["components"]["responses"]["not_found"]["content"]["application/json"];
    assert!(fits(&document, &schema["schema"], &problem, "problem").is_empty());
}

/// What of a value is not as its schema says: types, required and undeclared fields, patterns of
/// plain ids left to others.
fn fits(document: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let found = document.pointer(reference.strip_prefix('#').unwrap());
        return fits(document, found.expect(reference), value, at);
    }
    for several in ["anyOf", "oneOf"] {
        if let Some(schemas) = schema[several].as_array() {
            let one = schemas.iter().any(|schema| fits(document, schema, value, at).is_empty());
            return if one {
                vec![]
            } else {
                vec![format!("{at}: {value} fits none of {several}")]
            };
        }
    }
    let actual = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let is_fit = match &schema["type"] {
        Value::String(kind) => kind == actual,
        Value::Array(kinds) => kinds.iter().any(|kind| kind == actual),
        _ => true,
    };
    let mut wrong = Vec::new();
    if !is_fit {
        wrong.push(format!("{at}: {value} is no {}", schema["type"]));
    }
    for required in schema["required"].as_array().into_iter().flatten() {
        if value.get(required.as_str().unwrap()).is_none() {
            wrong.push(format!("{at}: {required} is missing"));
        }
    }
    if let (Some(fields), Some(known)) = (value.as_object(), schema["properties"].as_object()) {
        for (name, field) in fields {
            match known.get(name) {
                Some(schema) => {
                    wrong.extend(fits(document, schema, field, &format!("{at}.{name}")))
                }
                None => wrong.push(format!("{at}.{name} is not in the document")),
            }
        }
    }
    for item in value.as_array().into_iter().flatten() {
        wrong.extend(fits(document, &schema["items"], item, &format!("{at}[]")));
    }
    wrong
}
