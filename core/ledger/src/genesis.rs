//! Where a grid begins.

use std::collections::BTreeSet;

use acre_codec::List;
use acre_crypto::Hasher;
use acre_types::{AccountId, Amount, Digest, Epoch, Height, PublicKey, Text, UnixMs};
use borsh::{BorshDeserialize, BorshSerialize};

use crate::error::GenesisError;
use crate::key::Key;
use crate::limits::{ADMITTED_MAX, RULES_KNOWN};
use crate::limits::{GENESIS_BYTES_MAX, GRANTS_MAX, NAME_BYTES_MAX, VALIDATORS_MAX};
use crate::map::Map;
use crate::object::{
    Account, Address, AnyObject, BackingNodes, Beacon, Candidate, EpochState, Grid, GridKind,
    Object, Parameters, Seat, SeatList, Seats, Standing, Totals, are_dialable,
};
use crate::object::{Admitted, Entry, Policy, Subject};
use crate::state::State;

/// One who makes blocks from the start.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Validator {
    /// Signs its votes.
    pub key: PublicKey,
    /// Where other validators reach it: an IP address and a port.
    pub engine: Address,
    /// Where readers ask it: host and port.
    pub rpc: Address,
}

/// Everything a grid starts from. Its digest is the id of the chain.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Genesis {
    /// For people.
    pub name: Text<NAME_BYTES_MAX>,
    /// Local, test or live.
    pub kind: GridKind,
    /// Time of genesis; tells two grids of one name apart.
    pub time: UnixMs,
    /// Who makes blocks.
    pub validators: List<Validator, VALIDATORS_MAX>,
    /// Prices and fees.
    pub parameters: Parameters,
    /// Receives its share of what contracts pay.
    pub foundation: AccountId,
    /// Who takes part from the start, beside the validators and all accounts that are named here.
    pub admitted: List<Subject, ADMITTED_MAX>,
    /// Tokens from nothing, for local and test grids only; one account named twice gets both.
    pub grants: List<(AccountId, Amount), GRANTS_MAX>,
}

