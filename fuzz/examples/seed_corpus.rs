//! Writes the first corpus from the golden files of the crates and a few values made here:
//! `cargo run -p acre-fuzz --example seed_corpus`. Files that a fuzzer added stay.
#![allow(clippy::unwrap_used, reason = "a tool for those who change a format")]

use std::fs;
use std::path::{Path, PathBuf};

use acre_chain::light::Change;
use acre_chain::protocol::{Frame as EventFrame, Info, Reply, Request, Subscribe};
use acre_codec::{Decode, Encode, List, encode};
use acre_crypto::{Phrase, Secret, SigningKey};
use acre_ledger::{JoinToken, Key, SignedJoinToken};
use acre_net::frame::{Frame, Kind};
use acre_store::protocol as shard;
use acre_types::{Digest, FarmId, Height, NodeId, Text, UnixMs};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Bytes of a golden file.
fn golden(path: &str) -> Vec<u8> {
    let text = fs::read_to_string(root().join(path)).unwrap();
    let digits: Vec<u32> = text
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .flat_map(|line| line.chars().filter_map(|digit| digit.to_digit(16)))
        .collect();
    digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap()).collect()
}

/// The values of a golden file of the ledger.
fn listed(name: &str) -> Vec<Vec<u8>> {
    acre_codec::decode(&golden(&format!("core/ledger/tests/golden/{name}.hex"))).unwrap()
}

/// The values of a golden file that stand one after the other.
fn joined<T: Encode + Decode>(path: &str) -> Vec<Vec<u8>> {
    let bytes = golden(path);
    let mut rest = bytes.as_slice();
    let mut values = Vec::new();
    while !rest.is_empty() {
        values.push(encode(&acre_codec::decode_prefix::<T>(&mut rest).unwrap()));
    }
    values
}

fn write(target: &str, values: &[Vec<u8>]) {
    let folder = root().join("fuzz/corpus").join(target);
    fs::create_dir_all(&folder).unwrap();
    for (at, value) in values.iter().enumerate() {
        fs::write(folder.join(format!("golden-{at:02}")), value).unwrap();
    }
}

fn frames() -> Vec<Vec<u8>> {
    let frame = |kind, call, meta: &[u8], body: &[u8]| {
        let frame = Frame::new(kind, call, meta.to_vec().into(), body.to_vec().into()).unwrap();
        let mut bytes = frame.header.encode().to_vec();
        bytes.extend_from_slice(&frame.meta);
        bytes.extend_from_slice(&frame.body);
        bytes
    };
    vec![
        frame(Kind::Request, 1, b"meta", b"body"),
        frame(Kind::Reply, 1, b"", b"a longer body of a reply"),
        frame(Kind::Failed, 2, b"", b""),
        frame(Kind::Alive, 0, b"", b""),
        frame(Kind::Goodbye, 3, b"", b""),
        frame(Kind::Event, 0, b"", b"event"),
    ]
}

fn base_and_ledger() {
    let words = |byte| Phrase::from_entropy([byte; 32]).words().as_bytes().to_vec();
    write("phrase", &[words(0), words(1), words(255)]);
    let names = ["16+4", "tiny", "BE", "12.5", "0.0000001", "ada-1", "18446744073709551615"];
    let mut names: Vec<_> = names.iter().map(|name| name.as_bytes().to_vec()).collect();
    names.push("ab".repeat(32).into_bytes());
    names.push("cd".repeat(16).into_bytes());
    write("names", &names);
    let all = |kind: &str| {
        let parts = ["", "govern-", "mint-", "duty-"].map(|part| listed(&format!("{part}{kind}")));
        parts.concat()
    };
    write("ledger_transaction", &all("transaction"));
    write("ledger_payload", &[golden("core/ledger/tests/golden/payload.hex")]);
    write("ledger_genesis", &listed("genesis")[..1]);
    write("ledger_proof", &listed("proof")[1..]);
    write("ledger_key", &all("keys"));
    let contracts = [listed("contracts"), listed("bills"), listed("price")].concat();
    write("ledger_object", &[all("objects"), contracts].concat());
    let mut events = listed("events");
    let receipt = events.pop().unwrap();
    for part in ["govern", "mint", "duty"] {
        events.extend(listed(&format!("{part}-events")));
    }
    write("ledger_event", &events);
    write("ledger_receipt", &[receipt]);
    let (chain, farm, expires) = (Digest([1; 32]), FarmId(7), UnixMs(9));
    let owner = SigningKey::from_seed(Secret::new([2; 32]));
    let tokens = [None, Some(NodeId([8; 32]))].map(|node| {
        encode(&SignedJoinToken::new(JoinToken { chain, farm, node, expires }, &owner))
    });
    write("ledger_join_token", &tokens);
    let statements = [
        "acre/possession/1",
        "acre/recovery-consent/1",
        "acre/recovery-veto/1",
        "acre/admission-order/1",
    ];
    let bare = |(domain, value): (&str, Vec<u8>)| value[domain.len()..].to_vec();
    let all: Vec<_> = statements.into_iter().zip(listed("govern-statements")).map(bare).collect();
    write("ledger_statement", &all);
}

