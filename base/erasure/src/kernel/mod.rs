//! The loops over bytes: a matrix of GF(2^8) coefficients times a column of shards.
//!
//! A kernel computes a group of up to [`GROUP_MAX`] outputs in one pass over the inputs, keeping the sums
//! in registers. Where there are more outputs, the stripe is cut into columns that stay in the cache.
//! This module checks counts and lengths and the processor; the kernels below it rely on that.
#![expect(unsafe_code, reason = "calls the kernels, whose instructions were detected before")]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod gfni256;
#[cfg(target_arch = "x86_64")]
mod gfni512;
#[cfg(target_arch = "x86_64")]
mod matrices;
#[cfg(target_arch = "aarch64")]
mod neon;
mod nibbles;
mod scalar;
#[cfg(test)]
mod tests;

use std::fmt;
use std::ops::Range;
use std::sync::OnceLock;

use crate::error::{Error, Result};
use crate::limits::{COLUMN_ALIGN, COLUMN_BYTES_MAX, COLUMN_BYTES_MIN, COLUMN_SET_BYTES};
#[cfg(target_arch = "x86_64")]
use matrices::Dyadic;
use nibbles::Nibbles;

/// Most outputs of one pass.
const GROUP_MAX: usize = 4;

/// An implementation of the byte loops. All give the same bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kernel {
    /// x86-64 with GFNI and AVX-512: 64 bytes per instruction.
    Gfni512,
    /// x86-64 with GFNI and AVX2: 32 bytes per instruction.
    Gfni256,
    /// x86-64 with AVX2: table look-ups by nibble, 32 bytes per instruction.
    Avx2,
    /// 64-bit ARM: table look-ups by nibble, 16 bytes per instruction.
    Neon,
    /// Any processor, byte by byte.
    Scalar,
}

impl Kernel {
    /// All kernels, fastest first.
    const ALL: [Self; 5] = [Self::Gfni512, Self::Gfni256, Self::Avx2, Self::Neon, Self::Scalar];

    /// The fastest kernel of this processor; looked up once.
    pub fn best() -> Self {
        static BEST: OnceLock<Kernel> = OnceLock::new();
        *BEST.get_or_init(|| Self::available().next().unwrap_or(Self::Scalar))
    }

    /// The kernels that run on this processor, fastest first.
    pub fn available() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|kernel| kernel.is_available())
    }

    /// The kernel of this name, if there is one, whether or not it runs here.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kernel| kernel.name() == name)
    }

    /// The name: `gfni512`, `gfni256`, `avx2`, `neon` or `scalar`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gfni512 => "gfni512",
            Self::Gfni256 => "gfni256",
            Self::Avx2 => "avx2",
            Self::Neon => "neon",
            Self::Scalar => "scalar",
        }
    }

    /// Whether this processor has the kernel's instructions.
    pub fn is_available(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Gfni512 => {
                is_x86_feature_detected!("gfni")
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
            }
            #[cfg(target_arch = "x86_64")]
            Self::Gfni256 => is_x86_feature_detected!("gfni") && is_x86_feature_detected!("avx2"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2"),
            #[cfg(target_arch = "aarch64")]
            Self::Neon => std::arch::is_aarch64_feature_detected!("neon"),
            Self::Scalar => true,
            #[allow(unreachable_patterns, reason = "which patterns are left depends on the target")]
            _ => false,
        }
    }
}

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A matrix of coefficients in the form one kernel wants it.
#[derive(Debug, Clone)]
pub(crate) struct Transform {
    inputs: usize,
    outputs: usize,
    groups: Vec<Group>,
}

/// Up to [`GROUP_MAX`] outputs computed in one pass.
#[derive(Debug, Clone)]
struct Group {
    outputs: Range<usize>,
    form: Form,
}

/// The coefficients of a group, input by input, in the form of one kernel.
///
/// A form is made only by [`Transform::new`], once the processor was seen to have its instructions.
#[derive(Debug, Clone)]
enum Form {
    /// For [`Kernel::Gfni512`]: `inputs x outputs` bit matrices.
    #[cfg(target_arch = "x86_64")]
    Gfni512(Vec<u64>),
    /// For [`Kernel::Gfni512`]: blocks that need fewer products.
    #[cfg(target_arch = "x86_64")]
    Dyadic(Dyadic),
    /// `inputs x outputs` bit matrices, and nibble tables for the tail.
    #[cfg(target_arch = "x86_64")]
    Gfni256(Vec<u64>, Vec<Nibbles>),
    /// `inputs x outputs` nibble tables.
    #[cfg(target_arch = "x86_64")]
    Avx2(Vec<Nibbles>),
    /// `inputs x outputs` nibble tables.
    #[cfg(target_arch = "aarch64")]
    Neon(Vec<Nibbles>),
    /// `inputs x outputs` nibble tables.
    Scalar(Vec<Nibbles>),
}

