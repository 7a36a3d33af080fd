//! The ledger as the engine's application: executes blocks, keeps the effects of unfinalized ones,
//! and makes finalized ones durable.
//!
//! * Each unfinalized block has an overlay (a state that shares nearly all with its parent's);
//!   finalizing a height drops what lost. A forgotten overlay is only work: the engine replays.
//! * A block that comes again after a crash is recognised by its height and skipped.
//! * Readers see a block only once a certificate proves it final: with several validators some
//!   blocks have none of their own and become visible with a later one.

#[cfg(test)]
mod accused;
#[cfg(test)]
mod seeds;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use acre_engine::{
    AppError, Application, Applied as Durable, Block, BlockId, BlockRef, Committee,
    Genesis as EngineGenesis, Header, Participant, Proposal, Verdict,
};
use acre_ledger::{
    Applied, BlockError, BlockTime, Change as LeafChange, Event, Genesis, Key, Lookup as _,
    Payload, Refusal, Seat, SeatList, State, TheSeats, Verified, apply_block, build_block,
    committee_of, followers_of,
};
use acre_types::{AccountId, Digest, Height, PublicKey, UnixMs};
use bytes::Bytes;

use crate::error::{ChainError, Refused, StoreError};
use crate::light::Change;
use crate::limits::{OVERLAYS, RECENT_TRANSACTIONS};
use crate::mempool::{Mempool, PoolLimits};
use crate::protocol::Finality;
use crate::shared::{Head, Roster, Shared, proof_of};
use crate::store::{Body, Commit, Head as StoredHead, Loaded, Retention, Store};

/// Key and value as the authenticated map takes them.
type Leaf = (Box<[u8]>, Arc<[u8]>);

/// The effects of a block that is not final yet.
struct Overlay {
    height: u64,
    timestamp_ms: u64,
    applied: Arc<Applied>,
}

/// The last block built here, until the engine names it.
struct Built {
    parent: BlockId,
    timestamp_ms: u64,
    payload: Bytes,
    applied: Arc<Applied>,
}

/// A durable block that no certificate proves yet.
struct Unproven {
    height: u64,
    transactions: Vec<Digest>,
}

/// The engine's application.
pub struct Executor {
    genesis: EngineGenesis,
    /// Addresses known otherwise than from the ledger.
    overrides: BTreeMap<PublicKey, SocketAddr>,
    store: Store,
    state: State,
    durable: Durable,
    timestamp_ms: u64,
    overlays: HashMap<BlockId, Overlay>,
    overlay_order: VecDeque<BlockId>,
    built: Option<Built>,
    unproven: VecDeque<Unproven>,
    shared: Arc<Shared>,
}

impl Executor {
    /// Opens the state in `file`, or begins it from the genesis, and rebuilds the authenticated
    /// map, whose root must be the last block's.
    ///
    /// # Errors
    /// [`ChainError::Genesis`], [`ChainError::Store`].
    pub fn open(file: &Path, genesis: &Genesis, retention: Retention) -> Result<Self, ChainError> {
        let first = genesis.state()?;
        let mut leaves: Vec<Leaf> = Vec::new();
        let Loaded { store, last } = Store::open(
            file,
            retention,
            genesis.digest(),
            || first.leaves().map(|(key, value)| (key.to_vec(), value.to_vec())).collect(),
            |key, value| leaves.push((key.into(), value.into())),
        )?;
        let state = State::from_leaves(leaves).map_err(StoreError::from)?;
        let last = match last {
            Some((height, head)) => {
                let damaged = |_| StoreError::Damaged { what: "header" };
                let header = Header::decode(&head.header).map_err(damaged)?;
                Some((height, header, head))
            }
            None => None,
        };
        let (height, root, time) = match &last {
            Some((height, header, _)) => (*height, header.state_root(), header.timestamp_ms()),
            None => (0, first.root().0, genesis.time.0),
        };
        if state.root().0 != root {
            let (wanted, found) = (Digest(root), state.root());
            return Err(StoreError::WrongRoot { height, wanted, found }.into());
        }
        let head = last.as_ref().and_then(|(_, header, stored)| head_of(header, stored, &state));
        let mut pool = Mempool::new(PoolLimits::default(), state.clone(), height, UnixMs(time));
        remember_recent(&store, &mut pool)?;
        let shared = Shared::new(pool, head.map(Arc::new), store.reader());
        shared.roster.send_replace(Arc::new(Roster::of(&state).map_err(StoreError::from)?));
        let genesis = EngineGenesis {
            payload: Bytes::new(),
            state_root: first.root().0,
            timestamp_ms: genesis.time.0,
        };
        let id = last.map(|(_, header, _)| header.id());
        Ok(Self {
            genesis,
            overrides: BTreeMap::new(),
            store,
            state,
            durable: Durable { height, id },
            timestamp_ms: time,
            overlays: HashMap::new(),
            overlay_order: VecDeque::new(),
            built: None,
            unproven: VecDeque::new(),
            shared,
        })
    }

