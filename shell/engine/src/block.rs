//! Blocks and headers: what validators agree on.
//!
//! ```text
//! block  = header | payload
//! header = version u8 = 1
//!        | epoch varint | view varint | leader 32 | parent view varint | parent digest 32
//!        | height varint | timestamp_ms varint | state root 32
//!        | payload bytes u32 (big endian) | payload hash 32
//! digest = BLAKE3("acre:block-header:v1" | header)
//! payload hash = BLAKE3("acre:block-payload:v1" | payload)
//! ```
//!
//! The engine votes on `digest`, which covers the whole block through the payload's hash. So a
//! light client needs the header (about 180 bytes) and the certificate, never the payload. The
//! fields from epoch to parent digest are the engine's own context: they let a validator that
//! missed the proposal check it later, and name parent and proposer.
//!
//! The encoding is the engine's codec (varints in their shortest form only), since blocks travel
//! in the engine's messages and archives; a decoded block always matches its payload's hash.

use crate::{
    error::{Error, Result},
    limits::{MAX_HEADER_BYTES, MAX_PAYLOAD_BYTES},
};
use bytes::{BufMut, Bytes};
use commonware_codec::{
    Buf, Copying, Decode as _, Encode as _, EncodeSize, Error as CodecError, FixedSize as _,
    MaxEncodeSize as _, Read, ReadExt as _, Write, varint::UInt,
};
use commonware_consensus::{
    BoundedBlock, CertifiableBlock, Heightable,
    simplex::types::Context,
    types::{Epoch, Height, Round, View},
};
use commonware_cryptography::{
    Digestible, Hasher as _, Signer as _,
    blake3::Blake3,
    ed25519::{PrivateKey, PublicKey},
};

pub(crate) type Digest = commonware_cryptography::blake3::Digest;
pub(crate) type BlockContext = Context<Digest, PublicKey>;

/// Digest of a block's header: the block's name.
pub type BlockId = [u8; 32];

const VERSION: u8 = 1;
const HEADER_DOMAIN: &[u8] = b"acre:block-header:v1";
const PAYLOAD_DOMAIN: &[u8] = b"acre:block-payload:v1";
const CHAIN_DOMAIN: &[u8] = b"acre:chain:v1";

/// What a certificate speaks about: everything of a block but its payload's bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    pub(crate) context: BlockContext,
    height: u64,
    timestamp_ms: u64,
    state_root: [u8; 32],
    payload_bytes: u32,
    payload_hash: Digest,
}

impl Header {
    /// Decodes a header.
    ///
    /// # Errors
    /// [`Error::MalformedHeader`] if the bytes are not exactly one canonical header.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        if bytes.len() > MAX_HEADER_BYTES {
            return Err(Error::MalformedHeader);
        }
        let header = Self::decode_cfg(Copying(bytes), &()).map_err(|_| Error::MalformedHeader)?;
        if header.encode() != bytes {
            return Err(Error::MalformedHeader);
        }
        Ok(header)
    }

    /// The canonical bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        self.encode()
    }

    /// The block's name, which covers every field and, through its hash, the payload.
    #[must_use]
    pub fn id(&self) -> BlockId {
        self.digest().into()
    }

    pub(crate) fn digest(&self) -> Digest {
        Blake3::hash(&[HEADER_DOMAIN, &self.encode()])
    }

    /// The parent's name; for the genesis block, the chain's anchor.
    #[must_use]
    pub fn parent(&self) -> BlockId {
        self.context.parent.1.into()
    }

    /// Height above the genesis block (0).
    #[must_use]
    pub fn height(&self) -> u64 {
        self.height
    }

    /// Proposer's clock, in milliseconds since 1970; grows strictly with the height.
    #[must_use]
    pub fn timestamp_ms(&self) -> u64 {
        self.timestamp_ms
    }

    /// Root of the application's state after this block.
    #[must_use]
    pub fn state_root(&self) -> [u8; 32] {
        self.state_root
    }

    /// The term (the engine's epoch) in which the block was made: height / term heights. A quorum
    /// of that term's validators certifies it.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.context.round.epoch().get()
    }

    /// View (attempt) within the term in which the block was proposed.
    #[must_use]
    pub fn view(&self) -> u64 {
        self.context.round.view().get()
    }

    /// Ed25519 key of the proposer.
    #[must_use]
    pub fn proposer(&self) -> [u8; 32] {
        let mut key = [0; 32];
        key.copy_from_slice(&self.context.leader);
        key
    }

    /// Hash of the payload.
    #[must_use]
    pub fn payload_hash(&self) -> [u8; 32] {
        self.payload_hash.into()
    }

    /// Length of the payload in bytes.
    #[must_use]
    pub fn payload_bytes(&self) -> u32 {
        self.payload_bytes
    }

    pub(crate) fn max_encode_size() -> usize {
        1 + BlockContext::MAX_ENCODE_SIZE + 2 * UInt::<u64>::MAX_ENCODE_SIZE + 32 + 4 + Digest::SIZE
    }
}

