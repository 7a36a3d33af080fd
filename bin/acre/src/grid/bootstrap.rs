//! From an empty directory to a running grid; every step may be repeated after a crash.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use acre_chain::LedgerClient;
use acre_codec::List;
use acre_crypto::{Phrase, Secret, SigningKey};
use acre_ledger::{
    Action, CapacityRules, Genesis, GridKind, JoinToken, Parameters, SignedJoinToken, Validator,
};
use acre_store::keys::Identity;
use acre_types::{AccountId, Amount, Bytes, FarmId, NodeId, Text, UnixMs};
use anyhow::{Context as _, anyhow};
use tokio::task::JoinSet;

use super::control::Kind;
use super::plan::{self, Place};
use super::port::Ports;
use super::process::{self, Running, Spec};
use super::supervisor::Supervisor;
use crate::asking::ledger_client;
use crate::context::{self, Context, Peer};
use crate::exit::Outcome;
use crate::home::{Home, write_secret};
use crate::{random, role};

/// What the owner of a local grid starts with. Worth nothing outside it.
const USER_GRANT_TFT: u64 = 1_000_000;
/// What each operator starts with: for fees.
const OPERATOR_GRANT_TFT: u64 = 100;
/// Operators that a genesis provides for, so that a grid can grow to so many nodes.
const OPERATORS_MAX: usize = 200;
/// Visits to a node in a short epoch: one that was missed leaves another.
const SHORT_EPOCH_VISITS: u64 = 2;
/// A join token is used within seconds; a day covers any pause.
const TOKEN_LIFE_MS: u64 = 24 * 3600 * 1000;

const OPERATOR: &str = "acre 2026-11 operator of a local grid";
const FOUNDATION: &str = "acre 2026-11 foundation of a local grid";

/// What to start.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) nodes: usize,
    pub(crate) validators: usize,
    pub(crate) capacity: Bytes,
    /// Of a grid that is made now; one that there was keeps its own.
    pub(crate) parameters: Parameters,
    /// What each new node fills to show that it is free.
    pub(crate) plots: Bytes,
}

/// Tells how far it is; the supervisor's terminal or nobody listens.
pub(crate) type Progress<'a> = &'a (dyn Fn(&str) + Sync);

/// Starts everything and returns the supervisor that keeps it.
pub(crate) async fn start(home: &Home, plan: Plan, say: Progress<'_>) -> Outcome<Supervisor> {
    let grid = home.grid();
    let seed = seed(&grid)?;
    if !home.has_identity() {
        home.keep(&Phrase::from_entropy(random::bytes()?))?;
    }
    let mut supervisor = Supervisor::new();
    if !context::has_genesis(&grid) {
        make_genesis(&grid, &plan, &seed, home)?;
    }
    let started = validators(&grid).await?;
    let count = started.len();
    for (spec, running) in started {
        supervisor.adopt(Kind::Validator, spec, None, running);
    }
    let context = Context::adopt(home, home.root())?;
    say(&match count {
        1 => "the validator makes blocks".to_owned(),
        _ => format!("{count} validators make blocks"),
    });
    if count != plan.validators {
        say(&format!("this grid was made with {count} validators, and keeps them"));
    }

    let ledger = ledger_client(&context).await?;
    let started = nodes(&grid, &plan, &seed, &ledger).await;
    let started = match started {
        Ok(started) => started,
        Err(error) => {
            supervisor.end_all().await;
            return Err(error);
        }
    };
    let count = started.len();
    for (spec, place, running) in started {
        supervisor.adopt(Kind::Node, spec, Some(place), running);
    }
    say(&format!("{count} nodes serve"));

    let dir = grid.join("gateway");
    role::gateway::prepare(&dir, &grid)?;
    let spec = Spec { name: "the gateway".into(), role: &["gateway", "run"], dir };
    let gateway = process::start(&spec).await?;
    supervisor.adopt(Kind::Gateway, spec, None, gateway);
    Ok(supervisor)
}