    /// Says where the engines of some validators listen, whatever the ledger says.
    pub(crate) fn override_addresses(&mut self, addresses: BTreeMap<PublicKey, SocketAddr>) {
        self.overrides = addresses;
    }

    /// As the engine takes them; without those whose addresses nobody can dial.
    fn participants(&self, seats: Vec<Seat>) -> Vec<Participant> {
        let participant = |seat: Seat| {
            let known = self.overrides.get(&seat.validator).copied();
            // The ledger refuses other text, so it is always an address.
            let address = known.or_else(|| seat.engine.as_str().parse().ok())?;
            Some(Participant { key: seat.validator.0, address })
        };
        seats.into_iter().filter_map(participant).collect()
    }

    /// Of the last durable block.
    pub(crate) const fn height(&self) -> u64 {
        self.durable.height
    }

    pub(crate) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    /// State and time after a block that is final or has an overlay.
    fn after(&self, id: &BlockId, height: u64) -> Option<(&State, u64)> {
        if let Some(overlay) = self.overlays.get(id) {
            return Some((&overlay.applied.state, overlay.timestamp_ms));
        }
        let is_last =
            height == self.durable.height && self.durable.id.is_none_or(|last| last == *id);
        is_last.then_some((&self.state, self.timestamp_ms))
    }

    /// Executes a block on its parent: `Err` inside is the block's fault.
    fn execute(&self, block: &Block) -> Result<Result<Arc<Applied>, String>, AppError> {
        let parent_height = block.height().saturating_sub(1);
        let (state, parent_ms) = self
            .after(&block.parent(), parent_height)
            .ok_or_else(|| format!("the parent of block {} is unknown", block.height()))?;
        let time = block.header().timestamp_ms();
        if time <= parent_ms {
            return Ok(Err("its time is not after its parent's".into()));
        }
        let payload = match Payload::decode(block.payload()) {
            Ok(payload) => payload,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let transactions = match self.check_signatures(payload) {
            Ok(transactions) => transactions,
            Err(refusal) => return Ok(Err(refusal.to_string())),
        };
        let time = BlockTime { before: UnixMs(parent_ms), now: UnixMs(time) };
        match apply_block(state, &transactions, Height(block.height()), time) {
            Ok(applied) if applied.root.0 == block.header().state_root() => {
                Ok(Ok(Arc::new(applied)))
            }
            Ok(applied) => Ok(Err(format!("its state root is not {}", applied.root))),
            Err(BlockError::State(error)) => Err(error.into()),
            Err(error) => Ok(Err(error.to_string())),
        }
    }

    /// Those that waited here were checked when they came.
    fn check_signatures(&self, payload: Payload) -> Result<Vec<Arc<Verified>>, Refusal> {
        let transactions = payload.transactions.into_vec();
        let known: Vec<_> = {
            let pool = self.shared.pool();
            transactions
                .iter()
                .map(|signed| pool.verified(&signed.transaction.id(), signed))
                .collect()
        };
        let unknown = transactions.into_iter().zip(&known);
        let unknown = unknown.filter(|(_, known)| known.is_none()).map(|(signed, _)| signed);
        let mut checked = self.shared.checker.check_block(unknown.collect()).into_iter();
        let all = known.into_iter().map(|known| match known {
            Some(verified) => Ok(verified),
            // One result for each that was not known.
            None => checked.next().unwrap_or(Err(Refusal::BadSignature)).map(Arc::new),
        });
        all.collect()
    }

    fn keep(&mut self, block: &Block, applied: Arc<Applied>) {
        let overlay = Overlay {
            height: block.height(),
            timestamp_ms: block.header().timestamp_ms(),
            applied,
        };
        if self.overlays.insert(block.id(), overlay).is_none() {
            self.overlay_order.push_back(block.id());
        }
        if self.overlay_order.len() > OVERLAYS
            && let Some(oldest) = self.overlay_order.pop_front()
        {
            self.overlays.remove(&oldest);
        }
    }

    /// Writes a block, moves on to it and shows it to readers.
    fn settle(
        &mut self,
        block: &Block,
        certificate: Option<&[u8]>,
        applied: &Applied,
    ) -> Result<(), StoreError> {
        let height = block.height();
        let header = block.header().to_bytes();
        let transactions: Vec<_> =
            applied.receipts.iter().map(|receipt| receipt.transaction).collect();
        let body = Body {
            payload: if transactions.is_empty() { Vec::new() } else { block.payload().to_vec() },
            transactions: transactions.clone(),
            events: encode_events(&applied.events),
        };
        let changes = applied.changes.iter().map(|(key, value)| (&**key, value.as_deref()));
        let turn = turn_of(&applied.state, block, certificate)?;
        let commit =
            Commit { height, id: block.id(), header: &header, certificate, body: &body, turn };
        self.store.commit(&commit, changes)?;

        self.state = applied.state.clone();
        self.durable = Durable { height, id: Some(block.id()) };
        self.timestamp_ms = block.header().timestamp_ms();
        self.overlays.retain(|_, overlay| overlay.height > height);
        self.overlay_order.retain(|id| self.overlays.contains_key(id));
        let time = UnixMs(self.timestamp_ms);
        let touched = accounts_of(&applied.changes);
        let state = self.state.clone();
        self.shared.pool().commit(state, height, time, &transactions, &touched);
        if applied.changes.iter().any(|(key, _)| is_about_seats(key)) {
            self.shared.roster.send_replace(Arc::new(Roster::of(&self.state)?));
        }
        self.unproven.push_back(Unproven { height, transactions });
        if let Some(certificate) = certificate {
            self.publish(proof_of(header, certificate));
        }
        Ok(())
    }

    fn publish(&mut self, proof: acre_engine::FinalityProof) {
        let head = Head { height: Height(self.durable.height), proof, state: self.state.clone() };
        self.shared.head.send_replace(Some(Arc::new(head)));
        let mut pool = self.shared.pool();
        for block in self.unproven.drain(..) {
            pool.publish(block.height, &block.transactions);
        }
    }
}

impl Application for Executor {
    fn genesis(&self) -> EngineGenesis {
        self.genesis.clone()
    }

