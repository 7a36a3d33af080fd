//! Target `ledger_transaction` of `acre-fuzz` under libFuzzer.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| acre_fuzz::target("ledger_transaction").expect("a target")(data));
