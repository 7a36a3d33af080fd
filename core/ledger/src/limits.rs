//! Every limit of the ledger, each once, with its reason.

use acre_types::{Amount, Bytes};

use crate::mint::MicroUsd;

/// Bits of a path in the map, hence the deepest a tree, a recursion or a proof can get.
pub const DEPTH_MAX: usize = 256;
/// Bytes of one key: the longest is `ContractOf` with 37.
pub const KEY_BYTES_MAX: usize = 64;
/// Bytes of one stored object. The largest is a twin with all its keys.
pub const VALUE_BYTES_MAX: usize = 32 * 1024;
/// Bytes of one encoded proof: every sibling, and the value.
pub const PROOF_BYTES_MAX: usize = DEPTH_MAX * 32 + VALUE_BYTES_MAX + 64;

/// Bytes of one signed transaction. Room for the largest twin, and no more.
pub const TRANSACTION_BYTES_MAX: usize = 64 * 1024;
/// Highest least fee of a transaction, 1 TFT: a ballot must stay within everybody's means, or a vote
/// could end all votes.
pub const FEE_MAX: Amount = Amount(Amount::UNITS_PER_TFT);
/// The same of each of its bytes: 1 TFT for a thousand.
pub const FEE_BYTE_MAX: Amount = Amount(Amount::UNITS_PER_TFT / 1000);
/// Highest deposit of a proposal, 10,000 TFT.
pub const DEPOSIT_MAX: Amount = Amount(10_000 * Amount::UNITS_PER_TFT);
/// A vote raises the deposit to at most one part in so many of all tokens.
pub const DEPOSIT_SHARE: u64 = 1000;

/// Transactions in one block: five times what the target of 2,000 needs.
pub const PAYLOAD_TRANSACTIONS_MAX: usize = 10_000;
/// Visits that the contracts of one block may pay to their places, each a few reads and a write: some
/// tenths of a second. The largest gang needs less than half of it.
pub const VISITS_BLOCK_MAX: u32 = 20_000;
/// Visits that a leader spends on transactions that turn out to be refused, and pay nothing; after
/// that only those are tried that need none.
pub const VISITS_REFUSED_MAX: u32 = VISITS_BLOCK_MAX / 4;
/// Objects that are only read, for what one visit to a place takes.
pub const READS_A_VISIT: usize = 8;
/// What checking one signature takes, in visits.
pub const VISITS_A_SIGNATURE: usize = 8;
/// Bytes of all transactions of one block; must fit one message of the engine with its header.
pub const PAYLOAD_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Bytes of an encoded genesis, which is read from a file that a stranger may have sent.
pub const GENESIS_BYTES_MAX: usize = 1024 * 1024;

/// Characters of a twin's handle.
pub const HANDLE_BYTES_MIN: usize = 3;
/// As a label of a domain name would have, halved.
pub const HANDLE_BYTES_MAX: usize = 32;
/// Bytes of a handle from which on it costs no more than any: there are enough of them.
pub const HANDLE_PLAIN_BYTES: usize = 8;
/// Longest delay of a recovery and longest quarantine of a handle: 90 days.
pub const RECOVERY_MS_MAX: u64 = 90 * 24 * 3_600 * 1_000;
/// Percent of the deposit that a release burns: what the ledger keeps of the handle is never
/// deleted, or its epoch would begin anew.
pub const RELEASE_BURN_PERCENT: u64 = 10;
/// Keys of one twin: a few roles on a few devices.
pub const TWIN_KEYS_MAX: usize = 16;
/// Bytes of one key of a twin: X25519 (32) and ML-KEM-768 (1,184) side by side.
pub const TWIN_KEY_BYTES_MAX: usize = 32 + 1184;

/// Bytes of the name of a farm or a grid.
pub const NAME_BYTES_MAX: usize = 64;
/// Bytes of a node's site or of one of its addresses.
pub const TEXT_BYTES_MAX: usize = 64;
/// Addresses of one node: IPv4 and IPv6, inside and outside.
pub const ADDRESSES_MAX: usize = 4;
/// Storage of one node: 1 EiB, so that sums of a block stay far below `u64::MAX`.
pub const NODE_STORAGE_MAX: Bytes = Bytes(1 << 60);

