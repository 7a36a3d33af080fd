//! Formats of certification, power states and what is proven against somebody, byte for byte.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use acre_codec::{List, encode, golden};
use acre_ledger::mint::Certification;
use acre_ledger::{
    Action, Amendment, Attestation, Certificate, CertificationRules, Event, Key, Merit,
    SignedTransaction, Transaction,
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
    let keys = [Key::Certificate(FARM), Key::Merit(NODE)];
    check(include_str!("golden/duty-keys.hex"), &keys.map(|key| key.to_bytes()));
}

#[test]
fn event_of_every_kind() {
    let level = Certification::Certified;
    let events = [
        Event::FarmAttested { farm: FARM, by: ID, level, until: Epoch(9) },
        Event::AttestationRevoked { farm: FARM, by: ID },
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
    let objects = [
        encode(&Certificate { attestations: List::new(vec![attestation]).unwrap() }),
        encode(&Merit { run: 13, last: 14 }),
        encode(&Amendment::Certification(rules)),
    ];
    check(include_str!("golden/duty-objects.hex"), &objects);
}
