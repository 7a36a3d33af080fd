//! What goes where: data on standard output, everything else on standard error.

use std::fmt::Display;
use std::io::{ErrorKind, IsTerminal, Write};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::Value;

use crate::exit::{self, Code, Failure};

/// A line on standard error. Where it cannot be written, on a full disk or to a reader that went
/// away, the work goes on: it is worth more than the remark.
pub(crate) fn say(line: impl Display) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// How to speak.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    form: Form,
    quiet: bool,
}

impl Output {
    pub(crate) const fn new(form: Form, quiet: Notes) -> Self {
        Self { form, quiet: matches!(quiet, Notes::Hidden) }
    }

    pub(crate) const fn is_json(&self) -> bool {
        matches!(self.form, Form::Json)
    }

    /// The answer: JSON, or words for people.
    pub(crate) fn data(&self, value: &Value, words: impl FnOnce() -> String) {
        let text = if self.is_json() { value.to_string() } else { words() };
        self.lines(&text);
    }

    /// Lines on standard output. A reader that went away is no error of ours; an answer that was
    /// lost for another reason is, and the process ends with it.
    pub(crate) fn lines(&self, text: &str) {
        let mut out = std::io::stdout().lock();
        let Err(error) = writeln!(out, "{text}").and_then(|()| out.flush()) else { return };
        if error.kind() == ErrorKind::BrokenPipe {
            std::process::exit(0);
        }
        let code = match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Code::NotEnough,
            _ => Code::Failed,
        };
        let failure = Failure::new(code, format!("the answer could not be written: {error}"))
            .state("what the command did is done; only its answer is lost");
        exit::tell(&failure.into(), self.form);
        std::process::exit(code as i32);
    }

    /// A remark, which scripts do not want.
    pub(crate) fn note(&self, line: &str) {
        if !self.quiet && !self.is_json() {
            say(line);
        }
    }

    /// Something that a person should know even in a script.
    pub(crate) fn warn(&self, line: &str) {
        say(format_args!("warning: {line}"));
    }

    /// Says that no more data comes, while the process goes on.
    pub(crate) fn close(&self) {
        if let Ok(null) = std::fs::OpenOptions::new().write(true).open("/dev/null") {
            let _ = rustix::stdio::dup2_stdout(&null);
        }
    }

    /// A bar for `bytes` of work; plain lines every ten seconds where there is no terminal.
    pub(crate) fn bar(&self, bytes: Option<u64>) -> Bar {
        let template = match bytes {
            Some(_) => "{wide_bar} {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left  {msg}",
            None => "{spinner} {bytes}  {bytes_per_sec}  {msg}",
        };
        self.drawn(Unit::Bytes, bytes, template)
    }

    /// The same for `count` things.
    pub(crate) fn counter(&self, count: u64) -> Bar {
        let template = "{wide_bar} {human_pos}/{human_len}  {per_sec}  {eta} left  {msg}";
        self.drawn(Unit::Things, Some(count), template)
    }

    fn drawn(&self, unit: Unit, length: Option<u64>, template: &str) -> Bar {
        let is_hidden = self.quiet || self.is_json();
        let is_terminal = std::io::stderr().is_terminal();
        let target = if is_hidden || !is_terminal {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr_with_hz(10)
        };
        let bar = ProgressBar::with_draw_target(length, target);
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        let lines = (!is_hidden && !is_terminal).then(std::time::Instant::now);
        Bar { bar, unit, lines: std::sync::Mutex::new(lines) }
    }
}

/// Whether data is for scripts or for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Json,
    Words,
}

/// Whether remarks are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notes {
    Shown,
    Hidden,
}

/// What a bar counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Bytes,
    Things,
}

/// A progress bar that also works where nobody draws.
pub(crate) struct Bar {
    bar: ProgressBar,
    unit: Unit,
    lines: std::sync::Mutex<Option<std::time::Instant>>,
}

/// Between two plain lines.
const LINE_EVERY: std::time::Duration = std::time::Duration::from_secs(10);

impl Bar {
    /// So much is done, of so much in all (0: not known yet).
    pub(crate) fn set(&self, done: u64, total: u64, message: &str) {
        if total > 0 {
            self.bar.set_length(total);
        }
        self.bar.set_position(done);
        self.bar.set_message(message.to_owned());
        let mut last = self.lines.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(at) = last.as_mut()
            && at.elapsed() >= LINE_EVERY
        {
            *at = std::time::Instant::now();
            match self.unit {
                Unit::Bytes => {
                    let (done, total) = (acre_types::Bytes(done), acre_types::Bytes(total));
                    say(format_args!("{done} of {total}  {message}"));
                }
                Unit::Things => say(format_args!("{done} of {total}  {message}")),
            }
        }
    }

    /// Takes the bar away.
    pub(crate) fn end(&self) {
        self.bar.finish_and_clear();
    }
}
