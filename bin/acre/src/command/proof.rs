//! `acre proof`: what the ledger says, as a file that anybody with the genesis can check offline.

use std::path::Path;

use acre_chain::client::ExportError;
use acre_chain::limits::PROOF_FILE_BYTES_MAX;
use acre_chain::proof::{ProofFile, ProofFileError, Proven, Shown};
use acre_ledger::Key;
use serde_json::{Value, json};

use super::ledger::key;
use super::show;
use crate::asking::{failure, reader};
use crate::cli::Proof;
use crate::context::{Context, genesis_at};
use crate::exit::{Code, Failure, Outcome};
use crate::home::Home;
use crate::output::Output;

pub(crate) async fn run(home: &Home, command: Proof, out: &Output) -> Outcome {
    match command {
        Proof::Export { kind, id, file } => export(home, &kind, id.as_deref(), &file, out).await,
        Proof::Verify { file, grid } => verify(home, &file, grid.as_deref(), out),
    }
}

async fn export(home: &Home, kind: &str, id: Option<&str>, file: &Path, out: &Output) -> Outcome {
    if file.exists() {
        let what = format!("{} exists already", file.display());
        return Err(Failure::new(Code::Conflict, what).state("it was not changed").into());
    }
    crate::home::must_have_folder(file)?;
    let genesis = Context::of_home(home)?.genesis;
    let ledger = reader(home).await?;
    let made = if kind == "tx" {
        let id = id.ok_or_else(|| Failure::new(Code::Usage, "which transaction?"))?;
        let id = id.parse().map_err(|error| Failure::new(Code::Usage, error))?;
        ledger.export_transaction(&genesis, id).await
    } else {
        ledger.export_value(&genesis, key(kind, id)?).await
    };
    let proof = made.map_err(|error| match error {
        ExportError::Client(error) => failure(error),
        ExportError::Unknown { .. } => Failure::new(Code::NotFound, error).into(),
        other => Failure::new(Code::Failed, other).into(),
    })?;
    let bytes = proof.to_bytes();
    crate::home::write_file(file, &bytes)?;
    let report = json!({
        "file": file.display().to_string(), "bytes": bytes.len(), "chain": proof.chain(),
        "words": proof.words(),
    });
    out.data(&report, || {
        format!(
            "{} ({} bytes) shows {}.\nAnybody checks it, offline, with: acre proof verify {}",
            file.display(),
            bytes.len(),
            proof.words(),
            file.display(),
        )
    });
    Ok(())
}

fn verify(home: &Home, file: &Path, grid: Option<&Path>, out: &Output) -> Outcome {
    let genesis = match grid {
        Some(grid) => genesis_at(grid)?,
        None => Context::of_home(home)?.genesis,
    };
    let bytes = read(file)?;
    let proven =
        ProofFile::decode(&bytes).and_then(|proof| proof.verify(&genesis)).map_err(|error| {
            let code = match error {
                ProofFileError::OtherGrid { .. } => Code::Denied,
                _ => Code::Damaged,
            };
            Failure::new(code, crate::asking::causes(&error)).state("it shows nothing")
        })?;
    let report = report(&proven);
    out.data(&report, || show::lines(&report));
    Ok(())
}

/// A stranger's file, of which no more is read than a proof may have.
fn read(file: &Path) -> Outcome<Vec<u8>> {
    use std::io::Read as _;
    let missing = |error| Failure::new(Code::NotFound, format!("{}: {error}", file.display()));
    let mut bytes = Vec::new();
    let most = PROOF_FILE_BYTES_MAX as u64 + 1;
    std::fs::File::open(file).map_err(missing)?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The words that [`key`] reads, where it has some.
fn name(key: &Key) -> String {
    match key {
        Key::Account(id) => format!("account {id}"),
        Key::Farm(id) => format!("farm {id}"),
        Key::Node(id) => format!("node {id}"),
        Key::Contract(id) => format!("contract {id}"),
        Key::Twin(handle) => format!("twin {}", handle.as_str()),
        Key::Totals => "totals".to_owned(),
        Key::Parameters => "parameters".to_owned(),
        other => format!("{other:?}"),
    }
}

fn report(proven: &Proven) -> Value {
    let block = &proven.block;
    let mut report = json!({
        "verified": true, "height": block.height, "time": block.time, "state_root": block.root,
    });
    match &proven.shown {
        Shown::Value { key, object } => {
            report["key"] = json!(name(key));
            report["present"] = json!(object.is_some());
            report["object"] = object.as_ref().map_or(Value::Null, |object| show::object(object));
        }
        Shown::Transaction { id, index, signed } => {
            report["transaction"] = json!(id);
            report["index"] = json!(index);
            report["from"] = json!(signed.transaction.from);
            report["action"] = json!(format!("{:?}", signed.transaction.action));
        }
    }
    report
}
