//! A disk in memory that records every call, loses what was not synced, tears, rots, fills up and fails on demand.

mod image;
mod rng;
mod sim_disk;

pub use image::{Crash, Image, Survival};
pub use rng::Rng;
pub use sim_disk::{Call, Fault, SimDisk};
