//! Every limit of this crate, once, with its reason.
//!
//! The sizes are part of the protocol and constant. What a machine can bear is in [`Limits`], whose
//! default fits a node; tests make it small.

use std::time::Duration;

/// Largest `meta` of a message, in bytes: a page of a listing, 1,024 pack ids.
pub const META_BYTES_MAX: usize = 64 * 1024;
/// Largest `body` of a message, in bytes: the largest pack (4 MiB) and its headers.
pub const BODY_BYTES_MAX: usize = 4 * 1024 * 1024 + 64 * 1024;
/// Largest service name, in bytes: it stands in the first packet of every connection.
pub const SERVICE_BYTES_MAX: usize = 32;
/// Addresses of one peer that a dial tries: a node has a few interfaces, a hostile entry has many.
pub const ADDRESSES_MAX: usize = 8;
/// Memory set aside for a frame on the word of its header alone, in bytes. The usual shard
/// (256 KiB) fits, so it is never copied to grow; a larger frame must really arrive to cost more.
pub const FRAME_BYTES_AHEAD: usize = 320 * 1024;
/// Bytes read from a socket in one system call: a little more than a 64 KiB body with its records.
pub const READ_BYTES: usize = 72 * 1024;
/// Plaintext encrypted ahead of the socket, in bytes: two 64 KiB bodies in one system call.
pub const WRITE_BYTES: usize = 136 * 1024;
/// Slices given to one vectored write; three for each frame.
pub const WRITE_SLICES: usize = 48;
/// Peers whose connections a caller keeps before it forgets the idle and failed ones.
pub const POOL_PEERS: usize = 1024;

const _: () = assert!(FRAME_BYTES_AHEAD <= META_BYTES_MAX + BODY_BYTES_MAX);
const _: () = assert!(META_BYTES_MAX + BODY_BYTES_MAX <= u32::MAX as usize);
const _: () = assert!(META_BYTES_MAX + BODY_BYTES_MAX <= MEMORY_MAX);
const _: () = assert!(WRITE_SLICES >= 3);

/// What this process gives its peers. Exceeding a limit costs the peer that exceeds it.
///
/// A limit that names a connection or a peer bounds memory: one peer holds at most
/// `request_bytes_per_peer` of requests, and on each connection `reply_bytes_queued` of replies
/// plus those of the calls that were already running.
#[derive(Clone, Debug)]
pub struct Limits {
    /// For one TCP connection to be made: a SYN is repeated after 1 s.
    pub connect: Duration,
    /// For a handshake, from the accepted socket to proved keys. Two round trips, 100 ms CPU.
    pub handshake: Duration,
    /// For one frame, from its first byte to its last: 4 MiB at 140 kB/s. Who drips is cut off.
    pub frame: Duration,
    /// For a peer to take any of what is written to it.
    pub stall: Duration,
    /// For a caller to close after the server did; then the socket goes.
    pub linger: Duration,
    /// A server with something in progress says so at least this often.
    pub alive: Duration,
    /// A caller that waits and hears nothing this long gives the connection up.
    pub silence: Duration,
    /// A pooled connection unused this long is closed by the caller...
    pub idle_dialed: Duration,
    /// ...and, should the caller not, by the server.
    pub idle_accepted: Duration,
    /// Inbound handshakes at once; the next wait in the kernel's queue.
    pub handshakes: usize,
    /// Of these, from one network address; more are dropped, so that one address cannot have all.
    pub handshakes_per_address: usize,
    /// Inbound connections, handshakes included; more are dropped.
    pub connections: usize,
    /// Of these, from one network address (of IPv6, one /64), whatever keys it shows; more are dropped,
    /// so that a stranger cannot have all. This machine's own processes are not counted.
    pub connections_per_address: usize,
    /// Inbound connections of one peer; more are closed.
    pub connections_per_peer: usize,
    /// Calls of one connection that run at once; the next are not read.
    pub calls_per_connection: usize,
    /// Calls of one peer, over all its connections, that run at once; the next are not read.
    pub calls_per_peer: usize,
    /// Request bytes of one peer that are being received or handled; the next are not read.
    pub request_bytes_per_peer: usize,
    /// Reply bytes that wait for one connection; while there are more, no request is read from it.
    pub reply_bytes_queued: usize,
    /// Calls a caller has in flight on one connection; the next wait in their callers.
    pub calls_in_flight: usize,
    /// Request bytes a caller has in flight on one connection; the next wait in their callers.
    pub bytes_in_flight: usize,
    /// Pause after the first failed dial of a peer; doubles up to `backoff_max`. Calls within the
    /// pause fail at once with the error of that dial.
    pub backoff_min: Duration,
    /// Longest pause after a failed dial: how late a peer that came back may be noticed.
    pub backoff_max: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            handshake: Duration::from_secs(5),
            frame: Duration::from_secs(30),
            stall: Duration::from_secs(30),
            linger: Duration::from_secs(1),
            alive: Duration::from_secs(5),
            silence: Duration::from_secs(20),
            idle_dialed: Duration::from_secs(300),
            idle_accepted: Duration::from_secs(600),
            handshakes: 256,
            handshakes_per_address: 64,
            connections: 1024,
            // A quarter: an office behind one address has its place, and three more have theirs.
            connections_per_address: 256,
            connections_per_peer: 16,
            calls_per_connection: 128,
            calls_per_peer: 256,
            request_bytes_per_peer: 16 * 1024 * 1024,
            reply_bytes_queued: 8 * 1024 * 1024,
            calls_in_flight: 1024,
            bytes_in_flight: 32 * 1024 * 1024,
            backoff_min: Duration::from_millis(50),
            backoff_max: Duration::from_secs(3),
        }
    }
}

impl Limits {
    /// The same, with sizes raised to where the largest frame still passes alone: a smaller one
    /// would wait for ever.
    pub(crate) fn workable(mut self) -> Self {
        let frame = META_BYTES_MAX + BODY_BYTES_MAX;
        self.request_bytes_per_peer = self.request_bytes_per_peer.clamp(frame, MEMORY_MAX);
        self.bytes_in_flight = self.bytes_in_flight.clamp(frame, MEMORY_MAX);
        for count in [
            &mut self.handshakes,
            &mut self.calls_per_connection,
            &mut self.calls_per_peer,
            &mut self.calls_in_flight,
        ] {
            *count = (*count).clamp(1, COUNT_MAX);
        }
        self
    }
}

/// More of anything countable than one process can hold.
const COUNT_MAX: usize = 1 << 20;
/// More bytes in flight than one peer is ever good for; fits the permits of a semaphore (`u32`).
const MEMORY_MAX: usize = 1 << 30;
