//! What one dials a peer for.

use std::fmt;

use crate::limits::SERVICE_BYTES_MAX;

/// A short name with a version, as in `shard/1`; both sides of a stream agreed on it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Service(&'static str);

impl Service {
    /// The service of this name.
    ///
    /// # Panics
    /// For an empty name or one over 32 bytes; in a `const`, that is an error of the compiler.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        assert!(
            !name.is_empty() && name.len() <= SERVICE_BYTES_MAX,
            "1 to 32 bytes name a service"
        );
        Self(name)
    }

    /// The name as it stands on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Service({})", self.0)
    }
}
