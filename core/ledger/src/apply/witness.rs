//! Reports of witnesses, and folding them into the nodes they are about.
//!
//! While an epoch runs, the witnesses of the epoch before report about that one. What they say of a
//! node is kept in its [`Tally`]; the first report about a later epoch, or whoever needs the node's
//! record, folds it. So no epoch costs work for all nodes at once.

use acre_codec::List;
use acre_types::{AccountId, Epoch, NodeId};

use super::{Done, Work};
use crate::error::{Refusal, StateError};
use crate::event::Event;
use crate::fold::fold;
use crate::key::{NodeAt, PowerOf, TallyOf, TheAssembly, TheEpoch};
use crate::limits::YOUNG_EPOCHS;
use crate::object::{GridKind, Heard, Node, NodeState, PastEpoch, Tally, Verdict, Verdicts};
use crate::overlay::Overlay;
use crate::witness::{has_proven_enough, may_witness};

/// Free for a node that was to witness in the epoch that was just over, once, about the nodes that
/// it was to witness and no others; the last says [`check_duties`].
pub(super) fn admit_report(
    overlay: &mut Overlay<'_>,
    from: AccountId,
    epoch: Epoch,
    verdicts: &Verdicts,
) -> Done {
    let running = overlay.must(&TheEpoch)?;
    let past = running.past.ok_or(Refusal::WrongEpoch { given: epoch, wanted: running.number })?;
    if epoch != past.number {
        return Err(Refusal::WrongEpoch { given: epoch, wanted: past.number }.into());
    }
    check_verdicts(verdicts)?;
    let id = NodeId(from.0);
    let witness = overlay.get(&id)?.ok_or(Refusal::NoSuchNode { node: id })?;
    if witness.witnessing.last.is_some_and(|last| last >= epoch) {
        return Err(Refusal::DoneThisEpoch { epoch }.into());
    }
    if !overlay.get(&PowerOf(id))?.unwrap_or_default().is_awake(epoch) {
        return Err(Refusal::WasAsleep { node: id, epoch }.into());
    }
    Ok(())
}

/// That a report is about nodes which this one was to witness. Some hundred hashes, and the nodes.
pub(super) fn check_duties(
    overlay: &mut Overlay<'_>,
    rule: crate::object::Independence,
    from: AccountId,
    verdicts: &Verdicts,
) -> Done {
    let id = NodeId(from.0);
    let Some(past) = overlay.must(&TheEpoch)?.past else {
        return Err(Refusal::NotADuty { node: id }.into());
    };
    let witness = overlay.get(&id)?.ok_or(Refusal::NoSuchNode { node: id })?;
    let duties = past.assignment().duties_of(witness.index);
    for verdict in verdicts.iter() {
        let node = overlay.get(&verdict.node)?;
        let node = node.ok_or(Refusal::NoSuchNode { node: verdict.node })?;
        if !duties.contains(&node.index) || !may_witness(rule, &witness, &node) {
            return Err(Refusal::NotADuty { node: verdict.node }.into());
        }
    }
    Ok(())
}

/// At least one, by rising node, and each possible.
fn check_verdicts(verdicts: &[Verdict]) -> Done {
    let rises = |pair: &[Verdict]| pair.first().map(|v| v.node) < pair.last().map(|v| v.node);
    let is_possible = |verdict: &Verdict| {
        let finding = &verdict.finding;
        finding.asked > 0
            && finding.answered <= finding.asked
            && finding.sold.max(finding.solid) <= finding.measured.storage
    };
    let is_good =
        !verdicts.is_empty() && verdicts.windows(2).all(rises) && verdicts.iter().all(is_possible);
    if is_good { Ok(()) } else { Err(Refusal::OutOfRange { what: "a verdict" }.into()) }
}

