//! What can go wrong in the engine and in checking its certificates.

use std::{
    fs::File,
    io::{self, Write as _},
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Whatever the application reports as the cause of its own failure.
pub type AppError = Box<dyn std::error::Error + Send + Sync>;

/// Errors of the engine.
///
/// The first group refuses to start (mend the cause, start again), the second stops a running
/// engine (nothing was acknowledged that is not durable; start again), the third blames the
/// giver of a header or certificate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The storage directory cannot be created or locked.
    #[error("opening the engine's directory {}", path.display())]
    Storage {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Another engine holds the storage directory.
    #[error("the engine's directory {} is in use by another process", path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// An archive of the engine does not open.
    #[error("opening the archive of {name}")]
    Archive {
        /// Which one.
        name: &'static str,
        /// What the engine's storage said.
        #[source]
        source: AppError,
    },
    /// The archives do not hold what was written.
    #[error("the archive of {archive} is damaged at height {height}, in file {file}: {reason}")]
    Damaged {
        /// Which one.
        archive: &'static str,
        /// The first height that cannot be read or is not what its certificate or child says.
        height: u64,
        /// The file, below the engine's directory.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The listening address cannot be bound.
    #[error("listening on {address}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The list of validators cannot be used.
    #[error("validators: {reason}")]
    Validators {
        /// Why not.
        reason: &'static str,
    },
    /// A term must be longer.
    #[error("a term of {heights} heights is too short")]
    TermHeights {
        /// The heights asked for.
        heights: u64,
    },
    /// The application does not know who votes.
    #[error("the application names no committee for term {term}")]
    NoCommittee {
        /// The term in question.
        term: u64,
    },
    /// The committee has outgrown the network; the next start makes more room.
    #[error("{validators} validators are more than the network has room for ({room})")]
    Room {
        /// How many there are.
        validators: usize,
        /// For how many the network was started.
        room: usize,
    },
    /// The timeouts contradict each other.
    #[error("timing: {reason}")]
    Timing {
        /// Which rule they break.
        reason: &'static str,
    },
    /// The application's genesis payload exceeds the limit of a block.
    #[error("payload of {bytes} bytes exceeds {max} bytes")]
    PayloadTooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        max: u32,
    },

    /// The application failed; the block it was working on is not acknowledged.
    #[error("application failed at height {height} while it was to {doing}")]
    Application {
        /// Height of the block.
        height: u64,
        /// The step that failed.
        doing: &'static str,
        /// The application's own error.
        #[source]
        source: AppError,
    },
    /// The application's state and the chain tell different stories.
    #[error("application stands on another block at height {height} than the chain")]
    Diverged {
        /// The height in question.
        height: u64,
    },
    /// The engine's files are older than the application's state, and there is no other validator
    /// to fetch the difference from.
    #[error("the engine lost blocks: it ends at height {tip}, the application at {applied}")]
    Lost {
        /// The newest block the engine has.
        tip: u64,
        /// The newest block the application has applied.
        applied: u64,
    },
    /// The application lacks blocks that the engine has already pruned.
    #[error("application needs block {needed}, which is pruned; the engine offers {offered}")]
    Behind {
        /// First height the application lacks.
        needed: u64,
        /// The height the engine has got to.
        offered: u64,
    },
    /// A part of the engine ended by itself.
    #[error("the engine's {part} stopped")]
    Stopped {
        /// Which one.
        part: &'static str,
    },
    /// The disk is full. Nothing was acknowledged that is not on it; with room again, start again.
    #[error("the disk is full; nothing is lost: make room and start again ({detail})")]
    DiskFull {
        /// Which write failed, in the words of whoever wrote.
        detail: String,
    },
    /// The system's clock was set back, and the engine's timers would stand still for as long.
    #[error("the system's clock was set back by {seconds} s; nothing is lost: start again")]
    ClockSetBack {
        /// By how much.
        seconds: u64,
    },
    /// The engine's thread panicked.
    #[error("the engine panicked: {message}")]
    Panicked {
        /// The panic's message.
        message: String,
    },

    /// A header does not decode, or not to its canonical form.
    #[error("malformed header")]
    MalformedHeader,
    /// A certificate does not decode.
    #[error("malformed certificate")]
    MalformedCertificate,
    /// The certificate is one for another block.
    #[error("certificate is for another block")]
    OtherBlock,
    /// The certificate has fewer signers than a quorum.
    #[error("certificate has {signers} signers, a quorum is {quorum}")]
    TooFewSigners {
        /// Signers in the certificate.
        signers: u32,
        /// Signers needed.
        quorum: u32,
    },
    /// A signature is wrong: forged, by other validators, or for another chain.
    #[error("certificate signatures do not verify for these validators and this chain")]
    BadSignatures,
    /// The headers of a proof do not form a chain, or are too many.
    #[error("headers of the proof do not form a chain")]
    BrokenChain,
}

impl Error {
    /// Tells a full disk from other failures. The application says it somewhere below its own error;
    /// the engine's storage tells nothing but that a write has failed, so one is tried in `dir`.
    pub(crate) fn classified(self, dir: &Path) -> Self {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&self);
        let (mut detail, mut full) = (String::new(), false);
        while let Some(error) = cause {
            let separator = if detail.is_empty() { "" } else { ": " };
            detail = format!("{detail}{separator}{error}");
            full |= error.downcast_ref().is_some_and(is_full);
            cause = error.source();
        }
        let opaque = matches!(self, Self::Panicked { .. } | Self::Archive { .. });
        if full || (opaque && probe(dir).is_err_and(|error| is_full(&error))) {
            return Self::DiskFull { detail };
        }
        self
    }
}

/// Whether nothing fits any more: on the disk, into the user's share of it, or into a file.
fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

/// Writes more than the engine writes at once.
fn probe(dir: &Path) -> io::Result<()> {
    let path = dir.join("probe");
    let bytes = vec![0x5a; 2 * crate::limits::MAX_PAYLOAD_BYTES as usize];
    let written = File::create(&path).and_then(|mut file| {
        file.write_all(&bytes)?;
        file.sync_all()
    });
    // It may not even exist.
    let _ = std::fs::remove_file(&path);
    written
}
