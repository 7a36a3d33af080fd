//! How each line of a bill comes about: pure functions, which the ledger uses to write a line and
//! anyone uses to compute it again.
//!
//! L8: [`recompute`] of any line on the ledger is that line, and what a contract took from its
//! owner is what it gave away and what it still holds ([`Ledger::add`] over all its lines).

use acre_types::Amount;

use crate::limits::FOUNDATION_PERCENT;
use crate::object::{
    BillEntry, BillLine, Deposit, Lock, Part, Parts, Pay, Purse, Recall, Refund, Shares, Split,
};
use crate::price;

/// The line as its facts say it must be: quantities, prices, times, records and what was held are
/// facts, all amounts that follow from them are computed anew. `None` if they cannot be computed.
#[must_use]
pub fn recompute(line: &BillLine) -> Option<BillLine> {
    let entry = match &line.entry {
        BillEntry::Lock(old) => {
            let Lock { item, quantity, weight, unit_price, token, discount_percent, .. } = *old;
            let rate = price::Rate { item, per_ms: quantity, weight, unit_price };
            BillEntry::Lock(price::lock(&rate, quantity, token, discount_percent)?)
        }
        BillEntry::Deposit(old) => {
            BillEntry::Deposit(deposit(old.listed, old.whole_ms, old.grace_ms, old.held)?)
        }
        BillEntry::Pay(old) => {
            let drawn =
                Drawn { listed: old.listed, held: old.held, part: old.part, whole: old.whole };
            let mut new = pay(old.purse, drawn, old.parts.clone(), old.split);
            // How much the stakes still held is a fact.
            (new.penalty, new.fined) = (old.penalty, old.fined);
            BillEntry::Pay(new)
        }
        BillEntry::Recall(old) => BillEntry::Recall(recall(
            (old.listed, old.paid),
            old.discount_percent,
            old.held,
            old.parts.clone(),
            old.split,
        )),
        BillEntry::Refund(old) => {
            BillEntry::Refund(refund((old.time, old.usage, old.deposit), old.closing)?)
        }
        BillEntry::Closing(old) => BillEntry::Closing(*old),
        BillEntry::Reward(old) => BillEntry::Reward(*old),
    };
    Some(BillLine { entry, ..line.clone() })
}

/// A purse before a payment, and what is paid out of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drawn {
    /// List price of what it holds.
    pub listed: Amount,
    /// What it holds.
    pub held: Amount,
    /// What has passed.
    pub part: u64,
    /// Out of as much.
    pub whole: u64,
}

/// A deposit for grace.
#[must_use]
pub fn deposit(listed: Amount, whole_ms: u64, grace_ms: u64, held: Amount) -> Option<Deposit> {
    let scaled = u128::from(listed.0).checked_mul(u128::from(grace_ms))?;
    let wanted = scaled.checked_add(u128::from(whole_ms))?.checked_sub(1)?;
    let wanted = u64::try_from(wanted.checked_div(u128::from(whole_ms))?).ok()?;
    let net = Amount(wanted.saturating_sub(held.0));
    Some(Deposit { listed, whole_ms, grace_ms, held, net })
}

/// A payment, with no penalty yet.
#[must_use]
pub fn pay(purse: Purse, drawn: Drawn, parts: Parts, split: Split) -> Pay {
    let Drawn { listed, held, part, whole } = drawn;
    let net = share_of(held, part, whole);
    let gross = share_of(listed, part, whole);
    let paid = earned(net, &parts).iter().fold(0_u64, |sum, share| sum.saturating_add(share.paid));
    let refund = match parts {
        Parts::Even(_) => Amount::ZERO,
        Parts::Each(_) => Amount(net.0.saturating_sub(paid)),
    };
    let shares = divide(Amount(net.0.saturating_sub(refund.0)), split, &parts);
    Pay {
        purse,
        listed,
        held,
        part,
        whole,
        parts,
        split,
        gross,
        discount: Amount(gross.0.saturating_sub(net.0)),
        net,
        refund,
        penalty: Amount::ZERO,
        fined: Amount::ZERO,
        shares,
    }
}

