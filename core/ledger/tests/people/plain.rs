//! What people do with handles and votes, in a few lines of plain arithmetic.

use std::collections::BTreeMap;

use proptest::prelude::*;

pub(crate) const PEOPLE: std::ops::RangeInclusive<u8> = 1..=5;
pub(crate) const GRANT: u64 = 10_000;
pub(crate) const DEPOSIT: u64 = 100;
pub(crate) const VOTING_MS: u64 = 1_000;
pub(crate) const LOCK_MS: u64 = 2_000;
pub(crate) const QUARANTINE_MS: u64 = 1_500;

pub(crate) struct Rules {
    pub(crate) deposit: u64,
    pub(crate) quorum: u16,
    pub(crate) majority: u16,
}

pub(crate) const RULES: Rules = Rules { deposit: 50, quorum: 100, majority: 500 };

#[derive(Clone, Debug)]
pub(crate) enum Op {
    Register { from: u8, name: u8 },
    Rotate { from: u8, name: u8 },
    Offer { from: u8, name: u8, to: Option<u8> },
    Accept { from: u8, name: u8 },
    Release { from: u8, name: u8 },
    Pay { from: u8, to: u8, amount: u64 },
    Lock { from: u8, amount: u64 },
    Unlock { from: u8, amount: u64 },
    Propose { from: u8, deposit: u64 },
    Vote { from: u8, proposal: u64, yes: bool },
    Close { from: u8, proposal: u64 },
    Enact { from: u8, proposal: u64 },
}

pub(crate) fn op() -> impl Strategy<Value = Op> {
    let name = || 0..4_u8;
    let amount = || prop_oneof![Just(0), 1..3_000_u64, Just(12_000)];
    let to = proptest::option::weighted(0.8, PEOPLE);
    prop_oneof![
        2 => (PEOPLE, name()).prop_map(|(from, name)| Op::Register { from, name }),
        1 => (PEOPLE, name()).prop_map(|(from, name)| Op::Rotate { from, name }),
        2 => (PEOPLE, name(), to).prop_map(|(from, name, to)| Op::Offer { from, name, to }),
        2 => (PEOPLE, name()).prop_map(|(from, name)| Op::Accept { from, name }),
        1 => (PEOPLE, name()).prop_map(|(from, name)| Op::Release { from, name }),
        1 => (PEOPLE, PEOPLE, amount())
            .prop_map(|(from, to, amount)| Op::Pay { from, to, amount }),
        2 => (PEOPLE, amount()).prop_map(|(from, amount)| Op::Lock { from, amount }),
        1 => (PEOPLE, amount()).prop_map(|(from, amount)| Op::Unlock { from, amount }),
        1 => (PEOPLE, prop_oneof![Just(DEPOSIT), 0..300_u64])
            .prop_map(|(from, deposit)| Op::Propose { from, deposit }),
        4 => (PEOPLE, 0..3_u64, prop_oneof![3 => Just(true), 1 => Just(false)])
            .prop_map(|(from, proposal, yes)| Op::Vote { from, proposal, yes }),
        2 => (PEOPLE, 0..3_u64).prop_map(|(from, proposal)| Op::Close { from, proposal }),
        2 => (PEOPLE, 0..3_u64).prop_map(|(from, proposal)| Op::Enact { from, proposal }),
    ]
}

#[derive(Clone, Debug)]
struct PlainTwin {
    owner: Option<u8>,
    epoch: u64,
    deposit: u64,
    offered: Option<u8>,
    released: u64,
}

#[derive(Clone, Debug)]
struct PlainProposal {
    from: u8,
    wanted: u64,
    closes: u64,
    votes: BTreeMap<u8, (bool, u64)>,
    is_open: bool,
    is_passed: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Plain {
    pub(crate) now: u64,
    pub(crate) balances: BTreeMap<u8, u64>,
    pub(crate) burned: u64,
    pub(crate) deposit: u64,
    voices: BTreeMap<u8, (u64, u64)>,
    twins: BTreeMap<u8, PlainTwin>,
    proposals: Vec<PlainProposal>,
}

impl Plain {
    pub(crate) fn new(now: u64) -> Self {
        Self {
            now,
            balances: PEOPLE.map(|n| (n, GRANT)).collect(),
            burned: 0,
            deposit: DEPOSIT,
            voices: BTreeMap::new(),
            twins: BTreeMap::new(),
            proposals: Vec::new(),
        }
    }

    pub(crate) fn voice(&self, n: u8) -> u64 {
        self.voices.get(&n).map_or(0, |voice| voice.0)
    }

    /// Owner, epoch and deposit.
    pub(crate) fn handle(&self, name: u8) -> Option<(Option<u8>, u64, u64)> {
        self.twins.get(&name).map(|twin| (twin.owner, twin.epoch, twin.deposit))
    }

    fn pay(&mut self, from: u8, amount: u64) -> Option<()> {
        let balance = self.balances.get_mut(&from)?;
        *balance = balance.checked_sub(amount)?;
        Some(())
    }

    fn get(&mut self, to: u8, amount: u64) {
        *self.balances.entry(to).or_default() += amount;
    }

