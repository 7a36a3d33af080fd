//! The application as the engine sees it: proposals and verdicts in, replay of unknown
//! ancestors, pacing.
//!
//! The application's calls block, so each runs on a thread for blocking work, one at a time.

use crate::{
    application::{Application, Verdict},
    block::{Block, BlockContext},
    error::{AppError, Error},
    limits::MAX_CLOCK_AHEAD_MS,
};
use commonware_consensus::{
    Application as EngineApplication,
    marshal::{ancestry::Ancestry, core::Mailbox, standard::Standard},
    simplex::scheme::ed25519::Scheme,
    types::Height,
};
use commonware_cryptography::Digested;
use commonware_runtime::{Clock, Metrics, Spawner};
use commonware_utils::SystemTimeExt as _;
use futures::StreamExt as _;
use std::{
    future::pending,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, UNIX_EPOCH},
};
use tokio::sync::{Notify, mpsc};

pub(crate) type Marshal = Mailbox<Scheme, Standard<Block>>;

/// The one application, shared by everything in the engine that calls it.
#[derive(Clone)]
pub(crate) struct Ledger {
    app: Arc<Mutex<Box<dyn Application>>>,
    wake: Arc<Notify>,
    fatal: mpsc::Sender<Error>,
}

impl Ledger {
    /// The receiver yields the error that must stop the engine.
    pub(crate) fn new(
        app: Box<dyn Application>,
        wake: Arc<Notify>,
    ) -> (Self, mpsc::Receiver<Error>) {
        // The first failure stops the engine; those it causes may be lost.
        let (fatal, failed) = mpsc::channel(1);
        (Self { app: Arc::new(Mutex::new(app)), wake, fatal }, failed)
    }

    /// Runs one call on the application; `None` if the runtime is shutting down.
    pub(crate) async fn call<E: Spawner, T: Send + 'static>(
        &self,
        context: &E,
        job: impl FnOnce(&mut dyn Application) -> T + Send + 'static,
    ) -> Option<T> {
        let app = Arc::clone(&self.app);
        let task = context.child("application").shared(true).spawn(move |_| async move {
            job(app.lock().unwrap_or_else(PoisonError::into_inner).as_mut())
        });
        task.await.ok()
    }

    /// Stops the engine.
    pub(crate) fn fail(&self, error: Error) {
        tracing::error!(%error, "the ledger's engine must stop");
        // Full means that another failure already stops it.
        let _ = self.fatal.try_send(error);
    }

    pub(crate) fn genesis(&self) -> crate::block::Genesis {
        self.app.lock().unwrap_or_else(PoisonError::into_inner).genesis()
    }
}

/// Whether children of `block` can be built or verified now.
fn is_ready(app: &dyn Application, block: &Block) -> bool {
    let applied = app.applied();
    if block.height() == applied.height {
        return applied.id.is_none_or(|id| id == block.id());
    }
    block.height() > applied.height && app.knows(&block.id())
}

/// What became of an attempt to execute blocks on an ancestor.
enum Step {
    /// All were executed and are valid.
    Done,
    /// One of them breaks the application's rules.
    Invalid,
    /// The application does not know the ancestor: it has to be executed, too.
    Unknown,
    /// The chain has settled past the ancestor.
    Stale,
}

/// Executes `blocks` (newest first) on `ancestor`.
fn execute(
    app: &mut dyn Application,
    ancestor: &Block,
    blocks: &[Digested<Block>],
) -> Result<Step, AppError> {
    if !is_ready(app, ancestor) {
        let settled = ancestor.height() <= app.applied().height;
        return Ok(if settled { Step::Stale } else { Step::Unknown });
    }
    for block in blocks.iter().rev() {
        if let Verdict::Invalid(reason) = app.verify(block.inner())? {
            tracing::warn!(height = block.inner().height(), reason, "refusing a block");
            return Ok(Step::Invalid);
        }
    }
    Ok(Step::Done)
}

/// Attempts to find a way down to a block that the application knows.
const REPLAYS: usize = 3;

/// How long an idle proposer waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pacing {
    pub(crate) idle_interval: Duration,
    /// How wrong the clock is; see [`crate::node::Setup`].
    pub(crate) clock_error_ms: i64,
}

impl Pacing {
    /// Milliseconds since 1970 as this process sees it.
    fn now_ms(&self, context: &impl Clock) -> u64 {
        context.current().epoch_millis().saturating_add_signed(self.clock_error_ms)
    }
}

/// Implements the engine's application trait on top of ours.
#[derive(Clone)]
pub(crate) struct Adapter {
    ledger: Ledger,
    marshal: Marshal,
    pacing: Pacing,
}

impl Adapter {
    pub(crate) fn new(ledger: Ledger, marshal: Marshal, pacing: Pacing) -> Self {
        Self { ledger, marshal, pacing }
    }

    /// Executes `blocks` (newest first) and whatever of their ancestry the application does not
    /// know; `None` if that cannot be decided.
    ///
    /// While ancestors are looked up, some may become final: then the way down ends below the
    /// application, and one from the top may be shorter.
    async fn replay<E: Spawner>(
        &self,
        context: &E,
        blocks: Vec<Digested<Block>>,
        ancestry: impl Ancestry<Block>,
    ) -> Option<Step> {
        for _ in 1..REPLAYS {
            match self.replay_once(context, blocks.clone(), ancestry.clone()).await? {
                Step::Stale => {}
                step => return Some(step),
            }
        }
        self.replay_once(context, blocks, ancestry).await
    }

