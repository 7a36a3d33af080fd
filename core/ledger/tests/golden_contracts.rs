//! Formats of contracts, bills and prices, byte for byte.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use acre_codec::{List, encode, golden};
use acre_ledger::{
    Answer, BillEntry, BillLine, Cause, Closing, Contract, ContractKind, ContractState, Deposit,
    Gang, Grace, Item, Lock, MicroUsd, Part, Parts, Pay, Places, Post, PriceState, Progress, Purse,
    Recall, Refund, Rent, Resources, Reward, Service, Shares, Split, Stand, Storage, TokenPrice,
    Workload,
};
use acre_types::{
    AccountId, Amount, Bytes, ContractId, Digest, NodeId, Profile, PublicKey, UnixMs,
};

use common::{capacity, text};

fn contract(kind: ContractKind, state: ContractState) -> Contract {
    Contract {
        id: ContractId(1),
        owner: AccountId([2; 32]),
        kind,
        created: UnixMs(3),
        since: UnixMs(50),
        settled: UnixMs(4),
        expires: UnixMs(5),
        grace: Grace { freeze_ms: 6, archive_ms: 7 },
        escrow: Amount(8),
        listed: Amount(9),
        usage: Amount(10),
        deposit: Amount(11),
        closing: Amount(46),
        paid: Amount(12),
        paid_listed: Amount(13),
        stands: List::new(vec![Stand { weight: 14, lost: 15, backed: 16 }]).unwrap(),
        bills: 17,
        gang: Some(Gang { first: ContractId(18), members: 19 }),
        state,
    }
}

fn workload(progress: Progress) -> ContractKind {
    ContractKind::Workload(Workload {
        spec: Digest([20; 32]),
        node: NodeId([21; 32]),
        resources: Resources { storage: Bytes(22), cores_milli: 23, memory: Bytes(24), ipv4: 25 },
        traffic: Bytes(26),
        traffic_used: Bytes(27),
        progress,
        reports: 28,
    })
}

fn contracts() -> Vec<Contract> {
    let places: Places = List::new(vec![NodeId([29; 32])]).unwrap();
    let storage = || {
        ContractKind::Storage(Storage {
            profile: Profile::Tiny,
            places: places.clone(),
            writer: PublicKey([30; 32]),
            bytes: Bytes(31),
        })
    };
    let closed = |cause| ContractState::Closed { at: UnixMs(32), cause };
    let pending = |answer| ContractState::Pending { deadline: UnixMs(33), answer };
    let (reason, open) = (|| text("full"), || ContractState::Open);
    vec![
        contract(storage(), open()),
        contract(storage(), closed(Cause::Cancelled)),
        contract(workload(Progress::Waiting), pending(Answer::Awaited)),
        contract(workload(Progress::Accepted), pending(Answer::Accepted)),
        contract(workload(Progress::Running { evidence: Digest([34; 32]) }), open()),
        contract(workload(Progress::Exited { code: -35 }), closed(Cause::Expired)),
        contract(workload(Progress::Failed { reason: reason() }), closed(Cause::Unanswered)),
        contract(workload(Progress::Waiting), closed(Cause::Rejected { reason: reason() })),
        contract(
            ContractKind::Rent(Rent { node: NodeId([36; 32]), capacity: capacity(37) }),
            open(),
        ),
        contract(ContractKind::Name("shop".parse().unwrap()), closed(Cause::Gang)),
        contract(
            ContractKind::Service(Service {
                provider: AccountId([38; 32]),
                terms: Digest([39; 32]),
                base_hour: MicroUsd(40),
                variable_hour: MicroUsd(41),
                variable_left: MicroUsd(42),
                billed: UnixMs(43),
            }),
            open(),
        ),
    ]
}

fn lines() -> Vec<BillLine> {
    let line = |entry| BillLine { at: UnixMs(1), from: UnixMs(2), to: UnixMs(3), entry };
    let shares =
        Shares { farms: Amount(4), foundation: Amount(5), fund: Amount(6), burned: Amount(7) };
    let split = Split { burn_percent: 8, fund_percent: 9, fund: Some(AccountId([10; 32])) };
    let lock = |item| {
        line(BillEntry::Lock(Lock {
            item,
            quantity: 1 << 100,
            weight: 12,
            unit_price: MicroUsd(13),
            token: TokenPrice(14),
            gross: Amount(15),
            discount_percent: 16,
            discount: Amount(17),
            net: Amount(18),
        }))
    };
    let pay = |purse, parts| {
        line(BillEntry::Pay(Pay {
            purse,
            listed: Amount(19),
            held: Amount(20),
            part: 21,
            whole: 22,
            parts,
            split,
            gross: Amount(23),
            discount: Amount(24),
            net: Amount(25),
            refund: Amount(26),
            penalty: Amount(27),
            fined: Amount(31),
            shares,
        }))
    };
    let part = Part { weight: 28, due: 29, up: 30 };
    let mut lines: Vec<_> = [
        Item::Storage,
        Item::Compute,
        Item::Disk,
        Item::Ipv4,
        Item::Name,
        Item::Base,
        Item::Traffic,
        Item::Variable,
    ]
    .map(lock)
    .to_vec();
    lines.extend([
        line(BillEntry::Deposit(Deposit {
            listed: Amount(31),
            whole_ms: 32,
            grace_ms: 33,
            held: Amount(34),
            net: Amount(35),
        })),
        pay(Purse::Time, Parts::Even(36)),
        pay(Purse::Use, Parts::Even(1)),
        pay(Purse::Grace, Parts::Each(List::new(vec![part]).unwrap())),
        line(BillEntry::Recall(Recall {
            listed: Amount(37),
            paid: Amount(38),
            discount_percent: 39,
            held: Amount(40),
            parts: Parts::Even(0),
            split: Split::default(),
            net: Amount(41),
            shares,
        })),
        line(BillEntry::Refund(Refund {
            time: Amount(42),
            usage: Amount(43),
            deposit: Amount(44),
            closing: Amount(46),
            net: Amount(45),
        })),
        line(BillEntry::Closing(Closing { net: Amount(47) })),
        line(BillEntry::Reward(Reward { settler: AccountId([48; 32]), net: Amount(49) })),
    ]);
    lines
}

#[test]
fn contract_of_every_kind_and_state() {
    let all: Vec<_> = contracts().iter().map(encode).collect();
    golden::check(include_str!("golden/contracts.hex"), &encode(&all));
    for (bytes, contract) in all.iter().zip(contracts()) {
        assert_eq!(acre_codec::decode::<Contract>(bytes).unwrap(), contract);
    }
}

#[test]
fn line_of_every_kind() {
    let all: Vec<_> = lines().iter().map(encode).collect();
    golden::check(include_str!("golden/bills.hex"), &encode(&all));
    for (bytes, line) in all.iter().zip(lines()) {
        assert_eq!(acre_codec::decode::<BillLine>(bytes).unwrap(), line);
    }
}

#[test]
fn price_of_a_token() {
    let post = Post { feed: AccountId([1; 32]), price: TokenPrice(2), at: UnixMs(3) };
    let state = PriceState {
        price: TokenPrice(4),
        agreed: UnixMs(5),
        moved: UnixMs(6),
        posts: List::new(vec![post]).unwrap(),
    };
    golden::check(include_str!("golden/price.hex"), &encode(&vec![encode(&state)]));
}