impl Write for Header {
    fn write(&self, buf: &mut impl BufMut) {
        VERSION.write(buf);
        self.context.write(buf);
        UInt(self.height).write(buf);
        UInt(self.timestamp_ms).write(buf);
        self.state_root.write(buf);
        self.payload_bytes.write(buf);
        self.payload_hash.write(buf);
    }
}

impl EncodeSize for Header {
    fn encode_size(&self) -> usize {
        1 + self.context.encode_size()
            + UInt(self.height).encode_size()
            + UInt(self.timestamp_ms).encode_size()
            + 32
            + 4
            + Digest::SIZE
    }
}

impl Read for Header {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, (): &()) -> Result<Self, CodecError> {
        if u8::read(buf)? != VERSION {
            return Err(CodecError::Invalid("header", "unknown version"));
        }
        let header = Self {
            context: BlockContext::read(buf)?,
            height: UInt::read(buf)?.into(),
            timestamp_ms: UInt::read(buf)?.into(),
            state_root: <[u8; 32]>::read(buf)?,
            payload_bytes: u32::read(buf)?,
            payload_hash: Digest::read(buf)?,
        };
        if header.payload_bytes > MAX_PAYLOAD_BYTES {
            return Err(CodecError::Invalid("header", "payload too large"));
        }
        Ok(header)
    }
}

/// A header with its payload; the payload always has the hash the header names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    header: Header,
    payload: Bytes,
    /// Kept, because the engine asks for it over and over.
    digest: Digest,
}

impl Block {
    fn new(header: Header, payload: Bytes) -> Self {
        let digest = header.digest();
        Self { header, payload, digest }
    }

    /// The block of height zero. Its parent is an anchor that names the chain, so two chains never share
    /// a genesis block.
    ///
    /// # Errors
    /// [`Error::PayloadTooLarge`] if the payload exceeds [`MAX_PAYLOAD_BYTES`].
    pub(crate) fn genesis(namespace: &[u8], genesis: Genesis) -> Result<Self> {
        let context = Context {
            round: Round::new(Epoch::zero(), View::zero()),
            // Nobody proposed it; a key that everyone knows stands in the proposer's field.
            leader: PrivateKey::from_seed(0).public_key(),
            parent: (View::zero(), Blake3::hash(&[CHAIN_DOMAIN, namespace])),
        };
        let proposal = Proposal { payload: genesis.payload, state_root: genesis.state_root };
        Self::build(context, 0, genesis.timestamp_ms, proposal)
    }

