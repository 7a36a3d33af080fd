//! `acre node list|show|join`.

use acre_chain::LedgerClient;
use acre_ledger::{Action, EpochState, Node, NodeState, PowerOf, SignedJoinToken, TheEpoch};
use acre_types::{Bytes, Epoch, NodeId};
use serde_json::{Value, json};

use super::person::Person;
use super::show;
use crate::asking::{failure, reader};
use crate::cli::Join;
use crate::context;
use crate::exit::{Code, Failure, Outcome};
use crate::home::Home;
use crate::output::Output;
use crate::role;

pub(crate) async fn list(home: &Home, out: &Output) -> Outcome {
    let nodes = reader(home).await?.nodes().await.map_err(failure)?;
    let values: Vec<Value> = nodes.iter().map(|(id, node)| show::named_node(*id, node)).collect();
    out.data(&json!({ "nodes": values }), || {
        let head = format!(
            "{:<10} {:<9} {:<22} {:>12} {:>12} {:>12} {:>7}  {:>5}",
            "NODE", "STATE", "SITE", "OFFERED", "PROVEN", "RESERVED", "UP", "FARM"
        );
        let lines = nodes.iter().map(|(id, node)| line(*id, node));
        std::iter::once(head).chain(lines).collect::<Vec<_>>().join("\n")
    });
    Ok(())
}

fn line(id: NodeId, node: &Node) -> String {
    let id: String = id.to_string().chars().take(8).collect();
    let site = format!("{}, {}", node.site, node.country);
    let [offered, proven, reserved] =
        [node.capacity.storage, node.proven().storage, node.reserved.storage]
            .map(|bytes| bytes.to_string());
    let state = show::node_state(node.state);
    let up = uptime(node);
    let farm = node.farm;
    format!(
        "{id:<10} {state:<9} {site:<22} {offered:>12} {proven:>12} {reserved:>12} {up:>7}  {farm:>5}"
    )
}

/// The share of its due time for which a node was up, by its witnesses; nothing counted yet: `-`.
fn uptime(node: &Node) -> String {
    let permille = u128::from(node.record.up) * 1000;
    match permille.checked_div(u128::from(node.record.due)) {
        Some(permille) => format!("{}.{} %", permille / 10, permille % 10),
        None => "-".to_owned(),
    }
}

pub(crate) async fn show(home: &Home, id: &str, out: &Output) -> Outcome {
    let ledger = reader(home).await?;
    tell(&ledger, id, out).await
}

async fn tell(ledger: &LedgerClient, id: &str, out: &Output) -> Outcome {
    let nodes = ledger.nodes().await.map_err(failure)?;
    let (id, node) = find(&nodes, id)?;
    let epoch = present_epoch(ledger).await?;
    let mut value = described(*id, node, &epoch, &nodes);
    let power = ledger.read(&PowerOf(*id)).await.map_err(failure)?;
    value["power"] = power.as_ref().map_or(Value::Null, show::power);
    out.data(&value, || show::lines(&value));
    Ok(())
}

pub(super) async fn present_epoch(ledger: &LedgerClient) -> Outcome<EpochState> {
    let epoch = ledger.read(&TheEpoch).await.map_err(failure)?;
    Ok(epoch.ok_or_else(|| Failure::new(Code::Damaged, "the ledger has no epoch"))?)
}

/// The one node whose id begins so.
pub(super) fn find<'a>(nodes: &'a [(NodeId, Node)], id: &str) -> Outcome<&'a (NodeId, Node)> {
    let mut found = nodes.iter().filter(|(known, _)| known.to_string().starts_with(id));
    match (found.next(), found.next()) {
        (Some(node), None) => Ok(node),
        (None, _) => {
            let what = format!("no node has an id that begins with '{id}'");
            Err(Failure::new(Code::NotFound, what).hint("acre node list").into())
        }
        (Some(_), Some(_)) => {
            let what = format!("'{id}' begins the ids of several nodes");
            Err(Failure::new(Code::Usage, what).hint("write more of the id").into())
        }
    }
}

/// What an owner says of a node of his farm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Whether it takes contracts.
    To(NodeState),
    /// It will sleep, beginning so many epochs from now, for so many.
    Sleep { after: u64, epochs: u16 },
    /// It will not, or no longer.
    Wake,
}

