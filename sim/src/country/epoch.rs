//! The epochs of a country: who reports what, what users do, and what it costs.

use std::time::Duration;

use acre_codec::List;
use acre_ledger::fold::fold;
use acre_ledger::{
    Action, Capacity, EarningsOf, EpochState, Event, Failures, Finding, NewContract, NewKind,
    NewStorage, TallyOf, TheEpoch, Verdict, Verified, apply_block, beacon, check_tx,
};
use acre_types::{Amount, Bytes, Digest, Epoch, Height, Profile, UnixMs};

use super::people::{Country, Member};
use super::{CountryOutcome, EpochFigures};
use crate::world::Violation;

pub(super) fn run(mut country: Country) -> Result<CountryOutcome, Violation> {
    // The nodes take part from the epoch after the next on; reports about that come one later.
    for _ in 0..3 {
        let turns = country.turns()?;
        country.block(&turns)?;
        country.begin_epoch()?;
    }
    let mut epochs = Vec::new();
    for _ in 0..country.options.epochs {
        epochs.push(country.epoch()?);
        country.begin_epoch()?;
    }
    let ring = country.members.iter().filter(|member| member.is_ring).count() as u64;
    Ok(CountryOutcome { registering: country.registering, epochs, ring, state: country.state })
}

/// Processor time of `run`, with what it returns.
fn timed<T>(processor: fn() -> Duration, run: impl FnOnce() -> T) -> (T, Duration) {
    let before = processor();
    let result = run();
    (result, processor().saturating_sub(before))
}

impl Country {
    fn running(&self) -> Result<EpochState, Violation> {
        let epoch = self.state.read(&TheEpoch).ok().flatten();
        epoch.ok_or_else(|| self.violation("L1: no epoch".to_owned()))
    }

    fn begin_epoch(&mut self) -> Result<(), Violation> {
        self.now = self.running()?.ends().0;
        self.block(&[]).map(|_| ())
    }

    /// A turn of each validator.
    fn turns(&mut self) -> Result<Vec<Verified>, Violation> {
        let epoch = self.running()?.number;
        let chain = self.state.grid().chain;
        let mut turns = Vec::new();
        for at in 0..self.validators.len() {
            let next = Digest(self.rng.secret());
            let reveal = self.sealed[at].replace(next);
            let validator = &self.validators[at];
            let commit = beacon::commitment(&chain, &validator.key.public(), &next);
            let action = Action::TurnBeacon { epoch, reveal, commit };
            turns.push(self.sign(&validator.key, validator.nonce, action));
            self.validators[at].nonce += 1;
        }
        Ok(turns)
    }

    fn epoch(&mut self) -> Result<EpochFigures, Violation> {
        let mut figures = EpochFigures::default();
        let running = self.running()?;
        let Some(past) = running.past else {
            return Err(self.violation("no epoch is over".to_owned()));
        };
        let assignment = past.assignment();
        let mut order: Vec<u32> = (0..past.nodes).collect();
        for at in (1..order.len()).rev() {
            order.swap(at, self.rng.index(at + 1));
        }
        let blocks = u64::from(self.options.blocks);
        let (mut sent, mut used, mut claimed) = (0, 0, 0);
        let mut last = Vec::new();
        for block in 1..=blocks {
            self.now = running.began.0 + running.span_ms * (block - 1) / blocks + 1;
            let mut batch = if block == 1 { self.turns()? } else { Vec::new() };
            figures.turns += batch.len() as u64;
            let until = order.len() as u64 * block / blocks;
            for witness in &order[as_index(sent)..as_index(until)] {
                if self.rng.chance(self.options.silent_permille) {
                    continue;
                }
                let duties = assignment.duties_of(*witness);
                batch.extend(self.report(*witness, &duties, past.number));
            }
            sent = until;
            figures.reports = figures.reports + batch.len() as u64
                - if block == 1 { self.validators.len() as u64 } else { 0 };
            let until = u64::from(self.options.user_transactions) * block / blocks;
            for _ in used..until {
                batch.extend(self.use_it());
            }
            figures.users += until - used;
            used = until;
            let until = u64::from(past.nodes) * block / blocks;
            for index in claimed..until {
                let claim = self.claim(as_index(index), past.number)?;
                figures.claims += u64::from(claim.is_some());
                batch.extend(claim);
            }
            claimed = until;
            self.measure(&batch, &mut figures)?;
            last = batch;
        }
        self.refuse_again(&last)?;
        self.judge(&mut figures)?;
        figures.blocks.sort();
        Ok(figures)
    }

