//! A small grid for the tests: people with keys and tokens, and short ways to say things.
#![allow(dead_code, reason = "each test file uses a part of it")]

use acre_codec::List;
use acre_crypto::{Secret, SigningKey};
use acre_ledger::{
    Action, Addresses, Applied, Built, Capacity, Event, Genesis, GridKind, JoinToken, NodeOffer,
    Parameters, Refusal, SignedJoinToken, State, Transaction, Validator, Verified, build_block,
};
use acre_types::{AccountId, Amount, Bytes, Digest, FarmId, Height, NodeId, Text, UnixMs};
use proptest::test_runner::{Config, RngSeed};

/// So many random cases, the same in each run: what they reach is asserted, and must not be luck.
/// Others come with `PROPTEST_RNG_SEED`.
pub(crate) fn cases(cases: u32) -> Config {
    let usual = Config::default();
    let rng_seed = match usual.rng_seed {
        RngSeed::Random => RngSeed::Fixed(2),
        given @ RngSeed::Fixed(_) => given,
    };
    Config { cases, rng_seed, failure_persistence: None, ..usual }
}

pub(crate) fn key(number: u8) -> SigningKey {
    SigningKey::from_seed(Secret::new([number; 32]))
}

/// Keys that are none of [`key`]'s.
pub(crate) fn wide_key(number: u32) -> SigningKey {
    let mut seed = [0xaa; 32];
    seed[..4].copy_from_slice(&number.to_le_bytes());
    SigningKey::from_seed(Secret::new(seed))
}

pub(crate) fn account(number: u8) -> AccountId {
    key(number).public().into()
}

pub(crate) fn node(number: u8) -> NodeId {
    key(number).public().into()
}

/// The one validator of a genesis.
pub(crate) const VALIDATOR: u8 = 250;
pub(crate) const FOUNDATION: AccountId = AccountId([0xf0; 32]);

pub(crate) fn genesis(parameters: Parameters, grants: Vec<(AccountId, Amount)>) -> Genesis {
    let (engine, rpc) = (text("127.0.0.1:1"), text("127.0.0.1:2"));
    let validator = Validator { key: key(VALIDATOR).public(), engine, rpc };
    Genesis {
        name: text("test grid"),
        kind: GridKind::Local,
        time: UnixMs(1_000),
        validators: List::new(vec![validator]).unwrap(),
        parameters,
        foundation: FOUNDATION,
        admitted: List::default(),
        grants: List::new(grants).unwrap(),
    }
}

pub(crate) fn text<const MAX: usize>(text: &str) -> Text<MAX> {
    Text::new(text).unwrap()
}

pub(crate) fn token(chain: Digest, farm: u32, named: Option<NodeId>, expires: u64) -> JoinToken {
    JoinToken { chain, farm: FarmId(farm), node: named, expires: UnixMs(expires) }
}

pub(crate) fn offer(site: &str, storage: u64) -> NodeOffer {
    NodeOffer {
        site: text(site),
        country: "BE".parse().unwrap(),
        capacity: capacity(storage),
        addresses: addresses(),
    }
}

pub(crate) fn capacity(storage: u64) -> Capacity {
    Capacity { storage: Bytes(storage), cores: 4, memory: Bytes(1 << 30) }
}

pub(crate) fn addresses() -> Addresses {
    List::new(vec![text("127.0.0.1:9")]).unwrap()
}

/// A ledger that is moved on one block at a time.
pub(crate) struct Grid {
    pub(crate) state: State,
    pub(crate) height: u64,
    pub(crate) now: u64,
}

impl Grid {
    pub(crate) fn new(genesis: &Genesis) -> Self {
        Self { state: genesis.state().unwrap(), height: 0, now: genesis.time.0 }
    }

    /// People 1 to `people` with 1,000 TFT each.
    pub(crate) fn of(people: u8) -> Self {
        let grants = (1..=people).map(|n| (account(n), Amount::tft(1000).unwrap())).collect();
        Self::new(&genesis(Parameters::default(), grants))
    }

    pub(crate) fn chain(&self) -> Digest {
        self.state.grid().chain
    }

    pub(crate) fn balance(&self, id: AccountId) -> u64 {
        self.state.read(&id).unwrap().unwrap_or_default().balance.0
    }

    /// The transaction of this person with the next nonce and the least fee.
    pub(crate) fn transaction(&self, from: u8, action: Action) -> Transaction {
        let nonce = self.state.read(&account(from)).unwrap().unwrap_or_default().nonce;
        Transaction { chain: self.chain(), from: account(from), nonce, fee: Amount(0), action }
            .with_least_fee(&self.state.parameters().unwrap())
    }

    pub(crate) fn signed(&self, from: u8, action: Action) -> Verified {
        Verified::new(self.transaction(from, action).sign(&key(from))).unwrap()
    }

    /// As [`Grid::signed`], by any key for its own account.
    pub(crate) fn signed_by(&self, key: &SigningKey, action: Action) -> Verified {
        let from = AccountId::from(key.public());
        let nonce = self.state.read(&from).unwrap().unwrap_or_default().nonce;
        let transaction = Transaction { chain: self.chain(), from, nonce, fee: Amount(0), action };
        let transaction = transaction.with_least_fee(&self.state.parameters().unwrap());
        Verified::new(transaction.sign(key)).unwrap()
    }

    /// A block without transactions.
    pub(crate) fn idle_block(&mut self) -> Applied {
        let applied = self.build(&[]).applied;
        self.state = applied.state.clone();
        self.height += 1;
        applied
    }

    pub(crate) fn build(&self, candidates: &[Verified]) -> Built {
        let (height, time) = (Height(self.height + 1), UnixMs(self.now));
        build_block(&self.state, candidates, height, time).unwrap()
    }

    /// A block of this one transaction.
    pub(crate) fn submit(&mut self, transaction: Verified) -> Result<Applied, Refusal> {
        let built = self.build(&[transaction]);
        if let Some((_, refusal)) = built.skipped.into_iter().next() {
            return Err(refusal);
        }
        self.state = built.applied.state.clone();
        self.height += 1;
        Ok(built.applied)
    }

    pub(crate) fn act(&mut self, from: u8, action: Action) -> Result<Vec<Event>, Refusal> {
        let transaction = self.signed(from, action);
        self.submit(transaction).map(|applied| applied.events)
    }

    /// Person n makes farm n, and node 100 + n joins it, at a site of its own; for n up to
    /// `farms`.
    pub(crate) fn with_farms(farms: u8) -> Self {
        Self::with_farms_under(Parameters::default(), farms)
    }

    pub(crate) fn with_farms_under(parameters: Parameters, farms: u8) -> Self {
        let grants = (1..=farms).map(|n| (account(n), Amount::tft(1000).unwrap())).collect();
        let mut grid = Self::new(&genesis(parameters, grants));
        for n in 1..=farms {
            let payout = account(200 + n);
            grid.act(n, Action::CreateFarm { name: text("farm"), payout }).unwrap();
            grid.join(100 + n, n, u32::from(n), &format!("site {n}")).unwrap();
        }
        grid
    }

    pub(crate) fn join(
        &mut self,
        node: u8,
        owner: u8,
        farm: u32,
        site: &str,
    ) -> Result<(), Refusal> {
        let token = token(self.chain(), farm, None, self.now + 1000);
        let token = SignedJoinToken::new(token, &key(owner));
        let offer = offer(site, 1_000_000);
        self.act(node, Action::RegisterNode { token, offer }).map(|_| ())
    }
}
