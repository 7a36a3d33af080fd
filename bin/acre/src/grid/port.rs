//! Ports of a local grid's validators.
//!
//! Others must know such a port before its owner listens, and it stays the same while the owner is
//! down. So it lies below the ports that the system gives to outgoing connections, any of which
//! could take it meanwhile; and processes that draw at the same time begin far apart.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::ops::Range;

use anyhow::Context as _;

use crate::exit::Outcome;

/// The lowest port that is drawn: what is below is often somebody's by custom.
const LOWEST: u16 = 10_000;
/// Where the system's own ports begin if it does not say.
const EPHEMERAL: u16 = 32_768;
/// Ports between the beginnings of two processes with neighbouring numbers.
const STRIDE: u32 = 64;

/// Draws loopback addresses, each another one.
pub(crate) struct Ports {
    range: Range<u16>,
    /// Ports of the range looked at so far, and where the first of them lies.
    drawn: u16,
    start: u16,
}

impl Ports {
    /// For this process.
    pub(crate) fn new() -> Self {
        let said = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range");
        Self::within(range(said.as_deref().unwrap_or_default()), std::process::id())
    }

    fn within(range: Range<u16>, process: u32) -> Self {
        let length = u32::from(range.end.saturating_sub(range.start)).max(1);
        let start = process.wrapping_mul(STRIDE).checked_rem(length).unwrap_or(0);
        Self { range, drawn: 0, start: u16::try_from(start).unwrap_or(0) }
    }

    /// A loopback address whose port nobody uses now.
    pub(crate) fn draw(&mut self) -> Outcome<SocketAddr> {
        while let Some(port) = self.next() {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            if TcpListener::bind(address).is_ok() {
                return Ok(address);
            }
        }
        // All are taken, or the system keeps them for itself: one of its own is better than none.
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free")?;
        Ok(listener.local_addr()?)
    }

    /// The port after the last one, round the range once.
    fn next(&mut self) -> Option<u16> {
        let length = self.range.end.checked_sub(self.range.start)?;
        if self.drawn >= length {
            return None;
        }
        let place = (u32::from(self.start) + u32::from(self.drawn)).checked_rem(length.into())?;
        self.drawn += 1;
        self.range.start.checked_add(u16::try_from(place).ok()?)
    }
}

/// From the lowest port that is drawn to the first that the system gives to outgoing connections.
fn range(said: &str) -> Range<u16> {
    let first = said.split_whitespace().next().and_then(|first| first.parse().ok());
    LOWEST..first.unwrap_or(EPHEMERAL).max(LOWEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_lie_below_those_of_outgoing_connections() {
        assert_eq!(range("32768\t60999\n"), 10_000..32_768);
        assert_eq!(range("15000 20000"), 10_000..15_000);
        assert_eq!(range(""), 10_000..32_768);
        assert!(range("1024 65535").is_empty());
    }

    #[test]
    fn each_port_of_the_range_comes_once() {
        let mut ports = Ports::within(100..110, 7);
        let mut all: Vec<u16> = std::iter::from_fn(|| ports.next()).collect();
        assert_eq!(all.first(), Some(&108), "64 x 7 places on, round the range");
        all.sort_unstable();
        assert_eq!(all, (100..110).collect::<Vec<_>>());
    }

    #[test]
    fn port_that_is_taken_is_passed_over() {
        let mut held = Vec::new();
        let mut ports = Ports::new();
        for _ in 0..3 {
            held.push(TcpListener::bind(ports.draw().unwrap()).unwrap());
        }
        let mut again = Ports::new();
        let next = again.draw().unwrap();
        assert!(held.iter().all(|held| held.local_addr().unwrap() != next));
    }

    #[test]
    fn without_a_range_the_system_draws() {
        assert_ne!(Ports::within(10_000..10_000, 1).draw().unwrap().port(), 0);
    }
}