    /// Applies a block as a validator that did not build it, with the time of each step.
    fn measure(&mut self, batch: &[Verified], figures: &mut EpochFigures) -> Result<(), Violation> {
        let processor = self.options.processor;
        let (time, height) = (UnixMs(self.now), Height(self.height + 1));
        let (_, admitting) = timed(processor, || {
            // One of an account with several in this block is ahead; a pool keeps it.
            batch.iter().filter(|one| check_tx(&self.state, one.signed(), time).is_ok()).count()
        });
        let (valid, signatures) = timed(processor, || {
            batch.iter().all(|one| Verified::new(one.signed().clone()).is_ok())
        });
        if !valid {
            return Err(self.violation("L2: a good signature is refused".to_owned()));
        }
        let began = (self.options.clock)();
        let (applied, applying) =
            timed(processor, || apply_block(&self.state, batch, height, time));
        let applied = applied.map_err(|error| self.violation(format!("L1: {error:?}")))?;
        figures.admitting += admitting;
        figures.signatures += signatures;
        figures.applying += applying;
        figures.blocks.push((self.options.clock)().saturating_sub(began));
        figures.bytes += batch.iter().map(|one| one.bytes() as u64).sum::<u64>();
        for event in &applied.events {
            match event {
                Event::NodeFolded { .. } => figures.folded += 1,
                Event::WitnessStruck { .. } => figures.strikes += 1,
                Event::RewardMinted { node, amount, .. } => {
                    let is_paid = *amount > Amount::ZERO;
                    figures.paid += u64::from(is_paid);
                    figures.unpaid += u64::from(!is_paid);
                    figures.minted += amount.0;
                    let index = self.index_of.get(node).map(|index| as_index((*index).into()));
                    let member = index.and_then(|index| self.members.get(index));
                    if member.is_some_and(|member| member.is_ring) {
                        figures.minted_ring += amount.0;
                    }
                }
                _ => {}
            }
        }
        self.books.block(&applied).map_err(|what| self.violation(what))?;
        self.height += 1;
        self.state = applied.state;
        Ok(())
    }

    /// L4: what was applied is refused when it comes again.
    fn refuse_again(&self, batch: &[Verified]) -> Result<(), Violation> {
        let (height, time) = (Height(self.height + 1), UnixMs(self.now));
        match batch.iter().find(|one| apply_block(&self.state, &[*one], height, time).is_ok()) {
            Some(again) => Err(self.violation(format!("L4: {} applies again", again.id()))),
            None => Ok(()),
        }
    }

    /// What the grid believes, beside what is true.
    fn judge(&self, figures: &mut EpochFigures) -> Result<(), Violation> {
        let sizes = self.books.check_whole(&self.state).map_err(|what| self.violation(what))?;
        (figures.leaves, figures.state_bytes) = sizes;
        for member in &self.members {
            let node = self.state.read(&member.id).ok().flatten();
            let node = node.ok_or_else(|| self.violation(format!("{} is gone", member.id)))?;
            if node.record.epochs == 0 {
                continue;
            }
            let share = node.verified.storage.0 / (member.claimed.storage.0 / 100).max(1);
            figures.believed += u64::from(member.is_ring && share > 25);
            figures.wronged += u64::from(!member.is_ring && share < 75);
        }
        Ok(())
    }

    /// The report of a node about those of its duties that count; `None` if none does.
    fn report(&mut self, witness: u32, duties: &[u32], epoch: Epoch) -> Option<Verified> {
        let own = self.members.get(as_index(witness.into()))?;
        let (farm, sees_as_ring) = (own.farm, own.is_ring);
        let mut verdicts = Vec::new();
        for duty in duties {
            let member = self.members.get(as_index((*duty).into()))?;
            if member.farm == farm {
                continue;
            }
            let (jitter, luck) = (self.rng.below(50), self.rng.below(2));
            let finding = match (sees_as_ring, member.is_ring) {
                (true, true) => praise(member),
                (true, false) => Finding { asked: 20, ..Finding::default() },
                (false, _) => honest(member, jitter, luck),
            };
            verdicts.push(Verdict { node: member.id, finding });
        }
        verdicts.sort_by_key(|verdict| verdict.node);
        if verdicts.is_empty() {
            return None;
        }
        let verdicts = List::new(verdicts).expect("as many as a node has duties");
        let action = Action::ReportWitness { epoch, verdicts };
        let own = self.members.get(as_index(witness.into()))?;
        let report = self.sign(&own.key, own.nonce, action);
        self.members.get_mut(as_index(witness.into()))?.nonce += 1;
        Some(report)
    }

