//! Who is certified, by whose word or by what record, and what that is worth.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
#![allow(clippy::arithmetic_side_effects, reason = "tests")]

mod common;
#[path = "common/farming.rs"]
mod farming;

use acre_codec::List;
use acre_ledger::mint::{self, Certification, Policy, Reason};
use acre_ledger::{
    Action, CertificateOf, CertificationRules, Event, MeritOf, MeritRules, NewContract, NewKind,
    NewStorage, Parameters, Refusal, certification_of,
};
use acre_types::{AccountId, Amount, Bytes, ContractId, Digest, Epoch, FarmId, Profile, PublicKey};

use common::{Grid, account, node};
use farming::{CLAIMED, finding, parameters};

const FARM: FarmId = FarmId(1);

/// People 2 to 4 certify: two make certified, three gold.
fn rules(record: u16) -> Parameters {
    let certifiers = (2..=4).map(account).collect();
    let certification = CertificationRules {
        certifiers: List::new(certifiers).unwrap(),
        record: MeritRules { periods: record, uptime_permille: 990, witnessed_permille: 800 },
        ..CertificationRules::default()
    };
    Parameters { certification, ..parameters(Policy::standard()) }
}

impl Grid {
    fn attest(&mut self, by: u8, level: Certification, until: u64) -> Result<Vec<Event>, Refusal> {
        let (evidence, until) = (Digest([by; 32]), Epoch(until));
        self.act(by, Action::AttestFarm { farm: FARM, level, evidence, until })
    }

    fn revoke(&mut self, from: u8, by: AccountId) -> Result<Vec<Event>, Refusal> {
        self.act(from, Action::RevokeAttestation { farm: FARM, by })
    }

    fn level(&self, number: u8) -> Certification {
        certification_of(&self.state, node(number)).unwrap().unwrap()
    }

    /// Both epochs of the periods up to this one, all with this uptime of ten.
    fn pass_period(&mut self, answered: u16) {
        for _ in 0..2 {
            self.pass_with(finding(answered, CLAIMED));
        }
    }
}

#[test]
fn so_many_certifiers_make_a_level_and_none_alone() {
    let mut grid = Grid::farming_by(rules(0));
    grid.attest(2, Certification::Gold, 9).unwrap();
    assert_eq!(grid.level(101), Certification::Diy);
    grid.attest(3, Certification::Certified, 9).unwrap();
    assert_eq!((grid.level(101), grid.level(102)), (Certification::Certified, Certification::Diy));
    grid.attest(3, Certification::Gold, 9).unwrap();
    grid.attest(4, Certification::Gold, 9).unwrap();
    assert_eq!(grid.level(101), Certification::Gold);
    // One that takes its word back takes gold away, and cannot take more.
    grid.revoke(4, account(4)).unwrap();
    assert_eq!(grid.level(101), Certification::Certified);
    // The owner declines.
    grid.revoke(1, account(2)).unwrap();
    grid.revoke(1, account(3)).unwrap();
    assert_eq!(grid.level(101), Certification::Diy);
    assert_eq!(grid.state.read(&CertificateOf(FARM)).unwrap(), None);
    assert_eq!(grid.revoke(1, account(3)), Err(Refusal::NothingToDo));
}

#[test]
fn attestation_ends_with_its_time() {
    let mut grid = Grid::farming_by(rules(0));
    let until = grid.epoch().number.0 + 2;
    for by in [2, 3] {
        grid.attest(by, Certification::Certified, until).unwrap();
    }
    grid.pass();
    assert_eq!(grid.level(101), Certification::Certified);
    grid.pass();
    assert_eq!(grid.level(101), Certification::Diy);
}

#[test]
fn refuses_words_that_do_not_count() {
    let mut grid = Grid::farming_by(rules(0));
    let running = grid.epoch().number.0;
    let level = Certification::Certified;
    assert_eq!(grid.attest(1, level, 9), Err(Refusal::NotACertifier { account: account(1) }));
    let time = Err(Refusal::OutOfRange { what: "the time of an attestation" });
    assert_eq!(grid.attest(2, level, running), time);
    assert_eq!(grid.attest(2, level, running + 9_601), time);
    assert!(grid.attest(2, Certification::Diy, 9).is_err());
    let own =
        Action::AttestFarm { farm: FarmId(2), level, evidence: Digest([1; 32]), until: Epoch(9) };
    let refusal = Refusal::NotIndependent { account: account(2), farm: FarmId(2) };
    assert_eq!(grid.act(2, own), Err(refusal));
    assert_eq!(grid.revoke(3, account(2)), Err(Refusal::NotYours { what: "the attestation" }));
}