fn seed(grid: &Path) -> Outcome<Secret> {
    let path = grid.join("seed");
    match std::fs::read(&path) {
        Ok(bytes) => {
            let bytes = <[u8; 32]>::try_from(bytes.as_slice())
                .map_err(|_| anyhow!("{} is not a seed of 32 bytes", path.display()))?;
            Ok(Secret::new(bytes))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let seed = random::secret()?;
            write_secret(&path, seed.expose())?;
            Ok(seed)
        }
        Err(error) => Err(error).context(path.display().to_string()),
    }
}

fn operator(seed: &Secret, number: usize) -> SigningKey {
    SigningKey::from_seed(seed.derive(OPERATOR, &(number as u64).to_le_bytes()))
}

/// The directory of a local grid's validator.
fn validator_dir(grid: &Path, number: usize) -> PathBuf {
    grid.join("validators").join(number.to_string())
}

/// Starts all validators that the grid was made with. A port that was taken since the last start
/// is drawn anew, and the others hear of it before they start.
async fn validators(grid: &Path) -> Outcome<Vec<(Spec, Running)>> {
    let count = std::fs::read_dir(grid.join("validators")).map_or(0, Iterator::count);
    let (mut ports, mut peers) = (Ports::new(), Vec::new());
    for number in 0..count {
        let dir = validator_dir(grid, number);
        let mut settings: role::validator::Settings = role::read_settings(&dir)?;
        for address in [&mut settings.rpc, &mut settings.engine] {
            if TcpListener::bind(*address).is_err() {
                *address = ports.draw()?;
            }
        }
        role::write_settings(&dir, &settings)?;
        let key = role::key(&dir)?.public();
        peers.push(Peer { key, address: settings.rpc, engine: Some(settings.engine) });
    }
    context::write_peers(grid, &peers)?;
    let mut starting = JoinSet::new();
    for number in 0..count {
        let name =
            if count == 1 { "the validator".to_owned() } else { format!("validator {number}") };
        let spec = Spec { name, role: &["validator", "run"], dir: validator_dir(grid, number) };
        starting.spawn(async move {
            let running = process::start(&spec).await?;
            Ok::<_, anyhow::Error>((number, (spec, running)))
        });
    }
    let mut started = Vec::new();
    while let Some(done) = starting.join_next().await {
        started.push(done??);
    }
    started.sort_by_key(|(number, _)| *number);
    Ok(started.into_iter().map(|(_, started)| started).collect())
}

/// Lets an epoch last so long, with as many visits as fit, two at least, and a month that is an epoch,
/// as on any local grid.
pub(crate) fn set_epoch(parameters: &mut Parameters, epoch: Duration) -> Outcome {
    let usual = CapacityRules::local();
    let epoch_ms = u64::try_from(epoch.as_millis())?;
    let visits = u64::from(usual.slots).saturating_mul(epoch_ms) / usual.epoch_ms;
    let visits = visits.clamp(SHORT_EPOCH_VISITS, usual.slots.into());
    parameters.capacity.slots = u16::try_from(visits)?;
    parameters.capacity.epoch_ms = epoch_ms;
    parameters.minting.month_ms = epoch_ms;
    Ok(())
}

fn make_genesis(grid: &Path, plan: &Plan, seed: &Secret, home: &Home) -> Outcome {
    let user = Identity::new(home.phrase()?.root()).account_id();
    let tft = |whole| Amount::tft(whole).context("a grant is in range");
    let mut grants = vec![(user, tft(USER_GRANT_TFT)?)];
    for number in 0..OPERATORS_MAX {
        let account = AccountId::from(operator(seed, number).public());
        grants.push((account, tft(OPERATOR_GRANT_TFT)?));
    }
    let (mut ports, mut first) = (Ports::new(), Vec::new());
    for number in 0..plan.validators {
        let dir = validator_dir(grid, number);
        let (rpc, engine) = (ports.draw()?, ports.draw()?);
        let settings = role::validator::Settings { grid: grid.to_path_buf(), rpc, engine };
        role::write_settings(&dir, &settings)?;
        let key = role::key(&dir)?.public();
        first.push(Validator {
            key,
            engine: Text::new(engine.to_string())?,
            rpc: Text::new(rpc.to_string())?,
        });
    }
    let foundation = SigningKey::from_seed(seed.derive(FOUNDATION, b"")).public();
    let genesis = Genesis {
        name: Text::new("local grid")?,
        kind: GridKind::Local,
        time: now()?,
        validators: List::new(first)?,
        parameters: plan.parameters.clone(),
        foundation: foundation.into(),
        admitted: List::default(),
        grants: List::new(grants)?,
    };
    context::write_genesis(grid, &genesis)
}