    /// # Errors
    /// [`Error::PayloadTooLarge`] if the payload exceeds [`MAX_PAYLOAD_BYTES`].
    pub(crate) fn build(
        context: BlockContext,
        height: u64,
        timestamp_ms: u64,
        proposal: Proposal,
    ) -> Result<Self> {
        let Proposal { payload, state_root } = proposal;
        let too_large = || Error::PayloadTooLarge { bytes: payload.len(), max: MAX_PAYLOAD_BYTES };
        let payload_bytes = u32::try_from(payload.len()).map_err(|_| too_large())?;
        if payload_bytes > MAX_PAYLOAD_BYTES {
            return Err(too_large());
        }
        let payload_hash = hash_payload(&payload);
        let header =
            Header { context, height, timestamp_ms, state_root, payload_bytes, payload_hash };
        Ok(Self::new(header, payload))
    }

    /// Header and payload: what [`Start::At`](crate::Start::At) takes.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        self.encode()
    }

    /// The header.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// What the application put in: its transactions.
    #[must_use]
    pub fn payload(&self) -> &Bytes {
        &self.payload
    }

    /// The block's name.
    #[must_use]
    pub fn id(&self) -> BlockId {
        self.digest.into()
    }

    /// The parent's name.
    #[must_use]
    pub fn parent(&self) -> BlockId {
        self.header.parent()
    }

    /// Height above the genesis block (0).
    #[must_use]
    pub fn height(&self) -> u64 {
        self.header.height
    }

    /// This block as a parent.
    #[must_use]
    pub fn as_ref(&self) -> BlockRef {
        BlockRef {
            height: self.header.height,
            id: self.id(),
            timestamp_ms: self.header.timestamp_ms,
            state_root: self.header.state_root,
        }
    }
}

fn hash_payload(payload: &[u8]) -> Digest {
    Blake3::hash(&[PAYLOAD_DOMAIN, payload])
}

impl Write for Block {
    fn write(&self, buf: &mut impl BufMut) {
        self.header.write(buf);
        buf.put_slice(&self.payload);
    }
}

impl EncodeSize for Block {
    fn encode_size(&self) -> usize {
        self.header.encode_size() + self.payload.len()
    }
}

impl Read for Block {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, (): &()) -> Result<Self, CodecError> {
        let header = Header::read(buf)?;
        // The header's reader has bounded the length.
        let len = usize::try_from(header.payload_bytes)
            .map_err(|_| CodecError::Invalid("block", "payload too large"))?;
        if buf.remaining() < len {
            return Err(CodecError::EndOfBuffer);
        }
        let payload = buf.copy_to_bytes(len);
        if hash_payload(&payload) != header.payload_hash {
            return Err(CodecError::Invalid("block", "payload does not match the header"));
        }
        Ok(Self::new(header, payload))
    }
}

impl Digestible for Block {
    type Digest = Digest;

    fn digest(&self) -> Digest {
        self.digest
    }
}

impl Heightable for Block {
    fn height(&self) -> Height {
        Height::new(self.header.height)
    }
}

impl commonware_consensus::Block for Block {
    fn parent(&self) -> Digest {
        self.header.context.parent.1
    }
}

impl CertifiableBlock for Block {
    type Context = BlockContext;

    fn context(&self) -> BlockContext {
        self.header.context.clone()
    }
}

impl BoundedBlock for Block {
    fn max_encode_size((): &()) -> usize {
        Header::max_encode_size() + MAX_PAYLOAD_BYTES as usize
    }
}

/// The application's part of the genesis block; equal on all validators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Genesis {
    /// Anything that must be fixed by the genesis block, at most [`MAX_PAYLOAD_BYTES`].
    pub payload: Bytes,
    /// State root before the first block.
    pub state_root: [u8; 32],
    /// Milliseconds since 1970.
    pub timestamp_ms: u64,
}

/// The application's part of a new block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// The transactions, at most [`MAX_PAYLOAD_BYTES`].
    pub payload: Bytes,
    /// State root after them.
    pub state_root: [u8; 32],
}

/// A block to build on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockRef {
    /// Its height.
    pub height: u64,
    /// Its name.
    pub id: BlockId,
    /// Its time, in milliseconds since 1970.
    pub timestamp_ms: u64,
    /// State root after it.
    pub state_root: [u8; 32],
}
