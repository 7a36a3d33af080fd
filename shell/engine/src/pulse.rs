//! What peers tell each other beside consensus: that they live, and what they have seen of us.
//!
//! * **Beat.** Every second each process says in which term it is, and whether it votes there. So
//!   each knows how many validators it can reach, whether they are a quorum, and whose turns are
//!   worth waiting for when an engine starts ([`crate::prime`]).
//! * **Recall.** A validator votes only once in each step of the protocol, because it keeps its
//!   votes on disk. One whose disk was wiped, or restored from a backup, does not know what it
//!   has voted. Before its first vote in a term it asks the other validators for its own latest
//!   vote; votes are signed, so the answers cannot be forged, only withheld.
//!
//! ```text
//! beat   = 0 u8 | term varint
//! ask    = 1 u8 | term varint
//! answer = 2 u8 | term asked about varint | term of the answerer varint | vote of the asker, or none
//! rest   = 3 u8 | term varint                                   a beat of one that does not vote
//! ```

use crate::{
    block::Digest,
    defaults,
    delivery::{Role, Status},
    evidence::{self, Evidence},
    journal::Voted,
    limits,
};
use bytes::BufMut;
use commonware_codec::{
    Buf, Decode as _, Encode as _, EncodeSize, Error as CodecError, Read, ReadExt as _, Write,
    varint::UInt,
};
use commonware_consensus::{
    Epochable as _, Reporter, Viewable as _,
    simplex::{
        scheme::ed25519::Scheme,
        types::{Activity, Attributable as _, Vote},
    },
    types::View,
};
use commonware_cryptography::{certificate::Scheme as _, ed25519::PublicKey};
use commonware_p2p::{Message, Receiver, Recipients, Sender};
use commonware_parallel::Sequential;
use commonware_runtime::Clock;
use commonware_utils::{
    N3f1,
    ordered::{Quorum as _, Set},
};
use rand_core::CryptoRng;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};
use tokio::sync::{Notify, mpsc, watch};

type OwnVote = Vote<Scheme, Digest>;

/// One message.
pub(crate) enum Pulse {
    Beat { term: u64 },
    Rest { term: u64 },
    Ask { term: u64 },
    Answer { term: u64, now: u64, vote: Option<OwnVote> },
}

impl Write for Pulse {
    fn write(&self, buf: &mut impl BufMut) {
        match self {
            Self::Beat { term } => {
                0u8.write(buf);
                UInt(*term).write(buf);
            }
            Self::Ask { term } => {
                1u8.write(buf);
                UInt(*term).write(buf);
            }
            Self::Rest { term } => {
                3u8.write(buf);
                UInt(*term).write(buf);
            }
            Self::Answer { term, now, vote } => {
                2u8.write(buf);
                UInt(*term).write(buf);
                UInt(*now).write(buf);
                vote.write(buf);
            }
        }
    }
}

impl EncodeSize for Pulse {
    fn encode_size(&self) -> usize {
        1 + match self {
            Self::Beat { term } | Self::Rest { term } | Self::Ask { term } => {
                UInt(*term).encode_size()
            }
            Self::Answer { term, now, vote } => {
                UInt(*term).encode_size() + UInt(*now).encode_size() + vote.encode_size()
            }
        }
    }
}

impl Read for Pulse {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, (): &()) -> Result<Self, CodecError> {
        let kind = u8::read(buf)?;
        let term = UInt::read(buf)?.into();
        match kind {
            0 => Ok(Self::Beat { term }),
            1 => Ok(Self::Ask { term }),
            2 => {
                let now = UInt::read(buf)?.into();
                Ok(Self::Answer { term, now, vote: Option::<OwnVote>::read(buf)? })
            }
            3 => Ok(Self::Rest { term }),
            _ => Err(CodecError::Invalid("pulse", "unknown kind")),
        }
    }
}

