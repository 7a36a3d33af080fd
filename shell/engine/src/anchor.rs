//! A start in the middle of the chain: one proven block instead of all before it.

use crate::{
    block::{Block, Digest},
    error::{AppError, Error, Result},
    light, limits,
    term::Members,
};
use commonware_codec::{Copying, Decode as _};
use commonware_consensus::{
    marshal::store::{Blocks, Certificates},
    simplex::{scheme::ed25519::Scheme, types::Finalization},
};
use commonware_cryptography::{Digested, Digestible as _, certificate::Verifier as _};
use commonware_runtime::{Clock, Metrics, Spawner, Storage};
use commonware_storage::{
    archive::{Archive, Identifier, prunable},
    translator::EightCap,
};
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

type Kept<E, V> = prunable::Archive<EightCap, E, Digest, V>;

/// Final blocks, and the certificates of most.
pub(crate) struct Archives<E: Clock + Spawner + Storage + Metrics> {
    pub(crate) certificates: Kept<E, Finalization<Scheme, Digest>>,
    pub(crate) blocks: Kept<E, Arc<Block>>,
}

impl<E: Clock + Spawner + Storage + Metrics> Archives<E> {
    /// Reads all that is kept: every block must decode, and be the one that its child and its
    /// certificate name, and none must be missing that has a certificate and was `applied` (the
    /// storage cuts a file off where it finds damage). What is kept is bounded, so this takes a
    /// fraction of a second.
    ///
    /// # Errors
    /// [`Error::Damaged`].
    pub(crate) async fn check(&self, partition: &str, applied: u64) -> Result<()> {
        let damaged = |archive: &'static str, height: u64, reason: String| {
            let section = height / limits::SECTION_HEIGHTS;
            let file = format!("{partition}-{archive}-value/{section:016x}");
            Error::Damaged { archive, height, file, reason }
        };
        let certified = Archive::last_index(&self.certificates).unwrap_or_default().min(applied);
        let first = self.blocks.first_index().unwrap_or(certified);
        if let Some(missing) = Archive::missing_items(&self.blocks, first, 1).first()
            && *missing <= certified
        {
            return Err(damaged("blocks", *missing, "the block is missing".into()));
        }
        let last = Archive::last_index(&self.blocks).unwrap_or(first);
        if last < certified {
            return Err(damaged("blocks", last + 1, "the block is missing".into()));
        }
        let ranges: Vec<_> = self.blocks.ranges().collect();
        let mut parent: Option<(u64, Digest)> = None;
        for height in ranges.iter().flat_map(|(first, last)| *first..=*last) {
            let block = Blocks::get(&self.blocks, Identifier::Index(height)).await;
            let block = block
                .map_err(|error| damaged("blocks", height, error.to_string()))?
                .ok_or_else(|| damaged("blocks", height, "no block is there".into()))?;
            let follows =
                parent.is_none_or(|(below, id)| below + 1 != height || id == block.parent().into());
            if block.height() != height || !follows {
                return Err(damaged("blocks", height, "it is another block".into()));
            }
            let finalization =
                Certificates::get(&self.certificates, Identifier::Index(height)).await;
            let finalization =
                finalization.map_err(|error| damaged("certificates", height, error.to_string()))?;
            if finalization.is_some_and(|final_one| final_one.proposal.payload != block.digest()) {
                return Err(damaged("certificates", height, "it is for another block".into()));
            }
            parent = Some((height, block.digest()));
        }
        Ok(())
    }

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
