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
#[cfg(target_arch = "aarch64")]
mod neon;
mod scalar;
mod tables;
#[cfg(test)]
mod tests;

use std::fmt;
use std::ops::Range;
use std::sync::OnceLock;

use crate::error::{Error, Result};
use crate::limits::{COLUMN_ALIGN, COLUMN_BYTES_MAX, COLUMN_BYTES_MIN, COLUMN_SET_BYTES};
use tables::{Dyadic, Nibbles};

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
    /// Only ever one that [`Kernel::is_available`].
    kernel: Kernel,
    inputs: usize,
    outputs: usize,
    groups: Vec<Group>,
}

/// Up to [`GROUP_MAX`] outputs computed in one pass; their coefficients, input by input.
#[derive(Debug, Clone)]
struct Group {
    outputs: Range<usize>,
    /// `inputs x outputs` nibble tables; left empty by kernels that need none.
    nibbles: Vec<Nibbles>,
    /// `inputs x outputs` bit matrices; left empty by kernels that need none.
    matrices: Vec<u64>,
    /// Set where the group has the structure that needs fewer products, instead of `matrices`.
    dyadic: Option<Dyadic>,
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
            groups.push(Group::new(kernel, inputs, outputs, rows));
        }
        Ok(Self { kernel, inputs, outputs: rows.len(), groups })
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
                group.run(self.kernel, inputs, outputs, start..end);
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

impl Group {
    fn new(kernel: Kernel, inputs: usize, outputs: Range<usize>, rows: &[Vec<u8>]) -> Self {
        let coefficients = (0..inputs)
            .flat_map(|input| rows.iter().map(move |row| row.get(input).copied().unwrap_or(0)));
        let dyadic = if kernel == Kernel::Gfni512 { Dyadic::find(inputs, rows) } else { None };
        let needs_nibbles = kernel != Kernel::Gfni512;
        let needs_matrices =
            kernel == Kernel::Gfni256 || (kernel == Kernel::Gfni512 && dyadic.is_none());
        Self {
            outputs,
            nibbles: if needs_nibbles {
                coefficients.clone().map(Nibbles::of).collect()
            } else {
                Vec::new()
            },
            matrices: if needs_matrices {
                coefficients.map(tables::bit_matrix).collect()
            } else {
                Vec::new()
            },
            dyadic,
        }
    }

    /// Computes the bytes `range` of this group's outputs.
    ///
    /// The caller checked that there are as many slices as the group was made for, that each holds
    /// `range`, and that the kernel is available.
    #[cfg_attr(
        not(target_arch = "x86_64"),
        expect(clippy::needless_return, reason = "other targets")
    )]
    fn run(
        &self,
        kernel: Kernel,
        inputs: &[&[u8]],
        outputs: &mut [&mut [u8]],
        range: Range<usize>,
    ) {
        match kernel {
            #[cfg(target_arch = "x86_64")]
            Kernel::Gfni512 => match &self.dyadic {
                // SAFETY: `Transform::new` checked the processor and `Transform::check` the slices.
                Some(dyadic) => unsafe { gfni512::dyadic(dyadic, inputs, outputs, range) },
                // SAFETY: as above.
                None => unsafe { gfni512::group(&self.matrices, inputs, outputs, range) },
            },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Kernel::Gfni256 => unsafe {
                gfni256::group(&self.matrices, &self.nibbles, inputs, outputs, range)
            },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Kernel::Avx2 => unsafe { avx2::group(&self.nibbles, inputs, outputs, range) },
            #[cfg(target_arch = "aarch64")]
            // SAFETY: as above.
            Kernel::Neon => unsafe { neon::group(&self.nibbles, inputs, outputs, range) },
            _ => scalar::group(&self.nibbles, inputs, outputs, range),
        }
    }
}
