//! A grid of one's own: who is let in, what a genesis must say, and that two grids do not mix.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
#![allow(clippy::arithmetic_side_effects, reason = "tests")]

mod common;

use acre_codec::List;
use acre_ledger::{
    Action, Admission, AdmissionOrder, Amendment, Entry, Genesis, GenesisError, GovernanceRules,
    GridKind, NewBallot, NewProposal, Parameters, Policy, Refusal, SeatRules, Side, Subject,
};
use acre_types::Amount;

use common::{Grid, account, genesis, key, text};

fn by_keys(numbers: &[u8], threshold: u8) -> Policy {
    let keys = numbers.iter().map(|n| key(*n).public()).collect();
    Policy::ByKeys { keys: List::new(keys).unwrap(), threshold }
}

fn village(admission: Admission) -> Genesis {
    let governance =
        GovernanceRules { voting_ms: 1_000, lock_ms: 1_000, ..GovernanceRules::default() };
    let parameters = Parameters { admission, governance, ..Parameters::default() };
    let grants = (1..=3).map(|n| (account(n), Amount::tft(1_000).unwrap())).collect();
    let mut genesis = genesis(parameters, grants);
    genesis.name = text("village");
    genesis
}

fn order(grid: &Grid, subject: Subject, entry: Entry, number: u64, by: &[u8]) -> Action {
    let order = AdmissionOrder { chain: grid.chain(), subject, entry, number };
    let one = |n: &u8| (key(*n).public(), key(*n).sign(&order));
    let signatures = List::new(by.iter().map(one).collect()).unwrap();
    Action::OrderAdmission { subject, entry, signatures }
}

fn pay(to: u8, tft: u64) -> Action {
    Action::Transfer { to: account(to), amount: Amount::tft(tft).unwrap() }
}

#[test]
fn stranger_can_do_nothing_until_the_keys_admit_it_and_again_after_they_revoke() {
    let accounts = by_keys(&[91, 92, 93], 2);
    let mut grid = Grid::new(&village(Admission { accounts, ..Admission::default() }));
    // Whom the genesis names is in.
    grid.act(1, pay(9, 10)).unwrap();
    let subject = Subject::Account(account(9));
    let out = Err(Refusal::NotAdmitted { subject });
    assert_eq!(grid.act(9, pay(1, 1)), out);
    let few = Err(Refusal::TooFewConsents { given: 1, wanted: 2 });
    assert_eq!(grid.act(1, order(&grid, subject, Entry::Admit, 0, &[91])), few);
    for by in [[91, 91], [91, 1]] {
        let bad = Err(Refusal::BadConsent { key: key(by[1]).public() });
        assert_eq!(grid.act(1, order(&grid, subject, Entry::Admit, 0, &by)), bad);
    }
    let admit = order(&grid, subject, Entry::Admit, 0, &[91, 93]);
    grid.act(1, admit.clone()).unwrap();
    grid.act(9, pay(1, 1)).unwrap();
    let revoke = order(&grid, subject, Entry::Revoke, 1, &[92, 93]);
    grid.act(1, revoke).unwrap();
    assert_eq!(grid.act(9, pay(1, 1)), out);
    // What was signed for one occasion does not serve for another.
    assert!(matches!(grid.act(1, admit), Err(Refusal::BadConsent { .. })));
}

#[test]
fn farms_may_be_for_those_admitted_by_vote() {
    let farms = Policy::ByVote;
    let mut grid = Grid::new(&village(Admission { farms, ..Admission::default() }));
    let subject = Subject::Farmer(account(1));
    let farm = || Action::CreateFarm { name: text("farm"), payout: account(1) };
    assert_eq!(grid.act(1, farm()), Err(Refusal::NotAdmitted { subject }));
    let by_key = order(&grid, subject, Entry::Admit, 0, &[]);
    assert_eq!(grid.act(1, by_key), Err(Refusal::WrongPolicy { subject }));
    grid.act(2, Action::LockVoice { amount: Amount::tft(500).unwrap() }).unwrap();
    let reason = text("a good neighbour");
    for (number, change) in (0..).zip([Amendment::Admit(subject), Amendment::Revoke(subject)]) {
        let new = NewProposal { change, reason: reason.clone() };
        grid.act(1, Action::Propose(new)).unwrap();
        let ballot = NewBallot { proposal: number, side: Side::Yes, nodes: List::default() };
        grid.act(2, Action::Vote(ballot)).unwrap();
        grid.now += 1_000;
        grid.act(3, Action::CloseProposal { proposal: number }).unwrap();
        grid.now += 1_000;
        grid.act(3, Action::EnactProposal { proposal: number }).unwrap();
        let made = grid.act(1, farm());
        assert_eq!(made.is_ok(), number == 0, "{made:?}");
    }
}

