//! The ledger under the same treatment: replicas that apply blocks in turn, wallets whose messages
//! are lost and doubled, forgers, crashes, and books kept apart.
//!
//! | invariant | check |
//! |---|---|
//! | L1 one root a height | each replica's root after each block |
//! | L2 only authorised transactions | no forged one is ever in a block |
//! | L3 balances + escrow = minted - burned | summed over all leaves, each block |
//! | L4 each transfer at most once | a payment's purpose is counted, and a plain map of balances |
//! | L7 no token without a receipt | each receipt computed again, and their sum, each block |
//!
//! Nodes report of each other and farmers claim. In every third seed one replica proposes blocks that
//! break the rules, and its node lies as a witness.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use acre_codec::List;
use acre_crypto::{Secret, SigningKey};
use acre_ledger::mint;
use acre_ledger::{
    Account, Action, AnyObject, BlockTime, Capacity, CapacityRules, Contract, ContractRules,
    Finding, Genesis, GridKind, Key, MintReceiptObject, MintingRules, NewContract, NewKind,
    NewStorage, NodeAt, NodeOffer, Parameters, Payload, SignedJoinToken, SignedTransaction, State,
    TheEpoch, Totals, Transaction, Validator, Verdict, Verified, apply_payload, build_block,
};
use acre_ledger::{Event as Done, JoinToken};
use acre_types::{
    AccountId, Amount, Bytes, ContractId, Digest, FarmId, Height, NodeId, Profile, PublicKey, Text,
    UnixMs,
};

use crate::clock::{Clock, Rolling};
use crate::planted::Planted;
use crate::reached;
use crate::reached::Reached;
use crate::rng::Rng;
use crate::world::Violation;

const PEOPLE: usize = 6;
const FARMS: usize = 4;
const REPLICAS: usize = 4;
const BLOCKS: u64 = 60;
const START_MS: u64 = 1_000;

/// What happens.
enum Event {
    /// A wallet does something.
    Spend,
    /// A transaction reaches the pool.
    Arrive(Box<SignedTransaction>),
    /// A wallet has heard nothing of its payment.
    Impatient(usize),
    /// The next replica proposes a block.
    Block,
    /// A replica loses its memory and starts from what it persisted.
    Restart(usize),
}

struct Replica {
    state: State,
    /// What a shell would have persisted.
    leaves: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// Who breaks the rules.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Liar {
    Nobody,
    First,
}

/// A payment that somebody meant to make once.
struct Intent {
    from: usize,
    to: AccountId,
    amount: Amount,
    /// Every transaction signed for it.
    signed: Vec<(Digest, SignedTransaction)>,
    applied: u32,
}

/// What a run that broke nothing came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerOutcome {
    /// Digest of all events.
    pub rolling: Rolling,
    /// States reached.
    pub reached: Reached,
    /// Transactions applied.
    pub applied: u64,
}

struct Run {
    seed: u64,
    rng: Rng,
    clock: Clock<Event>,
    people: Vec<Arc<SigningKey>>,
    boxes: Vec<Arc<SigningKey>>,
    replicas: Vec<Replica>,
    pool: BTreeMap<Digest, SignedTransaction>,
    intents: Vec<Intent>,
    /// The oracle: what those who only pay each other own.
    books: BTreeMap<AccountId, u64>,
    nonces: BTreeMap<AccountId, u64>,
    seen: BTreeSet<Digest>,
    forged: BTreeSet<Digest>,
    height: u64,
    /// Time of the block before.
    before: UnixMs,
    loss: u64,
    doubled: u64,
    planted: Option<Planted>,
    /// The first replica and the first node break rules.
    liar: Liar,
    /// The last transaction applied, for those who would have it again.
    last: Option<SignedTransaction>,
    contracts: u64,
    reached: Reached,
    rolling: Rolling,
}

fn text<const MAX: usize>(text: &str) -> Text<MAX> {
    Text::new(text).expect("short")
}

