//! Any `data` of `data + parity` shards give back all others, on every kernel of this processor.
#![allow(clippy::unwrap_used, reason = "tests")]

use acre_erasure::{Codec, Error, Kernel, SHARDS_MAX};
use proptest::prelude::*;

/// A stripe of noise, parity included.
fn stripe(codec: &Codec, bytes: usize, seed: u64) -> Vec<Vec<u8>> {
    let mut state = seed | 1;
    let mut shards: Vec<Vec<u8>> = vec![vec![0; bytes]; codec.shards()];
    let (data, parity) = shards.split_at_mut(codec.data());
    for byte in data.iter_mut().flatten() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        *byte = state.to_le_bytes()[4];
    }
    let data: Vec<&[u8]> = data.iter().map(Vec::as_slice).collect();
    let mut parity: Vec<&mut [u8]> = parity.iter_mut().map(Vec::as_mut_slice).collect();
    codec.encode(&data, &mut parity).unwrap();
    shards
}

/// Recovers `wanted` from `given` and compares.
#[track_caller]
fn check(codec: &Codec, shards: &[Vec<u8>], given: &[usize], wanted: &[usize]) {
    let inputs: Vec<(usize, &[u8])> = given.iter().map(|&i| (i, shards[i].as_slice())).collect();
    let mut found = vec![vec![0xEE; shards[0].len()]; wanted.len()];
    let mut outputs: Vec<(usize, &mut [u8])> =
        wanted.iter().copied().zip(found.iter_mut().map(Vec::as_mut_slice)).collect();
    codec.reconstruct(&inputs, &mut outputs).unwrap();
    for (found, &index) in found.iter().zip(wanted) {
        let shape = format!("{}+{} on {}", codec.data(), codec.parity(), codec.kernel());
        assert_eq!(found, &shards[index], "shard {index} of {shape} from {given:?}");
    }
}

#[test]
fn small_codes_survive_every_pattern_of_losses() {
    for (data, parity) in [(1, 1), (1, 3), (2, 1), (2, 2), (4, 3), (4, 4), (5, 2), (8, 2)] {
        for kernel in Kernel::available() {
            let codec = Codec::with_kernel(data, parity, kernel).unwrap();
            let shards = stripe(&codec, 75, 7);
            for pattern in 0u32..1 << codec.shards() {
                let (given, wanted): (Vec<usize>, Vec<usize>) =
                    (0..codec.shards()).partition(|index| pattern >> index & 1 == 1);
                if given.len() == data {
                    check(&codec, &shards, &given, &wanted);
                }
            }
        }
    }
}

#[test]
fn standard_code_survives_every_loss_of_four_data_shards() {
    for kernel in Kernel::available() {
        let codec = Codec::with_kernel(16, 4, kernel).unwrap();
        let shards = stripe(&codec, 211, 17);
        for pattern in (0u32..1 << 16).filter(|pattern| pattern.count_ones() == 4) {
            let (lost, mut given): (Vec<usize>, Vec<usize>) =
                (0..20).partition(|index| pattern >> index & 1 == 1);
            given.rotate_left(pattern as usize % 16);
            check(&codec, &shards, &given, &lost);
        }
    }
}

