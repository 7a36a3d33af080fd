//! How a grid changes its own rules.
//!
//! Anyone proposes with a deposit. Two houses vote: users with tokens they lock, farmers with
//! proven capacity of their nodes. A change passes if no house is against it, each house that
//! could vote came to its quorum, and there is at least one. It then waits for its time lock and is enacted by
//! whoever asks. Nobody has a veto, a faster way, or a vote by office.
//!
//! No vote counts twice: tokens count only while locked, and whoever voted cannot unlock any, also
//! those locked after the ballot, before the time lock of the change is over; a node has one operator for life, and a ballot
//! names it once. A ballot weighs what its tokens and nodes were worth when it was cast; anyone may
//! have it weighed again while the vote runs.

use std::collections::BTreeSet;

use acre_types::{AccountId, Amount, NodeId, UnixMs};

use super::{Done, Work};
use crate::error::{Refusal, StateError};
use crate::event::Event;
use crate::key::{BallotOf, ProposalAt, TheAssembly, TheParameters, TheTotals, VoiceOf};
use crate::limits::DEPOSIT_SHARE;
use crate::object::{
    Amendment, Ballot, Entry, House, NextRules, Node, Policy, Proposal, ProposalState, RuleVersion,
    Side, proven_units,
};
use crate::transaction::{NewBallot, NewProposal};

const BAD_AMOUNT: Refusal = Refusal::OutOfRange { what: "an amount of zero" };

