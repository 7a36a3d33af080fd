//! The rules, one by one, as a person meets them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
#![allow(clippy::arithmetic_side_effects, reason = "tests")]

mod common;

use acre_codec::{Blob, List};
use acre_ledger::{
    Action, BlockError, ContractOf, ContractRules, ContractStatus, Event, Fault, GenesisError,
    GridKind, JoinToken, Key, KeyRole, NewContract, NewKind, NewStorage, NodeAt, NodeState,
    Parameters, Payload, Places, Proof, Refusal, Resources, SignedJoinToken, SignedTransaction,
    State, StateError, TokenPrice, TwinKey, Verified, apply_block, check_payer, check_tx, limits,
    proven, storage_price,
};
use acre_types::{
    AccountId, Amount, Bytes, ContractId, Digest, FarmId, Height, Profile, PublicKey, UnixMs,
};

use common::{FOUNDATION, Grid, account, addresses, capacity, genesis, key, node, offer, token};

/// As [`Grid::with_farms`]; a contract may be as short as one likes.
fn farms(count: u8) -> Grid {
    let contracts = ContractRules { period_ms_min: 1, ..ContractRules::default() };
    Grid::with_farms_under(Parameters { contracts, ..Parameters::default() }, count)
}

fn pay(to: u8, amount: u64) -> Action {
    Action::Transfer { to: account(to), amount: Amount(amount) }
}

fn places(numbers: impl IntoIterator<Item = u8>) -> Places {
    List::new(numbers.into_iter().map(node).collect()).unwrap()
}

fn contract(profile: Profile, numbers: impl IntoIterator<Item = u8>, bytes: u64) -> Action {
    let writer = PublicKey([9; 32]);
    let storage = NewStorage { profile, places: places(numbers), bytes: Bytes(bytes), writer };
    let (period_ms, budget) = (1_000_000, Amount(u64::MAX));
    let kind = NewKind::Storage(storage);
    Action::CreateContract(NewContract { kind, period_ms, budget })
}

#[test]
fn transfer_moves_tokens_and_burns_the_fee() {
    let mut grid = Grid::of(2);
    let before = grid.balance(account(1));
    let applied = grid.submit(grid.signed(1, pay(2, 50))).unwrap();
    let fee = applied.receipts[0].fee.0;
    assert_eq!(grid.balance(account(1)), before - 50 - fee);
    assert_eq!(grid.balance(account(2)), before + 50);
    let totals = grid.state.totals().unwrap();
    assert_eq!((totals.minted.0, totals.burned.0), (2 * before, fee));
    let event = Event::Transferred { from: account(1), to: account(2), amount: Amount(50) };
    assert_eq!(applied.events, [event]);
}

#[test]
fn empty_block_inside_a_term_changes_nothing() {
    let grid = Grid::of(2);
    let applied = apply_block::<Verified>(&grid.state, &[], Height(9), UnixMs(grid.now)).unwrap();
    assert_eq!(applied.root, grid.state.root());
    assert!(applied.changes.is_empty() && applied.events.is_empty());
}

#[test]
fn only_the_key_of_the_account_may_speak() {
    let mut grid = Grid::of(2);
    let forged = grid.transaction(1, pay(2, 1)).sign(&key(2));
    let not_the_key = Refusal::NotTheKey { account: account(1) };
    assert_eq!(check_tx(&grid.state, &forged, UnixMs(0)), Err(not_the_key.clone().into()));
    assert_eq!(grid.submit(Verified::new(forged).unwrap()).unwrap_err(), not_the_key);
    let mut changed = grid.transaction(1, pay(2, 1)).sign(&key(1));
    changed.transaction.nonce += 1;
    assert_eq!(Verified::new(changed), Err(Refusal::BadSignature));
}

#[test]
fn rotated_key_speaks_and_the_old_one_no_longer() {
    let mut grid = Grid::of(2);
    grid.act(1, Action::RotateKey { key: key(77).public() }).unwrap();
    let old = grid.signed(1, pay(2, 1));
    assert_eq!(grid.submit(old).unwrap_err(), Refusal::NotTheKey { account: account(1) });
    let new = grid.transaction(1, pay(2, 1)).sign(&key(77));
    grid.submit(Verified::new(new).unwrap()).unwrap();
}