impl Work<'_> {
    /// The report was admitted.
    pub(super) fn report_witness(
        &mut self,
        from: AccountId,
        epoch: Epoch,
        verdicts: &Verdicts,
    ) -> Done {
        let running = self.overlay.must(&TheEpoch)?;
        let past = running.past.ok_or(Refusal::WrongEpoch { given: epoch, wanted: epoch })?;
        let id = NodeId(from.0);
        let index = self.overlay.must(&id)?.index;
        let mut counted = 0_u64;
        for verdict in verdicts.iter() {
            counted = counted.saturating_add(u64::from(self.hear(&past, index, verdict)?));
        }
        // Read again: a fold may just have given this very witness a strike.
        let mut witness = self.overlay.must(&id)?;
        witness.witnessing.last = Some(epoch);
        witness.witnessing.reports = witness.witnessing.reports.saturating_add(1);
        witness.witnessing.verdicts = witness.witnessing.verdicts.saturating_add(counted);
        self.overlay.put(&id, witness);
        self.events.push(Event::WitnessReported { witness: id, epoch });
        Ok(())
    }

    /// Keeps what a witness said of a node, and says how many verdicts that is: none if the node
    /// was retired meanwhile or slept, or the witness has proven too little.
    fn hear(&mut self, past: &PastEpoch, witness: u32, verdict: &Verdict) -> Done<u8> {
        let id = verdict.node;
        let node = self.overlay.must(&id)?;
        let speaker = self.overlay.must(&NodeAt(witness))?;
        let speaker = self.overlay.must(&speaker)?;
        if node.state == NodeState::Retired || !self.is_believed(past, &speaker, &node)? {
            return Ok(0);
        }
        if !self.power(id)?.is_awake(past.number) {
            if self.parameters.power.calls(&past.seed, id) {
                self.call_node(id)?;
            }
            return Ok(0);
        }
        let tally = match self.overlay.get(&TallyOf(id))? {
            Some(tally) if tally.epoch == past.number => tally,
            older => {
                if let Some(older) = older {
                    self.fold_tally(id, &older)?;
                }
                self.new_tally(past, &node)?
            }
        };
        let mut heard = tally.heard.into_vec();
        heard.push(Heard { witness, finding: verdict.finding });
        let heard = List::new(heard)
            .map_err(|_| StateError::Books { what: "more reports than a node has witnesses" })?;
        self.overlay.put(&TallyOf(id), Tally { heard, ..tally });
        Ok(1)
    }

    /// Whether the word of a witness counts: that of all while the grid is young, or as long as nobody
    /// has proven anything; then of those who have disks. A local grid asks nobody.
    fn is_believed(
        &mut self,
        past: &PastEpoch,
        witness: &Node,
        node: &Node,
    ) -> Result<bool, StateError> {
        let is_free = self.overlay.base().grid().kind == GridKind::Local
            || past.number.0 < YOUNG_EPOCHS
            || has_proven_enough(witness, node);
        Ok(is_free || self.overlay.get(&TheAssembly)?.unwrap_or_default().units == 0)
    }

    /// Counts the witnesses whose word will count.
    fn new_tally(&mut self, past: &PastEpoch, node: &Node) -> Result<Tally, StateError> {
        let rule = self.parameters.capacity.independence;
        let mut witnesses = 0_u8;
        for index in past.assignment().witnesses_of(node.index) {
            let id = self.overlay.must(&NodeAt(index))?;
            let witness = self.overlay.must(&id)?;
            let counts = may_witness(rule, &witness, node)
                && self.is_believed(past, &witness, node)?
                && self.power(id)?.is_awake(past.number);
            witnesses = witnesses.saturating_add(u8::from(counts));
        }
        let heard = List::new(Vec::new()).expect("none is within any limit");
        let others = u8::try_from(past.nodes.saturating_sub(1)).unwrap_or(u8::MAX);
        let duties = past.witnesses.min(others);
        Ok(Tally { epoch: past.number, span_ms: past.span_ms, witnesses, duties, heard })
    }

    /// Folds what was reported of a node into its record, if that epoch is closed to reports. For
    /// all who are about to read the record: minting, bills.
    pub(super) fn fold_node(&mut self, node: NodeId) -> Result<(), StateError> {
        let Some(tally) = self.overlay.get(&TallyOf(node))? else { return Ok(()) };
        let past = self.overlay.must(&TheEpoch)?.past;
        if tally.heard.is_empty() || past.is_none_or(|past| tally.epoch >= past.number) {
            return Ok(());
        }
        self.fold_tally(node, &tally)?;
        let heard = List::new(Vec::new()).expect("none is within any limit");
        self.overlay.put(&TallyOf(node), Tally { heard, ..tally });
        Ok(())
    }

    /// Too few reports: the epoch is neither due nor served, so nobody is punished for it and
    /// nobody is paid.
    fn fold_tally(&mut self, id: NodeId, tally: &Tally) -> Result<(), StateError> {
        let mut node = self.overlay.must(&id)?;
        let Some(folded) =
            fold(tally, (node.capacity, node.reserved.storage), &self.parameters.capacity)
        else {
            return Ok(());
        };
        let old = node.clone();
        folded.enter(tally, &mut node, self.parameters.contracts.overcommit);
        self.count_units(&old, &node)?;
        self.overlay.put(&id, node.clone());
        let nap = self.settle_nap(id, tally, &folded, &node)?;
        self.earn(id, tally, (&old, &node), nap)?;
        self.events.push(Event::NodeFolded {
            node: id,
            epoch: tally.epoch,
            uptime: folded.uptime,
            reports: u8::try_from(tally.heard.len()).unwrap_or(u8::MAX),
        });
        for index in folded.off {
            let witness = self.overlay.must(&NodeAt(index))?;
            let mut object = self.overlay.must(&witness)?;
            object.witnessing.off = object.witnessing.off.saturating_add(1);
            self.overlay.put(&witness, object);
            self.events.push(Event::WitnessStruck { witness, node: id, epoch: tally.epoch });
        }
        Ok(())
    }
}
