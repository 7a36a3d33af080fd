//! Farms, their stake and their members.

use acre_codec::List;
use acre_types::{AccountId, Amount, Epoch, Text};
use borsh::{BorshDeserialize, BorshSerialize};

use crate::limits::{FARM_RELEASES_MAX, MEMBERS_MAX, MEMBERS_TWICE, NAME_BYTES_MAX, PARTS_MAX};

/// The name of a farm.
pub type FarmName = Text<NAME_BYTES_MAX>;

/// A group of nodes with one owner.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Farm {
    /// For people; not unique.
    pub name: FarmName,
    /// Signs join tokens and is the operator of every node of the farm.
    pub owner: AccountId,
    /// Earns, unless there are members.
    pub payout: AccountId,
    /// Tokens held in escrow: penalties are taken from them.
    pub stake: Amount,
    /// Former stake that is still locked; may be taken, too.
    pub releases: List<FarmRelease, FARM_RELEASES_MAX>,
    /// Who share what the farm earns. None: all goes to `payout`.
    pub members: Members,
    /// What the owner would like the members to be.
    pub proposed: Option<ProposedMembers>,
}

/// Part of a farm's stake on its way back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct FarmRelease {
    /// How much.
    pub amount: Amount,
    /// May be collected from this epoch on.
    pub epoch: Epoch,
}

/// One who has a part in a farm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Member {
    /// Is paid.
    pub account: AccountId,
    /// Of the sum of all members' parts; from 1 to [`PARTS_MAX`].
    pub parts: u32,
}

/// Each account once.
pub type Members = List<Member, MEMBERS_MAX>;

/// Members that take effect when all have agreed who are or shall be members.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ProposedMembers {
    /// The new list.
    pub members: Members,
    /// Who still has to agree.
    pub missing: List<AccountId, MEMBERS_TWICE>,
}

impl Farm {
    /// Of an owner alone, without stake.
    #[must_use]
    pub fn new(name: FarmName, owner: AccountId, payout: AccountId) -> Self {
        Self {
            name,
            owner,
            payout,
            stake: Amount::ZERO,
            releases: List::default(),
            members: List::default(),
            proposed: None,
        }
    }

    /// Who gets how much of what the farm earns; adds up to `amount`. By parts, rounded down; what is
    /// left over goes to the first.
    #[must_use]
    pub fn split(&self, amount: Amount) -> Vec<(AccountId, Amount)> {
        let Some(first) = self.members.first() else { return vec![(self.payout, amount)] };
        let whole: u128 = self.members.iter().map(|member| u128::from(member.parts)).sum();
        let mut shares = Vec::with_capacity(self.members.len());
        let mut rest = amount.0;
        for member in self.members.iter().skip(1) {
            let scaled = u128::from(amount.0).saturating_mul(member.parts.into());
            let share = scaled.checked_div(whole).unwrap_or(0);
            let share = u64::try_from(share).unwrap_or(rest).min(rest);
            rest = rest.saturating_sub(share);
            shares.push((member.account, Amount(share)));
        }
        shares.insert(0, (first.account, Amount(rest)));
        shares
    }

    /// Stake and what is on its way back.
    #[must_use]
    pub fn at_stake(&self) -> Amount {
        let releases = self.releases.iter().map(|release| release.amount.0);
        Amount(releases.fold(self.stake.0, u64::saturating_add))
    }
}

/// Whether such a list can be: each account once, and parts in their range.
#[must_use]
pub(crate) fn are_members(members: &[Member]) -> bool {
    let mut accounts: Vec<_> = members.iter().map(|member| member.account).collect();
    accounts.sort();
    accounts.dedup();
    accounts.len() == members.len()
        && members.iter().all(|member| (1..=PARTS_MAX).contains(&member.parts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn split_adds_up_and_odd_units_go_to_the_first() {
        let account = |n| AccountId([n; 32]);
        let check = |amount: u64, parts: &[u32], wanted: &[u64]| {
            let members = (1..).zip(parts);
            let members = members.map(|(n, parts)| Member { account: account(n), parts: *parts });
            let mut farm = Farm::new(Text::new("farm").unwrap(), account(0), account(9));
            farm.members = List::new(members.collect()).unwrap();
            let shares: Vec<u64> = farm.split(Amount(amount)).iter().map(|it| it.1.0).collect();
            assert_eq!(shares, wanted);
            assert_eq!(shares.iter().sum::<u64>(), amount);
        };
        check(10, &[], &[10]);
        check(10, &[1, 1, 1], &[4, 3, 3]);
        check(1, &[1, 5], &[1, 0]);
        check(0, &[1, 5], &[0, 0]);
        check(u64::MAX, &[PARTS_MAX, PARTS_MAX], &[u64::MAX / 2 + 1, u64::MAX / 2]);
    }
}
