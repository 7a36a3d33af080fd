//! How new a state is, and what a client tells its owner while it waits.
//!
//! A proof says that a state was true, not that it is the newest. A client takes one for the present
//! state if
//!
//! * its block's time is near this machine's clock ([`STATE_RECENT`]), and all validators known were
//!   asked once how far they are; or
//! * a quorum of the validators have said how far they are, and none has shown a newer block. Every
//!   block was finalized by a quorum, so one honest validator is in both.
//!
//! Otherwise it says so ([`Waiting::OldState`]), and signs nothing: whoever is shown an old number of
//! its account would sign it again.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::PoisonError;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use acre_ledger::Key;
use acre_types::{Height, PublicKey};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};

use super::{Final, LedgerClient, Snapshot};
use crate::defaults::{
    ORIENT_TIMEOUT, STATE_RECENT, SUBMIT_PATIENCE, SURVEY_KEPT, SURVEY_TIMEOUT, TELL_AFTER,
    TELL_AGAIN,
};
use crate::error::{ClientError, Lie};
use crate::limits::KEYS_PER_CALL;
use crate::protocol::{Reply, Request};

/// How many validators answered when all were asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Survey {
    /// Validators that answered with where they stand.
    pub answered: usize,
    /// How many it takes to decide anything.
    pub needed: usize,
    /// How many there are.
    pub validators: usize,
}

impl Survey {
    /// Whether enough answered.
    #[must_use]
    pub const fn is_quorum(&self) -> bool {
        self.answered >= self.needed
    }
}

impl fmt::Display for Survey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { answered, needed, validators } = self;
        write!(f, "{answered} of {validators} validators answer, {needed} are needed")
    }
}

/// What a client waits for; see [`Options::told`](super::Options::told). Its text is for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Waiting {
    /// Too few validators answer to decide anything: what is sent waits until more do.
    Quorum(Survey),
    /// Enough validators answer; the transaction is not in a final block yet.
    Block(Survey),
    /// Nothing is waited for: this old state is the newest that could be found, and is used. Too few
    /// validators answer to say that there is no newer one.
    OldState {
        /// Time since its block, by this machine's clock.
        age: Duration,
        /// Who answered.
        survey: Survey,
    },
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Quorum(survey) => write!(f, "{survey}: waiting for more"),
            Self::Block(survey) => write!(f, "{survey}: waiting for the block"),
            Self::OldState { age, survey } => {
                write!(f, "{survey}: this state is {} s old, a newer one may exist", age.as_secs())
            }
        }
    }
}

/// Is told what a client waits for; must not block for long.
pub type Told = Box<dyn Fn(&Waiting) + Send + Sync>;

/// How sure it is that a state is the present one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// Its block was made just now.
    Recent,
    /// Its block is old, but a quorum of the validators know of none after it: the chain stands still.
    Confirmed,
    /// Its block is old, and too few validators answer.
    Unsure(Survey),
}

impl LedgerClient {
    /// Asks all validators at once how far they are; the answer of a moment ago is given again.
    pub async fn survey(&self) -> Survey {
        let mut last = self.0.surveyed.lock().await;
        if let Some((at, survey)) = *last
            && at.elapsed() < SURVEY_KEPT
        {
            return survey;
        }
        let survey = self.ask_all().await;
        *last = Some((Instant::now(), survey));
        survey
    }

    /// Waits for all to answer, a moment only for the rest if a quorum has. Whoever of those that
    /// sit has the newest block is asked first from then on: one that lost its seat may not follow.
    async fn ask_all(&self) -> Survey {
        let begun = Instant::now();
        let mut asking = JoinSet::new();
        for peer in self.in_turn() {
            let client = self.clone();
            asking.spawn(async move { Some((peer, client.stands(peer).await?)) });
        }
        let mut there = BTreeMap::new();
        let mut survey = self.count(&there);
        let mut deadline = begun + ORIENT_TIMEOUT;
        loop {
            match timeout_at(deadline, asking.join_next()).await {
                Ok(Some(answer)) => {
                    there.extend(answer.ok().flatten());
                    survey = self.count(&there);
                }
                Ok(None) => break,
                Err(_) if survey.is_quorum() || deadline > begun + ORIENT_TIMEOUT => break,
                Err(_) => deadline = begun + SURVEY_TIMEOUT,
            }
        }
        let newest = there.values().max();
        let is_newest = |peer: &PublicKey| newest.is_some() && there.get(peer) == newest;
        let members = self.members();
        if let Some(best) =
            self.in_turn().into_iter().find(|peer| members.contains(peer) && is_newest(peer))
        {
            self.prefer(best);
        }
        survey
    }

    /// Those that sit, as far as is known.
    fn members(&self) -> Vec<PublicKey> {
        let trust = self.0.trust.read().unwrap_or_else(PoisonError::into_inner);
        trust.newest().validators().to_vec()
    }

    fn count(&self, there: &BTreeMap<PublicKey, Height>) -> Survey {
        let members = self.members();
        let validators = members.len();
        let answered = members.iter().filter(|member| there.contains_key(member)).count();
        Survey { answered, needed: validators - validators.saturating_sub(1) / 3, validators }
    }

