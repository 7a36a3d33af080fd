//! A replica of 100,000 nodes, as the seeds tell of it: 600 farms, 21 countries, 18,000 cores in
//! one story and 90 PB. Prints memory, and times of pages over a real loopback socket.
//!
//! `cargo bench -p acre-gate --bench explorer [NODES]`
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a bench")]

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use acre_chain::LedgerClient;
use acre_codec::List;
use acre_crypto::{Secret, SigningKey};
use acre_gate::{Explorer, Registry, Report, Source, serve};
use acre_ledger::{
    Capacity, Farm, Genesis, GridKind, Node, NodeState, Parameters, Record, WitnessRecord,
};
use acre_net::{Endpoint, StaticBook};
use acre_types::{AccountId, Bytes, Country, FarmId, NodeId, Text, UnixMs};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const FARMS: u32 = 600;
const COUNTRIES: u32 = 21;
const CORES: u32 = 18_000;
const STORAGE_BYTES: u64 = 90_000_000_000_000_000;
const QUESTIONS: usize = 2_000;

struct NoPage;

impl Source for NoPage {
    fn report(&self) -> Pin<Box<dyn Future<Output = Report> + Send + '_>> {
        let (nodes, volumes) = (vec![], vec![]);
        Box::pin(async { Report { taken_ms: 0, ledger: None, ledger_error: None, nodes, volumes } })
    }
}

fn id(kind: u8, number: u32) -> [u8; 32] {
    let mut bytes = [kind; 32];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    *acre_crypto::digest(&bytes).as_bytes()
}

fn country(number: u32) -> Country {
    let letter = char::from(b'A' + u8::try_from(number % COUNTRIES).unwrap());
    format!("A{letter}").parse().unwrap()
}

/// Farms of very different sizes: the first ones have most nodes.
fn farm_of(number: u32) -> u32 {
    let spread = u64::from(number) * 2_654_435_761 % 1_000_003;
    let part = spread * spread / 1_000_003;
    u32::try_from(part * u64::from(FARMS) / 1_000_003).unwrap().min(FARMS - 1) + 1
}

fn node(number: u32, nodes: u32) -> (NodeId, Node) {
    let farm = farm_of(number);
    let cores = CORES / nodes + u32::from(number < CORES % nodes);
    let storage = Bytes(STORAGE_BYTES / u64::from(nodes));
    let capacity = Capacity { storage, cores, memory: Bytes(16 << 30) };
    let node = Node {
        index: number,
        farm: FarmId(farm),
        operator: AccountId(id(2, farm)),
        site: Text::new(format!("house {number}")).unwrap(),
        country: country(number / 7),
        capacity,
        reserved: acre_ledger::Resources::storage(Bytes(storage.0 / 2)),
        asked: acre_ledger::Resources::default(),
        rented: None,
        addresses: List::new(vec![Text::new("203.0.113.77:40000").unwrap()]).unwrap(),
        state: if number.is_multiple_of(50) { NodeState::Draining } else { NodeState::Active },
        registered: UnixMs(1_700_000_000_000),
        verified: capacity,
        solid: storage,
        lent: Capacity::default(),
        record: Record::default(),
        witnessing: WitnessRecord::default(),
    };
    (NodeId(id(3, number)), node)
}

fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().strip_suffix("kB").unwrap().trim().parse::<u64>().unwrap() * 1024
}

/// One connection that is kept open.
struct Asker {
    stream: TcpStream,
    host: String,
}

