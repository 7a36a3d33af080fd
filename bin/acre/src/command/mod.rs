//! What each subcommand does.

mod attest;
mod candidate;
pub(crate) mod contract;
mod doctor;
mod farm;
mod grid;
mod id;
mod ledger;
pub(crate) mod node;
pub(crate) mod person;
mod plan;
mod proof;
mod recovery;
pub(crate) mod reward;
pub(crate) mod show;
mod stake;
pub(crate) mod storage;
mod twin;
mod validator;
mod vote;
mod wallet;

use acre_client::RepairMode;
use acre_ledger::NodeState;
use clap::CommandFactory;
use serde_json::json;

use self::candidate::Change;
use self::node::Turn;
use crate::cli::{self, Cli, Command};
use crate::exit::Outcome;
use crate::grid::control::{Kind, Request};
use crate::grid::up;
use crate::home::Home;
use crate::output::Output;
use crate::role::{self, Keeper};
use crate::tour;

pub(crate) async fn run(cli: Cli, out: &Output) -> Outcome {
    let home = Home::find(cli.home)?;
    match cli.command {
        Command::Up(options) if options.detach => up::detach(&home, &options, out),
        Command::Up(options) => up::up(&home, &options, out).await,
        Command::Down => up::down(&home, out),
        Command::Status => up::status(&home, out).await,
        Command::Id(command) => id::run(&home, command, out).await,
        Command::Node(command) => node(&home, command, out).await,
        Command::Farm(command) => farm::run(&home, command, out).await,
        Command::Wallet(command) => wallet::run(&home, command, out).await,
        Command::Ledger(command) => ledger::run(&home, command, out).await,
        Command::Contract(command) => contract::run(&home, command, out).await,
        Command::Vote(command) => vote::run(&home, command, out).await,
        Command::Grid(cli::Grid::New(new)) => grid::new(&new, out),
        Command::Grid(cli::Grid::Join { grid }) => grid::join(&home, &grid, out),
        Command::Grid(cli::Grid::Show { grid }) => grid::show(&home, grid.as_deref(), out),
        Command::Proof(command) => proof::run(&home, command, out).await,
        Command::Validator(command) => validator(&home, command, out).await,
        Command::Gateway(cli::Gateway::Run(run)) => {
            role::gateway::run(&run.dir, keeper(&run)).await
        }
        Command::Doctor => doctor::run(&home, out).await,
        Command::Bench(options) => crate::bench::run(&options, out).await,
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "acre", &mut script);
            out.lines(String::from_utf8_lossy(&script).trim_end());
            Ok(())
        }
        Command::Version => {
            let version = env!("CARGO_PKG_VERSION");
            out.data(&json!({ "version": version }), || format!("acre {version}"));
            Ok(())
        }
        Command::Put(options) => storage::put(&home, &options, out).await,
        Command::Get(options) => storage::get(&home, &options, out).await,
        Command::Ls(options) => storage::ls(&home, &options, out).await,
        Command::Rm(options) => storage::rm(&home, &options, out).await,
        Command::Mv(options) => storage::mv(&home, &options, out).await,
        Command::Explain(options) => storage::explain(&home, &options, out).await,
        Command::Repair(options) => {
            let mode = if options.wait { RepairMode::Now } else { RepairMode::ByUrgency };
            storage::repair(&home, mode, out).await
        }
        Command::Scrub => storage::repair(&home, RepairMode::Scrub, out).await,
        Command::Tour(options) => tour::run(&home, &options, out).await,
    }
}

async fn node(home: &Home, command: cli::Node, out: &Output) -> Outcome {
    match command {
        cli::Node::Run(run) => role::node::run(&run.dir, keeper(&run)).await,
        cli::Node::Stop { id } => up::switch(home, &Request::Stop { kind: Kind::Node, id }, out),
        cli::Node::Start { id } => up::switch(home, &Request::Start { kind: Kind::Node, id }, out),
        cli::Node::List => node::list(home, out).await,
        cli::Node::Show { id } => node::show(home, &id, out).await,
        cli::Node::Drain { id, undo: false } => {
            node::turn(home, &id, Turn::To(NodeState::Draining), out).await
        }
        cli::Node::Drain { id, undo: true } => {
            node::turn(home, &id, Turn::To(NodeState::Active), out).await
        }
        cli::Node::Retire { id } => node::turn(home, &id, Turn::To(NodeState::Retired), out).await,
        cli::Node::Sleep { id, after, epochs } => {
            node::turn(home, &id, Turn::Sleep { after, epochs }, out).await
        }
        cli::Node::Wake { id } => node::turn(home, &id, Turn::Wake, out).await,
        cli::Node::Join(join) => node::join(&join, out),
    }
}

async fn validator(home: &Home, command: cli::Validator, out: &Output) -> Outcome {
    let kind = Kind::Validator;
    match command {
        cli::Validator::Run(run) => role::validator::run(&run.dir, keeper(&run)).await,
        cli::Validator::New(new) => grid::validator(&new, out),
        cli::Validator::List => validator::list(home, out).await,
        cli::Validator::Stop { id } => up::switch(home, &Request::Stop { kind, id }, out),
        cli::Validator::Start { id } => up::switch(home, &Request::Start { kind, id }, out),
        cli::Validator::Join { dir, stake, nodes } => {
            candidate::join(home, &dir, stake, nodes, out).await
        }
        cli::Validator::Set { engine, rpc, nodes, no_nodes, dir } => {
            let nodes = (no_nodes || !nodes.is_empty()).then_some(nodes);
            let new = candidate::Update { engine, rpc, nodes };
            candidate::set(home, dir.as_deref(), new, out).await
        }
        cli::Validator::Leave { dir } => candidate::leave(home, dir.as_deref(), out).await,
        cli::Validator::Stake { amount } => candidate::stake(home, Change::More, amount, out).await,
        cli::Validator::Unstake { amount } => {
            candidate::stake(home, Change::Less, amount, out).await
        }
        cli::Validator::Collect { validator } => candidate::collect(home, validator, out).await,
    }
}

const fn keeper(run: &cli::Run) -> Keeper {
    if run.supervised { Keeper::Supervisor } else { Keeper::Nobody }
}
