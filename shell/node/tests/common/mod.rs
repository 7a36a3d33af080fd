//! A validator and real nodes with epochs of seconds.
#![allow(dead_code, unreachable_pub, reason = "each test uses its part")]
#![allow(clippy::unwrap_used, reason = "tests")]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use acre_chain::{LedgerClient, Validator};
use acre_codec::List;
use acre_crypto::{Secret, SigningKey};
use acre_ledger::{
    Action, Capacity, CapacityRules, ChaseParams, Contract, Genesis, GridKind, JoinToken,
    NewContract, NewKind, NewStorage, Parameters, PuzzleParams, SignedJoinToken,
};
use acre_net::rpc::{Caller, Message};
use acre_net::{Endpoint, Service, StaticBook};
use acre_node::{Config, Node, Offer};
use acre_store::protocol::{Reply, Request, decode_reply};
use acre_store::shard::{PackClass, PackHeader, PackParts, ShardHeader};
use acre_types::{AccountId, Amount, Bytes, ContractId, NodeId, PackId, Profile, Text, UnixMs};
use tempfile::TempDir;

/// Most bytes of plots of a node, and what of it whole regions of a grid on one machine take.
pub(crate) const PLOTS: Bytes = Bytes(5 << 20);
/// See [`PLOTS`].
pub(crate) const PLOTTED: Bytes = Bytes(4 << 20);
/// Between two looks at the ledger, and how many of them are enough on the slowest machine.
pub(crate) const LOOK: Duration = Duration::from_millis(200);
/// Patience with one call.
const CALL: Duration = Duration::from_secs(30);
/// See [`LOOK`].
pub(crate) const LOOKS: usize = 400;

/// A key of its own for each kind and number.
pub(crate) fn key(kind: u8, number: usize) -> SigningKey {
    let mut seed = [kind; 32];
    seed[0] = u8::try_from(number).unwrap();
    SigningKey::from_seed(Secret::new(seed))
}

/// Who pays for contracts, and writes: the farmer of node 0.
pub(crate) fn tenant() -> SigningKey {
    key(2, 0)
}

/// Bytes of each shard of [`shard`].
pub(crate) const SHARD_BYTES: usize = 256 << 10;

/// Shard `index` of pack `pack`, as the tenant's client sends it.
pub(crate) fn shard(contract: ContractId, pack: u8, index: usize) -> (ShardHeader, Vec<u8>) {
    let body = |index: u8| {
        let seed = [contract.0.to_le_bytes().as_slice(), &[pack, index]].concat();
        acre_crypto::digest(&seed).0.repeat(SHARD_BYTES / 32)
    };
    let header = PackHeader::new(PackParts {
        contract,
        pack: PackId([pack; 16]),
        profile: Profile::Tiny,
        class: PackClass::Data,
        pack_bytes: 2 * u32::try_from(SHARD_BYTES).unwrap(),
        roots: (0..3).map(|index| acre_crypto::digest(&body(index))).collect(),
    });
    let header = header.unwrap();
    let signature = header.sign(&tenant());
    let position = Profile::Tiny.shard(index).unwrap();
    (ShardHeader::new(header, signature, position).unwrap(), body(position.get()))
}

