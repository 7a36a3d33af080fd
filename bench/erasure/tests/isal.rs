//! Byte for byte against ISA-L, on every kernel of this processor.

use acre_erasure::{Codec, Kernel};
use erasure_bench::isal::Isal;

/// A deterministic stream of numbers.
fn noise(state: &mut u64) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    usize::try_from(*state >> 40).unwrap()
}

#[test]
fn parity_is_that_of_isal() {
    let mut state = 0x5EED;
    let profiles = [(2, 1), (8, 2), (16, 4), (20, 4), (16, 20), (100, 20), (254, 1), (1, 254)];
    let random = (0..200).map(|case| {
        let data = 1 + (case * 37) % 120;
        (data, 1 + (case * 53) % (255 - data).min(40))
    });
    for (data, parity) in profiles.into_iter().chain(random) {
        let bytes = 1 + noise(&mut state) % 1500;
        let shards: Vec<Vec<u8>> = (0..data)
            .map(|_| (0..bytes).map(|_| noise(&mut state).to_le_bytes()[0]).collect())
            .collect();
        let inputs: Vec<&[u8]> = shards.iter().map(Vec::as_slice).collect();
        let mut expected = vec![vec![0; bytes]; parity];
        let mut slices: Vec<&mut [u8]> = expected.iter_mut().map(Vec::as_mut_slice).collect();
        Isal::encoder(data, parity).run(&inputs, &mut slices);
        for kernel in Kernel::available() {
            let mut found = vec![vec![0; bytes]; parity];
            let mut slices: Vec<&mut [u8]> = found.iter_mut().map(Vec::as_mut_slice).collect();
            let codec = Codec::with_kernel(data, parity, kernel).unwrap();
            codec.encode(&inputs, &mut slices).unwrap();
            assert!(found == expected, "{data}+{parity}, {bytes} bytes, {kernel}");
        }
    }
}

#[test]
fn decoded_data_is_that_of_isal() {
    let mut state = 0xDEC0DE;
    for (data, parity) in [(4, 3), (16, 4), (20, 4), (16, 20), (100, 20)] {
        for _ in 0..40 {
            let mut order: Vec<usize> = (0..data + parity).collect();
            for at in (1..order.len()).rev() {
                order.swap(at, noise(&mut state) % (at + 1));
            }
            let (given, lost) = order.split_at(data);
            let wanted: Vec<usize> = lost.iter().copied().filter(|&index| index < data).collect();
            if wanted.is_empty() {
                continue;
            }
            // Any bytes are the shards of some stripe when exactly `data` of them are chosen.
            let bytes = 1 + noise(&mut state) % 500;
            let shards: Vec<Vec<u8>> = (0..data)
                .map(|_| (0..bytes).map(|_| noise(&mut state).to_le_bytes()[0]).collect())
                .collect();
            let inputs: Vec<&[u8]> = shards.iter().map(Vec::as_slice).collect();
            let mut expected = vec![vec![0; bytes]; wanted.len()];
            let mut slices: Vec<&mut [u8]> = expected.iter_mut().map(Vec::as_mut_slice).collect();
            Isal::decoder(data, parity, given, &wanted).run(&inputs, &mut slices);
            for kernel in Kernel::available() {
                let mut found = vec![vec![0; bytes]; wanted.len()];
                let mut slices: Vec<&mut [u8]> = found.iter_mut().map(Vec::as_mut_slice).collect();
                let codec = Codec::with_kernel(data, parity, kernel).unwrap();
                codec.plan(given, &wanted).unwrap().run(&inputs, &mut slices).unwrap();
                assert!(found == expected, "{data}+{parity} from {given:?}, {kernel}");
            }
        }
    }
}

#[test]
fn golden_file_is_what_isal_computes() {
    let file = include_str!("../../../base/erasure/tests/golden/parity.txt");
    assert!(file == erasure_bench::golden::file());
}