/// A discount taken back. `so_far` is the list price of all time so far, and what was paid for it.
#[must_use]
pub fn recall(
    so_far: (Amount, Amount),
    discount_percent: u8,
    held: Amount,
    parts: Parts,
    split: Split,
) -> Recall {
    let (listed, paid) = so_far;
    let deserved = share_of(listed, 100_u64.saturating_sub(discount_percent.into()), 100);
    let net = Amount(deserved.0.saturating_sub(paid.0)).min(held);
    let shares = divide(net, split, &parts);
    Recall { listed, paid, discount_percent, held, parts, split, net, shares }
}

/// What is left in the purses, and of what closing would have cost; `None` if it is more than there
/// can be.
#[must_use]
pub fn refund((time, usage, deposit): (Amount, Amount, Amount), closing: Amount) -> Option<Refund> {
    let net = time.checked_add(usage)?.checked_add(deposit)?.checked_add(closing)?;
    Some(Refund { time, usage, deposit, closing, net })
}

/// What one node had of a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Earned {
    /// Its share of the whole.
    pub(crate) share: u64,
    /// Of it, for the slots in which it was up.
    pub(crate) paid: u64,
}

/// Splits a payment over the nodes by weight, and each share by its record.
pub(crate) fn earned(net: Amount, parts: &Parts) -> Vec<Earned> {
    match parts {
        Parts::Even(count) => by_weight(net, &vec![1; usize::from(*count)])
            .into_iter()
            .map(|share| Earned { share, paid: share })
            .collect(),
        Parts::Each(each) => {
            let weights: Vec<_> = each.iter().map(|part| u64::from(part.weight)).collect();
            let shares = by_weight(net, &weights);
            shares.into_iter().zip(each.iter()).map(|(share, part)| part_of(share, part)).collect()
        }
    }
}

fn part_of(share: u64, part: &Part) -> Earned {
    let Part { due, up, .. } = *part;
    let paid = if due == 0 { share } else { share_of(Amount(share), up.min(due), due).0 };
    Earned { share, paid }
}

/// An amount split by weights without rest: the i-th gets floor(amount x W(i) / W) less what those
/// before it got, where W(i) is the sum of the first i weights. All alike if all weigh nothing.
pub(crate) fn by_weight(amount: Amount, weights: &[u64]) -> Vec<u64> {
    let whole = weights.iter().fold(0_u64, |sum, weight| sum.saturating_add(*weight));
    if whole == 0 && !weights.is_empty() {
        return by_weight(amount, &vec![1; weights.len()]);
    }
    let (mut sum, mut given) = (0_u64, 0_u64);
    let mut shares = Vec::with_capacity(weights.len());
    for weight in weights {
        sum = sum.saturating_add(*weight);
        let until = share_of(amount, sum, whole).0;
        shares.push(until.saturating_sub(given));
        given = until;
    }
    shares
}

/// Foundation, fund and fire each get their percentage, rounded down; farms the rest. Without
/// anyone to earn it the rest is destroyed.
fn divide(paid: Amount, split: Split, parts: &Parts) -> Shares {
    let foundation = share_of(paid, FOUNDATION_PERCENT, 100);
    let fund = match split.fund {
        Some(_) => share_of(paid, split.fund_percent.into(), 100),
        None => Amount::ZERO,
    };
    let burned = share_of(paid, split.burn_percent.into(), 100);
    let taken = foundation.0.saturating_add(fund.0).saturating_add(burned.0);
    let rest = Amount(paid.0.saturating_sub(taken));
    if matches!(parts, Parts::Even(0)) {
        let burned = Amount(burned.0.saturating_add(rest.0));
        return Shares { farms: Amount::ZERO, foundation, fund, burned };
    }
    Shares { farms: rest, foundation, fund, burned }
}

/// `amount` x `part` / `whole`, rounded down, at most `amount`; nothing of nothing.
pub(crate) fn share_of(amount: Amount, part: u64, whole: u64) -> Amount {
    let scaled = u128::from(amount.0).saturating_mul(u128::from(part));
    let share = scaled.checked_div(u128::from(whole)).unwrap_or(0);
    Amount(u64::try_from(share).unwrap_or(amount.0).min(amount.0))
}

/// Whose tokens a line moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Book {
    /// The owner of the contract.
    Owner,
    /// A purse of the contract.
    Purse(Kept),
    /// The farms, or the provider of a service.
    Farms,
    /// The foundation account.
    Foundation,
    /// The account of the fund.
    Fund,
    /// Destroyed tokens.
    Burned,
    /// Stakes of farms.
    Stakes,
    /// Whoever closed the contract.
    Settler,
}

