//! Formats, byte for byte: whoever changes one makes a new version.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
#![allow(clippy::arithmetic_side_effects, reason = "tests")]

mod common;

use acre_codec::{Blob, List, encode, golden};
use acre_ledger::witness::{duties_of, witnesses_of};
use acre_ledger::{
    Account, Action, Beacon, Candidate, EpochState, Event, Failures, Farm, Finding, Genesis, Grid,
    GridKind, Heard, Key, KeyRole, Map, MicroUsd, NewCandidate, NewContract, NewKind, NewService,
    NewStorage, NewWorkload, Node, NodeState, Parameters, PastEpoch, Payload, Receipt, Record,
    RecoveryPlan, Release, Report, Resources, Seat, Seats, SignedJoinToken, SignedTransaction,
    Standing, Tally, TokenPrice, Totals, Transaction, Turn, Twin, TwinKey, TwinState, Verdict,
    WitnessRecord, beacon,
};
use acre_types::{
    AccountId, Amount, Bytes, ContractId, Digest, Epoch, FarmId, Height, NodeId, Profile,
    PublicKey, Signature, UnixMs,
};

use common::{addresses, capacity, genesis, key, offer, text, token};

/// Bytes of all values one after the other, each with its length before it.
fn check(file: &str, values: &[Vec<u8>]) {
    golden::check(file, &encode(&values.to_vec()));
}

fn transaction(action: Action) -> Transaction {
    Transaction {
        chain: Digest([1; 32]),
        from: key(1).public().into(),
        nonce: 2,
        fee: Amount(3),
        action,
    }
}

fn twin_keys() -> acre_ledger::TwinKeys {
    let one = |role| TwinKey { role, key: Blob::new(vec![4; 32]).unwrap() };
    let roles = [KeyRole::Sign, KeyRole::Agree, KeyRole::Device, KeyRole::Recover];
    List::new(roles.map(one).to_vec()).unwrap()
}

fn verdict() -> Verdict {
    let failures = Failures { late: 23, missing: 24, wrong: 25 };
    let finding = Finding {
        asked: 26,
        answered: 27,
        measured: capacity(28),
        sold: Bytes(3),
        solid: Bytes(2),
        failures,
    };
    Verdict { node: NodeId([29; 32]), finding }
}

fn nodes(numbers: &[u8]) -> acre_ledger::Places {
    List::new(numbers.iter().map(|n| NodeId([*n; 32])).collect()).unwrap()
}

fn new_contract(kind: NewKind) -> NewContract {
    NewContract { kind, period_ms: 15, budget: Amount(33) }
}

fn resources() -> Resources {
    Resources { storage: Bytes(5), cores_milli: 34, memory: Bytes(35), ipv4: 36 }
}

fn report(report: Report) -> Action {
    Action::ReportWorkload { contract: ContractId(6), number: 37, traffic: Bytes(38), report }
}

