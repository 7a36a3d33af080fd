//! Frames over a stream, both ways at once, driven by one task.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout};

use crate::Stream;
use crate::error::Ending;
use crate::frame::{Assembler, Frame, FrameError, HEADER_BYTES, Header, Step};
use crate::limits::{Limits, WRITE_SLICES};

/// Whether more may be read. What is not read waits at the sender.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Intake {
    Open,
    Paused,
}

/// Something happened.
#[derive(Debug)]
pub(crate) enum Turn {
    /// The first bytes of a frame came.
    Begun,
    /// A header came; the next turn with open intake reads its payload.
    Header(Header),
    /// A frame is whole.
    Frame(Frame),
    /// All of the queue went out, or some of it while the intake was paused.
    Wrote,
    /// The peer closed, between two frames.
    End,
}

struct Outgoing {
    header: [u8; HEADER_BYTES],
    frame: Frame,
}

/// A stream with frames to send and frames to come.
pub(crate) struct Wire {
    stream: Stream,
    assembler: Assembler,
    queue: VecDeque<Outgoing>,
    /// Bytes of the first frame in the queue that were written already.
    front_written: usize,
    queued_bytes: usize,
    flushed: bool,
    /// The largest call of a frame of which any byte was handed to the stream.
    call_begun: u64,
    /// When bytes last came, and last left or began to wait.
    pub(crate) heard: Instant,
    pub(crate) wrote: Instant,
    /// When the frame that is coming began or its intake was last resumed.
    frame_since: Option<Instant>,
}

impl Wire {
    pub(crate) fn new(stream: Stream) -> Self {
        let now = Instant::now();
        Self {
            stream,
            assembler: Assembler::default(),
            queue: VecDeque::new(),
            front_written: 0,
            queued_bytes: 0,
            flushed: true,
            call_begun: 0,
            heard: now,
            wrote: now,
            frame_since: None,
        }
    }

    pub(crate) const fn stream(&self) -> &Stream {
        &self.stream
    }

    pub(crate) fn limits(&self) -> &Limits {
        self.stream.limits()
    }

    /// Bytes that wait to be written.
    pub(crate) const fn queued_bytes(&self) -> usize {
        self.queued_bytes
    }

    /// Whether all that was queued is with the kernel.
    pub(crate) fn is_flushed(&self) -> bool {
        self.queue.is_empty() && self.flushed
    }

    /// Whether a frame is coming in.
    pub(crate) const fn is_receiving(&self) -> bool {
        !self.assembler.is_between()
    }

    pub(crate) const fn call_begun(&self) -> u64 {
        self.call_begun
    }

    /// Puts a frame at the end of the queue; `turn` sends it.
    pub(crate) fn queue(&mut self, frame: Frame) {
        if self.is_flushed() {
            self.wrote = Instant::now();
        }
        self.queued_bytes += frame.bytes();
        self.queue.push_back(Outgoing { header: frame.header.encode(), frame });
    }

    /// The frame that is coming does so from now on: its intake was paused by us.
    pub(crate) fn resumed(&mut self) {
        if self.frame_since.is_some() {
            self.frame_since = Some(Instant::now());
        }
    }

    /// The peer told that it is at work: that it takes nothing meanwhile is no reason to give up.
    pub(crate) const fn excuse(&mut self) {
        self.wrote = self.heard;
    }

    /// When this wire must be given up unless something moves, and for what reason.
    pub(crate) fn due(&self, intake: Intake) -> Option<(Instant, Ending)> {
        let limits = self.limits();
        let stall = (!self.is_flushed()).then(|| {
            let reason = Ending::Timeout { what: "taking what we sent", limit: limits.stall };
            (self.wrote + limits.stall, reason)
        });
        let drip = self.frame_since.filter(|_| intake == Intake::Open).map(|since| {
            let reason = Ending::Timeout { what: "sending one frame", limit: limits.frame };
            (since + limits.frame, reason)
        });
        match (stall, drip) {
            (Some(stall), Some(drip)) => Some(if stall.0 <= drip.0 { stall } else { drip }),
            (stall, drip) => stall.or(drip),
        }
    }

    /// Writes what is queued and reads what is there until something is worth telling. Nothing is
    /// lost when the future is dropped.
    pub(crate) async fn turn(&mut self, intake: Intake) -> Result<Turn, Ending> {
        poll_fn(|cx| self.poll_turn(cx, intake)).await
    }