    fn applied(&self) -> Durable {
        self.durable
    }

    fn committee(&self, term: u64) -> Option<Committee> {
        let lists = committee_of(&self.state, term)
            .and_then(|seats| Ok((seats, followers_of(&self.state, term)?)));
        match lists {
            Ok((seats, followers)) => Some(Committee {
                validators: self.participants(seats?),
                followers: self.participants(followers),
            }),
            Err(error) => {
                tracing::error!(%error, term, "cannot tell who sits");
                None
            }
        }
    }

    fn knows(&self, block: &BlockId) -> bool {
        self.overlays.contains_key(block) || self.durable.id == Some(*block)
    }

    fn has_work(&mut self, parent: &BlockRef) -> bool {
        let pool = self.shared.pool();
        if pool.is_empty() {
            return false;
        }
        self.after(&parent.id, parent.height).is_some_and(|(state, _)| pool.has_work(state))
    }

    fn propose(
        &mut self,
        parent: &BlockRef,
        timestamp_ms: u64,
    ) -> Result<Option<Proposal>, AppError> {
        let Some((state, parent_ms)) = self.after(&parent.id, parent.height) else {
            return Ok(None);
        };
        let candidates = self.shared.pool().candidates(state);
        let height = Height(parent.height.saturating_add(1));
        let time = BlockTime { before: UnixMs(parent_ms), now: UnixMs(timestamp_ms) };
        let built = build_block(state, candidates, height, time)?;
        if !built.skipped.is_empty() {
            let mut pool = self.shared.pool();
            for (id, refusal) in built.skipped {
                // Those that come after one that was refused now.
                if !matches!(refusal, Refusal::NonceAhead { .. }) {
                    pool.refuse(&id, &Refused::from(refusal));
                }
            }
        }
        let payload = Bytes::from(built.payload.to_bytes());
        let state_root = built.applied.root.0;
        self.built = Some(Built {
            parent: parent.id,
            timestamp_ms,
            payload: payload.clone(),
            applied: Arc::new(built.applied),
        });
        Ok(Some(Proposal { payload, state_root }))
    }

