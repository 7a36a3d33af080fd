//! Decoding four lost data shards with fewer products, by way of the encoder.
//!
//! Where exactly four data shards are lost and four parities `P` of one block of the encoder `C` are
//! given, the lost ones are `F (P + C_given D_given)`: encode what is left, zeros in place of the lost
//! shards; add the given parities, which leaves the lost shards' share (the syndromes); multiply by the
//! inverse `F` of `C`'s 4 x 4 part. That takes 9 products per four data shards plus 16 where the direct
//! way takes 16 per four. `F` needs no computation: it is the direct matrix's columns of the parities.

use super::tables::{Dyadic, bit_matrix};

/// The zeros read in place of lost shards, and so the most bytes of a run.
pub(super) const RUN_BYTES: usize = 16 * 1024;

/// A cache line: zeros are taken as misaligned as the shards beside them.
const LINE: usize = 64;

/// Zeros in place of a lost shard.
#[repr(align(64))]
struct Zeros([u8; RUN_BYTES + LINE]);

static ZEROS: Zeros = Zeros([0; RUN_BYTES + LINE]);

/// How to decode four lost data shards; the shards of all other lists are given ones.
#[derive(Debug, Clone)]
pub(crate) struct Syndromes {
    /// The encoder of the four parities.
    pub(super) encoder: Dyadic,
    /// For each data shard the position in the list of given shards, unless it is lost.
    data: Vec<Option<usize>>,
    /// The positions of the four parities in the list of given shards.
    parities: [usize; 4],
    /// Bit matrices, a row for each lost shard in the order wanted.
    pub(super) finish: [[u64; 4]; 4],
}

impl Syndromes {
    /// The four parities by which `wanted` can be decoded this way from `given`, if so.
    pub(crate) fn parities(data: u8, given: &[u8], wanted: &[u8]) -> Option<[u8; 4]> {
        let mut parities: Vec<u8> = given.iter().copied().filter(|&index| index >= data).collect();
        parities.sort_unstable();
        let parities: [u8; 4] = parities.try_into().ok()?;
        let [first, .., last] = parities;
        let block = data.is_multiple_of(4) && first.is_multiple_of(4) && last ^ first == 3;
        let lost = wanted.len() == 4 && wanted.iter().all(|&index| index < data);
        (block && lost).then_some(parities)
    }

    /// The plan of this way.
    ///
    /// `parities`: what [`Syndromes::parities`] found for the same `data` and `given`. `encoder`: their
    /// coefficients over all data shards. `direct`: the coefficients of the wanted shards over `given`.
    pub(crate) fn new(
        data: u8,
        given: &[u8],
        parities: [u8; 4],
        encoder: &[Vec<u8>],
        direct: &[Vec<u8>],
    ) -> Option<Self> {
        let position = |index: u8| given.iter().position(|&other| other == index);
        let places = parities.map(|parity| position(parity).unwrap_or(usize::MAX));
        let mut finish = [[0; 4]; 4];
        for (matrices, row) in finish.iter_mut().zip(direct) {
            for (matrix, &place) in matrices.iter_mut().zip(&places) {
                *matrix = bit_matrix(*row.get(place)?);
            }
        }
        let encoder = Dyadic::find(usize::from(data), encoder)?;
        Some(Self { encoder, data: (0..data).map(position).collect(), parities: places, finish })
    }

    /// The bytes from `start` on of the data shards, zeros for the lost ones, and of the parities.
    ///
    /// `inputs`: the given shards, each of at least `start + bytes`; `bytes`: at most [`RUN_BYTES`].
    /// `data`: filled from its beginning; the part filled is returned.
    pub(super) fn sources<'a, 'b>(
        &self,
        inputs: &[&'a [u8]],
        start: usize,
        bytes: usize,
        data: &'b mut [&'a [u8]],
    ) -> (&'b [&'a [u8]], [&'a [u8]; 4]) {
        let end = start.saturating_add(bytes);
        let column = |place: usize| {
            inputs.get(place).and_then(|input| input.get(start..end)).unwrap_or_default()
        };
        let parities = self.parities.map(column);
        let skew = parities.first().map_or(0, |parity| parity.as_ptr().addr() % LINE);
        let zeros = ZEROS.0.get(skew..skew.saturating_add(bytes)).unwrap_or_default();
        for (source, place) in data.iter_mut().zip(&self.data) {
            *source = place.map_or(zeros, column);
        }
        (data.get(..self.data.len()).unwrap_or_default(), parities)
    }
}