/// What is known about the other processes.
#[derive(Default)]
struct Known {
    /// The term that runs here, and who votes in it.
    term: u64,
    validators: Set<PublicKey>,
    heard: BTreeMap<PublicKey, Heard>,
    /// The engine of the term hears of the validators that are there.
    attending: Option<mpsc::Sender<PublicKey>>,
    /// Latest vote seen of each validator, by term.
    votes: BTreeMap<u64, BTreeMap<PublicKey, OwnVote>>,
    asking: Option<Asking>,
}

/// The last sign of life of a process.
#[derive(Clone, Copy)]
struct Heard {
    at: SystemTime,
    votes: bool,
}

struct Asking {
    since: SystemTime,
    answers: BTreeMap<PublicKey, (u64, Option<OwnVote>)>,
}

/// What the answers to a question amount to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recall {
    /// Too few have answered.
    Open,
    /// Nobody has seen a vote that we do not know of.
    Clean,
    /// The others are in a later term: a vote would come too late.
    Over,
    /// We have voted in this view and do not know it.
    Forgotten(View),
}

/// Shared by the task that talks, the engine that reports votes, and the orchestrator that asks.
#[derive(Clone, Default)]
pub(crate) struct Pulses {
    known: Arc<Mutex<Known>>,
    /// Something was answered, or a second has passed.
    news: Arc<Notify>,
    /// There is a question to send.
    question: Arc<Notify>,
}

impl Pulses {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A term begins.
    pub(crate) fn begin(&self, term: u64, validators: Set<PublicKey>) {
        let mut known = self.known();
        known.term = term;
        known.validators = validators;
        known.asking = None;
        known.attending = None;
        known.votes.retain(|old, _| old.saturating_add(limits::KEPT_TERMS) > term);
    }

    /// Asks the validators of the term that has begun.
    pub(crate) fn ask(&self, now: SystemTime) {
        self.known().asking = Some(Asking { since: now, answers: BTreeMap::new() });
        self.question.notify_one();
    }

    /// Yields each validator that is there and votes, and those that come (back), until the term
    /// ends.
    pub(crate) fn attend(&self) -> mpsc::Receiver<PublicKey> {
        let (sender, receiver) = mpsc::channel(limits::PRESENCE_MESSAGES);
        let mut known = self.known();
        for (key, _) in known.heard.iter().filter(|(_, heard)| heard.votes) {
            if known.validators.position(key).is_some() {
                // There is room for all validators.
                let _ = sender.try_send(key.clone());
            }
        }
        known.attending = Some(sender);
        receiver
    }

    /// Waits for answers.
    pub(crate) async fn news(&self) {
        self.news.notified().await;
    }

    /// What the answers say to one who remembers these votes.
    ///
    /// A quorum less one (ourselves) of the others must have answered: without them nothing can
    /// be decided anyway. The rest has a moment to answer, too.
    pub(crate) fn recall(
        &self,
        rng: &mut impl CryptoRng,
        scheme: &Scheme,
        me: &PublicKey,
        voted: &Voted,
        now: SystemTime,
    ) -> Recall {
        let mut known = self.known();
        let quorum = known.validators.quorum::<N3f1>() as usize;
        let faults = known.validators.max_faults::<N3f1>() as usize;
        let (others, term) = (known.validators.len().saturating_sub(1), known.term);
        let Some(asking) = &known.asking else { return Recall::Clean };
        let Some(me) = scheme.participants().position(me) else { return Recall::Clean };
        let forgotten = asking.answers.values().filter_map(|(_, vote)| vote.as_ref());
        let forgotten = forgotten
            .filter(|vote| vote.epoch().get() == term && voted.has_forgotten(vote))
            .filter(|vote| is_of(vote, me) && is_signed(rng, scheme, vote))
            .map(|vote| vote.view())
            .max();
        let later = asking.answers.values().filter(|(now, _)| *now > term).count();
        let count = asking.answers.len();
        let hurry = now.duration_since(asking.since).unwrap_or_default() < defaults::RECALL_GRACE;
        let recall = match forgotten {
            Some(view) => Recall::Forgotten(view),
            None if later > faults => Recall::Over,
            None if count + 1 < quorum || (count < others && hurry) => Recall::Open,
            None => Recall::Clean,
        };
        if recall != Recall::Open {
            known.asking = None;
        }
        recall
    }

