//! Tokens of contracts: every movement is a line of the bill, and every line a movement (L8).

use std::collections::BTreeMap;

use acre_types::{AccountId, Amount, Bytes, FarmId, UnixMs};

use super::super::{Done, Work};
use super::nodes::Served;
use crate::bill::{self, Drawn, by_weight, earned};
use crate::error::{Refusal, StateError};
use crate::event::Event;
use crate::key::{BillAt, TheTotals};
use crate::limits::COVER_PERCENT;
use crate::object::{
    BillEntry, BillLine, Closing, Contract, ContractKind, Deposit, Lock, Parts, Purse, Reward,
    Shares,
};
use crate::price::is_metered;

/// A time that a line is about.
#[derive(Clone, Copy)]
pub(super) struct Span {
    pub(super) from: UnixMs,
    pub(super) to: UnixMs,
}

impl Work<'_> {
    pub(super) fn write_line(
        &mut self,
        contract: &mut Contract,
        span: Span,
        entry: BillEntry,
    ) -> Done {
        let line = BillLine { at: self.now, from: span.from, to: span.to, entry };
        debug_assert_eq!(bill::recompute(&line).as_ref(), Some(&line), "L8");
        self.overlay.put(&BillAt(contract.id, contract.bills), line);
        contract.bills = super::super::next(contract.bills)?;
        Ok(())
    }

    /// Moves the price of these lines from the owner into the contract.
    pub(super) fn lock_lines(
        &mut self,
        contract: &mut Contract,
        span: Span,
        lines: &[Lock],
    ) -> Done {
        for line in lines {
            self.lock(contract.owner, line.net)?;
            if is_metered(line.item) {
                contract.usage = sum(contract.usage, line.net)?;
            } else {
                contract.escrow = sum(contract.escrow, line.net)?;
                contract.listed = sum(contract.listed, line.gross)?;
            }
            self.write_line(contract, span, BillEntry::Lock(*line))?;
        }
        Ok(())
    }

    pub(super) fn lock_deposit(&mut self, contract: &mut Contract, deposit: Deposit) -> Done {
        if deposit.net == Amount::ZERO {
            return Ok(());
        }
        self.lock(contract.owner, deposit.net)?;
        contract.deposit = sum(contract.deposit, deposit.net)?;
        let span = Span { from: contract.expires, to: contract.grace_end() };
        self.write_line(contract, span, BillEntry::Deposit(deposit))
    }

    pub(super) fn lock_closing(&mut self, contract: &mut Contract, net: Amount) -> Done {
        if net == Amount::ZERO {
            return Ok(());
        }
        self.lock(contract.owner, net)?;
        contract.closing = net;
        let span = Span { from: self.now, to: self.now };
        self.write_line(contract, span, BillEntry::Closing(Closing { net }))
    }

    /// Pays who closes a contract for it.
    pub(super) fn reward(&mut self, contract: &mut Contract, settler: AccountId) -> Done {
        let net = std::mem::take(&mut contract.closing);
        if net == Amount::ZERO {
            return Ok(());
        }
        self.unlock(net)?;
        self.credit(settler, net)?;
        let span = Span { from: self.now, to: self.now };
        self.write_line(contract, span, BillEntry::Reward(Reward { settler, net }))
    }

    /// Pays a part of a purse to those who earned it. The caller stores the contract.
    pub(super) fn pay(
        &mut self,
        contract: &mut Contract,
        purse: Purse,
        (part, whole): (u64, u64),
        span: Span,
        served: &Served,
    ) -> Done {
        let (listed, held) = match purse {
            Purse::Time => (contract.listed, contract.escrow),
            Purse::Use => (contract.usage, contract.usage),
            Purse::Grace => (contract.deposit, contract.deposit),
        };
        let split = self.parameters.prices.split;
        let drawn = Drawn { listed, held, part, whole };
        let mut pay = bill::pay(purse, drawn, served.parts.clone(), split);
        if pay.gross == Amount::ZERO {
            return Ok(());
        }
        let left = Amount(held.0.saturating_sub(pay.net.0));
        match purse {
            Purse::Time => {
                let unpaid = bill::share_of(pay.gross, pay.refund.0, pay.net.0);
                let paid = Amount(pay.net.0.saturating_sub(pay.refund.0));
                let paid_listed = Amount(pay.gross.0.saturating_sub(unpaid.0));
                contract.escrow = left;
                contract.listed = Amount(listed.0.saturating_sub(pay.gross.0));
                contract.paid = sum(contract.paid, paid)?;
                contract.paid_listed = sum(contract.paid_listed, paid_listed)?;
            }
            Purse::Use => contract.usage = left,
            Purse::Grace => contract.deposit = left,
        }
        self.unlock(pay.net)?;
        self.credit(contract.owner, pay.refund)?;
        (pay.penalty, pay.fined) = self.penalize(contract, pay.net, served)?;
        self.give(contract, pay.net, &served.parts, pay.shares)?;
        let cover = covered(pay.shares);
        match (purse, contract.workload()) {
            (Purse::Use, Some(workload)) => {
                self.cover_traffic(workload.node, Bytes(part), cover)?;
            }
            _ => self.cover(contract, pay.net, &served.parts, cover)?,
        }
        self.write_line(contract, span, BillEntry::Pay(pay))
    }

    /// What is added has been kept for no time yet: from now on the mean counts. Time beyond the longest
    /// discount helps nothing that comes later.
    pub(super) fn mix_stay(&self, contract: &mut Contract, before: u128, after: u128) {
        if after <= before {
            return;
        }
        let longest = self.parameters.prices.commitments.iter().map(|tier| tier.ms).max();
        let age = self.now.0.saturating_sub(contract.since.0).min(longest.unwrap_or(0));
        let mean = before.saturating_mul(age.into()).checked_div(after).unwrap_or(0);
        let mean = u64::try_from(mean).unwrap_or(age);
        contract.since = UnixMs(self.now.0.saturating_sub(mean));
    }

    /// Takes back a discount to which its owner did not stay.
    pub(super) fn recall(&mut self, contract: &mut Contract, parts: Parts) -> Done {
        let until = contract.settled.min(contract.expires);
        let reached_ms = until.0.saturating_sub(contract.since.0);
        let recall = bill::recall(
            (contract.paid_listed, contract.paid),
            self.parameters.prices.discount(reached_ms),
            contract.escrow,
            parts,
            self.parameters.prices.split,
        );
        if recall.net == Amount::ZERO {
            return Ok(());
        }
        contract.escrow = Amount(contract.escrow.0.saturating_sub(recall.net.0));
        contract.paid = sum(contract.paid, recall.net)?;
        self.unlock(recall.net)?;
        self.give(contract, recall.net, &recall.parts, recall.shares)?;
        self.cover(contract, recall.net, &recall.parts, covered(recall.shares))?;
        let span = Span { from: contract.since.min(until), to: until };
        self.write_line(contract, span, BillEntry::Recall(recall))
    }

    /// Gives back all that is left.
    pub(super) fn refund(&mut self, contract: &mut Contract) -> Done<Amount> {
        let what = "a contract holds more than there is";
        let purses = (contract.escrow, contract.usage, contract.deposit);
        let refund = bill::refund(purses, contract.closing).ok_or(StateError::Books { what })?;
        (contract.escrow, contract.listed) = (Amount::ZERO, Amount::ZERO);
        (contract.usage, contract.deposit) = (Amount::ZERO, Amount::ZERO);
        contract.closing = Amount::ZERO;
        if refund.net == Amount::ZERO {
            return Ok(refund.net);
        }
        self.unlock(refund.net)?;
        self.credit(contract.owner, refund.net)?;
        let span = Span { from: self.now, to: self.now };
        self.write_line(contract, span, BillEntry::Refund(refund))?;
        Ok(refund.net)
    }

    /// Hands out what has left a purse; `net` as it was before refunds.
    fn give(&mut self, contract: &Contract, net: Amount, parts: &Parts, shares: Shares) -> Done {
        let foundation = self.overlay.base().grid().foundation;
        self.credit(foundation, shares.foundation)?;
        if let Some(fund) = self.parameters.prices.split.fund {
            self.credit(fund, shares.fund)?;
        }
        self.destroy(shares.burned)?;
        self.pay_earned(contract, net, parts, shares.farms)?;
        if shares != Shares::default() {
            let Shares { farms, foundation, .. } = shares;
            self.events.push(Event::ContractPaid { contract: contract.id, farms, foundation });
        }
        Ok(())
    }

    /// Pays the farms in proportion to what each node earned of `net`.
    fn pay_earned(
        &mut self,
        contract: &Contract,
        net: Amount,
        parts: &Parts,
        farms: Amount,
    ) -> Done {
        if let ContractKind::Service(service) = &contract.kind {
            return self.credit(service.provider, farms);
        }
        let mut farms_paid = BTreeMap::<FarmId, u64>::new();
        let weights: Vec<_> = earned(net, parts).iter().map(|earned| earned.paid).collect();
        for (id, share) in contract.nodes().iter().zip(by_weight(farms, &weights)) {
            let farm = self.overlay.must(id)?.farm;
            let sum = farms_paid.entry(farm).or_default();
            *sum = sum.saturating_add(share);
        }
        for (farm, amount) in farms_paid {
            self.pay_farm(farm, Amount(amount))?;
        }
        Ok(())
    }

    /// Part of what the foundation and the fire got for storage, workloads and nodes rented whole may be
    /// minted for what is sold at these nodes.
    fn cover(&mut self, contract: &Contract, net: Amount, parts: &Parts, cover: Amount) -> Done {
        if contract.nodes().is_empty() {
            return Ok(());
        }
        let weights: Vec<_> = earned(net, parts).iter().map(|earned| earned.paid).collect();
        for (id, share) in contract.nodes().iter().zip(by_weight(cover, &weights)) {
            self.cover_sold(*id, Amount(share))?;
        }
        Ok(())
    }

    /// Moves tokens from an account into escrow.
    pub(in super::super) fn lock(&mut self, owner: AccountId, amount: Amount) -> Done {
        self.debit(owner, amount)?;
        let mut totals = self.totals()?;
        totals.escrow = totals
            .escrow
            .checked_add(amount)
            .ok_or(StateError::Books { what: "escrow is more than was minted" })?;
        self.overlay.put(&TheTotals, totals);
        Ok(())
    }

    /// Takes tokens out of escrow; the caller credits them.
    pub(in super::super) fn unlock(&mut self, amount: Amount) -> Done {
        let mut totals = self.totals()?;
        totals.escrow = totals
            .escrow
            .checked_sub(amount)
            .ok_or(StateError::Books { what: "escrow is less than a contract holds" })?;
        self.overlay.put(&TheTotals, totals);
        Ok(())
    }

    /// Destroys tokens that left escrow.
    pub(super) fn destroy(&mut self, amount: Amount) -> Done {
        if amount == Amount::ZERO {
            return Ok(());
        }
        let mut totals = self.totals()?;
        totals.burned = totals
            .burned
            .checked_add(amount)
            .ok_or(StateError::Books { what: "more was burned than was minted" })?;
        self.overlay.put(&TheTotals, totals);
        Ok(())
    }
}

/// What may be minted for what was sold: a part of what the foundation and the fire get of its price.
fn covered(shares: Shares) -> Amount {
    let taken = shares.foundation.0.saturating_add(shares.burned.0);
    bill::share_of(Amount(taken), COVER_PERCENT, 100)
}

fn sum(a: Amount, b: Amount) -> Done<Amount> {
    let what = "the price of the contract";
    a.checked_add(b).ok_or_else(|| Refusal::OutOfRange { what }.into())
}
