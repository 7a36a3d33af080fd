//! Formats of the phonebook, of votes and of admission, byte for byte.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use acre_codec::{Blob, List, encode, golden};
use acre_crypto::Domain;
use acre_ledger::{
    Action, Admission, AdmissionOrder, Admitted, Amendment, Assembly, Ballot, CapacityRules,
    ContractRules, Count, Entry, Event, Fees, GovernanceRules, GraceRules, Key, KeyRole, NewBallot,
    NewProposal, NewRecovery, Parameters, PhonebookRules, Policy, Possession, Prices, Proposal,
    ProposalState, Recovery, RecoveryConsent, RecoveryPlan, RecoveryVeto, SeatRules, Side,
    SignedTransaction, Subject, Transaction, TwinKey, TwinKeys, Voice,
};
use acre_types::{AccountId, Amount, Digest, Height, NodeId, PublicKey, Signature, UnixMs};

use common::{key, text};

const ID: AccountId = AccountId([1; 32]);
const KEY: PublicKey = PublicKey([2; 32]);

fn check(file: &str, values: &[Vec<u8>]) {
    golden::check(file, &encode(&values.to_vec()));
}

fn keys() -> TwinKeys {
    let key = TwinKey { role: KeyRole::Sign, key: Blob::new(vec![4; 32]).unwrap() };
    List::new(vec![key]).unwrap()
}

fn signatures<const MAX: usize>() -> List<(PublicKey, Signature), MAX> {
    List::new(vec![(KEY, Signature([3; 64]))]).unwrap()
}

fn amendments() -> Vec<Amendment> {
    let policy = Policy::ByKeys { keys: List::new(vec![KEY]).unwrap(), threshold: 1 };
    let admission = Admission { accounts: Policy::Open, farms: Policy::ByVote, validators: policy };
    vec![
        Amendment::Fees(Fees::default()),
        Amendment::Prices(Prices::default()),
        Amendment::Capacity(CapacityRules::default()),
        Amendment::Seats(SeatRules::default()),
        Amendment::Governance(GovernanceRules::default()),
        Amendment::Phonebook(PhonebookRules::default()),
        Amendment::Admission(admission),
        Amendment::Grace(GraceRules::default()),
        Amendment::Contracts(ContractRules::default()),
        Amendment::Rules { version: 5, at_height: Height(6) },
        Amendment::Admit(Subject::Farmer(ID)),
        Amendment::Revoke(Subject::Validator(KEY)),
    ]
}

fn actions() -> Vec<Action> {
    let handle = || "ada".parse().unwrap();
    let plan = RecoveryPlan { threshold: 7, delay_ms: 8 };
    let mut actions = vec![
        Action::PlanRecovery { handle: handle(), plan },
        Action::OpenRecovery(NewRecovery {
            handle: handle(),
            owner: ID,
            keys: keys(),
            signatures: signatures(),
        }),
        Action::VetoRecovery { handle: handle(), by: Some((KEY, Signature([9; 64]))) },
        Action::CompleteRecovery { handle: handle() },
        Action::OfferTwin { handle: handle(), to: Some(ID) },
        Action::AcceptTwin { handle: handle(), keys: keys() },
        Action::ReleaseTwin { handle: handle() },
        Action::LockVoice { amount: Amount(10) },
        Action::UnlockVoice { amount: Amount(11) },
        Action::Vote(NewBallot {
            proposal: 12,
            side: Side::No,
            nodes: List::new(vec![NodeId([13; 32])]).unwrap(),
        }),
        Action::WeighBallot { proposal: 14, voter: ID },
        Action::CloseProposal { proposal: 15 },
        Action::EnactProposal { proposal: 16 },
        Action::OrderAdmission {
            subject: Subject::Account(ID),
            entry: Entry::Admit,
            signatures: signatures(),
        },
    ];
    let propose = |change| Action::Propose(NewProposal { change, reason: text("why") });
    actions.extend(amendments().into_iter().map(propose));
    actions
}

