//! Terms: which heights belong to which, who votes in them, and the keys that prove it.

use crate::{
    application::{Committee, Participant},
    error::{Error, Result},
    limits,
};
use commonware_codec::{Copying, DecodeExt as _};
use commonware_consensus::{
    simplex::scheme::ed25519::Scheme,
    types::{Epoch, FixedEpocher},
};
use commonware_cryptography::{
    certificate::{Provider, Scoped},
    ed25519::{PrivateKey, PublicKey},
};
use commonware_utils::ordered::Set;
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    num::NonZeroU64,
    sync::{Arc, Mutex, PoisonError},
};

/// Cuts heights into terms: term `t` is made of the heights from `t x heights` on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    heights: NonZeroU64,
}

impl Terms {
    /// # Errors
    /// [`Error::TermHeights`] below [`limits::MIN_TERM_HEIGHTS`]: the genesis block alone is no
    /// term.
    pub(crate) fn new(heights: NonZeroU64) -> Result<Self> {
        if heights.get() < limits::MIN_TERM_HEIGHTS {
            return Err(Error::TermHeights { heights: heights.get() });
        }
        Ok(Self { heights })
    }

    pub(crate) fn of(self, height: u64) -> u64 {
        height / self.heights
    }

    /// The last height of a term; the largest number if it lies beyond.
    pub(crate) fn last(self, term: u64) -> u64 {
        term.saturating_add(1).saturating_mul(self.heights.get()).saturating_sub(1)
    }

    /// The block on which the first of a term builds.
    pub(crate) fn floor(self, term: u64) -> u64 {
        term.saturating_mul(self.heights.get()).saturating_sub(1)
    }

    pub(crate) fn epocher(self) -> FixedEpocher {
        FixedEpocher::new(self.heights)
    }
}

/// A committee whose keys were checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Members {
    pub(crate) validators: BTreeMap<PublicKey, SocketAddr>,
    /// Without the validators, those first whom to make room for.
    pub(crate) followers: Vec<(PublicKey, SocketAddr)>,
}

impl Members {
    /// # Errors
    /// [`Error::Validators`] if there are none or too many, two have one key, or a key is none.
    pub(crate) fn new(committee: &Committee) -> Result<Self> {
        let list = committee.validators.iter().map(|v| key(v).map(|key| (key, v.address)));
        let list = list.collect::<Result<Vec<_>>>()?;
        // For the checks.
        self::committee(list.iter().map(|(key, _)| key.clone()).collect())?;
        let validators: BTreeMap<_, _> = list.into_iter().collect();
        let mut followers = Vec::new();
        for participant in &committee.followers {
            // Whoever registers may write any bytes; that must stop nobody.
            let Ok(key) = key(participant) else { continue };
            if !validators.contains_key(&key) {
                followers.push((key, participant.address));
            }
        }
        Ok(Self { validators, followers })
    }

    pub(crate) fn keys(&self) -> Set<PublicKey> {
        Set::from_iter_dedup(self.validators.keys().cloned())
    }
}

fn key(participant: &Participant) -> Result<PublicKey> {
    PublicKey::decode(Copying(participant.key.as_slice()))
        .map_err(|_| Error::Validators { reason: "one is not an Ed25519 key" })
}

/// # Errors
/// [`Error::Validators`] if there are none, too many, or two with one key.
pub(crate) fn committee(keys: Vec<PublicKey>) -> Result<Set<PublicKey>> {
    if keys.is_empty() {
        return Err(Error::Validators { reason: "there is none" });
    }
    if keys.len() > limits::MAX_VALIDATORS as usize {
        return Err(Error::Validators { reason: "there are more than the limit" });
    }
    Set::try_from(keys).map_err(|_| Error::Validators { reason: "two have the same key" })
}

/// What this process is in a term.
#[derive(Clone)]
pub(crate) enum Seat {
    /// It votes.
    Taken(Scheme),
    /// It only checks what others voted.
    None(Scheme),
}

impl Seat {
    pub(crate) fn new(namespace: &[u8], members: &Members, key: &PrivateKey) -> Self {
        match Scheme::signer(namespace, members.keys(), key.clone()) {
            Some(scheme) => Self::Taken(scheme),
            None => Self::None(Scheme::verifier(namespace, members.keys())),
        }
    }

    pub(crate) fn scheme(&self) -> &Scheme {
        match self {
            Self::Taken(scheme) | Self::None(scheme) => scheme,
        }
    }
}

/// The keys of the terms that may still be asked about.
#[derive(Clone, Debug, Default)]
pub(crate) struct Schemes(Arc<Mutex<BTreeMap<u64, Arc<Scheme>>>>);

impl Schemes {
    pub(crate) fn insert(&self, term: u64, scheme: Scheme) {
        let mut schemes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        schemes.insert(term, Arc::new(scheme));
        // What is older has been applied; nothing of it will be checked again.
        schemes.retain(|known, _| known.saturating_add(limits::KEPT_TERMS) > term);
    }
}

impl Provider for Schemes {
    type Scope = Epoch;
    type Scheme = Scheme;

    fn scoped(&self, epoch: Epoch) -> Option<Scoped<Scheme>> {
        let schemes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A follower's scheme cannot sign, but is never asked to: only a seat's engine signs.
        schemes.get(&epoch.get()).cloned().map(Scoped::scheme)
    }
}
