//! Makes calls; keeps a connection for each peer called.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use acre_types::PublicKey;
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::{Instant, timeout_at};

use super::Message;
use super::link::{Attempt, Link};
use crate::limits::{Limits, POOL_PEERS};
use crate::{CallError, DialError, Endpoint, Service};

/// Times a call is sent at most: again only if the peer certainly did not take it.
const ATTEMPTS: usize = 2;

/// Calls peers for one service. Clones share the connections; they close when the last is dropped.
#[derive(Clone)]
pub struct Caller(Arc<Pool>);

struct Pool {
    endpoint: Endpoint,
    service: Service,
    peers: Mutex<BTreeMap<PublicKey, Arc<Peer>>>,
}

/// One peer's connection. The lock is held while dialing, so that many calls make one connection.
#[derive(Default)]
struct Peer(AsyncMutex<State>);

#[derive(Default)]
struct State {
    link: Option<Link>,
    failure: Option<DialFailure>,
}

struct DialFailure {
    error: DialError,
    pause: Duration,
    until: Instant,
}

impl State {
    fn is_idle(&self) -> bool {
        let live = self.link.as_ref().is_some_and(Link::is_open);
        let paused = self.failure.as_ref().is_some_and(|failure| failure.until > Instant::now());
        !live && !paused
    }
}

impl Caller {
    /// Calls for `service` through `endpoint`.
    #[must_use]
    pub fn new(endpoint: Endpoint, service: Service) -> Self {
        Self(Arc::new(Pool { endpoint, service, peers: Mutex::default() }))
    }

    /// What this calls for.
    #[must_use]
    pub fn service(&self) -> Service {
        self.0.service
    }

    /// Calls `peer` and waits for its reply, at most `within` from now; dialing and waiting for a
    /// place among the calls in flight count. Dropping the future forgets the reply; the peer may
    /// still act.
    ///
    /// # Errors
    /// [`CallError`]; see [`CallError::is_unsent`] for whether it may be repeated.
    pub async fn call(
        &self,
        peer: PublicKey,
        message: Message,
        within: Duration,
    ) -> Result<Message, CallError> {
        message.check()?;
        let deadline = Instant::now() + within;
        let mut sent = false;
        match timeout_at(deadline, self.try_call(peer, message, &mut sent)).await {
            Ok(reply) => reply,
            Err(_) if sent => Err(CallError::DeadlineUnknown { peer, within }),
            Err(_) => Err(CallError::DeadlineUnsent { peer, within }),
        }
    }

    async fn try_call(
        &self,
        peer: PublicKey,
        message: Message,
        sent: &mut bool,
    ) -> Result<Message, CallError> {
        let mut attempt = 1;
        loop {
            let link = self.link(peer).await?;
            *sent = false;
            match link.call(message.clone(), sent).await {
                Attempt::Reply(message) => return Ok(message),
                Attempt::Failed => return Err(CallError::Failed { peer }),
                Attempt::Unknown(reason) => return Err(CallError::Unknown { peer, reason }),
                Attempt::Unsent(_) if attempt < ATTEMPTS => attempt += 1,
                Attempt::Unsent(reason) => return Err(CallError::Unsent { peer, reason }),
            }
        }
    }

    /// The open connection to a peer, or a new one.
    async fn link(&self, key: PublicKey) -> Result<Link, CallError> {
        let peer = self.peer(key);
        let mut state = peer.0.lock().await;
        if let Some(link) = state.link.as_ref().filter(|link| link.is_open()) {
            return Ok(link.clone());
        }
        state.link = None;
        let service = self.0.service;
        if let Some(failure) = &state.failure
            && Instant::now() < failure.until
        {
            return Err(CallError::Dial { service, source: failure.error.clone() });
        }
        match self.0.endpoint.dial(key, service).await {
            Ok(stream) => {
                state.failure = None;
                let link = Link::open(stream, self.0.endpoint.closed());
                state.link = Some(link.clone());
                Ok(link)
            }
            Err(error) => {
                let pause = pause_after(state.failure.take(), self.0.endpoint.limits());
                let until = Instant::now() + pause;
                state.failure = Some(DialFailure { error: error.clone(), pause, until });
                Err(CallError::Dial { service, source: error })
            }
        }
    }

    fn peer(&self, key: PublicKey) -> Arc<Peer> {
        let mut peers = self.0.peers.lock().unwrap_or_else(PoisonError::into_inner);
        if peers.len() >= POOL_PEERS && !peers.contains_key(&key) {
            // A peer whose lock is taken is being dialed.
            peers.retain(|_, peer| !peer.0.try_lock().is_ok_and(|state| state.is_idle()));
        }
        Arc::clone(peers.entry(key).or_default())
    }
}

impl std::fmt::Debug for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Caller({})", self.0.service)
    }
}

/// How long calls fail at once after one more failed dial.
fn pause_after(last: Option<DialFailure>, limits: &Limits) -> Duration {
    last.map_or(limits.backoff_min, |last| (last.pause * 2).min(limits.backoff_max))
}