fn actions() -> Vec<Action> {
    let (to, contract, farm) = (AccountId([5; 32]), ContractId(6), FarmId(7));
    let token = SignedJoinToken::new(token(Digest([1; 32]), 7, Some(NodeId([8; 32])), 9), &key(2));
    vec![
        Action::Transfer { to, amount: Amount(10) },
        Action::RotateKey { key: PublicKey([11; 32]) },
        Action::RegisterTwin { handle: "ada".parse().unwrap(), keys: twin_keys() },
        Action::RotateTwin { handle: "ada".parse().unwrap(), keys: twin_keys() },
        Action::CreateFarm { name: text("hill"), payout: to },
        Action::UpdateFarm { farm, name: text("dale"), payout: to },
        Action::RegisterNode { token, offer: offer("barn", 12) },
        Action::UpdateNode {
            node: NodeId([8; 32]),
            capacity: capacity(13),
            addresses: addresses(),
            state: NodeState::Draining,
        },
        Action::CreateContract(new_contract(NewKind::Storage(NewStorage {
            profile: Profile::Tiny,
            places: nodes(&[1, 2, 3]),
            bytes: Bytes(14),
            writer: PublicKey([16; 32]),
        }))),
        Action::ExtendContract { contract, bytes: Bytes(17), period_ms: 18 },
        Action::ChangePlaces {
            contract,
            replace: List::new(vec![(NodeId([1; 32]), NodeId([4; 32]))]).unwrap(),
            add: nodes(&[5]),
        },
        Action::CancelContract { contract },
        Action::SettleContract { contract },
        Action::TurnBeacon {
            epoch: Epoch(19),
            reveal: Some(Digest([20; 32])),
            commit: Digest([21; 32]),
        },
        Action::ReportWitness { epoch: Epoch(22), verdicts: List::new(vec![verdict()]).unwrap() },
        Action::RegisterCandidate(NewCandidate {
            validator: PublicKey([19; 32]),
            possession: Signature([20; 64]),
            engine: text("127.0.0.1:21"),
            rpc: text("host:22"),
            stake: Amount(23),
            nodes: List::new(vec![NodeId([24; 32])]).unwrap(),
        }),
        Action::UpdateCandidate {
            validator: PublicKey([19; 32]),
            engine: text("127.0.0.1:25"),
            rpc: text("host:26"),
            nodes: List::default(),
        },
        Action::RaiseStake { validator: PublicKey([19; 32]), amount: Amount(27) },
        Action::LowerStake { validator: PublicKey([19; 32]), amount: Amount(28) },
        Action::LeaveSeats { validator: PublicKey([19; 32]) },
        Action::CollectStake { validator: PublicKey([19; 32]) },
        Action::CreateGang {
            contracts: List::new(vec![
                new_contract(NewKind::Rent { node: NodeId([20; 32]) }),
                new_contract(NewKind::Workload(NewWorkload {
                    spec: Digest([21; 32]),
                    node: NodeId([20; 32]),
                    resources: resources(),
                    traffic: Bytes(22),
                    hour_max: MicroUsd(23),
                    deadline: UnixMs(24),
                })),
                new_contract(NewKind::Name("shop".parse().unwrap())),
                new_contract(NewKind::Service(NewService {
                    provider: to,
                    terms: Digest([25; 32]),
                    base_hour: MicroUsd(26),
                    variable_hour: MicroUsd(27),
                    deadline: UnixMs(28),
                })),
            ])
            .unwrap(),
        },
        report(Report::Accepted),
        report(Report::Rejected { reason: text("full") }),
        report(Report::Running { evidence: Digest([29; 32]) }),
        report(Report::Exited { code: 30 }),
        report(Report::Failed { reason: text("no disk") }),
        report(Report::Traffic),
        Action::AcceptService { contract },
        Action::BillService { contract, amount: MicroUsd(31) },
        Action::PostPrice { price: TokenPrice(32) },
    ]
}

fn signed() -> Vec<SignedTransaction> {
    actions().into_iter().map(|action| transaction(action).sign(&key(1))).collect()
}

#[test]
fn transaction_of_every_action() {
    let all: Vec<_> = signed().iter().map(SignedTransaction::to_bytes).collect();
    check(include_str!("golden/transaction.hex"), &all);
    for (bytes, transaction) in all.iter().zip(signed()) {
        assert_eq!(SignedTransaction::decode(bytes).unwrap(), transaction);
        assert_eq!(bytes.len(), transaction.transaction.signed_bytes());
    }
}

#[test]
fn transaction_id() {
    let id = transaction(actions().swap_remove(0)).id();
    golden::check(include_str!("golden/transaction-id.hex"), &id.0);
}

#[test]
fn payload() {
    let payload = Payload { transactions: List::new(signed()[..2].to_vec()).unwrap() };
    let bytes = payload.to_bytes();
    golden::check(include_str!("golden/payload.hex"), &bytes);
    assert_eq!(Payload::decode(&bytes).unwrap(), payload);
}

fn seats() -> Seats {
    let seat = |n| Seat {
        validator: PublicKey([n; 32]),
        engine: text("127.0.0.1:28"),
        rpc: text("host:29"),
    };
    let list = |seats| List::new(seats).unwrap();
    Seats { term: 30, members: list(vec![seat(31), seat(32)]), next: list(vec![seat(33)]) }
}

fn candidate() -> Candidate {
    Candidate {
        account: AccountId([34; 32]),
        engine: text("127.0.0.1:35"),
        rpc: text("host:36"),
        stake: Amount(37),
        releases: List::new(vec![Release { amount: Amount(38), term: 39 }]).unwrap(),
        nodes: List::new(vec![NodeId([40; 32])]).unwrap(),
        standing: Standing::Leaving,
        registered: Height(41),
        index: 42,
        missed: 43,
    }
}

