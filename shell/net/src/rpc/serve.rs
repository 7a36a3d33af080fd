//! Answers calls.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use acre_types::PublicKey;
use bytes::Bytes;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tracing::debug;

use super::Message;
use crate::census::Budget;
use crate::error::Ending;
use crate::frame::{Frame, FrameError, Header, Kind};
use crate::wire::{Intake, Turn, Wire};
use crate::{Endpoint, Incoming, Service};

/// Answers the calls of a service.
///
/// Each call runs in a task of its own and to its end, even if the caller is gone by then. Its
/// number at once is limited per peer, see [`Limits`](crate::Limits).
pub trait Handler: Send + Sync + 'static {
    /// The reply to a call of `peer`. A panic or a reply over the limits of a message costs the
    /// caller this call, nothing else.
    fn call(&self, peer: PublicKey, message: Message) -> impl Future<Output = Message> + Send;
}

impl<F, Fut> Handler for F
where
    F: Fn(PublicKey, Message) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Message> + Send,
{
    fn call(&self, peer: PublicKey, message: Message) -> impl Future<Output = Message> + Send {
        self(peer, message)
    }
}

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A [`Handler`] of any type.
trait AnyHandler: Send + Sync {
    fn call(&self, peer: PublicKey, message: Message) -> Boxed<'_, Message>;
}

impl<H: Handler> AnyHandler for H {
    fn call(&self, peer: PublicKey, message: Message) -> Boxed<'_, Message> {
        Box::pin(Handler::call(self, peer, message))
    }
}

#[derive(Clone)]
enum Way {
    Calls(Arc<dyn AnyHandler>),
    Streams(Arc<dyn Fn(Incoming) -> Boxed<'static, ()> + Send + Sync>),
}

/// What an endpoint serves.
#[derive(Clone, Default)]
pub struct Services(BTreeMap<Service, Way>);

impl Services {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Answers the calls of `service` with `handler`.
    #[must_use]
    pub fn calls(mut self, service: Service, handler: impl Handler) -> Self {
        self.0.insert(service, Way::Calls(Arc::new(handler)));
        self
    }

    /// Gives each stream for `service` to `handler`, in a task of its own; for events. The task is
    /// dropped when the server shuts down.
    #[must_use]
    pub fn streams<F, Fut>(mut self, service: Service, handler: F) -> Self
    where
        F: Fn(Incoming) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let handler = move |incoming| -> Boxed<'static, ()> { Box::pin(handler(incoming)) };
        self.0.insert(service, Way::Streams(Arc::new(handler)));
        self
    }
}

/// A running server. Dropped, it shuts down in the background.
#[must_use = "dropping it shuts it down"]
#[derive(Debug)]
pub struct Server {
    leave: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    /// Takes no more requests, answers those taken and closes; what is not done within `grace` is
    /// cut off (handlers still run to their end). Callers are told which requests were not taken.
    pub async fn shutdown(mut self, grace: Duration) {
        self.leave.send_replace(true);
        if tokio::time::timeout(grace, &mut self.task).await.is_err() {
            self.task.abort();
        }
    }
}

/// Serves `services` on an endpoint, until shut down or the endpoint is closed. It takes all that
/// the endpoint accepts.
pub fn serve(endpoint: &Endpoint, services: Services) -> Server {
    for service in services.0.keys() {
        endpoint.offer(*service);
    }
    let (leave, leaving) = watch::channel(false);
    let task = tokio::spawn(run(endpoint.clone(), services, leaving));
    Server { leave, task }
}

async fn run(endpoint: Endpoint, services: Services, leaving: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    let mut streams = JoinSet::new();
    let mut leave = leaving.clone();
    loop {
        let incoming = tokio::select! {
            incoming = endpoint.accept() => incoming,
            // An error means that the server was dropped.
            _ = leave.wait_for(|leave| *leave) => None,
            Some(_) = connections.join_next() => continue,
            Some(_) = streams.join_next() => continue,
        };
        let Some(incoming) = incoming else { break };
        match services.0.get(&incoming.service) {
            Some(Way::Calls(handler)) => {
                let conversation = Conversation::new(incoming, Arc::clone(handler));
                if let Some(conversation) = conversation {
                    connections.spawn(conversation.run(leaving.clone()));
                }
            }
            Some(Way::Streams(handler)) => {
                streams.spawn(handler(incoming));
            }
            None => debug!(service = %incoming.service, "offered elsewhere, not served here"),
        }
    }
    for service in services.0.keys() {
        endpoint.withdraw(*service);
    }
    while connections.join_next().await.is_some() {}
}

