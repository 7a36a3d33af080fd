//! How this process asks the ledger: how long it waits, and that it says on standard error what it
//! waits for. Set once, from the command line, for every client that the process makes.

use std::sync::OnceLock;
use std::time::Duration;

use acre_chain::client::{Options, Waiting};

use crate::output::{Notes, say};

struct Manner {
    patience: Option<Duration>,
    notes: Notes,
}

static MANNER: OnceLock<Manner> = OnceLock::new();

/// Called once, before any client is made; later calls change nothing.
pub(crate) fn set(patience: Option<Duration>, notes: Notes) {
    let _ = MANNER.set(Manner { patience, notes });
}

/// The same options, with how this process waits.
pub(crate) fn with_manner(options: Options) -> Options {
    let patience = MANNER.get().and_then(|manner| manner.patience);
    let options = match MANNER.get().map(|manner| manner.notes) {
        Some(Notes::Hidden) => options,
        _ => options.with_told(|waiting: &Waiting| say(waiting)),
    };
    Options { patience, ..options }
}
