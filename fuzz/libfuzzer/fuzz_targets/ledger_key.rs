//! Target `ledger_key` of `acre-fuzz` under libFuzzer.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| acre_fuzz::target("ledger_key").expect("a target")(data));
