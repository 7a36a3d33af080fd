//! Target `ledger_join_token` of `acre-fuzz` under libFuzzer.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| acre_fuzz::target("ledger_join_token").expect("a target")(data));
