//! Who lives in a country: validators, operators with their farms, nodes and what they truly have,
//! users. All of it comes to be by transactions.

use std::collections::BTreeMap;
use std::time::Duration;

use acre_codec::List;
use acre_crypto::{Secret, SigningKey};
use acre_ledger::{
    Action, Applied, Capacity, Genesis, GridKind, JoinToken, NodeOffer, Parameters,
    SignedJoinToken, State, Transaction, Validator, Verified, build_block,
};
use acre_types::{AccountId, Amount, Bytes, FarmId, Height, NodeId, Text, UnixMs};

use super::CountryOptions;
use super::books::Books;
use crate::rng::Rng;
use crate::world::Violation;

const START_MS: u64 = 1_700_000_000_000;
/// Registrations of one block.
const BATCH: usize = 1_000;

/// What a node is in truth.
pub(super) struct Member {
    pub(super) key: SigningKey,
    pub(super) id: NodeId,
    pub(super) farm: u32,
    pub(super) claimed: Capacity,
    /// Questions of 1,000 that it answers.
    pub(super) answers_permille: u64,
    pub(super) is_ring: bool,
    pub(super) nonce: u64,
}

/// Somebody with a key and tokens.
pub(super) struct Person {
    pub(super) key: SigningKey,
    pub(super) nonce: u64,
}

impl Person {
    pub(super) fn id(&self) -> AccountId {
        self.key.public().into()
    }
}

/// The grid and all who use it.
pub(super) struct Country {
    pub(super) options: CountryOptions,
    pub(super) rng: Rng,
    pub(super) state: State,
    pub(super) books: Books,
    pub(super) height: u64,
    pub(super) now: u64,
    pub(super) validators: Vec<Person>,
    /// Secrets that validators committed to.
    pub(super) sealed: Vec<Option<acre_types::Digest>>,
    pub(super) operators: Vec<Person>,
    /// By registration index.
    pub(super) members: Vec<Member>,
    pub(super) index_of: BTreeMap<NodeId, u32>,
    pub(super) users: Vec<Person>,
    pub(super) registering: Duration,
}

fn text<const MAX: usize>(text: &str) -> Text<MAX> {
    Text::new(text).expect("short")
}

fn person(rng: &mut Rng) -> Person {
    Person { key: SigningKey::from_seed(Secret::new(rng.secret())), nonce: 0 }
}

fn people(rng: &mut Rng, count: u32) -> Vec<Person> {
    (0..count).map(|_| person(rng)).collect()
}

/// Equal parts of a sum, the first ones one larger.
fn part(sum: u64, parts: u64, at: u64) -> u64 {
    sum / parts + u64::from(at < sum % parts)
}

impl Country {
    /// Everybody has registered.
    pub(super) fn settled(options: CountryOptions) -> Result<Self, Violation> {
        let mut rng = Rng::new(options.seed ^ 0xc017);
        let validators = people(&mut rng, options.validators);
        let operators = people(&mut rng, options.farms);
        let users = people(&mut rng, options.users);
        let genesis = genesis(&options, &validators, operators.iter().chain(&users));
        let state = genesis.state().expect("a valid genesis");
        let mut country = Self {
            books: Books::of(&state).expect("a genesis adds up"),
            state,
            height: 0,
            now: START_MS,
            sealed: vec![None; validators.len()],
            validators,
            operators,
            members: Vec::new(),
            index_of: BTreeMap::new(),
            users,
            registering: Duration::ZERO,
            rng,
            options,
        };
        country.found_farms()?;
        country.register_nodes()?;
        Ok(country)
    }

    pub(super) fn violation(&self, what: String) -> Violation {
        Violation { seed: self.options.seed, at: self.now, what }
    }

    /// Signed, with this nonce and the least fee.
    pub(super) fn sign(&self, key: &SigningKey, nonce: u64, action: Action) -> Verified {
        let chain = self.state.grid().chain;
        let parameters = self.state.parameters().expect("a whole state");
        let from = key.public().into();
        let transaction = Transaction { chain, from, nonce, fee: Amount(0), action };
        let signed = transaction.with_least_fee(&parameters).sign(key);
        Verified::new(signed).expect("signed just now")
    }

    /// A block of all of these, checked and entered into the books.
    pub(super) fn block(&mut self, candidates: &[Verified]) -> Result<Applied, Violation> {
        self.height += 1;
        let (height, time) = (Height(self.height), UnixMs(self.now));
        let built = build_block(&self.state, candidates, height, time)
            .map_err(|error| self.violation(format!("L1: {error}")))?;
        if let Some((id, refusal)) = built.skipped.first() {
            return Err(self.violation(format!("{id} was refused: {refusal}")));
        }
        self.books.block(&built.applied).map_err(|what| self.violation(what))?;
        self.state = built.applied.state.clone();
        Ok(built.applied)
    }