    fn poll_turn(&mut self, cx: &mut Context<'_>, intake: Intake) -> Poll<Result<Turn, Ending>> {
        let before = self.queued_bytes;
        let was_flushed = self.is_flushed();
        if let Poll::Ready(Err(error)) = self.poll_send(cx) {
            return Poll::Ready(Err(error.into()));
        }
        let received = match intake {
            Intake::Open => self.poll_receive(cx),
            Intake::Paused if self.queued_bytes < before => Poll::Ready(Ok(Turn::Wrote)),
            Intake::Paused => Poll::Pending,
        };
        match received {
            // What is due when has changed.
            Poll::Pending if !was_flushed && self.is_flushed() => Poll::Ready(Ok(Turn::Wrote)),
            received => received,
        }
    }

    /// Hands all that is queued to the kernel.
    pub(crate) async fn flush(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_send(cx)).await
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.queue.is_empty() {
            let written = ready!(self.poll_write_queue(cx))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.flushed = false;
            self.advance(written);
            self.wrote = Instant::now();
        }
        if !self.flushed {
            ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
            self.flushed = true;
            self.wrote = Instant::now();
            self.queue.shrink_to(WRITE_SLICES);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_write_queue(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut slices = [IoSlice::new(&[]); WRITE_SLICES];
        let mut used = 0;
        let mut skip = self.front_written;
        let parts = self.queue.iter().flat_map(|out| {
            [out.header.as_slice(), out.frame.meta.as_ref(), out.frame.body.as_ref()]
        });
        for part in parts {
            if used == WRITE_SLICES {
                break;
            }
            let skipped = skip.min(part.len());
            skip -= skipped;
            if skipped < part.len() {
                slices[used] = IoSlice::new(&part[skipped..]);
                used += 1;
            }
        }
        Pin::new(&mut self.stream).poll_write_vectored(cx, &slices[..used])
    }

    /// Takes `written` bytes off the front of the queue.
    fn advance(&mut self, written: usize) {
        self.queued_bytes -= written;
        self.front_written += written;
        while let Some(front) = self.queue.front() {
            if self.front_written > 0 {
                self.call_begun = self.call_begun.max(front.frame.header.call);
            }
            let bytes = front.frame.bytes();
            if self.front_written < bytes {
                break;
            }
            self.front_written -= bytes;
            self.queue.pop_front();
        }
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Result<Turn, Ending>> {
        loop {
            let step = if self.assembler.is_complete() {
                self.assembler.feed(&[])?.1
            } else {
                let input = ready!(Pin::new(&mut self.stream).poll_fill_buf(cx))?;
                if input.is_empty() {
                    return Poll::Ready(match self.assembler.is_between() {
                        true => Ok(Turn::End),
                        false => Err(FrameError::Cut.into()),
                    });
                }
                let (taken, step) = self.assembler.feed(input)?;
                Pin::new(&mut self.stream).consume(taken);
                self.heard = Instant::now();
                step
            };
            match step {
                Step::More if self.frame_since.is_some() => {}
                Step::More => {
                    self.frame_since = Some(self.heard);
                    return Poll::Ready(Ok(Turn::Begun));
                }
                Step::Header(header) => {
                    self.frame_since = self.frame_since.or(Some(self.heard));
                    return Poll::Ready(Ok(Turn::Header(header)));
                }
                Step::Frame(frame) => {
                    self.frame_since = None;
                    return Poll::Ready(Ok(Turn::Frame(frame)));
                }
            }
        }
    }

    /// Tells the peer that nothing more comes. What is queued is sent first.
    pub(crate) async fn close(&mut self) -> io::Result<()> {
        self.flush().await?;
        self.stream.shutdown().await
    }

    /// Closes, and drops what the peer still sends until it closes as well: a socket closed with
    /// bytes unread is reset, and that could take with it what we sent last.
    pub(crate) async fn linger(&mut self) {
        let limits = self.limits();
        let (stall, linger) = (limits.stall, limits.linger);
        if !matches!(timeout(stall, self.close()).await, Ok(Ok(()))) {
            return;
        }
        let drain = async {
            while let Ok(bytes @ 1..) = self.stream.fill_buf().await.map(<[u8]>::len) {
                self.stream.consume(bytes);
            }
        };
        // If it does not close, it loses what it did not read.
        let _ = timeout(linger, drain).await;
    }
}
