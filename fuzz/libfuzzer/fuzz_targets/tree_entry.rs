//! Target `tree_entry` of `acre-fuzz` under libFuzzer.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| acre_fuzz::target("tree_entry").expect("a target")(data));