#[test]
fn replay_and_other_chains_are_refused() {
    let mut grid = Grid::of(2);
    let transaction = grid.signed(1, pay(2, 1));
    grid.submit(transaction.clone()).unwrap();
    let used = Refusal::NonceUsed { given: 0, wanted: 1 };
    assert_eq!(grid.submit(transaction.clone()).unwrap_err(), used);
    let mut other = genesis(Parameters::default(), vec![(account(1), Amount(1 << 40))]);
    other.time = UnixMs(5);
    let wrong = Grid::new(&other).submit(transaction).unwrap_err();
    assert_eq!(wrong, Refusal::WrongChain { given: grid.chain(), wanted: other.digest() });
}

#[test]
fn block_with_one_bad_transaction_is_invalid_as_a_whole() {
    let grid = Grid::of(2);
    let good = grid.signed(1, pay(2, 1));
    let twice = [good.clone(), good.clone()];
    let error = apply_block(&grid.state, &twice, Height(1), UnixMs(0)).unwrap_err();
    let source = Refusal::NonceUsed { given: 0, wanted: 1 };
    assert_eq!(error, BlockError::Transaction { index: 1, id: good.id(), source });
    let built = grid.build(&twice);
    assert_eq!((built.payload.transactions.len(), built.skipped.len()), (1, 1));
}

#[test]
fn fee_has_a_floor_and_must_be_held() {
    let mut grid = Grid::of(1);
    let mut cheap = grid.transaction(1, pay(2, 1));
    let least = cheap.fee;
    cheap.fee.0 -= 1;
    let refusal = grid.submit(Verified::new(cheap.sign(&key(1))).unwrap()).unwrap_err();
    let given = Amount(least.0 - 1);
    assert_eq!(refusal, Refusal::FeeTooLow { given, wanted: least });
    let poor = grid.signed(2, pay(1, 1));
    let no_funds = Refusal::NoFunds { account: account(2), held: Amount(0), wanted: least };
    assert_eq!(check_tx(&grid.state, poor.signed(), UnixMs(0)), Err(Fault::Refused(no_funds)));
}

#[test]
fn size_of_transactions_and_blocks_is_limited() {
    let grid = Grid::of(1);
    let bytes = vec![0; limits::TRANSACTION_BYTES_MAX + 1];
    assert!(SignedTransaction::decode(&bytes).is_err());
    assert!(Payload::decode(&vec![0; limits::PAYLOAD_BYTES_MAX + 1]).is_err());
    let one = grid.signed(1, pay(1, 1));
    let many = vec![&one; limits::PAYLOAD_TRANSACTIONS_MAX + 1];
    let error = apply_block(&grid.state, &many, Height(1), UnixMs(0)).unwrap_err();
    assert!(matches!(error, BlockError::TooLarge { transactions: 10_001, .. }));
}

#[test]
fn largest_transaction_of_each_kind_fits() {
    let grid = Grid::of(1);
    let key = |_| TwinKey { role: KeyRole::Sign, key: Blob::new(vec![0; 32]).unwrap() };
    let agree = |_| TwinKey {
        role: KeyRole::Agree,
        key: Blob::new(vec![0; limits::TWIN_KEY_BYTES_MAX]).unwrap(),
    };
    let keys = (0..1).map(key).chain((1..limits::TWIN_KEYS_MAX).map(agree)).collect();
    let handle = "a".repeat(32).parse().unwrap();
    let twin = Action::RegisterTwin { handle, keys: List::new(keys).unwrap() };
    let many = places(0..140);
    let pairs = many.iter().map(|id| (*id, *id)).collect();
    let replace = List::new(pairs).unwrap();
    let moved = Action::ChangePlaces { contract: ContractId(1), replace, add: many };
    for action in [twin, moved] {
        let signed = grid.signed(1, action);
        assert!(SignedTransaction::decode(&signed.signed().to_bytes()).is_ok());
    }
}

