//! A grid of one validator with farms and registered nodes, a gateway, and HTTP as plain text.
#![allow(dead_code, reason = "each test uses its part")]
#![allow(clippy::unwrap_used, reason = "tests")]

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use acre_chain::{Config, LedgerClient, Validator};
use acre_codec::List;
use acre_crypto::{Secret, SigningKey};
use acre_gate::{Explorer, Registry, Report, Source, serve};
use acre_ledger::limits::EPOCH_MS_MIN;
use acre_ledger::{
    Action, Capacity, CapacityRules, Farm, Genesis, GridKind, JoinToken, NewContract, NewKind,
    NewStorage, Node, NodeOffer, NodeState, Parameters, SignedJoinToken,
    Validator as GenesisValidator,
};
use acre_net::{Endpoint, StaticBook};
use acre_types::{AccountId, Amount, Bytes, FarmId, NodeId, Profile, Text, UnixMs};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const COUNTRIES: [&str; 3] = ["BE", "NL", "FR"];

pub(crate) fn key(kind: u8, number: u8) -> SigningKey {
    let mut seed = [kind; 32];
    seed[0] = number;
    SigningKey::from_seed(Secret::new(seed))
}

/// The owner of a farm; 0 also owns contracts.
pub(crate) fn owner(number: u8) -> SigningKey {
    key(2, number)
}

pub(crate) fn node_key(number: u8) -> SigningKey {
    key(3, number)
}

pub(crate) fn account(key: &SigningKey) -> AccountId {
    key.public().into()
}

struct NoPage;

impl Source for NoPage {
    fn report(&self) -> Pin<Box<dyn Future<Output = Report> + Send + '_>> {
        let (nodes, volumes) = (vec![], vec![]);
        let (ledger, ledger_error) = (None, Some("not asked in this test".to_owned()));
        Box::pin(async move { Report { taken_ms: 1, ledger, ledger_error, nodes, volumes } })
    }
}

pub(crate) struct Grid {
    dir: TempDir,
    pub(crate) genesis: Genesis,
    pub(crate) validator: Option<Validator>,
    pub(crate) ledger: LedgerClient,
}

impl Grid {
    /// With `farms` farms and `nodes` nodes, node i in farm i mod farms and country i mod 3.
    pub(crate) async fn start(farms: u8, nodes: u8) -> Self {
        let capacity = CapacityRules { epoch_ms: EPOCH_MS_MIN, ..CapacityRules::local() };
        Self::start_with(farms, nodes, Parameters { capacity, ..Parameters::default() }).await
    }

    /// As [`Grid::start`], by these parameters.
    pub(crate) async fn start_with(farms: u8, nodes: u8, parameters: Parameters) -> Self {
        let dir = TempDir::new().unwrap();
        let rich = Amount::tft(1_000_000).unwrap();
        let grants = (0..farms.max(1)).map(|number| (account(&owner(number)), rich)).collect();
        let validator_key = key(1, 0);
        let genesis = Genesis {
            name: Text::new("test").unwrap(),
            kind: GridKind::Test,
            time: UnixMs(1_700_000_000_000),
            validators: List::new(vec![GenesisValidator {
                key: validator_key.public(),
                engine: Text::new("127.0.0.1:1").unwrap(),
                rpc: Text::new("127.0.0.1:2").unwrap(),
            }])
            .unwrap(),
            parameters,
            foundation: AccountId([0xf0; 32]),
            admitted: List::default(),
            grants: List::new(grants).unwrap(),
        };
        let config = Config::local(dir.path().join("v"), genesis.clone(), validator_key);
        let validator = Validator::start(config).await.unwrap();
        let ledger = client(&genesis, &validator, 200).await;
        let grid = Self { dir, genesis, validator: Some(validator), ledger };
        for number in 0..farms {
            let name = Text::new(format!("farm {number}")).unwrap();
            let payout = account(&owner(number));
            grid.submit(&owner(number), Action::CreateFarm { name, payout }).await;
        }
        for number in 0..nodes {
            grid.register(number, number % farms).await;
        }
        grid
    }

    pub(crate) async fn submit(&self, key: &SigningKey, action: Action) -> u64 {
        self.ledger.submit(key, action).await.unwrap().height.0
    }

    pub(crate) async fn register(&self, number: u8, farm: u8) {
        let (chain, expires) = (self.genesis.digest(), UnixMs(u64::MAX));
        let farm_id = FarmId(u32::from(farm) + 1);
        let token = JoinToken { chain, farm: farm_id, node: None, expires };
        let token = SignedJoinToken::new(token, &owner(farm));
        let storage = Bytes(u64::from(number + 1) << 40);
        let offer = NodeOffer {
            site: Text::new(format!("site {number}")).unwrap(),
            country: COUNTRIES[usize::from(number) % 3].parse().unwrap(),
            capacity: Capacity { storage, cores: u32::from(number) + 1, memory: Bytes(1 << 30) },
            addresses: List::new(vec![Text::new("127.0.0.1:9").unwrap()]).unwrap(),
        };
        self.submit(&node_key(number), Action::RegisterNode { token, offer }).await;
    }

    /// Sets a node's state, by its farm's owner.
    pub(crate) async fn set(&self, number: u8, farm: u8, state: NodeState) -> u64 {
        let node = NodeId::from(node_key(number).public());
        let found = self.ledger.node(node).await.unwrap().unwrap();
        let (capacity, addresses) = (found.capacity, found.addresses);
        let action = Action::UpdateNode { node, capacity, addresses, state };
        self.submit(&owner(farm), action).await
    }

