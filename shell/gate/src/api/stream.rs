//! Server-sent events (HTML Living Standard, section 9.2).
//!
//! A stream is a task that reads the history at its reader's pace: a slow reader holds up nobody,
//! costs two pieces of memory, and is let go when it takes nothing for long.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::stream;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::timeout;

use super::Question;
use crate::dto::Gap;
use crate::explorer::Explorer;
use crate::history::{Batch, EventId};
use crate::limits::{
    EVENTS_PER_PIECE, PIECES_WAITING, STREAM_ALIVE, STREAM_RETRY_MS, STREAM_STALLED, STREAMS,
};
use crate::problem::Problem;

/// How a stream deals with silence on either side.
#[derive(Clone, Copy, Debug)]
struct Pace {
    alive: Duration,
    stalled: Duration,
}

const PACE: Pace = Pace { alive: STREAM_ALIVE, stalled: STREAM_STALLED };

pub(super) fn events(explorer: &Arc<Explorer>, q: &Question) -> Result<Response, Problem> {
    open(explorer, q, PACE)
}

fn open(explorer: &Arc<Explorer>, q: &Question, pace: Pace) -> Result<Response, Problem> {
    let asked = match q.value::<Position>("last-event-id")? {
        Some(position) => Some(position),
        None => q.value::<Position>("after")?,
    };
    let Ok(permit) = Arc::clone(&explorer.streams).try_acquire_owned() else {
        explorer.metrics.streams_refused.up();
        return Err(Problem::busy(format!("{STREAMS} streams of events are open already")));
    };
    let position = asked.map_or_else(|| explorer.history.last(), |Position(id)| id);
    let (pieces, mut received) = mpsc::channel(PIECES_WAITING);
    tokio::spawn(feed(Arc::clone(explorer), position, pace, pieces, permit));
    let body = stream::poll_fn(move |context| received.poll_recv(context));
    let body = futures::StreamExt::map(body, Ok::<Bytes, Infallible>);
    let headers = [(header::CONTENT_TYPE, "text/event-stream; charset=utf-8")];
    Ok((headers, Body::from_stream(body)).into_response())
}

/// An [`EventId`] as a parameter.
struct Position(EventId);

impl std::str::FromStr for Position {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        text.parse().map(Self)
    }
}

/// Sends what is behind the position until the reader leaves or stalls.
async fn feed(
    explorer: Arc<Explorer>,
    mut position: EventId,
    pace: Pace,
    pieces: mpsc::Sender<Bytes>,
    permit: OwnedSemaphorePermit,
) {
    explorer.metrics.streams.add(1);
    let mut news = explorer.history.subscribe();
    let mut piece = format!("retry: {STREAM_RETRY_MS}\n\n");
    loop {
        if !piece.is_empty() {
            match timeout(pace.stalled, pieces.send(Bytes::from(piece))).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => break,
                Err(_) => {
                    explorer.metrics.streams_stalled.up();
                    break;
                }
            }
        }
        news.mark_unchanged();
        piece = text(&explorer.history.behind(position, EVENTS_PER_PIECE), &mut position);
        if !piece.is_empty() {
            continue;
        }
        tokio::select! {
            woken = timeout(pace.alive, news.changed()) => match woken {
                Ok(Ok(())) => {}
                Ok(Err(_)) => break,
                Err(_) => piece = ":\n\n".to_owned(),
            },
            () = pieces.closed() => break,
        }
        if explorer.streams.is_closed() {
            break;
        }
    }
    explorer.metrics.streams.add(-1);
    drop(permit);
}

fn text(batch: &Batch, position: &mut EventId) -> String {
    let mut text = String::new();
    if let Some(end) = batch.gap {
        *position = end;
        let gap = serde_json::to_string(&Gap { up_to_height: end.height }).unwrap_or_default();
        let _ = write!(text, "id: {end}\nevent: gap\ndata: {gap}\n\n");
    }
    for item in &batch.items {
        *position = item.id;
        let _ = write!(text, "id: {}\nevent: {}\ndata: {}\n\n", item.id, item.kind, item.json);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;

    use axum::body::HttpBody as _;
    use axum::http::StatusCode;

    use super::*;
    use crate::explorer::tests::of_nobody;
    use crate::history::Item;

    /// More than all buffers between a stream and a reader hold.
    const MANY: u32 = 20_000;

    const QUICK: Pace = Pace { alive: PACE.alive, stalled: Duration::from_millis(20) };

    fn open(explorer: &Arc<Explorer>, pace: Pace) -> Response {
        let question = Question::default();
        super::open(explorer, &question, pace).unwrap_or_else(IntoResponse::into_response)
    }

    async fn piece(body: &mut Body) -> Option<String> {
        let frame = std::future::poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await;
        let data = frame?.unwrap().into_data().unwrap();
        Some(String::from_utf8(data.to_vec()).unwrap())
    }

    fn publish(explorer: &Explorer, height: u64, count: u32) {
        let items = (0..count).map(|index| Item {
            id: EventId { height, index },
            kind: "test".into(),
            json: "{}".into(),
        });
        explorer.history.publish(items);
    }

    #[tokio::test]
    async fn slow_reader_holds_up_nobody_and_is_let_go() {
        let explorer = of_nobody().await;
        let slow = open(&explorer, QUICK);
        let mut fast = open(&explorer, PACE).into_body();
        assert!(piece(&mut fast).await.unwrap().starts_with("retry: "));
        publish(&explorer, 1, MANY);
        let mut heard = 0;
        while heard < MANY as usize {
            heard += piece(&mut fast).await.unwrap().matches("event: test\n").count();
        }
        assert_eq!(heard, MANY as usize);
        while explorer.streams.available_permits() < STREAMS - 1 {
            tokio::task::yield_now().await;
        }
        assert_eq!(explorer.metrics.streams_stalled.get(), 1);
        // What was sent before it stalled is still there, then the stream ends.
        let mut slow = slow.into_body();
        let mut pieces = 0;
        while piece(&mut slow).await.is_some() {
            pieces += 1;
        }
        assert!(pieces <= PIECES_WAITING + 1, "{pieces} pieces were held for it");
    }

    #[tokio::test]
    async fn silent_stream_says_that_it_lives_and_ends_with_the_gateway() {
        let explorer = of_nobody().await;
        let pace = Pace { alive: Duration::from_millis(5), ..PACE };
        let mut stream = open(&explorer, pace).into_body();
        assert!(piece(&mut stream).await.unwrap().starts_with("retry: "));
        assert_eq!(piece(&mut stream).await.unwrap(), ":\n\n");
        explorer.end_streams();
        while let Some(said) = piece(&mut stream).await {
            assert_eq!(said, ":\n\n");
        }
        assert_eq!(open(&explorer, PACE).status(), StatusCode::SERVICE_UNAVAILABLE);
    }

    #[tokio::test]
    async fn refuses_more_streams_than_its_limit_until_one_ends() {
        let explorer = of_nobody().await;
        let mut streams: Vec<_> = (0..STREAMS).map(|_| open(&explorer, PACE)).collect();
        assert!(streams.iter().all(|stream| stream.status() == StatusCode::OK));
        assert_eq!(open(&explorer, PACE).status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(explorer.metrics.streams_refused.get(), 1);
        streams.pop();
        while explorer.streams.available_permits() == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(open(&explorer, PACE).status(), StatusCode::OK);
    }
}
