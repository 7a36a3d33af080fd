//! What nodes and clients tell each other of shards, and what comes out of packs.

use acre_codec::encode;
use acre_crypto::{Secret, aead::AeadKey};
use acre_store::head::SignedHead;
use acre_store::keys::Identity;
use acre_store::pack::{ChunkRef, Layout, MetaPack, Opener, assemble};
use acre_store::protocol::{
    Reply, Request, SignedDelete, SignedReceipt, decode_reply, decode_request,
};
use acre_store::shard::{PackClass, ShardHeader};
use acre_store::tree::{self, Root, decode_directory_node, decode_entry, decode_page};
use acre_types::{PackId, Profile};

use crate::canonical;

const PACK: PackId = PackId([3; 16]);

pub(crate) fn shard_header(data: &[u8]) {
    let Some(header) = canonical::<ShardHeader>(data) else { return };
    let pack = header.pack();
    assert!(header.index().get() < pack.profile().shards());
    assert_eq!(pack.roots().len(), usize::from(pack.profile().shards()));
    let held = u64::from(pack.shard_bytes()) * u64::from(pack.profile().data());
    assert!(held >= u64::from(pack.pack_bytes()), "k shards hold the pack");
    assert!(header.verify_body(data).is_err(), "a header is not its own body");
}

pub(crate) fn request(data: &[u8]) {
    if let Ok(request) = decode_request(data) {
        assert_eq!(encode(&request), data);
        assert_eq!(canonical::<Request>(data).as_ref(), Some(&request));
    }
}

pub(crate) fn reply(data: &[u8]) {
    if let Ok(reply) = decode_reply(data) {
        assert_eq!(encode(&reply), data);
        assert_eq!(canonical::<Reply>(data).as_ref(), Some(&reply));
    }
}

pub(crate) fn delete(data: &[u8]) {
    canonical::<SignedDelete>(data);
}

pub(crate) fn receipt(data: &[u8]) {
    canonical::<SignedReceipt>(data);
}

pub(crate) fn head(data: &[u8]) {
    let Some(signed) = canonical::<SignedHead>(data) else { return };
    assert!(signed.compare(&signed).is_eq());
    let keys = Identity::new(Secret::new([3; 32])).volume(1);
    assert!(signed.head.open(&keys).is_err(), "sealed for others");
}

pub(crate) fn root(data: &[u8]) {
    if let Ok(root) = Root::decode(data) {
        assert_eq!(encode(&root), data);
    }
}

pub(crate) fn node(data: &[u8]) {
    if let Ok(node) = decode_directory_node(data) {
        assert_eq!(encode(&node), data[1..]);
    }
}

pub(crate) fn page(data: &[u8]) {
    let _ = decode_page(data);
}

pub(crate) fn entry(data: &[u8]) {
    if let Ok(entry) = decode_entry(data) {
        assert_eq!(encode(&entry), data);
        let _ = entry.totals();
    }
}

pub(crate) fn path(data: &[u8]) {
    if let Ok(names) = tree::parse(data) {
        let joined = tree::join(&names);
        let again = tree::parse(&joined).expect("what is joined can be parsed");
        assert_eq!(again, names);
    }
}

/// A sealed chunk with a good tag whose content is the stranger's: a writer who wishes harm.
pub(crate) fn chunk(data: &[u8]) {
    let Some((length, content)) = data.split_first_chunk::<4>() else { return };
    let key = AeadKey::new(&Secret::new([5; 32]));
    let mut sealed = content.to_vec();
    let tag = key.seal(0, PACK.as_bytes(), &mut sealed);
    sealed.extend_from_slice(&tag);
    let stored = u32::try_from(sealed.len()).unwrap_or(u32::MAX);
    let chunk = ChunkRef { offset: 0, stored, plain: u32::from_le_bytes(*length) };
    let mut out = vec![1, 2, 3];
    match Opener::new().open(&key, PACK, chunk, &sealed, &mut out) {
        Ok(()) => assert_eq!(out.len() as u64, 3 + u64::from(chunk.plain)),
        Err(_) => assert_eq!(out, [1, 2, 3], "a failure leaves nothing behind"),
    }
}

/// Shards of a metadata pack as strangers send them.
pub(crate) fn meta_pack(data: &[u8]) {
    let Some((length, rest)) = data.split_first_chunk::<2>() else { return };
    let pack_bytes = u32::from(u16::from_le_bytes(*length));
    let Ok(layout) = Layout::new(Profile::Tiny, PackClass::Meta, pack_bytes) else { return };
    let half = rest.len() / 2;
    let first = Profile::Tiny.shard(0).expect("three shards");
    let last = Profile::Tiny.shard(2).expect("three shards");
    let shards = [(first, rest[..half].to_vec().into()), (last, rest[half..].to_vec().into())];
    if let Ok(bytes) = assemble(&layout, PACK, &shards) {
        assert_eq!(bytes.len() as u64, u64::from(pack_bytes));
    }
    let keys = Identity::new(Secret::new([3; 32])).volume(1);
    if let Ok(pack) = MetaPack::open(&layout, PACK, &shards, keys.meta()) {
        let chunk = ChunkRef { offset: 0, stored: pack_bytes, plain: pack_bytes };
        assert!(pack.chunk(&mut Opener::new(), chunk).is_err(), "nobody sealed that");
    }
}
