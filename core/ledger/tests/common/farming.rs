//! A grid of four farms whose nodes watch each other, for tests of what they earn.
#![allow(dead_code, reason = "each test file uses a part of it")]

use acre_codec::List;
use acre_ledger::mint::Policy;
use acre_ledger::{
    Action, Capacity, CapacityRules, ContractRules, EpochState, Event, Finding, Independence,
    MicroUsd, MintReceiptObject, MintReceiptOf, MintingRules, NewContract, NewKind, NewWorkload,
    NodeAt, NodeState, Parameters, Refusal, Resources, SignedJoinToken, TheEpoch, Verdict,
    Verified, apply_block,
};
use acre_types::{Amount, Bytes, Digest, Height, UnixMs};

use crate::common::{Grid, account, capacity, genesis, key, node, text, token};

pub(crate) const EPOCH_MS: u64 = 1_000;
pub(crate) const FARMS: u8 = 4;
pub(crate) const CLAIMED: u64 = 1200 << 30;
pub(crate) const GRANTS: u64 = 4 * 1000 * Amount::UNITS_PER_TFT;

pub(crate) fn parameters(policy: Policy) -> Parameters {
    let capacity = CapacityRules {
        epoch_ms: EPOCH_MS,
        witnesses: 2,
        reports_min: 1,
        independence: Independence::Operator,
        beacon_steps: 2,
        ..CapacityRules::default()
    };
    let minting = MintingRules {
        policies: List::new(vec![policy]).unwrap(),
        period_epochs: 2,
        month_ms: 60_000,
        unbonding_epochs: 2,
        ..MintingRules::default()
    };
    Parameters { capacity, minting, ..Parameters::default() }
}

pub(crate) const HOUR_MS: u64 = 3_600_000;

/// As [`capacity`], with memory for 4 CU.
pub(crate) fn roomy(storage: u64) -> Capacity {
    Capacity { memory: Bytes(17 << 30), ..capacity(storage) }
}

/// So many thousandths of a core of this node, as many GiB, and 9 GiB of traffic.
pub(crate) fn workload(grid: &Grid, number: u8, cores_milli: u64, period_ms: u64) -> NewContract {
    let kind = NewKind::Workload(NewWorkload {
        spec: Digest([1; 32]),
        node: node(number),
        resources: Resources {
            storage: Bytes(0),
            cores_milli,
            memory: Bytes((cores_milli << 30) / 1000),
            ipv4: 0,
        },
        traffic: Bytes(9 << 30),
        hour_max: MicroUsd(u64::MAX),
        deadline: UnixMs(grid.now + 60_000),
    });
    NewContract { kind, period_ms, budget: Amount(u64::MAX) }
}

pub(crate) fn finding(answered: u16, storage: u64) -> Finding {
    let measured = capacity(storage);
    Finding { asked: 10, answered, measured, ..Finding::default() }
}

impl Grid {
    /// Farms 1 to 4 of people 1 to 4, paid at 201 to 204, with nodes 101 to 104 of 1,200 GiB. The
    /// first epoch in which they are watched, 2, runs.
    pub(crate) fn farming(policy: Policy) -> Self {
        Self::farming_by(parameters(policy))
    }

    /// As [`Grid::farming`], by these parameters.
    pub(crate) fn farming_by(parameters: Parameters) -> Self {
        let grants = (1..=FARMS).map(|n| (account(n), Amount::tft(1000).unwrap())).collect();
        let mut grid = Self::new(&genesis(parameters, grants));
        for n in 1..=FARMS {
            let payout = account(200 + n);
            grid.act(n, Action::CreateFarm { name: text("farm"), payout }).unwrap();
            let token = token(grid.chain(), n.into(), None, grid.now + 1000);
            let token = SignedJoinToken::new(token, &key(n));
            let offer = crate::common::offer(&format!("site {n}"), CLAIMED);
            grid.act(100 + n, Action::RegisterNode { token, offer }).unwrap();
        }
        grid.pass();
        grid.pass();
        grid
    }

    /// As [`Grid::farming`], with 17 GiB of memory at each node and one virtual core a core.
    pub(crate) fn roomy() -> Self {
        let contracts = ContractRules { overcommit: 1, ..ContractRules::default() };
        let mut grid = Self::farming_by(Parameters { contracts, ..parameters(Policy::standard()) });
        for n in 1..=FARMS {
            let (node, capacity) = (node(100 + n), roomy(CLAIMED));
            let (addresses, state) = (crate::common::addresses(), NodeState::Active);
            grid.act(n, Action::UpdateNode { node, capacity, addresses, state }).unwrap();
        }
        grid
    }

    pub(crate) fn epoch(&self) -> EpochState {
        self.state.read(&TheEpoch).unwrap().unwrap()
    }

    pub(crate) fn pass(&mut self) {
        self.now = self.epoch().ends().0;
        self.height += 1;
        let (height, time) = (Height(self.height), UnixMs(self.now));
        self.state = apply_block::<Verified>(&self.state, &[], height, time).unwrap().state;
    }

    pub(crate) fn report(&mut self, witness: u8, one: Finding) -> Result<Vec<Event>, Refusal> {
        let Some(past) = self.epoch().past else { return Err(Refusal::NothingToDo) };
        let index = self.state.read(&node(witness)).unwrap().unwrap().index;
        let duties = past.assignment().duties_of(index).into_iter();
        let id = |index| self.state.read(&NodeAt(index)).unwrap().unwrap();
        let mut verdicts: Vec<_> =
            duties.map(|index| Verdict { node: id(index), finding: one }).collect();
        verdicts.sort_by_key(|verdict| verdict.node);
        let verdicts = List::new(verdicts).unwrap();
        self.act(witness, Action::ReportWitness { epoch: past.number, verdicts })
    }

    /// An epoch passes, and all say this of all.
    pub(crate) fn pass_with(&mut self, one: Finding) {
        self.pass();
        for n in 1..=FARMS {
            self.report(100 + n, one).unwrap();
        }
    }

    pub(crate) fn claim(&mut self, number: u8) -> Result<Vec<Event>, Refusal> {
        self.act(1, Action::ClaimReward { node: node(number) })
    }

    pub(crate) fn receipt(&self, number: u8, period: u64) -> Option<MintReceiptObject> {
        self.state.read(&MintReceiptOf(node(number), period)).unwrap()
    }
}
