//! Accounts and transfers.

use acre_types::{AccountId, Amount, PublicKey};

use super::{Done, Work};
use crate::error::Refusal;
use crate::event::Event;

impl Work<'_> {
    pub(super) fn transfer(&mut self, from: AccountId, to: AccountId, amount: Amount) -> Done {
        if amount == Amount::ZERO {
            return Err(Refusal::OutOfRange { what: "an amount of zero" }.into());
        }
        self.debit(from, amount)?;
        self.credit(to, amount)?;
        self.events.push(Event::Transferred { from, to, amount });
        Ok(())
    }

    pub(super) fn rotate_key(&mut self, from: AccountId, key: PublicKey) -> Done {
        let mut account = self.account(from)?;
        if account.key(from) == key {
            return Err(Refusal::NothingToDo.into());
        }
        account.key = (key.0 != from.0).then_some(key);
        self.overlay.put(&from, account);
        self.events.push(Event::KeyRotated { account: from, key });
        Ok(())
    }
}
