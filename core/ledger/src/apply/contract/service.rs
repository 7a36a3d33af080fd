//! Services: what one account does for another, paid by the hour and by use.

use acre_types::{AccountId, ContractId};

use super::super::{Done, Work};
use super::book::Span;
use super::nodes::Served;
use crate::error::Refusal;
use crate::object::{Contract, ContractKind, ContractStatus, MicroUsd, Parts, Purse, Service};
use crate::price;

impl Work<'_> {
    pub(in super::super) fn accept_service(&mut self, from: AccountId, id: ContractId) -> Done {
        let (contract, _) = self.service(from, id)?;
        self.accept(contract)
    }

    /// Use is billed for the time since it last was, but not for more than a window, and not for
    /// more than the contract allows for this time. What was not billed in time lapses.
    pub(in super::super) fn bill_service(
        &mut self,
        from: AccountId,
        id: ContractId,
        amount: MicroUsd,
    ) -> Done {
        let (mut contract, service) = self.service(from, id)?;
        self.check_started(&contract)?;
        if contract.status(self.now) != ContractStatus::Live {
            return Err(Refusal::TooLate { contract: id, deadline: contract.expires }.into());
        }
        if amount.0 == 0 {
            return Err(Refusal::NothingToDo.into());
        }
        self.settle(&mut contract)?;
        let since_ms = self.now.0.saturating_sub(service.billed.0);
        let window_ms = since_ms.min(self.parameters.contracts.window_ms_max);
        let left = service.variable_left;
        if amount > price::for_time(service.variable_hour, window_ms) || amount > left {
            return Err(Refusal::OverAllowance { contract: id }.into());
        }
        let span = Span { from: service.billed, to: self.now };
        let served = Served::unwitnessed(Parts::Even(1));
        self.pay(&mut contract, Purse::Use, (amount.0, left.0), span, &served)?;
        let variable_left = MicroUsd(left.0.saturating_sub(amount.0));
        contract.kind =
            ContractKind::Service(Service { billed: self.now, variable_left, ..service });
        self.overlay.put(&id, contract);
        Ok(())
    }

    fn service(&mut self, from: AccountId, id: ContractId) -> Done<(Contract, Service)> {
        let contract = self.open_contract(id)?;
        match &contract.kind {
            ContractKind::Service(service) if service.provider == from => {
                let service = service.clone();
                Ok((contract, service))
            }
            ContractKind::Service(_) => Err(Refusal::NotYours { what: "the contract" }.into()),
            _ => Err(Refusal::WrongKind { contract: id }.into()),
        }
    }
}
