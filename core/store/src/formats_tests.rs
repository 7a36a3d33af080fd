//! Golden files and hostile bytes for what nodes and clients exchange.

use acre_codec::Encode;
use acre_crypto::{Secret, SigningKey};
use acre_types::{Bytes, ContractId, Digest, NodeId, PackId, Profile, Signature, Text, UnixMs};

use crate::StoreError;
use crate::head::{Head, SignedHead};
use crate::limits::{LOCATE_PACKS_MAX, MESSAGE_META_BYTES_MAX, SHARD_IDS_MAX};
use crate::protocol::{
    Blame, Delete, NodeMode, NodeStatus, Receipt, Refusal, Reply, Request, Rest, decode_reply,
    decode_request,
};
use crate::shard::{PackClass, PackHeader, PackParts, ShardHeader, ShardId};
use crate::testing::{Numbers, random_bytes};
use crate::tree::{decode_directory_node, decode_entry, decode_page};

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(Secret::new([seed; 32]))
}

fn parts(profile: Profile) -> PackParts {
    PackParts {
        contract: ContractId(7),
        pack: PackId([0xAB; 16]),
        profile,
        class: PackClass::Data,
        pack_bytes: 1000,
        roots: (0..profile.shards()).map(|index| Digest([index; 32])).collect(),
    }
}

fn shard(profile: Profile) -> ShardHeader {
    let header = PackHeader::new(parts(profile)).unwrap();
    let signature = header.sign(&key(1));
    ShardHeader::new(header, signature, profile.shard(1).unwrap()).unwrap()
}

fn head() -> SignedHead {
    let sealed_root = vec![5; 40].try_into().unwrap();
    Head { version: 1, contract: ContractId(7), epoch: 2, counter: 3, sealed_root }.sign(&key(1))
}

fn id(index: usize) -> ShardId {
    ShardId { pack: PackId([9; 16]), index: Profile::Wide.shard(index).unwrap() }
}

fn delete() -> Delete {
    let packs = vec![PackId([1; 16]), PackId([2; 16])].try_into().unwrap();
    Delete { contract: ContractId(7), packs, serial: 4 }
}

fn requests() -> Vec<Request> {
    let packs = vec![PackId([1; 16])].try_into().unwrap();
    vec![
        Request::Put(shard(Profile::Tiny)),
        Request::Get { shard: id(3), offset: 64, length: 128 },
        Request::Header(id(3)),
        Request::Locate { packs },
        Request::Verify(id(3)),
        Request::List { contract: ContractId(7), after: Some(id(3)) },
        Request::Delete(delete().sign(&key(1))),
        Request::PutHead(head()),
        Request::GetHead { contract: ContractId(7) },
        Request::Status,
    ]
}

fn replies() -> Vec<Reply> {
    let node = NodeId::from(key(2).public());
    let receipt = Receipt { node, delete: delete().digest(), shards: 2, at: UnixMs(5) };
    let status = NodeStatus {
        node,
        version: Text::new("0.1.0").unwrap(),
        capacity: Bytes(100),
        used: Bytes(60),
        free: Bytes(40),
        shards: 3,
        heads: 1,
        mode: NodeMode::ReadOnly,
    };
    let mut replies = vec![
        Reply::Stored,
        Reply::Shard { pack_bytes: 1000 },
        Reply::Header(shard(Profile::Tiny)),
        Reply::Located(vec![id(1)].try_into().unwrap()),
        Reply::Verified,
        Reply::Damaged,
        Reply::Page { shards: vec![id(1)].try_into().unwrap(), rest: Rest::More },
        Reply::Deleted(receipt.sign(&key(2))),
        Reply::HeadIs(Some(head())),
        Reply::Status(status),
    ];
    let contract = ContractId(7);
    replies.extend(
        [
            Refusal::NoSuchContract(contract),
            Refusal::NotMyContract(contract),
            Refusal::ContractEnded(contract),
            Refusal::BadSignature,
            Refusal::BadRoot,
            Refusal::Conflict,
            Refusal::BadRange { shard_bytes: 64 },
            Refusal::NoSpace { wanted: Bytes(2), free: Bytes(1) },
            Refusal::OverContract { contract, paid: Bytes(1), held: Bytes(2) },
            Refusal::NotFound,
            Refusal::Damaged,
            Refusal::StaleHead { fence: 3 },
            Refusal::Malformed,
            Refusal::Busy,
            Refusal::Failed,
        ]
        .map(Reply::Refused),
    );
    replies
}

fn joined<T: Encode>(values: &[T]) -> Vec<u8> {
    values.iter().flat_map(acre_codec::encode).collect()
}

#[test]
fn formats_stay_what_they_are() {
    let shard = acre_codec::encode(&shard(Profile::Tiny));
    acre_codec::golden::check(include_str!("golden/shard.hex"), &shard);
    acre_codec::golden::check(include_str!("golden/requests.hex"), &joined(&requests()));
    acre_codec::golden::check(include_str!("golden/replies.hex"), &joined(&replies()));
}

#[test]
fn messages_come_back_as_they_were() {
    for request in requests() {
        assert_eq!(decode_request(&acre_codec::encode(&request)).unwrap(), request);
    }
    for reply in replies() {
        assert_eq!(decode_reply(&acre_codec::encode(&reply)).unwrap(), reply);
    }
}

