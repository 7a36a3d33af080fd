//! Packs, sealed and opened, whole and in parts.

use acre_crypto::{Secret, SigningKey, aead::AeadKey};
use acre_types::ContractId;
use bytes::Bytes;

use super::*;
use crate::Entropy;
use crate::compress::Compression;
use crate::keys::{Identity, MetaKey};
use crate::testing::{Numbers, random_bytes};

fn config(profile: Profile) -> BuilderConfig {
    BuilderConfig { contract: ContractId(9), profile, compression: Compression::Probe }
}

fn meta_key() -> MetaKey {
    Identity::new(Secret::new([1; 32])).volume(0).meta().duplicate()
}

fn writer() -> SigningKey {
    SigningKey::from_seed(Secret::new([2; 32]))
}

/// Any `count` shards of the pack, chosen by a seed.
fn some_shards(pack: &SignedPack, count: usize, seed: u64) -> Vec<(ShardIndex, Bytes)> {
    let mut all: Vec<_> = pack
        .header()
        .profile()
        .indices()
        .map(|index| (index, pack.shard(index).unwrap().1))
        .collect();
    let mut numbers = Numbers(seed);
    while all.len() > count {
        all.swap_remove(numbers.below(all.len()));
    }
    all
}

fn chunks(seed: u64, count: usize) -> Vec<Vec<u8>> {
    let mut numbers = Numbers(seed);
    (0..count)
        .map(|_| {
            let length = numbers.below(90_000);
            if numbers.below(2) == 0 {
                random_bytes(numbers.next(), length)
            } else {
                b"all work and no play makes a dull text ".repeat(3000)[..length].to_vec()
            }
        })
        .collect()
}

#[test]
fn any_k_shards_of_each_profile_give_every_chunk_back() {
    for profile in Profile::ALL {
        for seed in 0..3 {
            let plain = chunks(seed, 8);
            let mut builder = Builder::data(config(profile), Entropy::new(Secret::new([3; 32])));
            let mut packs = std::collections::BTreeMap::new();
            let mut placed = Vec::new();
            for chunk in &plain {
                let added = builder.add(chunk).unwrap();
                placed.push((added.pack, added.chunk));
                packs.extend(added.closed.map(|pack| (pack.header().pack(), pack)));
            }
            let last = builder.close().unwrap().unwrap();
            packs.insert(last.header().pack(), last);
            assert!(builder.close().unwrap().is_none());
            for (number, pack) in packs {
                let key = AeadKey::new(pack.secret().unwrap());
                let pack = pack.sign(&writer());
                let layout = Layout::of(pack.header());
                let shards = some_shards(&pack, usize::from(profile.data()), seed);
                let bytes = assemble(&layout, number, &shards).unwrap();
                for ((at, chunk), plain) in placed.iter().zip(&plain) {
                    if *at != number {
                        continue;
                    }
                    let range = chunk.range();
                    let sealed = &bytes[range.start as usize..range.end as usize];
                    let mut out = b"before".to_vec();
                    Opener::new().open(&key, number, *chunk, sealed, &mut out).unwrap();
                    assert!(out[6..] == plain[..], "{profile} seed {seed}");
                }
            }
        }
    }
}

#[test]
fn each_shard_carries_a_header_that_holds() {
    let mut builder = Builder::data(config(Profile::Tiny), Entropy::new(Secret::new([3; 32])));
    builder.add(&random_bytes(1, 1000)).unwrap();
    let pack = builder.close().unwrap().unwrap().sign(&writer());
    assert_eq!(pack.header().pack_bytes(), 1017);
    assert_eq!(pack.header().shard_bytes(), 512);
    for index in Profile::Tiny.indices() {
        let (header, body) = pack.shard(index).unwrap();
        header.verify(&writer().public()).unwrap();
        header.verify_body(&body).unwrap();
        let mut wrong = body.to_vec();
        wrong[7] ^= 1;
        assert!(matches!(header.verify_body(&wrong), Err(StoreError::BadRoot { .. })));
        assert!(matches!(header.verify_body(&body[1..]), Err(StoreError::BadLength { .. })));
        let other = SigningKey::from_seed(Secret::new([5; 32]));
        assert!(header.verify(&other.public()).is_err());
    }
}