impl Asker {
    async fn ask(&mut self, path: &str) -> usize {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.host);
        self.stream.write_all(request.as_bytes()).await.unwrap();
        let (mut answer, mut wanted) = (Vec::new(), usize::MAX);
        while answer.len() < wanted {
            assert!(self.stream.read_buf(&mut answer).await.unwrap() > 0, "closed");
            if wanted == usize::MAX
                && let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n")
            {
                let head = String::from_utf8_lossy(&answer[..end]).to_lowercase();
                assert!(head.starts_with("http/1.1 200"), "{path}: {head}");
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                wanted = end + 4 + length.unwrap().parse::<usize>().unwrap();
            }
        }
        answer.len()
    }

    /// Asks many times; paths are made from the number of the question.
    async fn measure(&mut self, what: &str, path: impl Fn(usize) -> String) {
        let mut times = Vec::with_capacity(QUESTIONS);
        let mut bytes = 0;
        for number in 0..QUESTIONS {
            let path = path(number);
            let began = Instant::now();
            bytes = self.ask(&path).await;
            times.push(began.elapsed());
        }
        times.sort();
        let at = |part: usize| micros(times[(QUESTIONS - 1) * part / 100]);
        println!("{what:<44} p50 {:>6} µs  p99 {:>6} µs  {bytes:>7} bytes", at(50), at(99));
    }
}

fn micros(time: Duration) -> u128 {
    time.as_micros()
}

#[tokio::main]
async fn main() {
    let nodes = std::env::args().skip(1).find_map(|text| text.parse().ok()).unwrap_or(100_000);
    let genesis = Genesis {
        name: Text::new("bench").unwrap(),
        kind: GridKind::Test,
        time: UnixMs(0),
        validators: List::new(vec![]).unwrap(),
        parameters: Parameters::default(),
        foundation: AccountId([0; 32]),
        grants: List::new(vec![]).unwrap(),
        admitted: List::default(),
    };
    let key = SigningKey::from_seed(Secret::new([9; 32]));
    let endpoint = Endpoint::bind(&key, None, Arc::new(StaticBook::new())).await.unwrap();
    let ledger = LedgerClient::new(&genesis, endpoint, vec![]);
    let explorer = Explorer::new(ledger, &Registry::default());

    let before = resident_bytes();
    let began = Instant::now();
    let farms = (1..=FARMS).map(|number| {
        let owner = AccountId(id(2, number));
        Farm::new(Text::new(format!("farm {number}")).unwrap(), owner, owner)
    });
    explorer.fill(farms.collect(), (0..nodes).map(|number| node(number, nodes)).collect());
    let took = began.elapsed();
    let held = resident_bytes().saturating_sub(before);
    println!(
        "{nodes} nodes, {FARMS} farms, {COUNTRIES} countries: made in {} ms, {} MiB more memory, {} bytes a node",
        took.as_millis(),
        held >> 20,
        held / u64::from(nodes),
    );

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, Arc::new(NoPage), explorer, std::future::pending()));
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let mut asker = Asker { stream, host: address.to_string() };
    let spread = |number: usize| number as u64 * 7_919 % u64::from(nodes);

    asker.measure("first page of 50", |_| "/api/v1/nodes".to_owned()).await;
    let any = |limit| move |number| format!("/api/v1/nodes?limit={limit}&after={}", spread(number));
    asker.measure("any page of 50", any(50)).await;
    asker.measure("any page of 200", any(200)).await;
    let of_country = |number| format!("/api/v1/nodes?country=AB&after={}", spread(number));
    asker.measure("any page of 50 of a country", of_country).await;
    let both = |number| {
        let farm = number % FARMS as usize + 1;
        format!("/api/v1/nodes?farm={farm}&state=draining")
    };
    asker.measure("those of a farm that drain", both).await;
    asker.measure("a farm", |number| format!("/api/v1/farms/{}", number % 600 + 1)).await;
    asker.measure("page of 50 farms with their sums", |_| "/api/v1/farms".to_owned()).await;
    asker.measure("statistics (shared for 500 ms)", |_| "/api/v1/statistics".to_owned()).await;

    let mut times = Vec::new();
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_millis(600)).await;
        let began = Instant::now();
        asker.ask("/api/v1/statistics").await;
        times.push(began.elapsed());
    }
    times.sort();
    println!("statistics made anew: {} µs", micros(times[2]));

    let began = Instant::now();
    let (mut after, mut pages) = (0, 0);
    while after < u64::from(nodes) {
        asker.ask(&format!("/api/v1/nodes?limit=200&after={after}")).await;
        (after, pages) = (after + 200, pages + 1);
    }
    println!("all nodes in {pages} pages of 200: {} ms", began.elapsed().as_millis());
    std::process::exit(0);
}
