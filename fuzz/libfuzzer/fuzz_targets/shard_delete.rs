//! Target `shard_delete` of `acre-fuzz` under libFuzzer.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| acre_fuzz::target("shard_delete").expect("a target")(data));