fn now() -> Outcome<UnixMs> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH)?;
    Ok(UnixMs(u64::try_from(since.as_millis())?))
}

type Started = (Spec, Place, Running);

/// Makes farms and starts nodes, all at once; those that an earlier start made are kept.
async fn nodes(
    grid: &Path,
    plan: &Plan,
    seed: &Secret,
    ledger: &LedgerClient,
) -> Outcome<Vec<Started>> {
    let folder = grid.join("nodes");
    let existing = std::fs::read_dir(&folder).map_or(0, Iterator::count);
    let mut starting = JoinSet::new();
    for number in 0..plan.nodes.max(existing) {
        let dir = folder.join(format!("{number:02}"));
        let (operator, ledger, grid) = (operator(seed, number), ledger.clone(), grid.to_owned());
        let space = Space { capacity: plan.capacity, plots: plan.plots };
        starting.spawn(async move {
            let place = plan::place(number);
            prepare(&dir, &grid, &place, space, &operator, &ledger).await?;
            let name = format!("node {number:02} in {}", place.site);
            let spec = Spec { name, role: &["node", "run"], dir };
            let running = process::start(&spec).await?;
            Ok::<_, anyhow::Error>((number, (spec, place, running)))
        });
    }
    let mut started = Vec::new();
    while let Some(done) = starting.join_next().await {
        started.push(done??);
    }
    started.sort_by_key(|(number, _)| *number);
    Ok(started.into_iter().map(|(_, started)| started).collect())
}

/// What a node offers, and how much of it is filled to show that it is free.
#[derive(Clone, Copy)]
struct Space {
    capacity: Bytes,
    plots: Bytes,
}

/// Gives a new node its directory and its farm's token.
async fn prepare(
    dir: &Path,
    grid: &Path,
    place: &Place,
    space: Space,
    operator: &SigningKey,
    ledger: &LedgerClient,
) -> Outcome {
    if dir.join("settings.json").exists() {
        return Ok(());
    }
    let key = role::key(dir)?.public();
    let farm = farm(place, operator, ledger).await?;
    let expires = UnixMs(now()?.0.saturating_add(TOKEN_LIFE_MS));
    let token = JoinToken { chain: ledger.chain(), farm, node: Some(NodeId::from(key)), expires };
    role::node::write_token(dir, &SignedJoinToken::new(token, operator))?;
    let settings = role::node::Settings {
        grid: grid.to_owned(),
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        site: place.site.clone(),
        country: place.country,
        capacity_bytes: space.capacity.0,
        plot_bytes: space.plots.0,
    };
    role::write_settings(dir, &settings)
}

/// The operator's farm, made if there is none yet.
async fn farm(place: &Place, operator: &SigningKey, ledger: &LedgerClient) -> Outcome<FarmId> {
    let account = AccountId::from(operator.public());
    let first = |farms: Vec<(FarmId, _)>| farms.first().map(|(id, _)| *id);
    if let Some(farm) = first(ledger.farms_of(account).await?) {
        return Ok(farm);
    }
    let action = Action::CreateFarm { name: Text::new(&*place.farm)?, payout: account };
    ledger.submit(operator, action).await?;
    first(ledger.farms_of(account).await?).context("a farm just made is on the ledger")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_length_of_an_epoch_that_can_be_asked_for_makes_valid_rules() {
        let with = |seconds| {
            let mut parameters = Parameters::local();
            set_epoch(&mut parameters, Duration::from_secs(seconds)).unwrap();
            parameters
        };
        assert_eq!(with(60), Parameters::local());
        for (seconds, visits) in [(2, 2), (5, 2), (30, 3), (59, 5), (3600, 6)] {
            let made = with(seconds);
            assert_eq!(made.check(), Ok(()), "{seconds} s");
            assert_eq!(made.capacity.slots, visits, "{seconds} s");
            assert_eq!(made.minting.month_ms, made.capacity.epoch_ms);
        }
    }
}
