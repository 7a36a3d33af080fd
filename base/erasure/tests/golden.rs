//! The parity bytes stored on disks: computed by ISA-L once, the same on every kernel for ever.
#![allow(clippy::unwrap_used, reason = "tests")]

use acre_erasure::{Codec, Kernel};

/// Byte `at` of data shard `shard`, as the file's header says.
fn input_byte(shard: usize, at: usize) -> u8 {
    ((31 * shard + 7 * at + shard * at + 1) % 256).try_into().unwrap()
}

#[test]
fn parity_is_what_was_stored() {
    let file = include_str!("golden/parity.txt");
    let mut lines = 0;
    for line in file.lines().filter(|line| !line.starts_with('#')) {
        let mut fields = line.split(' ');
        let mut number = || -> usize { fields.next().unwrap().parse().unwrap() };
        let (data, parity, index) = (number(), number(), number());
        let hex = fields.next().unwrap();
        let shards: Vec<Vec<u8>> = (0..data)
            .map(|shard| (0..hex.len() / 2).map(|at| input_byte(shard, at)).collect())
            .collect();
        let inputs: Vec<&[u8]> = shards.iter().map(Vec::as_slice).collect();
        for kernel in Kernel::available() {
            let codec = Codec::with_kernel(data, parity, kernel).unwrap();
            let mut outputs = vec![vec![0; hex.len() / 2]; parity];
            let mut slices: Vec<&mut [u8]> = outputs.iter_mut().map(Vec::as_mut_slice).collect();
            codec.encode(&inputs, &mut slices).unwrap();
            let found: String =
                outputs[index - data].iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(found, hex, "shard {index} of {data}+{parity} on {kernel}");
        }
        lines += 1;
    }
    assert_eq!(lines, 1 + 2 + 4 + 4 + 20 + 20, "the file is whole");
}
