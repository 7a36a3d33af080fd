//! Words about nodes and farms.

use std::path::PathBuf;

use acre_types::Amount;
use clap::{Args, Subcommand};

use super::Run;

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
    /// Have an own node take no new contracts; it keeps those it has.
    Drain {
        /// Its id, or a unique beginning of it.
        id: String,
        /// Take new ones again.
        #[arg(long)]
        undo: bool,
    },
    /// Say that an own node is gone for good: contracts should move away.
    Retire {
        /// Its id, or a unique beginning of it.
        id: String,
    },
    /// Announce that an own, empty node sleeps: the time does not count as down.
    Sleep {
        /// Its id, or a unique beginning of it.
        id: String,
        /// Epochs until it begins.
        #[arg(long = "in", value_name = "EPOCHS", default_value_t = 1)]
        after: u64,
        /// For how many epochs.
        #[arg(long = "for", value_name = "EPOCHS", default_value_t = 8)]
        epochs: u16,
    },
    /// End a sleep, or call it off.
    Wake {
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
    /// Change the name of an own farm, or the account that it earns for.
    Set {
        /// Its number.
        id: acre_types::FarmId,
        /// The new name.
        #[arg(long)]
        name: Option<String>,
        /// The account that earns from now on.
        #[arg(long, value_name = "ACCOUNT")]
        payout: Option<acre_types::AccountId>,
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
    /// Add to what a farm has at stake: tenants are paid from it for nodes that were down.
    Stake {
        /// The farm's number.
        id: acre_types::FarmId,
        /// In TFT, as in 12.5.
        amount: Amount,
    },
    /// Ask for part of a farm's stake; it comes back some epochs later, by `collect`.
    Unstake {
        /// The farm's number.
        id: acre_types::FarmId,
        /// In TFT, as in 12.5.
        amount: Amount,
    },
    /// Have what is due of a farm's stake paid back to its owner.
    Collect {
        /// The farm's number.
        id: acre_types::FarmId,
    },
    /// As one whose word counts here: say that you saw evidence for a level of somebody else's farm.
    Attest {
        /// The farm's number.
        id: acre_types::FarmId,
        /// What was shown.
        level: Level,
        /// The evidence, which stays with you; its hash goes on the ledger.
        #[arg(long, value_name = "FILE")]
        evidence: PathBuf,
        /// For how many epochs your word holds [default: as long as it may].
        #[arg(long)]
        epochs: Option<u64>,
    },
    /// Take such a word back: your own, or as the farm's owner that of somebody.
    Unattest {
        /// The farm's number.
        id: acre_types::FarmId,
        /// Whose word [default: your own].
        by: Option<acre_types::AccountId>,
    },
    /// Who shares what a farm earns.
    #[command(subcommand)]
    Members(FarmMembers),
    /// What a farm that you think of would earn, year by year, by the code that mints.
    Simulate(Simulate),
}

/// Who shares what a farm earns: a cooperative.
#[derive(Subcommand)]
pub(crate) enum FarmMembers {
    /// Say who shall share what a farm earns, and in which parts. In effect once all have accepted
    /// who are members now or shall be.
    Propose {
        /// The farm's number.
        id: acre_types::FarmId,
        /// The whole new list, as in ACCOUNT=3; none to pay the farm's payout account again.
        #[arg(value_name = "ACCOUNT=PARTS")]
        members: Vec<String>,
    },
    /// Accept what was proposed.
    Accept {
        /// The farm's number.
        id: acre_types::FarmId,
        /// The list that you agree to; another one is not accepted [default: what is proposed now].
        #[arg(value_name = "ACCOUNT=PARTS")]
        members: Vec<String>,
    },
    /// Who shares now, what is proposed, and who has still to accept.
    Show {
        /// The farm's number.
        id: acre_types::FarmId,
    },
}

/// What a certifier may attest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Level {
    /// Known hardware, known hands.
    Certified,
    /// And more, as the grid's people define it.
    Gold,
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
    /// Public traffic of a node a month that tenants pay for.
    #[arg(long, default_value = "0", value_name = "SIZE")]
    pub(crate) traffic: acre_types::Bytes,
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