    fn found_farms(&mut self) -> Result<(), Violation> {
        for batch in 0..self.operators.len().div_ceil(BATCH) {
            let range = batch * BATCH..((batch + 1) * BATCH).min(self.operators.len());
            let farms: Vec<_> = self.operators[range]
                .iter()
                .map(|owner| {
                    let action = Action::CreateFarm { name: text("farm"), payout: owner.id() };
                    self.sign(&owner.key, 0, action)
                })
                .collect();
            self.block(&farms)?;
        }
        self.operators.iter_mut().for_each(|owner| owner.nonce = 1);
        Ok(())
    }

    /// Nodes of large farms and small ones: the first farm has about ten times the nodes of the
    /// last.
    fn register_nodes(&mut self) -> Result<(), Violation> {
        let (nodes, farms) = (u64::from(self.options.nodes), self.operators.len() as u64);
        let mut at = 0;
        while at < nodes {
            let mut batch = Vec::new();
            while at < nodes && batch.len() < BATCH {
                let spread = self.rng.below(farms).min(self.rng.below(farms + farms / 10));
                let farm = if at < farms { at } else { spread };
                let (member, joined) = self.join(at, farm);
                self.index_of.insert(member.id, self.members.len().try_into().unwrap_or(u32::MAX));
                self.members.push(member);
                batch.push(joined);
                at += 1;
            }
            let before = (self.options.processor)();
            self.block(&batch)?;
            self.registering += (self.options.processor)().saturating_sub(before);
        }
        Ok(())
    }

    fn join(&mut self, at: u64, farm: u64) -> (Member, Verified) {
        let nodes = u64::from(self.options.nodes);
        let key = person(&mut self.rng).key;
        let id = NodeId::from(key.public());
        // Every fourth is a server and has all the cores; the others are boxes of disks.
        let servers = nodes.div_ceil(4);
        let cores =
            if at.is_multiple_of(4) { part(self.options.cores.into(), servers, at / 4) } else { 0 };
        let claimed = Capacity {
            storage: Bytes(part(self.options.storage, nodes, at)),
            cores: u32::try_from(cores).unwrap_or(0),
            memory: Bytes(8 << 30),
        };
        let countries = u64::from(self.options.countries);
        let country = [
            "BE", "DE", "FR", "NL", "CH", "AT", "IT", "ES", "PT", "PL", "CZ", "SK", "HU", "RO",
            "BG", "GR", "EG", "TZ", "KE", "IN", "US",
        ][usize::try_from(farm % countries.clamp(1, 21)).unwrap_or(0)];
        let owner = &self.operators[usize::try_from(farm).unwrap_or(0)];
        let number = u32::try_from(farm + 1).unwrap_or(0);
        let chain = self.state.grid().chain;
        let token =
            JoinToken { chain, farm: FarmId(number), node: Some(id), expires: UnixMs(u64::MAX) };
        let offer = NodeOffer {
            site: text(&format!("site {farm}-{}", at % 3)),
            country: country.parse().expect("a country"),
            capacity: claimed,
            addresses: List::new(vec![text("192.0.2.1:7000")]).expect("one"),
        };
        let action = Action::RegisterNode { token: SignedJoinToken::new(token, &owner.key), offer };
        let joined = self.sign(&key, 0, action);
        let answers_permille = if self.rng.chance(30) { self.rng.between(300, 900) } else { 1_000 };
        let is_ring = self.rng.chance(self.options.ring_permille);
        let member = Member { key, id, farm: number, claimed, answers_permille, is_ring, nonce: 1 };
        (member, joined)
    }
}

fn genesis<'a>(
    options: &CountryOptions,
    validators: &[Person],
    people: impl Iterator<Item = &'a Person>,
) -> Genesis {
    let validator = |one: &Person| Validator {
        key: one.key.public(),
        engine: text("127.0.0.1:1"),
        rpc: text("127.0.0.1:2"),
    };
    let grant = Amount::tft(1_000_000).expect("in range");
    let grants = people.map(|person| (person.id(), grant)).collect();
    Genesis {
        name: text("country"),
        kind: GridKind::Test,
        time: UnixMs(START_MS),
        validators: List::new(validators.iter().map(validator).collect()).expect("few"),
        parameters: Parameters {
            capacity: options.rules.clone(),
            minting: options.minting.clone(),
            ..Parameters::default()
        },
        foundation: AccountId([0xf0; 32]),
        admitted: List::default(),
        grants: List::new(grants).expect("no more than a genesis takes"),
    }
}
