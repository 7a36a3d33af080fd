//! All routes, with headers that leave a browser nothing to be tricked into.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, oneshot};
use tokio::time::sleep;

use crate::limits::{CONNECTION_IDLE, CONNECTIONS, STOP_GRACE};
use crate::listen::Bounded;
use crate::problem::{Code, Problem};
use crate::{Explorer, GateError, Report, Source, api, follow};

/// A report is shared by all who ask within this time, so that many open pages cost one look.
const FRESH: Duration = Duration::from_secs(2);

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

struct Gate {
    source: Arc<dyn Source>,
    last: Mutex<Option<(Instant, Arc<Report>)>>,
    hosts: [String; 4],
}

/// Serves the page and the explorer's API, and follows the ledger, until `stop` completes.
///
/// # Errors
/// The listener failed.
pub async fn serve(
    listener: TcpListener,
    source: Arc<dyn Source>,
    explorer: Arc<Explorer>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), GateError> {
    let address = listener.local_addr().map_err(GateError::Serve)?;
    let gate = Arc::new(Gate { source, last: Mutex::new(None), hosts: hosts(address) });
    let router = Router::new()
        .route("/", get(|| async { asset("text/html; charset=utf-8", PAGE) }))
        .route("/page.js", get(|| async { asset("text/javascript; charset=utf-8", SCRIPT) }))
        .route("/page.css", get(|| async { asset("text/css; charset=utf-8", STYLE) }))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/api/status", get(status))
        .with_state(Arc::clone(&gate))
        .merge(api::router(&explorer))
        .fallback(|request: Request| async move { api::no_route(request.uri().path()) })
        .layer(middleware::from_fn_with_state(gate, guard));
    let (stopping, mut stopped) = oneshot::channel();
    let ending = Arc::clone(&explorer);
    let stop = async move {
        stop.await;
        // Streams have no end of their own.
        ending.end_streams();
        drop(stopping);
    };
    let serving = axum::serve(Bounded::new(listener, CONNECTIONS, CONNECTION_IDLE), router);
    let late = async {
        // Completes with an error when the sender is dropped, which is all it does.
        let _: Result<(), _> = (&mut stopped).await;
        sleep(STOP_GRACE).await;
    };
    tokio::select! {
        served = serving.with_graceful_shutdown(stop) => served.map_err(GateError::Serve),
        () = follow::run(explorer) => Ok(()),
        () = late => Ok(()),
    }
}

/// Keeps other pages from loading an answer even where they could not read it.
const OWN_ORIGIN_ONLY: &str = "cross-origin-resource-policy";

const PAGE: &str = include_str!("../assets/page.html");
const SCRIPT: &str = include_str!("../assets/page.js");
const STYLE: &str = include_str!("../assets/page.css");

fn asset(kind: &'static str, text: &'static str) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, kind)], text)
}

/// The names by which a browser on this machine may call us.
fn hosts(address: SocketAddr) -> [String; 4] {
    let port = address.port();
    let names = ["localhost", "127.0.0.1", "[::1]"].map(|name| format!("{name}:{port}"));
    let [name, four, six] = names;
    [address.to_string(), name, four, six]
}

async fn guard(State(gate): State<Arc<Gate>>, request: Request, next: Next) -> Response {
    if !is_known_host(request.headers(), &gate.hosts) {
        let hint = "call the gateway by the address that acre status prints";
        let message = "this address is not served here";
        return Problem::new(Code::UnknownHost, message, hint).into_response();
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(OWN_ORIGIN_ONLY, HeaderValue::from_static("same-origin"));
    response
}

fn is_known_host(headers: &HeaderMap, hosts: &[String]) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    host.is_some_and(|host| hosts.iter().any(|known| known == host))
}

async fn status(State(gate): State<Arc<Gate>>) -> Response {
    let mut last = gate.last.lock().await;
    let report = match last.as_ref() {
        Some((taken, report)) if taken.elapsed() < FRESH => Arc::clone(report),
        _ => {
            let report = Arc::new(gate.source.report().await);
            *last = Some((Instant::now(), Arc::clone(&report)));
            report
        }
    };
    drop(last);
    axum::Json(&*report).into_response()
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    struct Empty(AtomicUsize);
    impl Source for Empty {
        fn report(&self) -> Pin<Box<dyn Future<Output = Report> + Send + '_>> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Box::pin(async {
                Report {
                    taken_ms: 1,
                    ledger: None,
                    ledger_error: Some("no validator answers".to_owned()),
                    nodes: vec![],
                    volumes: vec![],
                }
            })
        }
    }

    async fn ask(address: SocketAddr, request: &str) -> String {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    async fn started() -> (SocketAddr, Arc<Empty>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let source = Arc::new(Empty(AtomicUsize::new(0)));
        let served = Arc::clone(&source);
        let explorer = crate::explorer::tests::of_nobody().await;
        tokio::spawn(
            async move { serve(listener, served, explorer, std::future::pending()).await },
        );
        (address, source)
    }

    fn get(path: &str, host: &str) -> String {
        format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
    }

    #[tokio::test]
    async fn serves_the_page_and_its_facts() {
        let (address, source) = started().await;
        let host = address.to_string();
        let page = ask(address, &get("/", &host)).await;
        assert!(page.starts_with("HTTP/1.1 200") && page.contains("<title>Acre</title>"), "{page}");
        assert!(page.contains("content-security-policy: default-src 'none'"), "{page}");
        for _ in 0..2 {
            let facts = ask(address, &get("/api/status", &host)).await;
            assert!(facts.contains(r#""ledger_error":"no validator answers""#), "{facts}");
        }
        assert_eq!(source.0.load(Ordering::Relaxed), 1, "a fresh report is shared");
    }

    #[tokio::test]
    async fn refuses_foreign_hosts_and_methods() {
        let (address, _) = started().await;
        let foreign = ask(address, &get("/api/status", "evil.example")).await;
        assert!(foreign.starts_with("HTTP/1.1 403"), "{foreign}");
        let foreign = ask(address, &get("/api/v1/nodes", "evil.example")).await;
        assert!(foreign.starts_with("HTTP/1.1 403"), "{foreign}");
        let post = get("/api/status", &address.to_string()).replace("GET", "POST");
        assert!(ask(address, &post).await.starts_with("HTTP/1.1 405"));
        let post = get("/api/v1/nodes", &address.to_string()).replace("GET", "POST");
        let refused = ask(address, &post).await;
        assert!(refused.starts_with("HTTP/1.1 405") && refused.contains("read_only"), "{refused}");
    }
}
