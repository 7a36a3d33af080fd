//! Real nodes, a validator and epochs of seconds: who holds what it says is verified, who does not
//! is found.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use acre_chain::{LedgerClient, Validator};
use acre_codec::List;
use acre_crypto::{Secret, SigningKey};
use acre_ledger::{
    Action, Capacity, CapacityRules, Genesis, GridKind, JoinToken, Parameters, SignedJoinToken,
};
use acre_net::{Endpoint, StaticBook};
use acre_node::{Config, Node, Offer};
use acre_types::{AccountId, Amount, Bytes, NodeId, Text, UnixMs};
use tempfile::TempDir;

const NODES: usize = 5;
/// Four regions of a grid on one machine.
const PLOTS: Bytes = Bytes(5 << 20);
const PLOTTED: Bytes = Bytes(4 << 20);
/// Between two looks at the ledger, and how many of them are enough on the slowest machine.
const LOOK: Duration = Duration::from_millis(200);
const LOOKS: usize = 400;

fn key(kind: u8, number: usize) -> SigningKey {
    let mut seed = [kind; 32];
    seed[0] = u8::try_from(number).unwrap();
    SigningKey::from_seed(Secret::new(seed))
}

struct Grid {
    dir: TempDir,
    genesis: Genesis,
    validator: Validator,
    ledger: LedgerClient,
}

impl Grid {
    async fn start() -> Self {
        let dir = TempDir::new().unwrap();
        let validator = key(1, 0);
        let rich = Amount::tft(1_000_000).unwrap();
        let owners = (0..NODES).map(|number| AccountId::from(key(2, number).public()));
        let capacity = CapacityRules { epoch_ms: 3000, slots: 3, ..CapacityRules::local() };
        let genesis = Genesis {
            name: Text::new("test").unwrap(),
            kind: GridKind::Test,
            time: UnixMs(1_700_000_000_000),
            validators: List::new(vec![acre_ledger::Validator {
                key: validator.public(),
                engine: Text::new("127.0.0.1:1").unwrap(),
                rpc: Text::new("127.0.0.1:2").unwrap(),
            }])
            .unwrap(),
            parameters: Parameters { capacity, ..Parameters::default() },
            foundation: AccountId([0xf0; 32]),
            admitted: List::default(),
            grants: List::new(owners.map(|owner| (owner, rich)).collect()).unwrap(),
        };
        let config = acre_chain::Config::local(dir.path().join("v"), genesis.clone(), validator);
        let validator = Validator::start(config).await.unwrap();
        let address = validator.rpc_address();
        let book = Arc::new(StaticBook::from_iter([(validator.key(), address)]));
        let endpoint = Endpoint::bind(&key(9, 0), None, book).await.unwrap();
        let ledger = LedgerClient::new(&genesis, endpoint, vec![validator.key()]);
        Self { dir, genesis, validator, ledger }
    }

    fn dir(&self, number: usize) -> std::path::PathBuf {
        self.dir.path().join(format!("n{number}"))
    }

    async fn token(&self, number: usize) -> SignedJoinToken {
        let owner = key(2, number);
        let account = AccountId::from(owner.public());
        let name = Text::new(format!("farm {number}")).unwrap();
        let action = Action::CreateFarm { name, payout: account };
        self.ledger.submit(&owner, action).await.unwrap();
        let farm = self.ledger.farms_of(account).await.unwrap()[0].0;
        let (chain, expires) = (self.genesis.digest(), UnixMs(u64::MAX));
        SignedJoinToken::new(JoinToken { chain, farm, node: None, expires }, &owner)
    }

    async fn join(&self, number: usize) -> Node {
        let listen: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let offer = Offer {
            site: format!("site {number}"),
            country: "BE".parse().unwrap(),
            capacity: Capacity { storage: Bytes(64 << 20), cores: 1, memory: Bytes(1 << 30) },
        };
        let config = Config {
            dir: self.dir(number),
            key: key(3, number),
            listen,
            offer,
            token: Some(self.token(number).await),
            genesis: self.genesis.clone(),
            validators: vec![(self.validator.key(), self.validator.rpc_address())],
            plots: PLOTS,
        };
        Node::start(config).await.unwrap()
    }

    /// Looks at a node until the ledger says of it what is wanted.
    async fn until(
        &self,
        id: NodeId,
        what: &str,
        is_so: impl Fn(&acre_ledger::Node) -> bool,
    ) -> acre_ledger::Node {
        for _ in 0..LOOKS {
            let node = self.ledger.node(id).await.unwrap().unwrap();
            if is_so(&node) {
                return node;
            }
            tokio::time::sleep(LOOK).await;
        }
        let node = self.ledger.node(id).await.unwrap().unwrap();
        panic!("{id} is not {what}: {:?} {:?}", node.verified, node.record);
    }
}

/// Keeps the length of each plot and loses what is in it.
fn empty_plots(dir: &Path) {
    for entry in std::fs::read_dir(dir.join("plots")).unwrap() {
        let path = entry.unwrap().path();
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        let bytes = file.metadata().unwrap().len();
        file.set_len(0).unwrap();
        file.set_len(bytes).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn holders_are_verified_and_cheats_are_found() {
    let grid = Grid::start().await;
    let mut nodes = Vec::new();
    for number in 0..NODES {
        nodes.push(grid.join(number).await);
    }
    for node in &nodes {
        let seen = grid.until(node.id(), "verified", |node| {
            node.verified.storage == PLOTTED && node.verified.cores == 1
        });
        let seen = seen.await;
        assert_eq!(seen.verified.memory, Bytes(1 << 30), "a lane stands for all of it");
        assert!(seen.witnessing.reports > 0 || seen.record.epochs > 0);
    }

    // One is gone, one lost its plots without noticing.
    let gone = nodes.pop().unwrap();
    let gone_id = gone.id();
    gone.stop().await;
    let emptied = nodes.last().unwrap().id();
    empty_plots(&grid.dir(NODES - 2));
    let seen = grid.until(gone_id, "found gone", |node| {
        node.verified.storage == Bytes(0) && node.record.up < node.record.due
    });
    seen.await;
    let seen = grid.until(emptied, "found empty", |node| {
        node.verified.storage == Bytes(0) && node.record.failed > 0
    });
    let seen = seen.await;
    assert!(seen.record.up > 0, "it is there, though: {:?}", seen.record);

    let honest = nodes.first().unwrap().id();
    let seen = grid.until(honest, "still verified", |node| node.verified.storage == PLOTTED);
    seen.await;
    for node in nodes {
        node.stop().await;
    }
}
