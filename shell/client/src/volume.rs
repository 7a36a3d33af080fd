//! A volume: one storage contract, its keys, its places, and its newest published tree.
//!
//! ```text
//! root.tree ─┬─ "names"    what people see
//!            └─ "objects"  object id in hexadecimal -> link to the path it stands at
//! ```

use std::cmp::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use acre_chain::{ClientError as ChainError, LedgerClient, Refused};
use acre_crypto::SigningKey;
use acre_ledger::{Action, Contract, ContractStatus, Storage};
use acre_store::head::{Head, Position};
use acre_store::keys::VolumeKeys;
use acre_store::machine::{Event, HeadSeen, HeadSpec, MachineError, Operation, Places};
use acre_store::tree::{Directory, Root};
use acre_types::{Bytes, ContractId, Profile};
use tokio::sync::{mpsc, oneshot};

use crate::courier::{Courier, Load, Party, Told};
use crate::shared::{Core, now};
use crate::turn::Turns;
use crate::{ClientError, random};

/// Nodes ask the ledger again at most this often, so a contract that has just grown is not
/// believed before.
pub(crate) const GROWTH_SEEN: Duration = Duration::from_millis(400);
/// Growth asked for within this time after the last is the same growth.
const GROWTH_SAME: Duration = Duration::from_secs(3);

/// See the module.
pub(crate) struct Volume {
    pub(crate) id: ContractId,
    pub(crate) profile: Profile,
    pub(crate) keys: Arc<VolumeKeys>,
    pub(crate) party: Arc<Party>,
    /// About storage, always: the kind of a contract never changes.
    contract: Arc<Mutex<Contract>>,
    places: Mutex<Places>,
    /// Whose turn it is to publish a head or to collect packs.
    pub(crate) turns: Turns,
}

/// A published state.
#[derive(Clone, Debug)]
pub(crate) struct Published {
    /// Counter of its head; 0 if there is none yet.
    pub(crate) counter: u64,
    pub(crate) tree: Directory,
}

/// Whether a state became that of the volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    Yes,
    /// Somebody else was faster.
    No,
    /// Somebody else has written since, and it does not show upon what.
    Perhaps,
}

impl Volume {
    pub(crate) fn new(
        core: &Arc<Core>,
        contract: Contract,
        storage: &Storage,
        keys: VolumeKeys,
    ) -> Result<Self, MachineError> {
        let places = Places::new(storage.profile, storage.places.to_vec())?;
        let (id, profile) = (contract.id, storage.profile);
        let keys = Arc::new(keys);
        let (grow, asked) = mpsc::channel(64);
        let contract = Arc::new(Mutex::new(contract));
        let grower = Grower {
            ledger: core.ledger.clone(),
            key: core.identity.account(),
            contract: Arc::clone(&contract),
            grown: None,
        };
        tokio::spawn(grower.run(asked));
        let writer = keys.writer();
        let party = Arc::new(Party { contract: id, writer, keys: Arc::clone(&keys), grow });
        let turns = Turns::new(core.cache_dir.as_deref(), id);
        let places = Mutex::new(places);
        Ok(Self { id, profile, keys, party, contract, places, turns })
    }

