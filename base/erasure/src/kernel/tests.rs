//! Every kernel against the definition, on all shapes, lengths and alignments that take another path.

use proptest::prelude::*;

use super::*;
use crate::Codec;
use crate::field::mul;
use crate::interpolate::coefficients;

/// A deterministic stream of bytes.
fn noise(seed: u64) -> impl FnMut() -> u8 {
    let mut state = seed | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    }
}

/// The definition: sums of products, byte by byte, by logarithms.
fn by_definition(rows: &[Vec<u8>], inputs: &[&[u8]]) -> Vec<Vec<u8>> {
    let length = inputs[0].len();
    rows.iter()
        .map(|row| {
            (0..length)
                .map(|at| {
                    row.iter().zip(inputs).fold(0, |sum, (&c, input)| sum ^ mul(c, input[at]))
                })
                .collect()
        })
        .collect()
}

/// Runs `kernel` on slices that start `shift` bytes into their buffers; guards must stay untouched.
#[track_caller]
pub(super) fn check(kernel: Kernel, rows: &[Vec<u8>], length: usize, shift: usize, seed: u64) {
    const GUARD: u8 = 0xA5;
    let mut next = noise(seed);
    let width = rows[0].len();
    let buffers: Vec<Vec<u8>> =
        (0..width).map(|_| (0..length + 2 * shift).map(|_| next()).collect()).collect();
    let inputs: Vec<&[u8]> = buffers.iter().map(|buffer| &buffer[shift..shift + length]).collect();
    let mut outputs = vec![vec![GUARD; length + 2 * shift + 64]; rows.len()];
    let transform = Transform::new(kernel, width, rows).unwrap();
    let mut slices: Vec<&mut [u8]> =
        outputs.iter_mut().map(|out| &mut out[shift..shift + length]).collect();
    transform.run(&inputs, &mut slices).unwrap();
    for (number, (out, expected)) in outputs.iter().zip(by_definition(rows, &inputs)).enumerate() {
        let place = format!("{kernel}, {width} inputs, {length} bytes, shift {shift}, seed {seed}");
        assert_eq!(&out[shift..shift + length], expected, "output {number}: {place}");
        let guards = out[..shift].iter().chain(&out[shift + length..]);
        assert!(guards.into_iter().all(|&byte| byte == GUARD), "guard of {number}: {place}");
    }
}

#[test]
fn every_kernel_handles_every_length_around_its_vectors() {
    let rows = coefficients(7, &[0, 1, 2, 3, 4, 5, 6], &[7, 8, 9, 10, 11]);
    let blocks = coefficients(8, &[0, 1, 2, 3, 4, 5, 6, 7], &[8, 9, 10, 11]);
    for kernel in Kernel::available() {
        for length in 0..300 {
            check(kernel, &rows, length, length % 7, 1);
            check(kernel, &blocks, length, length % 7, 2);
        }
    }
}

#[test]
fn every_kernel_crosses_columns() {
    let few = coefficients(2, &[0, 1], &[2]);
    let given: Vec<u8> = (0..40).collect();
    let many = coefficients(40, &given, &[40, 41, 42, 43, 44, 45]);
    for kernel in Kernel::available() {
        check(kernel, &few, COLUMN_BYTES_MAX + 1, 1, 3);
        check(kernel, &few, 2 * COLUMN_BYTES_MAX, 0, 4);
        check(kernel, &many, 2 * (COLUMN_SET_BYTES / 46) + 77, 3, 5);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn every_kernel_agrees_with_the_definition(
        data in 1usize..=40, parity in 1usize..=24, length in 0usize..700, shift in 0usize..64,
        seed: u64,
    ) {
        let given: Vec<u8> = (0..data as u8).collect();
        let wanted: Vec<u8> = (data as u8..(data + parity) as u8).collect();
        let rows = coefficients(data as u8, &given, &wanted);
        for kernel in Kernel::available() {
            check(kernel, &rows, length, shift, seed);
        }
    }

    #[test]
    fn every_kernel_takes_any_coefficients(
        rows in (1usize..=24).prop_flat_map(|inputs| {
            prop::collection::vec(prop::collection::vec(any::<u8>(), inputs), 1..=9)
        }),
        length in 0usize..300,
        seed: u64,
    ) {
        for kernel in Kernel::available() {
            check(kernel, &rows, length, 5, seed);
        }
    }
}

#[test]
fn names_lead_back_to_kernels() {
    for kernel in Kernel::ALL {
        assert_eq!(Kernel::named(kernel.name()), Some(kernel));
    }
    assert_eq!(Kernel::named("abacus"), None);
    assert_eq!(Kernel::available().next(), Some(Kernel::best()));
    assert_eq!(Kernel::available().last(), Some(Kernel::Scalar));
}

#[test]
fn refuses_a_kernel_of_another_processor() {
    let foreign = Kernel::ALL.into_iter().find(|kernel| !kernel.is_available()).unwrap();
    let refused = Codec::with_kernel(4, 2, foreign).unwrap_err();
    assert_eq!(refused, Error::KernelUnavailable { kernel: foreign });
}
