//! 64 KiB written to 20 endpoints and acknowledged, against the same over plain TCP, in one run.
//!
//! `cargo bench -p acre-net`; last it tells the memory of an idle connection. Both ends are in this process, so the CPU time is of client and
//! servers together; the clock of the process is read from `/proc`.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a bench reports and stops")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use acre_crypto::{Secret, SigningKey};
use acre_net::rpc::{Caller, Handler, Message, Services, serve};
use acre_net::{AddressBook, Endpoint, Service, StaticBook};
use acre_types::PublicKey;
use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

const PEERS: u8 = 20;
const REQUESTS: usize = 40_000;
/// Calls in flight per peer.
const DEPTH: usize = 4;
const META_BYTES: usize = 128;
const BODY_BYTES: usize = 64 * 1024;
const IDLE: u8 = 90;
const ROUNDS: usize = 3;
const WRITE: Service = Service::new("write/1");

#[derive(Clone, Copy)]
struct Figure {
    per_second: f64,
    cpu_us: f64,
}

fn main() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let (caller, keys) = calls().await;
        let sockets = plain().await;
        println!("{REQUESTS} writes of 64 KiB, acknowledged, {PEERS} peers x {DEPTH} in flight");
        for round in 1..=ROUNDS {
            let tcp = measure(|peer, _| Arc::clone(&sockets[peer]).write()).await;
            let ours = measure(|peer, _| write(caller.clone(), keys[peer])).await;
            print("plain tcp", round, tcp);
            print("acre-net", round, ours);
            println!(
                "   ratio: requests/s {:.2}, cpu {:.2}",
                ours.per_second / tcp.per_second,
                ours.cpu_us / tcp.cpu_us
            );
        }
        idle().await;
    });
}

/// Resident memory that idle connections cost, both ends together.
async fn idle() {
    let book = Arc::new(StaticBook::new());
    let server = endpoint(200, &book).await;
    let _serving = serve(&server, Services::new().calls(WRITE, store()));
    let before = resident_bytes();
    let mut callers = Vec::new();
    for n in 101..=100 + IDLE {
        let caller = Caller::new(endpoint(n, &book).await, WRITE);
        let message = Message::new(vec![1; META_BYTES], vec![2; BODY_BYTES]);
        caller.call(server.key(), message, Duration::from_secs(60)).await.unwrap();
        callers.push(caller);
    }
    let each = resident_bytes().saturating_sub(before) / usize::from(IDLE) / 1024;
    println!("idle connection after a 64 KiB write: {each} KiB, both ends and an endpoint");
}

/// The second field of statm, in pages of 4 KiB.
fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

fn print(name: &str, round: usize, figure: Figure) {
    let Figure { per_second, cpu_us } = figure;
    let per_gb = cpu_us * 1e-6 * 1e9 / 65_536.0;
    println!(
        "{round}  {name:9} {per_second:8.0} requests/s {cpu_us:6.1} cpu us/request {per_gb:5.2} s/GB"
    );
}

async fn measure<F>(write: impl Fn(usize, usize) -> F) -> Figure
where
    F: Future<Output = ()> + Send + 'static,
{
    let (start, cpu) = (Instant::now(), cpu_us());
    let mut writers = JoinSet::new();
    for peer in 0..usize::from(PEERS) {
        for lane in 0..DEPTH {
            writers.spawn(write(peer, lane));
        }
    }
    writers.join_all().await;
    Figure {
        per_second: REQUESTS as f64 / start.elapsed().as_secs_f64(),
        cpu_us: (cpu_us() - cpu) / REQUESTS as f64,
    }
}

/// User and system time of this process: fields 14 and 15 of its stat, in 1/100 s.
fn cpu_us() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after = stat.rsplit(')').next().unwrap();
    let fields: Vec<&str> = after.split_whitespace().collect();
    let ticks = |n: usize| fields[n].parse::<f64>().unwrap();
    (ticks(11) + ticks(12)) * 1e4
}

const EACH: usize = REQUESTS / (PEERS as usize * DEPTH);

async fn endpoint(n: u8, book: &Arc<StaticBook>) -> Endpoint {
    let key = SigningKey::from_seed(Secret::new([n; 32]));
    let any = Some("127.0.0.1:0".parse().unwrap());
    let book_of = Arc::clone(book) as Arc<dyn AddressBook>;
    let endpoint = Endpoint::bind(&key, any, book_of).await.unwrap();
    book.insert(endpoint.key(), vec![endpoint.local_addr().unwrap()]);
    endpoint
}

/// Takes the body, acknowledges it.
fn store() -> impl Handler {
    let seen = AtomicUsize::new(0);
    move |_: PublicKey, message: Message| {
        seen.fetch_add(message.body.len(), Ordering::Relaxed);
        async { Message::new(&b"stored"[..], Bytes::new()) }
    }
}

async fn calls() -> (Caller, Vec<PublicKey>) {
    let book = Arc::new(StaticBook::new());
    let caller = Caller::new(endpoint(100, &book).await, WRITE);
    let mut keys = Vec::new();
    for n in 0..PEERS {
        let server = endpoint(n, &book).await;
        std::mem::forget(serve(&server, Services::new().calls(WRITE, store())));
        keys.push(server.key());
    }
    (caller, keys)
}

async fn write(caller: Caller, peer: PublicKey) {
    let message = Message::new(vec![1; META_BYTES], vec![2; BODY_BYTES]);
    for _ in 0..EACH {
        let reply = caller.call(peer, message.clone(), Duration::from_secs(60)).await.unwrap();
        assert_eq!(reply.meta, b"stored".as_slice());
    }
}

/// A connection over which one writes at a time, with the next request written before the reply to
/// the one before is read, `DEPTH` of them: as little work as plain TCP can do for this.
struct Plain(tokio::sync::Mutex<TcpStream>);

impl Plain {
    async fn write(self: Arc<Self>) {
        let request = vec![2; META_BYTES + BODY_BYTES];
        let mut reply = [0; 26];
        for round in 0..EACH / DEPTH {
            let mut tcp = self.0.lock().await;
            for _ in 0..DEPTH {
                tcp.write_all(&request).await.unwrap();
            }
            for _ in 0..DEPTH {
                tcp.read_exact(&mut reply).await.unwrap();
            }
            assert_eq!(reply[0], 1, "round {round}");
        }
    }
}

async fn plain() -> Vec<Arc<Plain>> {
    let mut plain = Vec::new();
    for _ in 0..PEERS {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let mut tcp = listener.accept().await.unwrap().0;
            tcp.set_nodelay(true).unwrap();
            let mut request = vec![0; META_BYTES + BODY_BYTES];
            while tcp.read_exact(&mut request).await.is_ok() {
                tcp.write_all(&[1; 26]).await.unwrap();
            }
        });
        let tcp = TcpStream::connect(address).await.unwrap();
        tcp.set_nodelay(true).unwrap();
        plain.push(Arc::new(Plain(tokio::sync::Mutex::new(tcp))));
    }
    plain
}