#[test]
fn certified_farm_mints_a_quarter_more_from_the_first_whole_period_on() {
    let mut grid = Grid::farming_by(rules(0));
    // Epoch 2 runs, the first of period 1: the words below hold in it and in period 2.
    for by in [2, 3] {
        grid.attest(by, Certification::Certified, 6).unwrap();
    }
    for _ in 0..4 {
        grid.pass_period(10);
    }
    grid.claim(101).unwrap();
    grid.claim(102).unwrap();
    let amount = |number, period| {
        let receipt = grid.receipt(number, period).unwrap();
        assert_eq!(mint::recompute(&receipt).unwrap(), receipt.receipt);
        (receipt.input.certification, receipt.receipt.lines[0].amount)
    };
    let (diy, certified) = (Amount(4_166_666), Amount(5_208_333));
    assert_eq!(amount(101, 1), (Certification::Certified, certified));
    assert_eq!(amount(101, 2), (Certification::Certified, certified));
    assert_eq!(amount(101, 3), (Certification::Diy, diy));
    assert_eq!(amount(102, 1), (Certification::Diy, diy));
}

#[test]
fn word_that_came_late_does_not_raise_what_is_not_claimed_yet() {
    let mut grid = Grid::farming_by(rules(0));
    for _ in 0..3 {
        grid.pass_period(10);
    }
    for by in [2, 3] {
        grid.attest(by, Certification::Certified, 99).unwrap();
    }
    grid.claim(101).unwrap();
    let receipt = grid.receipt(101, 1).unwrap();
    assert_eq!(receipt.input.certification, Certification::Diy);
}

#[test]
fn certified_farm_is_held_to_more_uptime() {
    let mut grid = Grid::farming_by(rules(0));
    for by in [2, 3] {
        grid.attest(by, Certification::Certified, 99).unwrap();
    }
    // 29 of 30: between 95 and 98 percent.
    let one = acre_ledger::Finding { asked: 30, answered: 29, ..finding(0, CLAIMED) };
    for _ in 0..3 {
        grid.pass_with(one);
    }
    grid.claim(101).unwrap();
    grid.claim(102).unwrap();
    let reason = |number| grid.receipt(number, 1).unwrap().receipt.reason;
    assert_eq!((reason(101), reason(102)), (Reason::UptimeTooLow, Reason::Paid));
}

#[test]
fn record_certifies_a_node_and_a_bad_period_ends_it() {
    let mut grid = Grid::farming_by(rules(2));
    for answered in [10, 10, 10, 8, 10] {
        grid.pass_period(answered);
        let _ = grid.claim(101);
    }
    grid.pass_period(10);
    grid.claim(101).unwrap();
    let level = |period| grid.receipt(101, period).unwrap().input.certification;
    let levels = [1, 2, 3, 4, 5].map(level);
    let (diy, certified) = (Certification::Diy, Certification::Certified);
    assert_eq!(levels, [diy, certified, certified, diy, diy]);
    // The bad one fell below what anybody is asked for; it was not measured by the higher bar.
    assert_eq!(grid.receipt(101, 4).unwrap().receipt.reason, Reason::UptimeTooLow);
    assert_eq!(grid.state.read(&MeritOf(node(101))).unwrap().unwrap().run, 1);
}

#[test]
fn record_that_is_not_shown_any_more_is_worth_nothing() {
    let mut grid = Grid::farming_by(rules(2));
    for _ in 0..4 {
        grid.pass_period(10);
    }
    grid.claim(101).unwrap();
    assert_eq!(grid.level(101), Certification::Certified);
    // Two periods in which nobody reports.
    for _ in 0..6 {
        grid.pass();
    }
    assert_eq!(grid.level(101), Certification::Diy);
}

#[test]
fn tenants_pay_certified_farms_their_surcharge() {
    let mut grid = Grid::farming_by(rules(0));
    for by in [2, 3] {
        grid.attest(by, Certification::Certified, 99).unwrap();
    }
    let storage = NewStorage {
        profile: Profile::Tiny,
        places: List::new(vec![node(101), node(102), node(103)]).unwrap(),
        bytes: Bytes(1 << 30),
        writer: PublicKey([1; 32]),
    };
    let new = NewContract {
        kind: NewKind::Storage(storage),
        period_ms: 3_600_000,
        budget: Amount::tft(100).unwrap(),
    };
    grid.act(1, Action::CreateContract(new)).unwrap();
    let contract = grid.state.read(&ContractId(1)).unwrap().unwrap();
    let weights: Vec<_> = contract.stands.iter().map(|stand| stand.weight).collect();
    assert_eq!(weights, [1250, 1000, 1000]);
}
