//! The command line (DESIGN section 8; stable). Completions are made from these definitions.

use std::ffi::OsString;
use std::path::PathBuf;

use acre_types::{Amount, Profile};
use clap::{Args, Parser, Subcommand};

/// A cloud that its users own.
#[derive(Parser)]
#[command(name = "acre", version, about, propagate_version = true, disable_version_flag = true)]
#[command(after_help = "Begin with:  acre up     then:  acre put ~/Documents     and:  acre tour")]
pub(crate) struct Cli {
    /// Where identity, context and a local grid are kept [default: $ACRE_HOME, or the data directory of XDG].
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) home: Option<PathBuf>,
    /// Print data as JSON on standard output.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Only data and errors: no progress, no advice.
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Start a whole grid on this machine: validator, nodes and gateway, each a process of its own.
    Up(Up),
    /// Stop the grid on this machine; what it stores stays.
    Down,
    /// Who is there, and are they well.
    Status,
    /// Store a file or a directory.
    Put(Put),
    /// Fetch what was stored, by name or by object.
    Get(Get),
    /// List stored names.
    Ls(Ls),
    /// Remove stored names.
    Rm(Rm),
    /// Rename or move a stored name.
    Mv(Mv),
    /// Where the shards of a stored name lie, and how many losses it bears.
    Explain(Explain),
    /// Bring everything back to full redundancy.
    Repair(Repair),
    /// Have every shard read and checked by its node, and repair what is damaged.
    Scrub,
    /// Identity: the 24 words and the keys that grow from them.
    #[command(subcommand)]
    Id(Id),
    /// Nodes.
    #[command(subcommand)]
    Node(Node),
    /// Farms.
    #[command(subcommand)]
    Farm(Farm),
    /// Tokens.
    #[command(subcommand)]
    Wallet(Wallet),
    /// The ledger, checked against its validators' certificates.
    #[command(subcommand)]
    Ledger(Ledger),
    /// What is reserved and paid.
    #[command(subcommand)]
    Contract(Contract),
    /// Grids of one's own.
    #[command(subcommand)]
    Grid(Grid),
    /// What the ledger says, as a file that anybody checks offline.
    #[command(subcommand)]
    Proof(Proof),
    /// Validators.
    #[command(subcommand)]
    Validator(Validator),
    /// The status page's process (started by `up`).
    #[command(subcommand, hide = true)]
    Gateway(Gateway),
    /// The guided five minutes, on a real directory.
    Tour(Tour),
    /// Check this machine and this home, a line each.
    Doctor,
    /// Measure a grid on this machine: start, memory, put, get; beside restic where it is installed.
    Bench(crate::bench::Options),
    /// Completions for a shell.
    Completions {
        /// bash, zsh, fish, elvish or powershell.
        shell: clap_complete::Shell,
    },
    /// The version.
    Version,
}

impl Command {
    /// Whether this is a long-running process that keeps a log.
    pub(crate) const fn is_role(&self) -> bool {
        matches!(
            self,
            Self::Node(Node::Run(_)) | Self::Validator(Validator::Run(_)) | Self::Gateway(_)
        )
    }
}

/// A role's process.
#[derive(Args)]
pub(crate) struct Run {
    /// Its directory.
    #[arg(long)]
    pub(crate) dir: PathBuf,
    /// Stop when standard input ends.
    #[arg(long, hide = true)]
    pub(crate) supervised: bool,
}

#[derive(Args)]
pub(crate) struct Up {
    /// Node processes, each with a site, a farm and an operator of its own.
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u16).range(1..=200))]
    pub(crate) nodes: u16,
    /// Validator processes: 4 bear the loss of any one, 7 of any two.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=16))]
    pub(crate) validators: u8,
    /// Space that each node offers.
    #[arg(long, default_value = "64GiB", value_name = "SIZE")]
    pub(crate) capacity: acre_types::Bytes,
    /// Return when the grid is ready and leave it running.
    #[arg(long)]
    pub(crate) detach: bool,
    /// This is the process that `--detach` left behind.
    #[arg(long, hide = true)]
    pub(crate) supervisor: bool,
}

