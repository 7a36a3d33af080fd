//! Validators that do not follow the protocol, by name, for simulations.
//!
//! | actor | does |
//! |---|---|
//! | [`Actor::Equivocator`] | signs two votes for different blocks in the same view, each for half of the others |
//! | [`Actor::Withholder`] | votes, but shows its blocks to nobody |
//! | [`Actor::Mute`] | follows and serves, but never votes |
//! | [`Actor::Replayer`] | signs votes for views long decided, and repeats what others signed |
//! | [`InvalidProposer`] | proposes blocks whose state root is wrong; an application, not an actor |
//!
//! The first two run the honest engine with a part of its voice taken away; the equivocator and
//! the replayer are small actors of their own.

mod equivocator;
mod invalid;
mod replayer;
mod withholder;

pub use invalid::InvalidProposer;
pub(crate) use withholder::deaf_channel;

use crate::{block::Digest, term::committee};
use commonware_codec::{Copying, Decode as _, Encode as _, ReadExt as _, varint::UInt};
use commonware_consensus::simplex::{scheme::ed25519::Scheme, types::Vote};
use commonware_cryptography::{
    Signer as _,
    ed25519::{PrivateKey, PublicKey},
};
use commonware_p2p::{Receiver, Recipients, Sender};
use commonware_runtime::deterministic::Context;

/// What a process of a simulation is instead of honest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// Signs conflicting votes.
    Equivocator,
    /// Keeps its blocks to itself.
    Withholder,
    /// Never votes.
    Mute,
    /// Lives in the past.
    Replayer,
}

/// The voice of an actor of its own: all votes it hears, and any it wants to sign.
pub(crate) struct Voice<S, R> {
    sender: S,
    receiver: R,
    namespace: Vec<u8>,
    key: PrivateKey,
    /// All processes; term 0's validators.
    all: Vec<PublicKey>,
}

/// A vote as it travels: its term, and the bytes behind.
struct Heard {
    term: u64,
    vote: Vote<Scheme, Digest>,
}

impl<S, R> Voice<S, R>
where
    S: Sender<PublicKey = PublicKey>,
    R: Receiver<PublicKey = PublicKey>,
{
    fn scheme(&self) -> Scheme {
        let committee = committee(self.all.clone()).expect("the processes of a simulation differ");
        Scheme::signer(&self.namespace, committee, self.key.clone()).expect("it is one of them")
    }

    fn others(&self) -> Vec<PublicKey> {
        let me = self.key.public_key();
        self.all.iter().filter(|key| **key != me).cloned().collect()
    }

    /// The next vote of anybody; `None` when the network is gone.
    async fn hear(&mut self) -> Option<Heard> {
        loop {
            let (_, bytes) = self.receiver.recv().await.ok()?;
            let bytes: Vec<u8> = bytes.as_ref().to_vec();
            let mut rest = Copying(bytes.as_slice());
            let Ok(term) = UInt::<u64>::read(&mut rest) else { continue };
            if let Ok(vote) = Vote::decode_cfg(rest, &()) {
                return Some(Heard { term: term.into(), vote });
            }
        }
    }

    fn say(&mut self, to: Vec<PublicKey>, term: u64, vote: &Vote<Scheme, Digest>) {
        let mut bytes = UInt(term).encode().to_vec();
        bytes.extend_from_slice(&vote.encode());
        self.sender.send(Recipients::Some(to), bytes, true);
    }
}

/// Runs an actor that is no engine.
pub(crate) async fn run<S, R>(
    actor: Actor,
    context: Context,
    (sender, receiver): (S, R),
    namespace: Vec<u8>,
    key: PrivateKey,
    all: Vec<PublicKey>,
) where
    S: Sender<PublicKey = PublicKey>,
    R: Receiver<PublicKey = PublicKey>,
{
    let voice = Voice { sender, receiver, namespace, key, all };
    match actor {
        Actor::Equivocator => equivocator::run(context, voice).await,
        _ => replayer::run(voice).await,
    }
}
