//! Making the contract of a new volume: places that answer, room for what is to come, paid ahead.

use std::collections::BTreeSet;
use std::sync::Arc;

use acre_chain::Refused;
use acre_codec::List;
use acre_ledger::price::{PlaceTerms, WHOLE_WEIGHT, quote};
use acre_ledger::{
    Action, Capacity, NewContract, NewKind, NewStorage, NodeState, SignedTransaction, place_bytes,
};
use acre_net::rpc::{Caller, Message};
use acre_store::machine::placement::{Candidate, Placement, choose};
use acre_store::protocol::{Reply, Request, decode_reply};
use acre_types::{Amount, Bytes, NodeId, Profile};
use tokio::task::JoinSet;

use crate::limits::{
    CREATE_PAUSE, CREATE_TRIES, PERIOD_MS, PLACEMENT_ROUNDS, PROBE_TIMEOUT, VOLUME_BYTES_LEAST,
    VOLUME_BYTES_MIN,
};
use crate::shared::Core;
use crate::volume::Volume;
use crate::{ClientError, random};

/// What the fee of the transaction may be at most, for the check before it is made.
const FEE_ROOM: Amount = Amount(1_000_000);

/// The volume of a profile that takes new data; made if there is none.
///
/// # Errors
/// [`ClientError::NotEnoughPlaces`], [`ClientError::NotEnoughFunds`], [`ClientError::Ledger`].
pub(crate) async fn find_or_create(
    core: &Arc<Core>,
    profile: Profile,
    bytes: Bytes,
) -> Result<Arc<Volume>, ClientError> {
    let is_open = |volume: &&Arc<Volume>| volume.profile == profile && volume.check_live().is_ok();
    if let Some(volume) = core.volumes().await?.iter().find(is_open) {
        return Ok(Arc::clone(volume));
    }
    // Another device may have made one just now.
    if let Some(volume) = core.refresh().await?.iter().find(is_open) {
        return Ok(Arc::clone(volume));
    }
    for _ in 0..CREATE_TRIES {
        let signed = prepare(core, profile, bytes).await?;
        // The transaction's number was read before this look: if another contract comes between,
        // the ledger refuses the number, and nobody ends with two volumes.
        if let Some(volume) = core.refresh().await?.iter().find(is_open) {
            return Ok(Arc::clone(volume));
        }
        match core.ledger.send(&signed).await {
            Err(acre_chain::ClientError::Refused(
                Refused::NonceUsed { .. } | Refused::NumberTaken { .. },
            )) => tokio::time::sleep(CREATE_PAUSE).await,
            done => {
                done?;
                let volumes = core.refresh().await?;
                let made = volumes.iter().rfind(|volume| volume.profile == profile);
                let made = made.ok_or(ClientError::Closed)?;
                made.check_live()?;
                return Ok(Arc::clone(made));
            }
        }
    }
    let error = acre_chain::ClientError::Refused(Refused::PoolFull);
    Err(ClientError::Ledger(error))
}

/// A signed transaction that makes a contract of this profile, for as much as is needed.
async fn prepare(
    core: &Arc<Core>,
    profile: Profile,
    bytes: Bytes,
) -> Result<SignedTransaction, ClientError> {
    let least = bytes.max(VOLUME_BYTES_LEAST);
    let mut bytes = bytes.max(VOLUME_BYTES_MIN);
    let placement = loop {
        match place(core, profile, place_bytes(profile, bytes)).await {
            // Less will do for now; it grows when it must.
            Err(ClientError::NotEnoughPlaces { too_full: 1.., .. }) if bytes > least => {
                bytes = Bytes(bytes.0 / 2).max(least);
            }
            placement => break placement?,
        }
    };
    let places = [placement.primaries, placement.spares].concat();
    let ordinal = core.ledger.account(core.account).await?.contracts;
    let writer = core.identity.volume(ordinal).writer();
    let places = List::new(places).expect("no profile has more places than a contract takes");
    let kind = NewKind::Storage(NewStorage { profile, places, bytes, writer });
    let new = NewContract { kind, period_ms: PERIOD_MS, budget: Amount(u64::MAX) };
    let budget = check_funds(core, &new, bytes).await?;
    let new = NewContract { budget, ..new };
    let key = core.identity.account();
    let actions = [Action::CreateContract(new)];
    let signed = core.ledger.prepare(core.account, &key, &actions).await?;
    signed.into_iter().next().ok_or(ClientError::Closed)
}

