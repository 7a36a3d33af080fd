//! How fast the storage formats are on one core: `cargo bench -p acre-store`.
//!
//! Each row is the best of several passes over the same bytes; ratios of one run are what counts.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    reason = "a benchmark reads the clock and prints"
)]

use std::hint::black_box;
use std::time::Instant;

use acre_crypto::{Secret, SigningKey};
use acre_store::Entropy;
use acre_store::chunk::{Chunker, Input, chunk_id, fixed_chunk_bytes};
use acre_store::compress::{Compression, Encoder, pays};
use acre_store::keys::Identity;
use acre_store::pack::{Builder, BuilderConfig, Layout, Opener, assemble};
use acre_types::{ContractId, Profile};

const BYTES: usize = 128 << 20;
const PASSES: usize = 5;

fn random(mut state: u64, length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bytes.extend_from_slice(&(mixed ^ (mixed >> 31)).to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// Text-like bytes: words of a small vocabulary in random order.
fn text(length: usize) -> Vec<u8> {
    let dice = random(5, length);
    let mut bytes = Vec::with_capacity(length + 16);
    for pair in dice.chunks_exact(2) {
        let word = (u32::from(pair[0] & 15) << 8) | u32::from(pair[1]);
        bytes.extend_from_slice(format!("{:x} ", word * 2_654_435).as_bytes());
        if bytes.len() >= length {
            break;
        }
    }
    bytes.truncate(length);
    bytes
}

/// Seconds of processor time of this thread where the system tells, else of the clock: a busy
/// machine must not make the code look slow.
fn seconds(start: Instant) -> f64 {
    let spent = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = spent.and_then(|line| line.split(' ').next()?.parse::<f64>().ok());
    nanos.map_or_else(|| start.elapsed().as_secs_f64(), |nanos| nanos / 1e9)
}

fn row(name: &str, bytes: usize, mut pass: impl FnMut()) -> f64 {
    let mut best = f64::MAX;
    let clock = Instant::now();
    for _ in 0..PASSES {
        let start = seconds(clock);
        pass();
        best = best.min(seconds(clock) - start);
    }
    let rate = bytes as f64 / best / 1e9;
    println!("{name:<58} {rate:>7.2} GB/s  {:>6.3} s/GB", 1.0 / rate);
    rate
}

fn cut(mut chunker: Chunker, mut bytes: &[u8], mut with: impl FnMut(&[u8])) {
    while let Some(length) = chunker.cut(bytes, Input::Last) {
        let (chunk, rest) = bytes.split_at(length);
        with(chunk);
        bytes = rest;
    }
}

fn builder(compression: Compression) -> Builder {
    let config = BuilderConfig { contract: ContractId(1), profile: Profile::Standard, compression };
    Builder::data(config, Entropy::new(Secret::new([1; 32])))
}

/// Packs all chunks and signs; returns bytes of shards.
fn put(builder: &mut Builder, writer: &SigningKey, chunks: &mut dyn Iterator<Item = &[u8]>) -> u64 {
    let mut stored = 0;
    let mut sign = |pack: acre_store::pack::SealedPack| {
        let pack = pack.sign(writer);
        stored += u64::from(pack.header().shard_bytes()) * 20;
        for index in Profile::Standard.indices() {
            black_box(pack.shard(index).unwrap());
        }
    };
    for chunk in chunks {
        if let Some(pack) = builder.add(chunk).unwrap().closed {
            sign(pack);
        }
    }
    if let Some(pack) = builder.close().unwrap() {
        sign(pack);
    }
    stored
}

fn chunkers(name: &str, bytes: &[u8]) {
    let ours = row(&format!("chunker, {name}"), bytes.len(), || {
        cut(Chunker::content(), bytes, |chunk| {
            black_box(chunk.len());
        });
    });
    let peer = row(&format!("fastcdc 5 (v2020), {name}"), bytes.len(), || {
        for chunk in fastcdc::v2020::FastCDC::new(bytes, 16_384, 65_536, 262_144) {
            black_box(chunk.length);
        }
    });
    println!("{:<58} {:>7.2} x", format!("  chunker / fastcdc, {name}"), ours / peer);
}

fn pipeline(name: &str, bytes: &[u8]) {
    let keys = Identity::new(Secret::new([2; 32])).volume(0);
    let writer = keys.signing_key();
    let mut chunks = Vec::new();
    cut(Chunker::content(), bytes, |chunk| chunks.push(chunk.len()));
    let slices = || {
        let mut rest = bytes;
        chunks.iter().map(move |length| {
            let (chunk, tail) = rest.split_at(*length);
            rest = tail;
            chunk
        })
    };
    row(&format!("chunk ids, {name}"), bytes.len(), || {
        for chunk in slices() {
            black_box(chunk_id(keys.chunk_id_key(), chunk));
        }
    });
    row(&format!("compression probe, {name}"), bytes.len(), || {
        for chunk in slices() {
            black_box(pays(chunk));
        }
    });
    let (mut encoder, mut out) = (Encoder::new(Compression::Probe), vec![0; 1 << 20]);
    row(&format!("probe + zstd 1 where it pays, {name}"), bytes.len(), || {
        for chunk in slices() {
            black_box(encoder.encode(chunk, &mut out));
        }
    });
    let mut plain = builder(Compression::Never);
    row(&format!("copy, seal, 16+4, roots, sign, {name}"), bytes.len(), || {
        put(&mut plain, writer, &mut slices());
    });
    let mut probing = builder(Compression::Probe);
    let mut stored = 0;
    row(&format!("WHOLE: cut, id, probe, seal, 16+4, roots, {name}"), bytes.len(), || {
        stored = 0;
        let mut ends = Vec::new();
        cut(Chunker::content(), bytes, |chunk| {
            black_box(chunk_id(keys.chunk_id_key(), chunk));
            ends.push(chunk.len());
            if let Some(pack) = probing.add(chunk).unwrap().closed {
                stored += u64::from(pack.header().shard_bytes()) * 20;
                black_box(pack.sign(writer));
            }
        });
        stored += put(&mut probing, writer, &mut std::iter::empty());
    });
    println!(
        "{:<58} {:>7.3}",
        format!("  stored / plain, {name}"),
        stored as f64 / bytes.len() as f64
    );
}

fn get(bytes: &[u8]) {
    let writer = SigningKey::from_seed(Secret::new([2; 32]));
    let mut builder = builder(Compression::Never);
    let chunk = fixed_chunk_bytes(Profile::Standard);
    let refs: Vec<_> =
        bytes.chunks_exact(chunk).take(4).map(|part| builder.add(part).unwrap()).collect();
    let pack = builder.close().unwrap().unwrap();
    let key = acre_crypto::aead::AeadKey::new(pack.secret().unwrap());
    let pack = pack.sign(&writer);
    let layout = Layout::of(pack.header());
    let all: Vec<_> =
        Profile::Standard.indices().map(|index| (index, pack.shard(index).unwrap().1)).collect();
    let (mut opener, mut out) = (Opener::new(), Vec::new());
    let total = refs.iter().map(|added| added.chunk.plain as usize).sum::<usize>();
    for (name, shards) in [("healthy", &all[..16]), ("4 of 20 lost", &all[4..])] {
        row(&format!("get: decode and open a pack, {name}"), total * 32, || {
            for _ in 0..32 {
                let bytes = assemble(&layout, refs[0].pack, shards).unwrap();
                for added in &refs {
                    out.clear();
                    let range = added.chunk.range();
                    let sealed = &bytes[range.start as usize..range.end as usize];
                    opener.open(&key, added.pack, added.chunk, sealed, &mut out).unwrap();
                    black_box(&out);
                }
            }
        });
    }
}

fn main() {
    let random = random(1, BYTES);
    let text = text(BYTES);
    chunkers("random", &random);
    chunkers("text", &text);
    pipeline("random", &random);
    pipeline("text", &text);
    get(&random);
}