#[test]
fn long_shards_decode() {
    for (data, parity) in [(16, 4), (4, 20), (6, 3)] {
        for kernel in Kernel::available() {
            let codec = Codec::with_kernel(data, parity, kernel).unwrap();
            let shards = stripe(&codec, 70_001, 19);
            let given: Vec<usize> = (parity.min(4)..data + parity.min(4)).collect();
            let wanted: Vec<usize> = (0..parity.min(4)).collect();
            check(&codec, &shards, &given, &wanted);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn profiles_survive_random_losses(
        shape in prop::sample::select(vec![(16, 4), (20, 4), (8, 2), (100, 20), (16, 20), (2, 1)]),
        order in Just((0..SHARDS_MAX).collect::<Vec<_>>()).prop_shuffle(),
        unwanted in 0usize..20, bytes in 0usize..400, seed: u64,
    ) {
        let (data, parity) = shape;
        for kernel in Kernel::available() {
            let codec = Codec::with_kernel(data, parity, kernel).unwrap();
            let shards = stripe(&codec, bytes, seed);
            let order: Vec<usize> =
                order.iter().copied().filter(|&index| index < codec.shards()).collect();
            let (given, missing) = order.split_at(data);
            check(&codec, &shards, given, &missing[unwanted % parity..]);
        }
    }

    #[test]
    fn the_largest_code_survives_random_losses(
        data in 1usize..SHARDS_MAX,
        order in Just((0..SHARDS_MAX).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let codec = Codec::new(data, SHARDS_MAX - data).unwrap();
        let shards = stripe(&codec, 33, 11);
        let (given, wanted) = order.split_at(data);
        check(&codec, &shards, given, wanted);
    }

    #[test]
    fn a_column_range_decodes_alone(start in 0usize..200, length in 0usize..200, lost in 0usize..16) {
        let codec = Codec::new(16, 4).unwrap();
        let shards = stripe(&codec, 400, 13);
        let given: Vec<usize> = (0..17).filter(|&index| index != lost).collect();
        let columns: Vec<&[u8]> = given.iter().map(|&i| &shards[i][start..start + length]).collect();
        let mut found = vec![0; length];
        let plan = codec.plan(&given, &[lost]).unwrap();
        plan.run(&columns, &mut [&mut found]).unwrap();
        prop_assert_eq!(&found[..], &shards[lost][start..start + length]);
    }
}

#[test]
fn refuses_codes_without_room() {
    for (data, parity) in [(0, 1), (1, 0), (0, 0), (255, 1), (128, 128), (usize::MAX, 1)] {
        assert_eq!(Codec::new(data, parity).unwrap_err(), Error::Shape { data, parity });
    }
    assert_eq!(Codec::new(254, 1).unwrap().shards(), SHARDS_MAX);
}

#[test]
fn refuses_wrong_indices() {
    let codec = Codec::new(3, 2).unwrap();
    let refused = |given: &[usize], wanted: &[usize]| codec.plan(given, wanted).unwrap_err();
    assert_eq!(refused(&[0, 1], &[2]), Error::TooFewShards { needed: 3, given: 2 });
    assert_eq!(refused(&[0, 1, 3, 4], &[2]), Error::TooManyShards { needed: 3, given: 4 });
    assert_eq!(refused(&[0, 1, 1], &[2]), Error::DuplicateIndex { index: 1 });
    assert_eq!(refused(&[0, 1, 3], &[2, 2]), Error::DuplicateIndex { index: 2 });
    assert_eq!(refused(&[0, 1, 3], &[1]), Error::DuplicateIndex { index: 1 });
    assert_eq!(refused(&[0, 1, 5], &[2]), Error::IndexOutOfRange { index: 5, shards: 5 });
    assert_eq!(refused(&[0, 1, 3], &[256]), Error::IndexOutOfRange { index: 256, shards: 5 });
    assert!(codec.plan(&[4, 0, 3], &[]).is_ok());
}

#[test]
fn refuses_wrong_slices() {
    let codec = Codec::new(2, 1).unwrap();
    let (long, short) = ([0; 9], [0; 8]);
    let mut out = [0xEE; 9];
    let refused = codec.encode(&[&long], &mut [&mut out]).unwrap_err();
    assert_eq!(refused, Error::InputCount { expected: 2, given: 1 });
    let refused = codec.encode(&[&long, &long], &mut []).unwrap_err();
    assert_eq!(refused, Error::OutputCount { expected: 1, given: 0 });
    let refused = codec.encode(&[&long, &short], &mut [&mut out]).unwrap_err();
    assert_eq!(refused, Error::UnequalLengths { expected: 9, given: 8 });
    let refused = codec.encode(&[&short, &short], &mut [&mut out]).unwrap_err();
    assert_eq!(refused, Error::UnequalLengths { expected: 8, given: 9 });
    assert_eq!(out, [0xEE; 9], "a refused call wrote");
}
