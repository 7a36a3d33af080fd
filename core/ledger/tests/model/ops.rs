//! Random operations, as numbers, and the transactions they stand for.

use acre_codec::{Blob, List};
use acre_ledger::{
    Action, KeyRole, NewContract, NewKind, NewStorage, NodeState, SignedJoinToken, Transaction,
    TwinKey, Verified,
};
use acre_types::{AccountId, Amount, Bytes, ContractId, Digest, FarmId, Profile, PublicKey};
use proptest::prelude::*;

use super::common::{account, addresses, capacity, key, node, offer, text, token};
use super::plain::{FEE, FEE_BYTE, FEE_PLACE, FOUNDATION, Plain};

pub(crate) const PEOPLE: std::ops::RangeInclusive<u8> = 1..=12;
pub(crate) const NODES: std::ops::RangeInclusive<u8> = 101..=114;

#[derive(Clone, Debug)]
pub(crate) enum Op {
    Transfer {
        from: u8,
        to: u8,
        amount: u64,
    },
    RotateKey {
        from: u8,
        key: u8,
    },
    RegisterTwin {
        from: u8,
        handle: u8,
    },
    RotateTwin {
        from: u8,
        handle: u8,
    },
    CreateFarm {
        from: u8,
        payout: u8,
    },
    UpdateFarm {
        from: u8,
        farm: u32,
        payout: u8,
    },
    RegisterNode {
        node: u8,
        farm: u32,
        signer: u8,
        named: Option<u8>,
        expires_in: u64,
        site: u8,
        storage: u64,
    },
    UpdateNode {
        from: u8,
        node: u8,
        storage: u64,
        state: u8,
    },
    CreateContract {
        from: u8,
        profile: Profile,
        places: Vec<u8>,
        bytes: u64,
        period: u64,
    },
    Extend {
        from: u8,
        contract: usize,
        bytes: u64,
        period: u64,
    },
    ChangePlaces {
        from: u8,
        contract: usize,
        replace: Vec<(u8, u8)>,
        add: Vec<u8>,
    },
    Cancel {
        from: u8,
        contract: usize,
    },
    Settle {
        from: u8,
        contract: usize,
    },
}

/// What is wrong with a transaction apart from its action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Twist {
    None,
    OtherKey,
    OtherChain,
    NonceBehind,
    NonceAhead,
    LowFee,
    /// Allowed at one's own expense.
    HighFee,
}

pub(crate) fn id_of(number: u8) -> AccountId {
    if number == FOUNDATION { super::common::FOUNDATION } else { account(number) }
}

fn person() -> impl Strategy<Value = u8> {
    PEOPLE
}

fn anyone() -> impl Strategy<Value = u8> {
    prop_oneof![4 => PEOPLE, 1 => NODES]
}

fn amount() -> impl Strategy<Value = u64> {
    prop_oneof![0..3_u64, 0..1_000_000_u64, 0..2_000_000_000_u64]
}

fn storage() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), 0..100_000_u64, Just(2_000_000)]
}

/// A contract's number and somebody who is often its owner: person n makes contract n - 1 to begin
/// with, on the nodes [`first_places`].
fn contract() -> impl Strategy<Value = (u8, usize)> {
    (0..5_u8, prop_oneof![1 => PEOPLE.prop_map(Some), 4 => Just(None)])
        .prop_map(|(index, other)| (other.unwrap_or(index + 1), usize::from(index)))
}

pub(crate) fn first_places(index: u8) -> Vec<u8> {
    (0..3).map(|place| 101 + 3 * index + place).collect()
}

fn bytes() -> impl Strategy<Value = u64> {
    prop_oneof![1 => Just(0), 4 => 1..1000_u64, 1 => 1..1_000_000_u64]
}

fn period() -> impl Strategy<Value = u64> {
    prop_oneof![1 => Just(0), 2 => 1..5_000_u64, 4 => 1..10_000_000_u64]
}

fn create() -> impl Strategy<Value = Op> {
    let some = NODES.collect::<Vec<u8>>();
    let places = prop_oneof![
        proptest::sample::subsequence(some.clone(), 2..=5).prop_shuffle(),
        proptest::sample::subsequence(some, 10..=12),
        proptest::collection::vec(NODES, 3..=4),
    ];
    (person(), places, bytes(), period()).prop_map(|(from, places, bytes, period)| {
        let profile = if places.len() < 6 { Profile::Tiny } else { Profile::Ten };
        Op::CreateContract { from, profile, places, bytes, period }
    })
}

