//! Acre's Reed-Solomon kernels beside their peers: a table of throughputs, and ISA-L as a byte oracle.

pub mod codecs;
pub mod golden;
pub mod isal;
pub mod meter;
pub mod stripe;