    /// A contract of owner 0 on these nodes.
    pub(crate) async fn contract(&self, nodes: &[u8]) -> u64 {
        let places = nodes.iter().map(|number| NodeId::from(node_key(*number).public())).collect();
        let kind = NewKind::Storage(NewStorage {
            profile: Profile::Tiny,
            places: List::new(places).unwrap(),
            bytes: Bytes(1 << 20),
            writer: owner(0).public(),
        });
        let new = NewContract { kind, period_ms: 3_600_000, budget: Amount(u64::MAX) };
        self.submit(&owner(0), Action::CreateContract(new)).await
    }

    /// A gateway of this grid.
    pub(crate) async fn gateway(&self) -> Gateway {
        self.gateway_knowing(vec![], vec![]).await
    }

    /// A gateway that knew these rows before.
    pub(crate) async fn gateway_knowing(
        &self,
        farms: Vec<Farm>,
        nodes: Vec<(NodeId, Node)>,
    ) -> Gateway {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let ledger = client(&self.genesis, self.validator.as_ref().unwrap(), 201).await;
        let registry = Registry::default();
        let explorer = Explorer::new(ledger, &registry);
        explorer.fill(farms, nodes);
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let stopped = async move { drop(stopped.await) };
        let task = tokio::spawn(serve(listener, Arc::new(NoPage), explorer, stopped));
        let gateway = Gateway { address, registry, stop: Some(stop), task };
        gateway.until("/api/v1/grid", |answer| answer["fresh"] == true).await;
        gateway
    }
}

async fn client(genesis: &Genesis, validator: &Validator, number: u8) -> LedgerClient {
    let book = StaticBook::from_iter([(validator.key(), validator.rpc_address())]);
    let endpoint = Endpoint::bind(&key(9, number), None, Arc::new(book)).await.unwrap();
    LedgerClient::new(genesis, endpoint, vec![validator.key()])
}

pub(crate) struct Gateway {
    pub(crate) address: SocketAddr,
    pub(crate) registry: Registry,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    task: tokio::task::JoinHandle<Result<(), acre_gate::GateError>>,
}

impl Gateway {
    /// Status and JSON of a path.
    pub(crate) async fn ask(&self, path: &str) -> (u16, Value) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address);
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let body = serde_json::from_str(body).unwrap_or_else(|e| panic!("{path}: {e}: {answer}"));
        (status, body)
    }

    /// JSON of a path that must be good.
    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> impl Future<Output = Value> {
        let path = path.to_owned();
        async move {
            let (status, answer) = self.ask(&path).await;
            assert_eq!(status, 200, "{path}: {answer}");
            answer
        }
    }

    /// Asks until the answer is as wanted.
    pub(crate) async fn until(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let asking = async {
            loop {
                let (status, answer) = self.ask(path).await;
                if status == 200 && wanted(&answer) {
                    return answer;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, asking).await.unwrap_or_else(|_| panic!("{path} never came"))
    }

    /// All items of all pages.
    pub(crate) async fn all(&self, path: &str, limit: usize) -> Vec<Value> {
        let (mut items, mut after) = (Vec::new(), String::new());
        let join = if path.contains('?') { '&' } else { '?' };
        loop {
            let page = self.get(&format!("{path}{join}limit={limit}{after}")).await;
            let rows = page["items"].as_array().unwrap();
            assert!(rows.len() <= limit);
            items.extend(rows.iter().cloned());
            match page["next_after"].as_u64() {
                Some(next) => after = format!("&after={next}"),
                None => return items,
            }
        }
    }

    /// A stream of events; from where it was left if an id is given.
    pub(crate) async fn events(&self, last: Option<&str>) -> Stream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let last = last.map(|last| format!("Last-Event-ID: {last}\r\n")).unwrap_or_default();
        let request =
            format!("GET /api/v1/events HTTP/1.1\r\nHost: {}\r\n{last}\r\n", self.address);
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut stream = Stream { reader: BufReader::new(stream) };
        // The first piece: from here on nothing is missed.
        stream.line(|line| line.starts_with("retry:")).await;
        stream
    }

    /// Stops it; it must end by itself.
    pub(crate) async fn stop(mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        tokio::time::timeout(PATIENCE, &mut self.task).await.unwrap().unwrap().unwrap();
    }
}

pub(crate) struct Stream {
    reader: BufReader<TcpStream>,
}

impl Stream {
    async fn line(&mut self, wanted: impl Fn(&str) -> bool) -> String {
        let reading = async {
            loop {
                let mut line = String::new();
                let read = self.reader.read_line(&mut line).await.unwrap();
                assert!(read > 0, "the stream ended");
                if wanted(line.trim_end()) {
                    return line.trim_end().to_owned();
                }
            }
        };
        tokio::time::timeout(PATIENCE, reading).await.expect("no such line came")
    }

    /// The next event: its kind and its data.
    pub(crate) async fn next(&mut self) -> (String, Value) {
        let kind = self.line(|line| line.starts_with("event: ")).await;
        let data = self.line(|line| line.starts_with("data: ")).await;
        let data = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
        (kind.strip_prefix("event: ").unwrap().to_owned(), data)
    }

    /// The next event of one of these kinds.
    pub(crate) async fn next_of(&mut self, kinds: &[&str]) -> (String, Value) {
        loop {
            let event = self.next().await;
            if kinds.contains(&event.0.as_str()) {
                return event;
            }
        }
    }

    /// Reads to the end.
    pub(crate) async fn end(mut self) {
        let mut rest = Vec::new();
        let reading = self.reader.read_to_end(&mut rest);
        tokio::time::timeout(PATIENCE, reading).await.expect("the stream ends").unwrap();
    }
}
