//! Two-way bytes between two proved keys.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use acre_types::PublicKey;
use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, ReadBuf};

use crate::census::Seat;
use crate::tcp::Connection;
use crate::{Limits, Service};

/// An open stream to a peer, for one service. Encrypted; both ends proved their keys.
///
/// What is written is sent by `flush` at the latest. Dropping it closes the connection.
pub struct Stream {
    peer: PublicKey,
    service: Service,
    /// The only place where the driver shows; a second driver makes it an enum.
    connection: Connection,
    /// Counts as one of the peer's connections for as long as it lives; `None` if we dialed.
    seat: Option<Seat>,
    limits: Arc<Limits>,
}

impl Stream {
    pub(crate) const fn new(
        peer: PublicKey,
        service: Service,
        connection: Connection,
        seat: Option<Seat>,
        limits: Arc<Limits>,
    ) -> Self {
        Self { peer, service, connection, seat, limits }
    }

    /// The key the other side proved.
    #[must_use]
    pub const fn peer(&self) -> PublicKey {
        self.peer
    }

    /// What this stream is for.
    #[must_use]
    pub const fn service(&self) -> Service {
        self.service
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) const fn seat(&self) -> Option<&Seat> {
        self.seat.as_ref()
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_read(cx, into)
    }
}

impl AsyncBufRead for Stream {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        Pin::new(&mut self.get_mut().connection).poll_fill_buf(cx)
    }

    fn consume(mut self: Pin<&mut Self>, bytes: usize) {
        Pin::new(&mut self.connection).consume(bytes);
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.connection).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.connection).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_shutdown(cx)
    }
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Stream({:?}, {})", self.peer, self.service)
    }
}