/// The most that the contract may cost: as if every place were certified. The account must hold it.
async fn check_funds(core: &Core, new: &NewContract, bytes: Bytes) -> Result<Amount, ClientError> {
    let parameters = core.ledger.parameters().await?;
    let token = core.ledger.token_price().await?;
    let held = core.ledger.account(core.account).await?.balance;
    let places = match &new.kind {
        NewKind::Storage(storage) => storage.places.len(),
        _ => 0,
    };
    let weight = WHOLE_WEIGHT + u32::from(parameters.prices.certified_permille);
    let place = PlaceTerms { weight, capacity: Capacity::default() };
    let price = quote(&parameters, token, new, &vec![place; places]).ok();
    let budget = price.and_then(|quote| quote.total()).unwrap_or(Amount(u64::MAX));
    let wanted = budget.checked_add(FEE_ROOM).unwrap_or(Amount(u64::MAX));
    if held < wanted {
        return Err(ClientError::NotEnoughFunds { held, wanted, bytes });
    }
    Ok(budget)
}

/// Places for a contract, all of which answer now.
async fn place(core: &Core, profile: Profile, per_place: Bytes) -> Result<Placement, ClientError> {
    let seed = random::number()?;
    let (mut alive, mut silent) = (BTreeSet::new(), BTreeSet::new());
    let mut round = 0;
    loop {
        let candidates = candidates(core, |node| !silent.contains(&node));
        let placement = match choose(profile, &candidates, per_place, seed) {
            Ok(placement) => placement,
            Err(shortage) => {
                return Err(ClientError::NotEnoughPlaces {
                    profile,
                    eligible: shortage.eligible,
                    missing: shortage.missing,
                    too_full: shortage.too_full,
                    silent: silent.len(),
                    fits: shortage.fits,
                });
            }
        };
        let chosen = placement.primaries.iter().chain(&placement.spares);
        let unknown: Vec<_> = chosen.copied().filter(|node| !alive.contains(node)).collect();
        if unknown.is_empty() || round == PLACEMENT_ROUNDS {
            return Ok(placement);
        }
        round += 1;
        for (node, answers) in probe(&core.caller, unknown).await {
            if answers {
                alive.insert(node)
            } else {
                silent.insert(node)
            };
        }
    }
}

/// Active nodes as the ledger describes them.
pub(crate) fn candidates(core: &Core, is_wanted: impl Fn(NodeId) -> bool) -> Vec<Candidate> {
    let nodes = core.nodes();
    let active = nodes.iter().filter(|(_, node)| node.state == NodeState::Active);
    active
        .filter(|(id, _)| is_wanted(**id))
        .map(|(id, node)| Candidate {
            node: *id,
            site: node.site.as_str().to_owned(),
            operator: node.operator,
            country: node.country,
            free: node.free(),
            failures: 0,
        })
        .collect()
}

/// Which of these nodes answer.
pub(crate) async fn probe(caller: &Caller, nodes: Vec<NodeId>) -> Vec<(NodeId, bool)> {
    let mut asking = JoinSet::new();
    for node in nodes {
        let caller = caller.clone();
        asking.spawn(async move {
            let message = Message::new(acre_codec::encode(&Request::Status), bytes::Bytes::new());
            let reply = caller.call(node.key(), message, PROBE_TIMEOUT).await;
            let answers =
                reply.is_ok_and(|reply| matches!(decode_reply(&reply.meta), Ok(Reply::Status(_))));
            (node, answers)
        });
    }
    asking.join_all().await
}
