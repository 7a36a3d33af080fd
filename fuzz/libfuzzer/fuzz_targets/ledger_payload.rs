//! Target `ledger_payload` of `acre-fuzz` under libFuzzer.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| acre_fuzz::target("ledger_payload").expect("a target")(data));
