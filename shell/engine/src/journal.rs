//! What a validator knows about its own votes.

use crate::{block::Digest, limits, prime};
use commonware_consensus::{
    Viewable as _,
    simplex::{
        scheme::ed25519::Scheme,
        types::{Artifact, Vote},
    },
    types::View,
};
use commonware_cryptography::certificate::Verifier as _;
use commonware_runtime::{
    Blob as _, Clock, Metrics, ReadOptions, Spawner, Storage, buffer::paged::CacheRef,
};
use commonware_storage::journal::segmented::variable::{Config, Journal};

/// The last votes of this validator in a term, as far as its disk knows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Voted {
    pub(crate) view: View,
    notarize: bool,
    nullify: bool,
    finalize: bool,
    /// Those of the last two views.
    pub(crate) last: Vec<Vote<Scheme, Digest>>,
}

impl Voted {
    /// Whether this vote of ours is news to us.
    pub(crate) fn has_forgotten(&self, vote: &Vote<Scheme, Digest>) -> bool {
        let known = match vote {
            Vote::Notarize(_) => self.notarize,
            Vote::Nullify(_) => self.nullify,
            Vote::Finalize(_) => self.finalize,
        };
        vote.view() > self.view || (vote.view() == self.view && !known)
    }

    fn note(&mut self, artifact: &Artifact<Scheme, Digest>) {
        let view = artifact.view();
        // Certificates are in the journal, too, but they are no votes of ours.
        let kinds = match artifact {
            Artifact::Notarize(_) => (true, false, false),
            Artifact::Nullify(_) => (false, true, false),
            Artifact::Finalize(_) => (false, false, true),
            _ => return,
        };
        if view.next() >= self.view {
            self.last.extend(vote(artifact));
        }
        if view < self.view {
            return;
        }
        if view > self.view {
            let last = std::mem::take(&mut self.last);
            *self = Self { view, last, ..Self::default() };
            self.last.retain(|vote| prime::is_late(vote, view));
        }
        self.notarize |= kinds.0;
        self.nullify |= kinds.1;
        self.finalize |= kinds.2;
    }
}

fn vote(artifact: &Artifact<Scheme, Digest>) -> Option<Vote<Scheme, Digest>> {
    match artifact {
        Artifact::Notarize(vote) => Some(Vote::Notarize(vote.clone())),
        Artifact::Nullify(vote) => Some(Vote::Nullify(vote.clone())),
        Artifact::Finalize(vote) => Some(Vote::Finalize(vote.clone())),
        _ => None,
    }
}

/// The last votes of this validator in a term.
///
/// Reads the engine's journal before the engine does; a damaged one panics here as it would there.
pub(crate) async fn last_votes<E: Clock + Spawner + Storage + Metrics>(
    context: E,
    partition: String,
    page_cache: CacheRef,
    scheme: &Scheme,
) -> Voted {
    let config = Config {
        partition,
        compression: None,
        codec_config: scheme.certificate_codec_config(),
        page_cache,
        write_buffer: limits::JOURNAL_BUFFER_BYTES,
    };
    let journal = Journal::<_, Artifact<Scheme, Digest>>::init(context, config)
        .await
        .expect("the journal of votes opens");
    let buffer = limits::JOURNAL_BUFFER_BYTES;
    let mut replay = journal
        .replay(0, 0, buffer, ReadOptions::DONT_CACHE)
        .await
        .expect("the journal of votes can be read");
    let mut voted = Voted::default();
    while let Some(item) = replay.next().await {
        let (_, _, _, artifact) = item.expect("the journal of votes can be read");
        voted.note(&artifact);
    }
    voted
}

/// Terms in which this validator must not vote, whatever happens.
#[derive(Clone, Debug)]
pub(crate) struct Silence {
    /// Where it is written down.
    pub(crate) partition: String,
}

impl Silence {
    /// Whether the term is one of them.
    pub(crate) async fn is_kept<E: Storage>(&self, context: &E, term: u64) -> bool {
        let names = context.scan(&self.partition).await.unwrap_or_default();
        names.iter().any(|name| name.as_slice() == term.to_be_bytes())
    }

    /// Makes it one of them.
    pub(crate) async fn keep<E: Storage>(&self, context: &E, term: u64) {
        // The name says all.
        let kept = async {
            let (blob, _) = context.open(&self.partition, &term.to_be_bytes()).await?;
            blob.sync().await
        };
        if let Err(error) = kept.await {
            tracing::error!(%error, term, "cannot write down that this term is not ours");
        }
    }
}