/// Places of one contract: those of the widest profile, 100+20, and its 20 spares.
pub const PLACES_MAX: usize = 140;
/// Plain bytes of one contract: 1 PiB.
pub const CONTRACT_BYTES_MAX: Bytes = Bytes(1 << 50);
/// How far a contract may reach into the future: ten years of 365.25 days.
pub const CONTRACT_PERIOD_MS_MAX: u64 = 3_652 * 24 * 3_600 * 1_000 + 12 * 3_600 * 1_000;
/// Least period of a contract on a live grid: an hour.
pub const LIVE_PERIOD_MS_MIN: u64 = 3_600 * 1_000;
/// The most that a grid may ask for as the least period: 30 days.
pub const PERIOD_MS_MIN_MAX: u64 = 30 * 24 * 3_600 * 1_000;
/// Bytes of a signed `SettleContract`: what closing a contract will cost is known when it is made.
pub const SETTLE_BYTES: usize = 185;
/// The share of every contract's payments that goes to the foundation account, in percent. A
/// constant of the format, not a parameter: no vote can raise it.
pub const FOUNDATION_PERCENT: u64 = 10;
/// Of what the foundation and the fire get for capacity that is sold, so much may be minted for it, in
/// percent. Were it all, a farmer would buy from himself for nothing, and weigh in votes by it.
pub const COVER_PERCENT: u64 = 50;

/// The share of what is taken from a farm's stake that is destroyed, in percent. It is what a farm
/// would lose by letting itself be punished for the good of an account of its own.
pub const PENALTY_BURN_PERCENT: u64 = 50;

/// Shortest epoch, in milliseconds: tests and tours; a block must fit in.
pub const EPOCH_MS_MIN: u64 = 100;
/// Longest epoch, in milliseconds: a day.
pub const EPOCH_MS_MAX: u64 = 24 * 3_600 * 1_000;
/// Witnesses of one node and epoch, hence verdicts in one report.
pub const WITNESSES_MAX: usize = 16;
/// Epochs from genesis on in which everybody's word counts, as nobody has proven anything yet; a month
/// of hours. From then on a witness needs a disk.
pub const YOUNG_EPOCHS: u64 = 720;
/// Proven storage with which a witness may speak of any node.
pub const WITNESS_STORAGE_ENOUGH: Bytes = Bytes(100 << 30);
/// Of nodes that claim little: proven storage that a witness needs is one part in so many of that.
pub const WITNESS_STORAGE_SHARE: u64 = 16;
/// Steps of the beacon: about 0.3 s of one core, spent again by all who check the first block of an
/// epoch.
pub const BEACON_STEPS_MAX: u32 = 1 << 22;
/// Most that a unit may cost, in micro-USD: 4 USD an hour for one CU. With [`CONTRACT_BYTES_MAX`],
/// [`CONTRACT_PERIOD_MS_MAX`] and [`PLACES_MAX`] a price is still computed in 128 bits.
pub const UNIT_PRICE_MAX: u64 = 1 << 22;
/// Most that a token may be worth, in micro-USD: a million USD.
pub const TOKEN_PRICE_MAX: u64 = 1_000_000_000_000;
/// Tiers of discounts.
pub const COMMITMENTS_MAX: usize = 8;
/// Accounts that post the price of a token; a median of so many is hard to buy.
pub const FEEDS_MAX: usize = 32;
/// Contracts made, or broken off, by one transaction: bounds what one may make the ledger do.
pub const GANG_MAX: usize = 32;
/// Shorter labels are too few to be given away for the price of any.
pub const LABEL_BYTES_MIN: usize = 3;
/// Bytes of the label of a name contract; with its tag and length it fits a key.
pub const LABEL_BYTES_MAX: usize = 48;
/// Bytes of a node's words on why a workload was rejected or failed.
pub const FAULT_BYTES_MAX: usize = 128;
/// Cores of a workload, in thousandths: 1,024 whole ones.
pub const WORKLOAD_CORES_MILLI_MAX: u64 = 1_024_000;
/// Memory of a workload: 64 TiB.
pub const WORKLOAD_MEMORY_MAX: Bytes = Bytes(1 << 46);
/// IPv4 addresses of a workload.
pub const WORKLOAD_IPV4_MAX: u32 = 256;

