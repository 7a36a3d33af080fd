//! The rules of the ledger once more, in plain maps and as plainly as possible: says whether an
//! operation is accepted, and what everything is afterwards.

use std::collections::{BTreeMap, BTreeSet};

use acre_types::Profile;

use super::ops::{Op, Twist};

pub(crate) const FOUNDATION: u8 = 255;
pub(crate) const PRICE: u128 = 1 << 40;
pub(crate) const FEE: u64 = 5;
pub(crate) const FEE_BYTE: u64 = 1;

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
    pub(crate) settled: u64,
    pub(crate) expires: u64,
    pub(crate) escrow: u64,
    pub(crate) is_open: bool,
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
        self.contracts.iter().map(|contract| contract.escrow).sum()
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
        let fee = FEE + FEE_BYTE * u64::try_from(bytes).unwrap();
        let sponsor = self.sponsor(op);
        let fee = match (twist, sponsor) {
            (Twist::None, _) => fee,
            (Twist::HighFee, None) => fee + 1,
            _ => return None,
        };
        self.pay(sponsor.unwrap_or(op.from()), fee)?;
        self.burned += fee;
        *self.nonces.entry(op.from()).or_default() += 1;
        self.run(op, now)
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

    fn run(&mut self, op: &Op, now: u64) -> Option<()> {
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
                let escrow = price(share, places.len(), period);
                self.pay(from, escrow)?;
                self.contracts.push(PlainContract {
                    owner: from,
                    profile,
                    places,
                    bytes,
                    settled: now,
                    expires: now + period,
                    escrow,
                    is_open: true,
                });
                (bytes > 0 && period > 0).then_some(())
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
                self.settle(contract, now);
                self.close(contract);
                Some(())
            }
            Op::Settle { contract, .. } => {
                let before = self.contracts.get(contract)?.clone();
                if !before.is_open {
                    return None;
                }
                self.settle(contract, now);
                if now >= before.expires {
                    self.close(contract);
                    return Some(());
                }
                (self.contracts[contract].settled != before.settled).then_some(())
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
        if !old.is_open || old.owner != from || bytes + period == 0 {
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
        let places = u128::try_from(old.places.len()).unwrap();
        let area =
            |share: u64, until: u64| u128::from(share) * u128::from(until - settled) * places;
        let more = area(share(old.bytes + bytes), expires) - area(share(old.bytes), old.expires);
        let extra = cost(more);
        self.pay(from, extra)?;
        let contract = &mut self.contracts[at];
        contract.escrow += extra;
        contract.bytes += bytes;
        contract.expires = expires;
        Some(())
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
        let extra = price(share, add.len(), old.expires - now);
        self.pay(from, extra)?;
        let contract = &mut self.contracts[at];
        contract.escrow += extra;
        contract.places = places;
        Some(())
    }

    fn settle(&mut self, at: usize, now: u64) {
        let contract = &mut self.contracts[at];
        let until = now.min(contract.expires);
        let (elapsed, whole) = (until - contract.settled, contract.expires - contract.settled);
        contract.settled = until;
        if whole == 0 {
            return;
        }
        let due = u128::from(contract.escrow) * u128::from(elapsed) / u128::from(whole);
        let due = u64::try_from(due).unwrap();
        contract.escrow -= due;
        let foundation = due / 10;
        *self.balances.entry(FOUNDATION).or_default() += foundation;
        let places = contract.places.clone();
        let count = u64::try_from(places.len()).unwrap();
        for (index, place) in places.iter().enumerate() {
            let is_odd = u64::try_from(index).unwrap() < (due - foundation) % count;
            let (_, payout) = self.farm(self.nodes[place].farm).unwrap();
            *self.balances.entry(payout).or_default() +=
                (due - foundation) / count + u64::from(is_odd);
        }
    }

    fn close(&mut self, at: usize) {
        let contract = &mut self.contracts[at];
        contract.is_open = false;
        let refund = std::mem::take(&mut contract.escrow);
        let share = contract.bytes.div_ceil(u64::from(contract.profile.data()));
        for place in contract.places.clone() {
            self.nodes.get_mut(&place).unwrap().reserved -= share;
        }
        *self.balances.entry(self.contracts[at].owner).or_default() += refund;
    }
}

fn price(share: u64, places: usize, period: u64) -> u64 {
    cost(u128::from(share) * u128::try_from(places).unwrap() * u128::from(period))
}

fn cost(byte_ms: u128) -> u64 {
    u64::try_from((byte_ms * PRICE).div_ceil((1 << 40) * 3_600_000)).unwrap()
}