fn store() {
    let folder = "core/store/src/golden";
    write("shard_header", &[golden(&format!("{folder}/shard.hex"))]);
    let requests = joined::<shard::Request>(&format!("{folder}/requests.hex"));
    let replies = joined::<shard::Reply>(&format!("{folder}/replies.hex"));
    // Both stand in a message behind its tag.
    let inner = |list: &[Vec<u8>], tag: u8| -> Vec<Vec<u8>> {
        list.iter().filter(|bytes| bytes[0] == tag).map(|bytes| bytes[1..].to_vec()).collect()
    };
    write("shard_delete", &inner(&requests, 6));
    write("shard_receipt", &inner(&replies, 7));
    write("shard_request", &requests);
    write("shard_reply", &replies);
    write("head", &[golden(&format!("{folder}/head.hex"))]);
    write("root", &[golden(&format!("{folder}/root.hex"))]);
    let (leaf, node) =
        (golden(&format!("{folder}/leaf.hex")), golden(&format!("{folder}/inner.hex")));
    // The first entry of a leaf stands behind format, tag and count.
    let mut rest = &leaf[6..];
    let entry = encode(&acre_codec::decode_prefix::<acre_store::tree::Entry>(&mut rest).unwrap());
    write("tree_entry", &[entry]);
    write("tree_node", &[leaf, node]);
    let page = [vec![2, 0, 0, 0, 0, 0], [vec![2, 1, 1, 0, 0, 0], vec![9; 36]].concat()];
    write("tree_page", &page);
    let paths = ["", "a", "a/b", "/a//b/", "..", "a/../b", ".", "ä/ö"];
    write("tree_path", &paths.map(|path| path.as_bytes().to_vec()));
    // Plain length, content, coding byte (0 raw, 1 zstd).
    let raw = [5u32.to_le_bytes().to_vec(), b"plain\x00".to_vec()].concat();
    let zstd = [
        5u32.to_le_bytes().to_vec(),
        vec![0x28, 0xb5, 0x2f, 0xfd, 0x20, 0x05, 0x29, 0, 0, b'p', b'l', b'a', b'i', b'n', 1],
    ]
    .concat();
    write("chunk", &[raw, zstd]);
    let shards = [128u16.to_le_bytes().to_vec(), vec![7; 128]].concat();
    write("pack_meta", &[shards]);
}

fn shell() {
    let frames = frames();
    write("frame_header", &frames);
    write("frames", &[frames.clone(), vec![frames.concat()]].concat());
    let id = Digest([4; 32]);
    let keys = List::new(vec![Key::Grid, Key::NodeAt(5)]).unwrap();
    let requests = [
        Request::Submit,
        Request::Get { keys, at_least: Height(3) },
        Request::Info,
        Request::Block { height: Height(2) },
        Request::Transaction { id },
        Request::Changes { after_term: 3 },
        Request::State { height: Height(0), from: 7 },
    ];
    write("chain_request", &requests.map(|request| encode(&request)));
    let header = golden("shell/engine/tests/golden/header-v1.hex");
    let certificate = golden("shell/engine/tests/golden/certificate-v1.hex");
    let finality = acre_chain::protocol::Finality::new(&acre_engine::FinalityProof {
        headers: vec![header.clone().into()],
        certificate: certificate.clone().into(),
    })
    .unwrap();
    let proof = acre_ledger::Proof::decode(&listed("proof")[1]).unwrap();
    let info = Info { chain: id, head: Some(finality.clone()), oldest: Height(1), waiting: 2 };
    let replies = [
        Reply::Waiting,
        Reply::Committed { height: Height(5), finality: finality.clone(), account: proof.clone() },
        Reply::Values {
            finality: finality.clone(),
            proofs: List::new(vec![proof.clone()]).unwrap(),
        },
        Reply::Info(info),
        Reply::Found { height: Height(5) },
        Reply::NotFound,
        Reply::NotReady(Text::new("no block yet").unwrap()),
        Reply::Malformed,
        Reply::Changes { changes: List::default() },
        Reply::State { finality: finality.clone(), leaves: 9, page: List::default() },
    ];
    write("chain_reply", &replies.map(|reply| encode(&reply)));
    write("chain_subscribe", &[encode(&Subscribe { from: Height(9) })]);
    let events = listed("events");
    let event = acre_codec::decode(&events[0]).unwrap();
    let block = EventFrame::Block {
        finality: finality.clone(),
        events: List::new(vec![event]).unwrap(),
        more: false,
    };
    let others = [EventFrame::Gone { oldest: Height(8) }, EventFrame::Full, block];
    write("chain_event_frame", &others.map(|frame| encode(&frame)));
    let length = vec![u8::try_from(header.len()).unwrap()];
    write("certificate", &[[length, header.clone(), certificate].concat()]);
    write("block_header", std::slice::from_ref(&header));
    let change = Change { finality, seats: proof };
    write("chain_change", &[encode(&change)]);
    write("chain_taken", &[vec![0, 9, 0, 0, 0], vec![1], vec![2]]);
    // An answer with a vote to give view 7 of term 5 up, by the third validator.
    let vote = [vec![2, 5, 5, 1, 1, 5, 7, 2], vec![9; 64]].concat();
    let pulses = [vec![0, 5], vec![1, 0x85, 1], vec![3, 5], vec![2, 5, 6, 0], vote];
    assert!(pulses.iter().all(|pulse| acre_engine::strangers::pulse(pulse).is_some()));
    write("engine_pulse", &pulses);
    // The golden header with an empty payload, and with five bytes.
    let block = |payload: &[u8]| {
        let hash = acre_crypto::digest(&[b"acre:block-payload:v1", payload].concat());
        let head = &header[..header.len() - 36];
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [head, &length, hash.as_bytes(), payload].concat()
    };
    let blocks = [block(b""), block(b"acre!")];
    assert!(blocks.iter().all(|block| acre_engine::strangers::block(block).is_some()));
    write("engine_block", &blocks);
}

fn capacity() {
    let folder = "core/capacity/src/golden";
    write("witness_ask", &joined::<acre_capacity::message::Ask>(&format!("{folder}/asks.hex")));
    let answers = joined::<acre_capacity::message::Answer>(&format!("{folder}/answers.hex"));
    write("witness_answer", &answers);
}

fn main() {
    base_and_ledger();
    capacity();
    store();
    shell();
}
