//! Words about oneself: identity, tokens, contracts.

use std::path::PathBuf;

use acre_types::Amount;
use clap::Subcommand;

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
