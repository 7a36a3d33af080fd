//! Frames: what calls and events are cut into. Pure functions over bytes.
//!
//! ```text
//! offset  bytes  field
//! 0       1      kind: 1 request, 2 reply, 3 failed, 4 alive, 5 goodbye, 6 event
//! 1       3      zero
//! 4       8      call, little endian: counts the requests of a connection from 1
//! 12      4      length of meta, little endian, at most 64 KiB
//! 16      4      length of body, little endian, at most 4 MiB + 64 KiB
//! 20      …      meta, then body
//! ```
//!
//! - request, reply: of the call. Replies come in any order.
//! - failed: the call was taken, and there will be no reply. Empty.
//! - alive: the server is at work and has nothing else to say. Empty, call 0.
//! - goodbye: the server takes no further request; `call` is the last one it took. Empty.
//! - event: on streams of their own; call 0, no meta.

use bytes::{Bytes, BytesMut};

use crate::limits::{BODY_BYTES_MAX, FRAME_BYTES_AHEAD, META_BYTES_MAX};

/// Length of a header, in bytes.
pub const HEADER_BYTES: usize = 20;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A call.
    Request = 1,
    /// Its answer.
    Reply = 2,
    /// There will be no answer.
    Failed = 3,
    /// The server is at work.
    Alive = 4,
    /// The server takes no further request.
    Goodbye = 5,
    /// A frame of a stream of its own.
    Event = 6,
}

/// The fixed part of a frame; its lengths are within the limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What it is.
    pub kind: Kind,
    /// Which call it belongs to.
    pub call: u64,
    meta_bytes: u32,
    body_bytes: u32,
}

/// A frame that no honest peer sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// No such kind, or the zero bytes are not zero.
    #[error("unknown kind of frame {kind}")]
    Kind {
        /// The first byte.
        kind: u8,
    },
    /// A length over its limit.
    #[error("a frame with {meta_bytes} bytes of meta and {body_bytes} of body is too large")]
    TooLarge {
        /// Claimed length of the meta.
        meta_bytes: u32,
        /// Claimed length of the body.
        body_bytes: u32,
    },
    /// A kind that carries nothing carries something, or lacks or has a call wrongly.
    #[error("a frame of kind {kind:?} with contents it cannot have")]
    Contents {
        /// The kind.
        kind: Kind,
    },
    /// A kind that has no place on this stream or in this direction.
    #[error("a frame of kind {kind:?} is out of place")]
    OutOfPlace {
        /// The kind.
        kind: Kind,
    },
    /// A call that was never made, was answered before, or does not follow the one before.
    #[error("call {call} is unknown or out of order")]
    Call {
        /// Its number.
        call: u64,
    },
    /// The connection ended within a frame.
    #[error("the connection ended within a frame")]
    Cut,
}

impl Header {
    /// The header of a frame with these lengths, in bytes.
    ///
    /// # Errors
    /// [`FrameError::TooLarge`], [`FrameError::Contents`].
    pub fn new(kind: Kind, call: u64, meta: usize, body: usize) -> Result<Self, FrameError> {
        let clamp = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
        let header = Self { kind, call, meta_bytes: clamp(meta), body_bytes: clamp(body) };
        header.check()
    }

    /// Reads a header.
    ///
    /// # Errors
    /// Anything but what [`Header::encode`] gives is refused.
    pub fn decode(bytes: &[u8; HEADER_BYTES]) -> Result<Self, FrameError> {
        let [kind, z0, z1, z2, rest @ ..] = *bytes;
        let kind = match (kind, [z0, z1, z2]) {
            (1, [0, 0, 0]) => Kind::Request,
            (2, [0, 0, 0]) => Kind::Reply,
            (3, [0, 0, 0]) => Kind::Failed,
            (4, [0, 0, 0]) => Kind::Alive,
            (5, [0, 0, 0]) => Kind::Goodbye,
            (6, [0, 0, 0]) => Kind::Event,
            _ => return Err(FrameError::Kind { kind }),
        };
        let [c0, c1, c2, c3, c4, c5, c6, c7, m0, m1, m2, m3, b0, b1, b2, b3] = rest;
        let header = Self {
            kind,
            call: u64::from_le_bytes([c0, c1, c2, c3, c4, c5, c6, c7]),
            meta_bytes: u32::from_le_bytes([m0, m1, m2, m3]),
            body_bytes: u32::from_le_bytes([b0, b1, b2, b3]),
        };
        header.check()
    }

    fn check(self) -> Result<Self, FrameError> {
        let Self { kind, call, meta_bytes, body_bytes } = self;
        if self.meta_bytes() > META_BYTES_MAX || self.body_bytes() > BODY_BYTES_MAX {
            return Err(FrameError::TooLarge { meta_bytes, body_bytes });
        }
        let fits = match kind {
            Kind::Request | Kind::Reply => call > 0,
            Kind::Failed => call > 0 && self.payload_bytes() == 0,
            Kind::Alive => call == 0 && self.payload_bytes() == 0,
            Kind::Goodbye => self.payload_bytes() == 0,
            Kind::Event => call == 0 && meta_bytes == 0,
        };
        if fits { Ok(self) } else { Err(FrameError::Contents { kind }) }
    }

