//! Frames of the network, the words of the chain, and the engine's headers and certificates.

use acre_chain::client::Checkpoint;
use acre_chain::proof::ProofFile;
use acre_chain::protocol::{Frame as EventFrame, Reply, Request, Subscribe};
use acre_engine::Header as BlockHeader;
use acre_engine::light::{certified_block, verify_certificate};
use acre_net::frame::{Assembler, HEADER_BYTES, Header, Step, decode_all};

use crate::canonical;

pub(crate) fn frame_header(data: &[u8]) {
    let Some((bytes, _)) = data.split_first_chunk::<HEADER_BYTES>() else { return };
    if let Ok(header) = Header::decode(bytes) {
        assert_eq!(header.encode(), *bytes);
        let again = Header::new(header.kind, header.call, header.meta_bytes(), header.body_bytes());
        assert_eq!(again, Ok(header));
    }
}

/// The frames do not depend on how the bytes were cut, and are the bytes they came from.
pub(crate) fn frames(data: &[u8]) {
    let whole = decode_all(data);
    let mut assembler = Assembler::default();
    let mut pieces = Vec::new();
    let mut rest = data;
    let mut cut = 1;
    let error = loop {
        if rest.is_empty() && !assembler.is_complete() {
            break None;
        }
        cut = cut % 7 + 1;
        let piece = &rest[..rest.len().min(cut)];
        match assembler.feed(piece) {
            Ok((taken, step)) => {
                rest = &rest[taken..];
                if let Step::Frame(frame) = step {
                    pieces.push(frame);
                }
            }
            Err(error) => break Some(error),
        }
    };
    match (whole, error) {
        (Ok(frames), None) => {
            assert_eq!(frames, pieces);
            let mut bytes = Vec::new();
            for frame in &frames {
                bytes.extend_from_slice(&frame.header.encode());
                bytes.extend_from_slice(&frame.meta);
                bytes.extend_from_slice(&frame.body);
            }
            assert_eq!(bytes, data[..bytes.len()]);
        }
        (Err(one), Some(other)) => assert_eq!(one, other),
        (one, other) => panic!("whole: {one:?}, in pieces: {other:?}"),
    }
}

pub(crate) fn chain_request(data: &[u8]) {
    canonical::<Request>(data);
}

pub(crate) fn chain_reply(data: &[u8]) {
    canonical::<Reply>(data);
}

pub(crate) fn chain_subscribe(data: &[u8]) {
    canonical::<Subscribe>(data);
}

pub(crate) fn chain_event_frame(data: &[u8]) {
    canonical::<EventFrame>(data);
}

pub(crate) fn block_header(data: &[u8]) {
    if let Ok(header) = BlockHeader::decode(data) {
        assert_eq!(header.to_bytes(), data);
        assert_eq!(header.id(), BlockHeader::decode(data).expect("it just did").id());
    }
}

/// A header and a certificate, the first with its length before it. Nobody whose keys are not
/// known can make a good one.
pub(crate) fn certificate(data: &[u8]) {
    let Some((length, rest)) = data.split_first() else { return };
    let (header, certificate) = rest.split_at(rest.len().min(usize::from(*length)));
    let _ = certified_block(certificate);
    assert!(verify_certificate(&[PARTICIPANT], b"fuzz", header, certificate).is_err());
}

/// The Ed25519 key of RFC 8032, section 7.1, test 1.
const PARTICIPANT: [u8; 32] = [
    0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a,
    0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a,
];

pub(crate) fn chain_proof_file(data: &[u8]) {
    if let Ok(file) = ProofFile::decode(data) {
        assert_eq!(file.to_bytes(), data);
    }
}

pub(crate) fn chain_checkpoint(data: &[u8]) {
    if let Ok(checkpoint) = Checkpoint::decode(data) {
        assert_eq!(checkpoint.to_bytes(), data);
        // What decodes can be used.
        assert!(checkpoint.of_term(u64::MAX).is_some());
    }
}

/// What validators tell each other beside consensus, with a vote in it or not.
pub(crate) fn engine_pulse(data: &[u8]) {
    if let Some(bytes) = acre_engine::strangers::pulse(data) {
        assert_eq!(bytes, data);
    }
}

pub(crate) fn engine_block(data: &[u8]) {
    if let Some(bytes) = acre_engine::strangers::block(data) {
        assert_eq!(bytes, data);
    }
}

pub(crate) fn chain_taken(data: &[u8]) {
    if let Some(bytes) = acre_chain::strangers::taken(data) {
        assert_eq!(bytes, data);
    }
}

/// A change of validators, from whoever answers or from a file.
pub(crate) fn chain_change(data: &[u8]) {
    if let Some(change) = canonical::<acre_chain::light::Change>(data) {
        let _ = change.term();
    }
}
