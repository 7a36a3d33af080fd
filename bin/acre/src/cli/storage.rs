//! Words about stored names.

use std::ffi::OsString;
use std::path::PathBuf;

use acre_types::Profile;
use clap::Args;

#[derive(Args)]
pub(crate) struct Put {
    /// A file or a directory.
    pub(crate) path: PathBuf,
    /// tiny, ten, standard, lean, wide or fortress [default: standard, or that of what has the name].
    #[arg(long)]
    pub(crate) profile: Option<Profile>,
    /// The name to store it under [default: / and the last part of PATH]. A file that has it is
    /// replaced; into a directory that has it what is in PATH is merged.
    #[arg(long, value_name = "NAME", value_parser = name())]
    pub(crate) to: Option<OsString>,
}

#[derive(Args)]
pub(crate) struct Get {
    /// A stored name, or an object as `put` printed it.
    pub(crate) name: OsString,
    /// Where to write [default: the last part of NAME, in this directory]. Must not exist.
    pub(crate) out: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct Ls {
    /// Sizes, times and profiles too.
    #[arg(short, long)]
    pub(crate) long: bool,
    /// A stored name.
    #[arg(default_value = "/")]
    pub(crate) path: OsString,
}

#[derive(Args)]
pub(crate) struct Rm {
    /// Stored names.
    #[arg(required = true)]
    pub(crate) names: Vec<OsString>,
    /// Also directories and all below them.
    #[arg(short, long)]
    pub(crate) recursive: bool,
}

#[derive(Args)]
pub(crate) struct Mv {
    /// A stored name.
    pub(crate) from: OsString,
    /// The new name, or a directory to move into.
    pub(crate) to: OsString,
}

#[derive(Args)]
pub(crate) struct Explain {
    /// A stored name, or an object as `put` printed it.
    pub(crate) name: OsString,
}

#[derive(Args)]
pub(crate) struct Repair {
    /// Make up for lost places now, even if they may come back, and end when all is repaired.
    #[arg(long)]
    pub(crate) wait: bool,
}

/// A name is needed, which may be any bytes: a script's variable that is not set means nothing.
fn name() -> impl clap::builder::TypedValueParser<Value = OsString> {
    use clap::builder::{OsStringValueParser, TypedValueParser as _};
    OsStringValueParser::new().try_map(|name| {
        if name.is_empty() { Err("a name is needed; / is the root") } else { Ok(name) }
    })
}
