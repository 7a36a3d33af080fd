//! Who certifies farms and nodes, and what that makes of a node.

use acre_codec::List;
use acre_types::{AccountId, Digest, Epoch, FarmId, NodeId};

use super::{Done, Work};
use crate::error::{Refusal, StateError};
use crate::event::Event;
use crate::key::{CertificateOf, MeritOf, TheEpoch};
use crate::mint::Certification;
use crate::object::{Attestation, Merit, Node, Span};

impl Work<'_> {
    /// A certifier's word about a farm that is not its own; replaces its former one about this level.
    pub(super) fn attest_farm(
        &mut self,
        from: AccountId,
        farm: FarmId,
        level: Certification,
        evidence: Digest,
        until: Epoch,
    ) -> Done {
        if !self.parameters.certification.certifiers.contains(&from) {
            return Err(Refusal::NotACertifier { account: from }.into());
        }
        if level == Certification::Diy {
            return Err(Refusal::OutOfRange { what: "the level that is attested" }.into());
        }
        let held = self.overlay.get(&farm)?.ok_or(Refusal::NoSuchFarm { farm })?;
        let earns = held.payout == from || held.members.iter().any(|it| it.account == from);
        if held.owner == from || earns {
            return Err(Refusal::NotIndependent { account: from, farm }.into());
        }
        let running = self.overlay.must(&TheEpoch)?.number;
        let last = running.0.saturating_add(self.parameters.certification.epochs_max);
        if until <= running || until.0 > last {
            return Err(Refusal::OutOfRange { what: "the time of an attestation" }.into());
        }
        let certifiers = self.parameters.certification.certifiers.clone();
        let mut certificate = self.overlay.get(&CertificateOf(farm))?.unwrap_or_default();
        let mut attestations = certificate.attestations.into_vec();
        attestations.retain(|one| certifiers.contains(&one.by));
        let mut since = running;
        attestations.retain(|one| {
            let is_same = one.by == from && one.level == level;
            if is_same && running <= one.until {
                // Goes on without a gap.
                since = one.since;
            }
            !is_same
        });
        attestations.push(Attestation { by: from, level, evidence, since, until });
        let what = "more attestations than certifiers could give";
        certificate.attestations =
            List::new(attestations).map_err(|_| StateError::Books { what })?;
        self.overlay.put(&CertificateOf(farm), certificate);
        self.events.push(Event::FarmAttested { farm, by: from, level, until });
        Ok(())
    }

    /// By the certifier itself, or by the farm's owner: nobody is held to a level against his will.
    pub(super) fn revoke_attestation(
        &mut self,
        from: AccountId,
        farm: FarmId,
        by: AccountId,
    ) -> Done {
        let owner = self.overlay.get(&farm)?.ok_or(Refusal::NoSuchFarm { farm })?.owner;
        if from != by && from != owner {
            return Err(Refusal::NotYours { what: "the attestation" }.into());
        }
        let certificate = self.overlay.get(&CertificateOf(farm))?.unwrap_or_default();
        let before = certificate.attestations.len();
        let mut attestations = certificate.attestations.into_vec();
        attestations.retain(|one| one.by != by);
        if attestations.len() == before {
            return Err(Refusal::NothingToDo.into());
        }
        if attestations.is_empty() {
            self.overlay.remove(&CertificateOf(farm))?;
        } else {
            let attestations = List::new(attestations).expect("a part of the list");
            self.overlay.put(&CertificateOf(farm), crate::object::Certificate { attestations });
        }
        self.events.push(Event::AttestationRevoked { farm, by });
        Ok(())
    }

    /// The level of a farm in the epoch that runs.
    pub(super) fn level_of_farm(&mut self, farm: FarmId) -> Result<Certification, StateError> {
        let running = self.overlay.must(&TheEpoch)?.number;
        let certificate = self.overlay.get(&CertificateOf(farm))?.unwrap_or_default();
        Ok(certificate.level(&self.parameters.certification, running, running))
    }

    /// The level of a node now: the higher one of its farm's and that of its own record.
    pub(super) fn level_of_node(
        &mut self,
        id: NodeId,
        node: &Node,
    ) -> Result<Certification, StateError> {
        let running = self.overlay.must(&TheEpoch)?.number;
        let period = self.parameters.minting.period_of(running);
        let merit = self.overlay.get(&MeritOf(id))?.unwrap_or_default();
        let own = merit.level_in(&self.parameters.certification.record, period);
        Ok(own.max(self.level_of_farm(node.farm)?))
    }

    /// The level of a node in a period that is paid now, and its row, which goes on or ends with that:
    /// the caller stores it once the period is paid. The farm's counts if it held in each epoch; the record if the period is itself a good one.
    pub(super) fn level_in_span(
        &mut self,
        id: NodeId,
        farm: FarmId,
        span: &Span,
    ) -> Result<(Certification, Merit), StateError> {
        let rules = &self.parameters.certification;
        let (record, epochs) = (rules.record, self.parameters.minting.period_epochs);
        let period_ms = epochs.saturating_mul(self.parameters.capacity.epoch_ms);
        let first = span.period.saturating_mul(epochs);
        let last = first.saturating_add(epochs.saturating_sub(1));
        let certificate = self.overlay.get(&CertificateOf(farm))?.unwrap_or_default();
        let of_farm = certificate.level(rules, Epoch(first), Epoch(last));
        let merit = self.overlay.get(&MeritOf(id))?.unwrap_or_default();
        let merit = merit.after(&record, span.period, period_ms, (span.due_ms, span.up_ms));
        Ok((of_farm.max(merit.level(&record)), merit))
    }
}