#[test]
fn a_lost_piece_is_rebuilt_from_the_same_columns_of_others() {
    let mut builder = Builder::data(config(Profile::Standard), Entropy::new(Secret::new([3; 32])));
    let plain = random_bytes(1, 200_000);
    let added = builder.add(&plain).unwrap();
    let pack = builder.close().unwrap().unwrap();
    let key = AeadKey::new(pack.secret().unwrap());
    let pack = pack.sign(&writer());
    let layout = Layout::of(pack.header());
    let mut sealed = Vec::new();
    for piece in layout.pieces(added.chunk.range()) {
        let columns = piece.columns.start as usize..piece.columns.end as usize;
        let others: Vec<_> = Profile::Standard
            .indices()
            .rev_without(piece.index)
            .into_iter()
            .map(|index| (index, pack.shard(index).unwrap().1.slice(columns.clone())))
            .collect();
        let given: Vec<_> = others.iter().map(|(index, body)| (*index, &body[..])).collect();
        let mut out = vec![0; columns.len()];
        rebuild(Profile::Standard, &given, &mut [(piece.index, &mut out)]).unwrap();
        assert_eq!(out, &pack.shard(piece.index).unwrap().1[columns]);
        sealed.extend_from_slice(&out);
    }
    let mut out = Vec::new();
    Opener::new().open(&key, added.pack, added.chunk, &sealed, &mut out).unwrap();
    assert!(out == plain);
}

trait RevWithout {
    fn rev_without(self, lost: ShardIndex) -> Vec<ShardIndex>;
}

impl<I: Iterator<Item = ShardIndex>> RevWithout for I {
    fn rev_without(self, lost: ShardIndex) -> Vec<ShardIndex> {
        let mut all: Vec<_> = self.filter(|index| *index != lost).collect();
        all.reverse();
        all
    }
}

#[test]
fn a_metadata_pack_opens_with_k_shards_and_not_with_one_less() {
    for profile in [Profile::Tiny, Profile::Standard] {
        let mut builder =
            Builder::meta(config(profile), meta_key(), Entropy::new(Secret::new([3; 32])));
        let plain = chunks(7, 1);
        let added = builder.add(&plain[0]).unwrap();
        let pack = builder.close().unwrap().unwrap();
        assert!(pack.secret().is_none());
        let pack = pack.sign(&writer());
        let layout = Layout::of(pack.header());
        let k = usize::from(profile.data());
        let shards = some_shards(&pack, k, 4);
        let open = MetaPack::open(&layout, added.pack, &shards, &meta_key()).unwrap();
        assert!(open.chunk(&mut Opener::new(), added.chunk).unwrap() == plain[0]);

        let fewer = MetaPack::open(&layout, added.pack, &shards[1..], &meta_key());
        assert!(matches!(fewer, Err(StoreError::TooFewShards { .. })));
        let mut damaged = shards.clone();
        let mut body = damaged[0].1.to_vec();
        body[0] ^= 1;
        damaged[0].1 = body.into();
        assert!(matches!(
            MetaPack::open(&layout, added.pack, &damaged, &meta_key()),
            Err(StoreError::Crypto { .. })
        ));
        assert_eq!(liars(pack.header(), &damaged), [damaged[0].0]);
        assert!(liars(pack.header(), &shards).is_empty());
    }
}

#[test]
fn k_minus_one_data_shards_and_every_key_do_not_give_the_metadata() {
    // Systematic shards are slices of the packaged bytes; none of them holds the sealed chunk.
    let mut builder =
        Builder::meta(config(Profile::Tiny), meta_key(), Entropy::new(Secret::new([3; 32])));
    let added = builder.add(b"a name that must stay secret").unwrap();
    let pack = builder.close().unwrap().unwrap().sign(&writer());
    let key = AeadKey::new(&meta_key().pack(added.pack));
    let first = pack.shard(Profile::Tiny.shard(0).unwrap()).unwrap().1;
    let range = added.chunk.range();
    let sealed = &first[range.start as usize..range.end as usize];
    let opened = Opener::new().open(&key, added.pack, added.chunk, sealed, &mut Vec::new());
    assert!(opened.is_err());
}

