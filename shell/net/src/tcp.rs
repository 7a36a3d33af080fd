//! The driver: sockets under TLS.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use acre_types::PublicKey;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ServerConfig};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use crate::limits::{READ_BYTES, WRITE_BYTES};
use crate::tls;

/// An encrypted connection whose both ends proved their keys.
pub(crate) type Connection = TlsStream<Socket>;

/// Connects and shakes hands.
pub(crate) async fn dial(
    address: SocketAddr,
    config: Arc<ClientConfig>,
    connect: Duration,
    handshake: Duration,
) -> io::Result<Connection> {
    let tcp = within(connect, TcpStream::connect(address)).await?;
    let name = ServerName::IpAddress(address.ip().into());
    let socket = Socket::new(tcp)?;
    let tls = within(handshake, TlsConnector::from(config).connect(name, socket)).await?;
    let mut tls = TlsStream::from(tls);
    tune(&mut tls);
    Ok(tls)
}

/// Shakes hands with who connected: its key and the name of the service it asked for.
pub(crate) async fn accept(
    tcp: TcpStream,
    config: Arc<ServerConfig>,
) -> io::Result<(PublicKey, Vec<u8>, Connection)> {
    let tls = TlsAcceptor::from(config).accept(Socket::new(tcp)?).await?;
    let mut tls = TlsStream::from(tls);
    tune(&mut tls);
    let session = tls.get_ref().1;
    let shown = session.peer_certificates().and_then(|shown| shown.first());
    let key = shown.and_then(|shown| tls::key_of(shown));
    let key = key.ok_or_else(|| io::Error::other("the peer showed no key"))?;
    let service = session.alpn_protocol().map(<[u8]>::to_vec);
    let service = service.ok_or_else(|| io::Error::other("the peer asked for no service"))?;
    Ok((key, service, tls))
}

fn tune(tls: &mut Connection) {
    match tls {
        TlsStream::Client(tls) => tls.get_mut().1.set_buffer_limit(Some(WRITE_BYTES)),
        TlsStream::Server(tls) => tls.get_mut().1.set_buffer_limit(Some(WRITE_BYTES)),
    }
}

async fn within<T>(limit: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    match tokio::time::timeout(limit, work).await {
        Ok(done) => done,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

/// A socket read in large pieces. The TLS library asks for 4 KiB at a time; 17 system calls for a
/// 64 KiB body would cost more than its encryption. The buffer lives only while there is something
/// to read, so an idle connection has none.
pub(crate) struct Socket {
    tcp: TcpStream,
    buffer: Vec<u8>,
    taken: usize,
}

impl Socket {
    fn new(tcp: TcpStream) -> io::Result<Self> {
        tcp.set_nodelay(true)?;
        Ok(Self { tcp, buffer: Vec::new(), taken: 0 })
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.taken == this.buffer.len() {
            this.buffer.clear();
            this.taken = 0;
            this.buffer.reserve(READ_BYTES);
            let read = pin!(this.tcp.read_buf(&mut this.buffer)).poll(cx);
            if !matches!(read, Poll::Ready(Ok(1..))) {
                this.buffer = Vec::new();
            }
            ready!(read)?;
        }
        let rest = &this.buffer[this.taken..];
        let bytes = rest.len().min(into.remaining());
        into.put_slice(&rest[..bytes]);
        this.taken += bytes;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}
