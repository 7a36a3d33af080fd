//! Who sits next: a pure function of candidates and rules, for the ledger and for whoever would
//! like to know before the term ends. The rules stand in `apply/seats.rs`.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use acre_types::{AccountId, PublicKey};

use crate::object::{
    Candidate, Entry, Node, NodeState, Parameters, Policy, SeatsBy, Standing, proven_units,
};

/// A candidate on the day of reckoning.
#[derive(Clone, Debug)]
pub struct Contender<'a> {
    /// Signs its votes.
    pub key: PublicKey,
    /// What it is.
    pub candidate: &'a Candidate,
    /// What was decided about its admission.
    pub entry: Option<Entry>,
    /// The nodes that stand behind it; read only if [`asks_for_nodes`].
    pub nodes: Vec<Node>,
}

/// Ordered from the best to the worst.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    /// 0 if eligible.
    tier: u8,
    weight: Reverse<u64>,
    /// 0 if seated.
    newcomer: u8,
    registered: u64,
    key: PublicKey,
}

/// Whether nodes weigh anything by these rules.
#[must_use]
pub const fn asks_for_nodes(parameters: &Parameters) -> bool {
    matches!(parameters.seats.by, SeatsBy::ProvenCapacity { .. })
}

/// What a candidate weighs, or `None` if it is not eligible.
#[must_use]
pub fn weight(parameters: &Parameters, contender: &Contender<'_>) -> Option<u64> {
    let candidate = contender.candidate;
    let is_named = contender.entry == Some(Entry::Admit);
    if !is_named && parameters.admission.validators != Policy::Open {
        return None;
    }
    match parameters.seats.by {
        SeatsBy::Fixed => is_named.then_some(0),
        SeatsBy::Stake { min } => (candidate.stake >= min).then_some(candidate.stake.0),
        SeatsBy::ProvenCapacity { min } => {
            let own = contender.nodes.iter().filter(|node| is_backed_by(node, candidate.account));
            let units = own.fold(0_u64, |sum, node| sum.saturating_add(proven_units(node)));
            (units >= min).then_some(units)
        }
    }
}

/// All who may sit, from the best: eligible before seated, then by weight, seat, height of
/// registration and key. Who leaves, was revoked, or is neither eligible nor seated is not among them.
#[must_use]
pub fn ranked(
    parameters: &Parameters,
    members: &[PublicKey],
    contenders: &[Contender<'_>],
) -> Vec<PublicKey> {
    let mut ranks = Vec::new();
    for contender in contenders {
        let (key, candidate) = (contender.key, contender.candidate);
        if candidate.standing == Standing::Leaving || contender.entry == Some(Entry::Revoke) {
            continue;
        }
        let weight = weight(parameters, contender);
        let is_member = members.contains(&key);
        if weight.is_none() && !is_member {
            continue;
        }
        ranks.push(Rank {
            tier: u8::from(weight.is_none()),
            weight: Reverse(weight.unwrap_or(0)),
            newcomer: u8::from(!is_member),
            registered: candidate.registered.0,
            key,
        });
    }
    ranks.sort();
    ranks.into_iter().map(|rank| rank.key).collect()
}

/// The next members. `ranked` holds all who may sit, from the best (see [`ranked`]); members that are not among them
/// want to leave or have to. If nobody may sit, all stay.
#[must_use]
pub fn choose(members: &[PublicKey], ranked: &[PublicKey], seats_max: usize) -> Vec<PublicKey> {
    let wanted = ranked.get(..seats_max.min(ranked.len())).unwrap_or(ranked);
    if wanted.is_empty() {
        return members.to_vec();
    }
    let changes_max = (members.len().saturating_sub(1) / 3).max(1);
    let newcomers: Vec<_> = wanted.iter().filter(|key| !members.contains(key)).copied().collect();
    let position = |key: &PublicKey| ranked.iter().position(|it| it == key);
    let mut leavers: Vec<_> = members.iter().filter(|key| !wanted.contains(key)).copied().collect();
    // Those that want to go first, then the worst.
    leavers.sort_by_key(|key| std::cmp::Reverse(position(key).unwrap_or(usize::MAX)));
    let mut leaving = leavers.len().min(changes_max);
    if leaving >= members.len() && seats_max > 1 {
        // The only member hands over first and goes a term later.
        leaving = leaving.saturating_sub(1);
    }
    let staying = members.len().saturating_sub(leaving);
    let joining = newcomers.len().min(changes_max).min(seats_max.saturating_sub(staying));
    let gone: BTreeSet<_> = leavers.into_iter().take(leaving).collect();
    let mut next: Vec<_> = members.iter().filter(|key| !gone.contains(key)).copied().collect();
    next.extend(newcomers.into_iter().take(joining));
    next.sort();
    next
}

fn is_backed_by(node: &Node, account: AccountId) -> bool {
    node.operator == account && node.state != NodeState::Retired
}
