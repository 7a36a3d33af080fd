//! The channels of consensus, cut into terms.
//!
//! The votes of each term travel on a sub-channel of their own. What comes for the next term before
//! it has begun here is kept.

use crate::{limits::EARLY_MESSAGES, prime::Hints};
use commonware_cryptography::ed25519::PublicKey;
use commonware_p2p::{
    Message, Receiver, Sender,
    utils::mux::{self, Builder as _, MuxHandle, Muxer, SubReceiver},
};
use commonware_runtime::Spawner;
use std::{collections::VecDeque, future::pending, num::NonZeroUsize};

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
    pub(crate) early: VecDeque<Message<PublicKey>>,
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
        Self { mux, backup, early: VecDeque::new() }
    }

    pub(crate) fn keep(&mut self, message: Message<PublicKey>) {
        // The oldest matter most: the first proposal is among them.
        if self.early.len() < EARLY_MESSAGES {
            self.early.push_back(message);
        }
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
        Ok((sender, Primed { hints: None, early: std::mem::take(&mut self.early), late }))
    }
}

/// The channels of one engine of consensus: votes, certificates, resolver.
pub(crate) type Wires<S> =
    ((mux::SubSender<S>, Primed), (mux::SubSender<S>, Primed), (mux::SubSender<S>, Primed));