#[test]
fn transaction_of_every_action() {
    let sign = |action| {
        let (chain, fee) = (Digest([17; 32]), Amount(18));
        Transaction { chain, from: ID, nonce: 19, fee, action }.sign(&key(1))
    };
    let all: Vec<_> = actions().into_iter().map(|action| sign(action).to_bytes()).collect();
    check(include_str!("golden/govern-transaction.hex"), &all);
    for bytes in all {
        assert_eq!(SignedTransaction::decode(&bytes).unwrap().to_bytes(), bytes);
    }
}

#[test]
fn object_of_every_type() {
    let time = UnixMs;
    let proposal = |change, state| Proposal {
        proposer: ID,
        change,
        reason: text("why"),
        deposit: Amount(20),
        rules: GovernanceRules::default(),
        opened: time(21),
        closes: time(22),
        enactable: time(23),
        lapses: time(24),
        users: Count { yes: 25, no: 26 },
        farmers: Count { yes: 27, no: 28 },
        state,
    };
    let change = || amendments().swap_remove(0);
    check(
        include_str!("golden/govern-objects.hex"),
        &[
            encode(&Recovery { owner: ID, keys: keys(), opened: time(29), completes: time(30) }),
            encode(&Voice { amount: Amount(31), held_until: time(32) }),
            encode(&Assembly { units: 33 }),
            encode(&proposal(change(), ProposalState::Voting)),
            encode(&proposal(change(), ProposalState::Enacted { at: time(34) })),
            encode(&Ballot {
                side: Side::Yes,
                nodes: List::new(vec![NodeId([35; 32])]).unwrap(),
                users: 36,
                farmers: 37,
            }),
            encode(&Admitted { entry: Entry::Revoke, number: 38 }),
            encode(&Parameters::default()),
        ],
    );
}

#[test]
fn key_of_every_kind() {
    let keys = [
        Key::Recovery("ada".parse().unwrap()),
        Key::HandleAt(39),
        Key::Voice(ID),
        Key::Assembly,
        Key::Proposal(40),
        Key::Ballot(41, ID),
        Key::Admitted(Subject::Farmer(ID)),
    ];
    check(include_str!("golden/govern-keys.hex"), &keys.map(|key| key.to_bytes()));
}

#[test]
fn event_of_every_kind() {
    let handle = || "ada".parse().unwrap();
    let events = [
        Event::RecoveryPlanned { handle: handle() },
        Event::RecoveryOpened { handle: handle(), owner: ID, completes: UnixMs(42) },
        Event::RecoveryEnded { handle: handle() },
        Event::TwinOffered { handle: handle(), to: None },
        Event::TwinHandedOver { handle: handle(), to: ID, epoch: 43 },
        Event::TwinReleased { handle: handle() },
        Event::VoiceChanged { account: ID, amount: Amount(44) },
        Event::Proposed { proposal: 45, proposer: ID },
        Event::Voted { proposal: 46, voter: ID, side: Side::Yes },
        Event::ProposalClosed { proposal: 47, state: ProposalState::NoQuorum },
        Event::ProposalEnacted { proposal: 48 },
        Event::AdmissionDecided { subject: Subject::Account(ID), entry: Entry::Revoke },
        Event::RulesBegan { version: 49 },
    ];
    check(include_str!("golden/govern-events.hex"), &events.each_ref().map(encode));
}

/// What is signed aside, with its domain before it.
#[test]
fn statement_of_every_kind() {
    fn with_domain<T: Domain>(statement: &T) -> Vec<u8> {
        [T::DOMAIN.as_bytes(), &encode(statement)].concat()
    }
    let (chain, handle) = (Digest([50; 32]), || "ada".parse().unwrap());
    let consent = RecoveryConsent {
        chain,
        handle: handle(),
        epoch: 51,
        attempt: 52,
        owner: ID,
        keys: keys(),
    };
    let order =
        AdmissionOrder { chain, subject: Subject::Validator(KEY), entry: Entry::Admit, number: 53 };
    check(
        include_str!("golden/govern-statements.hex"),
        &[
            with_domain(&Possession { chain, account: ID }),
            with_domain(&consent),
            with_domain(&RecoveryVeto { chain, handle: handle(), attempt: 54 }),
            with_domain(&order),
        ],
    );
}
