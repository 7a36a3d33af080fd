//! `acre`: one binary, every role a subcommand.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests"))]

mod asking;
mod bench;
mod cli;
mod command;
mod context;
mod exit;
mod grid;
mod home;
mod output;
mod random;
mod role;
mod setting;
mod tour;

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Parser;

use crate::cli::{Cli, Command};
use crate::exit::{Code, Failure, Outcome};
use crate::output::{Form, Notes, Output};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            if error.use_stderr() && std::env::args_os().any(|word| word == "--json") {
                exit::tell(&exit::of_usage(&error).into(), Form::Json);
                return Code::Usage.into();
            }
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    let (form, notes) = (
        if cli.json { Form::Json } else { Form::Words },
        if cli.quiet { Notes::Hidden } else { Notes::Shown },
    );
    start_log(&cli.command);
    if SystemTime::now() < UNIX_EPOCH {
        let failure = Failure::new(Code::Failed, "the clock of this machine stands before 1970")
            .state("nothing was done")
            .hint("set the clock: others do not agree with one that is so wrong");
        exit::tell(&failure.into(), form);
        return Code::Failed.into();
    }
    asking::set(cli.timeout, notes);
    match run(cli, &Output::new(form, notes)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            exit::tell(&error, form);
            exit::code_of(&error).into()
        }
    }
}

/// Roles log to standard error, which is their log file; commands only warn. A line that a full disk
/// does not take is lost: the subscriber would tell of that on standard error too, and panic.
fn start_log(command: &Command) {
    let default = if command.is_role() { "info" } else { "error" };
    let filter = tracing_subscriber::EnvFilter::try_from_env("ACRE_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(default));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_target(false)
        .log_internal_errors(false)
        .init();
}

/// Runs the command on a runtime as small as it can be: a grid of thirty processes on one machine
/// must not cost a thread for each core and process.
fn run(cli: Cli, out: &Output) -> Outcome {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).max_blocking_threads(16).enable_all();
    let runtime = builder.build()?;
    let done = runtime.block_on(command::run(cli, out));
    runtime.shutdown_background();
    done
}