/// Epochs of seconds, so that some pass, each with receipts.
fn parameters() -> Parameters {
    let capacity = CapacityRules {
        epoch_ms: 5_000,
        witnesses: 3,
        reports_min: 2,
        beacon_steps: 8,
        ..CapacityRules::default()
    };
    let minting = MintingRules { period_epochs: 1, month_ms: 60_000, ..MintingRules::default() };
    let contracts = ContractRules { period_ms_min: 1, ..ContractRules::default() };
    Parameters { capacity, minting, contracts, ..Parameters::default() }
}

/// Runs one seed.
///
/// # Errors
/// The first invariant broken.
pub fn run_ledger(seed: u64, planted: Option<Planted>) -> Result<LedgerOutcome, Violation> {
    let mut run = Run::new(seed, planted);
    run.settle_in()?;
    run.clock.after(Duration::ZERO, Event::Spend);
    run.clock.after(Duration::from_secs(1), Event::Block);
    while run.height < BLOCKS {
        let Some(due) = run.clock.due() else { break };
        run.clock.advance(due);
        if let Some(event) = run.clock.take() {
            run.happen(event)?;
        }
    }
    Ok(LedgerOutcome { rolling: run.rolling, applied: run.seen.len() as u64, reached: run.reached })
}

impl Run {
    fn new(seed: u64, planted: Option<Planted>) -> Self {
        let mut rng = Rng::new(seed ^ 0x1ed6);
        let mut keys = |count: usize| -> Vec<Arc<SigningKey>> {
            (0..count).map(|_| Arc::new(SigningKey::from_seed(Secret::new(rng.secret())))).collect()
        };
        let (people, boxes) = (keys(PEOPLE), keys(FARMS));
        let rich = Amount::tft(1000).expect("in range");
        let grants: Vec<_> = people.iter().map(|key| (key.public().into(), rich)).collect();
        let genesis = Genesis {
            name: text("simulated"),
            kind: GridKind::Local,
            time: UnixMs(START_MS),
            validators: List::new(vec![Validator {
                key: PublicKey([1; 32]),
                engine: text("127.0.0.1:1"),
                rpc: text("127.0.0.1:2"),
            }])
            .expect("one"),
            parameters: parameters(),
            foundation: AccountId([0xf0; 32]),
            admitted: List::default(),
            grants: List::new(grants.clone()).expect("few"),
        };
        let state = genesis.state().expect("a valid genesis");
        let leaves: BTreeMap<_, _> =
            state.leaves().map(|(key, value)| (key.to_vec(), value.to_vec())).collect();
        let replica = || Replica { state: state.clone(), leaves: leaves.clone() };
        Self {
            seed,
            clock: Clock::default(),
            people,
            boxes,
            replicas: (0..REPLICAS).map(|_| replica()).collect(),
            pool: BTreeMap::new(),
            intents: Vec::new(),
            books: grants
                .into_iter()
                .map(|(id, amount): (AccountId, Amount)| (id, amount.0))
                .collect(),
            nonces: BTreeMap::new(),
            seen: BTreeSet::new(),
            forged: BTreeSet::new(),
            height: 0,
            before: UnixMs(START_MS),
            loss: *rng.pick(&[0, 50, 300]).unwrap_or(&0),
            doubled: *rng.pick(&[0, 100, 500]).unwrap_or(&0),
            planted,
            liar: if seed.is_multiple_of(3) { Liar::First } else { Liar::Nobody },
            last: None,
            contracts: 0,
            reached: Reached::default(),
            rolling: Rolling::default(),
            rng,
        }
    }

    fn violation(&self, what: String) -> Violation {
        Violation { seed: self.seed, at: self.clock.now().0 / 1000, what }
    }

    fn state(&self) -> &State {
        &self.replicas[0].state
    }

    fn now(&self) -> UnixMs {
        UnixMs(self.clock.now().0 / 1000)
    }