/// Seats of one term: as the engine takes, and two sets of them fit one object.
pub const SEATS_MAX: usize = 96;
/// Validators named by a genesis: each gets a seat.
pub const VALIDATORS_MAX: usize = SEATS_MAX;
/// Candidates for seats: all are read once a term. When there are so many, a newcomer takes the place of the
/// one without a seat that is worth least, so the list cannot be filled with empty ones.
pub const CANDIDATES_MAX: u32 = 512;
/// Parts of a stake on their way back at one time.
pub const RELEASES_MAX: usize = 8;
/// Nodes that stand behind one candidate.
pub const BACKING_NODES_MAX: usize = 32;
/// Keys that may admit to a grid.
pub const ADMITTERS_MAX: usize = 16;
/// Accounts, farmers and validators that a genesis admits by name.
pub const ADMITTED_MAX: usize = 1_000;
/// Nodes that one ballot may name.
pub const BALLOT_NODES_MAX: usize = 512;
/// Bytes of the reason given with a proposal: a sentence and where to read on.
pub const REASON_BYTES_MAX: usize = 512;
/// Longest vote, and longest time lock: 90 days.
pub const VOTING_MS_MAX: u64 = 90 * 24 * 3_600 * 1_000;
/// Shortest vote and time lock: a second, for tests and tours.
pub const VOTING_MS_MIN: u64 = 1_000;
/// Shortest vote and time lock on a live grid: a day.
pub const LIVE_VOTING_MS_MIN: u64 = 24 * 3_600 * 1_000;
/// The newest version of the rules that this program knows.
pub const RULES_KNOWN: u32 = 1;
/// Grants of a local or test genesis.
pub const GRANTS_MAX: usize = 10_000;

/// Bytes of the name of a farming policy.
pub const POLICY_NAME_BYTES_MAX: usize = 32;
/// Lines of one receipt of minting: one for each [`crate::mint::MintItem`], and one to spare.
pub const MINT_LINES_MAX: usize = 9;
/// The highest rate of a farming policy: 1,000 USD, so that the product of a line fits 128 bits.
pub const RATE_MAX: MicroUsd = MicroUsd(1_000_000_000);
/// Months that a grant is spread over at most: ten years.
pub const VEST_MONTHS_MAX: u16 = 120;
/// Tokens of a grant for the bytes that it is for: 100,000 TFT.
pub const SEED_AMOUNT_MAX: Amount = Amount(100_000 * Amount::UNITS_PER_TFT);
/// Policies of one grid: each stays for ever.
pub const POLICIES_MAX: usize = 16;
/// Periods of a node that wait to be paid; one more pays them all.
pub const CLOSED_SPANS_MAX: usize = 12;
/// Epochs of one period: more than a year of hours.
pub const PERIOD_EPOCHS_MAX: u64 = 10_000;
/// The most an honest witness gets on top of its own reward, in permille.
pub const WITNESS_PERMILLE_MAX: u16 = 500;
/// Epochs for which a farm's stake stays locked at most.
pub const UNBONDING_EPOCHS_MAX: u64 = 10_000;
/// On a live grid a stake stays at least for the epochs of a day of hours: longer than any settlement
/// that could take from it should wait.
pub const LIVE_UNBONDING_EPOCHS_MIN: u64 = 24;
/// Parts of a farm's stake on their way back at one time.
pub const FARM_RELEASES_MAX: usize = 8;
/// Members of a cooperative.
pub const MEMBERS_MAX: usize = 32;
/// Those who have to agree to a change: former and new members.
pub const MEMBERS_TWICE: usize = 2 * MEMBERS_MAX;
/// Parts of one member.
pub const PARTS_MAX: u32 = 1_000_000;
/// Accounts whose word certifies.
pub const CERTIFIERS_MAX: usize = 32;
/// Attestations of one farm: one of each certifier for each of two levels.
pub const ATTESTATIONS_MAX: usize = 2 * CERTIFIERS_MAX;
/// Epochs for which an attestation holds at most: more than four years of hours.
pub const ATTESTATION_EPOCHS_MAX: u64 = 40_000;
/// Good periods in a row that a record may be asked for: ten years of months.
pub const MERIT_PERIODS_MAX: u64 = 120;
/// Naps of a node in one period.
pub const NAPS_MAX: u64 = 1_000;
/// Epochs of one nap: a week of hours, so that what sleeps is proven again at least so often.
pub const NAP_EPOCHS_MAX: u64 = 168;
/// Epochs that a node that is called may take to get up.
pub const WAKE_EPOCHS_MAX: u64 = 24;
/// Bytes of a plot's region or of a puzzle's lane: a few leaves (tests use it).
pub const PLOT_BYTES_MIN: u64 = 32 << 10;
/// Bytes of a plot's region or of a puzzle's lane at most: each is held in memory as a whole.
pub const PLOT_BYTES_MAX: u64 = 1 << 30;
/// Times that a region is written over at most.
pub const PLOT_LAYERS_MAX: u64 = 8;
/// Samples of one visit: an answer with so many fits its limit.
pub const SAMPLES_MAX: u64 = 16;
/// Places at which an answer to a puzzle is computed again.
pub const PROBES_MAX: u64 = 8;
/// Steps of a lane.
pub const PUZZLE_STEPS_MAX: u64 = 1 << 20;
/// Steps of a chase, at least: fewer tell no disk from luck.
pub const CHASE_STEPS_MIN: u64 = 8;
/// Steps of a chase.
pub const CHASE_STEPS_MAX: u64 = 1 << 16;
/// Steps of a chase that are opened: an answer with so many fits its limit.
pub const CHASE_PROBES_MAX: u64 = 32;
/// Milliseconds of a chase over storage that is just fast enough: well below an epoch of a real grid.
pub const CHASE_MS_MAX: u64 = 120_000;
/// Musters of an epoch, on average, at most: with a sixteenth of an epoch between two there is room
/// for ten in the part of it in which they are called.
pub const MUSTERS_MAX: u64 = 8;
/// No muster in this part of an epoch from its beginning, so that all know their witnesses.
pub const MUSTER_SOONEST_DIVISOR: u64 = 8;
/// No muster in this part of an epoch before its end, so that work and probes end within it.
pub const MUSTER_LATEST_DIVISOR: u64 = 4;
/// At least this part of an epoch between two musters, so that no node does the work of two at once.
pub const MUSTER_SPACING_DIVISOR: u64 = 16;
/// Time that one block counts for at most when a muster is drawn: after a long halt the first block
/// shall not be sure to call one.
pub const MUSTER_STEP_MS_MAX: u64 = 10_000;
/// A live grid's musters end in time if a sixteenth of an epoch has room for so many times par: half as much
/// again as for the eight lanes that a core is asked for at most.
pub const MUSTER_PARS: u64 = 12;
/// Years that a farm is planned ahead.
pub const PLAN_YEARS_MAX: u8 = 50;

