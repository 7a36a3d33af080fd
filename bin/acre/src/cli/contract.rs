//! Words about contracts: what is reserved, and what one does for another.

use std::path::PathBuf;
use std::time::Duration;

use acre_ledger::{Label, MicroUsd};
use acre_types::{Amount, Bytes, ContractId, Digest};
use clap::{Args, Subcommand};

use super::time;

#[derive(Subcommand)]
pub(crate) enum Contract {
    /// All contracts of this account.
    List,
    /// One contract.
    Show {
        /// Its number.
        id: ContractId,
    },
    /// Its bill, each line computed again, with its sums.
    Bill {
        /// Its number.
        id: ContractId,
    },
    /// Pays what has come due; closes what is over. Anyone may: who closes has the fee back.
    Settle {
        /// Its number.
        id: ContractId,
    },
    /// Rent a whole node that is empty: nobody else gets anything on it, and what you put there costs
    /// nothing more.
    Rent {
        /// The node's id, or a unique beginning of it.
        node: String,
        #[command(flatten)]
        term: Term,
    },
    /// Take a name that nobody has.
    Name {
        /// 3 to 48 of a-z, 0-9 and -.
        label: Label,
        #[command(flatten)]
        term: Term,
    },
    /// Have software run on a node, which answers within the deadline. If it says no, all is refunded.
    Workload(Box<Workload>),
    /// What one account does for another, paid by the hour and by use.
    #[command(subcommand)]
    Service(Service),
    /// Add time, or bytes, or both; paid at the prices of now. It may be over, but not its grace.
    Extend {
        /// Its number.
        id: ContractId,
        /// Time to add to its end, as in 30d.
        #[arg(long = "for", value_name = "TIME", value_parser = time)]
        period: Option<Duration>,
        /// To add: plain bytes of storage, or a workload's traffic.
        #[arg(long, value_name = "SIZE")]
        bytes: Option<Bytes>,
    },
    /// End it: what is due is paid, the rest comes back. By its owner, or who provides a service.
    Cancel {
        /// Its number.
        id: ContractId,
        /// Also if it is storage, whose nodes delete everything that it holds.
        #[arg(long)]
        with_data: bool,
    },
}

/// For how long, and for how much at most.
#[derive(Args)]
pub(crate) struct Term {
    /// How long, as in 30d; paid ahead.
    #[arg(long = "for", value_name = "TIME", value_parser = time)]
    pub(crate) period: Duration,
    /// The most that may be locked for it [default: what it costs now, at certified nodes].
    #[arg(long, value_name = "TFT")]
    pub(crate) budget: Option<Amount>,
}

#[derive(Args)]
pub(crate) struct Workload {
    /// The node's id, or a unique beginning of it.
    pub(crate) node: String,
    /// The file that says what runs; it stays with you, its hash goes on the ledger.
    #[arg(long, value_name = "FILE", required_unless_present = "hash")]
    pub(crate) spec: Option<PathBuf>,
    /// The hash itself (BLAKE3), where the file is elsewhere.
    #[arg(long, value_name = "DIGEST", conflicts_with = "spec")]
    pub(crate) hash: Option<Digest>,
    /// Virtual cores, as in 2 or 0.5.
    #[arg(long, default_value = "1", value_name = "CORES", value_parser = thousandths)]
    pub(crate) cores: Thousandths,
    /// Memory.
    #[arg(long, default_value = "1GiB", value_name = "SIZE")]
    pub(crate) memory: Bytes,
    /// Disk.
    #[arg(long, default_value = "0", value_name = "SIZE")]
    pub(crate) disk: Bytes,
    /// Public IPv4 addresses.
    #[arg(long, default_value_t = 0)]
    pub(crate) ipv4: u32,
    /// Public traffic paid for ahead; what is not used comes back.
    #[arg(long, default_value = "0", value_name = "SIZE")]
    pub(crate) traffic: Bytes,
    /// The most that an hour may cost, in USD, without traffic [default: what the budget allows].
    #[arg(long, value_name = "USD", value_parser = usd)]
    pub(crate) hour_max: Option<MicroUsd>,
    /// Until when the node must have answered, from now on.
    #[arg(long, value_name = "TIME", default_value = "10min", value_parser = time)]
    pub(crate) deadline: Duration,
    /// Do not wait for the answer.
    #[arg(long)]
    pub(crate) no_wait: bool,
    #[command(flatten)]
    pub(crate) term: Term,
}

#[derive(Subcommand)]
pub(crate) enum Service {
    /// Offer to pay somebody for a service. It begins when he accepts.
    Offer(Box<Offer>),
    /// Agree to do what was offered to this account.
    Accept {
        /// The contract's number.
        id: ContractId,
        /// What you agree to; another text is not accepted.
        #[arg(long, value_name = "FILE")]
        terms: Option<PathBuf>,
    },
    /// As the one who provides it: bill what was used since the last time.
    Charge {
        /// The contract's number.
        id: ContractId,
        /// In USD, as in 0.25.
        #[arg(value_parser = usd)]
        amount: MicroUsd,
    },
    /// End it, by either side: what is due is paid, the rest comes back.
    Cancel {
        /// The contract's number.
        id: ContractId,
    },
}

#[derive(Args)]
pub(crate) struct Offer {
    /// An account, or the handle of one.
    pub(crate) provider: String,
    /// What you agree on; it stays with you two, its hash goes on the ledger.
    #[arg(long, value_name = "FILE")]
    pub(crate) terms: PathBuf,
    /// Paid for each hour, in USD.
    #[arg(long, value_name = "USD", default_value = "0", value_parser = usd)]
    pub(crate) base: MicroUsd,
    /// As much may be billed for use, for each hour, in USD.
    #[arg(long, value_name = "USD", default_value = "0", value_parser = usd)]
    pub(crate) variable: MicroUsd,
    /// Until when it must be accepted, from now on.
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = time)]
    pub(crate) deadline: Duration,
    #[command(flatten)]
    pub(crate) term: Term,
}

/// Thousandths of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Thousandths(pub(crate) u64);

fn thousandths(text: &str) -> Result<Thousandths, String> {
    // As dollars are read, which have three digits more.
    let micro = crate::setting::read_usd(text).map(|micro| micro.0);
    let whole = micro.filter(|micro| micro.is_multiple_of(1000));
    whole.map(|micro| Thousandths(micro / 1000)).ok_or_else(|| "not cores, as 2 or 0.5".to_owned())
}

fn usd(text: &str) -> Result<MicroUsd, String> {
    crate::setting::read_usd(text).ok_or_else(|| "not an amount of USD, as 0.25".to_owned())
}