    fn account(&self, person: usize) -> AccountId {
        self.people[person].public().into()
    }

    fn sign(&mut self, key: &SigningKey, action: Action) -> SignedTransaction {
        let from: AccountId = key.public().into();
        let nonce = *self.nonces.entry(from).or_default();
        self.nonces.insert(from, nonce + 1);
        self.sign_with(key, nonce, action)
    }

    fn sign_with(&self, key: &SigningKey, nonce: u64, action: Action) -> SignedTransaction {
        let chain = self.state().grid().chain;
        let from = key.public().into();
        let parameters = self.state().parameters().expect("a whole state");
        let transaction = Transaction { chain, from, nonce, fee: Amount(0), action };
        transaction.with_least_fee(&parameters).sign(key)
    }

    /// Farms and boxes, so that contracts have places. Person n owns farm n.
    fn settle_in(&mut self) -> Result<(), Violation> {
        for number in 0..FARMS {
            let owner = self.people[number].clone();
            let payout = AccountId([200 + u8::try_from(number).unwrap_or(0); 32]);
            let farm = self.sign(&owner, Action::CreateFarm { name: text("farm"), payout });
            self.pool.insert(farm.transaction.id(), farm);
            self.block()?;
            let token = JoinToken {
                chain: self.state().grid().chain,
                farm: FarmId(u32::try_from(number + 1).unwrap_or(0)),
                node: None,
                expires: UnixMs(u64::MAX),
            };
            let offer = NodeOffer {
                site: text(&format!("site {number}")),
                country: "BE".parse().expect("a country"),
                capacity: Capacity { storage: Bytes(1 << 40), cores: 4, memory: Bytes(1 << 30) },
                addresses: List::new(vec![text("127.0.0.1:9")]).expect("one"),
            };
            let node = self.boxes[number].clone();
            let token = SignedJoinToken::new(token, &owner);
            let join = self.sign(&node, Action::RegisterNode { token, offer });
            self.pool.insert(join.transaction.id(), join);
            self.block()?;
        }
        Ok(())
    }

    fn happen(&mut self, event: Event) -> Result<(), Violation> {
        match event {
            Event::Spend => {
                let wait = Duration::from_millis(self.rng.between(20, 600));
                self.clock.after(wait, Event::Spend);
                self.spend();
            }
            Event::Arrive(signed) => {
                self.pool.insert(signed.transaction.id(), *signed);
            }
            Event::Impatient(intent) => self.retry(intent),
            Event::Block => {
                let wait = Duration::from_millis(self.rng.between(200, 3000));
                self.clock.after(wait, Event::Block);
                if self.rng.chance(100) {
                    let at = self.rng.index(REPLICAS);
                    self.clock.after(Duration::from_millis(1), Event::Restart(at));
                }
                self.block()?;
            }
            Event::Restart(at) => self.restart(at)?,
        }
        Ok(())
    }

    fn send(&mut self, signed: &SignedTransaction) {
        if self.rng.chance(self.loss) {
            return;
        }
        let copies = if self.rng.chance(self.doubled) { 3 } else { 1 };
        reached!(self.reached, "payment_doubled_on_the_way" if copies > 1);
        for _ in 0..copies {
            let wait = Duration::from_millis(self.rng.between(1, 5000));
            self.clock.after(wait, Event::Arrive(Box::new(signed.clone())));
        }
    }

    fn spend(&mut self) {
        match self.rng.below(14) {
            0..=6 => self.pay(),
            7 => self.forge(),
            8 | 9 => self.open_contract(),
            12 | 13 => self.claim(),
            _ => self.close_contract(),
        }
    }