    /// The bytes of the header.
    #[must_use]
    pub fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[0] = self.kind as u8;
        bytes[4..12].copy_from_slice(&self.call.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.meta_bytes.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.body_bytes.to_le_bytes());
        bytes
    }

    /// Length of the meta.
    #[must_use]
    pub const fn meta_bytes(&self) -> usize {
        self.meta_bytes as usize
    }

    /// Length of the body.
    #[must_use]
    pub const fn body_bytes(&self) -> usize {
        self.body_bytes as usize
    }

    /// Length of what follows the header.
    #[must_use]
    pub const fn payload_bytes(&self) -> usize {
        self.meta_bytes() + self.body_bytes()
    }
}

/// A whole frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Its fixed part.
    pub header: Header,
    /// As long as the header says.
    pub meta: Bytes,
    /// As long as the header says.
    pub body: Bytes,
}

impl Frame {
    /// A frame of these parts.
    ///
    /// # Errors
    /// [`FrameError::TooLarge`], [`FrameError::Contents`].
    pub fn new(kind: Kind, call: u64, meta: Bytes, body: Bytes) -> Result<Self, FrameError> {
        let header = Header::new(kind, call, meta.len(), body.len())?;
        Ok(Self { header, meta, body })
    }

    /// Header and payload, in bytes.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        HEADER_BYTES + self.header.payload_bytes()
    }
}

/// What a piece of input completed.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing; all of it was taken.
    More,
    /// A header. The payload follows; nothing was set aside for it yet.
    Header(Header),
    /// A frame.
    Frame(Frame),
}

/// Puts frames together from pieces of any length. Holds one frame at most, and no memory between
/// two frames.
#[derive(Debug)]
pub struct Assembler(State);

#[derive(Debug)]
enum State {
    Header { bytes: [u8; HEADER_BYTES], filled: usize },
    Payload { header: Header, bytes: BytesMut },
}

const EMPTY: State = State::Header { bytes: [0; HEADER_BYTES], filled: 0 };

impl Default for Assembler {
    fn default() -> Self {
        Self(EMPTY)
    }
}

impl Assembler {
    /// Whether the input so far ends between two frames.
    #[must_use]
    pub const fn is_between(&self) -> bool {
        matches!(self.0, State::Header { filled: 0, .. })
    }

    /// Whether a frame without payload has its header and waits to be taken by a `feed` of nothing.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        matches!(&self.0, State::Payload { header, bytes } if bytes.len() == header.payload_bytes())
    }

    /// Takes from `input` up to the end of the header or of the payload begun: how many bytes were
    /// taken, and what they completed. The payload is copied once, into memory of its own.
    ///
    /// # Errors
    /// What is wrong with a header. The stream cannot be read on then.
    pub fn feed(&mut self, input: &[u8]) -> Result<(usize, Step), FrameError> {
        match &mut self.0 {
            State::Header { bytes, filled } => {
                let taken = input.len().min(HEADER_BYTES - *filled);
                bytes[*filled..*filled + taken].copy_from_slice(&input[..taken]);
                *filled += taken;
                if *filled < HEADER_BYTES {
                    return Ok((taken, Step::More));
                }
                let header = Header::decode(bytes)?;
                self.0 = State::Payload { header, bytes: BytesMut::new() };
                Ok((taken, Step::Header(header)))
            }
            State::Payload { header, bytes } => {
                if bytes.capacity() == 0 {
                    bytes.reserve(header.payload_bytes().min(FRAME_BYTES_AHEAD));
                }
                let taken = input.len().min(header.payload_bytes() - bytes.len());
                bytes.extend_from_slice(&input[..taken]);
                if bytes.len() < header.payload_bytes() {
                    return Ok((taken, Step::More));
                }
                let (header, mut body) = (*header, std::mem::take(bytes).freeze());
                let meta = body.split_to(header.meta_bytes());
                self.0 = EMPTY;
                Ok((taken, Step::Frame(Frame { header, meta, body })))
            }
        }
    }
}

/// Reads frames from a stranger's bytes, as the fuzzer does: the frames that are whole.
///
/// # Errors
/// At the first header that is wrong.
pub fn decode_all(mut input: &[u8]) -> Result<Vec<Frame>, FrameError> {
    let mut assembler = Assembler::default();
    let mut frames = Vec::new();
    while !input.is_empty() || assembler.is_complete() {
        let (taken, step) = assembler.feed(input)?;
        input = &input[taken..];
        if let Step::Frame(frame) = step {
            frames.push(frame);
        }
    }
    Ok(frames)
}

#[cfg(test)]
mod tests;
