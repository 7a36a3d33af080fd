//! When a witness visits, from its secret.

use acre_crypto::Hasher;
use acre_types::{Digest, Epoch, NodeId, Tick};

use crate::draw::{below, bits};

/// Visits begin in the first nine tenths of an epoch, so that the last can end within it.
const TENTHS: u64 = 9;

/// What is drawn for one node in one epoch.
fn seed(secret: &Digest, epoch: Epoch, node: NodeId) -> Digest {
    let mut hasher = Hasher::new("acre 2026-11 witness schedule");
    hasher.update(&secret.0).update(&epoch.0.to_le_bytes()).update(&node.0).finish()
}

/// The beginnings of `count` visits, rising.
pub(super) fn visits(
    secret: &Digest,
    epoch: Epoch,
    node: NodeId,
    (began, ends): (Tick, Tick),
    count: u8,
) -> Vec<Tick> {
    let seed = seed(secret, epoch, node);
    let span = u64::try_from(ends.since(began).as_micros()).unwrap_or(u64::MAX);
    let span = (span / 10).saturating_mul(TENTHS);
    let at = |visit: u8| {
        let offset = below(bits("acre 2026-11 witness visit", &seed, visit.into()), span);
        Tick(began.0.saturating_add(offset))
    };
    let mut visits: Vec<Tick> = (0..count).map(at).collect();
    visits.sort_unstable();
    visits
}

/// A number below `end` for a choice of one kind.
pub(super) fn choice(
    context: &'static str,
    secret: &Digest,
    epoch: Epoch,
    node: NodeId,
    end: u64,
) -> u64 {
    below(bits(context, &seed(secret, epoch, node), 0), end)
}

/// A number below `end` from a nonce that is used for nothing else.
pub(super) fn choice_of(nonce: &Digest, end: u64) -> u64 {
    below(bits("acre 2026-11 witness choice", nonce, 0), end)
}

/// The `count`-th nonce for one node in one epoch.
pub(super) fn nonce(secret: &Digest, epoch: Epoch, node: NodeId, count: u64) -> Digest {
    let mut hasher = Hasher::new("acre 2026-11 witness nonce");
    hasher.update(&secret.0).update(&epoch.0.to_le_bytes()).update(&node.0);
    hasher.update(&count.to_le_bytes()).finish()
}
