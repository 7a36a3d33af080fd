//! ISA-L's erasure code, as built and linked by `isal-sys` (which binds only the compressor).

use std::ffi::{c_int, c_uchar};

use isal_sys as _;

unsafe extern "C" {
    fn gf_gen_cauchy1_matrix(matrix: *mut c_uchar, shards: c_int, data: c_int);
    fn gf_invert_matrix(matrix: *mut c_uchar, inverse: *mut c_uchar, size: c_int) -> c_int;
    fn ec_init_tables(data: c_int, rows: c_int, matrix: *const c_uchar, tables: *mut c_uchar);
    fn ec_encode_data(
        bytes: c_int,
        data: c_int,
        rows: c_int,
        tables: *const c_uchar,
        inputs: *const *const c_uchar,
        outputs: *const *mut c_uchar,
    );
}

/// Bytes of the tables of one coefficient.
const TABLE_BYTES: usize = 32;

/// A matrix in ISA-L's form.
pub struct Isal {
    tables: Vec<u8>,
    inputs: usize,
    outputs: usize,
}

fn int(count: usize) -> c_int {
    c_int::try_from(count).expect("counts and lengths of a benchmark are small")
}

impl Isal {
    /// The encoder of `gf_gen_cauchy1_matrix`.
    pub fn encoder(data: usize, parity: usize) -> Self {
        Self::new(data, &generator(data, parity)[data * data..])
    }

    /// The decoder of data shards: inverts the matrix of the given rows.
    pub fn decoder(data: usize, parity: usize, given: &[usize], wanted: &[usize]) -> Self {
        let all = generator(data, parity);
        let row = |matrix: &[u8], index: usize| matrix[index * data..][..data].to_vec();
        let mut kept: Vec<u8> = given.iter().flat_map(|&index| row(&all, index)).collect();
        let mut inverse = vec![0; data * data];
        // SAFETY: both matrices have data x data bytes.
        let status =
            unsafe { gf_invert_matrix(kept.as_mut_ptr(), inverse.as_mut_ptr(), int(data)) };
        assert_eq!(status, 0, "a Cauchy code has no singular choice of rows");
        let rows: Vec<u8> = wanted.iter().flat_map(|&index| row(&inverse, index)).collect();
        Self::new(data, &rows)
    }

    fn new(inputs: usize, rows: &[u8]) -> Self {
        let outputs = rows.len() / inputs;
        let mut tables = vec![0; TABLE_BYTES * rows.len()];
        // SAFETY: `rows` has outputs x inputs bytes and `tables` 32 for each.
        unsafe { ec_init_tables(int(inputs), int(outputs), rows.as_ptr(), tables.as_mut_ptr()) };
        Self { tables, inputs, outputs }
    }

    /// Computes the outputs; all slices have one length.
    pub fn run(&self, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
        let bytes = inputs[0].len();
        assert_eq!((inputs.len(), outputs.len()), (self.inputs, self.outputs));
        assert!(inputs.iter().all(|input| input.len() == bytes));
        assert!(outputs.iter().all(|output| output.len() == bytes));
        let inputs: Vec<_> = inputs.iter().map(|input| input.as_ptr()).collect();
        let outputs: Vec<_> = outputs.iter_mut().map(|output| output.as_mut_ptr()).collect();
        // SAFETY: as many pointers to `bytes` bytes as the tables were made for.
        unsafe {
            ec_encode_data(
                int(bytes),
                int(self.inputs),
                int(self.outputs),
                self.tables.as_ptr(),
                inputs.as_ptr(),
                outputs.as_ptr(),
            );
        }
    }
}

/// `shards x data`, identity over Cauchy.
fn generator(data: usize, parity: usize) -> Vec<u8> {
    let mut matrix = vec![0; (data + parity) * data];
    // SAFETY: the matrix has shards x data bytes.
    unsafe { gf_gen_cauchy1_matrix(matrix.as_mut_ptr(), int(data + parity), int(data)) };
    matrix
}
