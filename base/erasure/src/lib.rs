//! Reed-Solomon erasure coding over GF(2^8): any `data` of `data + parity` shards give back the rest.
//!
//! The code is systematic over a Cauchy matrix, with the field polynomial 0x11D, so its parity bytes
//! are those of ISA-L's `gf_gen_cauchy1_matrix` + `ec_encode_data`. They are stored on users' disks:
//! `tests/golden` pins them.
//!
//! | module | what it holds |
//! |---|---|
//! | `field` | arithmetic of GF(2^8) |
//! | `interpolate` | the coefficients that turn any `data` shards into any other shards |
//! | `codec` | [`Codec`] and [`Plan`]: checked counts, indices and lengths |
//! | `kernel` | the loops over bytes, one per instruction set, chosen once ([`Kernel::best`]) |
//!
//! It knows nothing of packs, profiles or nodes, does no I/O, takes no locks and starts no threads.
//! Every call works on columns: to recover bytes `a..b` of a shard, hand in `a..b` of each given one.
//!
//! ```
//! use acre_erasure::Codec;
//!
//! let codec = Codec::new(2, 1)?;
//! let (left, right) = (b"some", b"data");
//! let mut parity = [0; 4];
//! codec.encode(&[left, right], &mut [&mut parity])?;
//!
//! let mut lost = [0; 4];
//! codec.reconstruct(&[(2, &parity), (0, left)], &mut [(1, &mut lost)])?;
//! assert_eq!(&lost, right);
//! # Ok::<(), acre_erasure::Error>(())
//! ```
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::arithmetic_side_effects,
        clippy::indexing_slicing,
        clippy::cast_possible_truncation,
        reason = "tests"
    )
)]

mod codec;
mod error;
mod field;
mod interpolate;
mod kernel;
mod limits;

pub use codec::{Codec, Plan};
pub use error::{Error, Result};
pub use kernel::Kernel;
pub use limits::SHARDS_MAX;
