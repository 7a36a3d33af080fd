//! Rent of a whole node: only an empty one, and from then on only the renter's contracts on it,
//! which pay nothing for capacity and do not outlast the rent.

use acre_types::{ContractId, NodeId, UnixMs};

use super::super::{Done, Work};
use crate::error::Refusal;
use crate::object::{Contract, Resources};

impl Work<'_> {
    pub(super) fn check_rent(&mut self, id: NodeId) -> Done {
        self.check_active(id)?;
        self.check_empty(id)?;
        match self.node(id)?.rented {
            None => Ok(()),
            Some(contract) => Err(Refusal::NodeRented { node: id, contract }.into()),
        }
    }

    pub(super) fn check_empty(&mut self, id: NodeId) -> Done {
        if self.node(id)?.reserved == Resources::default() {
            return Ok(());
        }
        Err(Refusal::NodeInUse { node: id }.into())
    }

    pub(super) fn take_node(&mut self, id: NodeId, contract: ContractId) -> Done {
        self.call_node(id)?;
        let mut node = self.node(id)?;
        node.rented = Some(contract);
        self.overlay.put(&id, node);
        Ok(())
    }

    pub(super) fn give_node_back(&mut self, id: NodeId) -> Done {
        let mut node = self.overlay.must(&id)?;
        node.rented = None;
        self.overlay.put(&id, node);
        Ok(())
    }

    /// That places which cost nothing because their nodes are rented stay rented until `until`.
    pub(super) fn check_rented_places(&mut self, contract: &Contract, until: UnixMs) -> Done {
        for (id, stand) in contract.nodes().iter().zip(contract.stands.iter()) {
            if stand.weight > 0 {
                continue;
            }
            match self.node(*id)?.rented {
                Some(rent) => self.check_renter(*id, rent, contract.owner, until)?,
                None => return Err(Refusal::ContractOver { contract: contract.id }.into()),
            }
        }
        Ok(())
    }
}