#[derive(Args)]
pub(crate) struct Put {
    /// A file or a directory.
    pub(crate) path: PathBuf,
    /// tiny, ten, standard, lean, wide or fortress [default: standard, or that of what has the name].
    #[arg(long)]
    pub(crate) profile: Option<Profile>,
    /// The name to store it under [default: / and the last part of PATH].
    #[arg(long, value_name = "NAME")]
    pub(crate) to: Option<OsString>,
}

#[derive(Args)]
pub(crate) struct Get {
    /// A stored name, or an object as `put` printed it.
    pub(crate) name: OsString,
    /// Where to write [default: the last part of NAME, in this directory]. Must not exist.
    pub(crate) out: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct Ls {
    /// Sizes, times and profiles too.
    #[arg(short, long)]
    pub(crate) long: bool,
    /// A stored name.
    #[arg(default_value = "/")]
    pub(crate) path: OsString,
}

#[derive(Args)]
pub(crate) struct Rm {
    /// Stored names.
    #[arg(required = true)]
    pub(crate) names: Vec<OsString>,
    /// Also directories and all below them.
    #[arg(short, long)]
    pub(crate) recursive: bool,
}

#[derive(Args)]
pub(crate) struct Mv {
    /// A stored name.
    pub(crate) from: OsString,
    /// The new name, or a directory to move into.
    pub(crate) to: OsString,
}

#[derive(Args)]
pub(crate) struct Explain {
    /// A stored name, or an object as `put` printed it.
    pub(crate) name: OsString,
}

#[derive(Args)]
pub(crate) struct Repair {
    /// Do not wait for a lost place to return, and return when all is repaired.
    #[arg(long)]
    pub(crate) wait: bool,
}

#[derive(Subcommand)]
pub(crate) enum Id {
    /// Draw 24 new words.
    New,
    /// The public side of this identity.
    Show,
    /// Print the 24 words.
    Words,
    /// Make a home from 24 words and the address of a grid; everything stored comes back with it.
    Restore {
        /// A file with the 24 words.
        #[arg(long, value_name = "FILE")]
        words_file: PathBuf,
        /// A local grid's home, or its genesis file.
        #[arg(long, value_name = "GRID")]
        grid: PathBuf,
    },
}

#[derive(Subcommand)]
pub(crate) enum Node {
    /// Run a node from its directory.
    Run(Run),
    /// Prepare a directory for a node of a farm, with that farm's token.
    Join(Join),
    /// All nodes on the ledger.
    List,
    /// One node.
    Show {
        /// Its id, or a unique beginning of it.
        id: String,
    },
    /// Kill a node of the local grid, as a power cut would (it stays dead until `start`).
    Stop {
        /// Its id, or a unique beginning of it.
        id: String,
    },
    /// Start a stopped node of the local grid.
    Start {
        /// Its id, or a unique beginning of it.
        id: String,
    },
}

#[derive(Args)]
pub(crate) struct Join {
    /// The node's directory, to be made.
    #[arg(long)]
    pub(crate) dir: PathBuf,
    /// A file with the farm-signed token (`acre farm token`).
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: PathBuf,
    /// A local grid's home, or its genesis file.
    #[arg(long, value_name = "GRID")]
    pub(crate) grid: PathBuf,
    /// Where the node stands.
    #[arg(long)]
    pub(crate) site: String,
    /// Two capital letters.
    #[arg(long)]
    pub(crate) country: acre_types::Country,
    /// Space to offer.
    #[arg(long, value_name = "SIZE")]
    pub(crate) capacity: acre_types::Bytes,
    /// Address and port to listen on.
    #[arg(long, default_value = "127.0.0.1:0")]
    pub(crate) listen: std::net::SocketAddr,
}

#[derive(Subcommand)]
pub(crate) enum Farm {
    /// Register a farm that this account owns.
    Create {
        /// Its name.
        name: String,
    },
    /// All farms, or one.
    Show {
        /// Its number.
        id: Option<acre_types::FarmId>,
    },
    /// Sign a token with which a node may join.
    Token {
        /// The farm's number.
        id: acre_types::FarmId,
    },
    /// What each node of a farm earned and why, every receipt computed again.
    Explain {
        /// The farm's number.
        id: acre_types::FarmId,
        /// How many periods back.
        #[arg(long, default_value_t = 12)]
        periods: u64,
    },
    /// Have every period that is over paid to the farm.
    Claim {
        /// The farm's number.
        id: acre_types::FarmId,
    },
    /// What a farm that you think of would earn, year by year, by the code that mints.
    Simulate(Simulate),
}

/// A farming policy by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum PolicyName {
    /// By units and time.
    Standard,
    /// 75 tokens for 2 TB over the first year, and 3 a year.
    Seed2017,
}

