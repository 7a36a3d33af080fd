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
        // What waits is paid for while it does, so it must not wait for longer than it lasts.
        let waits_ms = deadline.0.saturating_sub(self.now.0);
        if new.iter().any(|new| new.period_ms < waits_ms) {
            return Err(Refusal::OutOfRange { what: "the deadline of a gang" }.into());
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
        self.answered(&contract)?;
        self.begin_time(&mut contract)?;
        self.overlay.put(&id, contract.clone());
        self.events.push(Event::ContractAccepted { contract: id });
        let members = self.gang_of(&contract)?;
        let is_ready = members.iter().all(|member| {
            matches!(member.state, ContractState::Pending { answer: Answer::Accepted, .. })
        });
        if is_ready {
            for mut member in members {
                member.state = ContractState::Open;
                let id = member.id;
                self.overlay.put(&id, member);
                self.events.push(Event::ContractStarted { contract: id });
            }
        }
        Ok(())
    }

    /// From now on it waits for nobody but others of its gang, and is paid for.
    fn begin_time(&mut self, contract: &mut Contract) -> Done {
        let period_ms = contract.expires.0.saturating_sub(contract.settled.0);
        contract.created = self.now;
        contract.since = self.now;
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
        Ok(())
    }

    /// Closes a contract that was not to begin, and its gang. Who still had to be asked costs nothing;
    /// what was held at nobody's word is paid for as if it were cancelled now: the one who is awaited
    /// may be its owner under another name.
    pub(super) fn abandon(
        &mut self,
        contract: &Contract,
        cause: Cause,
        settler: Option<AccountId>,
    ) -> Done {
        // Those made last go first: they may stand on a node that an earlier one rents.
        for mut member in self.gang_of(contract)?.into_iter().rev() {
            let cause = if member.id == contract.id { cause.clone() } else { Cause::Gang };
            if matches!(member.state, ContractState::Pending { answer: Answer::Accepted, .. }) {
                let parts = self.settle(&mut member)?;
                self.recall(&mut member, parts)?;
            }
            self.close(member, cause, settler)?;
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
