//! Target `shard_reply` of `acre-fuzz` under libFuzzer.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| acre_fuzz::target("shard_reply").expect("a target")(data));
