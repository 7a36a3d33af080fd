//! Frames, good and bad.

use super::*;

fn frame(kind: Kind, call: u64, meta: usize, body: usize) -> Frame {
    Frame::new(kind, call, vec![7; meta].into(), vec![9; body].into()).unwrap()
}

fn bytes(frames: &[Frame]) -> Vec<u8> {
    frames.iter().flat_map(|f| [f.header.encode().as_slice(), &f.meta, &f.body].concat()).collect()
}

#[test]
fn header_has_the_drawn_layout() {
    let header = Header::new(Kind::Reply, 0x0102_0304, 5, 0x1_0000).unwrap();
    let drawn = [2, 0, 0, 0, 4, 3, 2, 1, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 1, 0];
    assert_eq!(header.encode(), drawn);
    assert_eq!(Header::decode(&drawn), Ok(header));
}

#[test]
fn frames_survive_being_cut_anywhere() {
    let frames = [
        frame(Kind::Request, 1, 3, 10),
        frame(Kind::Failed, 2, 0, 0),
        frame(Kind::Goodbye, 0, 0, 0),
        frame(Kind::Reply, 3, 0, 40),
        frame(Kind::Alive, 0, 0, 0),
    ];
    let stream = bytes(&frames);
    assert_eq!(decode_all(&stream).unwrap(), frames);
    for piece in 1..stream.len() {
        let mut assembler = Assembler::default();
        let mut seen = Vec::new();
        for mut input in stream.chunks(piece) {
            while !input.is_empty() || assembler.is_complete() {
                let (taken, step) = assembler.feed(input).unwrap();
                input = &input[taken..];
                if let Step::Frame(frame) = step {
                    seen.push(frame);
                }
            }
        }
        assert_eq!(seen, frames, "in pieces of {piece}");
        assert!(assembler.is_between());
    }
}

#[test]
fn lengths_pass_at_the_limit_and_not_past_it() {
    let (meta, body) = (META_BYTES_MAX, BODY_BYTES_MAX);
    assert!(Header::new(Kind::Request, 1, meta, body).is_ok());
    for (meta, body) in [(meta + 1, 0), (0, body + 1), (usize::MAX, 0)] {
        let made = Header::new(Kind::Request, 1, meta, body);
        assert!(matches!(made, Err(FrameError::TooLarge { .. })), "{meta} {body}");
    }
    let mut raw = Header::new(Kind::Request, 1, 0, 0).unwrap().encode();
    raw[16..20].copy_from_slice(&u32::try_from(body).unwrap().to_le_bytes());
    assert!(Header::decode(&raw).is_ok());
    raw[16..20].copy_from_slice(&u32::try_from(body + 1).unwrap().to_le_bytes());
    assert!(matches!(Header::decode(&raw), Err(FrameError::TooLarge { .. })));
}

#[test]
fn refuses_headers_that_encode_never_gives() {
    let good = Header::new(Kind::Request, 1, 0, 0).unwrap().encode();
    for (at, value) in [(0, 0), (0, 7), (1, 1), (2, 1), (3, 1), (4, 0)] {
        let mut bad = good;
        bad[at] = value;
        assert!(Header::decode(&bad).is_err(), "byte {at} = {value}");
    }
    for kind in [Kind::Failed, Kind::Alive, Kind::Goodbye] {
        assert!(Header::new(kind, 1, 1, 0).is_err(), "{kind:?} with meta");
    }
    assert!(Header::new(Kind::Alive, 1, 0, 0).is_err());
    assert!(Header::new(Kind::Event, 1, 0, 0).is_err());
}

#[test]
fn claimed_length_alone_sets_little_memory_aside() {
    let mut assembler = Assembler::default();
    let header = Header::new(Kind::Request, 1, 0, BODY_BYTES_MAX).unwrap();
    assert_eq!(assembler.feed(&header.encode()).unwrap(), (HEADER_BYTES, Step::Header(header)));
    assembler.feed(&[1]).unwrap();
    let State::Payload { bytes, .. } = &assembler.0 else { panic!("not in the payload") };
    assert!(bytes.capacity() <= FRAME_BYTES_AHEAD);
}

#[test]
fn garbage_never_panics() {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..20_000 {
        let mut input = [0u8; 64];
        for byte in &mut input {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *byte = (seed >> 60).to_le_bytes()[0];
        }
        let _ = decode_all(&input);
    }
}