#[test]
fn handle_is_taken_once_and_rotated_by_its_owner() {
    let mut grid = Grid::of(2);
    let keys = |byte| {
        let key = Blob::new(vec![byte; 32]).unwrap();
        List::new(vec![TwinKey { role: KeyRole::Sign, key }]).unwrap()
    };
    let handle = || "ada-1".parse().unwrap();
    let register = Action::RegisterTwin { handle: handle(), keys: keys(1) };
    grid.act(1, register.clone()).unwrap();
    assert_eq!(grid.act(2, register).unwrap_err(), Refusal::HandleTaken);
    let second = Action::RegisterTwin { handle: "other".parse().unwrap(), keys: keys(1) };
    assert_eq!(grid.act(1, second).unwrap_err(), Refusal::HasTwin { account: account(1) });
    let rotate = Action::RotateTwin { handle: handle(), keys: keys(2) };
    let others = grid.act(2, rotate.clone()).unwrap_err();
    assert_eq!(others, Refusal::NotYours { what: "the twin" });
    grid.act(1, rotate).unwrap();
    let twin = grid.state.read::<acre_ledger::Handle>(&handle()).unwrap().unwrap();
    assert_eq!((twin.epoch, twin.keys), (1, keys(2)));
    let unsigned = Action::RotateTwin { handle: handle(), keys: List::new(vec![]).unwrap() };
    assert!(matches!(grid.act(1, unsigned), Err(Refusal::OutOfRange { .. })));
}

#[test]
fn node_joins_by_token_at_its_farms_expense() {
    let mut grid = farms(1);
    let before = grid.balance(account(1));
    let named = token(grid.chain(), 1, Some(node(120)), grid.now + 1);
    let token = SignedJoinToken::new(named, &key(1));
    let join = Action::RegisterNode { token, offer: offer("attic", 10) };
    let other = grid.act(121, join.clone()).unwrap_err();
    assert_eq!(other, Refusal::TokenForAnother);
    let applied = grid.submit(grid.signed(120, join)).unwrap();
    assert_eq!(applied.receipts[0].payer, account(1));
    assert_eq!(grid.balance(account(1)), before - applied.receipts[0].fee.0);
    let known = grid.state.read(&node(120)).unwrap().unwrap();
    assert_eq!((known.operator, known.farm), (account(1), FarmId(1)));
    assert_eq!(grid.state.read(&NodeAt(1)).unwrap(), Some(node(120)));
}

#[test]
fn forged_late_and_foreign_tokens_are_refused() {
    let mut grid = farms(2);
    let now = grid.now;
    let mut refused = |token: JoinToken, signer: u8, wanted: Refusal| {
        let token = SignedJoinToken::new(token, &key(signer));
        let join = Action::RegisterNode { token, offer: offer("attic", 10) };
        let signed = grid.signed(120, join.clone());
        let now = UnixMs(grid.now);
        let early = check_tx(&grid.state, signed.signed(), now);
        let said = early.and_then(|()| check_payer(&grid.state, signed.signed()));
        assert_eq!(said, Err(wanted.clone().into()));
        assert_eq!(grid.act(120, join).unwrap_err(), wanted);
    };
    let chain = farms(2).chain();
    refused(token(chain, 1, None, now + 1), 2, Refusal::BadToken { farm: FarmId(1) });
    refused(token(chain, 1, None, now), 1, Refusal::TokenExpired);
    let elsewhere = token(Digest([3; 32]), 1, None, now + 1);
    refused(elsewhere, 1, Refusal::BadToken { farm: FarmId(1) });
    refused(token(chain, 9, None, now + 1), 1, Refusal::NoSuchFarm { farm: FarmId(9) });
}

#[test]
fn node_pays_from_its_farm_only_the_least_fee_and_nothing_once_retired() {
    let mut grid = farms(1);
    let update = |state, storage| Action::UpdateNode {
        node: node(101),
        capacity: capacity(storage),
        addresses: addresses(),
        state,
    };
    grid.act(101, update(NodeState::Active, 7)).unwrap();
    let mut dear = grid.transaction(101, update(NodeState::Active, 8));
    dear.fee.0 += 1;
    let refusal = grid.submit(Verified::new(dear.sign(&key(101))).unwrap()).unwrap_err();
    assert!(matches!(refusal, Refusal::FeeTooHigh { .. }));
    grid.act(1, update(NodeState::Retired, 7)).unwrap();
    let refusal = grid.act(101, update(NodeState::Active, 7)).unwrap_err();
    assert_eq!(refusal, Refusal::NotYours { what: "the node" });
}

