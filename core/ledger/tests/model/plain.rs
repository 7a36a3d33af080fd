//! The rules of the ledger once more, in plain maps and as plainly as possible: says whether an
//! operation is accepted, and what everything is afterwards.

use std::collections::{BTreeMap, BTreeSet};

use acre_types::Profile;

use super::ops::{Op, Twist};

pub(crate) const FOUNDATION: u8 = 255;
/// Micro-USD for a TiB and hour; with [`TOKEN`] a byte costs about one unit an hour.
pub(crate) const PRICE: u64 = 1 << 22;
pub(crate) const TOKEN: u64 = 38;
pub(crate) const DISCOUNT: u8 = 25;
pub(crate) const DISCOUNT_MS: u64 = 5_000_000;
pub(crate) const FEE: u64 = 5;
pub(crate) const FEE_BYTE: u64 = 1;
pub(crate) const FEE_PLACE: u64 = 3;
/// Least period of a contract.
pub(crate) const PERIOD_MS: u64 = 1_000;
/// For whoever closes a contract that is over.
const CLOSING: u64 = FEE + FEE_BYTE * 185 + FEE_PLACE * 140;

#[derive(Clone, Debug)]
pub(crate) struct PlainNode {
    pub(crate) farm: u32,
    pub(crate) operator: u8,
    pub(crate) site: u8,
    pub(crate) storage: u64,
    pub(crate) reserved: u64,
    /// 0 active, 1 draining, 2 retired.
    pub(crate) state: u8,
}

#[derive(Clone, Debug)]
pub(crate) struct PlainContract {
    pub(crate) owner: u8,
    pub(crate) profile: Profile,
    pub(crate) places: Vec<u8>,
    pub(crate) bytes: u64,
    pub(crate) created: u64,
    pub(crate) since: u64,
    pub(crate) settled: u64,
    pub(crate) expires: u64,
    /// Frozen and archived, each for so long.
    pub(crate) grace: u64,
    pub(crate) escrow: u64,
    pub(crate) listed: u64,
    pub(crate) deposit: u64,
    pub(crate) closing: u64,
    pub(crate) paid: u64,
    pub(crate) paid_listed: u64,
    pub(crate) is_open: bool,
}

impl PlainContract {
    fn grace_end(&self) -> u64 {
        self.expires + 2 * self.grace
    }
}

/// Who gets what places did not earn.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rest {
    /// The owner of the contract.
    Back,
    /// Those that did.
    Shared,
}

/// Accounts, nodes and people are the numbers of their keys.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plain {
    pub(crate) balances: BTreeMap<u8, u64>,
    pub(crate) nonces: BTreeMap<u8, u64>,
    /// Which key speaks for an account, where it is not its own.
    pub(crate) keys: BTreeMap<u8, u8>,
    pub(crate) twins: BTreeMap<u8, (u8, u64)>,
    /// Owner and payout; farm 1 comes first.
    pub(crate) farms: Vec<(u8, u8)>,
    pub(crate) nodes: BTreeMap<u8, PlainNode>,
    pub(crate) contracts: Vec<PlainContract>,
    pub(crate) burned: u64,
}

impl Plain {
    pub(crate) fn key(&self, account: u8) -> u8 {
        self.keys.get(&account).copied().unwrap_or(account)
    }

    pub(crate) fn escrow(&self) -> u64 {
        let held = |it: &PlainContract| it.escrow + it.deposit + it.closing;
        self.contracts.iter().map(held).sum()
    }

    fn farm(&self, number: u32) -> Option<(u8, u8)> {
        self.farms.get(usize::try_from(number).unwrap().checked_sub(1)?).copied()
    }

    fn pay(&mut self, from: u8, amount: u64) -> Option<()> {
        let balance = self.balances.entry(from).or_default();
        *balance = balance.checked_sub(amount)?;
        Some(())
    }

    /// `Some` if the operation is accepted; otherwise the caller drops this changed copy.
    pub(crate) fn apply(&mut self, op: &Op, twist: Twist, bytes: usize, now: u64) -> Option<()> {
        // Whatever the twist is: it makes the transaction invalid.
        let fee = FEE + FEE_BYTE * u64::try_from(bytes).unwrap() + FEE_PLACE * op.places();
        let sponsor = self.sponsor(op);
        let fee = match (twist, sponsor) {
            (Twist::None, _) => fee,
            (Twist::HighFee, None) => fee + 1,
            _ => return None,
        };
        let payer = sponsor.or(self.settler(op, fee, now)).unwrap_or(op.from());
        self.pay(payer, fee)?;
        self.burned += fee;
        *self.nonces.entry(op.from()).or_default() += 1;
        self.run(op, now, payer)
    }

