//! Votes for two blocks in every view, one before each half of the others.

use super::{Heard, Voice};
use crate::block::Digest;
use commonware_consensus::{
    Viewable as _,
    simplex::types::{Finalize, Notarize, Nullify, Proposal, Vote},
};
use commonware_cryptography::{Hasher as _, blake3::Blake3, ed25519::PublicKey};
use commonware_p2p::{Receiver, Sender};
use commonware_runtime::deterministic::Context;
use rand_core::Rng as _;

pub(super) async fn run<S, R>(mut context: Context, mut voice: Voice<S, R>)
where
    S: Sender<PublicKey = PublicKey>,
    R: Receiver<PublicKey = PublicKey>,
{
    let (scheme, others) = (voice.scheme(), voice.others());
    let mut newest = None;
    while let Some(Heard { term, vote }) = voice.hear().await {
        let Vote::Notarize(vote) = vote else { continue };
        if newest.is_some_and(|newest| vote.view() <= newest) {
            continue;
        }
        newest = Some(vote.view());
        let honest = vote.proposal.clone();
        let noise = context.next_u64().to_be_bytes();
        let other: Digest = Blake3::hash(&[b"no block has this name", &noise]);
        let forged = Proposal::new(honest.round, honest.parent, other);
        let (left, right) = others.split_at(others.len() / 2);
        for (to, proposal) in [(left, honest.clone()), (right, forged)] {
            let votes = [
                Notarize::sign(&scheme, proposal.clone()).map(Vote::Notarize),
                Finalize::sign(&scheme, proposal.clone()).map(Vote::Finalize),
                // Whoever finalizes a view must not give it up as well.
                Nullify::sign::<Digest>(&scheme, proposal.round).map(Vote::Nullify),
            ];
            for vote in votes.into_iter().flatten() {
                voice.say(to.to_vec(), term, &vote);
            }
        }
    }
}
