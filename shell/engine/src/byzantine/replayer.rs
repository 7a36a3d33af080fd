//! Repeats the votes of others as its own message, and signs anew what was decided long ago.

use super::{Heard, Voice};
use commonware_consensus::simplex::types::{Finalize, Notarize, Vote};
use commonware_cryptography::ed25519::PublicKey;
use commonware_p2p::{Receiver, Sender};
use std::collections::VecDeque;

/// Votes between a view and its repetition.
const DELAY: usize = 40;

pub(super) async fn run<S, R>(mut voice: Voice<S, R>)
where
    S: Sender<PublicKey = PublicKey>,
    R: Receiver<PublicKey = PublicKey>,
{
    let (scheme, others) = (voice.scheme(), voice.others());
    let mut past = VecDeque::new();
    while let Some(Heard { term, vote }) = voice.hear().await {
        past.push_back((term, vote));
        if past.len() < DELAY {
            continue;
        }
        let Some((term, vote)) = past.pop_front() else { continue };
        if let Vote::Notarize(old) = &vote {
            let votes = [
                Notarize::sign(&scheme, old.proposal.clone()).map(Vote::Notarize),
                Finalize::sign(&scheme, old.proposal.clone()).map(Vote::Finalize),
            ];
            for vote in votes.into_iter().flatten() {
                voice.say(others.clone(), term, &vote);
            }
        }
        // Only one of them: whoever repeats another's vote as its own is cut off for it.
        voice.say(others[..1].to_vec(), term, &vote);
    }
}
