//! One engine of consensus a term, started and stopped at the boundaries.
//!
//! A term ends when its last block is final *and applied*: only then does the application know
//! the next committee. The votes of each term travel on a sub-channel of their own, because the
//! engine of one term takes the votes of another for an attack. Messages of the next term that
//! come before it has begun here are kept, so that its first proposal is not missed; they also
//! say that the boundary block is final, and who has the proof.
//!
//! Before its first vote in a term a validator asks the others whether they have seen a vote of
//! its that it does not know ([`crate::pulse`]): then its disk was wiped, or is an old copy, and
//! it stays silent until the next term.
//!
//! A process without a seat follows: it checks the certificates that validators broadcast and
//! hands them to marshal, which fetches what is missing.

use crate::{
    adapter::{Adapter, Ledger, Marshal},
    block::{Block, Digest},
    delivery::{Role, Status},
    error::{Error, Result},
    evidence::Evidence,
    journal::{self, Silence, Voted},
    lanes::{Lane, Lanes, Primed, Wires},
    limits,
    prime::{Echo, Hints},
    pulse::{Pulses, Recall, Watcher},
    rejoin::Rejoin,
    term::{Members, Schemes, Seat, Terms},
    wiring::Common,
};
use commonware_codec::Decode as _;
use commonware_consensus::{
    Epochable as _, Reporter as _, Viewable as _,
    marshal::{Identifier, standard::Deferred},
    simplex::{
        Engine, Floor,
        scheme::ed25519::Scheme,
        types::{Activity, Certificate, Finalization},
    },
    types::{FixedEpocher, Height, View},
};
use commonware_cryptography::{
    Digestible as _, Signer as _,
    certificate::Verifier as _,
    ed25519::{PrivateKey, PublicKey},
};
use commonware_p2p::{Blocker, Message, Receiver, Sender, utils::mux};
use commonware_parallel::Sequential;
use commonware_runtime::{Clock, Handle, IoBuf, Metrics, Spawner, Storage};
use commonware_utils::vec::NonEmptyVec;
use rand_core::CryptoRng;
use std::{collections::BTreeSet, future::pending, sync::Arc};
use tokio::sync::watch;

/// Tells the network whom to connect to.
pub(crate) trait Roster: Send + 'static {
    /// Replaces the peers of before. `former` are the validators of the term before, which may
    /// still lack its last block.
    ///
    /// # Errors
    /// [`Error::Room`] if the network was started for fewer validators.
    fn track(&mut self, members: &Members, former: &Members) -> Result<()>;
}

/// A committee of the application; `None` if the runtime is shutting down.
///
/// # Errors
/// [`Error::NoCommittee`], [`Error::Validators`].
pub(crate) async fn members<E: Spawner>(
    context: &E,
    ledger: &Ledger,
    term: u64,
) -> Option<Result<Members>> {
    let committee = ledger.call(context, move |app| app.committee(term)).await?;
    let committee = committee.ok_or(Error::NoCommittee { term });
    Some(committee.and_then(|committee| Members::new(&committee)))
}

type Automaton<E> = Deferred<E, Scheme, Adapter, Block, FixedEpocher>;

/// What is needed to go from term to term.
pub(crate) struct Orchestrator<E, B, T>
where
    E: Clock + CryptoRng + Spawner + Storage + Metrics,
{
    pub(crate) namespace: Vec<u8>,
    pub(crate) key: PrivateKey,
    pub(crate) terms: Terms,
    pub(crate) schemes: Schemes,
    pub(crate) ledger: Ledger,
    pub(crate) marshal: Marshal,
    pub(crate) automaton: Automaton<E>,
    pub(crate) status: Arc<watch::Sender<Status>>,
    pub(crate) roster: T,
    pub(crate) pulses: Pulses,
    pub(crate) evidence: Evidence,
    pub(crate) silence: Silence,
    pub(crate) rejoin: Rejoin,
    pub(crate) common: Common<B>,
}

/// The engine of a term; stops with this.
struct Running {
    engine: Handle<()>,
    echo: Handle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.engine.abort();
        self.echo.abort();
    }
}

/// What this process does in a term.
enum Part<S: Sender> {
    /// It waits for the others to tell what they have seen of it.
    Asks(Box<Question<S>>),
    Votes(Running),
    /// Between two parts.
    Nothing,
    Follows(Box<Following>),
}

/// What a follower needs to check certificates.
struct Following {
    certificates: Primed,
    scheme: Scheme,
    /// View of the newest certificate taken.
    newest: View,
}

