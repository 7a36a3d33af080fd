//! Fetches a whole state, page by page, and checks its root.

use std::sync::Arc;

use acre_ledger::State;
use acre_types::{Height, PublicKey};

use super::{Final, LedgerClient, Trouble, worse};
use crate::defaults::READ_TIMEOUT;
use crate::error::{ClientError, Lie};
use crate::light::Change;
use crate::limits::{CHANGE_REPLIES_MAX, STATE_BYTES_MAX, STATE_LEAVES_MAX};
use crate::protocol::{Finality, Reply, Request};

/// Key and value as the authenticated map takes them.
pub type Leaf = (Box<[u8]>, Arc<[u8]>);

/// A state that was fetched, with the proof that it is final.
pub struct Fetched {
    /// The block after which it stands.
    pub block: Final,
    /// That the block is final.
    pub finality: Finality,
    /// Its root is the block's.
    pub state: State,
    /// The same as leaves.
    pub leaves: Vec<Leaf>,
    /// The transactions of the block, encoded.
    pub payload: Vec<u8>,
    /// Changes of validators up to it, oldest first, by the validator's word.
    pub changes: Vec<Change>,
}

impl LedgerClient {
    /// The whole state after some recent block, from one validator after the other until one gives
    /// a true one. Takes memory for the state, and [`STATE_BYTES_MAX`] at most.
    ///
    /// # Errors
    /// [`ClientError`] if no validator gives a provable answer.
    pub async fn fetch_state(&self) -> Result<Fetched, ClientError> {
        let mut failed = ClientError::NoValidators;
        for peer in self.in_turn() {
            match self.fetch_from(peer).await {
                Ok(fetched) => return Ok(fetched),
                Err(Failed::Call(error)) => failed = worse(failed, error),
                Err(Failed::Trouble(trouble)) => failed = worse(failed, self.blame(peer, trouble)),
            }
        }
        Err(failed)
    }

    async fn fetch_from(&self, peer: PublicKey) -> Result<Fetched, Failed> {
        let (mut leaves, mut bytes) = (Vec::<Leaf>::new(), 0_u64);
        let mut begun: Option<(Final, Finality, u64)> = None;
        loop {
            let height = begun.as_ref().map_or(Height(0), |(block, ..)| block.height);
            let request = Request::State { height, from: leaves.len() as u64 };
            let (finality, total, page) = match self.ask_one(peer, &request).await? {
                Reply::State { finality, leaves, page } => (finality, leaves, page),
                Reply::NotReady(reason) => return Err(Trouble::NotReady(reason).into()),
                _ => return Err(Trouble::from(Lie::Unfit).into()),
            };
            let block = match &begun {
                Some((block, known, leaves)) if *known == finality && *leaves == total => *block,
                Some(_) => return Err(Trouble::from(Lie::Unfit).into()),
                None => {
                    let block = self.check_finality(&finality, self.seen())?;
                    begun = Some((block, finality.clone(), total));
                    block
                }
            };
            bytes += page.iter().map(|(key, value)| (key.len() + value.len()) as u64).sum::<u64>();
            let is_too_large = total > STATE_LEAVES_MAX || bytes > STATE_BYTES_MAX;
            let is_short = page.is_empty() && (leaves.len() as u64) < total;
            if is_too_large || is_short {
                return Err(Trouble::from(Lie::Unfit).into());
            }
            let page = page.into_vec().into_iter();
            leaves
                .extend(page.map(|(key, value)| (key.into_vec().into(), value.into_vec().into())));
            if leaves.len() as u64 >= total {
                let copy = leaves.iter().map(|(key, value)| (key.clone(), Arc::clone(value)));
                let state = State::from_leaves(copy).map_err(|_| Trouble::from(Lie::Malformed))?;
                if state.root() != block.root || leaves.len() as u64 != total {
                    return Err(Trouble::from(Lie::WrongState { height: block.height }).into());
                }
                let changes = self.fetch_changes(peer, block.term).await?;
                let payload = self.fetch_payload(peer, &block).await?;
                return Ok(Fetched { block, finality, state, leaves, payload, changes });
            }
        }
    }

    async fn fetch_payload(&self, peer: PublicKey, block: &Final) -> Result<Vec<u8>, Failed> {
        match self.ask_one(peer, &Request::Block { height: block.height }).await? {
            Reply::Block { payload, .. } if block.has_payload(&payload) => Ok(payload.into_vec()),
            Reply::NotReady(reason) => Err(Trouble::NotReady(reason).into()),
            _ => Err(Trouble::from(Lie::Unfit).into()),
        }
    }

    /// All changes of validators that a validator shows, before this term: not checked, that needs a
    /// genesis.
    pub(super) async fn fetch_changes(
        &self,
        peer: PublicKey,
        before: u64,
    ) -> Result<Vec<Change>, Failed> {
        let mut changes: Vec<Change> = Vec::new();
        let mut after_term = 0;
        for _ in 0..CHANGE_REPLIES_MAX {
            let reply = self.ask_one(peer, &Request::Changes { after_term }).await?;
            let more = match reply {
                Reply::Changes { changes } => changes,
                Reply::NotReady(reason) => return Err(Trouble::NotReady(reason).into()),
                _ => return Err(Trouble::from(Lie::Unfit).into()),
            };
            let mut grew = false;
            for change in more.into_vec() {
                let term = change.term().map_err(Trouble::from)?;
                if term >= before {
                    return Ok(changes);
                }
                grew = term >= after_term;
                after_term = term.saturating_add(1);
                changes.push(change);
            }
            if !grew {
                break;
            }
        }
        Ok(changes)
    }

    pub(super) async fn ask_one(
        &self,
        peer: PublicKey,
        request: &Request,
    ) -> Result<Reply, Failed> {
        let called = self.call(peer, request, Vec::new(), READ_TIMEOUT).await;
        let unreachable =
            |source| Failed::Call(ClientError::Unreachable { peer, source: Box::new(source) });
        let reply = called.map_err(unreachable)?;
        self.learn_signers(peer, &reply).await;
        Ok(reply.map_err(Trouble::from)?)
    }
}

/// Why one validator was of no help.
pub(super) enum Failed {
    Call(ClientError),
    Trouble(Trouble),
}

impl From<Trouble> for Failed {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}
