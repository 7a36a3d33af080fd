//! Bytes of strangers: each decoder refuses or returns a value whose bytes they are, and whatever
//! decodes can be checked and applied without harm.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
#![allow(clippy::arithmetic_side_effects, reason = "tests")]

mod common;

use std::fmt::Debug;

use acre_codec::{Decode, Encode, encode};
use acre_ledger::{
    AnyObject, Event, Genesis, Key, Payload, Proof, Receipt, SignedTransaction, Verified,
    apply_payload, check_tx,
};
use acre_types::{Height, UnixMs};
use proptest::prelude::*;
use proptest::sample::Index;

use common::Grid;

/// The bytes of a golden file, without its comment.
fn golden(text: &str) -> Vec<u8> {
    let digits: Vec<_> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .flat_map(|line| line.chars().map(|digit| digit.to_digit(16).unwrap()))
        .collect();
    digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap()).collect()
}

/// One of a golden file's values, of those that have their length before them.
fn one_of(text: &str, index: Index) -> Vec<u8> {
    let values: Vec<Vec<u8>> = acre_codec::decode(&golden(text)).unwrap();
    values[index.index(values.len())].clone()
}

/// Valid bytes with a few changed, cut off or put in.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let sources = any::<(u8, Index)>().prop_map(|(file, index)| match file % 12 {
        0 => one_of(include_str!("golden/objects.hex"), index),
        1 => one_of(include_str!("golden/proof.hex"), index),
        2 => one_of(include_str!("golden/genesis.hex"), index),
        3 => one_of(include_str!("golden/events.hex"), index),
        4 => golden(include_str!("golden/payload.hex")),
        5 => one_of(include_str!("golden/govern-transaction.hex"), index),
        6 => one_of(include_str!("golden/govern-objects.hex"), index),
        7 => one_of(include_str!("golden/govern-events.hex"), index),
        8 => one_of(include_str!("golden/contracts.hex"), index),
        9 => one_of(include_str!("golden/bills.hex"), index),
        10 => one_of(include_str!("golden/price.hex"), index),
        _ => one_of(include_str!("golden/transaction.hex"), index),
    });
    let changes = proptest::collection::vec((any::<Index>(), any::<u8>(), 0..4_u8), 0..4);
    (sources, changes).prop_map(|(mut bytes, changes)| {
        for (at, value, kind) in changes {
            let at = at.index(bytes.len().max(1)).min(bytes.len().saturating_sub(1));
            match kind {
                _ if bytes.is_empty() => {}
                0 => bytes[at] = value,
                1 => bytes[at] ^= 1 << (value % 8),
                2 => bytes.truncate(at),
                _ => bytes.insert(at, value),
            }
        }
        bytes
    })
}

#[track_caller]
fn canonical<T: Encode + Decode + Debug>(bytes: &[u8]) {
    if let Ok(value) = acre_codec::decode::<T>(bytes) {
        assert_eq!(encode(&value), bytes, "{value:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn each_value_has_one_encoding(bytes in damaged()) {
        canonical::<SignedTransaction>(&bytes);
        canonical::<Payload>(&bytes);
        canonical::<Proof>(&bytes);
        canonical::<Genesis>(&bytes);
        canonical::<Event>(&bytes);
        canonical::<Receipt>(&bytes);
        canonical::<Key>(&bytes);
        let list = |text| -> Vec<Vec<u8>> { acre_codec::decode(&golden(text)).unwrap() };
        let mut keys = list(include_str!("golden/keys.hex"));
        keys.extend(list(include_str!("golden/govern-keys.hex")));
        for key in keys {
            let key = acre_codec::decode::<Key>(&key).unwrap();
            if let Ok(object) = AnyObject::decode(&key, &bytes) {
                prop_assert_eq!(object.to_bytes(), &bytes[..]);
            }
        }
    }

    #[test]
    fn whatever_decodes_is_handled(bytes in damaged()) {
        let grid = Grid::of(1);
        if let Ok(signed) = SignedTransaction::decode(&bytes) {
            prop_assert!(check_tx(&grid.state, &signed, UnixMs(0)).is_err());
            let _ = Verified::new(signed);
        }
        if let Ok(payload) = Payload::decode(&bytes) {
            let applied = apply_payload(&grid.state, &payload, Height(1), UnixMs(0));
            prop_assert!(payload.transactions.is_empty() || applied.is_err());
        }
        if let Ok(genesis) = Genesis::decode(&bytes) {
            genesis.state().unwrap();
        }
        if let Ok(proof) = Proof::decode(&bytes) {
            prop_assert!(proof.verify(&grid.state.root(), &Key::Totals.to_bytes()).is_err());
        }
    }
}