/// `acre node drain|retire|sleep|wake`.
pub(crate) async fn turn(home: &Home, id: &str, turn: Turn, out: &Output) -> Outcome {
    let person = Person::of(home).await?;
    let nodes = person.ledger.nodes().await.map_err(failure)?;
    let (node, known) = find(&nodes, id)?;
    let node = *node;
    let action = match turn {
        Turn::To(state) => Action::UpdateNode {
            node,
            capacity: known.capacity,
            addresses: known.addresses.clone(),
            state,
        },
        Turn::Sleep { after, epochs } => {
            let running = present_epoch(&person.ledger).await?.number;
            let from = Epoch(running.0.saturating_add(after));
            Action::SleepNode { node, from, epochs }
        }
        Turn::Wake => Action::WakeNode { node },
    };
    person.submit(action).await?;
    tell(&person.ledger, &node.to_string(), out).await
}

/// A node with its uptime, who watches it in the epoch that runs, and whom it watches.
fn described(id: NodeId, node: &Node, epoch: &EpochState, nodes: &[(NodeId, Node)]) -> Value {
    let mut value = show::named_node(id, node);
    let assignment = epoch.assignment();
    let ids = |indexes: Vec<u32>| -> Vec<NodeId> {
        let at = |index: &u32| nodes.get(usize::try_from(*index).ok()?).map(|(id, _)| *id);
        indexes.iter().filter_map(at).collect()
    };
    // None of either for one that registered in this epoch.
    let watched_by = ids(assignment.witnesses_of(node.index));
    let watches = ids(assignment.duties_of(node.index));
    let permille = (u128::from(node.record.up) * 1000).checked_div(node.record.due.into());
    value["uptime_permille"] = json!(permille);
    value["epoch"] = json!(epoch.number);
    value["watched_by"] = json!(watched_by);
    value["watches"] = json!(watches);
    value
}

/// Makes the directory of a node that `acre node run` then runs.
pub(crate) fn join(join: &Join, out: &Output) -> Outcome {
    let dir = std::path::absolute(&join.dir)?;
    if dir.join("settings.json").exists() {
        let what = format!("{} holds a node already", dir.display());
        return Err(Failure::new(Code::Conflict, what)
            .state("it was not changed")
            .hint(format!("acre node run --dir {}", dir.display()))
            .into());
    }
    let token = read_token(&join.token_file)?;
    let grid = std::path::absolute(&join.grid)?;
    if token.token.chain != context::genesis_at(&grid)?.digest() {
        let what = "the token is for another grid";
        return Err(Failure::new(Code::Denied, what).state("nothing was made").into());
    }
    if join.site.is_empty() {
        let what = "--site is empty: a pack's shards lie at sites of their own, so each has a name";
        return Err(Failure::new(Code::Usage, what).state("nothing was made").into());
    }
    if join.capacity < MIN_CAPACITY {
        let what = format!("{} is too little: offer at least {MIN_CAPACITY}", join.capacity);
        return Err(Failure::new(Code::Usage, what).state("nothing was made").into());
    }
    let grid = if grid.is_dir() { grid.join("grid") } else { adopted(&grid, &dir)? };
    let key = role::key(&dir)?.public();
    role::node::write_token(&dir, &token)?;
    let settings = role::node::Settings {
        grid,
        listen: join.listen,
        site: join.site.clone(),
        country: join.country,
        capacity_bytes: join.capacity.0,
        plot_bytes: crate::role::node::plot_bytes(),
    };
    role::write_settings(&dir, &settings)?;
    out.data(&json!({ "node": key, "dir": dir.display().to_string() }), || {
        format!("node {key} may join. Run it: acre node run --dir {}", dir.display())
    });
    Ok(())
}

/// Two segments and the room to clean up; see the shard log.
pub(crate) const MIN_CAPACITY: Bytes = Bytes(64 * 1024 * 1024);

/// A genesis file alone: the node keeps a copy of its own.
fn adopted(genesis: &std::path::Path, dir: &std::path::Path) -> Outcome<std::path::PathBuf> {
    let bytes = std::fs::read(genesis)
        .map_err(|error| Failure::new(Code::NotFound, format!("{}: {error}", genesis.display())))?;
    let folder = dir.join("context");
    crate::home::write_file(&folder.join("genesis"), &bytes)?;
    Ok(folder)
}

fn read_token(file: &std::path::Path) -> Outcome<SignedJoinToken> {
    let wrong = |why: String| {
        Failure::new(Code::Denied, format!("{}: {why}", file.display()))
            .state("nothing was made")
            .hint("acre farm token N > FILE, by the owner of the farm")
    };
    let text = std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
    let text = text.trim();
    let digits = (0..text.len()).step_by(2).map(|at| text.get(at..at + 2));
    let bytes: Option<Vec<u8>> = digits.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect();
    let bytes = bytes.ok_or_else(|| wrong("not a token in hexadecimal".to_owned()))?;
    Ok(acre_codec::decode(&bytes).map_err(|error| wrong(error.to_string()))?)
}