/// All that is needed to vote, but the answers.
struct Question<S: Sender> {
    scheme: Scheme,
    floor: Floor<Scheme, Digest>,
    wires: Wires<S>,
    /// What we know to have voted.
    voted: Voted,
}

/// What happens to a part.
enum Happening {
    Ended,
    Certificate(Box<Message<PublicKey>>),
}

impl<S: Sender<PublicKey = PublicKey>> Part<S> {
    async fn next(&mut self) -> Happening {
        match self {
            Self::Asks(_) | Self::Nothing => pending().await,
            Self::Votes(running) => {
                // However it ended, it must not.
                let _ = (&mut running.engine).await;
                Happening::Ended
            }
            Self::Follows(following) => match following.certificates.recv().await {
                Ok(message) => Happening::Certificate(Box::new(message)),
                Err(_) => Happening::Ended,
            },
        }
    }
}

/// How a term ended for us.
enum End {
    /// Its last block is applied.
    Boundary,
    /// The engine stops or has failed.
    Stopped,
}

/// Why a sub-channel does not open: the muxer is gone, and with it the network.
type Closed = mux::Error;

impl<E, B, T> Orchestrator<E, B, T>
where
    E: Clock + CryptoRng + Spawner + Storage + Metrics,
    B: Blocker<PublicKey = PublicKey>,
    T: Roster,
{
    /// Runs until the engine stops or fails.
    pub(crate) async fn run<S, R>(mut self, mut context: E, links: [(S, R); 3])
    where
        S: Sender<PublicKey = PublicKey>,
        R: Receiver<PublicKey = PublicKey>,
    {
        let [votes, certificates, resolver] = links;
        let mut lanes = Lanes {
            votes: Lane::new(context.child("votes"), votes),
            certificates: Lane::new(context.child("certificates"), certificates),
            resolver: Lane::new(context.child("resolver"), resolver),
        };
        let mut former = None;
        let mut ahead = None;
        loop {
            let term = self.next_term();
            let members = match members(&context, &self.ledger, term).await {
                Some(Ok(members)) => members,
                Some(Err(error)) => return self.ledger.fail(error),
                None => return,
            };
            let before = former.take().unwrap_or_else(|| members.clone());
            if let Err(error) = self.roster.track(&members, &before) {
                return self.ledger.fail(error);
            }
            let Ok(part) = self.enter(&context, term, &members, &mut lanes).await else { return };
            let mut term = Term { number: term, members, former: before, part };
            if let Some((their, from)) = &ahead
                && *their > term.number
            {
                self.ask_for_boundary(term.number, PublicKey::clone(from));
            }
            match self.serve(&mut context, &mut term, &mut lanes, &mut ahead).await {
                Ok(End::Boundary) => former = Some(term.members),
                Ok(End::Stopped) => return,
                Err(error) => return self.ledger.fail(error),
            }
        }
    }

    /// The term of the first block that is not applied.
    fn next_term(&self) -> u64 {
        self.terms.of(self.status.borrow().height.saturating_add(1))
    }

    /// Begins a term.
    async fn enter<S: Sender<PublicKey = PublicKey>>(
        &mut self,
        context: &E,
        term: u64,
        members: &Members,
        lanes: &mut Lanes<S>,
    ) -> Result<Part<S>, Closed> {
        let seat = Seat::new(&self.namespace, members, &self.key);
        self.schemes.insert(term, seat.scheme().clone());
        self.pulses.begin(term, members.keys());
        let silent = self.silence.is_kept(context, term).await;
        let part = match (seat, self.floor(term).await) {
            (Seat::Taken(scheme), Some(floor)) if !silent => {
                let wires = (
                    lanes.votes.open(term).await?,
                    lanes.certificates.open(term).await?,
                    lanes.resolver.open(term).await?,
                );
                let voted = self.voted(context, term, &scheme).await;
                let question = Question { scheme, floor, wires, voted };
                if members.validators.len() == 1 || self.rejoin == Rejoin::Force {
                    self.vote(context, term, question)
                } else {
                    self.pulses.ask(context.current());
                    Part::Asks(Box::new(question))
                }
            }
            (seat, _) => {
                lanes.votes.forget_early();
                let (_, certificates) = lanes.certificates.open(term).await?;
                Self::follow(seat.scheme().clone(), certificates)
            }
        };
        let role = match part {
            Part::Asks(_) | Part::Nothing => Role::Asking,
            Part::Votes(_) => Role::Validator,
            Part::Follows(_) if silent => Role::Silent,
            Part::Follows(_) => Role::Follower,
        };
        let validators = members.validators.len();
        tracing::info!(term, ?role, validators, "a term begins");
        self.status.send_modify(|status| {
            status.term = term;
            status.role = role;
        });
        self.forget(context, term).await;
        Ok(part)
    }

    fn follow<S: Sender>(scheme: Scheme, certificates: Primed) -> Part<S> {
        Part::Follows(Box::new(Following { certificates, scheme, newest: View::zero() }))
    }

    /// Starts the engine of a term.
    fn vote<S: Sender<PublicKey = PublicKey>>(
        &mut self,
        context: &E,
        term: u64,
        question: Question<S>,
    ) -> Part<S> {
        let context = context.child("consensus").with_attribute("term", term);
        let Question { scheme, floor, wires: (votes, certificates, resolver), voted } = question;
        let reporter = Watcher {
            inner: self.automaton.clone(),
            pulses: self.pulses.clone(),
            scheme: scheme.clone(),
            evidence: self.evidence.clone(),
        };
        let (hints, own) = Hints::new(&scheme, term, self.pulses.attend());
        let echo = Echo {
            me: self.key.public_key(),
            votes: voted.last,
            others: votes.0.clone(),
            own,
            marshal: self.marshal.clone(),
        };
        let votes = (votes.0, votes.1.with_hints(hints));
        let echo = context.child("echo").spawn(move |context| echo.run(context));
        let config = self.common.consensus(term, scheme, floor, self.automaton.clone(), reporter);
        let engine = Engine::new(context, config).start(votes, certificates, resolver);
        Part::Votes(Running { engine, echo })
    }

    /// What this validator knows to have voted in a term.
    async fn voted(&mut self, context: &E, term: u64, scheme: &Scheme) -> Voted {
        let (partition, pages) = (self.common.journal(term), self.common.pages.clone());
        journal::last_votes(context.child("votes"), partition, pages, scheme).await
    }

    /// Looks at the answers of the others; the engine of the term starts if they allow it.
    async fn consider<S: Sender<PublicKey = PublicKey>>(
        &mut self,
        context: &mut E,
        term: &mut Term<S>,
    ) {
        let Part::Asks(question) = &term.part else { return };
        let (me, now) = (self.key.public_key(), context.current());
        let voted = question.voted.view.get();
        let recall = self.pulses.recall(context, &question.scheme, &me, &question.voted, now);
        if recall == Recall::Open {
            return;
        }
        let part = std::mem::replace(&mut term.part, Part::Nothing);
        let Part::Asks(question) = part else { return };
        let number = term.number;
        let role = match recall {
            Recall::Open | Recall::Clean => {
                term.part = self.vote(context, number, *question);
                Role::Validator
            }
            Recall::Over => {
                term.part = Self::follow(question.scheme, question.wires.1.1);
                Role::Follower
            }
            Recall::Forgotten(view) => {
                let view = view.get();
                tracing::error!(
                    term = number,
                    view,
                    voted,
                    "this validator has voted and does not remember: its disk was wiped or is an \
                     old copy; it stays silent until the next term"
                );
                self.silence.keep(context, number).await;
                term.part = Self::follow(question.scheme, question.wires.1.1);
                Role::Silent
            }
        };
        self.status.send_modify(|status| status.role = role);
    }

    /// What the first vote of a term builds on: the last block of the term before or, if that is
    /// not kept (any more), the newest final block of this term.
    async fn floor(&mut self, term: u64) -> Option<Floor<Scheme, Digest>> {
        let boundary = Height::new(self.terms.floor(term));
        if let Some(block) = self.marshal.get_block(boundary).await {
            return Some(Floor::Genesis(block.digest()));
        }
        let (tip, _) = self.marshal.get_info(Identifier::Latest).await?;
        let newest = self.marshal.get_finalization(tip).await?;
        (newest.epoch().get() == term).then_some(Floor::Finalized(newest))
    }

    /// Removes the votes of terms that are over for good.
    async fn forget(&mut self, context: &E, term: u64) {
        // The term before may still be asked about; a failure costs only space.
        if let Some(old) = term.checked_sub(limits::KEPT_TERMS - 1) {
            let _ = context.remove(&self.common.journal(old), None).await;
        }
    }

    /// Lives through a term.
    async fn serve<S: Sender<PublicKey = PublicKey>>(
        &mut self,
        context: &mut E,
        term: &mut Term<S>,
        lanes: &mut Lanes<S>,
        ahead: &mut Option<(u64, PublicKey)>,
    ) -> Result<End> {
        let mut status = self.status.subscribe();
        // Looks once at what came before the subscription.
        status.mark_changed();
        let last = self.terms.last(term.number);
        let mut asked = BTreeSet::new();
        loop {
            tokio::select! {
                biased;
                changed = status.changed() => {
                    if changed.is_err() {
                        return Ok(End::Stopped);
                    }
                    let height = status.borrow_and_update().height;
                    if height >= last {
                        return Ok(End::Boundary);
                    }
                    asked.clear();
                    if !self.refresh(context, term, height).await? {
                        return Ok(End::Stopped);
                    }
                }
                Some((their, message)) = lanes.votes.backup.recv() => {
                    self.meet(term.number, their, &message.0, &mut asked, ahead);
                    if their == term.number + 1 {
                        lanes.votes.keep(message);
                    }
                }
                Some((their, message)) = lanes.certificates.backup.recv() => {
                    self.meet(term.number, their, &message.0, &mut asked, ahead);
                    if their == term.number + 1 {
                        lanes.certificates.keep(message);
                    }
                }
                // Requests are repeated: what comes too early needs no keeping.
                Some(_) = lanes.resolver.backup.recv() => {}
                () = self.pulses.news() => self.consider(context, term).await,
                happening = term.part.next() => match happening {
                    Happening::Ended => return Ok(End::Stopped),
                    Happening::Certificate(message) => {
                        let (from, bytes) = *message;
                        self.check(context, term, &from, bytes);
                    }
                }
            }
        }
    }

    /// A message of a later term: its sender has the boundary block and the proof for it.
    fn meet(
        &self,
        term: u64,
        their: u64,
        from: &PublicKey,
        asked: &mut BTreeSet<PublicKey>,
        ahead: &mut Option<(u64, PublicKey)>,
    ) {
        if their <= term {
            return;
        }
        *ahead = Some((their, from.clone()));
        if asked.insert(from.clone()) {
            self.ask_for_boundary(term, from.clone());
        }
    }

    fn ask_for_boundary(&self, term: u64, from: PublicKey) {
        let boundary = Height::new(self.terms.last(term));
        self.marshal.hint_finalized(boundary, NonEmptyVec::new(from));
    }

    /// Learns of followers and addresses that changed within a term; false at the end of all.
    async fn refresh<S: Sender>(
        &mut self,
        context: &E,
        term: &mut Term<S>,
        height: u64,
    ) -> Result<bool> {
        if !height.is_multiple_of(limits::REFRESH_HEIGHTS) {
            return Ok(true);
        }
        let Some(now) = members(context, &self.ledger, term.number).await else {
            return Ok(false);
        };
        let now = now?;
        if now.keys() != term.members.keys() {
            return Err(Error::Validators { reason: "they changed within a term" });
        }
        if now != term.members {
            self.roster.track(&now, &term.former)?;
            term.members = now;
        }
        Ok(true)
    }

    /// Hands a certificate to marshal if it proves a block final.
    fn check<S: Sender>(
        &mut self,
        context: &mut E,
        term: &mut Term<S>,
        from: &PublicKey,
        bytes: IoBuf,
    ) {
        let Part::Follows(following) = &mut term.part else { return };
        let Following { scheme, newest, .. } = following.as_mut();
        let bounds = scheme.certificate_codec_config();
        let finalization = match Certificate::<Scheme, Digest>::decode_cfg(bytes, &bounds) {
            Ok(Certificate::Finalization(finalization)) => finalization,
            Ok(_) => return,
            Err(_) => return self.blame(from, "a malformed certificate"),
        };
        // Every validator sends each; one is enough.
        if finalization.view() <= *newest {
            return;
        }
        let known_term = finalization.epoch().get() == term.number;
        if !known_term || !finalization.verify(context, scheme, &Sequential) {
            return self.blame(from, "a wrong certificate");
        }
        *newest = finalization.view();
        self.take(finalization);
    }

    fn take(&mut self, finalization: Finalization<Scheme, Digest>) {
        // A marshal that is gone is noticed elsewhere.
        let _ = self.marshal.report(Activity::Finalization(finalization));
    }

    fn blame(&mut self, from: &PublicKey, what: &str) {
        commonware_p2p::block!(self.common.blocker, from.clone(), what, "a peer is cut off");
    }
}

/// A term that runs.
struct Term<S: Sender> {
    number: u64,
    members: Members,
    former: Members,
    part: Part<S>,
}
