//! What farms earn, stake and share, and what a token is worth, over a real validator and socket.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use acre_codec::List;
use acre_ledger::{
    Action, Capacity, CapacityRules, ContractKind, Failures, FeedRules, Finding, Member,
    MintingRules, NewContract, NewKind, NewWorkload, NodeAt, Parameters, Prices, Reason, Report,
    Resources, TheEpoch, TokenPrice, TokenSource, Verdict,
};
use acre_types::{Amount, Bytes, ContractId, Digest, FarmId, NodeId, UnixMs};
use common::{Grid, account, node_key, owner};
use serde_json::Value;

/// Epochs long enough that reports get in, each a period.
fn parameters() -> Parameters {
    let capacity = CapacityRules { epoch_ms: 1500, ..CapacityRules::local() };
    Parameters { capacity, minting: MintingRules::local(), ..Parameters::default() }
}

/// All nodes report that all others were there, then the first one's reward is claimed.
async fn witness(grid: &Grid, nodes: u8) {
    let Some(past) = grid.ledger.read(&TheEpoch).await.unwrap().unwrap().past else { return };
    let measured = Capacity { storage: Bytes(1 << 40), cores: 1, memory: Bytes(1 << 30) };
    let (sold, failures) = (Bytes(0), Failures::default());
    let finding = Finding { asked: 6, answered: 6, measured, sold, failures, solid: Bytes(0) };
    for number in 0..nodes {
        let key = node_key(number);
        let own = grid.ledger.node(key.public().into()).await.unwrap().unwrap();
        let mut verdicts = Vec::new();
        for index in past.assignment().duties_of(own.index) {
            let node = grid.ledger.read(&NodeAt(index)).await.unwrap().unwrap();
            verdicts.push(Verdict { node, finding });
        }
        verdicts.sort_by_key(|verdict| verdict.node);
        let verdicts = List::new(verdicts).unwrap();
        // Too late for this epoch, or said already: another one comes.
        let action = Action::ReportWitness { epoch: past.number, verdicts };
        let _ = grid.ledger.submit(&key, action).await;
    }
    for number in 0..nodes {
        let action = Action::ClaimReward { node: node_key(number).public().into() };
        // Nothing may be due yet.
        let _ = grid.ledger.submit(&owner(0), action).await;
    }
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[tokio::test]
async fn receipts_are_found_by_node_and_by_farm_and_add_up() {
    let grid = Grid::start_with(2, 4, parameters()).await;
    let gateway = grid.gateway().await;
    let mut stream = gateway.events(None).await;
    let id = NodeId::from(node_key(0).public());
    let of_node = format!("/api/v1/receipts?node={id}");
    let is_paid = |receipt: &&Value| receipt["total_tft"] != "0";
    for _ in 0..60 {
        witness(&grid, 4).await;
        let found = gateway.all(&of_node, 200).await;
        if found.iter().filter(is_paid).count() >= 2 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
    let (_, event) = stream.next_of(&["reward_minted"]).await;
    assert_eq!(event["nodes"].as_array().unwrap().len(), 1);

    let found = gateway.all(&of_node, 1).await;
    assert!(found.iter().filter(is_paid).count() >= 2, "{found:?}");
    let periods: Vec<_> = found.iter().map(|receipt| number(&receipt["period"])).collect();
    assert!(periods.windows(2).all(|pair| pair[0] > pair[1]), "newest first, each once");
    for receipt in &found {
        assert_eq!(receipt["recomputes"], true, "{receipt}");
        assert_eq!((&receipt["node"], &receipt["farm"]), (&id.to_string().into(), &1.into()));
    }
    let paid = found.iter().find(is_paid).unwrap();
    assert_eq!(
        (&paid["reason"], &paid["payout"]),
        (&"paid".into(), &account(&owner(0)).to_string().into())
    );
    assert!(number(&paid["hdd_bytes"]) > 0 && number(&paid["up_ms"]) > 0);
    let lines = paid["lines"].as_array().unwrap();
    assert!(lines.iter().any(|line| line["item"] == "storage"), "{lines:?}");

    // Nodes 0 and 2 are of farm 1.
    let of_farm = gateway.all("/api/v1/receipts?farm=1", 3).await;
    let nodes: std::collections::BTreeSet<_> =
        of_farm.iter().map(|receipt| receipt["node"].as_str().unwrap().to_owned()).collect();
    let wanted = [0, 2].map(|number| node_key(number).public().to_string());
    assert_eq!(nodes, wanted.into());
    let is_mine = |receipt: &&Value| receipt["node"] == id.to_string();
    let mine: Vec<_> = of_farm.iter().filter(is_mine).collect();
    assert!(found.iter().all(|receipt| mine.contains(&receipt)), "the same, by farm");

    for (path, status) in [
        ("/api/v1/receipts".to_owned(), 400),
        (format!("{of_node}&farm=1"), 400),
        ("/api/v1/receipts?farm=9".to_owned(), 404),
        (format!("/api/v1/receipts?node={}", "0".repeat(64)), 404),
    ] {
        assert_eq!(gateway.ask(&path).await.0, status, "{path}");
    }
    let text = gateway.registry.render();
    assert!(text.contains("acre_invariant_violations_total{invariant=\"L7\"} 0\n"), "{text}");
}

#[tokio::test]
async fn farm_shows_its_stake_members_and_certificate() {
    let grid = Grid::start_with(2, 1, parameters()).await;
    let farm = FarmId(1);
    let amount = Amount::tft(5).unwrap();
    grid.submit(&owner(0), Action::StakeFarm { farm, amount }).await;
    let amount = Amount::tft(2).unwrap();
    grid.submit(&owner(0), Action::UnstakeFarm { farm, amount }).await;
    let part = |number, parts| Member { account: account(&owner(number)), parts };
    let members = List::new(vec![part(0, 3), part(1, 1)]).unwrap();
    let gateway = grid.gateway().await;
    let mut stream = gateway.events(None).await;
    grid.submit(&owner(0), Action::ProposeMembers { farm, members: members.clone() }).await;
    stream.next_of(&["members_proposed"]).await;
    let shown = gateway.get("/api/v1/farms/1").await["item"].clone();
    assert_eq!((&shown["stake_tft"], &shown["members"]), (&"3".into(), &Value::Array(vec![])));
    assert_eq!(shown["releases"][0]["amount_tft"], "2");
    assert_eq!(shown["proposed_members"]["missing"][0], account(&owner(1)).to_string());
    grid.submit(&owner(1), Action::AcceptMembers { farm, members }).await;
    stream.next_of(&["members_changed"]).await;
    let shown = gateway.get("/api/v1/farms/1").await["item"].clone();
    assert_eq!(
        (&shown["members"][0]["parts"], &shown["proposed_members"]),
        (&3.into(), &Value::Null)
    );
    assert_eq!(gateway.all("/api/v1/farms", 1).await[0], shown);
    let certificate = gateway.get("/api/v1/farms/1/certificate").await["item"].clone();
    assert_eq!((&certificate["farm"], &certificate["level"]), (&1.into(), &"diy".into()));
    assert_eq!(gateway.ask("/api/v1/farms/9/certificate").await.0, 404);
    let power = gateway.get(&format!("/api/v1/nodes/{}/power", node_key(0).public())).await;
    assert_eq!((&power["item"]["state"], &power["item"]["nap"]), (&"awake".into(), &Value::Null));
}

#[tokio::test]
async fn price_is_shown_with_its_feeds_and_their_median() {
    let grid = Grid::start_with(1, 0, parameters()).await;
    let gateway = grid.gateway().await;
    let price = gateway.get("/api/v1/price").await["item"].clone();
    assert_eq!((&price["micro_usd"], &price["source"]), (&80_000.into(), &"fixed".into()));
    assert_eq!(price["feeds"], Value::Null);

    let rules = FeedRules {
        feeds: List::new((0..3).map(|number| account(&owner(number))).collect()).unwrap(),
        fresh_ms: 3_600_000,
        quorum: 2,
        step_permille: 500,
        step_ms: 1000,
        start: TokenPrice(80_000),
        least: TokenPrice(10_000),
        most: TokenPrice(1_000_000),
    };
    let prices = Prices { token: TokenSource::Feeds(rules), ..Prices::default() };
    let grid = Grid::start_with(3, 0, Parameters { prices, ..parameters() }).await;
    let gateway = grid.gateway().await;
    let before = gateway.get("/api/v1/price").await["item"].clone();
    assert_eq!((&before["micro_usd"], &before["source"]), (&80_000.into(), &"feeds".into()));
    assert_eq!(
        (&before["feeds"]["median_micro_usd"], &before["feeds"]["stale"]),
        (&Value::Null, &true.into())
    );
    for (feed, price) in [(0, 90_000), (1, 100_000)] {
        grid.submit(&owner(feed), Action::PostPrice { price: TokenPrice(price) }).await;
    }
    let after = gateway.get("/api/v1/price").await["item"].clone();
    let feeds = &after["feeds"];
    assert_eq!((&feeds["median_micro_usd"], &feeds["stale"]), (&90_000.into(), &false.into()));
    let posts = feeds["posts"].as_array().unwrap();
    let said: Vec<_> = posts.iter().map(|post| (&post["micro_usd"], &post["fresh"])).collect();
    let (yes, no) = (Value::Bool(true), Value::Bool(false));
    assert_eq!(said, [(&90_000.into(), &yes), (&100_000.into(), &yes), (&Value::Null, &no)]);
    assert_eq!(posts[0]["feed"], account(&owner(0)).to_string());
}

#[tokio::test]
async fn rejected_contract_tells_the_reason() {
    let grid = Grid::start_with(1, 1, parameters()).await;
    let gateway = grid.gateway().await;
    let mut stream = gateway.events(None).await;
    let now = gateway.get("/api/v1/grid").await["block_time_ms"].as_u64().unwrap();
    let kind = NewKind::Workload(NewWorkload {
        spec: Digest([5; 32]),
        node: node_key(0).public().into(),
        resources: Resources { cores_milli: 500, memory: Bytes(1 << 28), ..Resources::default() },
        traffic: Bytes(0),
        hour_max: acre_ledger::MicroUsd(u64::MAX),
        deadline: UnixMs(now + 3_600_000),
    });
    let new = NewContract { kind, period_ms: 3_600_000, budget: Amount(u64::MAX) };
    grid.submit(&owner(0), Action::CreateContract(new)).await;
    stream.next_of(&["contract_created"]).await;
    let shown = gateway.get("/api/v1/contracts/1").await["item"].clone();
    assert_eq!((&shown["state"], &shown["kind"]), (&"pending".into(), &"workload".into()));
    assert_eq!(shown["closed_cause"], Value::Null);
    let report = Report::Rejected { reason: Reason::new("no room").unwrap() };
    let contract = ContractId(1);
    let action = Action::ReportWorkload { contract, number: 0, traffic: Bytes(0), report };
    grid.submit(&node_key(0), action).await;
    stream.next_of(&["contract_closed"]).await;
    let shown = gateway.get("/api/v1/contracts/1").await["item"].clone();
    assert_eq!(
        (&shown["closed_cause"], &shown["closed_reason"]),
        (&"rejected".into(), &"no room".into())
    );
    let held = grid.ledger.contract(contract).await.unwrap().unwrap();
    assert!(matches!(held.kind, ContractKind::Workload(_)));
}