    fn proposed(&mut self, block: &Block) -> Result<(), AppError> {
        let built = self.built.take().filter(|built| {
            built.parent == block.parent()
                && built.timestamp_ms == block.header().timestamp_ms()
                && built.payload == block.payload()
        });
        match built {
            Some(built) => {
                self.keep(block, built.applied);
                Ok(())
            }
            None => match self.verify(block)? {
                Verdict::Valid => Ok(()),
                Verdict::Invalid(reason) => {
                    Err(format!("own proposal is invalid: {reason}").into())
                }
            },
        }
    }

    fn verify(&mut self, block: &Block) -> Result<Verdict, AppError> {
        if self.overlays.contains_key(&block.id()) {
            return Ok(Verdict::Valid);
        }
        match self.execute(block)? {
            Ok(applied) => {
                self.keep(block, applied);
                Ok(Verdict::Valid)
            }
            Err(reason) => Ok(Verdict::Invalid(reason)),
        }
    }

    fn finalize(&mut self, block: &Block, certificate: Option<&[u8]>) -> Result<(), AppError> {
        if block.height() <= self.durable.height {
            return Ok(());
        }
        let applied = match self.overlays.get(&block.id()) {
            Some(overlay) => Arc::clone(&overlay.applied),
            None => self.execute(block)?.map_err(|reason| {
                format!("a quorum finalized block {}, which is invalid: {reason}", block.height())
            })?,
        };
        Ok(self.settle(block, certificate, &applied)?)
    }
}

/// Proof that others sit after the term that this block ends; `None` if it ends none, or the same
/// validators go on.
fn turn_of(
    state: &State,
    block: &Block,
    certificate: Option<&[u8]>,
) -> Result<Option<(u64, Vec<u8>)>, StoreError> {
    let Some(seats) = state.read(&TheSeats)? else { return Ok(None) };
    if seats.next.is_empty() || has_keys_of(&seats.members, &seats.next) {
        return Ok(None);
    }
    let term = block.header().epoch();
    let proof = certificate.map(|bytes| proof_of(block.header().to_bytes(), bytes));
    let Some(finality) = proof.as_ref().and_then(Finality::new) else {
        tracing::warn!(term, "a change of validators came without its proof: others must show it");
        return Ok(None);
    };
    let change = Change { finality, seats: state.prove(&TheSeats.key()) };
    Ok(Some((term, acre_codec::encode(&change))))
}

fn has_keys_of(some: &SeatList, others: &SeatList) -> bool {
    let keys = |seats: &SeatList| seats.iter().map(|seat| seat.validator).collect::<BTreeSet<_>>();
    keys(some) == keys(others)
}

/// Whether a change of this leaf may change who sits, or where.
fn is_about_seats(key: &[u8]) -> bool {
    matches!(acre_codec::decode(key), Ok(Key::Seats | Key::Candidate(_) | Key::CandidateAt(_)))
}

/// The accounts that a block changed.
fn accounts_of(changes: &[LeafChange]) -> Vec<AccountId> {
    let keys = changes.iter().map(|(key, _)| acre_codec::decode::<Key>(key));
    keys.filter_map(|key| match key {
        Ok(Key::Account(account)) => Some(account),
        _ => None,
    })
    .collect()
}

fn encode_events(events: &[Event]) -> Vec<u8> {
    if events.is_empty() { Vec::new() } else { acre_codec::encode(events) }
}

/// The last block as readers see it, if it has a certificate of its own.
fn head_of(header: &Header, stored: &StoredHead, state: &State) -> Option<Head> {
    let certificate = stored.certificate.as_ref()?;
    Some(Head {
        height: Height(header.height()),
        proof: proof_of(header.to_bytes(), certificate),
        state: state.clone(),
    })
}

/// Fills the list of recent transactions from the newest blocks.
fn remember_recent(store: &Store, pool: &mut Mempool) -> Result<(), StoreError> {
    let reader = store.reader();
    let mut blocks = Vec::new();
    let mut count = 0;
    for height in store.body_heights() {
        if count >= RECENT_TRANSACTIONS {
            break;
        }
        let Some(body) = reader.body(height)? else { continue };
        count += body.transactions.len();
        blocks.push((height, body.transactions));
    }
    for (height, transactions) in blocks.into_iter().rev() {
        for id in transactions {
            pool.remember(id, height);
        }
    }
    Ok(())
}
