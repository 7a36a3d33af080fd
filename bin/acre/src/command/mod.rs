//! What each subcommand does.

use crate::cli::{self, Cli, Command};
use crate::exit::Outcome;
use crate::grid::control::Request;
use crate::grid::up;
use crate::home::Home;
use crate::output::Output;
use crate::role::{self, Keeper};

pub(crate) async fn run(cli: Cli, out: &Output) -> Outcome {
    let home = Home::find(cli.home)?;
    match cli.command {
        Command::Up(options) if options.detach => up::detach(&home, &options, out),
        Command::Up(options) => up::up(&home, &options, out).await,
        Command::Down => up::down(&home, out),
        Command::Status => up::status(&home, out).await,
        Command::Node(cli::Node::Run(run)) => role::node::run(&run.dir, keeper(&run)).await,
        Command::Node(cli::Node::Stop { id }) => up::switch(&home, &Request::Stop { id }, out),
        Command::Node(cli::Node::Start { id }) => up::switch(&home, &Request::Start { id }, out),
        Command::Validator(cli::Validator::Run(run)) => {
            role::validator::run(&run.dir, keeper(&run)).await
        }
        Command::Gateway(cli::Gateway::Run(run)) => {
            role::gateway::run(&run.dir, keeper(&run)).await
        }
        _ => Err(anyhow::anyhow!("this command is being written")),
    }
}

const fn keeper(run: &cli::Run) -> Keeper {
    if run.supervised { Keeper::Supervisor } else { Keeper::Nobody }
}