    async fn replay_once<E: Spawner>(
        &self,
        context: &E,
        mut blocks: Vec<Digested<Block>>,
        mut ancestry: impl Ancestry<Block>,
    ) -> Option<Step> {
        loop {
            let ancestor = ancestry.next().await?;
            let (height, base, todo) =
                (ancestor.inner().height(), ancestor.clone(), blocks.clone());
            let step =
                self.ledger.call(context, move |app| execute(app, base.inner(), &todo)).await?;
            match step {
                Ok(Step::Unknown) => blocks.push(ancestor),
                Ok(step) => return Some(step),
                Err(source) => {
                    self.ledger.fail(Error::Application { height, doing: "verify", source });
                    return None;
                }
            }
        }
    }

    /// Waits until there is something to put into a child of `parent`, at most for the idle
    /// interval since the parent.
    async fn wait_for_work<E: Spawner + Clock>(&self, context: &E, parent: &Block) -> Option<()> {
        let now = context.current();
        let latest = now + self.pacing.idle_interval;
        let deadline = UNIX_EPOCH
            .checked_add(Duration::from_millis(parent.header().timestamp_ms()))
            .and_then(|time| time.checked_add(self.pacing.idle_interval))
            .map_or(latest, |time| time.min(latest));
        let parent = parent.as_ref();
        loop {
            // Listen first, then look: a transaction that arrives in between is not missed.
            let woken = self.ledger.wake.notified();
            tokio::pin!(woken);
            woken.as_mut().enable();
            if self.ledger.call(context, move |app| app.has_work(&parent)).await? {
                return Some(());
            }
            tokio::select! {
                biased;
                () = context.sleep_until(deadline) => return Some(()),
                () = woken => {}
            }
        }
    }

    async fn build<E: Spawner + Clock>(
        &self,
        context: &E,
        consensus: BlockContext,
        parent: Digested<Block>,
    ) -> Option<Digested<Block>> {
        let now_ms = self.pacing.now_ms(context);
        let height = parent.inner().height() + 1;
        let built = self
            .ledger
            .call(context, move |app| {
                let parent = parent.inner();
                if !is_ready(app, parent) {
                    return Ok(None);
                }
                let timestamp_ms = now_ms.max(parent.header().timestamp_ms() + 1);
                let Some(proposal) = app.propose(&parent.as_ref(), timestamp_ms)? else {
                    return Ok(None);
                };
                let block = Block::build(consensus, height, timestamp_ms, proposal)?;
                app.proposed(&block)?;
                Ok(Some(block))
            })
            .await?;
        match built {
            Ok(block) => {
                let block = block?;
                let digest = commonware_cryptography::Digestible::digest(&block);
                Some(Digested::precomputed(block, digest))
            }
            Err(source) => {
                self.ledger.fail(Error::Application { height, doing: "propose", source });
                None
            }
        }
    }

    /// `None` if it cannot be decided (yet): the vote is withheld.
    async fn judge<E: Spawner + Clock>(
        &self,
        context: &E,
        mut ancestry: impl Ancestry<Block>,
    ) -> Option<bool> {
        let block = ancestry.next().await?;
        let mut rest = ancestry.clone();
        let parent = rest.next().await?;
        let timestamp_ms = block.inner().header().timestamp_ms();
        if timestamp_ms <= parent.inner().header().timestamp_ms() {
            return Some(false);
        }
        match self.replay(context, vec![block.clone()], ancestry).await? {
            Step::Done => {}
            Step::Invalid => return Some(false),
            Step::Stale => {
                // The height is settled: the block is the settled one or lost for good. (Above
                // the settled height the parent lost, and the block with it.)
                let height = Height::new(block.inner().height());
                let (_, settled) = self.marshal.get_info(height).await?;
                return Some(settled == commonware_cryptography::Digestible::digest(block.inner()));
            }
            Step::Unknown => return None,
        }
        let earliest_ms = timestamp_ms.saturating_sub(MAX_CLOCK_AHEAD_MS);
        let early_ms = earliest_ms.saturating_sub(self.pacing.now_ms(context));
        context.sleep(Duration::from_millis(early_ms)).await;
        Some(true)
    }
}

impl<E: Spawner + Clock + Metrics> EngineApplication<E> for Adapter {
    type SigningScheme = Scheme;
    type Context = BlockContext;
    type Block = Block;
    type Input = ();

    async fn propose(
        &mut self,
        (context, consensus): (E, BlockContext),
        mut ancestry: impl Ancestry<Block>,
        (): (),
    ) -> Option<Digested<Block>> {
        let whole = ancestry.clone();
        let parent = ancestry.next().await?;
        match self.replay(&context, Vec::new(), whole).await? {
            Step::Done => {}
            Step::Invalid | Step::Unknown | Step::Stale => return None,
        }
        self.wait_for_work(&context, parent.inner()).await?;
        self.build(&context, consensus, parent).await
    }

    async fn verify(
        &mut self,
        (context, _): (E, BlockContext),
        ancestry: impl Ancestry<Block>,
    ) -> bool {
        match self.judge(&context, ancestry).await {
            Some(verdict) => verdict,
            // Never `false` for what may become valid: the engine abandons us with the view.
            None => pending().await,
        }
    }
}