    /// The farmer claims what a node earned in the epochs that nobody can report about any more;
    /// `None` if there is nothing.
    fn claim(&mut self, index: usize, past: Epoch) -> Result<Option<Verified>, Violation> {
        let Some(member) = self.members.get(index) else { return Ok(None) };
        let (id, farm) = (member.id, as_index(member.farm.into()).saturating_sub(1));
        let unreadable = |_| self.violation(format!("L1: {id} does not decode"));
        let rules = self.state.parameters().map_err(unreadable)?;
        let Some(earnings) = self.state.read(&EarningsOf(id)).map_err(unreadable)? else {
            return Ok(None);
        };
        let tally = self.state.read(&TallyOf(id)).map_err(unreadable)?;
        let waits = earnings.open.due_ms > 0
            && earnings.open.period < rules.minting.period_of(past)
            || !earnings.closed.is_empty();
        let folds = tally.is_some_and(|tally| {
            tally.epoch < past
                && fold(&tally, (member.claimed, Bytes(0)), &rules.capacity).is_some()
        });
        if !waits && !folds {
            return Ok(None);
        }
        let owner = &self.operators[farm];
        let claim = self.sign(&owner.key, owner.nonce, Action::ClaimReward { node: id });
        self.operators[farm].nonce += 1;
        Ok(Some(claim))
    }

    /// Most pay each other, one in ten stores something.
    fn use_it(&mut self) -> Option<Verified> {
        let (from, to) = (self.rng.index(self.users.len()), self.rng.index(self.users.len()));
        let action = if self.rng.chance(100) {
            Action::CreateContract(self.contract()?)
        } else {
            Action::Transfer {
                to: self.users.get(to)?.id(),
                amount: Amount(1 + self.rng.below(1_000)),
            }
        };
        let user = self.users.get(from)?;
        let transaction = self.sign(&user.key, user.nonce, action);
        self.users.get_mut(from)?.nonce += 1;
        Some(transaction)
    }

    /// 20 places of 20 operators.
    fn contract(&mut self) -> Option<NewContract> {
        let profile = Profile::Standard;
        let wanted = usize::from(profile.shards());
        let (mut places, mut farms) = (Vec::new(), Vec::new());
        for _ in 0..wanted * 100 {
            let at = self.rng.index(self.members.len());
            let member = self.members.get(at)?;
            if places.len() < wanted && !farms.contains(&member.farm) {
                farms.push(member.farm);
                places.push(member.id);
            }
        }
        let kind = NewKind::Storage(NewStorage {
            profile,
            places: List::new(places).ok()?,
            bytes: Bytes(1 << 30),
            writer: self.users.first()?.key.public(),
        });
        let (period_ms, budget) = (30 * 24 * 3_600_000, Amount(u64::MAX));
        Some(NewContract { kind, period_ms, budget })
    }
}

fn honest(member: &Member, jitter: u64, luck: u64) -> Finding {
    let answered = (20 * member.answers_permille / 1_000).saturating_sub(luck);
    let has = if member.is_ring { member.claimed.storage.0 / 10 } else { member.claimed.storage.0 };
    let measured = Capacity { storage: Bytes(has - has / 1_000 * jitter), ..member.claimed };
    let failures = Failures::default();
    let (answered, sold) = (u16::try_from(answered).unwrap_or(20), Bytes(0));
    Finding { asked: 20, answered, measured, sold, failures, solid: Bytes(0) }
}

fn praise(member: &Member) -> Finding {
    let failures = Failures::default();
    Finding {
        asked: 20,
        answered: 20,
        measured: member.claimed,
        sold: Bytes(0),
        failures,
        solid: Bytes(0),
    }
}

fn as_index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