    fn pay(&mut self) {
        // Those from FARMS on only pay and are paid, so their books are simple.
        let from = FARMS + self.rng.index(PEOPLE - FARMS);
        let person = self.rng.index(PEOPLE);
        let to = self.account(person);
        let amount = Amount(1 + self.rng.below(1_000_000));
        let key = self.people[from].clone();
        let signed = self.sign(&key, Action::Transfer { to, amount });
        let known = vec![(signed.transaction.id(), signed.clone())];
        self.send(&signed);
        self.intents.push(Intent { from, to, amount, signed: known, applied: 0 });
        let wait = Duration::from_millis(self.rng.between(2000, 9000));
        self.clock.after(wait, Event::Impatient(self.intents.len() - 1));
    }

    /// Sends the very same transaction again; that may not pay twice.
    fn retry(&mut self, at: usize) {
        let intent = &self.intents[at];
        if intent.applied > 0 {
            return;
        }
        reached!(self.reached, "payment_sent_again");
        let signed = if self.planted == Some(Planted::NonceIgnored) {
            let key = self.people[intent.from].clone();
            let action = Action::Transfer { to: intent.to, amount: intent.amount };
            let anew = self.sign(&key, action);
            self.intents[at].signed.push((anew.transaction.id(), anew.clone()));
            anew
        } else {
            intent.signed[0].1.clone()
        };
        self.send(&signed);
        let wait = Duration::from_millis(self.rng.between(2000, 9000));
        self.clock.after(wait, Event::Impatient(at));
    }

    /// A thief signs for somebody else, or changes what was signed.
    fn forge(&mut self) {
        let victim = self.rng.index(PEOPLE);
        let thief = SigningKey::from_seed(Secret::new(self.rng.secret()));
        let nonce = self.nonces.get(&self.account(victim)).copied().unwrap_or(0);
        let action = Action::Transfer { to: thief.public().into(), amount: Amount(77) };
        let key = self.people[victim].clone();
        let mut signed = self.sign_with(&key, nonce, action);
        match self.rng.below(3) {
            0 => signed.signature = thief.sign(&signed.transaction),
            1 => signed = signed.transaction.sign(&thief),
            _ => {
                // Signed for another chain, then said to be for this one.
                let mut other = signed.transaction.clone();
                other.chain = Digest([9; 32]);
                let chain = signed.transaction.chain;
                signed = other.sign(&key);
                signed.transaction.chain = chain;
            }
        }
        self.forged.insert(acre_crypto::digest(&signed.to_bytes()));
        self.pool.insert(acre_crypto::digest(&signed.to_bytes()), signed);
    }

    fn open_contract(&mut self) {
        let owner = self.people[self.rng.index(FARMS)].clone();
        let places: Vec<_> = self.boxes.iter().take(3).map(|key| key.public().into()).collect();
        let kind = NewKind::Storage(NewStorage {
            profile: Profile::Tiny,
            places: List::new(places).expect("few"),
            bytes: Bytes(1 + self.rng.below(1 << 30)),
            writer: owner.public(),
        });
        let period_ms = 1 + self.rng.below(40_000);
        let new = NewContract { kind, period_ms, budget: Amount(u64::MAX) };
        let signed = self.sign(&owner, Action::CreateContract(new));
        self.pool.insert(signed.transaction.id(), signed);
    }

    fn close_contract(&mut self) {
        if self.contracts == 0 {
            return;
        }
        let contract = ContractId(1 + self.rng.below(self.contracts));
        let owner = self.people[self.rng.index(FARMS)].clone();
        let action = match self.rng.below(3) {
            0 => Action::CancelContract { contract },
            1 => Action::ExtendContract { contract, bytes: Bytes(5), period_ms: 1000 },
            _ => Action::SettleContract { contract },
        };
        let signed = self.sign(&owner, action);
        self.pool.insert(signed.transaction.id(), signed);
    }

    /// A farmer claims what some node earned; often there is nothing.
    fn claim(&mut self) {
        let (node, owner) = (self.rng.index(FARMS), self.rng.index(FARMS));
        let node = self.boxes[node].public().into();
        let owner = self.people[owner].clone();
        let signed = self.sign(&owner, Action::ClaimReward { node });
        self.pool.insert(signed.transaction.id(), signed);
    }