#[test]
fn the_largest_messages_fit_and_one_past_the_limit_does_not() {
    let put = acre_codec::encode(&Request::Put(shard(Profile::Wide)));
    assert!(put.len() <= MESSAGE_META_BYTES_MAX);
    let located = |count: usize| (3_u8, vec![id(1); count]);
    let most = acre_codec::encode(&located(SHARD_IDS_MAX));
    assert!(decode_reply(&most).is_ok());
    assert!(decode_reply(&acre_codec::encode(&located(SHARD_IDS_MAX + 1))).is_err());
    let locate = |count: usize| acre_codec::encode(&(3_u8, vec![PackId([1; 16]); count]));
    assert!(decode_request(&locate(LOCATE_PACKS_MAX)).is_ok());
    assert!(decode_request(&locate(LOCATE_PACKS_MAX + 1)).is_err());
}

#[test]
fn a_header_that_contradicts_itself_is_refused() {
    let good = parts(Profile::Standard);
    for wrong in [
        PackParts { pack_bytes: 0, ..good.clone() },
        PackParts { pack_bytes: (4 << 20) + 1, ..good.clone() },
        PackParts { pack_bytes: (1 << 20) + 1, class: PackClass::Meta, ..good.clone() },
        PackParts { roots: vec![Digest([0; 32]); 19], ..good.clone() },
        PackParts { roots: vec![Digest([0; 32]); 21], ..good.clone() },
    ] {
        assert!(matches!(PackHeader::new(wrong), Err(StoreError::BadHeader { .. })));
    }
    let header = PackHeader::new(good).unwrap();
    let bytes = acre_codec::encode(&header);
    // version, profile, class, pack_bytes, shard_bytes, count
    for (at, value) in [(0, 2), (25, 6), (25, 1), (26, 2), (28, 0xFF), (31, 65), (35, 19)] {
        let mut wrong = bytes.clone();
        assert_ne!(wrong[at], value);
        wrong[at] = value;
        assert!(acre_codec::decode::<PackHeader>(&wrong).is_err(), "byte {at} = {value}");
    }
    let index = Profile::Wide.shard(20).unwrap();
    assert!(ShardHeader::new(header.clone(), Signature([0; 64]), index).is_err());
    let mut shard = bytes;
    shard.extend_from_slice(&[0; 64]);
    shard.push(20);
    assert!(acre_codec::decode::<ShardHeader>(&shard).is_err());
    *shard.last_mut().unwrap() = 19;
    assert!(acre_codec::decode::<ShardHeader>(&shard).is_ok());
}

#[test]
fn hostile_bytes_never_do_more_than_fail() {
    let decode = |bytes: &[u8]| {
        // What decodes must be the one encoding of its value.
        if let Ok(request) = decode_request(bytes) {
            assert_eq!(acre_codec::encode(&request), bytes);
        }
        if let Ok(reply) = decode_reply(bytes) {
            assert_eq!(acre_codec::encode(&reply), bytes);
        }
        if let Ok(entry) = decode_entry(bytes) {
            assert_eq!(acre_codec::encode(&entry), bytes);
        }
        let _ = decode_directory_node(bytes);
        let _ = decode_page(bytes);
    };
    let mut samples: Vec<Vec<u8>> = requests().iter().map(acre_codec::encode).collect();
    samples.extend(replies().iter().map(acre_codec::encode));
    for seed in 0..3000 {
        let mut numbers = Numbers(seed);
        let mut bytes = samples[numbers.below(samples.len())].clone();
        match numbers.below(4) {
            0 => bytes.truncate(numbers.below(bytes.len() + 1)),
            1 => bytes.push(numbers.next() as u8),
            2 => bytes = random_bytes(seed, numbers.below(200)),
            _ => {}
        }
        for _ in 0..numbers.below(4) {
            let length = bytes.len().max(1);
            if let Some(byte) = bytes.get_mut(numbers.below(length)) {
                *byte = numbers.next() as u8;
            }
        }
        decode(&bytes);
    }
}

#[test]
fn receipts_and_deletes_hold_only_for_what_they_say() {
    let signed = delete().sign(&key(1));
    signed.verify(&key(1).public()).unwrap();
    assert!(signed.verify(&key(2).public()).is_err());
    let node = NodeId::from(key(2).public());
    let receipt = Receipt { node, delete: delete().digest(), shards: 2, at: UnixMs(5) };
    receipt.clone().sign(&key(2)).verify(&delete()).unwrap();
    assert!(receipt.clone().sign(&key(1)).verify(&delete()).is_err());
    let other = Delete { serial: 5, ..delete() };
    let wrong = receipt.sign(&key(2)).verify(&other);
    assert!(matches!(wrong, Err(StoreError::WrongReceipt { .. })));
}

#[test]
fn a_refusal_says_who_should_act() {
    assert_eq!(Refusal::Busy.blame(), Blame::Retry);
    assert_eq!(Refusal::NoSpace { wanted: Bytes(1), free: Bytes(0) }.blame(), Blame::Elsewhere);
    assert_eq!(Refusal::BadRoot.blame(), Blame::Caller);
}
