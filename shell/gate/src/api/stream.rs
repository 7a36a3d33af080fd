//! Server-sent events (HTML Living Standard, section 9.2).
//!
//! A stream is a task that reads the history at its reader's pace: a slow reader holds up nobody,
//! costs two pieces of memory, and is let go when it takes nothing for long.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::sync::Arc;

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

pub(super) fn events(explorer: &Arc<Explorer>, q: &Question) -> Result<Response, Problem> {
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
    tokio::spawn(feed(Arc::clone(explorer), position, pieces, permit));
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
    pieces: mpsc::Sender<Bytes>,
    permit: OwnedSemaphorePermit,
) {
    explorer.metrics.streams.add(1);
    let mut news = explorer.history.subscribe();
    let mut piece = format!("retry: {STREAM_RETRY_MS}\n\n");
    loop {
        if !piece.is_empty() {
            match timeout(STREAM_STALLED, pieces.send(Bytes::from(piece))).await {
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
            woken = timeout(STREAM_ALIVE, news.changed()) => match woken {
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
