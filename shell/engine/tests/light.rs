//! Certificates, true and false.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use acre_engine::{
    Error, FinalityProof, Header,
    light::verify_certificate,
    simulation::{Simulation, forge_certificate, run},
};
use common::{Counter, Recorded, Roll};
use std::sync::Arc;

/// Blocks 1.. of a short chain of `validators`.
fn chain(validators: usize) -> (Simulation, Vec<Recorded>) {
    let roll = Roll::of(&Simulation::healthy(1, validators).participants(), 0..validators);
    let counters: Vec<_> = (0..validators).map(|_| Counter::new(roll.clone())).collect();
    let outcome = run(Simulation::healthy(1, validators), &mut |index| {
        (counters[index].start(), Arc::clone(&counters[index].wake))
    });
    assert_eq!(outcome.failures, []);
    let blocks = counters[0].disk().blocks.values().cloned().collect();
    (Simulation::healthy(1, validators), blocks)
}

#[test]
fn accepts_what_the_engine_certified_and_any_order_of_keys() {
    for validators in [1, 4] {
        let (simulation, blocks) = chain(validators);
        let mut keys = simulation.participants();
        keys.reverse();
        let certified: Vec<_> = blocks.iter().filter(|block| block.certificate.is_some()).collect();
        assert!(certified.len() * 2 > blocks.len(), "{} of {}", certified.len(), blocks.len());
        for block in certified {
            let certificate = block.certificate.as_ref().unwrap();
            let header =
                verify_certificate(&keys, &simulation.namespace, &block.header, certificate);
            assert_eq!(header.unwrap().id(), block.id);
        }
    }
}

#[test]
fn accepts_a_quorum_and_refuses_one_less() {
    let (simulation, blocks) = chain(4);
    let keys = simulation.participants();
    let header = Header::decode(&blocks[2].header).unwrap();
    let bytes = header.to_bytes();
    for signers in [vec![0, 1, 2], vec![3, 1, 0], vec![0, 1, 2, 3]] {
        let certificate = forge_certificate(&simulation, &signers, &header);
        verify_certificate(&keys, &simulation.namespace, &bytes, &certificate).unwrap();
    }
    let certificate = forge_certificate(&simulation, &[0, 3], &header);
    let error = verify_certificate(&keys, &simulation.namespace, &bytes, &certificate).unwrap_err();
    assert!(matches!(error, Error::TooFewSigners { signers: 2, quorum: 3 }), "{error:?}");
}

#[test]
fn refuses_other_chains_validators_and_blocks() {
    let (simulation, blocks) = chain(4);
    let keys = simulation.participants();
    let header = Header::decode(&blocks[2].header).unwrap();
    let certificate = forge_certificate(&simulation, &[0, 1, 2], &header);
    let check = |keys: &[[u8; 32]], namespace: &[u8], header: &[u8]| {
        verify_certificate(keys, namespace, header, &certificate).unwrap_err()
    };
    let namespace = simulation.namespace.as_slice();

    let error = check(&keys, b"another chain", &blocks[2].header);
    assert!(matches!(error, Error::BadSignatures), "{error:?}");
    let error = check(&keys, namespace, &blocks[3].header);
    assert!(matches!(error, Error::OtherBlock), "{error:?}");
    let five = Simulation::healthy(1, 5).participants();
    let error = check(&five[1..], namespace, &blocks[2].header);
    assert!(matches!(error, Error::BadSignatures), "{error:?}");
    for list in [vec![], vec![keys[0]; 4], vec![keys[0]; 101]] {
        let error = check(&list, namespace, &blocks[2].header);
        assert!(matches!(error, Error::Validators { .. }), "{error:?}");
    }
    // Half of all strings are no point of the curve.
    let not_a_key = (0..=255)
        .map(|byte| check(&[[byte; 32]], namespace, &blocks[2].header))
        .filter(|error| matches!(error, Error::Validators { .. }))
        .count();
    assert!(not_a_key > 64, "only {not_a_key} of 256 refused");
}

