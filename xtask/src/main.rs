//! The project's chores: `cargo xtask test` is what CI runs, `cargo xtask tidy` reads the tree.

mod packages;
mod steps;
mod tidy;

use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask test | tidy | sim [SEEDS]

test   everything CI checks: system packages, formatting, tidy, lints, all tests
tidy   arrows between crates, file lengths, leftover marks, module headers
sim    the simulator over many seeds (default 1000), for nights and weekends";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["test"] => steps::test(),
        ["tidy"] => tidy::check(&tidy::root()),
        ["sim"] => steps::simulate("1000"),
        ["sim", seeds] => steps::simulate(seeds),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
