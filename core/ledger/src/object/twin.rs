//! The phonebook.

use acre_codec::{Blob, List};
use acre_types::{AccountId, Amount, PublicKey, UnixMs};
use borsh::{BorshDeserialize, BorshSerialize};

use super::parameters::bounded;
use crate::error::GenesisError;
use crate::limits::{HANDLE_PLAIN_BYTES, RECOVERY_MS_MAX, TWIN_KEY_BYTES_MAX, TWIN_KEYS_MAX};
use crate::name::Handle;

/// What a key of a twin is for.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
pub enum KeyRole {
    /// Ed25519: signs in the twin's name.
    Sign,
    /// X25519 and ML-KEM-768 side by side: others seal to the twin.
    Agree,
    /// Ed25519 of one device.
    Device,
    /// Ed25519 of somebody who may help to recover.
    Recover,
}

/// A key in the phonebook.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct TwinKey {
    /// What it is for.
    pub role: KeyRole,
    /// The public key in the encoding of its role.
    pub key: Blob<TWIN_KEY_BYTES_MAX>,
}

/// The keys of a twin.
pub type TwinKeys = List<TwinKey, TWIN_KEYS_MAX>;

/// Whether somebody holds a handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum TwinState {
    /// By its owner.
    Held,
    /// By nobody: given back. It has no keys, and may be taken again after a while.
    Released {
        /// Time of the block that released it.
        at: UnixMs,
    },
}

/// How a twin whose owner lost its keys comes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct RecoveryPlan {
    /// How many of the keys with [`KeyRole::Recover`] must agree; 0: there is no recovery.
    pub threshold: u8,
    /// How long the present keys may veto.
    pub delay_ms: u64,
}

/// An entry of the phonebook: who has this handle, with which keys.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Twin {
    /// The account that may change it.
    pub owner: AccountId,
    /// Current keys; none after a release.
    pub keys: TwinKeys,
    /// Counts changes of keys or owner from 0, even past a release: whoever shows an older epoch is
    /// stale.
    pub epoch: u64,
    /// Held or released.
    pub state: TwinState,
    /// Tokens held in escrow for the handle, paid back on release.
    pub deposit: Amount,
    /// How it may be recovered.
    pub plan: RecoveryPlan,
    /// Recoveries ever opened or called off: what guardians signed for one is void for the next.
    pub attempt: u64,
    /// The account that may take it over by [`crate::Action::AcceptTwin`].
    pub offered: Option<AccountId>,
}

impl Twin {
    /// Whether a key of this role stands in the entry.
    #[must_use]
    pub fn has_key(&self, role: KeyRole, key: &PublicKey) -> bool {
        self.keys.iter().any(|it| it.role == role && &*it.key == key.as_bytes().as_slice())
    }
}

/// A recovery that nobody vetoed yet.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Recovery {
    /// Will be the owner.
    pub owner: AccountId,
    /// Will be the keys.
    pub keys: TwinKeys,
    /// Time of the block that opened it.
    pub opened: UnixMs,
    /// May be completed from here on.
    pub completes: UnixMs,
}

/// What a handle costs.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct PhonebookRules {
    /// Deposit for a handle of [`HANDLE_PLAIN_BYTES`] bytes or more; each byte less doubles it.
    pub deposit: Amount,
    /// How long a released handle belongs to nobody.
    pub quarantine_ms: u64,
    /// Least delay of a recovery.
    pub recovery_ms_min: u64,
}

impl Default for PhonebookRules {
    /// 1 TFT, 32 TFT for a handle of three letters; a day of quarantine, a minute to veto.
    fn default() -> Self {
        Self {
            deposit: Amount::tft(1).unwrap_or(Amount::ZERO),
            quarantine_ms: 24 * 3_600 * 1_000,
            recovery_ms_min: 60_000,
        }
    }
}

impl PhonebookRules {
    /// The deposit for a handle.
    #[must_use]
    pub fn deposit_of(&self, handle: &Handle) -> Amount {
        let short = HANDLE_PLAIN_BYTES.saturating_sub(handle.as_str().len());
        let factor = u32::try_from(short).ok().and_then(|short| 1_u64.checked_shl(short));
        Amount(self.deposit.0.saturating_mul(factor.unwrap_or(u64::MAX)))
    }

    /// Whether each value lies within its bounds.
    ///
    /// # Errors
    /// The name of the first that does not.
    pub fn check(&self) -> Result<(), GenesisError> {
        bounded("phonebook.deposit", self.deposit.0, 1 << 48)?;
        bounded("phonebook.quarantine_ms", self.quarantine_ms, RECOVERY_MS_MAX)?;
        bounded("phonebook.recovery_ms_min", self.recovery_ms_min, RECOVERY_MS_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shorter_handles_cost_twice_as_much_a_letter() {
        let rules = PhonebookRules { deposit: Amount(10), ..PhonebookRules::default() };
        let check = |handle: &str, wanted| {
            assert_eq!(rules.deposit_of(&handle.parse().unwrap()), Amount(wanted), "{handle}");
        };
        check("ada", 320);
        check("ada-love", 10);
        check("ada-lov", 20);
        check("ada-lovelace", 10);
    }
}