#[test]
fn refuses_every_single_changed_byte() {
    let (simulation, blocks) = chain(1);
    let keys = simulation.participants();
    let header = Header::decode(&blocks[2].header).unwrap();
    let certificate = forge_certificate(&simulation, &[0], &header);
    let header = header.to_bytes();
    let check = |header: &[u8], certificate: &[u8]| {
        verify_certificate(&keys, &simulation.namespace, header, certificate)
    };
    check(&header, &certificate).unwrap();
    for position in 0..header.len() {
        let mut changed = header.to_vec();
        changed[position] ^= 1;
        assert!(check(&changed, &certificate).is_err(), "header byte {position}");
    }
    for position in 0..certificate.len() {
        let mut changed = certificate.to_vec();
        changed[position] ^= 1;
        assert!(check(&header, &changed).is_err(), "certificate byte {position}");
    }
    for cut in 0..certificate.len() {
        assert!(check(&header, &certificate[..cut]).is_err(), "certificate cut at {cut}");
    }
    for cut in 0..header.len() {
        assert!(check(&header[..cut], &certificate).is_err(), "header cut at {cut}");
    }
    let longer = [&certificate[..], &[0]].concat();
    assert!(matches!(check(&header, &longer), Err(Error::MalformedCertificate)));
    let huge = vec![0; 1 << 20];
    assert!(matches!(check(&header, &huge), Err(Error::MalformedCertificate)));
    assert!(matches!(check(&huge, &certificate), Err(Error::MalformedHeader)));
}

#[test]
fn proves_a_block_by_a_descendants_certificate_only_along_the_chain() {
    let (simulation, blocks) = chain(4);
    let keys = simulation.participants();
    let namespace = simulation.namespace.as_slice();
    let last = Header::decode(&blocks[5].header).unwrap();
    let certificate = forge_certificate(&simulation, &[1, 2, 3], &last);
    let proof = |blocks: &[Recorded]| FinalityProof {
        headers: blocks.iter().map(|block| block.header.clone()).collect(),
        certificate: certificate.clone(),
    };
    let header = proof(&blocks[2..=5]).verify(&keys, namespace).unwrap();
    assert_eq!(header.id(), blocks[2].id);

    let gap = [blocks[2].clone(), blocks[4].clone(), blocks[5].clone()];
    let error = proof(&gap).verify(&keys, namespace).unwrap_err();
    assert!(matches!(error, Error::BrokenChain), "{error:?}");
    // Another block of the same height is not the one that the next names.
    let same_height = (0..blocks[4].header.len()).filter_map(|position| {
        let mut forged = blocks[4].header.to_vec();
        forged[position] ^= 1;
        let decoded = Header::decode(&forged).ok()?;
        (decoded.height() == header.height() + 2).then(|| forged.into())
    });
    let mut count = 0;
    for forged in same_height {
        let forged = Recorded { header: forged, ..blocks[4].clone() };
        let error = proof(&[forged, blocks[5].clone()]).verify(&keys, namespace).unwrap_err();
        assert!(matches!(error, Error::BrokenChain), "{error:?}");
        count += 1;
    }
    assert!(count > 64, "roots and hashes were forged: {count}");
    for wrong in [proof(&[]), proof(&vec![blocks[5].clone(); 65])] {
        let error = wrong.verify(&keys, namespace).unwrap_err();
        assert!(matches!(error, Error::BrokenChain), "{error:?}");
    }
}

#[test]
fn header_bytes_are_canonical_and_stable() {
    let (_, blocks) = chain(1);
    for block in &blocks {
        let header = Header::decode(&block.header).unwrap();
        assert_eq!(header.to_bytes(), block.header);
        assert_eq!(header.id(), block.id);
        assert!(block.header.len() < 200, "{} bytes", block.header.len());
    }
}

fn unhex(text: &str) -> Vec<u8> {
    let text: String = text.split_whitespace().collect();
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Header and certificate of format version 1, made by three of four validators.
#[test]
fn golden_header_and_certificate_still_verify() {
    let header = unhex(include_str!("golden/header-v1.hex"));
    let certificate = unhex(include_str!("golden/certificate-v1.hex"));
    let simulation = Simulation::healthy(1, 4);
    let keys = simulation.participants();
    let verified = verify_certificate(&keys, &simulation.namespace, &header, &certificate).unwrap();
    assert_eq!(hex(&verified.to_bytes()), hex(&header));
    // The same votes give the same bytes today.
    let again = forge_certificate(&simulation, &[0, 1, 2], &verified);
    assert_eq!(hex(&again), hex(&certificate));
    // The genesis block, whose name every chain starts from.
    let (_, blocks) = chain(1);
    let first = Header::decode(&blocks[0].header).unwrap();
    assert_eq!(first.parent().to_vec(), unhex(include_str!("golden/genesis-v1.hex")));
}