impl Transform {
    /// Prepares `rows` (`outputs x inputs`) for `kernel`.
    ///
    /// # Errors
    /// [`Error::KernelUnavailable`].
    pub(crate) fn new(kernel: Kernel, inputs: usize, rows: &[Vec<u8>]) -> Result<Self> {
        if !kernel.is_available() {
            return Err(Error::KernelUnavailable { kernel });
        }
        let mut groups = Vec::new();
        for (number, rows) in rows.chunks(GROUP_MAX).enumerate() {
            let start = number.saturating_mul(GROUP_MAX);
            let outputs = start..start.saturating_add(rows.len());
            groups.push(Group { outputs, form: Form::new(kernel, inputs, rows) });
        }
        Ok(Self { inputs, outputs: rows.len(), groups })
    }

    /// Multiplies: `inputs` slices into `outputs` slices, all of one length.
    ///
    /// # Errors
    /// [`Error::InputCount`], [`Error::OutputCount`], [`Error::UnequalLengths`].
    pub(crate) fn run(&self, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) -> Result<()> {
        let length = self.check(inputs, outputs)?;
        let column = self.column_bytes();
        let mut start = 0usize;
        while start < length {
            let end = length.min(start.saturating_add(column));
            for group in &self.groups {
                let outputs = outputs.get_mut(group.outputs.clone()).unwrap_or_default();
                group.form.run(inputs, outputs, start..end);
            }
            start = end;
        }
        Ok(())
    }

    /// Checks counts and lengths; returns the common length.
    fn check(&self, inputs: &[&[u8]], outputs: &[&mut [u8]]) -> Result<usize> {
        if inputs.len() != self.inputs {
            return Err(Error::InputCount { expected: self.inputs, given: inputs.len() });
        }
        if outputs.len() != self.outputs {
            return Err(Error::OutputCount { expected: self.outputs, given: outputs.len() });
        }
        let expected = inputs.first().map_or(0, |input| input.len());
        let lengths =
            inputs.iter().map(|input| input.len()).chain(outputs.iter().map(|out| out.len()));
        for given in lengths {
            if given != expected {
                return Err(Error::UnequalLengths { expected, given });
            }
        }
        Ok(expected)
    }

    /// Bytes of each shard per column: what keeps the inputs in the cache from group to group.
    fn column_bytes(&self) -> usize {
        if self.groups.len() < 2 {
            return COLUMN_BYTES_MAX;
        }
        let shards = self.inputs.saturating_add(self.outputs).max(1);
        let bytes = COLUMN_SET_BYTES.checked_div(shards).unwrap_or(COLUMN_BYTES_MIN);
        let aligned = bytes & !COLUMN_ALIGN.saturating_sub(1);
        aligned.clamp(COLUMN_BYTES_MIN, COLUMN_BYTES_MAX)
    }
}

impl Form {
    /// The form of `rows` (`outputs x inputs`) for an available kernel.
    fn new(kernel: Kernel, inputs: usize, rows: &[Vec<u8>]) -> Self {
        let coefficients = (0..inputs)
            .flat_map(|input| rows.iter().map(move |row| row.get(input).copied().unwrap_or(0)));
        let nibbles = || coefficients.clone().map(Nibbles::of).collect();
        #[cfg(target_arch = "x86_64")]
        let bit_matrices = || coefficients.clone().map(matrices::bit_matrix).collect();
        match kernel {
            #[cfg(target_arch = "x86_64")]
            Kernel::Gfni512 => match Dyadic::find(inputs, rows) {
                Some(dyadic) => Self::Dyadic(dyadic),
                None => Self::Gfni512(bit_matrices()),
            },
            #[cfg(target_arch = "x86_64")]
            Kernel::Gfni256 => Self::Gfni256(bit_matrices(), nibbles()),
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx2 => Self::Avx2(nibbles()),
            #[cfg(target_arch = "aarch64")]
            Kernel::Neon => Self::Neon(nibbles()),
            _ => Self::Scalar(nibbles()),
        }
    }

    /// Computes the bytes `range` of the outputs.
    ///
    /// The caller checked that there are as many slices as the form was made for and that each holds
    /// `range`.
    fn run(&self, inputs: &[&[u8]], outputs: &mut [&mut [u8]], range: Range<usize>) {
        match self {
            // SAFETY: `Transform::new` checked the processor and `Transform::check` the slices.
            #[cfg(target_arch = "x86_64")]
            Self::Gfni512(matrices) => unsafe { gfni512::group(matrices, inputs, outputs, range) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Self::Dyadic(dyadic) => unsafe { gfni512::dyadic(dyadic, inputs, outputs, range) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Self::Gfni256(matrices, nibbles) => unsafe {
                gfni256::group(matrices, nibbles, inputs, outputs, range);
            },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(nibbles) => unsafe { avx2::group(nibbles, inputs, outputs, range) },
            // SAFETY: as above.
            #[cfg(target_arch = "aarch64")]
            Self::Neon(nibbles) => unsafe { neon::group(nibbles, inputs, outputs, range) },
            Self::Scalar(nibbles) => scalar::group(nibbles, inputs, outputs, range),
        }
    }
}