    pub(crate) fn contract(&self) -> Contract {
        self.contract.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What its contract reserves.
    pub(crate) fn storage(&self) -> Storage {
        let contract = self.contract.lock().unwrap_or_else(PoisonError::into_inner);
        contract.storage().cloned().expect("a volume is about storage, always")
    }

    pub(crate) fn places(&self) -> Places {
        self.places.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes over what the ledger says now.
    pub(crate) fn update(&self, contract: Contract) {
        let Some(storage) = contract.storage() else { return };
        if let Ok(places) = Places::new(storage.profile, storage.places.to_vec()) {
            *self.places.lock().unwrap_or_else(PoisonError::into_inner) = places;
        }
        *self.contract.lock().unwrap_or_else(PoisonError::into_inner) = contract;
    }

    /// # Errors
    /// [`ClientError::ContractOver`].
    pub(crate) fn check_live(&self) -> Result<(), ClientError> {
        match self.contract().status(now()) {
            ContractStatus::Live => Ok(()),
            _ => Err(ClientError::ContractOver { contract: self.id }),
        }
    }

    fn load(&self) -> Load {
        Load { party: Arc::clone(&self.party), pack: None, head: None }
    }

    /// The newest state that its places know.
    ///
    /// # Errors
    /// [`ClientError::VolumeUnreachable`], [`ClientError::Format`].
    pub(crate) async fn read_head(&self, courier: &Courier) -> Result<Published, ClientError> {
        let spec = HeadSpec { places: self.places() };
        let mut reading = courier.begin(Operation::ReadHead(spec), self.load());
        while let Some(told) = reading.next().await {
            match told {
                Told::Head(None) => {
                    return Ok(Published { counter: 0, tree: Directory::empty() });
                }
                Told::Head(Some(head)) => {
                    let root = head.head.open(&self.keys)?;
                    // Places that were behind are brought up to date meanwhile.
                    tokio::spawn(async move { while reading.next().await.is_some() {} });
                    return Ok(Published { counter: head.head.counter, tree: root.tree });
                }
                Told::Event(Event::Failed(error)) => return Err(self.failed(error)),
                _ => {}
            }
        }
        Err(ClientError::Closed)
    }

    /// Makes `tree` the newest state, if `base` still is.
    ///
    /// # Errors
    /// [`ClientError::OutcomeUnknown`] if too few places kept it.
    pub(crate) async fn write_head(
        &self,
        courier: &Courier,
        base: &Published,
        tree: Directory,
    ) -> Result<Written, ClientError> {
        let newest = self.read_head(courier).await?;
        if newest.counter != base.counter || newest.tree != base.tree {
            return Ok(Written::No);
        }
        let at = Position { contract: self.id, epoch: 0, counter: base.counter + 1 };
        let root = Root { tree, previous: None, created: now() };
        let head = Head::seal(at, &root, &self.keys, &mut random::entropy()?)?;
        let head = head.sign(self.keys.signing_key());
        let seen = HeadSeen::from(&head);
        let spec = HeadSpec { places: self.places() };
        let load = Load { head: Some(head), ..self.load() };
        let mut writing = courier.begin(Operation::WriteHead { spec, head: seen }, load);
        while let Some(told) = writing.next().await {
            match told {
                Told::Event(Event::HeadWritten { .. }) => {
                    // The places beyond the quorum are still being told.
                    let rest = async move { while writing.next().await.is_some() {} };
                    let _ = tokio::time::timeout(Duration::from_millis(500), rest).await;
                    // Two who write the same number at once: the places keep one of them.
                    let newest = self.read_head(courier).await?;
                    return Ok(match newest.counter.cmp(&at.counter) {
                        _ if newest.tree == tree => Written::Yes,
                        // Upon this state, or upon that of another who wrote the same number.
                        Ordering::Greater => Written::Perhaps,
                        Ordering::Less | Ordering::Equal => Written::No,
                    });
                }
                Told::Event(Event::Failed(MachineError::HeadConflict { .. })) => {
                    return Ok(Written::No);
                }
                Told::Event(Event::Failed(error)) => return Err(self.failed(error)),
                _ => {}
            }
        }
        Err(ClientError::Closed)
    }

    fn failed(&self, error: MachineError) -> ClientError {
        let contract = self.id;
        match error {
            MachineError::HeadUnavailable { answered, needed } => {
                ClientError::VolumeUnreachable { contract, answered, needed }
            }
            MachineError::HeadNotWritten { stored, needed } => {
                ClientError::OutcomeUnknown { contract, stored, needed }
            }
            other => ClientError::Machine(other),
        }
    }

    /// Reserves more than `bytes` plain bytes in all, ahead of need; best effort, as places say
    /// themselves when it is too little.
    pub(crate) async fn reserve(&self, bytes: Bytes) {
        if self.storage().bytes < bytes {
            let (done, is_done) = oneshot::channel();
            if self.party.grow.send(Growth { at_least: bytes, done }).await.is_ok() {
                // Whether it worked shows when a place refuses.
                let _ = is_done.await;
            }
        }
    }
}

/// A wish for more room in a contract.
pub(crate) struct Growth {
    /// Plain bytes in all; 0 if a place said that it is too little.
    pub(crate) at_least: Bytes,
    /// Told whether there is more now.
    pub(crate) done: oneshot::Sender<bool>,
}

/// Doubles a contract when asked to, one at a time.
struct Grower {
    ledger: LedgerClient,
    key: SigningKey,
    contract: Arc<Mutex<Contract>>,
    grown: Option<Instant>,
}

impl Grower {
    async fn run(mut self, mut asked: mpsc::Receiver<Growth>) {
        while let Some(Growth { at_least, done }) = asked.recv().await {
            let is_done = self.grow(at_least).await;
            // Whoever asked may have given up.
            let _ = done.send(is_done);
        }
    }

    async fn grow(&mut self, at_least: Bytes) -> bool {
        let (id, bytes) = {
            let contract = self.contract.lock().unwrap_or_else(PoisonError::into_inner);
            (contract.id, contract.storage().map_or(Bytes(0), |storage| storage.bytes))
        };
        let is_same = self.grown.is_some_and(|grown| grown.elapsed() < GROWTH_SAME);
        if is_same && bytes >= at_least {
            return true;
        }
        let bytes = Bytes(at_least.0.saturating_sub(bytes.0).max(bytes.0));
        let action = Action::ExtendContract { contract: id, bytes, period_ms: 0 };
        match self.ledger.submit(&self.key, action).await {
            Ok(_) => tracing::info!(contract = %id, "the contract was doubled"),
            Err(ChainError::Refused(Refused::NoFunds { held, wanted })) => {
                tracing::warn!(contract = %id, %held, %wanted, "no funds to extend the contract");
                return false;
            }
            Err(error) => {
                tracing::warn!(contract = %id, %error, "the contract could not be extended");
                return false;
            }
        }
        if let Ok(Some(contract)) = self.ledger.contract(id).await {
            *self.contract.lock().unwrap_or_else(PoisonError::into_inner) = contract;
        }
        tokio::time::sleep(GROWTH_SEEN).await;
        self.grown = Some(Instant::now());
        true
    }
}
