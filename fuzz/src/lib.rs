//! Every decoder that reads a stranger's bytes, as a function of bytes.
//!
//! A target panics if one of these is broken:
//! - no panic in the decoder,
//! - what decodes encodes to the very bytes it came from (one encoding a value),
//! - and those decode to an equal value again.
//!
//! `cargo test -p acre-fuzz` replays the corpus and seeded mutations of it; the package in
//! `libfuzzer/` gives the same functions to a coverage-guided fuzzer.

mod base;
mod capacity;
mod ledger;
mod mutate;
mod shell;
mod store;

use std::fmt::Debug;

use acre_codec::{Decode, Encode};

pub use mutate::Mutator;

/// A target: its name, which is that of its corpus folder, and its function.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: &[Target] = &[
    ("phrase", base::phrase),
    ("names", base::names),
    ("ledger_transaction", ledger::transaction),
    ("ledger_payload", ledger::payload),
    ("ledger_genesis", ledger::genesis),
    ("ledger_proof", ledger::proof),
    ("ledger_key", ledger::key),
    ("ledger_object", ledger::object),
    ("ledger_event", ledger::event),
    ("ledger_receipt", ledger::receipt),
    ("ledger_join_token", ledger::join_token),
    ("ledger_statement", ledger::statement),
    ("shard_header", store::shard_header),
    ("shard_request", store::request),
    ("shard_reply", store::reply),
    ("shard_delete", store::delete),
    ("shard_receipt", store::receipt),
    ("head", store::head),
    ("root", store::root),
    ("tree_node", store::node),
    ("tree_page", store::page),
    ("tree_entry", store::entry),
    ("tree_path", store::path),
    ("chunk", store::chunk),
    ("pack_meta", store::meta_pack),
    ("frame_header", shell::frame_header),
    ("frames", shell::frames),
    ("chain_request", shell::chain_request),
    ("chain_reply", shell::chain_reply),
    ("chain_subscribe", shell::chain_subscribe),
    ("chain_event_frame", shell::chain_event_frame),
    ("chain_proof_file", shell::chain_proof_file),
    ("chain_checkpoint", shell::chain_checkpoint),
    ("block_header", shell::block_header),
    ("certificate", shell::certificate),
    ("engine_pulse", shell::engine_pulse),
    ("engine_block", shell::engine_block),
    ("chain_taken", shell::chain_taken),
    ("chain_change", shell::chain_change),
    ("witness_ask", capacity::ask),
    ("witness_answer", capacity::answer),
];

/// The target of this name.
#[must_use]
pub fn target(name: &str) -> Option<fn(&[u8])> {
    TARGETS.iter().find(|(other, _)| *other == name).map(|(_, run)| *run)
}

/// What decodes has one encoding.
fn canonical<T: Encode + Decode + PartialEq + Debug>(data: &[u8]) -> Option<T> {
    let value = acre_codec::decode::<T>(data).ok()?;
    let bytes = acre_codec::encode(&value);
    assert_eq!(bytes, data, "{value:?} has two encodings");
    assert_eq!(acre_codec::decode::<T>(&bytes).as_ref(), Ok(&value), "and comes back otherwise");
    Some(value)
}
