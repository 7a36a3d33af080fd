//! What can go wrong between two peers, split by what the caller can do about it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use acre_types::PublicKey;

use crate::Service;
use crate::frame::FrameError;

/// Why there is no stream to a peer. Nothing was asked of it yet.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum DialError {
    /// The address book has no address of it. Try again when it has one.
    #[error("no address of {peer} is known")]
    NoAddress {
        /// Who was dialed.
        peer: PublicKey,
    },
    /// Nobody answered, at none of its addresses. Try later, or another peer.
    #[error("{peer} does not answer at {address}, the last of {tried} addresses tried")]
    Unreachable {
        /// Who was dialed.
        peer: PublicKey,
        /// Addresses tried.
        tried: usize,
        /// The last of them.
        address: SocketAddr,
        /// What happened there.
        #[source]
        source: Arc<io::Error>,
    },
    /// Somebody answered who does not hold the key. The address book is wrong, or someone lies.
    #[error("who answers at {address} is not {peer}")]
    WrongKey {
        /// Who was dialed.
        peer: PublicKey,
        /// Where somebody else answered.
        address: SocketAddr,
    },
    /// The peer does not have this service. Repeating does not help.
    #[error("{peer} at {address} does not offer {service}")]
    Refused {
        /// Who was dialed.
        peer: PublicKey,
        /// Where.
        address: SocketAddr,
        /// What for.
        service: Service,
    },
    /// This endpoint was closed.
    #[error("the endpoint is closed")]
    Closed,
}

/// Which part of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The small part, encoded.
    Meta,
    /// The large part, raw.
    Body,
}

/// Why a call has no reply.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The request is larger than any peer takes. Nothing was sent; split it.
    #[error("the {part:?} of a request has {bytes} bytes, over the limit of {bytes_max}")]
    TooLarge {
        /// Which part.
        part: Part,
        /// Its size.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// There is no connection to the peer. Nothing was sent.
    #[error("cannot call {service}")]
    Dial {
        /// What for.
        service: Service,
        /// Why not.
        #[source]
        source: DialError,
    },
    /// The connection ended before the peer took the request. It may be repeated.
    #[error("the connection to {peer} ended before the call was sent: {reason}")]
    Unsent {
        /// Who was called.
        peer: PublicKey,
        /// Why it ended.
        reason: Ending,
    },
    /// The connection ended while the call was in flight: whether it was carried out is unknown.
    #[error("the connection to {peer} ended with the call in flight, outcome unknown: {reason}")]
    Unknown {
        /// Who was called.
        peer: PublicKey,
        /// Why it ended.
        reason: Ending,
    },
    /// No reply in time, and the request was never sent. It may be repeated.
    #[error("the call to {peer} could not be sent within {within:?}")]
    DeadlineUnsent {
        /// Who was called.
        peer: PublicKey,
        /// The time it had.
        within: Duration,
    },
    /// No reply in time: whether the call was or will be carried out is unknown.
    #[error("no reply of {peer} within {within:?}, outcome unknown")]
    DeadlineUnknown {
        /// Who was called.
        peer: PublicKey,
        /// The time it had.
        within: Duration,
    },
    /// The peer took the call and failed at answering it: its handler broke or its reply was too
    /// large. Whether the call was carried out is unknown; the connection goes on.
    #[error("{peer} failed to answer the call")]
    Failed {
        /// Who was called.
        peer: PublicKey,
    },
}

impl CallError {
    /// Whether the peer certainly did not act on the call, so that repeating it is safe whatever
    /// it asks for.
    #[must_use]
    pub const fn is_unsent(&self) -> bool {
        match self {
            Self::TooLarge { .. }
            | Self::Dial { .. }
            | Self::Unsent { .. }
            | Self::DeadlineUnsent { .. } => true,
            Self::Unknown { .. } | Self::DeadlineUnknown { .. } | Self::Failed { .. } => false,
        }
    }
}

/// Why a connection ended.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Ending {
    /// The peer closed it between two frames.
    #[error("closed by the peer")]
    Closed,
    /// The peer said that it stops serving.
    #[error("the peer is shutting down")]
    Goodbye,
    /// The socket or the encryption broke.
    #[error("{0}")]
    Io(Arc<io::Error>),
    /// The peer sent what it must not.
    #[error("broken protocol: {0}")]
    Frame(#[from] FrameError),
    /// The peer was too slow at something, or silent.
    #[error("{what} took longer than {limit:?}")]
    Timeout {
        /// What.
        what: &'static str,
        /// The time it had.
        limit: Duration,
    },
    /// Nothing was asked for long.
    #[error("unused for long")]
    Idle,
}

impl From<io::Error> for Ending {
    fn from(error: io::Error) -> Self {
        Self::Io(Arc::new(error))
    }
}

/// What goes wrong on this side, or on a stream of one's own.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetError {
    /// The address cannot be listened at: taken, or not of this machine.
    #[error("cannot listen at {address}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The encryption library does not take our key or settings.
    #[error("cannot set up TLS: {reason}")]
    Tls {
        /// In its words.
        reason: String,
    },
    /// A frame to be sent is larger than this stream's limit.
    #[error("a frame of {bytes} bytes is over the limit of {bytes_max}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// The stream ended.
    #[error("the stream with {peer} ended: {reason}")]
    Ended {
        /// The other side.
        peer: PublicKey,
        /// Why.
        reason: Ending,
    },
}
