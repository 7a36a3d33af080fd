//! The channels of consensus, cut into terms.
//!
//! The votes of each term travel on a sub-channel of their own. What comes for the next term before
//! it has begun here is kept.

use crate::{
    limits::{EARLY_BYTES, EARLY_MESSAGE_BYTES},
    prime::Hints,
};
use commonware_cryptography::ed25519::PublicKey;
use commonware_p2p::{
    Message, Receiver, Sender,
    utils::mux::{self, Builder as _, MuxHandle, Muxer, SubReceiver},
};
use commonware_runtime::Spawner;
use std::{
    collections::{BTreeMap, VecDeque},
    future::pending,
    num::NonZeroUsize,
};

type Backup = tokio::sync::mpsc::Receiver<(u64, Message<PublicKey>)>;

/// The muxed channels.
pub(crate) struct Lanes<S: Sender> {
    pub(crate) votes: Lane<S>,
    pub(crate) certificates: Lane<S>,
    pub(crate) resolver: Lane<S>,
}

/// A channel with what came for the next term before its time.
pub(crate) struct Lane<S: Sender> {
    mux: MuxHandle<S>,
    pub(crate) backup: Backup,
    early: Early,
}

/// What came before its term, from whoever may connect: a few small messages of each, so that
/// nobody fills the memory or takes the place of another's.
#[derive(Debug, Default)]
struct Early {
    messages: VecDeque<Message<PublicKey>>,
    /// Bytes of each peer.
    kept: BTreeMap<PublicKey, usize>,
}

impl Early {
    fn keep(&mut self, message: Message<PublicKey>) {
        let kept = self.kept.entry(message.0.clone()).or_default();
        let bytes = *kept + message.1.len().max(EARLY_MESSAGE_BYTES);
        // The oldest matter most: the first proposal is among them.
        if bytes <= EARLY_BYTES {
            *kept = bytes;
            self.messages.push_back(message);
        }
    }
}

/// First what is known here, then what came early, then what comes.
#[derive(Debug)]
pub(crate) struct Primed {
    hints: Option<Hints>,
    early: VecDeque<Message<PublicKey>>,
    late: SubReceiver<PublicKey>,
}

impl Primed {
    /// Adds what is known here.
    pub(crate) fn with_hints(self, hints: Hints) -> Self {
        Self { hints: Some(hints), ..self }
    }
}

impl Receiver for Primed {
    type Error = mux::Error;
    type PublicKey = PublicKey;

    async fn recv(&mut self) -> Result<Message<PublicKey>, mux::Error> {
        let Self { hints, early, late } = self;
        let hint = async {
            match hints {
                Some(hints) => hints.next().await,
                None => pending().await,
            }
        };
        let message = async {
            match early.pop_front() {
                Some(message) => Ok(message),
                None => late.recv().await,
            }
        };
        tokio::select! {
            biased;
            hint = hint => Ok(hint),
            message = message => message,
        }
    }

    fn capacity(&self) -> NonZeroUsize {
        self.late.capacity()
    }
}

impl<S: Sender<PublicKey = PublicKey>> Lane<S> {
    pub(crate) fn new<E: Spawner, R: Receiver<PublicKey = PublicKey>>(
        context: E,
        link: (S, R),
    ) -> Self {
        let (muxer, mux, backup) = Muxer::builder(context, link.0, link.1).with_backup().build();
        muxer.start();
        Self { mux, backup, early: Early::default() }
    }

    pub(crate) fn keep(&mut self, message: Message<PublicKey>) {
        self.early.keep(message);
    }

    /// Forgets what came early.
    pub(crate) fn forget_early(&mut self) {
        self.early = Early::default();
    }

    /// Opens the sub-channel of a term, with what came early for it.
    pub(crate) async fn open(
        &mut self,
        term: u64,
    ) -> Result<(mux::SubSender<S>, Primed), mux::Error> {
        let (sender, late) = self.mux.register(term).await?;
        while let Ok((their, message)) = self.backup.try_recv() {
            if their == term {
                self.keep(message);
            }
        }
        let early = std::mem::take(&mut self.early).messages;
        Ok((sender, Primed { hints: None, early, late }))
    }
}

/// The channels of one engine of consensus: votes, certificates, resolver.
pub(crate) type Wires<S> =
    ((mux::SubSender<S>, Primed), (mux::SubSender<S>, Primed), (mux::SubSender<S>, Primed));

#[cfg(test)]
mod tests {
    use super::*;
    use commonware_cryptography::{Signer as _, ed25519::PrivateKey};
    use commonware_runtime::IoBuf;

    fn peer(seed: u64) -> PublicKey {
        PrivateKey::from_seed(seed).public_key()
    }

    fn message(from: u64, bytes: usize) -> Message<PublicKey> {
        (peer(from), IoBuf::from(vec![7; bytes]))
    }

    #[test]
    fn one_peer_takes_no_place_of_another_and_little_memory() {
        let mut early = Early::default();
        for _ in 0..10_000 {
            early.keep(message(1, 0));
            early.keep(message(2, EARLY_BYTES + 1));
            early.keep(message(3, EARLY_BYTES / 4));
        }
        early.keep(message(4, 300));
        let kept = |from| early.messages.iter().filter(|(key, _)| *key == peer(from)).count();
        assert_eq!([1, 2, 3, 4].map(kept), [EARLY_BYTES / EARLY_MESSAGE_BYTES, 0, 4, 1]);
    }
}
