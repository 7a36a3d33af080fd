//! Target `chain_subscribe` of `acre-fuzz` under libFuzzer.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| acre_fuzz::target("chain_subscribe").expect("a target")(data));