#[test]
fn genesis_admits_whom_it_names() {
    let farms = by_keys(&[91], 1);
    let mut genesis = village(Admission { farms, ..Admission::default() });
    genesis.admitted = List::new(vec![Subject::Farmer(account(2))]).unwrap();
    let mut grid = Grid::new(&genesis);
    let farm = |n| Action::CreateFarm { name: text("farm"), payout: account(n) };
    grid.act(2, farm(2)).unwrap();
    let refused = Refusal::NotAdmitted { subject: Subject::Farmer(account(1)) };
    assert_eq!(grid.act(1, farm(1)), Err(refused));
}

#[test]
fn genesis_says_what_is_wrong_with_it() {
    #[track_caller]
    fn check(change: impl Fn(&mut Genesis), wanted: &GenesisError, words: &str) {
        let mut genesis = village(Admission::default());
        change(&mut genesis);
        let error = genesis.state().unwrap_err();
        assert_eq!(&error, wanted);
        assert!(error.to_string().contains(words), "{error}");
    }
    let parameter = |what| GenesisError::Parameter { what };
    check(|it| it.name = text(""), &GenesisError::Nameless, "name");
    check(
        |it| it.parameters.admission.farms = by_keys(&[1, 2], 3),
        &parameter("admission.farms"),
        "admission.farms",
    );
    check(
        |it| it.parameters.admission.accounts = by_keys(&[1, 1], 1),
        &parameter("admission.accounts"),
        "admission.accounts",
    );
    check(
        |it| it.parameters.admission.validators = by_keys(&[1], 0),
        &parameter("admission.validators"),
        "admission.validators",
    );
    check(|it| it.parameters.rules.version = 9, &parameter("rules.version"), "rules.version");
    check(
        |it| {
            it.parameters.seats = SeatRules { seats_max: 1, ..SeatRules::default() };
            let mut validators = it.validators.to_vec();
            validators
                .push(acre_ledger::Validator { key: key(7).public(), ..validators[0].clone() });
            it.validators = List::new(validators).unwrap();
        },
        &GenesisError::TooFewSeats { validators: 2, seats: 1 },
        "seats_max",
    );
    check(
        |it| {
            it.kind = GridKind::Live;
            it.grants = List::default();
        },
        &parameter("governance.voting_ms"),
        "governance.voting_ms",
    );
}

/// Everything that is signed is refused on a grid that differs in nothing but its name.
#[test]
fn nothing_signed_for_one_grid_counts_on_another() {
    let accounts = by_keys(&[91], 1);
    let here = village(Admission { accounts, ..Admission::default() });
    let mut there = here.clone();
    there.name = text("town");
    let (here, mut there) = (Grid::new(&here), Grid::new(&there));
    assert_ne!(here.chain(), there.chain());
    let transaction = here.signed(1, pay(2, 1));
    let wrong = Refusal::WrongChain { given: here.chain(), wanted: there.chain() };
    assert_eq!(there.submit(transaction).unwrap_err(), wrong);
    // The other statements are carried by good transactions of the other grid.
    let subject = Subject::Account(account(9));
    let order = order(&here, subject, Entry::Admit, 0, &[91]);
    assert_eq!(there.act(1, order), Err(Refusal::BadConsent { key: key(91).public() }));
    let possession = acre_ledger::Possession { chain: here.chain(), account: account(1) };
    let candidate = Action::RegisterCandidate(acre_ledger::NewCandidate {
        validator: key(101).public(),
        possession: key(101).sign(&possession),
        engine: text("127.0.0.1:1"),
        rpc: text("127.0.0.1:2"),
        stake: Amount(0),
        nodes: List::default(),
    });
    let validator = key(101).public();
    assert_eq!(there.act(1, candidate), Err(Refusal::BadPossession { validator }));
    there.act(1, Action::CreateFarm { name: text("farm"), payout: account(1) }).unwrap();
    let token = common::token(here.chain(), 1, None, there.now + 1000);
    let token = acre_ledger::SignedJoinToken::new(token, &key(1));
    let join = Action::RegisterNode { token, offer: common::offer("site", 1) };
    let farm = acre_types::FarmId(1);
    assert_eq!(there.act(100, join), Err(Refusal::BadToken { farm }));
    // Recovery consents and vetoes: tests/phonebook.rs.
}
