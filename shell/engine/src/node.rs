//! One process of the chain put together: marshal, consensus by terms, application, over any
//! runtime and network.
//!
//! Generic over the runtime's context and the network, so that production and simulation run
//! the same code. Nothing generic leaves the crate.

use crate::{
    adapter::{Adapter, Ledger, Marshal, Pacing},
    anchor::{Anchor, Archives},
    block::Block,
    delivery::{self, Alone, Status},
    error::{Error, Result},
    evidence::Evidence,
    journal::Silence,
    limits,
    orchestrator::{Orchestrator, Roster, members},
    pulse::Pulses,
    rejoin::{Rejoin, Start},
    term::{Members, Schemes, Seat, Terms},
    timing::Timing,
    wiring::{self, Common, Links},
};
use commonware_broadcast::buffered;
use commonware_consensus::{
    marshal::{
        Start as MarshalStart, core::Actor as MarshalActor, resolver::p2p as backfill,
        standard::Deferred,
    },
    simplex::scheme::ed25519::Scheme,
};
use commonware_cryptography::{
    Digested, Digestible as _, Signer as _,
    certificate::Verifier as _,
    ed25519::{PrivateKey, PublicKey},
};
use commonware_p2p::{Blocker, Provider, Receiver, Sender};
use commonware_runtime::{Clock, Handle, Metrics, Spawner, Storage, buffer::paged::CacheRef};
use rand_core::CryptoRng;
use std::{num::NonZeroU64, sync::Arc};
use tokio::sync::{mpsc, watch};

/// What one process is made of.
pub(crate) struct Setup<B, P, T> {
    pub(crate) namespace: Vec<u8>,
    pub(crate) key: PrivateKey,
    pub(crate) terms: Terms,
    /// Prefix of everything in storage; empty parts of one storage must differ in it.
    pub(crate) partition: String,
    pub(crate) timing: Timing,
    pub(crate) retain: NonZeroU64,
    pub(crate) ledger: Ledger,
    pub(crate) status: Arc<watch::Sender<Status>>,
    pub(crate) blocker: B,
    pub(crate) peers: P,
    pub(crate) roster: T,
    pub(crate) start: Start,
    pub(crate) rejoin: Rejoin,
    /// How wrong the clock is, where it can be: in simulations.
    pub(crate) clock_error_ms: i64,
    /// Where proofs against validators are kept.
    pub(crate) evidence: Evidence,
}