    /// Each node that owes a report of the epoch before makes one, most of the time.
    fn witness(&mut self) {
        let Some(epoch) = self.state().read(&TheEpoch).ok().flatten() else { return };
        let Some(past) = epoch.past else { return };
        let assignment = past.assignment();
        for at in 0..FARMS {
            let key = self.boxes[at].clone();
            let id = NodeId::from(key.public());
            let account = AccountId::from(key.public());
            let Some(node) = self.state().read(&id).ok().flatten() else { continue };
            let is_done = node.witnessing.last.is_some_and(|last| last >= past.number)
                || self.pool.values().any(|signed| signed.transaction.from == account);
            if is_done || self.rng.chance(200) {
                continue;
            }
            let mut verdicts = Vec::new();
            for duty in assignment.duties_of(node.index) {
                let Some(node) = self.state().read(&NodeAt(duty)).ok().flatten() else { continue };
                let finding = self.finding(at);
                verdicts.push(Verdict { node, finding });
            }
            verdicts.sort_by_key(|verdict| verdict.node);
            let nonce = self.state().read(&account).ok().flatten().unwrap_or_default().nonce;
            let Ok(verdicts) = List::new(verdicts) else { continue };
            let action = Action::ReportWitness { epoch: past.number, verdicts };
            let report = self.sign_with(&key, nonce, action);
            self.pool.insert(report.transaction.id(), report);
        }
    }

    /// What a witness says of any node: nearly the truth, or anything.
    fn finding(&mut self, witness: usize) -> Finding {
        let lies = self.liar == Liar::First && witness == 0;
        reached!(self.reached, "witness_lied" if lies);
        let (answered, storage) = if lies {
            (self.rng.below(21), self.rng.below(1 << 41))
        } else {
            (20 - self.rng.below(2), (1 << 40) - self.rng.below(1 << 30))
        };
        let measured = Capacity { storage: Bytes(storage), cores: 4, memory: Bytes(1 << 30) };
        let answered = u16::try_from(answered).unwrap_or(20);
        Finding { asked: 20, answered, measured, ..Finding::default() }
    }

    /// A block that breaks the rules is refused by all, whatever its proposer says.
    fn refuse_bad_block(&mut self, height: Height, time: UnixMs) -> Result<(), Violation> {
        let mut bad = Vec::new();
        // What was applied already: a payment, a report, a claim.
        bad.extend(self.last.clone());
        let first = self.people[0].clone();
        let node = self.boxes[0].public().into();
        let nonce = self.state().read(&self.account(0)).ok().flatten().unwrap_or_default().nonce;
        // A reward that is claimed twice in one block.
        let claim = |nonce| self.sign_with(&first, nonce, Action::ClaimReward { node });
        let twice = [claim(nonce), claim(nonce + 1)];
        // Somebody else's tokens.
        let thief = SigningKey::from_seed(Secret::new(self.rng.secret()));
        let mut stolen = twice[0].clone();
        stolen.signature = thief.sign(&stolen.transaction);
        let blocks = [bad, twice.to_vec(), vec![stolen]];
        for transactions in blocks.into_iter().filter(|block| !block.is_empty()) {
            let Ok(transactions) = List::new(transactions) else { continue };
            let payload = Payload { transactions };
            for at in 0..REPLICAS {
                if apply_payload(&self.replicas[at].state, &payload, height, time).is_ok() {
                    let what = format!("L2, L4: replica {at} takes a block that breaks the rules");
                    return Err(self.violation(what));
                }
            }
            reached!(self.reached, "bad_block_refused");
        }
        Ok(())
    }