/// What a peer must have before its request is read, or while it is handled.
type Places = (OwnedSemaphorePermit, OwnedSemaphorePermit);

async fn places(budget: Arc<Budget>, bytes: u32) -> Result<Places, AcquireError> {
    let call = Arc::clone(&budget.calls).acquire_owned().await?;
    let bytes = Arc::clone(&budget.bytes).acquire_many_owned(bytes).await?;
    Ok((call, bytes))
}

fn places_now(budget: &Budget, bytes: u32) -> Option<Places> {
    let call = Arc::clone(&budget.calls).try_acquire_owned().ok()?;
    let bytes = Arc::clone(&budget.bytes).try_acquire_many_owned(bytes).ok()?;
    Some((call, bytes))
}

/// Between header and end of a request.
enum Admission {
    /// No request is coming.
    Between,
    /// One waits for its peer's budget; nothing is read meanwhile.
    Waiting(Boxed<'static, Result<Places, AcquireError>>),
    /// One is being read.
    Reading(Places),
}

/// One connection of a caller.
struct Conversation {
    peer: PublicKey,
    wire: Wire,
    budget: Arc<Budget>,
    handler: Arc<dyn AnyHandler>,
    admission: Admission,
    running: usize,
    /// When the first of the requests in progress began.
    busy_since: Instant,
    /// The last request taken.
    last: u64,
    replies: mpsc::UnboundedSender<(u64, Option<Message>)>,
    /// As many as run at most.
    replied: mpsc::UnboundedReceiver<(u64, Option<Message>)>,
}

/// Sends the reply of a call, or word that there is none should the handler break.
struct Answer {
    call: u64,
    reply: Option<Message>,
    to: mpsc::UnboundedSender<(u64, Option<Message>)>,
}

impl Drop for Answer {
    fn drop(&mut self) {
        // It fails if the connection is gone.
        let _ = self.to.send((self.call, self.reply.take()));
    }
}

impl Conversation {
    fn new(incoming: Incoming, handler: Arc<dyn AnyHandler>) -> Option<Self> {
        let budget = Arc::clone(&incoming.stream.seat()?.budget);
        let (replies, replied) = mpsc::unbounded_channel();
        Some(Self {
            peer: incoming.peer,
            wire: Wire::new(incoming.stream),
            budget,
            handler,
            admission: Admission::Between,
            running: 0,
            busy_since: Instant::now(),
            last: 0,
            replies,
            replied,
        })
    }

    async fn run(mut self, leaving: watch::Receiver<bool>) {
        let reason = match self.work(leaving).await {
            Ok(()) => Ending::Closed,
            Err(reason) => reason,
        };
        debug!(peer = ?self.peer, service = %self.wire.stream().service(), %reason, "caller gone");
    }

    /// Runs until the caller closed or we leave (`Ok`), or the connection breaks.
    async fn work(&mut self, mut leaving: watch::Receiver<bool>) -> Result<(), Ending> {
        let mut staying = true;
        let mut sleep = pin!(sleep_until(self.due(Intake::Open).0));
        loop {
            if !staying && self.running == 0 {
                self.wire.linger().await;
                return Ok(());
            }
            let intake = self.intake(staying);
            let (due, action) = self.due(intake);
            if due < sleep.deadline() {
                sleep.as_mut().reset(due);
            }
            tokio::select! {
                biased;
                Some((call, reply)) = self.replied.recv(), if self.running > 0 => {
                    self.reply(call, reply)?;
                    while let Ok((call, reply)) = self.replied.try_recv() {
                        self.reply(call, reply)?;
                    }
                }
                places = admitted(&mut self.admission) => {
                    self.admission = Admission::Reading(places.map_err(|_| Ending::Closed)?);
                    self.wire.resumed();
                }
                turn = self.wire.turn(intake) => match turn? {
                    Turn::Header(header) => self.admit(header)?,
                    Turn::Begun => self.begin(),
                    Turn::Frame(frame) => self.start(frame)?,
                    // It sends nothing more, but may still read.
                    Turn::End => staying = false,
                    Turn::Wrote => {}
                },
                _ = leaving.wait_for(|leaving| *leaving), if staying => {
                    self.goodbye()?;
                    staying = false;
                }
                () = sleep.as_mut() => {
                    let now = Instant::now();
                    if now < due {
                        sleep.as_mut().reset(due);
                        continue;
                    }
                    match action {
                        Action::Alive => self.alive()?,
                        Action::End(Ending::Idle) if staying => {
                            self.goodbye()?;
                            staying = false;
                        }
                        Action::End(reason) => return Err(reason),
                    }
                    sleep.as_mut().reset(self.due(intake).0);
                }
            }
        }
    }

