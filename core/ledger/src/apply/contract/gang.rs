//! Contracts that are made together, begin together, and come to nothing together.

use acre_types::{AccountId, ContractId, UnixMs};

use super::super::{Done, Work};
use crate::error::{Refusal, StateError};
use crate::event::Event;
use crate::object::{Answer, Cause, Contract, ContractKind, ContractState, Gang, Stand};
use crate::transaction::NewContract;

impl Work<'_> {
    pub(in super::super) fn create_gang(&mut self, from: AccountId, new: &[NewContract]) -> Done {
        let members = u8::try_from(new.len()).unwrap_or(u8::MAX);
        if members < 2 {
            return Err(Refusal::OutOfRange { what: "the number of contracts" }.into());
        }
        let mut made = Vec::with_capacity(new.len());
        for one in new {
            // Stored at once: the next one may stand on a node that this one rents.
            let contract = self.make_contract(from, one)?;
            self.overlay.put(&contract.id.clone(), contract.clone());
            made.push(contract);
        }
        let deadlines = made.iter().filter_map(|contract| match contract.state {
            ContractState::Pending { deadline, .. } => Some(deadline),
            _ => None,
        });
        // If nobody has to answer, there is nothing to wait for.
        let Some(deadline) = deadlines.min() else { return Ok(()) };
        let first = made.first().map_or(ContractId(0), |contract| contract.id);
        for contract in &made {
            self.check_rents_last(contract, first, deadline)?;
        }
        for mut contract in made {
            let answer = match contract.state {
                ContractState::Open => Answer::Accepted,
                _ => Answer::Awaited,
            };
            contract.gang = Some(Gang { first, members });
            contract.state = ContractState::Pending { deadline, answer };
            self.overlay.put(&contract.id.clone(), contract);
        }
        Ok(())
    }

    /// That a member which waits until `deadline` does not outlast the rent of a node that its owner
    /// rents already. A rent of the same gang waits with it.
    fn check_rents_last(
        &mut self,
        contract: &Contract,
        first: ContractId,
        deadline: UnixMs,
    ) -> Done {
        let period_ms = contract.expires.0.saturating_sub(contract.settled.0);
        let until = UnixMs(deadline.0.saturating_add(period_ms));
        if matches!(contract.kind, ContractKind::Rent(_)) {
            return Ok(());
        }
        for id in contract.nodes() {
            match self.node(*id)?.rented {
                Some(rent) if rent < first => {
                    self.check_renter(*id, rent, contract.owner, until)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The other side agrees. Starts the contract, with its gang, if all have.
    pub(super) fn accept(&mut self, mut contract: Contract) -> Done {
        let id = contract.id;
        let deadline = match contract.state {
            ContractState::Pending { deadline, answer: Answer::Awaited } => deadline,
            _ => return Err(Refusal::WasAccepted { contract: id }.into()),
        };
        if self.now >= deadline {
            return Err(Refusal::TooLate { contract: id, deadline }.into());
        }
        contract.state = ContractState::Pending { deadline, answer: Answer::Accepted };
        self.overlay.put(&id, contract.clone());
        self.events.push(Event::ContractAccepted { contract: id });
        let members = self.gang_of(&contract)?;
        let is_ready = members.iter().all(|member| {
            matches!(member.state, ContractState::Pending { answer: Answer::Accepted, .. })
        });
        if is_ready {
            for member in members {
                self.start(member)?;
            }
        }
        Ok(())
    }

    /// Its time begins now.
    fn start(&mut self, mut contract: Contract) -> Done {
        let period_ms = contract.expires.0.saturating_sub(contract.settled.0);
        contract.created = self.now;
        contract.settled = self.now;
        contract.expires = UnixMs(self.now.0.saturating_add(period_ms));
        let mut stands = Vec::with_capacity(contract.stands.len());
        for (id, stand) in contract.nodes().to_vec().iter().zip(contract.stands.iter()) {
            stands.push(Stand { lost: self.lost_by(*id)?, ..*stand });
        }
        contract.stands = stands.try_into().expect("as many as there were");
        if let ContractKind::Service(service) = &mut contract.kind {
            service.billed = self.now;
        }
        contract.state = ContractState::Open;
        let id = contract.id;
        self.overlay.put(&id, contract);
        self.events.push(Event::ContractStarted { contract: id });
        Ok(())
    }

    /// Closes a contract that never began, and its gang, with a full refund.
    pub(super) fn abandon(&mut self, contract: Contract, cause: Cause) -> Done {
        // Those made last go first: they may stand on a node that an earlier one rents.
        for member in self.gang_of(&contract)?.into_iter().rev() {
            let cause = if member.id == contract.id { cause.clone() } else { Cause::Gang };
            self.close(member, cause)?;
        }
        Ok(())
    }

    /// All of a contract's gang, in order: at least itself, as it is stored.
    fn gang_of(&mut self, contract: &Contract) -> Done<Vec<Contract>> {
        let Some(Gang { first, members }) = contract.gang else {
            return Ok(vec![self.overlay.must(&contract.id)?]);
        };
        let mut gang = Vec::with_capacity(members.into());
        for offset in 0..u64::from(members) {
            let what = "a gang of more contracts than there can be";
            let id = first.0.checked_add(offset).ok_or(StateError::Books { what })?;
            gang.push(self.overlay.must(&ContractId(id))?);
        }
        Ok(gang)
    }
}