    fn has_none(&self, n: u8) -> Option<()> {
        self.twins.values().all(|twin| twin.owner != Some(n)).then_some(())
    }

    fn own(&mut self, from: u8, name: u8) -> Option<&mut PlainTwin> {
        self.twins.get_mut(&name).filter(|twin| twin.owner == Some(from))
    }

    /// `Some` if the operation is accepted; otherwise the caller drops this changed copy.
    pub(crate) fn run(&mut self, op: &Op) -> Option<()> {
        let (now, deposit) = (self.now, self.deposit);
        match *op {
            Op::Register { from, name } => {
                let epoch = match self.twins.get(&name) {
                    None => 0,
                    Some(twin) if twin.owner.is_some() => return None,
                    Some(twin) if now < twin.released + QUARANTINE_MS => return None,
                    Some(twin) => twin.epoch + 1,
                };
                self.has_none(from)?;
                self.pay(from, deposit)?;
                let twin =
                    PlainTwin { owner: Some(from), epoch, deposit, offered: None, released: 0 };
                self.twins.insert(name, twin);
            }
            Op::Rotate { from, name } => self.own(from, name)?.epoch += 1,
            Op::Offer { from, name, to } => {
                let twin = self.own(from, name)?;
                if twin.offered == to || to == Some(from) {
                    return None;
                }
                twin.offered = to;
            }
            Op::Accept { from, name } => {
                let twin = self.twins.get(&name)?.clone();
                let owner = twin.owner?;
                if twin.offered != Some(from) {
                    return None;
                }
                self.has_none(from)?;
                self.pay(from, deposit)?;
                self.get(owner, twin.deposit);
                let epoch = twin.epoch + 1;
                let twin =
                    PlainTwin { owner: Some(from), epoch, deposit, offered: None, released: 0 };
                self.twins.insert(name, twin);
            }
            Op::Release { from, name } => {
                let twin = self.own(from, name)?;
                let held = std::mem::take(&mut twin.deposit);
                (twin.owner, twin.offered, twin.released) = (None, None, now);
                twin.epoch += 1;
                self.get(from, held - held / 10);
                self.burned += held / 10;
            }
            Op::Pay { from, to, amount } => {
                self.pay(from, amount)?;
                self.get(to, amount);
                return (amount > 0).then_some(());
            }
            Op::Lock { from, amount } => {
                self.pay(from, amount)?;
                self.voices.entry(from).or_default().0 += amount;
                return (amount > 0).then_some(());
            }
            Op::Unlock { from, amount } => {
                let voice = self.voices.get_mut(&from)?;
                voice.0 = voice.0.checked_sub(amount)?;
                let is_free = now >= voice.1;
                if voice.0 == 0 {
                    self.voices.remove(&from);
                }
                self.get(from, amount);
                return (is_free && amount > 0).then_some(());
            }
            Op::Propose { from, deposit: wanted } => {
                self.pay(from, RULES.deposit)?;
                let (closes, votes) = (now + VOTING_MS, BTreeMap::new());
                let proposal =
                    PlainProposal { from, wanted, closes, votes, is_open: true, is_passed: false };
                self.proposals.push(proposal);
                return (wanted != deposit).then_some(());
            }
            Op::Vote { from, proposal, yes } => {
                let weight = self.voice(from);
                let proposal = self.proposals.get_mut(usize::try_from(proposal).unwrap())?;
                if weight == 0 || !proposal.is_open || now >= proposal.closes {
                    return None;
                }
                proposal.votes.insert(from, (yes, weight));
                let until = proposal.closes + LOCK_MS;
                let voice = self.voices.get_mut(&from)?;
                voice.1 = voice.1.max(until);
            }
            Op::Close { proposal, .. } => return self.close(proposal),
            Op::Enact { proposal, .. } => {
                let proposal = self.proposals.get_mut(usize::try_from(proposal).unwrap())?;
                let from = proposal.closes + LOCK_MS;
                let lapses = from + LOCK_MS + VOTING_MS;
                if !std::mem::take(&mut proposal.is_passed) || !(from..lapses).contains(&now) {
                    return None;
                }
                // A change that was made meanwhile by another vote would change nothing.
                let changes = proposal.wanted != self.deposit;
                self.deposit = proposal.wanted;
                return changes.then_some(());
            }
        }
        Some(())
    }

    fn close(&mut self, number: u64) -> Option<()> {
        let supply = PEOPLE.map(|_| GRANT).sum::<u64>() - self.burned;
        let proposal = self.proposals.get_mut(usize::try_from(number).unwrap())?;
        if !proposal.is_open || self.now < proposal.closes {
            return None;
        }
        proposal.is_open = false;
        let sum = |side: bool| -> u64 {
            proposal.votes.values().filter(|vote| vote.0 == side).map(|vote| vote.1).sum()
        };
        let (yes, no) = (sum(true), sum(false));
        let has_quorum = (yes + no) * 10 >= supply && yes + no > 0;
        proposal.is_passed = has_quorum && yes > no;
        let from = proposal.from;
        if has_quorum {
            self.get(from, RULES.deposit);
        } else {
            self.burned += RULES.deposit;
        }
        Some(())
    }
}