    /// The operator, for a node that closes a contract of its own which is over.
    fn settler(&self, op: &Op, fee: u64, now: u64) -> Option<u8> {
        let Op::Settle { from, contract } = op else { return None };
        let (held, node) = (self.contracts.get(*contract)?, self.nodes.get(from)?);
        let closes = held.is_open && now >= held.grace_end() && held.closing >= fee;
        (closes && held.places.contains(from) && node.state != 2).then_some(node.operator)
    }

    fn sponsor(&self, op: &Op) -> Option<u8> {
        match op {
            Op::RegisterNode { farm, .. } => self.farm(*farm).map(|farm| farm.0),
            Op::UpdateNode { from, node, .. } if from == node => {
                self.nodes.get(node).map(|node| node.operator)
            }
            _ => None,
        }
    }

    fn run(&mut self, op: &Op, now: u64, payer: u8) -> Option<()> {
        match op.clone() {
            Op::Transfer { from, to, amount } => {
                self.pay(from, amount)?;
                *self.balances.entry(to).or_default() += amount;
                (amount > 0).then_some(())
            }
            Op::RotateKey { from, key } => {
                let changes = self.key(from) != key;
                self.keys.insert(from, key);
                changes.then_some(())
            }
            Op::RegisterTwin { from, handle } => {
                let free = self.twins.values().all(|(owner, _)| *owner != from);
                let fresh = self.twins.insert(handle, (from, 0)).is_none();
                (free && fresh).then_some(())
            }
            Op::RotateTwin { from, handle } => {
                let (owner, epoch) = self.twins.get_mut(&handle)?;
                *epoch += 1;
                (*owner == from).then_some(())
            }
            Op::CreateFarm { from, payout } => {
                self.farms.push((from, payout));
                Some(())
            }
            Op::UpdateFarm { from, farm, payout } => {
                let (owner, old) = self.farm(farm)?;
                let index = usize::try_from(farm).unwrap() - 1;
                self.farms[index].1 = payout;
                (owner == from && old != payout).then_some(())
            }
            Op::RegisterNode { node, farm, signer, named, expires_in, site, storage } => {
                let (operator, _) = self.farm(farm)?;
                let consents = signer == self.key(operator)
                    && expires_in > 0
                    && named.is_none_or(|named| named == node)
                    && self.key(node) == node;
                let node_state = PlainNode { farm, operator, site, storage, reserved: 0, state: 0 };
                let fresh = self.nodes.insert(node, node_state).is_none();
                (consents && fresh).then_some(())
            }
            Op::UpdateNode { from, node, storage, state } => {
                let old = self.nodes.get_mut(&node)?;
                let may = from == old.operator || (from == node && old.state != 2);
                let may = may && (old.state != 2 || state == 2);
                let changes = (old.storage, old.state) != (storage, state);
                (old.storage, old.state) = (storage, state);
                (may && changes && old.reserved <= storage).then_some(())
            }
            Op::CreateContract { from, profile, places, bytes, period } => {
                let share = bytes.div_ceil(u64::from(profile.data()));
                self.check_places(profile, &places)?;
                for place in &places {
                    self.take(*place, share)?;
                }
                self.pay(from, CLOSING)?;
                if bytes == 0 || period < PERIOD_MS {
                    return None;
                }
                let count = places.len();
                self.contracts.push(PlainContract {
                    owner: from,
                    profile,
                    places,
                    bytes,
                    created: now,
                    since: now,
                    settled: now,
                    expires: now + period,
                    grace: 0,
                    escrow: 0,
                    listed: 0,
                    deposit: 0,
                    closing: CLOSING,
                    paid: 0,
                    paid_listed: 0,
                    is_open: true,
                });
                self.lock(self.contracts.len() - 1, area(share, count, period), now)
            }
            Op::Extend { from, contract, bytes, period } => {
                self.extend(from, contract, bytes, period, now)
            }
            Op::ChangePlaces { from, contract, replace, add } => {
                self.change(from, contract, &replace, &add, now)
            }
            Op::Cancel { from, contract } => {
                let held = self.contracts.get(contract)?;
                if held.owner != from || !held.is_open {
                    return None;
                }
                let (_, parts) = self.settle(contract, now);
                self.recall(contract, &parts);
                self.close(contract);
                Some(())
            }
            Op::Settle { contract, .. } => {
                let before = self.contracts.get(contract)?.clone();
                if !before.is_open {
                    return None;
                }
                let (is_paid, _) = self.settle(contract, now);
                if now >= before.grace_end() {
                    let closing = std::mem::take(&mut self.contracts[contract].closing);
                    *self.balances.entry(payer).or_default() += closing;
                    self.close(contract);
                    return Some(());
                }
                is_paid.then_some(())
            }
        }
    }