const _: () = assert!(TWIN_KEYS_MAX * (TWIN_KEY_BYTES_MAX + 5) + 256 <= VALUE_BYTES_MAX);
// A contract has an id and a stand for each place.
const _: () = assert!(PLACES_MAX * (32 + 20) + 1024 <= VALUE_BYTES_MAX);
// What a ballot, a candidate and a beacon hold grows with these; a larger value could not be proven.
const _: () = assert!(BALLOT_NODES_MAX * 32 + 64 <= VALUE_BYTES_MAX);
const _: () = assert!(BACKING_NODES_MAX * 32 + RELEASES_MAX * 16 + 1024 <= VALUE_BYTES_MAX);
const _: () = assert!(SEATS_MAX * 256 <= VALUE_BYTES_MAX);
const _: () = assert!(VALUE_BYTES_MAX + 512 <= TRANSACTION_BYTES_MAX);
const _: () = assert!(TRANSACTION_BYTES_MAX <= PAYLOAD_BYTES_MAX);
const _: () =
    assert!(GRANTS_MAX * 40 + VALIDATORS_MAX * 168 + ADMITTED_MAX * 33 + 4096 <= GENESIS_BYTES_MAX);
const _: () = assert!(2 * (SEATS_MAX * (32 + 2 * (4 + TEXT_BYTES_MAX)) + 4) + 8 <= VALUE_BYTES_MAX);
const _: () = assert!(MUSTER_SPACING_DIVISOR >= MUSTER_LATEST_DIVISOR);
const _: () = assert!(HANDLE_BYTES_MAX + 8 <= KEY_BYTES_MAX);
const _: () = assert!(LABEL_BYTES_MAX + 5 <= KEY_BYTES_MAX);
