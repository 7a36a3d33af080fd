//! Words about oneself: identity, tokens, contracts.

use std::path::PathBuf;

use acre_ledger::Handle;
use acre_types::{AccountId, Amount};
use clap::{Subcommand, ValueEnum};

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
    /// The handle under which others find this account.
    #[command(subcommand)]
    Handle(IdHandle),
    /// The keys that stand in the phonebook under this account's handle.
    #[command(subcommand)]
    Key(IdKey),
    /// How a handle comes back whose owner lost the words.
    #[command(subcommand)]
    Recovery(IdRecovery),
}

#[derive(Subcommand)]
pub(crate) enum IdHandle {
    /// Take a handle for this account; a deposit is held for it.
    Claim {
        /// 3 to 32 of a-z, 0-9 and -.
        handle: Handle,
    },
    /// Who has a handle, and with which keys.
    Show {
        /// Which [default: this account's].
        handle: Option<Handle>,
    },
    /// Offer this account's handle to another account, which then accepts it.
    Give {
        /// The handle, so that none is given by mistake.
        handle: Handle,
        /// To whom; nobody takes the offer back.
        to: Option<AccountId>,
    },
    /// Take over a handle that was offered to this account.
    Accept {
        /// Which.
        handle: Handle,
    },
    /// Give the handle back: nine tenths of its deposit return, its keys are removed.
    Release {
        /// The handle, so that none is released by mistake.
        handle: Handle,
    },
}

/// What a key in the phonebook is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// Signs in the owner's name (Ed25519).
    Sign,
    /// Others seal to it (X25519, or X25519 and ML-KEM-768).
    Agree,
    /// Of one device (Ed25519).
    Device,
    /// Of somebody who may help to recover (Ed25519): an account id of a friend will do.
    Recover,
}

#[derive(Subcommand)]
pub(crate) enum IdKey {
    /// Add a key; the handle's epoch counts up.
    Add {
        /// What it is for.
        role: Role,
        /// The public key in hexadecimal.
        key: String,
    },
    /// Remove a key; the handle's epoch counts up.
    Remove {
        /// The public key in hexadecimal, or a unique beginning of it.
        key: String,
    },
    /// All keys of a handle with their roles.
    List {
        /// Which [default: this account's].
        handle: Option<Handle>,
    },
}

#[derive(Subcommand)]
pub(crate) enum IdRecovery {
    /// Say how this account's handle may be recovered: by so many of its recover keys together.
    Set {
        /// How many must agree; 0: there is no recovery.
        threshold: u8,
        /// How long the present keys may veto, as in 7d.
        #[arg(long, value_name = "TIME", default_value = "7d")]
        delay: String,
    },
    /// How a handle may be recovered, and the recovery that runs.
    Show {
        /// Which [default: this account's].
        handle: Option<Handle>,
    },
    /// For the one who lost the words: write what recovery keys have to agree to, a handle for this
    /// new account.
    Ask {
        /// The lost handle.
        handle: Handle,
        /// The file to make.
        #[arg(long, short = 'o', value_name = "FILE", default_value = "acre.recovery")]
        file: PathBuf,
    },
    /// For a friend whose key is a recover key: print the consent to such a file. Be sure who asks.
    Agree {
        /// The file.
        file: PathBuf,
    },
    /// Begin a recovery with the consents of friends.
    Start {
        /// The file.
        file: PathBuf,
        /// What `agree` printed, once for each friend.
        #[arg(required = true, value_name = "CONSENT")]
        consents: Vec<String>,
    },
    /// Call a recovery off: by the owner, or by one whose key signs for the handle or a device.
    Veto {
        /// Which.
        handle: Handle,
    },
    /// End a recovery that nobody vetoed in time: by the account that asked for it.
    Finish {
        /// Which.
        handle: Handle,
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
