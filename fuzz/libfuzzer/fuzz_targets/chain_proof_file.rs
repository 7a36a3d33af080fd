//! Target `chain_proof_file` of `acre-fuzz` under libFuzzer.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| acre_fuzz::target("chain_proof_file").expect("a target")(data));
