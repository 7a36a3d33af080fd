//! Replays the corpus and seeded mutations of it through every target.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use acre_fuzz::{Mutator, TARGETS, Target};

/// Mutants of each target; `ACRE_FUZZ_MUTANTS` asks for more.
const MUTANTS: u64 = 10_000;

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

#[track_caller]
fn check((name, run): &Target, input: &[u8], from: &str) {
    if catch_unwind(AssertUnwindSafe(|| run(input))).is_err() {
        let digits: String = input.iter().map(|byte| format!("{byte:02x}")).collect();
        panic!("{name} fails on {from}: {digits}");
    }
}

#[test]
fn every_target_has_a_corpus_and_passes_it() {
    for target in TARGETS {
        let corpus = corpus(target.0);
        assert!(!corpus.is_empty(), "{} has no corpus", target.0);
        for (at, input) in corpus.iter().enumerate() {
            check(target, input, &format!("file {at}"));
        }
    }
}

#[test]
fn every_target_passes_seeded_mutations() {
    let asked = std::env::var("ACRE_FUZZ_MUTANTS").ok().and_then(|text| text.parse().ok());
    for target in TARGETS {
        let corpus = corpus(target.0);
        let mut mutator = Mutator::new(1);
        for number in 0..asked.unwrap_or(MUTANTS) {
            check(target, &mutator.mutant(&corpus), &format!("mutant {number} of seed 1"));
        }
    }
}

#[test]
fn every_target_has_a_binary_for_libfuzzer() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("libfuzzer");
    let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    for (name, _) in TARGETS {
        assert!(manifest.contains(&format!("name = \"{name}\"\n")), "{name} is not in Cargo.toml");
        let source = fs::read_to_string(folder.join(format!("fuzz_targets/{name}.rs"))).unwrap();
        assert!(source.contains(&format!("target(\"{name}\")")), "{name}.rs runs another target");
    }
}
