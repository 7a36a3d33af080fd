//! A country's grid in virtual time on the shipped ledger: every node registered by a
//! transaction, every epoch witnessed and reported by signed ones, validators at the beacon, users
//! who pay and store; some nodes with a tenth of what they claim, in a ring that praises its own.
//!
//! | invariant | check |
//! |---|---|
//! | L2, L4 only authorised transactions, each once | each is applied once, and refused when it comes again |
//! | L3 balances + escrow = minted - burned | kept from the changes of each block, and summed over all leaves each epoch |
//! | L7 nothing verified beyond the claim | each node that a block changed, and all each epoch |
//! | L7 no token without a receipt | minted - grants = rewarded = the sum of all receipts, each computed again, after each block |
//!
//! Time on a processor is told by a function that the caller gives, so that a test depends on no
//! clock.

mod books;
mod epoch;
mod people;

use std::time::Duration;

use acre_ledger::{CapacityRules, MintingRules, State};

use crate::world::Violation;

/// How large, for how long, and who lies.
#[derive(Clone, Debug)]
pub struct CountryOptions {
    /// Decides everything.
    pub seed: u64,
    /// Nodes.
    pub nodes: u32,
    /// Farms, each of its own operator.
    pub farms: u32,
    /// Countries that these stand in.
    pub countries: u32,
    /// Logical processors of all nodes together.
    pub cores: u32,
    /// Raw storage of all nodes together, in bytes.
    pub storage: u64,
    /// Validators at the beacon.
    pub validators: u32,
    /// People who pay and store.
    pub users: u32,
    /// Epochs in which reports are sent.
    pub epochs: u32,
    /// Blocks of one epoch.
    pub blocks: u32,
    /// What users do in one epoch.
    pub user_transactions: u32,
    /// Nodes of the ring, of 1,000: they have a tenth of what they claim, praise each other and
    /// say of all others that they have nothing.
    pub ring_permille: u64,
    /// Witnesses that do not report in an epoch, of 1,000.
    pub silent_permille: u64,
    /// How capacity is proven.
    pub rules: CapacityRules,
    /// What it is worth. Each node claims what it earned in each period.
    pub minting: MintingRules,
    /// Time that this thread was on a processor.
    pub processor: fn() -> Duration,
    /// Time that passed, for single blocks: processors are often counted in steps of milliseconds.
    pub clock: fn() -> Duration,
}

impl CountryOptions {
    /// What the seeds tell of: 600 farms in 21 countries, 18,000 cores, 90 million GB; on 100,000
    /// nodes.
    #[must_use]
    pub fn country(processor: fn() -> Duration, clock: fn() -> Duration) -> Self {
        Self {
            seed: 1,
            nodes: 100_000,
            farms: 600,
            countries: 21,
            cores: 18_000,
            storage: 90_000_000_000_000_000,
            validators: 21,
            users: 1_000,
            epochs: 4,
            blocks: 3_600,
            user_transactions: 7_200,
            ring_permille: 50,
            silent_permille: 20,
            rules: CapacityRules::default(),
            // The shortest periods there are: most receipts.
            minting: MintingRules { period_epochs: 1, ..MintingRules::default() },
            processor,
            clock,
        }
    }

    /// The same, a hundred times smaller.
    #[must_use]
    pub fn village() -> Self {
        Self {
            nodes: 1_000,
            farms: 40,
            cores: 180,
            storage: 900_000_000_000_000,
            validators: 4,
            users: 20,
            epochs: 3,
            blocks: 20,
            user_transactions: 80,
            rules: CapacityRules { beacon_steps: 64, ..CapacityRules::default() },
            ..Self::country(|| Duration::ZERO, || Duration::ZERO)
        }
    }
}

/// One epoch in figures.
#[derive(Clone, Debug, Default)]
pub struct EpochFigures {
    /// Reports of witnesses.
    pub reports: u64,
    /// Nodes folded.
    pub folded: u64,
    /// Strikes given.
    pub strikes: u64,
    /// Turns of validators.
    pub turns: u64,
    /// Claims of rewards.
    pub claims: u64,
    /// Receipts that paid something.
    pub paid: u64,
    /// Receipts of periods with too little uptime.
    pub unpaid: u64,
    /// Units of tokens minted.
    pub minted: u64,
    /// Units of tokens minted for nodes of the ring.
    pub minted_ring: u64,
    /// Transactions of users.
    pub users: u64,
    /// Bytes of all transactions.
    pub bytes: u64,
    /// Processor time of admission to a pool.
    pub admitting: Duration,
    /// Processor time of signature checks, one by one.
    pub signatures: Duration,
    /// Processor time of applying and rooting all blocks.
    pub applying: Duration,
    /// Time that passed while each block was applied and rooted, sorted.
    pub blocks: Vec<Duration>,
    /// Leaves of the state at its end.
    pub leaves: u64,
    /// Bytes of their keys and values.
    pub state_bytes: u64,
    /// Honest nodes whose verified storage is below three quarters of what they have.
    pub wronged: u64,
    /// Nodes of the ring whose verified storage is above a quarter of what they claim.
    pub believed: u64,
}

impl EpochFigures {
    /// Transactions.
    #[must_use]
    pub const fn transactions(&self) -> u64 {
        self.reports + self.turns + self.users + self.claims
    }

    /// Processor time that one validator spends.
    #[must_use]
    pub fn processor(&self) -> Duration {
        self.admitting + self.signatures + self.applying
    }

    /// The time of a block that so many of 100 do not exceed.
    #[must_use]
    pub fn percentile(&self, percent: usize) -> Duration {
        let last = self.blocks.len().saturating_sub(1);
        self.blocks.get(last * percent / 100).copied().unwrap_or_default()
    }
}

/// What a run that broke nothing came to.
#[derive(Clone, Debug)]
pub struct CountryOutcome {
    /// Processor time of registering all nodes, applied and rooted.
    pub registering: Duration,
    /// Each epoch with reports, in order.
    pub epochs: Vec<EpochFigures>,
    /// Nodes in the ring.
    pub ring: u64,
    /// The state at the end.
    pub state: State,
}

/// Runs it.
///
/// # Errors
/// The first invariant broken.
pub fn run_country(options: CountryOptions) -> Result<CountryOutcome, Violation> {
    epoch::run(people::Country::settled(options)?)
}
