//! What an engine of consensus is told when it starts, so that its first turns are not slow.
//!
//! * **Presence.** Simplex gives the turns of a silent leader up at once: once it has heard a quorum
//!   lately, whoever it has not heard is taken for dead. A new engine has heard nobody, so the
//!   leaders whose first vote is still on its way would lose their first turns; and since some
//!   validators have heard them and others not, such a view is neither decided nor given up before
//!   the certification timeout. So the engine hears of each validator that [`crate::pulse`] knows
//!   to be there with a vote that counts as a sign of life and for nothing else.
//! * **Echo.** Simplex sends a vote once and does not send it again after a restart, nor does it
//!   count its own votes then. A validator killed between its proposal and the end of the view would wait for
//!   a timeout, and after a kill of all, all would. So its last votes, which are on its disk, are
//!   said again, to the others and to itself, and the block they are for.

use crate::{adapter::Marshal, block::Digest, defaults, limits};
use commonware_codec::Encode as _;
use commonware_consensus::{
    Viewable as _,
    simplex::{
        scheme::ed25519::Scheme,
        types::{Nullify, Vote},
    },
    types::{Epoch, Round, View},
};
use commonware_cryptography::ed25519::PublicKey;
use commonware_p2p::{Message, Recipients, Sender, utils::mux};
use commonware_runtime::{Clock, IoBuf};
use tokio::sync::mpsc;

/// What the engine of a term hears beside the network.
#[derive(Debug)]
pub(crate) struct Hints {
    present: mpsc::Receiver<PublicKey>,
    sign_of_life: IoBuf,
    echo: mpsc::Receiver<Message<PublicKey>>,
}

impl Hints {
    /// `present` yields each validator that is there, and those that come (back).
    ///
    /// Into the second part go messages of this validator to itself.
    pub(crate) fn new(
        scheme: &Scheme,
        term: u64,
        present: mpsc::Receiver<PublicKey>,
    ) -> (Self, mpsc::Sender<Message<PublicKey>>) {
        // View 0 has no votes: the engine notes the sender's life and drops the message. It never
        // leaves this process.
        let round = Round::new(Epoch::new(term), View::zero());
        let vote = Nullify::sign::<Digest>(scheme, round).expect("who votes can sign");
        let vote = Vote::<Scheme, Digest>::Nullify(vote);
        let (sender, echo) = mpsc::channel(limits::ECHO_MESSAGES);
        (Self { present, sign_of_life: vote.encode().into(), echo }, sender)
    }

    /// The next message; never, if there is none any more.
    pub(crate) async fn next(&mut self) -> Message<PublicKey> {
        tokio::select! {
            biased;
            Some(validator) = self.present.recv() => (validator, self.sign_of_life.clone()),
            Some(message) = self.echo.recv() => message,
            else => std::future::pending().await,
        }
    }
}

/// The last votes of a validator, to be said again.
pub(crate) struct Echo<S: Sender> {
    pub(crate) me: PublicKey,
    pub(crate) votes: Vec<Vote<Scheme, Digest>>,
    pub(crate) others: mux::SubSender<S>,
    pub(crate) own: mpsc::Sender<Message<PublicKey>>,
    pub(crate) marshal: Marshal,
}

impl<S: Sender<PublicKey = PublicKey>> Echo<S> {
    /// Repeats them a few times: the engine may still be reading its journal, and the others may
    /// still be starting.
    pub(crate) async fn run<E: Clock>(mut self, context: E) {
        for delay in defaults::ECHO_DELAYS {
            if self.votes.is_empty() {
                break;
            }
            context.sleep(delay).await;
            for vote in &self.votes {
                if let Vote::Notarize(vote) = vote {
                    let (round, block) = (vote.proposal.round, vote.proposal.payload);
                    let _ = self.marshal.forward(round, block, Recipients::All);
                }
                let bytes = vote.encode();
                self.others.send(Recipients::All, bytes.clone(), true);
                // Full: the engine has stopped, or is behind; the votes come again.
                let _ = self.own.try_send((self.me.clone(), bytes.into()));
            }
        }
        // The channel to the engine stays open as long as the engine runs.
        std::future::pending::<()>().await;
    }
}

/// Whether a vote is among the last: of the last view, or the one before, which may be undecided.
pub(crate) fn is_late(vote: &Vote<Scheme, Digest>, last: View) -> bool {
    vote.view().next() >= last
}
