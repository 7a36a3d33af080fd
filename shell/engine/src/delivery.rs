//! Finalized blocks on their way into the application: in order, at least once from the engine,
//! exactly once into the application.

use crate::{
    adapter::{Ledger, Marshal},
    application::{Application, Applied},
    block::{Block, BlockId},
    error::{Error, Result},
    limits::MAX_PENDING_ACKS,
};
use bytes::Bytes;
use commonware_actor::Feedback;
use commonware_codec::Encode as _;
use commonware_consensus::{
    Reporter,
    marshal::{Identifier, Update},
    types::Height,
};
use commonware_runtime::Spawner;
use commonware_utils::{Acknowledgement as _, acknowledgement::Exact};
use std::{num::NonZeroU64, sync::Arc};
use tokio::sync::{mpsc, watch};

/// What a process does in the term that runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// It checks and applies what others decide.
    #[default]
    Follower,
    /// It has a seat and asks the others what they have seen of it before it votes.
    Asking,
    /// It votes.
    Validator,
    /// It has a seat but may have forgotten what it voted: it follows until the next term.
    Silent,
}

/// Where the chain stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Height of the last block the application has applied.
    pub height: u64,
    /// Its name (zero before the first delivery).
    pub id: BlockId,
    /// Its time, in milliseconds since 1970.
    pub timestamp_ms: u64,
    /// Term of the first block that is not applied.
    pub term: u64,
    /// What this process does in it.
    pub role: Role,
    /// Validators of the term that can be reached, this one included.
    pub reachable: u32,
    /// How many of them are needed; with fewer, nothing is decided. 0 before the first count.
    pub quorum: u32,
    /// Term of the newest finalized block known, applied or not.
    pub epoch: u64,
    /// View, within its term, of the newest finalized block known.
    pub view: u64,
    /// Height of the newest finalized block known; above `height` while catching up.
    pub tip: u64,
}

impl Status {
    /// Whether enough validators can be reached to decide anything.
    #[must_use]
    pub const fn has_quorum(&self) -> bool {
        self.reachable >= self.quorum
    }
}

type Delivered = (Arc<Block>, Exact);

/// The engine's side: takes what marshal reports.
#[derive(Clone)]
pub(crate) struct Inbox {
    blocks: mpsc::Sender<Delivered>,
    status: Arc<watch::Sender<Status>>,
}

impl Reporter for Inbox {
    type Activity = Update<Block>;

    fn report(&mut self, update: Update<Block>) -> Feedback {
        match update {
            Update::Tip(round, height, _) => {
                self.status.send_modify(|status| {
                    status.epoch = round.epoch().get();
                    status.view = round.view().get();
                    status.tip = height.get();
                });
                Feedback::Ok
            }
            // Marshal holds back by its limit of pending acknowledgements. Were the queue ever
            // full, the dropped acknowledgement stops marshal, which is seen and reported.
            Update::Block(block, ack) => match self.blocks.try_send((block.into(), ack)) {
                Ok(()) => Feedback::Ok,
                Err(_) => Feedback::Closed,
            },
        }
    }
}

/// Our side: feeds the application.
pub(crate) struct Delivery {
    blocks: mpsc::Receiver<Delivered>,
    status: Arc<watch::Sender<Status>>,
    ledger: Ledger,
    marshal: Marshal,
    retain: NonZeroU64,
    applied: Applied,
}

/// Whether this validator is the only one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alone {
    Yes,
    No,
}

/// Blocks pruned at a time, so that pruning is not work of every block.
const PRUNE_STEP: u64 = 256;

pub(crate) fn channel(
    ledger: Ledger,
    marshal: Marshal,
    status: Arc<watch::Sender<Status>>,
    retain: NonZeroU64,
) -> (Inbox, Delivery) {
    // Twice the pending ones: after a restart of delivery the old ones may still be queued.
    let (sender, blocks) = mpsc::channel(2 * MAX_PENDING_ACKS.get());
    let inbox = Inbox { blocks: sender, status: Arc::clone(&status) };
    let applied = Applied { height: 0, id: None };
    (inbox, Delivery { blocks, status, ledger, marshal, retain, applied })
}

