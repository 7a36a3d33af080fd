//! Follows the ledger over one stream that costs next to nothing while nothing happens.

use std::time::Duration;

use acre_codec::decode_bounded;
use acre_ledger::Event;
use acre_net::Framed;
use acre_types::{Height, PublicKey};
use bytes::Bytes;
use tokio::time::timeout;

use super::{Final, LedgerClient};
use crate::defaults::{RETRY_PAUSE, SUBSCRIBER_SILENCE};
use crate::error::{ClientError, Lie};
use crate::limits::FRAME_BYTES_MAX;
use crate::protocol::{EVENTS, Frame, Subscribe};

/// Longest pause before the validators are dialled again.
const PAUSE_MAX: Duration = Duration::from_secs(3);

/// What a block did.
#[derive(Clone, Debug)]
pub struct BlockEvents {
    /// The block, proven final.
    pub block: Final,
    /// What happened in it, in order: by the validator's word. Empty for a sign of life.
    pub events: Vec<Event>,
    /// Whether more events of the same block come next.
    pub more: bool,
}

/// A stream of events, made again whenever it breaks.
pub struct Events {
    client: LedgerClient,
    stream: Option<Framed>,
    /// First block wanted.
    next: Height,
    /// Parts of the block `next` that were given already; they come again on a new stream.
    given: usize,
    /// Parts of the block `next` seen on this stream.
    part: usize,
    turn: usize,
    /// Pause before the next dial if the last stream brought nothing.
    pause: Duration,
    /// Whether the last stream, or dial, brought nothing.
    in_vain: bool,
}

impl LedgerClient {
    /// Events from this block on; none before the next call of [`Events::next`].
    #[must_use]
    pub fn subscribe(&self, from: Height) -> Events {
        Events {
            client: self.clone(),
            stream: None,
            next: Height(from.0.max(1)),
            given: 0,
            part: 0,
            turn: 0,
            pause: RETRY_PAUSE,
            in_vain: false,
        }
    }
}

impl Events {
    /// First block not wholly given yet: where to subscribe again after a restart.
    #[must_use]
    pub fn position(&self) -> Height {
        self.next
    }

    /// The next block with events, or a sign of life every ten seconds or so. Waits as long as it takes,
    /// trying one validator after the other. Nothing is lost if the future is dropped.
    ///
    /// # Errors
    /// [`ClientError::EventsGone`]: too much was missed; read the state and subscribe from its
    /// height. [`ClientError::NoValidators`].
    pub async fn next(&mut self) -> Result<BlockEvents, ClientError> {
        if self.client.in_turn().is_empty() {
            return Err(ClientError::NoValidators);
        }
        loop {
            let stream = match &mut self.stream {
                Some(stream) => stream,
                None => {
                    self.connect().await;
                    continue;
                }
            };
            let peer = stream.peer();
            let frame = match timeout(SUBSCRIBER_SILENCE, stream.recv()).await {
                Ok(Ok(Some(frame))) => frame,
                Ok(Ok(None)) => {
                    self.lose(peer, "closed by the validator");
                    continue;
                }
                Ok(Err(error)) => {
                    self.lose(peer, &error.to_string());
                    continue;
                }
                Err(_) => {
                    self.lose(peer, "silent");
                    continue;
                }
            };
            let mut taken = self.take(&frame);
            if let Err(Broken::Lie(Lie::Certificate { .. })) = taken {
                self.client.catch_up(peer).await;
                taken = self.take(&frame);
            }
            match taken {
                Ok(Some(block)) => return Ok(block),
                Ok(None) => {}
                Err(Broken::Gone(oldest)) => {
                    self.stream = None;
                    return Err(ClientError::EventsGone { wanted: self.next, oldest });
                }
                Err(Broken::Full) => self.lose(peer, "the validator has too many subscribers"),
                Err(Broken::Lie(lie)) => self.lose(peer, &lie.to_string()),
            }
        }
    }

    fn lose(&mut self, peer: PublicKey, reason: &str) {
        tracing::debug!(?peer, reason, "a stream of events ended");
        self.stream = None;
        self.turn += 1;
    }

    /// Tries the next validator; pauses first after one that did not answer, or took the stream and
    /// then closed it without a word.
    async fn connect(&mut self) {
        if self.in_vain {
            tokio::time::sleep(self.pause).await;
            self.pause = (self.pause * 2).min(PAUSE_MAX);
        }
        self.in_vain = true;
        let validators = self.client.in_turn();
        let Some(peer) = validators.get(self.turn % validators.len().max(1)).copied() else {
            return;
        };
        let dialed = self.client.0.endpoint.dial(peer, EVENTS).await;
        let failed = match dialed {
            Ok(stream) => {
                let mut stream = Framed::new(stream, FRAME_BYTES_MAX);
                let hello = acre_codec::encode(&Subscribe { from: self.next });
                match stream.send(Bytes::from(hello)).await {
                    Ok(()) => {
                        self.part = 0;
                        self.stream = Some(stream);
                        return;
                    }
                    Err(error) => error.to_string(),
                }
            }
            Err(error) => error.to_string(),
        };
        self.lose(peer, &failed);
    }

    fn take(&mut self, frame: &[u8]) -> Result<Option<BlockEvents>, Broken> {
        let frame = decode_bounded(frame, FRAME_BYTES_MAX).map_err(|_| Lie::Malformed)?;
        let (finality, events, more) = match frame {
            Frame::Block { finality, events, more } => (finality, events, more),
            Frame::Gone { oldest } if oldest > self.next => return Err(Broken::Gone(oldest)),
            Frame::Gone { .. } => return Err(Lie::Unfit.into()),
            Frame::Full => return Err(Broken::Full),
        };
        let block = self.client.believe(&finality)?;
        if block.height < self.next || (self.part > 0 && block.height != self.next) {
            return Err(Lie::Unfit.into());
        }
        self.client.saw(&block);
        (self.pause, self.in_vain) = (RETRY_PAUSE, false);
        if block.height > self.next {
            (self.next, self.given) = (block.height, 0);
        }
        self.part += 1;
        let is_new = self.part > self.given;
        self.given = self.given.max(self.part);
        if !more {
            (self.next, self.given, self.part) = (block.height.next(), 0, 0);
        }
        Ok(is_new.then(|| BlockEvents { block, events: events.into_vec(), more }))
    }
}

/// Why a stream is of no more use.
enum Broken {
    Lie(Lie),
    Gone(Height),
    Full,
}

impl From<Lie> for Broken {
    fn from(lie: Lie) -> Self {
        Self::Lie(lie)
    }
}