#[test]
fn refuses_a_changed_chunk_and_a_wrong_reference() {
    let mut builder = Builder::data(config(Profile::Tiny), Entropy::new(Secret::new([3; 32])));
    let text = b"something that shrinks ".repeat(100);
    let added = builder.add(&text).unwrap();
    let pack = builder.close().unwrap().unwrap();
    let key = AeadKey::new(pack.secret().unwrap());
    let pack = pack.sign(&writer());
    let bytes =
        assemble(&Layout::of(pack.header()), added.pack, &some_shards(&pack, 3, 0)).unwrap();
    let chunk = added.chunk;
    assert!(chunk.stored < chunk.plain);
    let try_open = |chunk: ChunkRef, bytes: &[u8]| {
        let mut out = Vec::new();
        let result = Opener::new().open(&key, added.pack, chunk, bytes, &mut out);
        assert!(result.is_ok() || out.is_empty());
        result
    };
    assert!(try_open(chunk, &bytes).is_ok());
    for at in 0..bytes.len() {
        let mut wrong = bytes.clone();
        wrong[at] ^= 0x10;
        assert!(matches!(try_open(chunk, &wrong), Err(StoreError::Crypto { .. })));
    }
    for plain in [0, chunk.plain - 1, chunk.plain + 1, u32::MAX] {
        let wrong = ChunkRef { plain, ..chunk };
        assert!(matches!(try_open(wrong, &bytes), Err(StoreError::BadChunk { .. })));
    }
    assert!(try_open(ChunkRef { offset: 1, ..chunk }, &bytes).is_err());
    assert!(try_open(chunk, &[]).is_err());
}

#[test]
fn a_full_pack_takes_chunks_up_to_its_last_byte() {
    let profile = Profile::Ten;
    let mut builder = Builder::data(config(profile), Entropy::new(Secret::new([3; 32])));
    let chunk = random_bytes(1, crate::chunk::fixed_chunk_bytes(profile));
    let (first, second) = (builder.add(&chunk).unwrap(), builder.add(&chunk).unwrap());
    assert_eq!(first.pack, second.pack);
    let third = builder.add(&chunk).unwrap();
    let closed = third.closed.unwrap();
    assert_ne!(third.pack, second.pack);
    assert_eq!(closed.header().pack_bytes(), PackClass::Data.pack_bytes_max(profile));
    let too_long = vec![0; builder.chunk_bytes_max() + 1];
    assert!(matches!(builder.add(&too_long), Err(StoreError::ChunkTooLong { .. })));
}

#[test]
fn pieces_join_to_the_range() {
    let layout = Layout::new(Profile::Standard, PackClass::Data, 100_000).unwrap();
    let size = layout.shard_bytes();
    assert_eq!(size % 64, 0);
    for range in [0..1, 0..100_000, size - 1..size + 1, 99_999..200_000, 5..5] {
        let wanted = range.end.min(100_000).saturating_sub(range.start);
        let pieces = layout.pieces(range.clone());
        assert_eq!(pieces.iter().map(|piece| piece.columns.len() as u32).sum::<u32>(), wanted);
        let mut at = range.start;
        for piece in pieces {
            assert_eq!(u32::from(piece.index.get()) * size + piece.columns.start, at);
            at += piece.columns.len() as u32;
        }
    }
    assert!(Layout::new(Profile::Tiny, PackClass::Data, 0).is_err());
    assert!(Layout::new(Profile::Tiny, PackClass::Data, 512 * 1024 + 1).is_err());
    assert!(Layout::new(Profile::Tiny, PackClass::Data, 512 * 1024).is_ok());
}