impl Work<'_> {
    /// In the first block of new rules they come into force. A program that does not know the
    /// rules in force stops here.
    pub(super) fn begin_rules(&mut self, known: u32) -> Result<(), StateError> {
        let RuleVersion { next, .. } = self.parameters.rules;
        if let Some(NextRules { version, at_height }) = next
            && self.height >= at_height
        {
            self.parameters.rules = RuleVersion { version, next: None };
            self.overlay.put(&TheParameters, self.parameters.clone());
            self.own_events.push(Event::RulesBegan { version });
        }
        let wanted = self.parameters.rules.version;
        if wanted > known { Err(StateError::UnknownRules { wanted, known }) } else { Ok(()) }
    }

    pub(super) fn lock_voice(&mut self, from: AccountId, amount: Amount) -> Done {
        if amount == Amount::ZERO {
            return Err(BAD_AMOUNT.into());
        }
        self.lock(from, amount)?;
        let mut voice = self.overlay.get(&VoiceOf(from))?.unwrap_or_default();
        voice.amount = voice.amount.checked_add(amount).ok_or(BAD_AMOUNT)?;
        self.overlay.put(&VoiceOf(from), voice);
        self.events.push(Event::VoiceChanged { account: from, amount: voice.amount });
        Ok(())
    }

    pub(super) fn unlock_voice(&mut self, from: AccountId, amount: Amount) -> Done {
        if amount == Amount::ZERO {
            return Err(BAD_AMOUNT.into());
        }
        let mut voice = self.overlay.get(&VoiceOf(from))?.unwrap_or_default();
        let left = voice.amount.checked_sub(amount);
        let left = left.ok_or(Refusal::OutOfRange { what: "more than is locked" })?;
        if self.now < voice.held_until {
            let from = voice.held_until;
            return Err(Refusal::TooEarly { what: "what was voted with", from }.into());
        }
        self.unlock(amount)?;
        self.credit(from, amount)?;
        voice.amount = left;
        if left == Amount::ZERO {
            self.overlay.remove(&VoiceOf(from))?;
        } else {
            self.overlay.put(&VoiceOf(from), voice);
        }
        self.events.push(Event::VoiceChanged { account: from, amount: left });
        Ok(())
    }

    pub(super) fn propose(&mut self, from: AccountId, new: &NewProposal) -> Done {
        self.check_change(&new.change)?;
        let rules = self.parameters.governance.clone();
        self.lock(from, rules.deposit)?;
        let mut totals = self.totals()?;
        let number = totals.proposals;
        totals.proposals =
            number.checked_add(1).ok_or(Refusal::OutOfRange { what: "the count" })?;
        self.overlay.put(&TheTotals, totals);
        let after = |time: UnixMs, ms: u64| UnixMs(time.0.saturating_add(ms));
        let closes = after(self.now, rules.voting_ms);
        let enactable = after(closes, rules.lock_ms);
        let proposal = Proposal {
            proposer: from,
            change: new.change.clone(),
            reason: new.reason.clone(),
            deposit: rules.deposit,
            opened: self.now,
            closes,
            enactable,
            lapses: after(after(enactable, rules.lock_ms), rules.voting_ms),
            users: Default::default(),
            farmers: Default::default(),
            state: ProposalState::Voting,
            rules,
        };
        self.overlay.put(&ProposalAt(number), proposal);
        self.events.push(Event::Proposed { proposal: number, proposer: from });
        Ok(())
    }

    /// Casts a ballot, or replaces the one cast before.
    pub(super) fn vote(&mut self, from: AccountId, new: &NewBallot) -> Done {
        let mut proposal = self.proposal_to_vote(new.proposal)?;
        self.check_ballot_nodes(from, &new.nodes)?;
        let ballot = self.weighed(from, new.side, &new.nodes)?;
        if ballot.users == 0 && ballot.farmers == 0 {
            return Err(Refusal::NoWeight.into());
        }
        self.cast(new.proposal, &mut proposal, from, ballot)
    }

    /// Weighs somebody's ballot again: its nodes may have lost or gained since.
    pub(super) fn weigh_ballot(&mut self, number: u64, voter: AccountId) -> Done {
        let mut proposal = self.proposal_to_vote(number)?;
        let place = BallotOf(number, voter);
        let old = self.overlay.get(&place)?.ok_or(Refusal::NoSuchBallot)?;
        let ballot = self.weighed(voter, old.side, &old.nodes)?;
        if ballot == old {
            return Err(Refusal::NothingToDo.into());
        }
        self.cast(number, &mut proposal, voter, ballot)
    }

    /// Counts, once the time is over. The deposit comes back if any house came to its quorum.
    pub(super) fn close_proposal(&mut self, number: u64) -> Done {
        let mut proposal = self.proposal(number)?;
        if proposal.state != ProposalState::Voting {
            return Err(Refusal::NothingToDo.into());
        }
        if self.now < proposal.closes {
            let from = proposal.closes;
            return Err(Refusal::TooEarly { what: "the end of the vote", from }.into());
        }
        let totals = self.totals()?;
        let tokens = totals.minted.0.saturating_sub(totals.burned.0);
        let units = self.overlay.get(&TheAssembly)?.unwrap_or_default().units;
        let (rules, majority) = (&proposal.rules, proposal.rules.majority);
        let houses = [
            proposal.users.decide(tokens.into(), rules.quorum_users, majority),
            proposal.farmers.decide(units, rules.quorum_farmers, majority),
        ];
        let had_quorum = houses.iter().any(|it| matches!(it, House::For | House::Against));
        proposal.state = if houses.contains(&House::NoQuorum) || !had_quorum {
            ProposalState::NoQuorum
        } else if houses.contains(&House::Against) {
            ProposalState::Rejected
        } else {
            ProposalState::Passed
        };
        let deposit = std::mem::take(&mut proposal.deposit);
        self.unlock(deposit)?;
        self.credit(proposal.proposer, deposit)?;
        if !had_quorum {
            self.burn(proposal.proposer, deposit)?;
        }
        let state = proposal.state;
        self.overlay.put(&ProposalAt(number), proposal);
        self.events.push(Event::ProposalClosed { proposal: number, state });
        Ok(())
    }

    /// Makes a change that passed real, after its time lock.
    pub(super) fn enact_proposal(&mut self, number: u64) -> Done {
        let mut proposal = self.proposal(number)?;
        if proposal.state != ProposalState::Passed || self.now >= proposal.lapses {
            return Err(Refusal::NothingToDo.into());
        }
        if self.now < proposal.enactable {
            let from = proposal.enactable;
            return Err(Refusal::TooEarly { what: "the change", from }.into());
        }
        self.check_change(&proposal.change)?;
        match &proposal.change {
            Amendment::Admit(subject) => self.enter(*subject, Entry::Admit)?,
            Amendment::Revoke(subject) => self.enter(*subject, Entry::Revoke)?,
            change => {
                self.parameters = change.of(&self.parameters, self.height);
                self.overlay.put(&TheParameters, self.parameters.clone());
            }
        }
        proposal.state = ProposalState::Enacted { at: self.now };
        self.overlay.put(&ProposalAt(number), proposal);
        self.events.push(Event::ProposalEnacted { proposal: number });
        Ok(())
    }

    /// A node's proven capacity changed.
    pub(super) fn count_units(&mut self, old: &Node, new: &Node) -> Result<(), StateError> {
        let (old, new) = (proven_units(old), proven_units(new));
        if old == new {
            return Ok(());
        }
        let mut assembly = self.overlay.get(&TheAssembly)?.unwrap_or_default();
        let rest = assembly.units.checked_sub(old.into());
        let what = "a node has more proven capacity than all together";
        let rest = rest.ok_or(StateError::Books { what })?;
        assembly.units = rest.saturating_add(new.into());
        self.overlay.put(&TheAssembly, assembly);
        Ok(())
    }

    /// Whether a change is within its bounds, seen from the present parameters.
    fn check_change(&mut self, change: &Amendment) -> Done {
        let present = &self.parameters;
        let changed = change.of(present, self.height);
        let tokens = self.overlay.must(&TheTotals)?;
        let tokens = tokens.minted.0.saturating_sub(tokens.burned.0);
        let deposit = changed.governance.deposit;
        // What is high already may stay or sink: a young grid has few tokens.
        if deposit > present.governance.deposit && deposit.0 > tokens / DEPOSIT_SHARE {
            return Err(Refusal::OutOfRange { what: "governance.deposit" }.into());
        }
        let bounds = |error: crate::error::GenesisError| match error {
            crate::error::GenesisError::Parameter { what } => Refusal::OutOfRange { what },
            _ => Refusal::OutOfRange { what: "the change" },
        };
        changed.check_for(self.overlay.base().grid().kind).map_err(bounds)?;
        if changed.seats.term_heights != present.seats.term_heights {
            return Err(Refusal::FixedForLife { what: "seats.term_heights" }.into());
        }
        let (new, old) = (&changed.capacity.plots, &present.capacity.plots);
        if (new.region_bytes, new.layers) != (old.region_bytes, old.layers) {
            return Err(Refusal::FixedForLife { what: "the form of plots" }.into());
        }
        if changed.minting.period_epochs != present.minting.period_epochs {
            return Err(Refusal::FixedForLife { what: "minting.period_epochs" }.into());
        }
        if !changed.minting.policies.starts_with(&present.minting.policies) {
            return Err(
                Refusal::FixedForLife { what: "a policy of minting that is in force" }.into()
            );
        }
        match change {
            // Each version has a next one, so none is the last.
            Amendment::Rules { version, .. }
                if Some(*version) != present.rules.version.checked_add(1) =>
            {
                Err(Refusal::OutOfRange { what: "the version of the rules" }.into())
            }
            Amendment::Admit(subject) | Amendment::Revoke(subject)
                if *present.admission.policy(subject) != Policy::ByVote =>
            {
                Err(Refusal::WrongPolicy { subject: *subject }.into())
            }
            Amendment::Admit(_) | Amendment::Revoke(_) | Amendment::Rules { .. } => Ok(()),
            _ if changed == *present => Err(Refusal::NothingToDo.into()),
            _ => Ok(()),
        }
    }

    fn proposal(&mut self, number: u64) -> Done<Proposal> {
        let proposal = self.overlay.get(&ProposalAt(number))?;
        Ok(proposal.ok_or(Refusal::NoSuchProposal { proposal: number })?)
    }

    fn proposal_to_vote(&mut self, number: u64) -> Done<Proposal> {
        let proposal = self.proposal(number)?;
        if proposal.state != ProposalState::Voting || self.now >= proposal.closes {
            return Err(Refusal::VoteOver { proposal: number }.into());
        }
        Ok(proposal)
    }

    fn check_ballot_nodes(&mut self, from: AccountId, nodes: &[NodeId]) -> Done {
        self.visit_to_read(nodes.len())?;
        let mut seen = BTreeSet::new();
        for id in nodes {
            let node = self.overlay.get(id)?.ok_or(Refusal::NoSuchNode { node: *id })?;
            if node.operator != from {
                return Err(Refusal::NotYours { what: "the node" }.into());
            }
            if !seen.insert(*id) {
                return Err(Refusal::OutOfRange { what: "a node named twice" }.into());
            }
        }
        Ok(())
    }

    fn weighed(&mut self, voter: AccountId, side: Side, nodes: &[NodeId]) -> Done<Ballot> {
        self.visit_to_read(nodes.len())?;
        let users = self.overlay.get(&VoiceOf(voter))?.unwrap_or_default().amount.0.into();
        let mut farmers = 0_u128;
        for id in nodes {
            let node = self.overlay.must(id)?;
            farmers = farmers.saturating_add(proven_units(&node).into());
        }
        let nodes = acre_codec::List::new(nodes.to_vec()).expect("a list of the same limit");
        Ok(Ballot { side, nodes, users, farmers })
    }

    fn cast(
        &mut self,
        number: u64,
        proposal: &mut Proposal,
        voter: AccountId,
        ballot: Ballot,
    ) -> Done {
        // Also a voice without tokens: those that are locked later are weighed for the same ballot.
        let mut voice = self.overlay.get(&VoiceOf(voter))?.unwrap_or_default();
        if voice.held_until < proposal.enactable {
            voice.held_until = proposal.enactable;
            self.overlay.put(&VoiceOf(voter), voice);
        }
        let place = BallotOf(number, voter);
        if let Some(old) = self.overlay.get(&place)? {
            proposal.users = proposal.users.without(old.side, old.users);
            proposal.farmers = proposal.farmers.without(old.side, old.farmers);
        }
        proposal.users = proposal.users.with(ballot.side, ballot.users);
        proposal.farmers = proposal.farmers.with(ballot.side, ballot.farmers);
        let side = ballot.side;
        self.overlay.put(&place, ballot);
        self.overlay.put(&ProposalAt(number), proposal.clone());
        self.events.push(Event::Voted { proposal: number, voter, side });
        Ok(())
    }
}
