//! `acre id`: the 24 words and what grows from them.

use acre_crypto::Phrase;
use acre_store::keys::Identity;
use serde_json::json;

use super::{recovery, twin};
use crate::cli::Id;
use crate::context::Context;
use crate::exit::Outcome;
use crate::home::{Home, read_phrase};
use crate::output::Output;
use crate::random;

pub(crate) async fn run(home: &Home, command: Id, out: &Output) -> Outcome {
    match command {
        Id::New => {
            let phrase = Phrase::from_entropy(random::bytes()?);
            home.keep(&phrase)?;
            out.note("Write the words down and keep them away from this machine:");
            out.note("whoever has them has everything; without them nobody can help you.");
            show(home, out)?;
            if !out.is_json() {
                out.lines(&phrase.words());
            }
            Ok(())
        }
        Id::Show => show(home, out),
        Id::Words => {
            let words = home.phrase()?.words();
            out.data(&json!({ "words": *words }), || words.to_string());
            Ok(())
        }
        Id::Restore { words_file, grid } => {
            let phrase = read_phrase(&words_file)?;
            // All that can fail comes before the words are kept: the corrected command must work.
            home.must_be_new()?;
            Context::adopt(home, &grid)?;
            home.keep(&phrase)?;
            out.note("Everything stored under these words can be read again: acre ls -l");
            show(home, out)
        }
        Id::Handle(command) => twin::handle(home, command, out).await,
        Id::Key(command) => twin::key(home, command, out).await,
        Id::Recovery(command) => recovery::run(home, command, out).await,
    }
}

fn show(home: &Home, out: &Output) -> Outcome {
    let account = Identity::new(home.phrase()?.root()).account_id();
    let chain = Context::of_home(home).ok().map(|context| context.genesis.digest());
    let report =
        json!({ "account": account, "home": home.root().display().to_string(), "chain": chain });
    out.data(&report, || format!("account {account}\nhome    {}", home.root().display()));
    Ok(())
}
