//! How certified a node is, for those who read a state.

use acre_types::NodeId;

use crate::error::StateError;
use crate::key::{CertificateOf, Key, MeritOf, TheEpoch};
use crate::mint::Certification;
use crate::state::State;

/// The level of a node in the epoch that runs: the higher one of its farm's and that of its own
/// record. `None` if there is no such node. What it charges of the list price follows from it.
///
/// # Errors
/// Damaged bytes.
pub fn certification_of(state: &State, id: NodeId) -> Result<Option<Certification>, StateError> {
    let Some(node) = state.read(&id)? else { return Ok(None) };
    let parameters = state.parameters()?;
    let running = state.read(&TheEpoch)?.ok_or(StateError::Missing { key: Key::Epoch })?.number;
    let certificate = state.read(&CertificateOf(node.farm))?.unwrap_or_default();
    let merit = state.read(&MeritOf(id))?.unwrap_or_default();
    let rules = &parameters.certification;
    let of_farm = certificate.level(rules, running, running);
    let own = merit.level_in(&rules.record, parameters.minting.period_of(running));
    Ok(Some(of_farm.max(own)))
}
