//! How a command ends: the exit codes of the command line's contract, and errors that say what
//! failed, what is unchanged and what to do.

use std::fmt;
use std::process::ExitCode;

use crate::output::{Form, say};

/// Exit codes; stable, scripts rely on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Code {
    /// Something went wrong that no other code names.
    Failed = 1,
    /// Wrong words or flags.
    Usage = 2,
    /// No such name, object, node or account.
    NotFound = 3,
    /// A key or a right is missing.
    Denied = 4,
    /// A process or a place does not answer.
    Unreachable = 5,
    /// It may or may not have happened; repeating is safe.
    OutcomeUnknown = 6,
    /// It exists already, or somebody else was first.
    Conflict = 7,
    /// Not enough space, funds, places or quorum.
    NotEnough = 8,
    /// Data is damaged beyond what its profile bears.
    Damaged = 9,
    /// Ctrl-C.
    Interrupted = 130,
}

impl Code {
    const ALL: [Self; 10] = [
        Self::Failed,
        Self::Usage,
        Self::NotFound,
        Self::Denied,
        Self::Unreachable,
        Self::OutcomeUnknown,
        Self::Conflict,
        Self::NotEnough,
        Self::Damaged,
        Self::Interrupted,
    ];

    /// The code with which another `acre` ended.
    pub(crate) fn of_number(number: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|code| *code as i32 == number)
    }
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(code as u8)
    }
}

/// An error for a person: what failed and why, what is unchanged, what to do.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: Code,
    pub(crate) what: String,
    pub(crate) state: Option<String>,
    pub(crate) hint: Option<String>,
}

impl Failure {
    pub(crate) fn new(code: Code, what: impl fmt::Display) -> Self {
        Self { code, what: what.to_string(), state: None, hint: None }
    }

    /// What is unchanged.
    #[must_use]
    pub(crate) fn state(mut self, state: impl Into<String>) -> Self {
        self.state = Some(state.into());
        self
    }

    /// What to do.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.what)?;
        if let Some(state) = &self.state {
            write!(f, "\n  state: {state}")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n  try:   {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

/// The result of a command.
pub(crate) type Outcome<T = ()> = Result<T, anyhow::Error>;

/// The exit code for an error, whatever it is.
pub(crate) fn code_of(error: &anyhow::Error) -> Code {
    if let Some(failure) = error.downcast_ref::<Failure>() {
        return failure.code;
    }
    use std::io::ErrorKind;
    match error.downcast_ref::<std::io::Error>().map(std::io::Error::kind) {
        Some(ErrorKind::NotFound) => return Code::NotFound,
        Some(ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem) => return Code::Denied,
        _ => {}
    }
    // These two mean the same however deep they lie.
    let mut kinds =
        error.chain().filter_map(|cause| Some(cause.downcast_ref::<std::io::Error>()?.kind()));
    kinds
        .find_map(|kind| match kind {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Some(Code::NotEnough),
            ErrorKind::AddrInUse => Some(Code::Conflict),
            _ => None,
        })
        .unwrap_or(Code::Failed)
}

/// The error as a JSON object on standard error, for scripts.
pub(crate) fn as_json(error: &anyhow::Error) -> serde_json::Value {
    let code = code_of(error) as u8;
    match error.downcast_ref::<Failure>() {
        Some(failure) => serde_json::json!({
            "error": failure.what, "state": failure.state, "try": failure.hint, "exit_code": code,
        }),
        None => serde_json::json!({ "error": format!("{error:#}"), "exit_code": code }),
    }
}

/// Wrong words or flags, as the parser of the command line told of them to people.
pub(crate) fn of_usage(error: &clap::Error) -> Failure {
    let told = match error.kind() {
        // Of this the parser only shows the help.
        clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            "a command is missing".to_owned()
        }
        _ => error.render().to_string(),
    };
    let told = told.as_str();
    let what = told.split("\n\n").next().unwrap_or(told);
    let what = what.strip_prefix("error: ").unwrap_or(what).trim();
    Failure::new(Code::Usage, what).state("nothing was done").hint("the same command with --help")
}

/// What another `acre` said with [`as_json`].
pub(crate) fn of_json(said: &serde_json::Value) -> Option<Failure> {
    let word = |key: &str| said.get(key).and_then(serde_json::Value::as_str).map(str::to_owned);
    let code = said.get("exit_code").and_then(serde_json::Value::as_i64);
    let code = code.and_then(|code| Code::of_number(i32::try_from(code).ok()?));
    let (state, hint) = (word("state"), word("try"));
    Some(Failure { code: code.unwrap_or(Code::Failed), what: word("error")?, state, hint })
}

/// Tells the error on standard error.
pub(crate) fn tell(error: &anyhow::Error, form: Form) {
    match form {
        Form::Json => say(as_json(error)),
        Form::Words => say(words(error)),
    }
}

/// The error in words, with its causes.
pub(crate) fn words(error: &anyhow::Error) -> String {
    match error.downcast_ref::<Failure>() {
        Some(failure) => failure.to_string(),
        None => {
            let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
            format!("error: {}", causes.join("\n  because: "))
        }
    }
}