#[test]
fn object_of_every_type() {
    let (id, time) = (AccountId([1; 32]), UnixMs(2));
    let node = Node {
        farm: FarmId(3),
        operator: id,
        site: text("barn"),
        country: "BE".parse().unwrap(),
        capacity: capacity(4),
        reserved: resources(),
        asked: Resources { ipv4: 1, ..resources() },
        rented: Some(ContractId(5)),
        addresses: addresses(),
        state: NodeState::Retired,
        registered: time,
        index: 27,
        verified: capacity(3),
        solid: Bytes(2),
        lent: capacity(1),
        record: Record { due: 28, up: 29, failed: 30, epochs: 31, last: Some(Epoch(54)) },
        witnessing: WitnessRecord { last: Some(Epoch(32)), reports: 33, verdicts: 34, off: 35 },
    };
    let totals = Totals {
        minted: Amount(12),
        burned: Amount(13),
        escrow: Amount(14),
        rewarded: Amount(59),
        staked: Amount(60),
        farms: 15,
        nodes: 16,
        contracts: 17,
        twins: 18,
        candidates: 27,
        proposals: 28,
    };
    let account = Account {
        balance: Amount(19),
        nonce: 20,
        key: Some(PublicKey([21; 32])),
        farms: 22,
        contracts: 23,
    };
    let grid = Grid {
        chain: Digest([24; 32]),
        name: text("grid"),
        kind: GridKind::Live,
        foundation: id,
        started: time,
    };
    let epoch = EpochState {
        number: Epoch(36),
        began: UnixMs(37),
        span_ms: 38,
        seed: Digest([39; 32]),
        nodes: 40,
        witnesses: 52,
        joined: 41,
        past: Some(PastEpoch {
            number: Epoch(42),
            span_ms: 43,
            seed: Digest([44; 32]),
            nodes: 45,
            witnesses: 53,
        }),
    };
    let tally = Tally {
        epoch: Epoch(55),
        span_ms: 56,
        witnesses: 57,
        duties: 54,
        heard: List::new(vec![Heard { witness: 58, finding: verdict().finding }]).unwrap(),
    };
    let turn = Turn {
        sealed: Some(Digest([46; 32])),
        revealed: Some(Digest([47; 32])),
        next: Some(Digest([48; 32])),
        given: 49,
        missed: 50,
        ..Turn::of(PublicKey([51; 32]))
    };
    check(
        include_str!("golden/objects.hex"),
        &[
            encode(&account),
            encode(&Twin {
                owner: id,
                keys: twin_keys(),
                epoch: 25,
                state: TwinState::Held,
                deposit: Amount(29),
                plan: RecoveryPlan { threshold: 2, delay_ms: 30 },
                attempt: 31,
                offered: Some(AccountId([32; 32])),
            }),
            encode(&Farm::new(text("hill"), id, AccountId([26; 32]))),
            encode(&node),
            encode(&totals),
            encode(&Parameters::default()),
            encode(&grid),
            encode(&epoch),
            encode(&Beacon { turns: List::new(vec![turn]).unwrap() }),
            encode(&tally),
            encode(&seats()),
            encode(&candidate()),
        ],
    );
}

#[test]
fn key_of_every_kind() {
    let (id, handle) = (AccountId([1; 32]), "ada".parse().unwrap());
    let keys = [
        Key::Grid,
        Key::Totals,
        Key::Parameters,
        Key::Account(id),
        Key::Twin(handle),
        Key::TwinOf(id),
        Key::Farm(FarmId(2)),
        Key::FarmOf(id, 3),
        Key::Node(NodeId([4; 32])),
        Key::NodeAt(5),
        Key::Contract(ContractId(6)),
        Key::ContractOf(id, 7),
        Key::Epoch,
        Key::Beacon,
        Key::Tally(NodeId([8; 32])),
        Key::Seats,
        Key::Candidate(PublicKey([8; 32])),
        Key::CandidateAt(9),
        Key::CandidateOf(id),
        Key::Bill(ContractId(8), 9),
        Key::Name("shop".parse().unwrap()),
        Key::Price,
    ];
    check(include_str!("golden/keys.hex"), &keys.map(|key| key.to_bytes()));
}

/// Where the siblings of an encoded proof end: a count of four bytes, then 32 each.
fn siblings_end(proof: &[u8]) -> usize {
    4 + 32 * usize::from(proof[0])
}

#[test]
fn proofs_and_root() {
    let leaves = (0..20_u8).map(|n| (vec![n], vec![n; 4]));
    let map = Map::from_leaves(leaves).unwrap();
    // Absent keys: the first that ends where nothing is, and the first that ends at another leaf.
    let absent = |tail_bytes: usize| {
        let mut proofs = (20..200_u8).map(|n| map.prove(&[n]).to_bytes());
        proofs.find(|proof| siblings_end(proof) + tail_bytes == proof.len()).unwrap()
    };
    check(
        include_str!("golden/proof.hex"),
        &[map.root().0.to_vec(), map.prove(&[7]).to_bytes(), absent(1), absent(65)],
    );
}

