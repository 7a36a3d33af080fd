//! Pipelined calls: many in flight over one connection per (peer, service), answered in any order.
//!
//! A [`Caller`] keeps the connections of one service and makes them when needed. [`serve`] runs a
//! [`Handler`] for each service of an endpoint. What a broken connection leaves behind is told
//! exactly: a call the peer never took is [`CallError::Unsent`] (the
//! caller itself repeats it once), any other is
//! [`CallError::Unknown`].
//!
//! Flow: a caller has at most `calls_in_flight` and `bytes_in_flight` on a connection; further
//! calls wait. A server reads a request only when its peer is within its budgets, so what a peer
//! sends too much waits in that peer. Replies that a peer does not read stop the reading of its
//! requests; nobody else notices.

mod caller;
mod link;
mod serve;

use bytes::Bytes;

pub use caller::Caller;
pub use serve::{Handler, Server, Services, serve};

use crate::limits::{BODY_BYTES_MAX, META_BYTES_MAX};
use crate::{CallError, Part};

/// A request or a reply. What was received shares one piece of memory: who keeps a small part of
/// it for long should copy that.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// The small part, encoded: at most 64 KiB.
    pub meta: Bytes,
    /// The large part, raw: at most 4 MiB + 64 KiB.
    pub body: Bytes,
}

impl Message {
    /// A message of these parts.
    #[must_use]
    pub fn new(meta: impl Into<Bytes>, body: impl Into<Bytes>) -> Self {
        Self { meta: meta.into(), body: body.into() }
    }

    /// Both parts, in bytes.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.meta.len() + self.body.len()
    }

    fn check(&self) -> Result<(), CallError> {
        for (part, bytes, bytes_max) in [
            (Part::Meta, self.meta.len(), META_BYTES_MAX),
            (Part::Body, self.body.len(), BODY_BYTES_MAX),
        ] {
            if bytes > bytes_max {
                return Err(CallError::TooLarge { part, bytes, bytes_max });
            }
        }
        Ok(())
    }
}