fn change() -> impl Strategy<Value = Op> {
    let swaps = proptest::collection::vec((0..4_u8, NODES), 0..3);
    (contract(), swaps, proptest::collection::vec(NODES, 0..2)).prop_map(
        |((from, contract), swaps, add)| {
            // The fourth is no place to begin with.
            let place = |at: u8| 101 + 3 * u8::try_from(contract).unwrap() + at;
            let replace = swaps.into_iter().map(|(at, new)| (place(at), new)).collect();
            Op::ChangePlaces { from, contract, replace, add }
        },
    )
}

fn register() -> impl Strategy<Value = Op> {
    let signer = proptest::option::weighted(0.2, PEOPLE);
    let named = proptest::option::weighted(0.3, NODES);
    (NODES, 0..14_u8, signer, named, 0..3_u64, 0..20_u8, storage()).prop_map(
        |(node, farm, signer, named, expires_in, site, storage)| Op::RegisterNode {
            node,
            farm: farm.into(),
            signer: signer.unwrap_or(farm),
            named,
            expires_in,
            site,
            storage,
        },
    )
}

fn update() -> impl Strategy<Value = Op> {
    (anyone(), NODES, any::<bool>(), storage(), 0..6_u8).prop_map(
        |(from, node, by_itself, storage, state)| {
            let from = if by_itself { node } else { from };
            Op::UpdateNode { from, node, storage, state: state.saturating_sub(3) }
        },
    )
}

pub(crate) fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (anyone(), anyone(), amount())
            .prop_map(|(from, to, amount)| Op::Transfer { from, to, amount }),
        1 => (anyone(), 1..=20_u8).prop_map(|(from, key)| Op::RotateKey { from, key }),
        1 => (person(), 0..4_u8).prop_map(|(from, handle)| Op::RegisterTwin { from, handle }),
        1 => (0..5_u8).prop_map(|n| Op::RotateTwin { from: n + 1, handle: n % 4 }),
        1 => (person(), anyone()).prop_map(|(from, payout)| Op::CreateFarm { from, payout }),
        1 => (person(), proptest::option::weighted(0.3, 0..14_u32), anyone()).prop_map(
            |(from, other, payout)| {
                Op::UpdateFarm { from, farm: other.unwrap_or(from.into()), payout }
            }
        ),
        2 => register(),
        2 => update(),
        5 => create(),
        4 => (contract(), bytes(), period()).prop_map(|((from, contract), bytes, period)| {
            Op::Extend { from, contract, bytes, period }
        }),
        4 => change(),
        2 => contract().prop_map(|(from, contract)| Op::Cancel { from, contract }),
        3 => (anyone(), 0..8_usize).prop_map(|(from, contract)| Op::Settle { from, contract }),
    ]
}

pub(crate) fn twist() -> impl Strategy<Value = Twist> {
    prop_oneof![
        12 => Just(Twist::None),
        1 => Just(Twist::OtherKey),
        1 => Just(Twist::OtherChain),
        1 => Just(Twist::NonceBehind),
        1 => Just(Twist::NonceAhead),
        1 => Just(Twist::LowFee),
        1 => Just(Twist::HighFee),
    ]
}

impl Op {
    pub(crate) fn from(&self) -> u8 {
        match self {
            Self::Transfer { from, .. }
            | Self::RotateKey { from, .. }
            | Self::RegisterTwin { from, .. }
            | Self::RotateTwin { from, .. }
            | Self::CreateFarm { from, .. }
            | Self::UpdateFarm { from, .. }
            | Self::UpdateNode { from, .. }
            | Self::CreateContract { from, .. }
            | Self::Extend { from, .. }
            | Self::ChangePlaces { from, .. }
            | Self::Cancel { from, .. }
            | Self::Settle { from, .. }
            | Self::RegisterNode { node: from, .. } => *from,
        }
    }

    /// What the fee counts.
    pub(crate) fn places(&self) -> u64 {
        match self {
            Self::CreateContract { places, .. } => 2 * u64::try_from(places.len()).unwrap(),
            Self::Extend { .. }
            | Self::ChangePlaces { .. }
            | Self::Cancel { .. }
            | Self::Settle { .. } => 140,
            _ => 0,
        }
    }

