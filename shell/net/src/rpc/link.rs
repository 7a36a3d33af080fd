//! One pooled connection as seen by the caller: a task that sends requests and hands out replies.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};
use tracing::debug;

use super::Message;
use crate::Stream;
use crate::error::Ending;
use crate::frame::{Frame, FrameError, Kind};
use crate::wire::{Intake, Turn, Wire};

/// What became of a call.
pub(super) enum Attempt {
    /// It was answered.
    Reply(Message),
    /// The peer took it and cannot answer.
    Failed,
    /// The peer certainly did not take it.
    Unsent(Ending),
    /// The connection ended with the call in flight.
    Unknown(Ending),
}

struct Command {
    message: Message,
    waiting: Waiting,
}

/// A call in flight. It keeps its place even if nobody waits for the reply any more, for the peer
/// is still at it.
struct Waiting {
    reply: oneshot::Sender<Attempt>,
    _places: (OwnedSemaphorePermit, OwnedSemaphorePermit),
}

impl Waiting {
    fn end(self, attempt: Attempt) {
        // It fails if the caller does not wait any more.
        let _ = self.reply.send(attempt);
    }
}

/// A handle to the task; when the last is dropped, the task ends with its last call.
#[derive(Clone)]
pub(super) struct Link {
    commands: mpsc::Sender<Command>,
    calls: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
}

impl Link {
    pub(super) fn open(stream: Stream, closed: watch::Receiver<bool>) -> Self {
        let limits = stream.limits();
        // A command holds one of the places, so the channel is never full.
        let (sender, commands) = mpsc::channel(limits.calls_in_flight);
        let link = Self {
            commands: sender,
            calls: Arc::new(Semaphore::new(limits.calls_in_flight)),
            bytes: Arc::new(Semaphore::new(limits.bytes_in_flight)),
        };
        let places = (Arc::clone(&link.calls), Arc::clone(&link.bytes));
        let task = Task {
            wire: Wire::new(stream),
            waiting: BTreeMap::new(),
            last: 0,
            heed: Instant::now(),
        };
        tokio::spawn(task.run(commands, closed, places));
        link
    }

    /// Whether it takes calls.
    pub(super) fn is_open(&self) -> bool {
        !self.commands.is_closed()
    }

    /// Makes a call. `sent` turns true when the peer may have got it.
    pub(super) async fn call(&self, message: Message, sent: &mut bool) -> Attempt {
        let bytes = u32::try_from(message.bytes()).unwrap_or(u32::MAX);
        let Ok(call_place) = Arc::clone(&self.calls).acquire_owned().await else {
            return Attempt::Unsent(Ending::Closed);
        };
        let Ok(bytes_place) = Arc::clone(&self.bytes).acquire_many_owned(bytes).await else {
            return Attempt::Unsent(Ending::Closed);
        };
        let (reply, answer) = oneshot::channel();
        let waiting = Waiting { reply, _places: (call_place, bytes_place) };
        if self.commands.try_send(Command { message, waiting }).is_err() {
            return Attempt::Unsent(Ending::Closed);
        }
        *sent = true;
        // The task answers every command it gets; were it torn down with the runtime, nobody
        // could tell what became of the call.
        answer.await.unwrap_or(Attempt::Unknown(Ending::Closed))
    }
}

struct Task {
    wire: Wire,
    waiting: BTreeMap<u64, Waiting>,
    /// The last call made.
    last: u64,
    /// When the peer last had nothing to do for us, or was last heard.
    heed: Instant,
}

impl Task {
    async fn run(
        mut self,
        mut commands: mpsc::Receiver<Command>,
        closed: watch::Receiver<bool>,
        places: (Arc<Semaphore>, Arc<Semaphore>),
    ) {
        let reason = match self.work(&mut commands, closed).await {
            Ok(()) => Ending::Closed,
            Err(reason) => reason,
        };
        let peer = self.wire.stream().peer();
        debug!(?peer, service = %self.wire.stream().service(), %reason, "connection ended");
        commands.close();
        places.0.close();
        places.1.close();
        while let Ok(command) = commands.try_recv() {
            command.waiting.end(Attempt::Unsent(reason.clone()));
        }
        let begun = self.wire.call_begun();
        for (call, waiting) in std::mem::take(&mut self.waiting) {
            waiting.end(match call > begun {
                true => Attempt::Unsent(reason.clone()),
                false => Attempt::Unknown(reason.clone()),
            });
        }
    }