    /// Where this validator says that it stands, if it proves it.
    async fn stands(&self, peer: PublicKey) -> Option<Height> {
        let reply = self.call(peer, &Request::Info, Vec::new(), SURVEY_TIMEOUT).await.ok()?;
        self.learn_signers(peer, &reply).await;
        let Ok(Reply::Info(info)) = reply else { return None };
        let head = info.head.filter(|_| info.chain == self.chain())?;
        match self.believe(&head) {
            Ok(block) => {
                self.saw(&block);
                Some(block.height)
            }
            Err(lie) => {
                tracing::warn!(%peer, %lie, "a validator does not tell the truth");
                None
            }
        }
    }

    /// Before the first read: asks all validators, so that one that lags (it was restarted just
    /// now, say) cannot give a state that others have left behind.
    pub(super) async fn orient(&self) {
        let first = || async {
            if self.in_turn().len() > 1 {
                self.survey().await;
            }
        };
        self.0.oriented.get_or_init(first).await;
    }

    /// As [`LedgerClient::snapshot`], with how sure it is that this is the present state.
    ///
    /// # Errors
    /// As [`LedgerClient::snapshot`].
    pub async fn snapshot_with_freshness(
        &self,
        keys: &[Key],
    ) -> Result<(Snapshot, Freshness), ClientError> {
        let keys = &keys[..keys.len().min(KEYS_PER_CALL)];
        self.orient().await;
        let snapshot = self.snapshot_since(keys, self.seen()).await?;
        let Some(age) = self.too_old(&snapshot.block) else {
            return Ok((snapshot, Freshness::Recent));
        };
        let survey = self.survey().await;
        // Somebody may have shown a newer block.
        let snapshot = match self.seen() {
            newer if newer > snapshot.block.height => self.snapshot_since(keys, newer).await?,
            _ => snapshot,
        };
        if self.too_old(&snapshot.block).is_none() {
            return Ok((snapshot, Freshness::Recent));
        }
        if survey.is_quorum() {
            return Ok((snapshot, Freshness::Confirmed));
        }
        tracing::warn!(?age, %survey, height = %snapshot.block.height, "an old state is read");
        Ok((snapshot, Freshness::Unsure(survey)))
    }

    /// As [`LedgerClient::snapshot`], but waits until it is sure to be the present state: what it
    /// holds may be signed upon.
    ///
    /// # Errors
    /// As [`LedgerClient::snapshot`], and [`ClientError::NoQuorum`].
    pub async fn present(&self, keys: &[Key]) -> Result<Snapshot, ClientError> {
        let begun = Instant::now();
        loop {
            let (snapshot, freshness) = self.snapshot_with_freshness(keys).await?;
            let Freshness::Unsure(survey) = freshness else { return Ok(snapshot) };
            if begun.elapsed() >= self.patience() {
                return Err(ClientError::NoQuorum { survey });
            }
            self.tell(Waiting::Quorum(survey));
            sleep(TELL_AFTER.min(self.patience())).await;
        }
    }

    /// Tells what is being waited for, again and again; never ends.
    pub(super) async fn keep_told(&self) {
        loop {
            sleep(TELL_AFTER).await;
            if self.0.options.told.is_some() {
                let survey = self.survey().await;
                self.tell(match survey.is_quorum() {
                    true => Waiting::Block(survey),
                    false => Waiting::Quorum(survey),
                });
            }
        }
    }

    /// Not the same thing twice in a short while.
    pub(super) fn tell(&self, waiting: Waiting) {
        let Some(told) = &self.0.options.told else { return };
        let mut last = self.0.told.lock().unwrap_or_else(PoisonError::into_inner);
        let again = match &*last {
            Some((at, before)) => !is_same(before, &waiting) || at.elapsed() >= TELL_AGAIN,
            None => true,
        };
        if again {
            *last = Some((Instant::now(), waiting));
            drop(last);
            told(&waiting);
        }
    }

    pub(super) fn patience(&self) -> Duration {
        self.0.options.patience.unwrap_or(SUBMIT_PATIENCE)
    }

    /// How far a block's time is from now, if that is too much to take it for the newest.
    pub(super) fn too_old(&self, block: &Final) -> Option<Duration> {
        let time = UNIX_EPOCH + Duration::from_millis(block.time.0);
        let now = SystemTime::now();
        // One from the future says that this machine's clock is wrong.
        let apart = now.duration_since(time).unwrap_or_else(|error| error.duration());
        (apart > self.0.options.recent.unwrap_or(STATE_RECENT)).then_some(apart)
    }

    async fn snapshot_since(
        &self,
        keys: &[Key],
        at_least: Height,
    ) -> Result<Snapshot, ClientError> {
        let list = acre_codec::List::new(keys.to_vec()).expect("the callers have cut it");
        let request = Request::Get { keys: list, at_least };
        self.ask(request, |reply| match reply {
            Reply::Values { finality, proofs } => {
                let block = self.check_finality(&finality, at_least)?;
                Ok(Snapshot::check(block, keys, proofs.into_vec())?)
            }
            Reply::NotReady(reason) => Err(super::Trouble::NotReady(reason)),
            _ => Err(Lie::Unfit.into()),
        })
        .await
    }
}

/// Apart from how long it takes.
fn is_same(a: &Waiting, b: &Waiting) -> bool {
    match (a, b) {
        (Waiting::OldState { survey: a, .. }, Waiting::OldState { survey: b, .. }) => a == b,
        (a, b) => a == b,
    }
}