#[test]
fn places_must_differ_in_node_site_and_operator() {
    let mut grid = farms(12);
    grid.join(130, 1, 1, "site of its own").unwrap();
    grid.join(131, 2, 2, "site 3").unwrap();
    let ten = |numbers: Vec<u8>| contract(Profile::Ten, numbers, 800);
    let mut shared = |numbers: Vec<u8>, number: u8, domain| {
        let refusal = grid.act(1, ten(numbers)).unwrap_err();
        assert_eq!(refusal, Refusal::SharedDomain { node: node(number), domain });
    };
    shared((101..110).chain([101]).collect(), 101, "node");
    shared((101..110).chain([131]).collect(), 131, "site");
    shared((101..110).chain([130]).collect(), 130, "operator");
    let few = grid.act(1, ten((101..110).collect())).unwrap_err();
    assert_eq!(few, Refusal::PlaceCount { given: 9, least: 10, most: 12 });
    grid.act(1, ten((101..=112).collect())).unwrap();
    // A few boxes of one's own.
    grid.act(1, contract(Profile::Tiny, [101, 130, 102], 10)).unwrap();
}

#[test]
fn contract_keeps_its_limits() {
    let mut grid = farms(5);
    let new = |places: Places, bytes: Bytes, period_ms: u64| {
        let writer = PublicKey([9; 32]);
        let profile = Profile::Tiny;
        let kind = NewKind::Storage(NewStorage { profile, places, bytes, writer });
        let budget = Amount(u64::MAX);
        Action::CreateContract(NewContract { kind, period_ms, budget })
    };
    let three = || places(101..=103);
    let mut refused = |action: Action, wanted: Refusal| {
        assert_eq!(grid.act(1, action).unwrap_err(), wanted);
    };
    let bytes = Refusal::OutOfRange { what: "the bytes of the contract" };
    let period = Refusal::OutOfRange { what: "the period of the contract" };
    refused(new(three(), Bytes(0), 1), bytes.clone());
    refused(new(three(), Bytes(limits::CONTRACT_BYTES_MAX.0 + 1), 1), bytes.clone());
    refused(new(three(), Bytes(1), 0), period.clone());
    refused(new(three(), Bytes(1), limits::CONTRACT_PERIOD_MS_MAX + 1), period.clone());
    let (least, most) = (3, 4);
    refused(new(places(101..=102), Bytes(1), 1), Refusal::PlaceCount { given: 2, least, most });
    refused(new(places(101..=105), Bytes(1), 1), Refusal::PlaceCount { given: 5, least, most });
    grid.act(1, new(places(101..=104), Bytes(1), limits::CONTRACT_PERIOD_MS_MAX)).unwrap();
    let mut extended = |bytes, period_ms, wanted: Refusal| {
        let extend = Action::ExtendContract { contract: ContractId(1), bytes, period_ms };
        assert_eq!(grid.act(1, extend).unwrap_err(), wanted);
    };
    extended(Bytes(0), 0, Refusal::NothingToDo);
    extended(Bytes(0), 1, period.clone());
    extended(Bytes(0), u64::MAX, period);
    extended(limits::CONTRACT_BYTES_MAX, 0, bytes.clone());
    extended(Bytes(u64::MAX), 0, bytes);
    let storage = limits::NODE_STORAGE_MAX.0;
    let update = |storage| Action::UpdateNode {
        node: node(101),
        capacity: capacity(storage),
        addresses: addresses(),
        state: NodeState::Active,
    };
    grid.act(1, update(storage)).unwrap();
    assert!(matches!(grid.act(1, update(storage + 1)), Err(Refusal::OutOfRange { .. })));
    let (reserved, wanted) = (Bytes(1), Bytes(0));
    let shrunk = grid.act(1, update(0)).unwrap_err();
    assert_eq!(shrunk, Refusal::CapacityReserved { node: node(101), reserved, wanted });
}

