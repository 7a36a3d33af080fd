//! What peers send of the ledger, and what validators persist of it.

use acre_ledger::mint::{self, Certification, PolicyId};
use acre_ledger::{
    Action, AdmissionOrder, AnyObject, CertificationRules, Event, Genesis, Key, Payload,
    Possession, Proof, Receipt, RecoveryConsent, RecoveryVeto, SignedJoinToken, SignedTransaction,
    Subject, Verified, bill,
};
use acre_types::{AccountId, ContractId, Digest, Epoch, FarmId, NodeId, PublicKey};

use crate::canonical;

pub(crate) fn transaction(data: &[u8]) {
    let Some(signed) = canonical::<SignedTransaction>(data) else { return };
    if let Ok(bounded) = SignedTransaction::decode(data) {
        assert_eq!(bounded, signed);
        assert_eq!(signed.transaction.signed_bytes(), data.len());
    }
    if let Action::AccuseValidator(accusation) = &signed.transaction.action {
        // Whatever points and scalars these are.
        let _ = (accusation.contradicts(), accusation.verify(&signed.transaction.chain));
    }
    // A signature of other bytes is refused; of these it may be good.
    let _ = Verified::new(signed);
}

pub(crate) fn payload(data: &[u8]) {
    if let Ok(payload) = Payload::decode(data) {
        assert_eq!(payload.to_bytes(), data);
        // Signatures are slow to check, and every one of these is another target's matter.
        assert!(payload.transactions.len() <= data.len());
    }
}

pub(crate) fn genesis(data: &[u8]) {
    if let Ok(genesis) = Genesis::decode(data) {
        assert_eq!(genesis.to_bytes(), data);
        assert!(genesis.state().is_ok(), "what decodes is a genesis");
    }
}

pub(crate) fn proof(data: &[u8]) {
    if let Ok(proof) = Proof::decode(data) {
        assert_eq!(proof.to_bytes(), data);
        assert!(proof.verify(&Digest([7; 32]), b"a key").is_err(), "nobody can hash backwards");
    }
}

pub(crate) fn key(data: &[u8]) {
    canonical::<Key>(data);
}

pub(crate) fn object(data: &[u8]) {
    let account = AccountId([1; 32]);
    let handle = "ada".parse().expect("a handle");
    let keys = [
        Key::Grid,
        Key::Totals,
        Key::Parameters,
        Key::Account(account),
        Key::Twin(handle),
        Key::TwinOf(account),
        Key::Farm(FarmId(1)),
        Key::FarmOf(account, 1),
        Key::Node(NodeId([1; 32])),
        Key::NodeAt(1),
        Key::Contract(ContractId(1)),
        Key::ContractOf(account, 1),
        Key::Bill(ContractId(1), 0),
        Key::Price,
        Key::Certificate(FarmId(1)),
        Key::Merit(NodeId([1; 32])),
        Key::Power(NodeId([1; 32])),
        Key::Gap,
        Key::Offence(PublicKey([1; 32])),
        Key::Muster,
        Key::Epoch,
        Key::Beacon,
        Key::Tally(NodeId([1; 32])),
        Key::Earnings(NodeId([1; 32])),
        Key::MintReceipt(NodeId([1; 32]), 1),
        Key::PolicyBook(PolicyId(1)),
        Key::Seats,
        Key::Candidate(PublicKey([1; 32])),
        Key::CandidateAt(1),
        Key::Recovery("ada".parse().expect("a handle")),
        Key::HandleAt(1),
        Key::Voice(account),
        Key::Assembly,
        Key::Proposal(1),
        Key::Ballot(1, account),
        Key::Admitted(Subject::Account(account)),
    ];
    for key in keys {
        if let Ok(object) = AnyObject::decode(&key, data) {
            assert_eq!(object.to_bytes(), data, "{key:?}");
            compute(&object);
        }
    }
}

/// What readers compute of an object that somebody shows them: an error at worst.
fn compute(object: &AnyObject) {
    match object {
        AnyObject::MintReceiptObject(stored) => {
            if let Ok(receipt) = mint::recompute(stored) {
                let sum: u128 = receipt.lines.iter().map(|line| u128::from(line.amount.0)).sum();
                let parts = u128::from(receipt.total.0) + u128::from(receipt.withheld.0);
                assert_eq!(sum, parts, "L7: lines add up");
            }
        }
        AnyObject::BillLine(line) => {
            // What it says is not what it must say.
            let _ = bill::recompute(line);
        }
        AnyObject::Certificate(certificate) => {
            let level = certificate.level(&CertificationRules::default(), Epoch(1), Epoch(2));
            assert_eq!(level, Certification::Diy, "nobody is a certifier");
        }
        AnyObject::Power(power) => {
            let _ = power.state(Epoch(1));
        }
        AnyObject::Parameters(parameters) => {
            let _ = parameters.check();
        }
        _ => {}
    }
}

pub(crate) fn event(data: &[u8]) {
    canonical::<Event>(data);
}

pub(crate) fn receipt(data: &[u8]) {
    canonical::<Receipt>(data);
}

pub(crate) fn join_token(data: &[u8]) {
    canonical::<SignedJoinToken>(data);
}

/// What people sign aside and hand to each other.
pub(crate) fn statement(data: &[u8]) {
    canonical::<Possession>(data);
    canonical::<RecoveryConsent>(data);
    canonical::<RecoveryVeto>(data);
    canonical::<AdmissionOrder>(data);
}