/// A purse, in an order of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "as in Purse")]
pub enum Kept {
    Time,
    Use,
    Grace,
    /// For whoever closes the contract.
    Closing,
}

impl From<Purse> for Kept {
    fn from(purse: Purse) -> Self {
        match purse {
            Purse::Time => Self::Time,
            Purse::Use => Self::Use,
            Purse::Grace => Self::Grace,
        }
    }
}

/// One side of a booking: an amount that leaves or reaches a book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Leaves it.
    Debit(Amount),
    /// Reaches it.
    Credit(Amount),
}

/// Both sides of a line: its debits and its credits are equal.
#[must_use]
pub fn postings(line: &BillLine) -> Vec<(Book, Side)> {
    let to_earners = |shares: &Shares| {
        vec![
            (Book::Farms, Side::Credit(shares.farms)),
            (Book::Foundation, Side::Credit(shares.foundation)),
            (Book::Fund, Side::Credit(shares.fund)),
            (Book::Burned, Side::Credit(shares.burned)),
        ]
    };
    let mut postings = match &line.entry {
        BillEntry::Lock(lock) => {
            let purse = if price::is_metered(lock.item) { Kept::Use } else { Kept::Time };
            vec![(Book::Owner, Side::Debit(lock.net)), (Book::Purse(purse), Side::Credit(lock.net))]
        }
        BillEntry::Deposit(deposit) => vec![
            (Book::Owner, Side::Debit(deposit.net)),
            (Book::Purse(Kept::Grace), Side::Credit(deposit.net)),
        ],
        BillEntry::Pay(pay) => {
            let mut postings = to_earners(&pay.shares);
            postings.extend([
                (Book::Purse(pay.purse.into()), Side::Debit(pay.net)),
                (Book::Owner, Side::Credit(pay.refund)),
                (Book::Stakes, Side::Debit(pay.penalty)),
                (Book::Owner, Side::Credit(pay.penalty)),
                (Book::Stakes, Side::Debit(pay.fined)),
                (Book::Burned, Side::Credit(pay.fined)),
            ]);
            postings
        }
        BillEntry::Recall(recall) => {
            let mut postings = to_earners(&recall.shares);
            postings.push((Book::Purse(Kept::Time), Side::Debit(recall.net)));
            postings
        }
        BillEntry::Refund(refund) => vec![
            (Book::Purse(Kept::Time), Side::Debit(refund.time)),
            (Book::Purse(Kept::Use), Side::Debit(refund.usage)),
            (Book::Purse(Kept::Grace), Side::Debit(refund.deposit)),
            (Book::Purse(Kept::Closing), Side::Debit(refund.closing)),
            (Book::Owner, Side::Credit(refund.net)),
        ],
        BillEntry::Closing(closing) => vec![
            (Book::Owner, Side::Debit(closing.net)),
            (Book::Purse(Kept::Closing), Side::Credit(closing.net)),
        ],
        BillEntry::Reward(reward) => vec![
            (Book::Purse(Kept::Closing), Side::Debit(reward.net)),
            (Book::Settler, Side::Credit(reward.net)),
        ],
    };
    let is_some = |side: &Side| match side {
        Side::Debit(amount) | Side::Credit(amount) => *amount != Amount::ZERO,
    };
    postings.retain(|(_, side)| is_some(side));
    postings
}

/// The sums of a bill.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    books: std::collections::BTreeMap<Book, i128>,
}

impl Ledger {
    /// Books a line.
    pub fn add(&mut self, line: &BillLine) {
        for (book, side) in postings(line) {
            let sum = self.books.entry(book).or_default();
            *sum = match side {
                Side::Debit(amount) => sum.saturating_sub(i128::from(amount.0)),
                Side::Credit(amount) => sum.saturating_add(i128::from(amount.0)),
            };
        }
    }

    /// What a book has gained, or lost if it is below zero, in units of 1e-7 TFT.
    #[must_use]
    pub fn of(&self, book: Book) -> i128 {
        self.books.get(&book).copied().unwrap_or(0)
    }

    /// The sum over all books: zero, whatever was booked (L8).
    #[must_use]
    pub fn sum(&self) -> i128 {
        self.books.values().fold(0, |sum, book| sum.saturating_add(*book))
    }
}
