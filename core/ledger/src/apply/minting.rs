//! From records to tokens: what a node earned in a period is summed up while its epochs are folded,
//! and minted when somebody claims it.
//!
//! This is the only place but genesis in which tokens are made, and each token has a receipt (L7).

use acre_codec::List;
use acre_types::{Amount, Bytes, Epoch, FarmId, NodeId};

use super::power::NapWorth;
use super::{Done, Work};
use crate::error::{Fault, Refusal, StateError};
use crate::event::Event;
use crate::key::{EarningsOf, MeritOf, MintReceiptOf, PolicyBookOf, TheEpoch, TheTotals};
use crate::limits::CLOSED_SPANS_MAX;
use crate::mint::{self, Certification, Health, MicroUsd, MintInput, Raw};
use crate::object::{Earnings, MintReceiptObject, Node, Span, Tally};

impl Work<'_> {
    /// A node that registers keeps the policy and the price of this moment.
    pub(super) fn open_earnings(&mut self, node: NodeId, farm: FarmId) -> Done {
        let level = self.level_of_farm(farm)?;
        let rules = &self.parameters.minting;
        let Some(policy) = rules.open_policy(self.now, level) else { return Ok(()) };
        let floor = rules.price_floor;
        let price = MicroUsd(self.token_price()?.0).max(floor);
        let epoch = self.overlay.must(&TheEpoch)?.number;
        let period = self.parameters.minting.period_of(epoch);
        let mut book = self.overlay.get(&PolicyBookOf(policy))?.unwrap_or_default();
        book.nodes = book.nodes.saturating_add(1);
        self.overlay.put(&PolicyBookOf(policy), book);
        self.overlay.put(&EarningsOf(node), Earnings::new(policy, price, period));
        Ok(())
    }

    /// An epoch was folded into the node: `old` became `new`, and a nap may be settled by it.
    pub(super) fn earn(
        &mut self,
        id: NodeId,
        tally: &Tally,
        (old, new): (&Node, &Node),
        nap: Option<NapWorth>,
    ) -> Result<(), StateError> {
        let Some(earnings) = self.overlay.get(&EarningsOf(id))? else { return Ok(()) };
        let period = self.parameters.minting.period_of(tally.epoch);
        let mut earnings = self.close_before(id, earnings, period)?;
        let honest = new.witnessing.honest();
        let span = &mut earnings.open;
        span.duties = span.duties.saturating_add(tally.duties.into());
        span.honest = span.honest.saturating_add(honest.saturating_sub(earnings.honest_counted));
        earnings.honest_counted = earnings.honest_counted.max(honest);
        let due_ms = new.record.due.saturating_sub(old.record.due);
        let up_ms = new.record.up.saturating_sub(old.record.up);
        span.add(due_ms, up_ms, &Raw::proven(new), &Raw::lent(new));
        if let Some(NapWorth { due_ms, up_ms, capacity }) = nap {
            // Only an empty node sleeps.
            span.add(due_ms, up_ms, &capacity, &Raw::default());
        }
        self.overlay.put(&EarningsOf(id), earnings);
        Ok(())
    }

    /// Closes the open span if it is of a period before this one. Where no more spans fit, those that
    /// wait are paid first.
    fn close_before(
        &mut self,
        id: NodeId,
        mut earnings: Earnings,
        period: u64,
    ) -> Result<Earnings, StateError> {
        if earnings.open.period >= period {
            return Ok(earnings);
        }
        let open = std::mem::replace(&mut earnings.open, Span::of(period));
        if open.due_ms == 0 {
            // Verdicts and traffic of a period in which the node was not witnessed count in the next.
            earnings.open.duties = open.duties;
            earnings.open.honest = open.honest;
            earnings.open.traffic = open.traffic;
            earnings.open.traffic_cover = open.traffic_cover;
            return Ok(earnings);
        }
        let mut closed = earnings.closed.to_vec();
        closed.push(open);
        match List::new(closed.clone()) {
            Ok(closed) => earnings.closed = closed,
            Err(_) => {
                let mut left = Vec::new();
                for span in closed {
                    // A receipt that cannot be computed must not hold up reports: the span waits on.
                    match self.pay_span(id, &mut earnings, &span) {
                        Ok(()) => {}
                        Err(Fault::Refused(_)) => left.push(span),
                        Err(Fault::State(error)) => return Err(error),
                    }
                }
                if left.len() > CLOSED_SPANS_MAX {
                    left.remove(0);
                }
                earnings.closed = List::new(left).expect("one more than fits, less one");
            }
        }
        Ok(earnings)
    }

    pub(super) fn claim_reward(&mut self, id: NodeId) -> Done {
        if self.overlay.get(&id)?.is_none() {
            return Err(Refusal::NoSuchNode { node: id }.into());
        }
        self.fold_node(id)?;
        let earnings = self.overlay.get(&EarningsOf(id))?.ok_or(Refusal::NothingToDo)?;
        // Reports still come about the last epoch that is over, and about none before it.
        let running = self.overlay.must(&TheEpoch)?;
        let last = running.past.map_or(Epoch(0), |past| past.number);
        let period = self.parameters.minting.period_of(last);
        let mut earnings = self.close_before(id, earnings, period)?;
        let closed = std::mem::take(&mut earnings.closed);
        if closed.is_empty() {
            return Err(Refusal::NothingToDo.into());
        }
        for span in closed.iter() {
            self.pay_span(id, &mut earnings, span)?;
        }
        self.overlay.put(&EarningsOf(id), earnings);
        Ok(())
    }

    /// Mints what a period is worth, and keeps the receipt. The caller stores the earnings.
    fn pay_span(&mut self, id: NodeId, earnings: &mut Earnings, span: &Span) -> Done {
        let farm = self.overlay.must(&id)?.farm;
        let payout = self.overlay.must(&farm)?.payout;
        let (certification, merit) = self.level_in_span(id, farm, span)?;
        let input = self.mint_input(earnings, span, certification)?;
        let receipt =
            mint::receipt(&input).map_err(|_| Refusal::OutOfRange { what: "a reward" })?;
        let (period, reason, amount) = (span.period, receipt.reason, receipt.total);
        let out = Refusal::OutOfRange { what: "the sum of all rewards" };
        let mut totals = self.totals()?;
        totals.minted = totals.minted.checked_add(amount).ok_or(out.clone())?;
        totals.rewarded = totals.rewarded.checked_add(amount).ok_or(out.clone())?;
        let mut book = self.overlay.get(&PolicyBookOf(earnings.policy))?.unwrap_or_default();
        book.minted = book.minted.checked_add(amount).ok_or(out.clone())?;
        earnings.minted = earnings.minted.checked_add(amount).ok_or(out)?;
        earnings.vested_ms = receipt.vested_ms;
        earnings.sold_owed = receipt.sold_owed;
        let cover = earnings.sold_cover.checked_sub(receipt.sold());
        let what = "more was minted for what is sold than is covered";
        earnings.sold_cover = cover.ok_or(StateError::Books { what })?;
        self.overlay.put(&MeritOf(id), merit);
        self.overlay.put(&TheTotals, totals);
        self.overlay.put(&PolicyBookOf(earnings.policy), book);
        self.pay_farm(farm, amount)?;
        let at = self.now;
        let stored = MintReceiptObject { node: id, farm, payout, at, input, receipt };
        self.overlay.put(&MintReceiptOf(id, period), stored);
        self.events.push(Event::RewardMinted { node: id, farm, period, reason, amount });
        Ok(())
    }

    /// What the ledger knows. Bills do not tell what was paid for addresses, so there are none.
    fn mint_input(
        &mut self,
        earnings: &Earnings,
        span: &Span,
        certification: Certification,
    ) -> Result<MintInput, StateError> {
        let rules = &self.parameters.minting;
        let what = "a node has a policy that there is not";
        let policy = rules.policy(earnings.policy).ok_or(StateError::Books { what })?.clone();
        let (month_ms, witness_permille) = (rules.month_ms, rules.witness_permille);
        let minted = self.overlay.get(&PolicyBookOf(earnings.policy))?.unwrap_or_default().minted;
        let left = |budget: Amount| Amount(budget.0.saturating_sub(minted.0));
        Ok(MintInput {
            period: span.period,
            capacity: span.mean(),
            traffic: span.traffic,
            traffic_cover: span.traffic_cover,
            ipv4_ms: 0,
            due_ms: span.due_ms,
            up_ms: span.up_ms,
            duties: span.duties,
            honest: span.honest,
            month_ms,
            certification,
            health: Health::Sound,
            price: earnings.price,
            vested_ms: earnings.vested_ms,
            witness_permille,
            budget_left: policy.caps.budget.map(left),
            policy,
            sold: span.mean_sold(),
            sold_owed: earnings.sold_owed,
            sold_cover: earnings.sold_cover,
        })
    }

    /// The foundation and the fire got so much for what was sold at a node: as much may be minted for
    /// that.
    pub(super) fn cover_sold(&mut self, id: NodeId, amount: Amount) -> Result<(), StateError> {
        let Some(mut earnings) = self.overlay.get(&EarningsOf(id))? else { return Ok(()) };
        earnings.sold_cover = Amount(earnings.sold_cover.0.saturating_add(amount.0));
        self.overlay.put(&EarningsOf(id), earnings);
        Ok(())
    }

    /// A tenant was billed for traffic at a node, and the foundation and the fire got so much of it.
    pub(super) fn cover_traffic(
        &mut self,
        id: NodeId,
        traffic: Bytes,
        amount: Amount,
    ) -> Result<(), StateError> {
        let Some(mut earnings) = self.overlay.get(&EarningsOf(id))? else { return Ok(()) };
        let open = &mut earnings.open;
        open.traffic = Bytes(open.traffic.0.saturating_add(traffic.0));
        open.traffic_cover = Amount(open.traffic_cover.0.saturating_add(amount.0));
        self.overlay.put(&EarningsOf(id), earnings);
        Ok(())
    }

    /// Gives a farm what it earned: to its members by their parts, or to its payout account.
    pub(super) fn pay_farm(&mut self, farm: FarmId, amount: Amount) -> Done {
        let farm = self.overlay.must(&farm)?;
        for (account, share) in farm.split(amount) {
            self.credit(account, share)?;
        }
        Ok(())
    }
}
