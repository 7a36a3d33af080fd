//! Where chunks are cut.

use std::collections::BTreeSet;

use super::*;
use crate::testing::{Numbers, random_bytes};

fn lengths(mut chunker: Chunker, mut bytes: &[u8]) -> Vec<usize> {
    let mut lengths = Vec::new();
    while let Some(length) = chunker.cut(bytes, Input::Last) {
        lengths.push(length);
        bytes = &bytes[length..];
    }
    lengths
}

#[test]
fn chunks_stay_within_their_limits_and_near_the_average() {
    let bytes = random_bytes(1, 64 << 20);
    let lengths = lengths(Chunker::content(), &bytes);
    assert_eq!(lengths.iter().sum::<usize>(), bytes.len());
    let (last, whole) = lengths.split_last().unwrap();
    assert!(whole.iter().all(|length| (CHUNK_BYTES_MIN..=CHUNK_BYTES_MAX).contains(length)));
    assert!(*last <= CHUNK_BYTES_MAX);
    let average = bytes.len() / lengths.len();
    assert!(average.abs_diff(CHUNK_BYTES_AVERAGE) < 6 * 1024, "average {average}");
}

#[test]
fn cuts_where_the_rule_says_at_every_position() {
    let bytes = random_bytes(6, 48 << 20);
    let mut start = 0;
    for length in lengths(Chunker::content(), &bytes) {
        let rest = &bytes[start..];
        let wanted = (CHUNK_BYTES_MIN..CHUNK_BYTES_MAX.min(rest.len()))
            .find(|length| {
                let bits = if *length < NORMAL_BYTES { STRICT_BITS } else { LOOSE_BITS };
                kernel::is_candidate(kernel::by_definition(rest, length - 1))
                    && strong_hash(&rest[length - WINDOW..*length]).leading_zeros() >= bits
            })
            .unwrap_or(CHUNK_BYTES_MAX.min(rest.len()));
        assert_eq!(length, wanted, "from {start}");
        start += length;
    }
}

#[test]
fn boundaries_do_not_depend_on_buffer_sizes() {
    let bytes = random_bytes(2, 3 << 20);
    let wanted = lengths(Chunker::content(), &bytes);
    for seed in 0..6 {
        let mut sizes = Numbers(seed);
        let most = [3, 700, 5000, 70_000, 400_000, 2_000_000][seed as usize];
        let mut splitter = Splitter::new(Chunker::content());
        let mut rest = &bytes[..];
        let (mut found, mut joined) = (Vec::new(), Vec::new());
        loop {
            let space = splitter.space();
            let read = (1 + sizes.below(most)).min(rest.len()).min(space.len());
            space[..read].copy_from_slice(&rest[..read]);
            rest = &rest[read..];
            splitter.filled(read);
            let input = if read == 0 { Input::Last } else { Input::More };
            while let Some(chunk) = splitter.next_chunk(input) {
                found.push(chunk.len());
                joined.extend_from_slice(chunk);
            }
            if read == 0 {
                break;
            }
        }
        assert_eq!(found, wanted, "seed {seed}");
        assert!(joined == bytes, "seed {seed}");
    }
}

#[test]
fn every_kernel_cuts_alike() {
    let bytes = random_bytes(3, 5 << 20);
    assert_eq!(
        lengths(Chunker::with_kernel(Kernel::Portable), &bytes),
        lengths(Chunker::content(), &bytes)
    );
}

#[test]
fn an_insertion_changes_only_chunks_near_it() {
    let bytes = random_bytes(4, 16 << 20);
    let key = Secret::new([1; 32]);
    let ids = |bytes: &[u8]| -> BTreeSet<ChunkId> {
        let mut at = 0;
        let mut ids = BTreeSet::new();
        for length in lengths(Chunker::content(), bytes) {
            ids.insert(chunk_id(&key, &bytes[at..at + length]));
            at += length;
        }
        ids
    };
    let before = ids(&bytes);
    let mut changed = bytes.clone();
    for place in 1..=10 {
        changed.insert(place * 1_500_000, 7);
    }
    let new = ids(&changed).difference(&before).count();
    assert!(new <= 30, "{new} new chunks for 10 insertions");
}

#[test]
fn uniform_data_is_cut_at_the_longest_or_regularly() {
    for byte in [0, 0xFF, b' '] {
        let lengths = lengths(Chunker::content(), &vec![byte; 2 << 20]);
        assert!(lengths.iter().all(|length| *length == lengths[0]), "{lengths:?}");
    }
}

#[test]
fn cuts_stay_what_they_are() {
    // Another rule would make every chunk ever stored a stranger to new data.
    let bytes = random_bytes(5, 1 << 20);
    let text = lengths(Chunker::content(), &bytes);
    assert_eq!(text, include!("../golden/cuts.txt"));
}

#[test]
fn fixed_chunks_fill_packs() {
    for profile in Profile::ALL {
        let chunk = fixed_chunk_bytes(profile);
        assert!(chunk <= FIXED_CHUNK_BYTES_MAX);
        let pack = PackClass::Data.pack_bytes_max(profile) as usize;
        assert!(pack % (chunk + SEAL_BYTES) < 64, "{profile:?}");
    }
    assert_eq!(lengths(Chunker::fixed(1000), &[1; 2500]), [1000, 1000, 500]);
    assert!(lengths(Chunker::fixed(1000), &[]).is_empty());
}
