//! The times of consensus, and the rules between them.

use crate::{
    defaults,
    error::{Error, Result},
};
use std::time::Duration;

/// Times that decide how consensus proceeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Time between blocks while nothing waits; see [`defaults::IDLE_INTERVAL`].
    pub idle_interval: Duration,
    /// See [`defaults::LEADER_TIMEOUT`].
    pub leader_timeout: Duration,
    /// See [`defaults::CERTIFICATION_TIMEOUT`].
    pub certification_timeout: Duration,
    /// See [`defaults::TIMEOUT_RETRY`].
    pub timeout_retry: Duration,
    /// See [`defaults::SKIP_TIMEOUT`].
    pub skip_timeout: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            idle_interval: defaults::IDLE_INTERVAL,
            leader_timeout: defaults::LEADER_TIMEOUT,
            certification_timeout: defaults::CERTIFICATION_TIMEOUT,
            timeout_retry: defaults::TIMEOUT_RETRY,
            skip_timeout: defaults::SKIP_TIMEOUT,
        }
    }
}

impl Timing {
    /// # Errors
    /// [`Error::Timing`] if consensus could not make progress with these times.
    pub(crate) fn check(&self) -> Result<()> {
        let rules = [
            (
                self.idle_interval.saturating_mul(2) <= self.leader_timeout,
                "the idle interval must be at most half the leader timeout",
            ),
            (
                self.leader_timeout < self.certification_timeout,
                "the leader timeout must be below the certification timeout",
            ),
            (!self.leader_timeout.is_zero(), "the leader timeout must not be zero"),
            (!self.timeout_retry.is_zero(), "the timeout retry must not be zero"),
            (
                self.certification_timeout.max(self.timeout_retry) < self.skip_timeout,
                "the skip timeout must exceed certification timeout and timeout retry",
            ),
        ];
        match rules.into_iter().find(|(holds, _)| !holds) {
            Some((_, reason)) => Err(Error::Timing { reason }),
            None => Ok(()),
        }
    }
}