    /// Whether this peer may send us more.
    fn intake(&self, staying: bool) -> Intake {
        let limits = self.wire.limits();
        let full = self.running >= limits.calls_per_connection
            || self.wire.queued_bytes() > limits.reply_bytes_queued;
        match self.admission {
            Admission::Waiting(_) => Intake::Paused,
            Admission::Between if full || !staying => Intake::Paused,
            Admission::Between | Admission::Reading(_) if staying => Intake::Open,
            Admission::Between | Admission::Reading(_) => Intake::Paused,
        }
    }

    /// What is to be done next, and when, if nothing happens before.
    fn due(&self, intake: Intake) -> (Instant, Action) {
        let limits = self.wire.limits();
        let wire = self.wire.due(intake).map(|(due, reason)| (due, Action::End(reason)));
        let own = if !self.wire.is_flushed() {
            None
        } else if self.running > 0 || self.wire.is_receiving() {
            Some((self.wire.wrote.max(self.busy_since) + limits.alive, Action::Alive))
        } else {
            let last = self.wire.wrote.max(self.wire.heard);
            Some((last + limits.idle_accepted, Action::End(Ending::Idle)))
        };
        match (wire, own) {
            (Some(wire), Some(own)) => {
                if wire.0 < own.0 {
                    wire
                } else {
                    own
                }
            }
            (wire, own) => wire.or(own).expect("a wire that is not flushed has a due time"),
        }
    }

    /// The peer begins a request: from now on it expects signs of life.
    fn begin(&mut self) {
        if self.running == 0 {
            self.busy_since = self.wire.heard;
        }
    }

    fn admit(&mut self, header: Header) -> Result<(), Ending> {
        if header.kind != Kind::Request {
            return Err(FrameError::OutOfPlace { kind: header.kind }.into());
        }
        self.begin();
        if header.call != self.last + 1 {
            return Err(FrameError::Call { call: header.call }.into());
        }
        let bytes = u32::try_from(header.payload_bytes()).unwrap_or(u32::MAX);
        self.admission = match places_now(&self.budget, bytes) {
            Some(places) => Admission::Reading(places),
            None => Admission::Waiting(Box::pin(places(Arc::clone(&self.budget), bytes))),
        };
        Ok(())
    }

    fn start(&mut self, frame: Frame) -> Result<(), Ending> {
        let call = frame.header.call;
        let Admission::Reading(places) = std::mem::replace(&mut self.admission, Admission::Between)
        else {
            return Err(FrameError::Call { call }.into());
        };
        self.last = call;
        self.running += 1;
        let (peer, handler) = (self.peer, Arc::clone(&self.handler));
        let mut answer = Answer { call, reply: None, to: self.replies.clone() };
        tokio::spawn(async move {
            let message = Message { meta: frame.meta, body: frame.body };
            answer.reply = Some(handler.call(peer, message).await);
            drop(places);
            drop(answer);
        });
        Ok(())
    }

    fn reply(&mut self, call: u64, reply: Option<Message>) -> Result<(), Ending> {
        self.running -= 1;
        let frame =
            reply.and_then(|Message { meta, body }| Frame::new(Kind::Reply, call, meta, body).ok());
        let failed = || Frame::new(Kind::Failed, call, Bytes::new(), Bytes::new());
        self.wire.queue(frame.map_or_else(failed, Ok)?);
        Ok(())
    }

    fn goodbye(&mut self) -> Result<(), Ending> {
        self.wire.queue(Frame::new(Kind::Goodbye, self.last, Bytes::new(), Bytes::new())?);
        Ok(())
    }

    fn alive(&mut self) -> Result<(), Ending> {
        if self.wire.is_flushed() {
            self.wire.queue(Frame::new(Kind::Alive, 0, Bytes::new(), Bytes::new())?);
        }
        Ok(())
    }
}

enum Action {
    Alive,
    End(Ending),
}

/// Ready when the request that waits has its places; never if none waits.
async fn admitted(admission: &mut Admission) -> Result<Places, AcquireError> {
    match admission {
        Admission::Waiting(places) => places.await,
        Admission::Between | Admission::Reading(_) => std::future::pending().await,
    }
}