#[test]
fn genesis_and_its_root() {
    let genesis = genesis(Parameters::default(), vec![(AccountId([3; 32]), Amount(4))]);
    let bytes = genesis.to_bytes();
    let root = genesis.state().unwrap().root().0.to_vec();
    assert_eq!(Genesis::decode(&bytes).unwrap(), genesis);
    check(include_str!("golden/genesis.hex"), &[bytes, genesis.digest().0.to_vec(), root]);
}

#[test]
fn event_of_every_kind_and_receipt() {
    let (id, handle, contract) = (AccountId([1; 32]), "ada", ContractId(2));
    let handle = || handle.parse().unwrap();
    let validator = PublicKey([14; 32]);
    let events = [
        Event::Transferred { from: id, to: id, amount: Amount(3) },
        Event::KeyRotated { account: id, key: PublicKey([4; 32]) },
        Event::TwinRegistered { handle: handle(), owner: id },
        Event::TwinRotated { handle: handle(), epoch: 5 },
        Event::FarmCreated { farm: FarmId(6), owner: id },
        Event::FarmUpdated { farm: FarmId(6) },
        Event::NodeRegistered { node: NodeId([7; 32]), farm: FarmId(6) },
        Event::NodeUpdated { node: NodeId([7; 32]) },
        Event::ContractCreated { contract, owner: id, places: nodes(&[1, 2]) },
        Event::ContractExtended { contract },
        Event::PlacesChanged { contract, left: nodes(&[1]), joined: nodes(&[3]) },
        Event::ContractPaid { contract, farms: Amount(8), foundation: Amount(9) },
        Event::ContractClosed { contract, refund: Amount(10), places: nodes(&[2]) },
        Event::BeaconTurned { validator: PublicKey([13; 32]) },
        Event::WitnessReported { witness: NodeId([17; 32]), epoch: Epoch(18) },
        Event::NodeFolded { node: NodeId([7; 32]), epoch: Epoch(18), uptime: 19, reports: 20 },
        Event::WitnessStruck { witness: NodeId([17; 32]), node: NodeId([7; 32]), epoch: Epoch(18) },
        Event::EpochBegan { epoch: Epoch(14), seed: Digest([15; 32]), skipped: 16 },
        Event::CandidateRegistered { validator, account: id },
        Event::CandidateUpdated { validator },
        Event::CandidateRemoved { validator },
        Event::CandidatePenalized { validator, amount: Amount(15) },
        Event::SeatsChosen {
            term: 16,
            joined: List::new(vec![validator]).unwrap(),
            left: List::new(vec![PublicKey([17; 32])]).unwrap(),
        },
        Event::ContractAccepted { contract },
        Event::ContractStarted { contract },
        Event::WorkloadReported { contract, node: NodeId([17; 32]) },
        Event::PricePosted { feed: id, posted: TokenPrice(18), price: TokenPrice(19) },
    ];
    let mut all: Vec<_> = events.iter().map(encode).collect();
    let transaction = Digest([11; 32]);
    all.push(encode(&Receipt { transaction, payer: id, fee: Amount(12), events: 13 }));
    check(include_str!("golden/events.hex"), &all);
}

/// Nodes compute this as the ledger does, or their reports are refused.
#[test]
fn assignment_of_an_epoch() {
    let indexes = |all: Vec<u32>| all.iter().flat_map(|index| index.to_le_bytes()).collect();
    let seed = Digest([7; 32]);
    let of = |node, nodes| [witnesses_of(&seed, node, nodes, 5), duties_of(&seed, node, nodes, 5)];
    let cases = [(0, 4), (9, 10), (255, 1000), (99_999, 100_000), (7, u32::MAX)];
    let all: Vec<Vec<u8>> = cases.into_iter().flat_map(|(a, b)| of(a, b)).map(indexes).collect();
    check(include_str!("golden/assignment.hex"), &all);
}

#[test]
fn beacon_of_an_epoch() {
    let (chain, validator, secret) = (Digest([1; 32]), PublicKey([2; 32]), Digest([3; 32]));
    let commitment = beacon::commitment(&chain, &validator, &secret);
    let mix = beacon::mix(&Digest([4; 32]), [(&validator, &secret)]);
    let seed = beacon::delay(mix, 1000);
    check(include_str!("golden/beacon.hex"), &[commitment, mix, seed].map(|it| it.0.to_vec()));
}
