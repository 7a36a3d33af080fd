//! Words about the ledger and those who keep it.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Run;

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
        /// account, twin, farm, node, contract, totals or parameters; and grid, epoch, beacon, muster, seats,
        /// candidate KEY, proposal N, earnings NODE, receipt NODE/PERIOD.
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
pub(crate) enum Grid {
    /// Write the genesis of a new grid: its validators, its rules, who may take part.
    New(Box<NewGrid>),
    /// Let this home belong to a grid.
    Join {
        /// A local grid's home, or its genesis file.
        grid: PathBuf,
    },
    /// What a genesis says: name, chain, validators, admission.
    Show {
        /// A local grid's home, or its genesis file [default: the grid of this home].
        grid: Option<PathBuf>,
    },
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
    /// A setting other than usual, as `acre vote settings` names them: governance.voting_ms=2d
    #[arg(long = "set", value_name = "SETTING=VALUE")]
    pub(crate) settings: Vec<String>,
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
    /// A grid that it is to join: a local grid's home, or a genesis file, which is copied. Without
    /// it, put the genesis into the directory when there is one.
    #[arg(long, value_name = "GRID")]
    pub(crate) grid: Option<PathBuf>,
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
    /// Who votes, who would like to, and who sits next.
    List,
    /// Stand for a seat: register the validator in a directory, with a stake of this account.
    Join {
        /// The validator's directory, as `acre validator new` made it.
        #[arg(long)]
        dir: PathBuf,
        /// Tokens to lock, in TFT [default: the least that the grid asks for].
        #[arg(long, value_name = "TFT")]
        stake: Option<acre_types::Amount>,
        /// An own node whose proven capacity stands behind it, for grids that seat by capacity.
        #[arg(long = "node", value_name = "ID")]
        nodes: Vec<acre_types::NodeId>,
    },
    /// Say anew where a candidate is reached, or which nodes stand behind it; what is not named stays.
    Set {
        /// Where other validators reach it: an IP address and a port.
        #[arg(long, value_name = "ADDRESS")]
        engine: Option<std::net::SocketAddr>,
        /// Where readers ask it.
        #[arg(long, value_name = "ADDRESS")]
        rpc: Option<std::net::SocketAddr>,
        /// An own node that stands behind it; those named here are all there are.
        #[arg(long = "node", value_name = "ID", conflicts_with = "no_nodes")]
        nodes: Vec<acre_types::NodeId>,
        /// No node stands behind it any more.
        #[arg(long)]
        no_nodes: bool,
        /// The directory of a validator of the genesis, whose own key is its account.
        #[arg(long)]
        dir: Option<PathBuf>,
    },
    /// Give up the seat, or the wish for one. The stake comes back some terms later, by `collect`.
    Leave {
        /// The directory of a validator of the genesis, whose own key is its account.
        #[arg(long)]
        dir: Option<PathBuf>,
    },
    /// Add to the stake of this account's candidate.
    Stake {
        /// In TFT, as in 12.5.
        amount: acre_types::Amount,
    },
    /// Ask for part of the stake back; it comes some terms later, by `collect`.
    Unstake {
        /// In TFT, as in 12.5.
        amount: acre_types::Amount,
    },
    /// Have what is due of a stake paid back.
    Collect {
        /// The candidate's key [default: this account's].
        validator: Option<acre_types::PublicKey>,
    },
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