impl Delivery {
    /// Compares application and archive after a start, and feeds the application what it has lost.
    ///
    /// # Errors
    /// [`Error::Diverged`], [`Error::Lost`] (only if `alone`: otherwise peers help) and
    /// [`Error::Behind`] if the two cannot be reconciled; the application's own.
    pub(crate) async fn reconcile<E: Spawner>(&mut self, context: &E, alone: Alone) -> Result<()> {
        let stopped = Error::Stopped { part: "start" };
        let Some(mut applied) = self.ledger.call(context, |app| app.applied()).await else {
            return Err(stopped);
        };
        let tip = self.marshal.get_info(Identifier::Latest).await.map_or(0, |(tip, _)| tip.get());
        let height = applied.height;
        if height > tip {
            tracing::warn!(height, tip, "the engine has lost blocks the application has applied");
            if matches!(alone, Alone::Yes) {
                return Err(Error::Lost { tip, applied: height });
            }
        }
        let stored = self.marshal.get_block(Height::new(height)).await;
        if let (Some(block), Some(id)) = (stored, applied.id)
            && block.inner().id() != id
        {
            return Err(Error::Diverged { height });
        }
        // What marshal regards as processed it does not deliver again.
        let processed = self.marshal.get_processed().await.map_or(0, |p| p.height().get());
        for missing in height + 1..=processed {
            let Some(block) = self.marshal.get_block(Height::new(missing)).await else {
                return Err(Error::Behind { needed: missing, offered: processed });
            };
            if !self.finalize(context, &mut applied, block.inner_shared()).await? {
                return Err(stopped);
            }
        }
        self.status.send_modify(|status| {
            status.height = applied.height;
            status.id = applied.id.unwrap_or_default();
        });
        self.applied = applied;
        Ok(())
    }

    /// Runs until the engine stops or the application fails.
    pub(crate) async fn run<E: Spawner>(mut self, context: E) {
        let mut applied = self.applied;
        while let Some((block, ack)) = self.blocks.recv().await {
            match self.deliver(&context, &mut applied, &block).await {
                Ok(true) => ack.acknowledge(),
                Ok(false) => return,
                Err(error) => return self.ledger.fail(error),
            }
            self.announce(&block);
            if block.height() % PRUNE_STEP == 0 {
                let keep = block.height().saturating_sub(self.retain.get());
                self.marshal.prune(Height::new(keep));
            }
        }
    }

    /// Brings the application to `block`; false if the runtime is shutting down.
    async fn deliver<E: Spawner>(
        &self,
        context: &E,
        applied: &mut Applied,
        block: &Arc<Block>,
    ) -> Result<bool> {
        let height = block.height();
        if height <= applied.height {
            // Delivered again after a crash between the application's write and the engine's.
            let other = applied.id.is_some_and(|id| id != block.id());
            return if height == applied.height && other {
                Err(Error::Diverged { height })
            } else {
                Ok(true)
            };
        }
        if height > applied.height + 1 {
            return Err(Error::Behind { needed: applied.height + 1, offered: height });
        }
        self.finalize(context, applied, Arc::clone(block)).await
    }

    async fn finalize<E: Spawner>(
        &self,
        context: &E,
        applied: &mut Applied,
        block: Arc<Block>,
    ) -> Result<bool> {
        let height = block.height();
        if applied.id.is_some_and(|id| id != block.parent()) {
            return Err(Error::Diverged { height: applied.height });
        }
        let id = block.id();
        let certificate = certificate(&self.marshal, height).await;
        let done = self
            .ledger
            .call(context, move |app: &mut dyn Application| {
                app.finalize(&block, certificate.as_deref())
            })
            .await;
        match done {
            None => Ok(false),
            Some(Ok(())) => {
                *applied = Applied { height, id: Some(id) };
                Ok(true)
            }
            Some(Err(source)) => Err(Error::Application { height, doing: "finalize", source }),
        }
    }

    fn announce(&self, block: &Block) {
        self.status.send_if_modified(|status| {
            // What is delivered again is no news.
            let news = block.height() >= status.height;
            if news {
                status.height = block.height();
                status.id = block.id();
                status.timestamp_ms = block.header().timestamp_ms();
            }
            news
        });
    }
}

/// The certificate that names this very height, if there is one.
pub(crate) async fn certificate(marshal: &Marshal, height: u64) -> Option<Bytes> {
    let finalization = marshal.get_finalization(Height::new(height)).await?;
    Some(finalization.encode())
}
