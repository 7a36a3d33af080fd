//! A start in the middle of the chain: one proven block instead of all before it.

use crate::{
    block::{Block, Digest},
    error::{AppError, Error, Result},
    light,
    term::Members,
};
use commonware_codec::{Copying, Decode as _};
use commonware_consensus::{
    marshal::store::{Blocks, Certificates},
    simplex::{scheme::ed25519::Scheme, types::Finalization},
};
use commonware_cryptography::{Digested, Digestible as _, certificate::Verifier as _};
use commonware_runtime::{Clock, Metrics, Spawner, Storage};
use commonware_storage::{archive::prunable, translator::EightCap};
use std::sync::Arc;

/// A block and its certificate, checked.
pub(crate) struct Anchor {
    block: Digested<Block>,
    pub(crate) finalization: Finalization<Scheme, Digest>,
}

impl Anchor {
    /// `known` are the committees of the application's last block and of the next one.
    ///
    /// # Errors
    /// [`Error::MalformedHeader`] for bytes that are no block, [`Error::NoCommittee`] if it is of
    /// another term than the application's last, and those of [`light::verify_certificate`].
    pub(crate) fn check(
        namespace: &[u8],
        known: &[(u64, Members)],
        block: &[u8],
        certificate: &[u8],
    ) -> Result<Self> {
        let block = Block::decode_cfg(Copying(block), &()).map_err(|_| Error::MalformedHeader)?;
        let term = block.header().epoch();
        let members = known.iter().find(|(known, _)| *known == term);
        let (_, members) = members.ok_or(Error::NoCommittee { term })?;
        let keys: Vec<[u8; 32]> = members
            .validators
            .keys()
            .map(|key| {
                let mut bytes = [0; 32];
                bytes.copy_from_slice(key);
                bytes
            })
            .collect();
        light::verify_certificate(&keys, namespace, &block.header().to_bytes(), certificate)?;
        let scheme = Scheme::verifier(namespace, members.keys());
        let finalization =
            Finalization::decode_cfg(Copying(certificate), &scheme.certificate_codec_config())
                .map_err(|_| Error::MalformedCertificate)?;
        let digest = block.digest();
        Ok(Self { block: Digested::precomputed(block, digest), finalization })
    }
}

type Archive<E, V> = prunable::Archive<EightCap, E, Digest, V>;

/// Final blocks, and the certificates of most.
pub(crate) struct Archives<E: Clock + Spawner + Storage + Metrics> {
    pub(crate) certificates: Archive<E, Finalization<Scheme, Digest>>,
    pub(crate) blocks: Archive<E, Arc<Block>>,
}

impl<E: Clock + Spawner + Storage + Metrics> Archives<E> {
    /// Whether nothing was ever written.
    pub(crate) fn is_empty(&self) -> bool {
        Certificates::last_index(&self.certificates).is_none()
    }

    /// Puts a block in, if nothing is there yet.
    ///
    /// # Errors
    /// [`Error::Archive`].
    pub(crate) async fn install(self, anchor: &Anchor) -> Result<Self> {
        if !self.is_empty() {
            return Ok(self);
        }
        let failed = |name| move |source: AppError| Error::Archive { name, source };
        let Self { certificates, blocks } = self;
        let (height, digest) = (anchor.block.inner().height(), anchor.block.inner().digest());
        let blocks = Blocks::put(blocks, digest, &anchor.block.inner_shared())
            .await
            .map_err(|error| failed("blocks")(error.into()))?;
        let blocks = Blocks::sync(blocks).await.map_err(|error| failed("blocks")(error.into()))?;
        let height = commonware_consensus::types::Height::new(height);
        let certificates = Certificates::put(certificates, height, digest, &anchor.finalization)
            .await
            .map_err(|error| failed("certificates")(error.into()))?;
        let certificates = Certificates::sync(certificates)
            .await
            .map_err(|error| failed("certificates")(error.into()))?;
        Ok(Self { certificates, blocks })
    }
}
