//! The golden file of `acre-erasure`, as ISA-L computes it.

use std::fmt::Write;

use crate::isal::Isal;

/// The codes pinned; the profiles of Acre.
const CODES: [(usize, usize); 6] = [(2, 1), (8, 2), (16, 4), (20, 4), (16, 20), (100, 20)];

/// Bytes per shard: a whole vector and a tail.
const BYTES: usize = 67;

/// Byte `at` of data shard `shard`.
pub fn input_byte(shard: usize, at: usize) -> u8 {
    u8::try_from((31 * shard + 7 * at + shard * at + 1) % 256).expect("a remainder of 256")
}

/// The file's text.
pub fn file() -> String {
    let mut text = String::from(
        "# Parity bytes of acre-erasure, computed by ISA-L 2.31 (gf_gen_cauchy1_matrix, ec_encode_data).\n\
         # Stored on disks: never change a line. Byte `at` of data shard `s` is\n\
         # (31 s + 7 at + s at + 1) mod 256. Columns: data, parity, index of the shard, its bytes.\n",
    );
    for (data, parity) in CODES {
        let shards: Vec<Vec<u8>> =
            (0..data).map(|s| (0..BYTES).map(|at| input_byte(s, at)).collect()).collect();
        let inputs: Vec<&[u8]> = shards.iter().map(Vec::as_slice).collect();
        let mut outputs = vec![vec![0; BYTES]; parity];
        let mut slices: Vec<&mut [u8]> = outputs.iter_mut().map(Vec::as_mut_slice).collect();
        Isal::encoder(data, parity).run(&inputs, &mut slices);
        for (index, output) in (data..).zip(&outputs) {
            let _ = write!(text, "{data} {parity} {index} ");
            for byte in output {
                let _ = write!(text, "{byte:02x}");
            }
            text.push('\n');
        }
    }
    text
}
