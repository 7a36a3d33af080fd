//! Target `chain_event_frame` of `acre-fuzz` under libFuzzer.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| acre_fuzz::target("chain_event_frame").expect("a target")(data));