    /// Runs until nobody needs the connection any more (`Ok`) or it breaks.
    async fn work(
        &mut self,
        commands: &mut mpsc::Receiver<Command>,
        mut closed: watch::Receiver<bool>,
    ) -> Result<(), Ending> {
        let mut taking = true;
        let mut sleep = pin!(sleep_until(self.wire.heard + self.wire.limits().idle_dialed));
        loop {
            if !taking && self.waiting.is_empty() {
                // Whether the peer hears of it or not, all is answered.
                let stall = self.wire.limits().stall;
                let _ = tokio::time::timeout(stall, self.wire.close()).await;
                return Ok(());
            }
            let (due, reason) = self.due();
            if due < sleep.deadline() {
                sleep.as_mut().reset(due);
            }
            tokio::select! {
                biased;
                command = commands.recv(), if taking => match command {
                    Some(command) => {
                        self.send(command)?;
                        while let Ok(command) = commands.try_recv() {
                            self.send(command)?;
                        }
                    }
                    None => taking = false,
                },
                turn = self.wire.turn(Intake::Open) => match turn? {
                    Turn::Frame(frame) => if self.take(frame)? { commands.close() },
                    Turn::End => return Err(Ending::Closed),
                    Turn::Header(_) | Turn::Begun | Turn::Wrote => {}
                },
                _ = closed.wait_for(|closed| *closed), if taking => commands.close(),
                () = sleep.as_mut() => {
                    let now = Instant::now();
                    if now < due {
                        sleep.as_mut().reset(due);
                    } else if matches!(reason, Ending::Idle) {
                        commands.close();
                        sleep.as_mut().reset(now + self.wire.limits().stall);
                    } else {
                        return Err(reason);
                    }
                }
            }
        }
    }

    /// When to give up, unless something happens before.
    fn due(&self) -> (Instant, Ending) {
        let limits = self.wire.limits();
        let heard = self.wire.heard.max(self.heed);
        let own = if self.waiting.is_empty() {
            (heard + limits.idle_dialed, Ending::Idle)
        } else {
            let reason = Ending::Timeout { what: "any sign of life", limit: limits.silence };
            (heard + limits.silence, reason)
        };
        match self.wire.due(Intake::Open) {
            Some(wire) if wire.0 < own.0 => wire,
            _ => own,
        }
    }

    fn send(&mut self, command: Command) -> Result<(), Ending> {
        if self.waiting.is_empty() {
            self.heed = Instant::now();
        }
        self.last += 1;
        let Message { meta, body } = command.message;
        let frame = Frame::new(Kind::Request, self.last, meta, body)?;
        self.waiting.insert(self.last, command.waiting);
        self.wire.queue(frame);
        Ok(())
    }

    /// Takes a frame of the peer; true if it said goodbye.
    fn take(&mut self, frame: Frame) -> Result<bool, Ending> {
        let call = frame.header.call;
        match frame.header.kind {
            Kind::Reply | Kind::Failed => {
                let waiting = self.waiting.remove(&call).ok_or(FrameError::Call { call })?;
                waiting.end(match frame.header.kind {
                    Kind::Reply => Attempt::Reply(Message { meta: frame.meta, body: frame.body }),
                    _ => Attempt::Failed,
                });
                Ok(false)
            }
            Kind::Alive => {
                self.wire.excuse();
                Ok(false)
            }
            Kind::Goodbye => {
                for (_, waiting) in self.waiting.split_off(&call.saturating_add(1)) {
                    waiting.end(Attempt::Unsent(Ending::Goodbye));
                }
                Ok(true)
            }
            kind @ (Kind::Request | Kind::Event) => Err(FrameError::OutOfPlace { kind }.into()),
        }
    }
}