    fn action(&self, chain: Digest, epoch: u64, now: u64) -> Action {
        let handle = |handle: &u8| format!("twin-{handle}").parse().unwrap();
        let keys = || {
            let key = Blob::new(vec![u8::try_from(epoch % 256).unwrap(); 32]).unwrap();
            List::new(vec![TwinKey { role: KeyRole::Sign, key }]).unwrap()
        };
        let nodes = |numbers: &[u8]| List::new(numbers.iter().map(|n| node(*n)).collect()).unwrap();
        let contract_of = |index: &usize| ContractId(u64::try_from(*index).unwrap() + 1);
        match self {
            Self::Transfer { to, amount, .. } => {
                Action::Transfer { to: id_of(*to), amount: Amount(*amount) }
            }
            Self::RotateKey { key: new, .. } => Action::RotateKey { key: key(*new).public() },
            Self::RegisterTwin { handle: name, .. } => {
                Action::RegisterTwin { handle: handle(name), keys: keys() }
            }
            Self::RotateTwin { handle: name, .. } => {
                Action::RotateTwin { handle: handle(name), keys: keys() }
            }
            Self::CreateFarm { payout, .. } => {
                Action::CreateFarm { name: text("farm"), payout: id_of(*payout) }
            }
            Self::UpdateFarm { farm, payout, .. } => Action::UpdateFarm {
                farm: FarmId(*farm),
                name: text("farm"),
                payout: id_of(*payout),
            },
            Self::RegisterNode { farm, signer, named, expires_in, site, storage, .. } => {
                let token = token(chain, *farm, named.map(node), now + expires_in);
                Action::RegisterNode {
                    token: SignedJoinToken::new(token, &key(*signer)),
                    offer: offer(&format!("site {site}"), *storage),
                }
            }
            Self::UpdateNode { node: which, storage, state, .. } => Action::UpdateNode {
                node: node(*which),
                capacity: capacity(*storage),
                addresses: addresses(),
                state: match state {
                    0 => NodeState::Active,
                    1 => NodeState::Draining,
                    _ => NodeState::Retired,
                },
            },
            Self::CreateContract { profile, places, bytes, period, .. } => {
                let kind = NewKind::Storage(NewStorage {
                    profile: *profile,
                    places: nodes(places),
                    bytes: Bytes(*bytes),
                    writer: PublicKey([9; 32]),
                });
                let budget = Amount(u64::MAX);
                Action::CreateContract(NewContract { kind, period_ms: *period, budget })
            }
            Self::Extend { contract, bytes, period, .. } => Action::ExtendContract {
                contract: contract_of(contract),
                bytes: Bytes(*bytes),
                period_ms: *period,
            },
            Self::ChangePlaces { contract, replace, add, .. } => Action::ChangePlaces {
                contract: contract_of(contract),
                replace: List::new(replace.iter().map(|(a, b)| (node(*a), node(*b))).collect())
                    .unwrap(),
                add: nodes(add),
            },
            Self::Cancel { contract, .. } => {
                Action::CancelContract { contract: contract_of(contract) }
            }
            Self::Settle { contract, .. } => {
                Action::SettleContract { contract: contract_of(contract) }
            }
        }
    }

    pub(crate) fn signed(&self, plain: &Plain, twist: Twist, chain: Digest, now: u64) -> Verified {
        let from = self.from();
        let nonce = plain.nonces.get(&from).copied().unwrap_or(0);
        let mut transaction = Transaction {
            chain,
            from: id_of(from),
            nonce,
            fee: Amount(0),
            action: self.action(chain, nonce, now),
        };
        let bytes = u64::try_from(transaction.signed_bytes()).unwrap();
        transaction.fee = Amount(FEE + FEE_BYTE * bytes + FEE_PLACE * self.places());
        let mut signer = plain.key(from);
        match twist {
            Twist::None => {}
            Twist::OtherKey => signer = if signer == 50 { 51 } else { 50 },
            Twist::OtherChain => transaction.chain = Digest([7; 32]),
            Twist::NonceBehind => transaction.nonce = nonce.wrapping_sub(1),
            Twist::NonceAhead => transaction.nonce = nonce + 1,
            Twist::LowFee => transaction.fee.0 -= 1,
            Twist::HighFee => transaction.fee.0 += 1,
        }
        Verified::new(transaction.sign(&key(signer))).unwrap()
    }
}
