//! Our end of everything: dials by key, accepts by key.

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use acre_crypto::SigningKey;
use acre_types::PublicKey;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, Semaphore, mpsc, watch};
use tokio::time::timeout;
use tracing::{debug, warn};

use crate::census::Census;
use crate::limits::ADDRESSES_MAX;
use crate::tls::{self, Failure, Identity};
use crate::{AddressBook, DialError, Limits, NetError, Service, Stream, tcp};

/// Streams that wait for [`Endpoint::accept`]; while it is full, handshakes wait to hand over.
const ACCEPTED_QUEUE: usize = 64;
/// Pause after a failing accept: the process is out of descriptors, and trying harder helps nobody.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A stream somebody opened to us.
#[derive(Debug)]
pub struct Incoming {
    /// The key that was proved.
    pub peer: PublicKey,
    /// What it asked for; one of those offered.
    pub service: Service,
    /// The stream.
    pub stream: Stream,
}

/// Dials peers by key and accepts who dials us. Clones are the same endpoint; it closes when the
/// last is dropped.
#[derive(Clone)]
pub struct Endpoint(Arc<Inner>);

struct Inner {
    key: PublicKey,
    identity: Identity,
    book: Arc<dyn AddressBook>,
    limits: Arc<Limits>,
    local: Option<SocketAddr>,
    offer: Arc<RwLock<Offer>>,
    accepted: Mutex<mpsc::Receiver<Incoming>>,
    closed: watch::Sender<bool>,
}

/// The services we have, and the TLS settings that say so.
struct Offer {
    services: BTreeSet<Service>,
    config: Arc<ServerConfig>,
}

impl Endpoint {
    /// Our end with this key, listening at `listen` (port 0 draws one) or only dialing.
    ///
    /// # Errors
    /// The address cannot be listened at.
    pub async fn bind(
        key: &SigningKey,
        listen: Option<SocketAddr>,
        book: Arc<dyn AddressBook>,
    ) -> Result<Self, NetError> {
        Self::bind_with(key, listen, book, Limits::default()).await
    }

    /// As [`Endpoint::bind`], with other limits.
    ///
    /// # Errors
    /// The address cannot be listened at.
    pub async fn bind_with(
        key: &SigningKey,
        listen: Option<SocketAddr>,
        book: Arc<dyn AddressBook>,
        limits: Limits,
    ) -> Result<Self, NetError> {
        let limits = Arc::new(limits.workable());
        let identity = Identity::new(key)?;
        let config = identity.accepting(std::iter::empty());
        let offer = Arc::new(RwLock::new(Offer { services: BTreeSet::new(), config }));
        let (accept_to, accepted) = mpsc::channel(ACCEPTED_QUEUE);
        let (closed, _) = watch::channel(false);
        let mut local = None;
        if let Some(address) = listen {
            let taken = |source| NetError::Listen { address, source };
            let listener = TcpListener::bind(address).await.map_err(taken)?;
            local = Some(listener.local_addr().map_err(taken)?);
            let door = Door {
                offer: Arc::clone(&offer),
                limits: Arc::clone(&limits),
                accepted: accept_to,
                closed: closed.subscribe(),
            };
            tokio::spawn(door.keep(listener));
        }
        let accepted = Mutex::new(accepted);
        let key = key.public();
        Ok(Self(Arc::new(Inner { key, identity, book, limits, local, offer, accepted, closed })))
    }

    /// Our key, which is what peers dial.
    #[must_use]
    pub fn key(&self) -> PublicKey {
        self.0.key
    }