#[test]
fn transaction_ahead_is_told_only_if_nothing_else_is_wrong() {
    let grid = Grid::of(1);
    let ahead = |from: u8| {
        let mut transaction = grid.transaction(from, pay(2, 1));
        transaction.nonce = 5;
        check_tx(&grid.state, &transaction.sign(&key(from)), UnixMs(0)).unwrap_err()
    };
    assert_eq!(ahead(1), Fault::Refused(Refusal::NonceAhead { given: 5, wanted: 0 }));
    assert!(matches!(ahead(2), Fault::Refused(Refusal::NoFunds { .. })));
}

#[test]
fn contract_reserves_pays_by_time_and_refunds_the_rest() {
    let mut grid = farms(12);
    let before = grid.balance(account(1));
    let created = grid.submit(grid.signed(1, contract(Profile::Ten, 101..=110, 8_000_000)));
    let fee = created.unwrap().receipts[0].fee.0;
    let held = grid.state.read(&ContractId(1)).unwrap().unwrap();
    let parameters = grid.state.parameters().unwrap();
    let (token, share) = (TokenPrice(80_000), Bytes(1_000_000));
    let price = storage_price(&parameters, token, share, 10, 1_000_000).unwrap();
    // Grace is twice a twentieth of the period.
    let deposit = price.0.div_ceil(10);
    let closing = parameters.closing_fee();
    assert_eq!((held.escrow, held.deposit), (price, Amount(deposit)));
    assert_eq!(held.closing, closing);
    assert_eq!(grid.balance(account(1)), before - fee - price.0 - deposit - closing.0);
    assert_eq!(grid.state.read(&node(101)).unwrap().unwrap().free(), Bytes(0));
    assert_eq!(grid.state.read(&ContractOf(account(1), 0)).unwrap(), Some(ContractId(1)));
    let full = grid.act(1, contract(Profile::Ten, 101..=110, 8)).unwrap_err();
    let (wanted, free) = (Bytes(1), Bytes(0));
    assert_eq!(full, Refusal::NoSpace { node: node(101), wanted, free });

    grid.now += 500_000;
    let events = grid.act(1, Action::CancelContract { contract: ContractId(1) }).unwrap();
    let due = price.0 / 2;
    let foundation = due / 10;
    assert_eq!(grid.balance(FOUNDATION), foundation);
    let farms: u64 = (201..=210).map(|n| grid.balance(account(n))).sum();
    assert_eq!(farms, due - foundation);
    let refund = Amount(price.0 - due + deposit + closing.0);
    let places = places(101..=110);
    assert_eq!(events[1], Event::ContractClosed { contract: ContractId(1), refund, places });
    assert_eq!(grid.state.read(&node(101)).unwrap().unwrap().free(), Bytes(1_000_000));
    let again = grid.act(1, Action::CancelContract { contract: ContractId(1) }).unwrap_err();
    assert_eq!(again, Refusal::ContractOver { contract: ContractId(1) });
}

#[test]
fn expired_contract_is_extended_at_full_price_or_closed_by_anyone() {
    let mut grid = farms(4);
    grid.act(1, contract(Profile::Tiny, 101..=103, 1_000_000)).unwrap();
    let id = ContractId(1);
    let expires = grid.now + 1_000_000;
    grid.now = expires + 40_000;
    let held = grid.state.read(&id).unwrap().unwrap();
    let until = UnixMs(expires + 50_000);
    assert_eq!(held.status(UnixMs(grid.now)), ContractStatus::Frozen { until });
    let extend = |period_ms| Action::ExtendContract { contract: id, bytes: Bytes(0), period_ms };
    let short = grid.act(1, extend(30_000)).unwrap_err();
    assert!(matches!(short, Refusal::OutOfRange { .. }), "must reach past now");
    grid.act(1, extend(500_000)).unwrap();
    let held = grid.state.read(&id).unwrap().unwrap();
    assert_eq!(held.status(UnixMs(grid.now)), ContractStatus::Live);
    grid.now += 1_000_000;
    grid.act(2, Action::SettleContract { contract: id }).unwrap();
    let held = grid.state.read(&id).unwrap().unwrap();
    assert_eq!(held.status(UnixMs(grid.now)), ContractStatus::Closed);
    assert_eq!(grid.state.totals().unwrap().escrow, Amount(0));
}