    /// Reserves at an active node.
    fn take(&mut self, place: u8, share: u64) -> Option<()> {
        let node = self.nodes.get_mut(&place)?;
        node.reserved += share;
        (node.state == 0 && node.reserved <= node.storage).then_some(())
    }

    fn check_places(&self, profile: Profile, places: &[u8]) -> Option<()> {
        let (least, spares) = (usize::from(profile.shards()), usize::from(profile.spares()));
        let nodes: Vec<_> =
            places.iter().map(|place| self.nodes.get(place)).collect::<Option<_>>()?;
        let ids: BTreeSet<_> = places.iter().collect();
        let sites: BTreeSet<_> = nodes.iter().map(|node| node.site).collect();
        let operators: BTreeSet<_> = nodes.iter().map(|node| node.operator).collect();
        let all = places.len();
        let distinct = ids.len() == all
            && sites.len() == all
            && (operators.len() == all || profile == Profile::Tiny);
        (all >= least && all <= least + spares && distinct).then_some(())
    }

    fn extend(&mut self, from: u8, at: usize, bytes: u64, period: u64, now: u64) -> Option<()> {
        let old = self.contracts.get(at)?.clone();
        let is_over = !old.is_open || now >= old.grace_end();
        if is_over || old.owner != from || bytes + period == 0 {
            return None;
        }
        self.settle(at, now);
        let k = u64::from(old.profile.data());
        let share = |bytes: u64| bytes.div_ceil(k);
        let settled = self.contracts[at].settled;
        let expires = old.expires + period;
        if expires <= now {
            return None;
        }
        for place in &old.places {
            let node = self.nodes.get_mut(place)?;
            node.reserved += share(old.bytes + bytes) - share(old.bytes);
            if node.reserved > node.storage {
                return None;
            }
        }
        let area =
            |share: u64, until: u64| area(share, old.places.len(), until.saturating_sub(settled));
        let more = area(share(old.bytes + bytes), expires) - area(share(old.bytes), old.expires);
        self.mix(at, share(old.bytes), share(old.bytes + bytes), now);
        let contract = &mut self.contracts[at];
        contract.bytes += bytes;
        contract.expires = expires;
        self.lock(at, more, now)
    }

    fn change(
        &mut self,
        from: u8,
        at: usize,
        replace: &[(u8, u8)],
        add: &[u8],
        now: u64,
    ) -> Option<()> {
        let old = self.contracts.get(at)?.clone();
        if !old.is_open || old.owner != from || now >= old.expires {
            return None;
        }
        let olds: BTreeSet<_> = replace.iter().map(|(old, _)| *old).collect();
        if olds.len() != replace.len() || !olds.iter().all(|place| old.places.contains(place)) {
            return None;
        }
        let mut places = old.places.clone();
        for (leaves, comes) in replace {
            let position = old.places.iter().position(|place| place == leaves)?;
            places[position] = *comes;
        }
        places.extend(add);
        if places == old.places {
            return None;
        }
        self.settle(at, now);
        self.check_places(old.profile, &places)?;
        let share = old.bytes.div_ceil(u64::from(old.profile.data()));
        for place in old.places.iter().filter(|place| !places.contains(place)) {
            self.nodes.get_mut(place)?.reserved -= share;
        }
        for place in places.iter().filter(|place| !old.places.contains(place)) {
            self.take(*place, share)?;
        }
        let counts = (old.places.len(), places.len());
        self.contracts[at].places = places;
        self.mix(at, u64::try_from(counts.0).unwrap(), u64::try_from(counts.1).unwrap(), now);
        self.lock(at, area(share, add.len(), old.expires - now), now)
    }

    /// The owner has stayed for as long as the mean of all that there is.
    fn mix(&mut self, at: usize, before: u64, after: u64, now: u64) {
        let contract = &mut self.contracts[at];
        if after > before {
            let age = (now - contract.since).min(DISCOUNT_MS);
            contract.since = now - part(age, (before, after));
        }
    }

    /// Takes the price of so many byte milliseconds, and a deposit for grace.
    fn lock(&mut self, at: usize, byte_ms: u128, now: u64) -> Option<()> {
        let contract = &self.contracts[at];
        let owner = contract.owner;
        let gross = cost(byte_ms);
        let discount = if contract.expires - now >= DISCOUNT_MS { u64::from(DISCOUNT) } else { 0 };
        let net = gross - gross * discount / 100;
        let grace = contract.grace.max((contract.expires - contract.created) / 100 * 5);
        let (listed, ahead) = (contract.listed + gross, contract.expires - contract.settled);
        let wanted = (u128::from(listed) * u128::from(2 * grace)).div_ceil(u128::from(ahead));
        let wanted = u64::try_from(wanted).unwrap();
        let more = wanted.saturating_sub(contract.deposit);
        self.pay(owner, net)?;
        self.pay(owner, more)?;
        let contract = &mut self.contracts[at];
        contract.grace = grace;
        contract.listed = listed;
        contract.escrow += net;
        contract.deposit += more;
        Some(())
    }

