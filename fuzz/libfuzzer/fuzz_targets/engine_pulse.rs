//! Target `engine_pulse` of `acre-fuzz` under libFuzzer.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| acre_fuzz::target("engine_pulse").expect("a target")(data));