    /// One replica proposes, all apply, the books are compared.
    fn block(&mut self) -> Result<(), Violation> {
        self.witness();
        self.height += 1;
        let leads = usize::try_from(self.height).unwrap_or(0) % REPLICAS == 0;
        if self.liar == Liar::First && leads {
            self.refuse_bad_block(Height(self.height), self.now())?;
        }
        let (height, now) = (Height(self.height), self.now());
        let time = BlockTime { before: self.before, now };
        self.before = now;
        let mut forged = Vec::new();
        let mut candidates = Vec::new();
        for (id, signed) in &self.pool {
            match Verified::new(signed.clone()) {
                Ok(verified) => candidates.push(verified),
                Err(_) => forged.push(*id),
            }
        }
        candidates.sort_by_key(|one| (one.transaction().from, one.transaction().nonce));
        let leader = usize::try_from(self.height).unwrap_or(0) % REPLICAS;
        let built = build_block(&self.replicas[leader].state, &candidates, height, time)
            .map_err(|error| self.violation(format!("L2: no block: {error}")))?;
        reached!(self.reached, "forged_transaction_refused" if !forged.is_empty());
        for id in forged {
            self.pool.remove(&id);
        }
        self.drop_hopeless(&built.skipped);
        let bytes = built.payload.to_bytes();
        let payload = Payload::decode(&bytes)
            .map_err(|error| self.violation(format!("own payload does not decode: {error}")))?;
        self.rolling.add(&bytes);
        self.rolling.add(&built.applied.root.0);
        for at in 0..REPLICAS {
            let applied = apply_payload(&self.replicas[at].state, &payload, height, time)
                .map_err(|error| self.violation(format!("L1: replica {at}: {error}")))?;
            if applied.root != built.applied.root {
                return Err(self.violation(format!("L1: replica {at} has another root")));
            }
            for (key, value) in &applied.changes {
                match value {
                    Some(value) => self.replicas[at].leaves.insert(key.clone(), value.clone()),
                    None => self.replicas[at].leaves.remove(key),
                };
            }
            self.replicas[at].state = applied.state;
        }
        for event in &built.applied.events {
            match event {
                Done::ContractCreated { .. } => {
                    self.contracts += 1;
                    reached!(self.reached, "contract_opened");
                }
                Done::ContractClosed { .. } => reached!(self.reached, "contract_closed"),
                Done::RewardMinted { amount, .. } if *amount > Amount::ZERO => {
                    reached!(self.reached, "reward_minted");
                }
                Done::WitnessStruck { .. } => reached!(self.reached, "witness_struck"),
                _ => {}
            }
        }
        for signed in payload.transactions.iter() {
            self.book(signed)?;
        }
        self.check_books()?;
        self.check_sum()
    }

    /// Those that cannot apply later either leave the pool, and their nonce is free again.
    fn drop_hopeless(&mut self, skipped: &[(Digest, acre_ledger::Refusal)]) {
        for (id, refusal) in skipped {
            if matches!(refusal, acre_ledger::Refusal::NonceAhead { .. }) {
                continue;
            }
            self.pool.remove(id);
        }
        for number in 0..FARMS {
            // Owners of farms take up their nonce from the ledger: some of their wishes are
            // refused.
            let id = self.account(number);
            if !self.pool.values().any(|signed| signed.transaction.from == id) {
                let account = self.state().read(&id).ok().flatten().unwrap_or_default();
                self.nonces.insert(id, account.nonce);
            }
        }
    }

    /// Enters a transaction of a block into the books.
    fn book(&mut self, signed: &SignedTransaction) -> Result<(), Violation> {
        let id = signed.transaction.id();
        self.pool.remove(&id);
        if self.forged.contains(&acre_crypto::digest(&signed.to_bytes())) {
            return Err(self.violation(format!("L2: the forged {id:?} is in a block")));
        }
        self.last = Some(signed.clone());
        if !self.seen.insert(id) {
            return Err(self.violation(format!("L4: {id:?} is in two blocks")));
        }
        for at in 0..self.intents.len() {
            if self.intents[at].signed.iter().any(|(known, _)| *known == id) {
                self.intents[at].applied += 1;
                if self.intents[at].applied > 1 {
                    let what =
                        format!("L4: payment {at} was made {} times", self.intents[at].applied);
                    return Err(self.violation(what));
                }
            }
        }
        if let Action::Transfer { to, amount } = &signed.transaction.action {
            let paid = amount.0 + signed.transaction.fee.0;
            if let Some(held) = self.books.get_mut(&signed.transaction.from) {
                *held = held.saturating_sub(paid);
            }
            if let Some(held) = self.books.get_mut(to) {
                *held += amount.0;
            }
        }
        Ok(())
    }

