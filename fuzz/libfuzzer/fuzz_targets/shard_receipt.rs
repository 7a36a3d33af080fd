//! Target `shard_receipt` of `acre-fuzz` under libFuzzer.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| acre_fuzz::target("shard_receipt").expect("a target")(data));