#[test]
fn spare_takes_a_dead_primarys_position() {
    let mut grid = farms(6);
    grid.act(1, contract(Profile::Tiny, 101..=104, 1000)).unwrap();
    let id = ContractId(1);
    let pairs = vec![(node(101), node(104)), (node(104), node(105))];
    let replace = List::new(pairs).unwrap();
    let change = Action::ChangePlaces { contract: id, replace, add: places([]) };
    let not_yours = Refusal::NotYours { what: "the contract" };
    assert_eq!(grid.act(2, change.clone()).unwrap_err(), not_yours);
    let events = grid.act(1, change).unwrap();
    let (left, joined) = (places([101]), places([105]));
    assert_eq!(events, [Event::PlacesChanged { contract: id, left, joined }]);
    let held = grid.state.read(&id).unwrap().unwrap();
    assert_eq!(held.nodes(), &*places([104, 102, 103, 105]));
    assert_eq!(grid.state.read(&node(101)).unwrap().unwrap().reserved, Resources::default());
}

#[test]
fn draining_node_takes_nothing_new() {
    let mut grid = farms(3);
    let drain = Action::UpdateNode {
        node: node(102),
        capacity: capacity(1_000_000),
        addresses: addresses(),
        state: NodeState::Draining,
    };
    grid.act(2, drain).unwrap();
    let refusal = grid.act(1, contract(Profile::Tiny, 101..=103, 10)).unwrap_err();
    assert_eq!(refusal, Refusal::NodeNotActive { node: node(102) });
}

#[test]
fn live_grid_starts_without_tokens() {
    let mut genesis = genesis(Parameters::default(), vec![(account(1), Amount(1))]);
    genesis.kind = GridKind::Live;
    let refused = GenesisError::PreMine { kind: "live", grants: 1 };
    assert_eq!(genesis.state().unwrap_err(), refused);
    assert_eq!(acre_ledger::Genesis::decode(&genesis.to_bytes()).unwrap_err(), refused);
    genesis.grants = List::new(vec![]).unwrap();
    assert_eq!(genesis.state().unwrap().totals().unwrap().minted, Amount(0));
    genesis.validators = List::new(vec![]).unwrap();
    assert_eq!(genesis.state().unwrap_err(), GenesisError::Validators);
}

#[test]
fn reader_needs_only_a_root_and_a_proof() {
    let grid = farms(2);
    let root = grid.state.root();
    let proof = |key: Key| Proof::decode(&grid.state.prove(&key).to_bytes()).unwrap();
    let held = proven(&root, &account(1), &proof(Key::Account(account(1)))).unwrap().unwrap();
    assert_eq!(held.balance.0, grid.balance(account(1)));
    assert_eq!(proven(&root, &NodeAt(1), &proof(Key::NodeAt(1))), Ok(Some(node(102))));
    assert_eq!(proven(&root, &NodeAt(2), &proof(Key::NodeAt(2))), Ok(None));
    let other: AccountId = account(2);
    assert!(proven(&root, &other, &proof(Key::Account(account(1)))).is_err());
}

#[test]
fn state_is_rebuilt_from_its_leaves_and_damage_is_told() {
    let grid = farms(2);
    let leaves = || grid.state.leaves().map(|(key, value)| (key.to_vec(), value.to_vec()));
    let rebuilt = State::from_leaves(leaves()).unwrap();
    assert_eq!((rebuilt.root(), rebuilt.grid()), (grid.state.root(), grid.state.grid()));
    let account_key = Key::Account(account(1)).to_bytes();
    let damaged = leaves().map(|(key, value)| {
        let value = if key == account_key { vec![1, 2, 3] } else { value };
        (key, value)
    });
    let damaged = State::from_leaves(damaged).unwrap();
    assert!(matches!(damaged.read(&account(1)), Err(StateError::Damaged { .. })));
    let transaction = grid.signed(1, pay(2, 1));
    let error = apply_block(&damaged, &[transaction], Height(1), UnixMs(0)).unwrap_err();
    assert!(matches!(error, BlockError::State(_)));
    let without_grid = leaves().filter(|(key, _)| *key != Key::Grid.to_bytes());
    let error = State::from_leaves(without_grid).unwrap_err();
    assert_eq!(error, StateError::Missing { key: Key::Grid });
}
