//! Serves streams of events: each subscriber reads committed blocks at its own pace.
//!
//! The queue of a subscriber is the store itself: a slow one costs the memory of one frame, is cut off
//! when it takes nothing for long, and may come back with the height it has reached. The frames of
//! the latest blocks are made once for all. On a quiet chain a subscriber hears one block in ten
//! seconds, not each empty one.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use acre_codec::{List, decode_bounded};
use acre_ledger::Event;
use acre_net::{Framed, Incoming, NetError};
use acre_types::Height;
use bytes::Bytes;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use crate::defaults::HEARTBEAT;
use crate::error::StoreError;
use crate::limits::{
    BLOCKS_IN_FRAMES, EVENT_BYTES_PER_FRAME, EVENTS_MAX, FRAME_BYTES_MAX, SUBSCRIBERS,
};
use crate::protocol::{Finality, Frame, Subscribe};
use crate::service::finality_of;
use crate::shared::Shared;

/// Blocks of the past looked at before other tasks get their turn: about a millisecond.
const BLOCKS_AT_A_TIME: u64 = 128;

/// The server of streams.
#[derive(Clone)]
pub(crate) struct Feed {
    shared: Arc<Shared>,
    subscribers: Arc<Semaphore>,
    frames: Arc<Mutex<VecDeque<BlockInFrames>>>,
}

/// A block as subscribers hear of it.
struct BlockInFrames {
    height: Height,
    frames: Vec<Bytes>,
}

/// Why a stream ends.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error(transparent)]
    Net(#[from] NetError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the subscriber does not keep to the protocol")]
    Malformed,
    #[error("the validator stops")]
    Stopping,
}

impl Feed {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let subscribers = Arc::new(Semaphore::new(SUBSCRIBERS));
        Self { shared, subscribers, frames: Arc::default() }
    }

    /// Runs one stream to its end.
    pub(crate) async fn serve(self, incoming: Incoming) {
        let peer = incoming.peer;
        let mut stream = Framed::new(incoming.stream, FRAME_BYTES_MAX);
        let served = match self.subscribers.clone().try_acquire_owned() {
            Ok(_permit) => self.follow(&mut stream).await,
            Err(_) => send(&mut stream, Frame::Full).await.map_err(End::from),
        };
        match served {
            Ok(()) => drop(stream.close().await),
            Err(reason) => tracing::debug!(?peer, %reason, "a stream of events ended"),
        }
    }

    async fn follow(&self, stream: &mut Framed) -> Result<(), End> {
        let hello = timeout(HEARTBEAT, stream.recv()).await.map_err(|_| End::Malformed)??;
        let hello = hello.ok_or(End::Malformed)?;
        let Subscribe { from } = decode_bounded(&hello, 64).map_err(|_| End::Malformed)?;
        let mut next = from.0.max(1);
        let mut head = self.shared.head.subscribe();
        let mut spoken = Instant::now();
        loop {
            let newest = head.borrow_and_update().as_ref().map_or(0, |head| head.height.0);
            while next <= newest {
                let Some(block) = self.shared.reader.head(next)? else {
                    let oldest = self.shared.reader.range()?.map_or(0, |(oldest, _)| oldest);
                    send(stream, Frame::Gone { oldest: Height(oldest) }).await?;
                    return Ok(());
                };
                let is_quiet = block.body_bytes == 0;
                let is_due = next == newest && spoken.elapsed() >= HEARTBEAT;
                // The first frame tells a subscriber where the chain stands.
                let is_first = next == newest && from.0 == next;
                if !is_quiet || is_due || is_first {
                    self.send_block(stream, Height(next)).await?;
                    spoken = Instant::now();
                }
                next += 1;
                if next.is_multiple_of(BLOCKS_AT_A_TIME) {
                    tokio::task::yield_now().await;
                }
            }
            tokio::select! {
                changed = head.changed() => changed.map_err(|_| End::Stopping)?,
                // The subscriber has nothing more to say.
                said = stream.recv() => match said? {
                    None => return Ok(()),
                    Some(_) => return Err(End::Malformed),
                },
            }
        }
    }

    async fn send_block(&self, stream: &mut Framed, height: Height) -> Result<(), End> {
        let mut index = 0;
        // Asked for one by one, so that a subscriber that takes none holds no more than one.
        while let Some(frame) = self.frame(height, index)? {
            stream.send(frame).await?;
            index += 1;
        }
        Ok(())
    }

    /// A frame of a block; `None` after its last.
    fn frame(&self, height: Height, index: usize) -> Result<Option<Bytes>, StoreError> {
        let latest = || self.frames.lock().unwrap_or_else(PoisonError::into_inner);
        let cut = |block: &BlockInFrames| block.frames.get(index).cloned();
        if let Some(block) = latest().iter().find(|block| block.height == height) {
            return Ok(cut(block));
        }
        let block = BlockInFrames { height, frames: self.frames_of(height)? };
        let frame = cut(&block);
        let mut latest = latest();
        latest.push_back(block);
        if latest.len() > BLOCKS_IN_FRAMES {
            latest.pop_front();
        }
        Ok(frame)
    }

    fn frames_of(&self, height: Height) -> Result<Vec<Bytes>, StoreError> {
        // It was published, so it can be proven.
        let Some(finality) = finality_of(&self.shared.reader, height)? else {
            return Ok(Vec::new());
        };
        let events = match self.shared.reader.body(height.0)? {
            Some(body) if !body.events.is_empty() => {
                acre_codec::decode::<List<Event, EVENTS_MAX>>(&body.events)
                    .map_err(|_| StoreError::Damaged { what: "list of events" })?
                    .into_vec()
            }
            _ => Vec::new(),
        };
        let frames = cut(&finality, events);
        Ok(frames.iter().map(|frame| Bytes::from(acre_codec::encode(frame))).collect())
    }
}

/// Frames within their limit, at least one.
fn cut(finality: &Finality, events: Vec<Event>) -> Vec<Frame> {
    let mut parts = vec![Vec::new()];
    let mut bytes = 0;
    for event in events {
        let event_bytes = acre_codec::encode(&event).len();
        bytes += event_bytes;
        if bytes > EVENT_BYTES_PER_FRAME {
            parts.push(Vec::new());
            bytes = event_bytes;
        }
        if let Some(part) = parts.last_mut() {
            part.push(event);
        }
    }
    let last = parts.len() - 1;
    parts
        .into_iter()
        .enumerate()
        .filter_map(|(index, part)| {
            let events = List::new(part).ok()?;
            Some(Frame::Block { finality: finality.clone(), events, more: index < last })
        })
        .collect()
}

async fn send(stream: &mut Framed, frame: Frame) -> Result<(), NetError> {
    stream.send(Bytes::from(acre_codec::encode(&frame))).await
}