    /// Whether anything was due, and how often each place is paid of what it earned: once, or not at
    /// all if its node was retired.
    fn settle(&mut self, at: usize, now: u64) -> (bool, Vec<u64>) {
        let old = self.contracts[at].clone();
        let until = now.min(old.expires).max(old.settled);
        let time = (until - old.settled, old.expires - old.settled.min(old.expires));
        let begin = old.settled.max(old.expires);
        let late = now.min(old.grace_end()).max(begin);
        let grace = (late - begin, old.grace_end() - begin);
        let (gross, net) = (part(old.listed, time), part(old.escrow, time));
        let late_net = part(old.deposit, grace);
        let serves = |place: &u8| u64::from(self.nodes[place].state != 2);
        let parts: Vec<_> = old.places.iter().map(serves).collect();
        if gross + late_net == 0 {
            return (false, parts);
        }
        let refund = if gross == 0 { 0 } else { self.give(at, net, &parts, Rest::Back) };
        let late_refund = self.give(at, late_net, &parts, Rest::Back);
        *self.balances.entry(old.owner).or_default() += refund + late_refund;
        let contract = &mut self.contracts[at];
        contract.escrow -= net;
        contract.listed -= gross;
        contract.deposit -= late_net;
        contract.paid += net - refund;
        contract.paid_listed += gross - part(gross, (refund, net));
        contract.settled = if late > begin { late } else { until };
        (true, parts)
    }

    fn recall(&mut self, at: usize, parts: &[u64]) {
        let contract = &mut self.contracts[at];
        let reached = contract.settled.min(contract.expires).saturating_sub(contract.since);
        let discount = if reached >= DISCOUNT_MS { u64::from(DISCOUNT) } else { 0 };
        let deserved = part(contract.paid_listed, (100 - discount, 100));
        let net = deserved.saturating_sub(contract.paid).min(contract.escrow);
        contract.escrow -= net;
        contract.paid += net;
        self.give(at, net, parts, Rest::Shared);
    }

    /// A tenth to the foundation; the rest as the places share the whole. Returns what the owner gets
    /// back for places that did not serve; a recall is shared by those that did, or by all.
    fn give(&mut self, at: usize, net: u64, parts: &[u64], rest: Rest) -> u64 {
        let places = self.contracts[at].places.clone();
        let count = u64::try_from(places.len()).unwrap();
        let until = |index| part(net, (index, count));
        let share = |(index, serves): (u64, &u64)| (until(index) - until(index - 1)) * serves;
        let mut paid: Vec<_> = (1..).zip(parts).map(share).collect();
        let earned: u64 = paid.iter().sum();
        let refund = if rest == Rest::Back { net - earned } else { 0 };
        let foundation = (net - refund) / 10;
        *self.balances.entry(FOUNDATION).or_default() += foundation;
        if earned == 0 {
            paid = vec![1; places.len()];
        }
        let (whole, mut sum, mut given) = (paid.iter().sum(), 0, 0);
        for (paid, place) in paid.iter().zip(&places) {
            sum += paid;
            let until = part(net - refund - foundation, (sum, whole));
            let (_, payout) = self.farm(self.nodes[place].farm).unwrap();
            *self.balances.entry(payout).or_default() += until - given;
            given = until;
        }
        refund
    }

    fn close(&mut self, at: usize) {
        let contract = &mut self.contracts[at];
        contract.is_open = false;
        let refund = std::mem::take(&mut contract.escrow)
            + std::mem::take(&mut contract.deposit)
            + std::mem::take(&mut contract.closing);
        contract.listed = 0;
        let share = contract.bytes.div_ceil(u64::from(contract.profile.data()));
        for place in contract.places.clone() {
            self.nodes.get_mut(&place).unwrap().reserved -= share;
        }
        *self.balances.entry(self.contracts[at].owner).or_default() += refund;
    }
}

fn area(share: u64, places: usize, period: u64) -> u128 {
    u128::from(share) * u128::try_from(places).unwrap() * u128::from(period)
}

fn cost(byte_ms: u128) -> u64 {
    let units = byte_ms * u128::from(PRICE) * 10_000_000;
    u64::try_from(units.div_ceil((3_600_000 << 40) * u128::from(TOKEN))).unwrap()
}

fn part(amount: u64, (part, whole): (u64, u64)) -> u64 {
    if whole == 0 {
        return 0;
    }
    u64::try_from(u128::from(amount) * u128::from(part) / u128::from(whole)).unwrap()
}
