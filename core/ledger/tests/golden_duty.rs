//! Formats of certification, power states and what is proven against somebody, byte for byte.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use acre_codec::{List, encode, golden};
use acre_ledger::mint::Certification;
use acre_ledger::{
    Action, Amendment, Attestation, Capacity, Certificate, CertificationRules, Event, Key, Merit,
    Nap, Power, PowerRules, SignedTransaction, Transaction,
};
use acre_types::{AccountId, Amount, Digest, Epoch, FarmId, NodeId};

use common::key;

const NODE: NodeId = NodeId([1; 32]);
const FARM: FarmId = FarmId(2);
const ID: AccountId = AccountId([3; 32]);

fn check(file: &str, values: &[Vec<u8>]) {
    golden::check(file, &encode(&values.to_vec()));
}

#[test]
fn transaction_of_every_action() {
    let (level, evidence) = (Certification::Gold, Digest([4; 32]));
    let actions = [
        Action::AttestFarm { farm: FARM, level, evidence, until: Epoch(5) },
        Action::RevokeAttestation { farm: FARM, by: ID },
        Action::SleepNode { node: NODE, from: Epoch(15), epochs: 16 },
        Action::WakeNode { node: NODE },
    ];
    let (chain, from) = (Digest([6; 32]), key(1).public().into());
    let signed =
        |action| Transaction { chain, from, nonce: 7, fee: Amount(8), action }.sign(&key(1));
    let all = actions.map(|action| signed(action).to_bytes());
    check(include_str!("golden/duty-transaction.hex"), &all);
    for bytes in all {
        assert_eq!(SignedTransaction::decode(&bytes).unwrap().to_bytes(), bytes);
    }
}

#[test]
fn key_of_every_kind() {
    let keys = [Key::Certificate(FARM), Key::Merit(NODE), Key::Power(NODE), Key::Gap];
    check(include_str!("golden/duty-keys.hex"), &keys.map(|key| key.to_bytes()));
}

#[test]
fn event_of_every_kind() {
    let level = Certification::Certified;
    let events = [
        Event::FarmAttested { farm: FARM, by: ID, level, until: Epoch(9) },
        Event::AttestationRevoked { farm: FARM, by: ID },
        Event::SleepAnnounced { node: NODE, from: Epoch(17), until: Epoch(18) },
        Event::NodeCalled { node: NODE, until: Epoch(19) },
        Event::NapSettled { node: NODE, slept_ms: 20, due_ms: 21, up_ms: 22 },
    ];
    check(include_str!("golden/duty-events.hex"), &events.each_ref().map(encode));
}

#[test]
fn object_of_every_type() {
    let attestation = Attestation {
        by: ID,
        level: Certification::Gold,
        evidence: Digest([10; 32]),
        since: Epoch(11),
        until: Epoch(12),
    };
    let rules = CertificationRules {
        certifiers: List::new(vec![ID]).unwrap(),
        ..CertificationRules::default()
    };
    let nap = Nap {
        from: Epoch(23),
        until: Epoch(24),
        called: Some(Epoch(25)),
        span_ms: 26,
        proven: Capacity::default(),
    };
    let objects = [
        encode(&Certificate { attestations: List::new(vec![attestation]).unwrap() }),
        encode(&Merit { run: 13, last: 14 }),
        encode(&Amendment::Certification(rules)),
        encode(&Power { period: 27, naps: 28, nap: Some(nap) }),
        encode(&Amendment::Power(PowerRules::default())),
    ];
    check(include_str!("golden/duty-objects.hex"), &objects);
}