    fn remember(&self, vote: OwnVote) {
        let mut known = self.known();
        let term = vote.epoch().get();
        if term != known.term {
            return;
        }
        let index = usize::from(vote_signer(&vote));
        let Some(signer) = known.validators.get(index).cloned() else { return };
        let votes = known.votes.entry(term).or_default();
        if votes.get(&signer).is_none_or(|older| older.view() <= vote.view()) {
            votes.insert(signer, vote);
        }
    }

    /// Talks until the network is gone.
    pub(crate) async fn run<E, S, R>(
        self,
        context: E,
        me: PublicKey,
        status: Arc<watch::Sender<Status>>,
        (mut sender, mut receiver): (S, R),
    ) where
        E: Clock,
        S: Sender<PublicKey = PublicKey>,
        R: Receiver<PublicKey = PublicKey>,
    {
        let mut beat = context.current();
        loop {
            tokio::select! {
                biased;
                () = context.sleep_until(beat) => {
                    beat = context.current() + defaults::BEAT_INTERVAL;
                    self.count(&me, context.current(), &status);
                    self.say(Recipients::All, &status, &mut sender);
                    self.news.notify_one();
                }
                message = receiver.recv() => match message {
                    Ok(message) => {
                        let from = message.0.clone();
                        if self.answer(context.current(), message, &mut sender) {
                            self.say(Recipients::One(from), &status, &mut sender);
                        }
                    }
                    Err(_) => return,
                },
                () = self.question.notified() => self.say(Recipients::All, &status, &mut sender),
            }
        }
    }

    fn say(
        &self,
        to: Recipients<PublicKey>,
        status: &watch::Sender<Status>,
        sender: &mut impl Sender<PublicKey = PublicKey>,
    ) {
        let role = status.borrow().role;
        let known = self.known();
        let pulse = match (&known.asking, role) {
            (Some(_), _) => Pulse::Ask { term: known.term },
            (None, Role::Asking | Role::Validator) => Pulse::Beat { term: known.term },
            (None, Role::Follower | Role::Silent) => Pulse::Rest { term: known.term },
        };
        drop(known);
        sender.send(to, pulse.encode(), false);
    }

    /// Takes a message; true if its sender was not there before and should hear of us.
    fn answer(
        &self,
        now: SystemTime,
        (from, bytes): Message<PublicKey>,
        sender: &mut impl Sender<PublicKey = PublicKey>,
    ) -> bool {
        let Ok(pulse) = Pulse::decode_cfg(bytes, &()) else { return false };
        let mut known = self.known();
        let before = known.heard.get(&from).copied();
        let votes = match pulse {
            Pulse::Beat { .. } | Pulse::Ask { .. } => true,
            Pulse::Rest { .. } => false,
            Pulse::Answer { .. } => before.is_some_and(|before| before.votes),
        };
        known.heard.insert(from.clone(), Heard { at: now, votes });
        if votes
            && before.is_none_or(|before| !before.votes)
            && known.validators.position(&from).is_some()
            && let Some(attending) = &known.attending
        {
            // Full: the engine reads nothing, and is not helped by more.
            let _ = attending.try_send(from.clone());
        }
        match pulse {
            Pulse::Beat { .. } | Pulse::Rest { .. } => {}
            Pulse::Ask { term } => {
                let vote = known.votes.get(&term).and_then(|votes| votes.get(&from)).cloned();
                let answer = Pulse::Answer { term, now: known.term, vote };
                drop(known);
                sender.send(Recipients::One(from), answer.encode(), false);
            }
            Pulse::Answer { term, now, vote } => {
                let validator = known.validators.position(&from).is_some();
                if term == known.term
                    && validator
                    && let Some(asking) = &mut known.asking
                {
                    asking.answers.insert(from, (now, vote));
                    self.news.notify_one();
                }
            }
        }
        before.is_none()
    }

