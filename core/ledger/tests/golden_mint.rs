//! Formats of minting, stakes of farms and cooperatives, byte for byte.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use acre_codec::{List, encode, golden};
use acre_ledger::mint::{
    self, Certification, Health, MicroUsd, MintInput, Policy, PolicyId, Raw, Reason,
};
use acre_ledger::{
    Action, Amendment, Earnings, Event, Farm, FarmRelease, Key, Member, Members, MintReceiptObject,
    MintingRules, PolicyBook, ProposedMembers, SignedTransaction, Span, Sums, Transaction,
};
use acre_types::{AccountId, Amount, Bytes, Digest, Epoch, FarmId, NodeId, UnixMs};

use common::{key, text};

const NODE: NodeId = NodeId([1; 32]);
const FARM: FarmId = FarmId(2);
const ID: AccountId = AccountId([3; 32]);

fn check(file: &str, values: &[Vec<u8>]) {
    golden::check(file, &encode(&values.to_vec()));
}

fn members() -> Members {
    List::new(vec![Member { account: ID, parts: 4 }]).unwrap()
}

#[test]
fn transaction_of_every_action() {
    let amount = Amount(5);
    let actions = [
        Action::ClaimReward { node: NODE },
        Action::StakeFarm { farm: FARM, amount },
        Action::UnstakeFarm { farm: FARM, amount },
        Action::CollectFarmStake { farm: FARM },
        Action::ProposeMembers { farm: FARM, members: members() },
        Action::AcceptMembers { farm: FARM, members: members() },
    ];
    let (chain, from) = (Digest([6; 32]), key(1).public().into());
    let signed =
        |action| Transaction { chain, from, nonce: 7, fee: Amount(8), action }.sign(&key(1));
    let all = actions.map(|action| signed(action).to_bytes());
    check(include_str!("golden/mint-transaction.hex"), &all);
    for bytes in all {
        assert_eq!(SignedTransaction::decode(&bytes).unwrap().to_bytes(), bytes);
    }
}

#[test]
fn key_of_every_kind() {
    let keys = [Key::Earnings(NODE), Key::MintReceipt(NODE, 9), Key::PolicyBook(PolicyId(10))];
    check(include_str!("golden/mint-keys.hex"), &keys.map(|key| key.to_bytes()));
}

#[test]
fn event_of_every_kind() {
    let events = [
        Event::RewardMinted {
            node: NODE,
            farm: FARM,
            period: 11,
            reason: Reason::UptimeTooLow,
            amount: Amount(12),
        },
        Event::FarmStaked { farm: FARM, stake: Amount(13) },
        Event::FarmPenalized { farm: FARM, amount: Amount(14) },
        Event::MembersProposed { farm: FARM, missing: List::new(vec![ID]).unwrap() },
        Event::MembersAccepted { farm: FARM, by: ID },
        Event::MembersChanged { farm: FARM },
    ];
    check(include_str!("golden/mint-events.hex"), &events.each_ref().map(encode));
}

fn span() -> Span {
    Span {
        period: 15,
        due_ms: 16,
        up_ms: 17,
        duties: 18,
        honest: 19,
        proven: Sums { cores: 21, memory: 22, ssd: 5, hdd: 20 },
        sold: Sums { cores: 1, memory: 2, ssd: 3, hdd: 14 },
        traffic: Bytes(6),
        traffic_cover: Amount(7),
    }
}

#[test]
fn object_of_every_type() {
    let policies = List::new(vec![Policy::standard(), Policy::seed2017()]).unwrap();
    let rules = MintingRules { policies, ..MintingRules::default() };
    let earnings = Earnings {
        closed: List::new(vec![span()]).unwrap(),
        open: span(),
        minted: Amount(23),
        vested_ms: 24,
        honest_counted: 25,
        sold_owed: Amount(13),
        sold_cover: Amount(12),
        ..Earnings::new(PolicyId(26), MicroUsd(27), 28)
    };
    let input = MintInput {
        period: 29,
        capacity: Raw { cores: 30, memory: Bytes(31 << 30), ssd: Bytes(0), hdd: Bytes(1 << 50) },
        traffic: Bytes(32),
        traffic_cover: Amount(5),
        ipv4_ms: 33,
        due_ms: 36_000_000,
        up_ms: 35_900_000,
        duties: 34,
        honest: 33,
        month_ms: mint::MONTH_MS,
        certification: Certification::Gold,
        health: Health::Sound,
        policy: Policy::standard(),
        price: MicroUsd(80_000),
        vested_ms: 35,
        witness_permille: 36,
        budget_left: Some(Amount(37)),
        sold: Raw { cores: 3, memory: Bytes(3 << 30), ssd: Bytes(0), hdd: Bytes(1 << 41) },
        sold_owed: Amount(10),
        sold_cover: Amount(11),
    };
    let receipt = mint::receipt(&input).unwrap();
    let at = UnixMs(38);
    let stored = MintReceiptObject { node: NODE, farm: FARM, payout: ID, at, input, receipt };
    let releases = vec![FarmRelease { amount: Amount(39), epoch: Epoch(40) }];
    let missing = List::new(vec![ID]).unwrap();
    let farm = Farm {
        stake: Amount(41),
        releases: List::new(releases).unwrap(),
        members: members(),
        proposed: Some(ProposedMembers { members: members(), missing }),
        ..Farm::new(text("hill"), ID, ID)
    };
    let objects = [
        encode(&rules),
        encode(&Amendment::Minting(rules)),
        encode(&earnings),
        encode(&stored),
        encode(&PolicyBook { minted: Amount(42), nodes: 43 }),
        encode(&farm),
    ];
    check(include_str!("golden/mint-objects.hex"), &objects);
}