impl Genesis {
    /// The id of the chain: BLAKE3 in a context of its own, of the canonical bytes.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Hasher::new("acre 2026-11 genesis").update(&self.to_bytes()).finish()
    }

    /// The canonical bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        acre_codec::encode(self)
    }

    /// From a stranger's bytes, checked.
    ///
    /// # Errors
    /// Bytes that are no genesis, or one that [`Genesis::state`] refuses.
    pub fn decode(bytes: &[u8]) -> Result<Self, GenesisError> {
        let genesis: Self = acre_codec::decode_bounded(bytes, GENESIS_BYTES_MAX)?;
        genesis.check()?;
        Ok(genesis)
    }

    /// Whether a grid can begin like this.
    ///
    /// # Errors
    /// The first thing that is wrong, by name: see [`GenesisError`].
    pub fn check(&self) -> Result<(), GenesisError> {
        self.granted().map(|_| ())
    }

    /// The sum of all grants of a sound genesis.
    fn granted(&self) -> Result<Amount, GenesisError> {
        if !self.kind.allows_grants() && !self.grants.is_empty() {
            let grants = self.grants.len();
            return Err(GenesisError::PreMine { kind: self.kind.name(), grants });
        }
        let mut keys: Vec<_> = self.validators.iter().map(|validator| validator.key).collect();
        keys.sort();
        keys.dedup();
        if keys.is_empty() || keys.len() != self.validators.len() {
            return Err(GenesisError::Validators);
        }
        let unreachable = |validator: &Validator| !are_dialable(&validator.engine, &validator.rpc);
        if let Some(index) = self.validators.iter().position(unreachable) {
            return Err(GenesisError::ValidatorAddress { index });
        }
        if self.name.as_str().is_empty() {
            return Err(GenesisError::Nameless);
        }
        self.parameters.check_for(self.kind)?;
        if self.parameters.rules.version > RULES_KNOWN {
            return Err(GenesisError::Parameter { what: "rules.version" });
        }
        self.check_seats()?;
        let grants = self.grants.iter().map(|(_, amount)| *amount);
        grants
            .into_iter()
            .try_fold(Amount::ZERO, Amount::checked_add)
            .ok_or(GenesisError::TooManyTokens)
    }

    /// Epoch 0 has no nodes, so its seed decides nothing; it only starts the beacon.
    fn first_epoch(&self, chain: Digest) -> EpochState {
        EpochState {
            number: Epoch(0),
            began: self.time,
            span_ms: self.parameters.capacity.epoch_ms,
            seed: Hasher::new("acre 2026-11 first seed").update(&chain.0).finish(),
            nodes: 0,
            witnesses: self.parameters.capacity.witnesses,
            joined: 0,
            past: None,
        }
    }

    /// The state before the first block.
    ///
    /// # Errors
    /// Grants on a live grid, missing or doubled validators, sums or parameters out of range.
    pub fn state(&self) -> Result<State, GenesisError> {
        let minted = self.granted()?;
        let grid = Grid {
            chain: self.digest(),
            name: self.name.clone(),
            kind: self.kind,
            foundation: self.foundation,
            started: self.time,
        };
        let mut accounts = std::collections::BTreeMap::<AccountId, Account>::new();
        for (id, amount) in self.grants.iter() {
            let account = accounts.entry(*id).or_default();
            account.balance =
                account.balance.checked_add(*amount).ok_or(GenesisError::TooManyTokens)?;
        }
        accounts.retain(|_, account| *account != Account::default());
        let candidates = self.candidates();
        let count = u32::try_from(candidates.len()).unwrap_or(u32::MAX);
        let entry = |key: Key, object: AnyObject| (key.to_bytes(), Some(object.to_bytes()));
        let mut leaves = vec![
            entry(Key::Grid, grid.clone().wrap()),
            entry(Key::Totals, Totals { minted, candidates: count, ..Totals::default() }.wrap()),
            entry(Key::Parameters, self.parameters.clone().wrap()),
            entry(Key::Epoch, self.first_epoch(grid.chain).wrap()),
            entry(Key::Beacon, Beacon::of(self.validators.iter().map(|one| one.key)).wrap()),
        ];
        leaves.push(entry(Key::Seats, self.seats().wrap()));
        for subject in self.subjects() {
            let admitted = Admitted { entry: Entry::Admit, number: 1 };
            leaves.push(entry(Key::Admitted(subject), admitted.wrap()));
        }
        for (key, candidate) in candidates {
            leaves.push(entry(Key::CandidateAt(candidate.index), key.wrap()));
            leaves.push(entry(Key::CandidateOf(candidate.account), key.wrap()));
            leaves.push(entry(Key::Candidate(key), candidate.wrap()));
        }
        leaves.extend(
            accounts.into_iter().map(|(id, account)| entry(Key::Account(id), account.wrap())),
        );
        Ok(State::new(Map::default().update(leaves), grid))
    }

    fn check_seats(&self) -> Result<(), GenesisError> {
        let (validators, seats) = (self.validators.len(), self.parameters.seats.seats_max);
        if u32::try_from(validators).is_ok_and(|validators| validators <= seats) {
            return Ok(());
        }
        Err(GenesisError::TooFewSeats { validators, seats })
    }

    /// Everybody whom this genesis names.
    fn subjects(&self) -> BTreeSet<Subject> {
        let mut subjects: BTreeSet<_> = self.admitted.iter().copied().collect();
        for validator in self.validators.iter() {
            subjects.insert(Subject::Validator(validator.key));
            subjects.insert(Subject::Account(validator.key.into()));
        }
        let granted = self.grants.iter().map(|(account, _)| *account);
        let named = granted.chain([self.foundation]);
        // Where all are in, nothing is to be remembered.
        let is_closed = self.parameters.admission.accounts != Policy::Open;
        subjects.extend(named.filter(|_| is_closed).map(Subject::Account));
        subjects
    }

    /// All validators have seats in term 0.
    fn seats(&self) -> Seats {
        let mut members: Vec<Seat> = self
            .validators
            .iter()
            .map(|it| Seat { validator: it.key, engine: it.engine.clone(), rpc: it.rpc.clone() })
            .collect();
        members.sort_by_key(|seat| seat.validator);
        let members = SeatList::new(members).expect("as many seats as validators of a genesis");
        Seats { term: 0, members, next: SeatList::default() }
    }

    /// Each validator is a candidate of its own account, without any stake.
    fn candidates(&self) -> Vec<(PublicKey, Candidate)> {
        let candidate = |(index, validator): (u32, &Validator)| {
            let candidate = Candidate {
                account: AccountId::from(validator.key),
                engine: validator.engine.clone(),
                rpc: validator.rpc.clone(),
                stake: Amount::ZERO,
                releases: List::default(),
                nodes: BackingNodes::default(),
                standing: Standing::Standing,
                registered: Height(0),
                index,
                missed: 0,
            };
            (validator.key, candidate)
        };
        (0..).zip(self.validators.iter()).map(candidate).collect()
    }
}
