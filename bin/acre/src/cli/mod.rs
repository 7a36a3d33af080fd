//! The command line (DESIGN section 8; stable). Completions are made from these definitions.

mod contract;
mod farm;
mod grid;
mod person;
mod storage;
mod vote;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

pub(crate) use contract::{Contract, Offer, Service, Term, Workload};
pub(crate) use farm::{Farm, FarmMembers, Join, Level, Node, PolicyName, Simulate};
pub(crate) use grid::{Admit, Grid, Kind, Ledger, NewGrid, NewValidator, Proof, Validator};
pub(crate) use person::{Id, IdHandle, IdKey, IdRecovery, Role, Wallet};
pub(crate) use storage::{Explain, Get, Ls, Mv, Put, Repair, Rm};
pub(crate) use vote::{Admitted, Cast, Change, Propose, Side as VoteSide, Vote};

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
    /// How long to wait for validators, and for what was sent to be final, as in 10s [default: 1min].
    #[arg(long, global = true, value_name = "TIME", value_parser = time)]
    pub(crate) timeout: Option<Duration>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Reads a time as settings are written.
fn time(text: &str) -> Result<Duration, String> {
    let ms = crate::setting::read_span(text);
    ms.map(Duration::from_millis).ok_or_else(|| "not a time, as 500ms, 10s or 2min".to_owned())
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
    /// Votes: how a grid changes its own settings.
    #[command(subcommand)]
    Vote(Vote),
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
    /// Seconds of a capacity epoch, in which nodes watch each other and earn once; a grid keeps the
    /// epochs it was made with [default: 60].
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u16).range(2..=3600))]
    pub(crate) epoch: Option<u16>,
    /// Space that each new node fills, to show its witnesses that it is free.
    #[arg(long, default_value = "32MiB", value_name = "SIZE")]
    pub(crate) plots: acre_types::Bytes,
    /// A setting of a new grid other than usual, as `acre vote settings` names them.
    #[arg(long = "set", value_name = "SETTING=VALUE", hide = true)]
    pub(crate) settings: Vec<String>,
    /// Return when the grid is ready and leave it running.
    #[arg(long)]
    pub(crate) detach: bool,
    /// This is the process that `--detach` left behind.
    #[arg(long, hide = true)]
    pub(crate) supervisor: bool,
    /// Stop when standard input ends.
    #[arg(long, hide = true)]
    pub(crate) supervised: bool,
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
