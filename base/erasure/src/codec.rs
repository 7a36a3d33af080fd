//! The code and its plans: counts, indices and lengths are checked here, once.

use crate::error::{Error, Result};
use crate::interpolate::coefficients;
use crate::kernel::{Kernel, Transform};
use crate::limits::SHARDS_MAX;

/// A Reed-Solomon code: `data` shards of payload followed by `parity` shards computed from them.
///
/// Shards are numbered from 0, data first. All shards of a stripe have the same length in bytes.
#[derive(Debug, Clone)]
pub struct Codec {
    data: u8,
    parity: u8,
    kernel: Kernel,
    encoder: Plan,
}

impl Codec {
    /// A code of `data + parity` shards on the fastest kernel of this processor.
    ///
    /// # Errors
    /// [`Error::Shape`] unless both are at least 1 and together at most [`SHARDS_MAX`].
    pub fn new(data: usize, parity: usize) -> Result<Self> {
        Self::with_kernel(data, parity, Kernel::best())
    }

    /// A code of `data + parity` shards on a kernel of the caller's choice; all give the same bytes.
    ///
    /// # Errors
    /// [`Error::Shape`] as for [`Codec::new`]; [`Error::KernelUnavailable`] if this processor lacks the
    /// kernel's instructions.
    pub fn with_kernel(data: usize, parity: usize, kernel: Kernel) -> Result<Self> {
        let shape = Error::Shape { data, parity };
        if data == 0 || parity == 0 || data.saturating_add(parity) > SHARDS_MAX {
            return Err(shape);
        }
        let data = u8::try_from(data).map_err(|_| shape)?;
        let parity = u8::try_from(parity).map_err(|_| shape)?;
        let given: Vec<u8> = (0..data).collect();
        let wanted: Vec<u8> = (data..data.saturating_add(parity)).collect();
        let encoder = Plan::between(data, &given, &wanted, kernel)?;
        Ok(Self { data, parity, kernel, encoder })
    }

    /// Data shards: also how many shards of a stripe recover the others.
    pub fn data(&self) -> usize {
        usize::from(self.data)
    }

    /// Parity shards: also how many shards of a stripe may be lost.
    pub fn parity(&self) -> usize {
        usize::from(self.parity)
    }

    /// All shards of a stripe.
    pub fn shards(&self) -> usize {
        self.data().saturating_add(self.parity())
    }

    /// The kernel this code runs on.
    pub fn kernel(&self) -> Kernel {
        self.kernel
    }

    /// Computes the parity shards of a stripe.
    ///
    /// `data`: data shards x length. `parity`: parity shards x the same length, overwritten.
    ///
    /// # Errors
    /// [`Error::InputCount`], [`Error::OutputCount`], [`Error::UnequalLengths`].
    pub fn encode(&self, data: &[&[u8]], parity: &mut [&mut [u8]]) -> Result<()> {
        self.encoder.run(data, parity)
    }

    /// Prepares to compute the shards `wanted` from the shards `given`, for any number of stripes.
    ///
    /// `given`: exactly [`Codec::data`] distinct indices, in the order in which [`Plan::run`] will get
    /// the shards. `wanted`: any other indices, data or parity.
    ///
    /// # Errors
    /// [`Error::TooFewShards`], [`Error::TooManyShards`], [`Error::IndexOutOfRange`],
    /// [`Error::DuplicateIndex`] (also for a shard both given and wanted).
    pub fn plan(&self, given: &[usize], wanted: &[usize]) -> Result<Plan> {
        let needed = self.data();
        if given.len() < needed {
            return Err(Error::TooFewShards { needed, given: given.len() });
        }
        if given.len() > needed {
            return Err(Error::TooManyShards { needed, given: given.len() });
        }
        let mut named = [false; SHARDS_MAX];
        let given = self.indices(given, &mut named)?;
        let wanted = self.indices(wanted, &mut named)?;
        Plan::between(self.data, &given, &wanted, self.kernel)
    }

    /// Computes the shards `wanted` of one stripe from the shards `given`.
    ///
    /// `given`: exactly [`Codec::data`] pairs of index and shard. `wanted`: pairs of index and output,
    /// overwritten. For more than one stripe with the same losses, keep a [`Plan`].
    ///
    /// # Errors
    /// As [`Codec::plan`] and [`Plan::run`].
    pub fn reconstruct(
        &self,
        given: &[(usize, &[u8])],
        wanted: &mut [(usize, &mut [u8])],
    ) -> Result<()> {
        let given_indices: Vec<usize> = given.iter().map(|(index, _)| *index).collect();
        let wanted_indices: Vec<usize> = wanted.iter().map(|(index, _)| *index).collect();
        let plan = self.plan(&given_indices, &wanted_indices)?;
        let inputs: Vec<&[u8]> = given.iter().map(|(_, shard)| *shard).collect();
        let mut outputs: Vec<&mut [u8]> = wanted.iter_mut().map(|(_, out)| &mut **out).collect();
        plan.run(&inputs, &mut outputs)
    }

    /// Checks indices against the code and against those named before.
    fn indices(&self, indices: &[usize], named: &mut [bool; SHARDS_MAX]) -> Result<Vec<u8>> {
        let shards = self.shards();
        indices
            .iter()
            .map(|&index| {
                let out_of_range = Error::IndexOutOfRange { index, shards };
                let byte = u8::try_from(index).map_err(|_| out_of_range)?;
                let seen = named.get_mut(index).filter(|_| index < shards).ok_or(out_of_range)?;
                if std::mem::replace(seen, true) {
                    return Err(Error::DuplicateIndex { index });
                }
                Ok(byte)
            })
            .collect()
    }
}

/// How to compute some shards of a stripe from others; made once per pattern of losses.
///
/// Holds no shards and may be shared between threads.
#[derive(Debug, Clone)]
pub struct Plan {
    transform: Transform,
}

impl Plan {
    /// A plan between indices already checked.
    fn between(data: u8, given: &[u8], wanted: &[u8], kernel: Kernel) -> Result<Self> {
        let rows = coefficients(data, given, wanted);
        Ok(Self { transform: Transform::new(kernel, given.len(), &rows)? })
    }

    /// Computes the wanted shards, or the same column range of them.
    ///
    /// `inputs`: one slice per given shard, in the order given to [`Codec::plan`]. `outputs`: one slice
    /// per wanted shard in its order, overwritten. All slices have one length; it may be 0.
    ///
    /// # Errors
    /// [`Error::InputCount`], [`Error::OutputCount`], [`Error::UnequalLengths`].
    pub fn run(&self, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) -> Result<()> {
        self.transform.run(inputs, outputs)
    }
}
