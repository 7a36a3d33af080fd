//! Formats of certification, power states and what is proven against somebody, byte for byte.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use acre_codec::{List, encode, golden};
use acre_ledger::mint::Certification;
use acre_ledger::vote::{Accusation, SignedVote, Vote};
use acre_ledger::{
    Action, Amendment, Attestation, Capacity, Certificate, CertificationRules, Event, Key, Merit,
    Muster, Nap, Offence, Power, PowerRules, SignedTransaction, Transaction,
};
use acre_types::{AccountId, Amount, Digest, Epoch, FarmId, NodeId, PublicKey, Signature, UnixMs};

use common::key;

const NODE: NodeId = NodeId([1; 32]);
const FARM: FarmId = FarmId(2);
const ID: AccountId = AccountId([3; 32]);
const KEY: PublicKey = PublicKey([4; 32]);

fn accusation() -> Accusation {
    let signed = |vote| SignedVote { vote, signature: Signature([29; 64]) };
    let finalize = Vote::Finalize { parent: 30, block: Digest([31; 32]) };
    let (first, second) = (signed(finalize), signed(Vote::Nullify));
    Accusation { validator: KEY, term: 32, view: 33, first, second }
}

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
        Action::AccuseValidator(accusation()),
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
    let keys = [
        Key::Certificate(FARM),
        Key::Merit(NODE),
        Key::Power(NODE),
        Key::Gap,
        Key::Offence(KEY),
        Key::Muster,
    ];
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
        Event::ValidatorPunished {
            validator: KEY,
            term: 33,
            taken: Amount(34),
            reward: Amount(35),
            by: ID,
        },
        Event::MusterCalled { number: 41, epoch: Epoch(42), seed: Digest([43; 32]) },
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
        encode(&Offence {
            term: 36,
            view: 37,
            by: ID,
            at: UnixMs(38),
            taken: Amount(39),
            count: 40,
        }),
        encode(&Muster { number: 44, epoch: Epoch(45), seed: Digest([46; 32]), at: UnixMs(47) }),
    ];
    check(include_str!("golden/duty-objects.hex"), &objects);
}

/// What the engine signs, by the rules of its own.
#[test]
fn bytes_that_a_vote_signs() {
    let block = Digest([5; 32]);
    let votes = [
        Vote::Notarize { parent: 300, block },
        Vote::Nullify,
        Vote::Finalize { parent: 127, block },
    ];
    let bytes = votes.map(|vote| vote.signed_bytes(&Digest([6; 32]), 128, 7));
    check(include_str!("golden/duty-votes.hex"), &bytes);
}
