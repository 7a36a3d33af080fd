//! Words about votes: how a grid changes its own settings.

use acre_types::{Amount, NodeId};
use clap::{Args, Subcommand, ValueEnum};

#[derive(Subcommand)]
pub(crate) enum Vote {
    /// All proposals.
    List,
    /// One proposal: what it would change, and how the vote stands.
    Show {
        /// Its number.
        number: u64,
    },
    /// All settings of the grid, what they are now, and within which bounds a vote may change them.
    Settings {
        /// Only those whose names begin so, as in fees.
        #[arg(default_value = "")]
        prefix: String,
    },
    /// Ask for a change; a deposit is held until the vote is closed.
    Propose(Propose),
    /// Vote on a proposal, or vote anew.
    Cast(Cast),
    /// Count the votes of a proposal whose time is over. Anyone may do this.
    Close {
        /// Its number.
        number: u64,
    },
    /// Put into effect what was passed, after its time lock. Anyone may do this.
    Enact {
        /// Its number.
        number: u64,
    },
    /// Have somebody's ballot weighed again. Anyone may do this.
    Weigh {
        /// The proposal's number.
        number: u64,
        /// Whose ballot [default: your own].
        voter: Option<acre_types::AccountId>,
    },
    /// Tokens that this account has locked to vote with.
    Voice,
    /// Lock tokens to vote with.
    Lock {
        /// In TFT, as in 12.5.
        amount: Amount,
    },
    /// Unlock tokens once nothing voted on with them is open.
    Unlock {
        /// In TFT, as in 12.5.
        amount: Amount,
    },
}

#[derive(Args)]
pub(crate) struct Propose {
    /// Why, in a few words.
    #[arg(long, global = true, default_value = "")]
    pub(crate) reason: String,
    #[command(subcommand)]
    pub(crate) change: Change,
}

/// What a vote can change.
#[derive(Subcommand)]
pub(crate) enum Change {
    /// Other settings, all of one group: acre vote propose set fees.byte=0.000001 --reason cheaper
    Set {
        /// As `acre vote settings` names and writes them.
        #[arg(required = true, value_name = "SETTING=VALUE")]
        settings: Vec<String>,
    },
    /// Somebody is in, where admission is by vote.
    Admit {
        /// What somebody may be.
        what: Admitted,
        /// An account, or the key of a validator.
        id: String,
    },
    /// Somebody is out, where admission is by vote.
    Revoke {
        /// What somebody may no longer be.
        what: Admitted,
        /// An account, or the key of a validator.
        id: String,
    },
    /// A later version of the ledger's rules, from a height on.
    Rules {
        /// Its number.
        version: u32,
        /// First block by them.
        height: u64,
    },
    /// No other rules: what was decided for later does not come.
    KeepRules,
}

/// What one may be admitted as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Admitted {
    /// To have an account.
    Account,
    /// To make farms.
    Farmer,
    /// To get a seat.
    Validator,
}

#[derive(Args)]
pub(crate) struct Cast {
    /// The proposal's number.
    pub(crate) number: u64,
    /// yes or no.
    pub(crate) side: Side,
    /// An own node whose proven capacity shall count [default: all own nodes, up to 512].
    #[arg(long = "node", value_name = "ID")]
    pub(crate) nodes: Vec<NodeId>,
}

/// For or against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Side {
    /// For it.
    Yes,
    /// Against it.
    No,
}
