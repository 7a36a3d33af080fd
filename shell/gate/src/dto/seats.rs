//! Who makes blocks.

use acre_ledger as ledger;
use acre_types::{Height, PublicKey};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Id, Tft};
use crate::replica::Replica;

/// A validator of the term that runs.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Validator {
    /// Its key.
    pub(crate) id: Id,
    /// Its votes: one, whatever it owns.
    pub(crate) votes: u32,
    /// Where other validators reach it.
    pub(crate) engine: String,
    /// Where readers ask it.
    pub(crate) rpc: String,
    /// Secrets it revealed for the randomness of epochs.
    pub(crate) beacon_given: u64,
    /// Secrets it committed to and withheld.
    pub(crate) beacon_missed: u64,
}

impl Validator {
    fn new(seat: &ledger::Seat, beacon: Option<&ledger::Beacon>) -> Self {
        let turn = beacon.and_then(|beacon| beacon.turn(&seat.validator));
        let (beacon_given, beacon_missed) = turn.map_or((0, 0), |turn| (turn.given, turn.missed));
        Self {
            id: Id::new(seat.validator.0),
            votes: 1,
            engine: seat.engine.to_string(),
            rpc: seat.rpc.to_string(),
            beacon_given,
            beacon_missed,
        }
    }

    /// All of the term that runs.
    pub(crate) fn all(replica: &Replica) -> Vec<Self> {
        let beacon = replica.beacon.as_ref();
        let members = replica.seats.iter().flat_map(|seats| seats.members.iter());
        members.map(|seat| Self::new(seat, beacon)).collect()
    }
}

/// The term that runs: heights whose blocks the same validators make.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Term {
    /// Its number.
    pub(crate) term: u64,
    /// Its first height.
    pub(crate) first_height: u64,
    /// Its last height.
    pub(crate) last_height: u64,
    /// Who makes its blocks.
    pub(crate) members: Vec<Id>,
    /// Who makes the blocks of the next term; known from its last block on.
    pub(crate) next: Vec<Id>,
}

impl Term {
    pub(crate) fn new(seats: &ledger::Seats, rules: &ledger::SeatRules) -> Self {
        let ids = |list: &ledger::SeatList| -> Vec<Id> {
            list.iter().map(|seat| Id::new(seat.validator.0)).collect()
        };
        let first = seats.term.saturating_mul(rules.term_heights);
        Self {
            term: seats.term,
            first_height: first,
            last_height: first.saturating_add(rules.term_heights).saturating_sub(1),
            members: ids(&seats.members),
            next: ids(&seats.next),
        }
    }
}

/// Somebody who makes blocks or would like to.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Candidate {
    /// Its validator key.
    pub(crate) id: Id,
    /// Gave the stake.
    pub(crate) account: Id,
    /// `standing` or `leaving`.
    pub(crate) standing: String,
    /// Whether it sits in the term that runs.
    pub(crate) seated: bool,
    /// Where other validators reach it.
    pub(crate) engine: String,
    /// Where readers ask it.
    pub(crate) rpc: String,
    /// Tokens held.
    pub(crate) stake_tft: Tft,
    /// Tokens on their way back, still locked.
    pub(crate) releasing_tft: Tft,
    /// Nodes whose proven capacity stands behind it.
    pub(crate) nodes: Vec<Id>,
    /// Height of its registration.
    pub(crate) registered_height: u64,
    /// Duties it failed.
    pub(crate) missed: u64,
}

impl Candidate {
    pub(crate) fn new(replica: &Replica, key: PublicKey, candidate: &ledger::Candidate) -> Self {
        let mut members = replica.seats.iter().flat_map(|seats| seats.members.iter());
        let releasing = candidate.releases.iter().map(|release| release.amount.0);
        let Height(registered_height) = candidate.registered;
        Self {
            id: Id::new(key.0),
            account: Id::new(candidate.account.0),
            standing: crate::about::kind(&candidate.standing),
            seated: members.any(|seat| seat.validator == key),
            engine: candidate.engine.to_string(),
            rpc: candidate.rpc.to_string(),
            stake_tft: Tft(candidate.stake),
            releasing_tft: Tft(acre_types::Amount(releasing.fold(0, u64::saturating_add))),
            nodes: candidate.nodes.iter().map(|node| Id::new(node.0)).collect(),
            registered_height,
            missed: candidate.missed,
        }
    }
}