    /// Counts the validators that can be reached.
    fn count(&self, me: &PublicKey, now: SystemTime, status: &watch::Sender<Status>) {
        let mut known = self.known();
        known.heard.retain(|_, heard| {
            now.duration_since(heard.at).is_ok_and(|silence| silence < defaults::SILENCE)
        });
        let reachable = known.validators.iter();
        let reachable = reachable.filter(|key| *key == me || known.heard.contains_key(*key));
        let reachable = u32::try_from(reachable.count()).unwrap_or(u32::MAX);
        let quorum = match known.validators.len() {
            0 => 0,
            _ => known.validators.quorum::<N3f1>(),
        };
        status.send_if_modified(|status| {
            let before = (status.reachable, status.quorum);
            (status.reachable, status.quorum) = (reachable, quorum);
            if before.0 >= before.1 && reachable < quorum {
                tracing::warn!(
                    reachable,
                    quorum,
                    "too few validators can be reached: the chain stands still, or goes on without \
                     this one. If the others run, look at the network and at the clock: peers \
                     refuse one that is wrong by more than 5 s"
                );
            } else if before.0 < before.1 && reachable >= quorum {
                tracing::info!(reachable, quorum, "enough validators can be reached");
            }
            before != (reachable, quorum)
        });
    }
}

fn vote_signer(vote: &OwnVote) -> commonware_utils::Participant {
    match vote {
        Vote::Notarize(vote) => vote.signer(),
        Vote::Nullify(vote) => vote.signer(),
        Vote::Finalize(vote) => vote.signer(),
    }
}

fn is_of(vote: &OwnVote, index: usize) -> bool {
    usize::from(vote_signer(vote)) == index
}

fn is_signed(rng: &mut impl CryptoRng, scheme: &Scheme, vote: &OwnVote) -> bool {
    match vote {
        Vote::Notarize(vote) => vote.verify(rng, scheme, &Sequential),
        Vote::Nullify(vote) => vote.verify::<_, Digest>(rng, scheme, &Sequential),
        Vote::Finalize(vote) => vote.verify(rng, scheme, &Sequential),
    }
}

/// Reports to marshal, and remembers who voted, and who voted twice.
#[derive(Clone)]
pub(crate) struct Watcher<A> {
    pub(crate) inner: A,
    pub(crate) pulses: Pulses,
    pub(crate) scheme: Scheme,
    pub(crate) evidence: Evidence,
}

impl<A: Reporter<Activity = Activity<Scheme, Digest>>> Reporter for Watcher<A> {
    type Activity = A::Activity;

    fn report(&mut self, activity: Self::Activity) -> commonware_actor::Feedback {
        match &activity {
            Activity::Notarize(vote) => self.pulses.remember(Vote::Notarize(vote.clone())),
            Activity::Nullify(vote) => self.pulses.remember(Vote::Nullify(vote.clone())),
            Activity::Finalize(vote) => self.pulses.remember(Vote::Finalize(vote.clone())),
            Activity::ConflictingNotarize(_)
            | Activity::ConflictingFinalize(_)
            | Activity::NullifyFinalize(_) => {
                match evidence::contradiction(&self.scheme, &activity) {
                    Some(contradiction) => {
                        let validator = contradiction.validator.map(|byte| format!("{byte:02x}"));
                        let (validator, view) = (validator.concat(), contradiction.view);
                        tracing::warn!(%validator, view, "a validator has contradicted itself");
                        self.evidence.keep(contradiction);
                    }
                    None => tracing::debug!("a contradiction that is not signed by its validator"),
                }
            }
            _ => {}
        }
        self.inner.report(activity)
    }
}