#[derive(Args)]
pub(crate) struct Simulate {
    /// Nodes, all alike.
    #[arg(long, default_value_t = 1)]
    pub(crate) nodes: u32,
    /// Logical processors of a node.
    #[arg(long, default_value_t = 4)]
    pub(crate) cores: u32,
    /// Memory of a node.
    #[arg(long, default_value = "8GiB", value_name = "SIZE")]
    pub(crate) memory: acre_types::Bytes,
    /// Fast storage of a node.
    #[arg(long, default_value = "500GB", value_name = "SIZE")]
    pub(crate) ssd: acre_types::Bytes,
    /// Slow storage of a node.
    #[arg(long, default_value = "2TB", value_name = "SIZE")]
    pub(crate) hdd: acre_types::Bytes,
    /// Public traffic of a node a month.
    #[arg(long, default_value = "0", value_name = "SIZE")]
    pub(crate) traffic: acre_types::Bytes,
    /// Public IPv4 addresses of a node.
    #[arg(long, default_value_t = 0)]
    pub(crate) ipv4: u32,
    /// The policy that nodes register under.
    #[arg(long, value_enum, default_value_t = PolicyName::Standard)]
    pub(crate) policy: PolicyName,
    /// The farm is certified.
    #[arg(long)]
    pub(crate) certified: bool,
    /// Share of the time that nodes are up, in permille.
    #[arg(long, default_value_t = 990, value_parser = clap::value_parser!(u16).range(0..=1000))]
    pub(crate) uptime_permille: u16,
    /// Price of a TFT in USD when the nodes register.
    #[arg(long, default_value = "0.08", value_name = "USD")]
    pub(crate) price: String,
    /// Price in USD at which a TFT is sold [default: as --price].
    #[arg(long, value_name = "USD")]
    pub(crate) market: Option<String>,
    /// Power that a node draws.
    #[arg(long, default_value_t = 15)]
    pub(crate) watts: u32,
    /// Price of a kilowatt hour in USD.
    #[arg(long, default_value = "0.25", value_name = "USD")]
    pub(crate) kwh: String,
    /// Price of a node in USD.
    #[arg(long, default_value = "0", value_name = "USD")]
    pub(crate) hardware: String,
    /// Years to look ahead.
    #[arg(long, default_value_t = 5)]
    pub(crate) years: u8,
}

#[derive(Subcommand)]
pub(crate) enum Wallet {
    /// What this account has.
    Balance,
    /// Send tokens.
    Send {
        /// An account.
        to: acre_types::AccountId,
        /// In TFT, as in 12.5.
        amount: Amount,
    },
    /// Transfers of this account that the validator still remembers.
    History,
}

#[derive(Subcommand)]
pub(crate) enum Ledger {
    /// Chain, height, state root, time, validators.
    Info,
    /// One block.
    Block {
        /// Its height.
        height: u64,
    },
    /// One transaction.
    Tx {
        /// Its id.
        id: acre_types::Digest,
    },
    /// An object with its proof: account ID, twin HANDLE, farm N, node ID, contract N, totals.
    Get {
        /// account, twin, farm, node, contract, totals or parameters.
        kind: String,
        /// Which one.
        id: Option<String>,
    },
    /// Check all blocks that are kept, and the newest state, trusting no validator's word.
    Verify {
        /// Only so many blocks, drawn at random.
        #[arg(long, value_name = "BLOCKS")]
        sample: Option<u32>,
    },
}

#[derive(Subcommand)]
pub(crate) enum Contract {
    /// All contracts of this account.
    List,
    /// One contract.
    Show {
        /// Its number.
        id: acre_types::ContractId,
    },
    /// Its bill, each line computed again, with its sums.
    Bill {
        /// Its number.
        id: acre_types::ContractId,
    },
}

