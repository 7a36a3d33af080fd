//! Bounded frames over a stream of one's own: events, one way or both.

use acre_types::PublicKey;
use bytes::Bytes;
use tokio::time::timeout;

use crate::error::Ending;
use crate::frame::{Frame, FrameError, Kind};
use crate::limits::BODY_BYTES_MAX;
use crate::wire::{Intake, Turn, Wire};
use crate::{NetError, Service, Stream};

/// A stream cut into frames. Both sides must use it.
///
/// There is no sign of life on it: who waits for events of a peer that may vanish must expect one
/// now and then and bound the wait.
pub struct Framed {
    wire: Wire,
    frame_bytes_max: usize,
}

impl Framed {
    /// Frames of at most `frame_bytes_max` bytes each way (itself at most 4 MiB + 64 KiB).
    #[must_use]
    pub fn new(stream: Stream, frame_bytes_max: usize) -> Self {
        let frame_bytes_max = frame_bytes_max.min(BODY_BYTES_MAX);
        Self { wire: Wire::new(stream), frame_bytes_max }
    }

    /// The key the other side proved.
    #[must_use]
    pub const fn peer(&self) -> PublicKey {
        self.wire.stream().peer()
    }

    /// What this stream is for.
    #[must_use]
    pub const fn service(&self) -> Service {
        self.wire.stream().service()
    }

    /// Sends one frame and waits until the kernel has it: a slow reader slows its sender. Dropped
    /// in between, the frame goes out with the next one.
    ///
    /// # Errors
    /// [`NetError::TooLarge`]; [`NetError::Ended`], also if the peer takes nothing for long.
    pub async fn send(&mut self, frame: Bytes) -> Result<(), NetError> {
        let too_large = NetError::TooLarge { bytes: frame.len(), bytes_max: self.frame_bytes_max };
        if frame.len() > self.frame_bytes_max {
            return Err(too_large);
        }
        self.wire.queue(Frame::new(Kind::Event, 0, Bytes::new(), frame).map_err(|_| too_large)?);
        let limit = self.wire.limits().stall;
        let sent = match timeout(limit, self.wire.flush()).await {
            Ok(sent) => sent.map_err(Ending::from),
            Err(_) => Err(Ending::Timeout { what: "taking a frame", limit }),
        };
        sent.map_err(|reason| self.ended(reason))
    }

    /// The next frame; `None` when the peer closed. Nothing is lost if the future is dropped.
    ///
    /// # Errors
    /// [`NetError::Ended`]: the connection broke, or the peer sent what it must not.
    pub async fn recv(&mut self) -> Result<Option<Bytes>, NetError> {
        loop {
            let turn = match self.wire.due(Intake::Open) {
                None => self.wire.turn(Intake::Open).await,
                Some((due, reason)) => {
                    match tokio::time::timeout_at(due, self.wire.turn(Intake::Open)).await {
                        Ok(turn) => turn,
                        Err(_) => Err(reason),
                    }
                }
            };
            match turn.map_err(|reason| self.ended(reason))? {
                Turn::Header(header) if header.kind != Kind::Event => {
                    return Err(self.ended(FrameError::OutOfPlace { kind: header.kind }.into()));
                }
                Turn::Header(header) if header.body_bytes() > self.frame_bytes_max => {
                    let body_bytes = u32::try_from(header.body_bytes()).unwrap_or(u32::MAX);
                    let error = FrameError::TooLarge { meta_bytes: 0, body_bytes };
                    return Err(self.ended(error.into()));
                }
                Turn::Header(_) | Turn::Begun | Turn::Wrote => {}
                Turn::Frame(frame) => return Ok(Some(frame.body)),
                Turn::End => return Ok(None),
            }
        }
    }

    /// Sends what is left and tells the peer that nothing more comes.
    ///
    /// # Errors
    /// [`NetError::Ended`].
    pub async fn close(mut self) -> Result<(), NetError> {
        let limit = self.wire.limits().stall;
        let closed = match timeout(limit, self.wire.close()).await {
            Ok(closed) => closed.map_err(Ending::from),
            Err(_) => Err(Ending::Timeout { what: "taking the last frames", limit }),
        };
        closed.map_err(|reason| self.ended(reason))
    }

    const fn ended(&self, reason: Ending) -> NetError {
        NetError::Ended { peer: self.peer(), reason }
    }
}
