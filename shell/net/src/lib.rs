//! Reaching a peer by its key: `dial(key, service) -> stream`, and pipelined calls over it.
//!
//! A peer *is* its Ed25519 key. Dialing a key ends either with a stream whose other end proved to
//! hold exactly that key, or with an error; an accepted stream likewise carries the proved key of
//! who dialed. Where a key can be reached is told by an [`AddressBook`]; nothing here asks a name
//! server, a relay or any other third party, so all of it works without the internet.
//!
//! ```text
//! rpc       many calls in flight over one pooled connection per (peer, service)
//! framed    bounded frames over a stream of one's own: events
//! endpoint  dial, accept, limits per peer
//! tcp, tls  the one driver of today: TLS 1.3 over TCP, raw public keys (RFC 7250) on both sides
//! ```
//!
//! No type of the driver is visible outside: a second one (for peers behind NATs) goes behind the
//! same [`Stream`] and [`Endpoint`]. The service is agreed on by ALPN (RFC 7301), so that it costs
//! no round trip, and a service the peer does not have is refused within the handshake.
//!
//! The first handshake of a process costs 30-70 ms once: `aws-lc` sets itself up. It is paid in
//! [`Endpoint::bind`], so that no call waits for it.
//!
//! This crate must not know what the calls mean: no ledger, no shards, no codec.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests"))]

mod address;
mod census;
mod endpoint;
mod error;
pub mod frame;
mod framed;
pub mod limits;
pub mod rpc;
mod service;
mod stream;
mod tcp;
mod tls;
mod wire;

pub use address::{AddressBook, StaticBook};
pub use endpoint::{Endpoint, Incoming};
pub use error::{CallError, DialError, Ending, NetError, Part};
pub use framed::Framed;
pub use limits::Limits;
pub use service::Service;
pub use stream::Stream;