/// A running process.
pub(crate) struct Node {
    pub(crate) marshal: Marshal,
    tasks: [(&'static str, Handle<()>); 4],
}

impl Node {
    /// Waits for a failure: reported through `failed`, or a part of the engine that ends, which
    /// none does by itself.
    pub(crate) async fn failed(self, failed: &mut mpsc::Receiver<Error>) -> Error {
        let [(a, first), (b, second), (c, third), (d, fourth)] = self.tasks;
        let part = tokio::select! {
            biased;
            Some(error) = failed.recv() => return error,
            _ = first => a,
            _ = second => b,
            _ = third => c,
            _ = fourth => d,
        };
        // The report tells the cause, the ended part only the effect.
        failed.try_recv().unwrap_or(Error::Stopped { part })
    }
}

/// Starts one process on a network that is already running.
///
/// # Errors
/// [`Error::NoCommittee`] and [`Error::Validators`] if the application names no usable one,
/// [`Error::PayloadTooLarge`] for its genesis, those of a certificate for a start that is not
/// proven, [`Error::Archive`] if the archives cannot be
/// opened. Other damage to storage panics, in the engine's way; [`crate::service`] reports that
/// as [`Error::Panicked`].
pub(crate) async fn start<E, S, R, B, P, T>(
    context: E,
    setup: Setup<B, P, T>,
    links: Links<S, R>,
) -> Result<Node>
where
    E: Clock + CryptoRng + Spawner + Storage + Metrics,
    S: Sender<PublicKey = PublicKey>,
    R: Receiver<PublicKey = PublicKey>,
    B: Blocker<PublicKey = PublicKey>,
    P: Provider<PublicKey = PublicKey>,
    T: Roster,
{
    let Setup { namespace, key, terms, partition, timing, retain, ledger, status, .. } = setup;
    let me = key.public_key();
    let genesis = Block::genesis(&namespace, ledger.genesis())?;
    let genesis_digest = genesis.digest();
    let pages = CacheRef::new(limits::PAGE_BYTES, limits::CACHED_PAGES);
    let schemes = Schemes::default();
    let present = known_terms(&context, &ledger, terms).await?;
    for (term, members) in &present {
        schemes.insert(*term, Seat::new(&namespace, members, &key).scheme().clone());
    }
    let alone = match present.last() {
        Some((_, last)) if last.validators.len() == 1 && last.validators.contains_key(&me) => {
            Alone::Yes
        }
        _ => Alone::No,
    };

    let (buffer_engine, buffer) =
        buffered::Engine::new(context.child("broadcast"), wiring::buffer_config(&me, &setup.peers));
    let resolver = backfill::init(
        context.child("backfill"),
        wiring::backfill_config(&me, &setup.peers, &setup.blocker),
        links.backfill,
    );
    let bounds = Scheme::certificate_codec_config_unbounded();
    let certificates =
        wiring::archive(&context, "certificates", &partition, &pages, bounds).await?;
    let blocks = wiring::archive(&context, "blocks", &partition, &pages, ()).await?;
    let silence = Silence { partition: format!("{partition}-silent") };
    let pulses = Pulses::default();
    let mut archives = Archives { certificates, blocks };
    let applied = ledger.call(&context, |app| app.applied().height).await;
    archives.check(&partition, applied.ok_or(Error::Stopped { part: "start" })?).await?;
    let start = match &setup.start {
        Start::Genesis => MarshalStart::Genesis(Digested::precomputed(genesis, genesis_digest)),
        Start::At { block, certificate } => {
            let anchor = Anchor::check(&namespace, &present, block, certificate)?;
            if archives.is_empty() && alone == Alone::No && setup.rejoin == Rejoin::Safe {
                // Before anything else is kept: were we killed now, the archives would no
                // longer tell that the votes are lost.
                let next = present.last().map_or(0, |(term, _)| *term);
                silence.keep(&context, next).await;
            }
            archives = archives.install(&anchor).await?;
            MarshalStart::Floor(anchor.finalization)
        }
    };
    let Archives { certificates, blocks } = archives;
    let (marshal_actor, marshal, _) = MarshalActor::init(
        context.child("marshal"),
        certificates,
        blocks,
        wiring::marshal_config(schemes.clone(), terms, start, &partition, &pages),
    )
    .await;

    let pacing =
        Pacing { idle_interval: timing.idle_interval, clock_error_ms: setup.clock_error_ms };
    let (inbox, mut delivery) =
        delivery::channel(ledger.clone(), marshal.clone(), Arc::clone(&status), retain);
    let automaton = Deferred::new(
        context.child("application"),
        Adapter::new(ledger.clone(), marshal.clone(), pacing),
        marshal.clone(),
        terms.epocher(),
    );
    buffer_engine.start(links.broadcast);
    let marshalling = marshal_actor.start(inbox, buffer, resolver);
    delivery.reconcile(&context, alone).await?;
    let delivering = context.child("delivery").spawn(move |context| delivery.run(context));
    let orchestrator = Orchestrator {
        namespace,
        key,
        terms,
        schemes,
        ledger,
        marshal: marshal.clone(),
        automaton,
        status: Arc::clone(&status),
        roster: setup.roster,
        pulses: pulses.clone(),
        evidence: setup.evidence,
        silence,
        rejoin: setup.rejoin,
        common: Common { partition, pages, timing, blocker: setup.blocker },
    };
    let talking =
        context.child("pulse").spawn(move |context| pulses.run(context, me, status, links.pulse));
    let channels = [links.votes, links.certificates, links.resolver];
    let deciding = context.child("terms").spawn(move |context| orchestrator.run(context, channels));
    Ok(Node {
        marshal,
        tasks: [
            ("delivery", delivering),
            ("marshal", marshalling),
            ("consensus", deciding),
            ("network", talking),
        ],
    })
}

/// The committees of the terms of the last applied block and of the next one: whatever arrives
/// first can be checked with them.
pub(crate) async fn known_terms<E: Spawner>(
    context: &E,
    ledger: &Ledger,
    terms: Terms,
) -> Result<Vec<(u64, Members)>> {
    let applied = ledger.call(context, |app| app.applied()).await;
    let applied = applied.ok_or(Error::Stopped { part: "start" })?.height;
    let mut known = Vec::new();
    let (last, next) = (terms.of(applied), terms.of(applied.saturating_add(1)));
    for term in last..=next {
        let members = members(context, ledger, term).await;
        known.push((term, members.ok_or(Error::Stopped { part: "start" })??));
    }
    Ok(known)
}
