//! Workloads: the node accepts or says why not, and reports how it goes.

use acre_types::{Bytes, ContractId, NodeId, UnixMs};

use super::super::{Done, Work};
use super::nodes::Served;
use super::{BAD_BYTES, Span, TOO_DEAR, weight};
use crate::error::Refusal;
use crate::event::Event;
use crate::limits::{
    CONTRACT_BYTES_MAX, NODE_STORAGE_MAX, WORKLOAD_CORES_MILLI_MAX, WORKLOAD_IPV4_MAX,
    WORKLOAD_MEMORY_MAX,
};
use crate::object::{
    Cause, Contract, ContractKind, ContractState, ContractStatus, Parts, Progress, Purse,
    TokenPrice, Workload,
};
use crate::price::Terms;
use crate::transaction::{NewContract, NewKind, NewWorkload, Report};

impl Work<'_> {
    pub(super) fn check_workload(&mut self, new: &NewWorkload) -> Done {
        let resources = new.resources;
        let is_some = resources.cores_milli > 0 && resources.memory > Bytes(0);
        let fits = resources.cores_milli <= WORKLOAD_CORES_MILLI_MAX
            && resources.memory <= WORKLOAD_MEMORY_MAX
            && resources.storage <= NODE_STORAGE_MAX
            && resources.ipv4 <= WORKLOAD_IPV4_MAX;
        if !is_some || !fits {
            return Err(Refusal::OutOfRange { what: "the resources of the workload" }.into());
        }
        if new.traffic > CONTRACT_BYTES_MAX {
            return Err(BAD_BYTES.into());
        }
        self.check_active(new.node)
    }

    /// That an hour does not cost more than its owner allowed.
    pub(super) fn check_cap(
        &self,
        new: &NewContract,
        contract: &Contract,
        token: TokenPrice,
    ) -> Done {
        let NewKind::Workload(workload) = &new.kind else { return Ok(()) };
        let weight = weight(contract);
        let terms = Terms { prices: &self.parameters.prices, token, weight };
        let hour = terms.hour(&contract.kind).ok_or(TOO_DEAR)?;
        if hour > workload.hour_max {
            let (micro_usd, micro_usd_max) = (hour.0, workload.hour_max.0);
            return Err(Refusal::OverCap { micro_usd, micro_usd_max }.into());
        }
        Ok(())
    }

    pub(in super::super) fn report_workload(
        &mut self,
        node: NodeId,
        id: ContractId,
        number: u64,
        traffic: Bytes,
        report: &Report,
    ) -> Done {
        let mut contract = self.open_contract(id)?;
        let (wanted, old) = match contract.workload() {
            Some(workload) if workload.node == node => (workload.reports, workload.clone()),
            Some(_) => return Err(Refusal::NotYours { what: "the contract" }.into()),
            None => return Err(Refusal::WrongKind { contract: id }.into()),
        };
        if number != wanted {
            return Err(Refusal::WrongReport { contract: id, given: number, wanted }.into());
        }
        self.events.push(Event::WorkloadReported { contract: id, node });
        let is_pending = matches!(contract.state, ContractState::Pending { .. });
        match report {
            Report::Accepted | Report::Rejected { .. } if !is_pending => {
                Err(Refusal::WasAccepted { contract: id }.into())
            }
            Report::Accepted => {
                let told = told(&old, Progress::Accepted)?;
                contract.kind = ContractKind::Workload(told);
                self.accept(contract)
            }
            Report::Rejected { reason } => {
                let cause = Cause::Rejected { reason: reason.clone() };
                self.abandon(&contract, cause, None)
            }
            _ if is_pending => Err(Refusal::NotAccepted { contract: id }.into()),
            _ => {
                self.check_on_time(&contract)?;
                self.settle(&mut contract)?;
                self.bill_traffic(&mut contract, traffic)?;
                self.tell(contract, &old, traffic, report)
            }
        }
    }

    /// Nothing is reported about what is no longer paid for.
    fn check_on_time(&self, contract: &Contract) -> Done {
        match contract.status(self.now) {
            ContractStatus::Live => Ok(()),
            _ => Err(Refusal::TooLate { contract: contract.id, deadline: contract.expires }.into()),
        }
    }

    fn tell(
        &mut self,
        mut contract: Contract,
        old: &Workload,
        traffic: Bytes,
        report: &Report,
    ) -> Done {
        let progress = match report {
            Report::Running { evidence } => Progress::Running { evidence: *evidence },
            Report::Exited { code } => Progress::Exited { code: *code },
            Report::Failed { reason } => Progress::Failed { reason: reason.clone() },
            Report::Accepted | Report::Rejected { .. } | Report::Traffic => old.progress.clone(),
        };
        if progress == old.progress && traffic == old.traffic_used {
            return Err(Refusal::NothingToDo.into());
        }
        let told = Workload { traffic_used: traffic, ..told(old, progress)? };
        contract.kind = ContractKind::Workload(told);
        self.overlay.put(&contract.id.clone(), contract);
        Ok(())
    }

    /// Pays for traffic: the same part of the purse as the part of the allowance that was used.
    fn bill_traffic(&mut self, contract: &mut Contract, traffic: Bytes) -> Done {
        let Some(workload) = contract.workload() else { return Ok(()) };
        let Some(used) = traffic.0.checked_sub(workload.traffic_used.0) else {
            return Err(Refusal::OutOfRange { what: "traffic that shrinks" }.into());
        };
        let left = workload.traffic.0.saturating_sub(workload.traffic_used.0);
        if used > left {
            return Err(Refusal::OverAllowance { contract: contract.id }.into());
        }
        if used == 0 {
            return Ok(());
        }
        let span = Span { from: UnixMs(contract.settled.0.min(self.now.0)), to: self.now };
        let served = Served::unwitnessed(Parts::Even(1));
        self.pay(contract, Purse::Use, (used, left), span, &served)
    }
}

fn told(old: &Workload, progress: Progress) -> Done<Workload> {
    let reports = old.reports.checked_add(1).ok_or(Refusal::OutOfRange { what: "the count" })?;
    Ok(Workload { reports, progress, ..old.clone() })
}