/// A port that nobody uses now, below those that the system gives to outgoing connections.
fn free_address() -> SocketAddr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    const PORTS: u32 = 20_000;
    loop {
        let drawn = NEXT.fetch_add(1, Ordering::Relaxed);
        let place = std::process::id().wrapping_mul(64).wrapping_add(drawn) % PORTS;
        let address = SocketAddr::from(([127, 0, 0, 1], u16::try_from(10_000 + place).unwrap()));
        if std::net::TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

/// A validator, and what is needed to join it.
pub(crate) struct Grid {
    dir: TempDir,
    pub(crate) genesis: Genesis,
    pub(crate) validator: Validator,
    pub(crate) ledger: LedgerClient,
    book: Arc<StaticBook>,
    shards: Caller,
}

impl Grid {
    /// With a farmer for each of `nodes` nodes, and epochs of seconds.
    pub(crate) async fn start(nodes: usize, parameters: Parameters) -> Self {
        Self::chased(nodes, parameters, ChaseParams::local()).await
    }

    /// The same, with other rules for the speed of storage.
    pub(crate) async fn chased(nodes: usize, parameters: Parameters, chase: ChaseParams) -> Self {
        let capacity = CapacityRules { epoch_ms: 3000, slots: 3, chase, ..CapacityRules::local() };
        Self::start_under(nodes, Parameters { capacity, ..parameters }).await
    }

    /// As [`Grid::start`], with epochs that have room for musters: what a node is asked takes 240 ms at par.
    pub(crate) async fn start_with_musters(nodes: usize) -> Self {
        let puzzle = PuzzleParams { par_ms: 60, ..PuzzleParams::local() };
        let local = CapacityRules::local();
        let capacity = CapacityRules { epoch_ms: 4000, slots: 3, puzzle, ..local };
        Self::start_under(nodes, Parameters { capacity, ..Parameters::default() }).await
    }

    async fn start_under(nodes: usize, parameters: Parameters) -> Self {
        let dir = TempDir::new().unwrap();
        let validator = key(1, 0);
        let rich = Amount::tft(1_000_000).unwrap();
        let owners = (0..nodes).map(|number| AccountId::from(key(2, number).public()));
        let rpc = free_address();
        let genesis = Genesis {
            name: Text::new("test").unwrap(),
            kind: GridKind::Test,
            time: UnixMs(1_700_000_000_000),
            validators: List::new(vec![acre_ledger::Validator {
                key: validator.public(),
                engine: Text::new("127.0.0.1:1").unwrap(),
                // Where it is: nodes learn addresses from the ledger.
                rpc: Text::new(rpc.to_string()).unwrap(),
            }])
            .unwrap(),
            parameters,
            foundation: AccountId([0xf0; 32]),
            admitted: List::default(),
            grants: List::new(owners.map(|owner| (owner, rich)).collect()).unwrap(),
        };
        let mut config =
            acre_chain::Config::local(dir.path().join("v"), genesis.clone(), validator);
        config.rpc = rpc;
        let validator = Validator::start(config).await.unwrap();
        let address = validator.rpc_address();
        let book = Arc::new(StaticBook::from_iter([(validator.key(), address)]));
        let endpoint = Endpoint::bind(&key(9, 0), None, book.clone()).await.unwrap();
        let ledger = LedgerClient::new(&genesis, endpoint.clone(), vec![validator.key()]);
        let shards = Caller::new(endpoint, Service::new(acre_store::protocol::SERVICE));
        Self { dir, genesis, validator, ledger, book, shards }
    }

    pub(crate) fn dir(&self, number: usize) -> PathBuf {
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

    pub(crate) async fn join(&self, number: usize) -> Node {
        let token = self.token(number).await;
        self.run(number, Some(token)).await
    }

    /// Starts a node that joined before, or joins with this token.
    pub(crate) async fn run(&self, number: usize, token: Option<SignedJoinToken>) -> Node {
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
            token,
            genesis: self.genesis.clone(),
            validators: vec![(self.validator.key(), self.validator.rpc_address())],
            plots: PLOTS,
        };
        let node = Node::start(config).await.unwrap();
        self.book.insert(node.id().key(), vec![node.address()]);
        node
    }

    /// Asks nodes as the owner of this key.
    pub(crate) async fn caller(&self, key: &SigningKey, service: &'static str) -> Caller {
        let endpoint = Endpoint::bind(key, None, self.book.clone()).await.unwrap();
        Caller::new(endpoint, Service::new(service))
    }

    /// Asks a node for something about its shards.
    pub(crate) async fn ask(&self, node: &Node, request: Request, body: &[u8]) -> Reply {
        let message = Message::new(acre_codec::encode(&request), body.to_vec());
        let reply = self.shards.call(node.id().key(), message, CALL).await.unwrap();
        decode_reply(&reply.meta).unwrap()
    }

    /// What a contract is now.
    pub(crate) async fn contract(&self, id: ContractId) -> Contract {
        self.ledger.contract(id).await.unwrap().unwrap()
    }

    /// A new contract of the tenant.
    pub(crate) async fn buy(&self, kind: NewKind, period_ms: u64) -> ContractId {
        let new = NewContract { kind, period_ms, budget: Amount(u64::MAX) };
        let action = Action::CreateContract(new);
        self.ledger.submit(&tenant(), action).await.unwrap();
        let owned = self.ledger.contracts_of(tenant().public().into()).await.unwrap();
        owned.iter().map(|contract| contract.id).max().unwrap()
    }

    /// 24 MiB of storage at three nodes, for so long.
    pub(crate) async fn storage(&self, nodes: &[Node], period_ms: u64) -> ContractId {
        let places = nodes.iter().take(3).map(Node::id).collect();
        let kind = NewKind::Storage(NewStorage {
            profile: Profile::Tiny,
            places: List::new(places).unwrap(),
            bytes: Bytes(24 << 20),
            writer: tenant().public(),
        });
        self.buy(kind, period_ms).await
    }

    /// Looks at a node until the ledger says of it what is wanted.
    pub(crate) async fn until(
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