#[derive(Subcommand)]
pub(crate) enum Grid {
    /// Write the genesis of a new grid: its validators, its rules, who may take part.
    New(NewGrid),
}

/// What a new grid is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// Not one token exists before capacity was proven.
    Live,
    /// May grant tokens that are worth nothing.
    Test,
}

/// Who lets others in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Admit {
    /// Everybody is in.
    Open,
    /// A vote of the members.
    Vote,
}

#[derive(Args)]
pub(crate) struct NewGrid {
    /// Its name, for people.
    pub(crate) name: String,
    /// A validator, as `acre validator new` printed it; once for each.
    #[arg(long = "validator", value_name = "LINE", required = true)]
    pub(crate) validators: Vec<String>,
    /// The account that receives 10 % of what contracts pay.
    #[arg(long, value_name = "ACCOUNT")]
    pub(crate) foundation: acre_types::AccountId,
    /// Live or test.
    #[arg(long, value_enum, default_value_t = Kind::Live)]
    pub(crate) kind: Kind,
    /// Who may have an account.
    #[arg(long, value_enum, default_value_t = Admit::Open)]
    pub(crate) accounts: Admit,
    /// Who may make farms.
    #[arg(long, value_enum, default_value_t = Admit::Open)]
    pub(crate) farms: Admit,
    /// Who may get a seat among the validators.
    #[arg(long, value_enum, default_value_t = Admit::Open)]
    pub(crate) seats: Admit,
    /// An account that may take part and make farms from the start.
    #[arg(long = "admit", value_name = "ACCOUNT")]
    pub(crate) admitted: Vec<String>,
    /// Tokens from nothing, on test grids.
    #[arg(long = "grant", value_name = "ACCOUNT=TFT")]
    pub(crate) grants: Vec<String>,
    /// Transactions cost nothing until a vote changes that: on a live grid nobody has a token yet.
    #[arg(long)]
    pub(crate) free: bool,
    /// The file to write.
    #[arg(long, short = 'o', value_name = "FILE", default_value = "genesis")]
    pub(crate) out: PathBuf,
}

#[derive(Args)]
pub(crate) struct NewValidator {
    /// Its directory, to be made.
    #[arg(long)]
    pub(crate) dir: PathBuf,
    /// Where readers will ask it: an address and a port of this machine that others reach.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) rpc: std::net::SocketAddr,
    /// Where other validators will reach it.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) engine: std::net::SocketAddr,
}

#[derive(Subcommand)]
pub(crate) enum Proof {
    /// Write a proof to a file that anybody can check offline: of account ID, twin HANDLE, farm N, node ID, contract N, totals, or tx ID.
    Export {
        /// account, twin, farm, node, contract, totals, parameters or tx.
        kind: String,
        /// Which one.
        id: Option<String>,
        /// The file to make.
        #[arg(long, short = 'o', value_name = "FILE", default_value = "acre.proof")]
        file: PathBuf,
    },
    /// Check such a file against a genesis, without any network.
    Verify {
        /// The file.
        file: PathBuf,
        /// A local grid's home, or its genesis file [default: the grid of this home].
        #[arg(long, value_name = "GRID")]
        grid: Option<PathBuf>,
    },
}

#[derive(Subcommand)]
pub(crate) enum Validator {
    /// Run a validator from its directory.
    Run(Run),
    /// Make a validator's directory and key, and print the line that a genesis needs of it.
    New(NewValidator),
    /// Who votes.
    List,
    /// Kill a validator of the local grid, as a power cut would (it stays dead until `start`).
    Stop {
        /// Its id, or a unique beginning of it.
        id: String,
    },
    /// Start a stopped validator of the local grid.
    Start {
        /// Its id, or a unique beginning of it.
        id: String,
    },
}

#[derive(Subcommand)]
pub(crate) enum Gateway {
    /// Run the gateway from its directory.
    Run(Run),
}

#[derive(Args)]
pub(crate) struct Tour {
    /// A real directory to store [default: /usr/share/doc, or what stands for it].
    pub(crate) directory: Option<PathBuf>,
    /// Do not pause between the steps.
    #[arg(long)]
    pub(crate) no_pause: bool,
}