    /// Where we listen, with the port that was drawn; `None` if we only dial.
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.0.local
    }

    /// The limits in force.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// Takes streams for this service from now on. Others are refused within their handshake.
    pub fn offer(&self, service: Service) {
        let mut offer = self.0.offer.write().unwrap_or_else(PoisonError::into_inner);
        offer.services.insert(service);
        offer.config = self.0.identity.accepting(offer.services.iter().copied());
    }

    /// Takes no stream for this service any more.
    pub fn withdraw(&self, service: Service) {
        let mut offer = self.0.offer.write().unwrap_or_else(PoisonError::into_inner);
        offer.services.remove(&service);
        offer.config = self.0.identity.accepting(offer.services.iter().copied());
    }

    /// The next stream for a service offered; `None` when the endpoint is closed or only dials.
    /// If several wait for it, each stream goes to one of them.
    pub async fn accept(&self) -> Option<Incoming> {
        self.0.accepted.lock().await.recv().await
    }

    /// Opens a stream to who holds the key `peer`, at any of its addresses.
    ///
    /// # Errors
    /// [`DialError`]; an answer (refused, wrong key) tells more than silence and is preferred.
    pub async fn dial(&self, peer: PublicKey, service: Service) -> Result<Stream, DialError> {
        if *self.0.closed.borrow() {
            return Err(DialError::Closed);
        }
        let mut addresses = self.0.book.addresses(&peer);
        addresses.truncate(ADDRESSES_MAX);
        let tried = addresses.len();
        let mut failed = DialError::NoAddress { peer };
        for address in addresses {
            let config = self.0.identity.dialing(peer, service);
            let limits = &self.0.limits;
            match tcp::dial(address, config, limits.connect, limits.handshake).await {
                Ok(connection) => {
                    let limits = Arc::clone(&self.0.limits);
                    return Ok(Stream::new(peer, service, connection, None, limits));
                }
                Err(source) => {
                    let error = dial_error(peer, service, address, tried, source);
                    debug!(?peer, %address, %service, %error, "dial failed");
                    if !is_answer(&failed) || is_answer(&error) {
                        failed = error;
                    }
                }
            }
        }
        Err(failed)
    }

    /// Stops listening and dialing; streams that are open stay so.
    pub fn close(&self) {
        self.0.closed.send_replace(true);
    }

    /// Turns true when the endpoint is closed.
    pub(crate) fn closed(&self) -> watch::Receiver<bool> {
        self.0.closed.subscribe()
    }
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Endpoint({:?}, {:?})", self.0.key, self.0.local)
    }
}

fn dial_error(
    peer: PublicKey,
    service: Service,
    address: SocketAddr,
    tried: usize,
    source: io::Error,
) -> DialError {
    match tls::failure(&source) {
        Failure::WrongKey => DialError::WrongKey { peer, address },
        Failure::Refused => DialError::Refused { peer, address, service },
        Failure::Other => DialError::Unreachable { peer, tried, address, source: Arc::new(source) },
    }
}

/// Whether somebody said no, rather than nothing.
const fn is_answer(error: &DialError) -> bool {
    matches!(error, DialError::Refused { .. } | DialError::WrongKey { .. })
}

/// Lets in who connects. Owns no part of the endpoint that would keep it alive.
struct Door {
    offer: Arc<RwLock<Offer>>,
    limits: Arc<Limits>,
    accepted: mpsc::Sender<Incoming>,
    closed: watch::Receiver<bool>,
}

impl Door {
    /// Runs until the endpoint is closed or gone.
    async fn keep(self, listener: TcpListener) {
        let mut closed = self.closed.clone();
        let this = Arc::new(self);
        tokio::select! {
            () = Arc::clone(&this).admit_all(listener) => {}
            _ = closed.wait_for(|closed| *closed) => {}
        }
    }

    async fn admit_all(self: Arc<Self>, listener: TcpListener) {
        let census = Census::new((*self.limits).clone());
        let shaking = Arc::new(Semaphore::new(self.limits.handshakes));
        loop {
            let Ok(permit) = Arc::clone(&shaking).acquire_owned().await else { return };
            let (tcp, from) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let Some(place) = census.shake(from.ip()) else {
                debug!(%from, "dropped a connection: too many");
                continue;
            };
            let this = Arc::clone(&self);
            tokio::spawn(async move {
                let mut closed = this.closed.clone();
                tokio::select! {
                    () = this.admit(tcp, from, place) => {}
                    _ = closed.wait_for(|closed| *closed) => {}
                }
                drop(permit);
            });
        }
    }

    async fn admit(&self, tcp: TcpStream, from: SocketAddr, place: crate::census::Shaking) {
        let config = {
            let offer = self.offer.read().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(&offer.config)
        };
        let (peer, name, connection) =
            match timeout(self.limits.handshake, tcp::accept(tcp, config)).await {
                Ok(Ok(accepted)) => accepted,
                Ok(Err(error)) => return debug!(%from, %error, "handshake failed"),
                Err(_) => return debug!(%from, "handshake took too long"),
            };
        let Some(service) = self.service(&name) else {
            return debug!(?peer, "the service was withdrawn meanwhile");
        };
        let Some(seat) = place.sit(peer) else {
            return debug!(?peer, %from, "closed a connection: the peer has too many");
        };
        let limits = Arc::clone(&self.limits);
        let stream = Stream::new(peer, service, connection, Some(seat), limits);
        // It fails if the endpoint is gone; the stream is closed then.
        let _ = self.accepted.send(Incoming { peer, service, stream }).await;
    }

    fn service(&self, name: &[u8]) -> Option<Service> {
        let offer = self.offer.read().unwrap_or_else(PoisonError::into_inner);
        offer.services.iter().copied().find(|service| service.name().as_bytes() == name)
    }
}