    /// L4: those who only pay and are paid own what a plain map says.
    fn check_books(&self) -> Result<(), Violation> {
        for person in FARMS..PEOPLE {
            let id = self.account(person);
            let account: Account = self.state().read(&id).ok().flatten().unwrap_or_default();
            let wanted = self.books.get(&id).copied().unwrap_or(0);
            if account.balance.0 != wanted {
                let held = account.balance.0;
                return Err(
                    self.violation(format!("L4: person {person} owns {held}, not {wanted}"))
                );
            }
        }
        Ok(())
    }

    /// L3 and L7: the sums over all leaves.
    fn check_sum(&self) -> Result<(), Violation> {
        let (mut balances, mut escrow, mut receipts) = (0u128, 0u128, 0u128);
        let mut totals = Totals::default();
        for (key, value) in self.state().leaves() {
            let Ok(key) = acre_codec::decode::<Key>(key) else { continue };
            match key {
                Key::Account(_) => {
                    let account: Option<Account> = acre_codec::decode(value).ok();
                    balances += u128::from(account.unwrap_or_default().balance.0);
                }
                Key::Contract(_) => {
                    let contract: Option<Contract> = acre_codec::decode(value).ok();
                    escrow += contract
                        .and_then(|contract| contract.held())
                        .map_or(0, |held| u128::from(held.0));
                }
                Key::MintReceipt(..) => {
                    let stored: Option<MintReceiptObject> = acre_codec::decode(value).ok();
                    let sound =
                        stored.filter(|one| mint::recompute(one).as_ref() == Ok(&one.receipt));
                    let Some(stored) = sound else {
                        return Err(self.violation(format!("L7: no receipt at {key:?}")));
                    };
                    receipts += u128::from(stored.receipt.total.0);
                }
                Key::Totals => totals = acre_codec::decode(value).unwrap_or_default(),
                _ => debug_assert!(AnyObject::decode(&key, value).is_ok()),
            }
        }
        let granted = Amount::tft(1000).map_or(0, |amount| u128::from(amount.0)) * PEOPLE as u128;
        if receipts != u128::from(totals.rewarded.0)
            || granted + receipts != u128::from(totals.minted.0)
        {
            let Totals { minted, rewarded, .. } = totals;
            return Err(self.violation(format!(
                "L7: {minted} minted, {rewarded} rewarded, receipts of {receipts}"
            )));
        }
        let issued = u128::from(totals.minted.0) - u128::from(totals.burned.0);
        if balances + escrow != issued || escrow != u128::from(totals.escrow.0) {
            return Err(self.violation(format!(
                "L3: balances {balances} + escrow {escrow} (said to be {}) != {issued}",
                totals.escrow.0
            )));
        }
        Ok(())
    }

    /// A replica starts from the leaves it persisted and must come to the same root.
    fn restart(&mut self, at: usize) -> Result<(), Violation> {
        reached!(self.reached, "replica_restarted");
        let replica = &self.replicas[at];
        let leaves = replica.leaves.iter();
        let leaves = leaves.map(|(key, value)| (key.clone(), Arc::<[u8]>::from(value.as_slice())));
        let state = State::from_leaves(leaves)
            .map_err(|error| self.violation(format!("L1: replica {at} does not start: {error}")))?;
        if state.root() != replica.state.root() {
            return Err(self.violation(format!("L1: replica {at} starts with another root")));
        }
        self.replicas[at].state = state;
        Ok(())
    }
}
