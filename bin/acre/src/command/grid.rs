//! `acre grid new`: the genesis of a grid of one's own, for a village, a company or a state.
//!
//! Nobody hands out a secret key: each validator's owner makes its directory and key himself
//! (`acre validator new`) and gives the founder one line of public text.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use acre_codec::List;
use acre_ledger::{
    Admission, CapacityRules, Fees, Genesis, GridKind, Parameters, Policy, Subject, Validator,
};
use acre_types::{Amount, PublicKey, Text, UnixMs};
use anyhow::Context as _;
use serde_json::json;

use crate::cli::{Admit, Kind, NewGrid, NewValidator};
use crate::context::{self, Context};
use crate::exit::{Code, Failure, Outcome};
use crate::home::{Home, write_file};
use crate::output::Output;
use crate::role;
use crate::setting::{self, Setting};

/// `acre validator new`.
pub(crate) fn validator(new: &NewValidator, out: &Output) -> Outcome {
    let dir = std::path::absolute(&new.dir)?;
    if dir.join("settings.json").exists() {
        let what = format!("{} holds a validator already", dir.display());
        return Err(Failure::new(Code::Conflict, what).state("it was not changed").into());
    }
    for address in [new.rpc, new.engine] {
        if address.port() == 0 {
            let what = format!("{address}: others must know the port, so it cannot be drawn");
            return Err(Failure::new(Code::Usage, what).state("nothing was made").into());
        }
        if address.ip().is_unspecified() {
            let what = format!("{address}: others cannot dial it; name an address of this machine");
            return Err(Failure::new(Code::Usage, what).state("nothing was made").into());
        }
    }
    if new.rpc == new.engine {
        let what = format!("--rpc and --engine are both {}: each needs a port of its own", new.rpc);
        return Err(Failure::new(Code::Usage, what).state("nothing was made").into());
    }
    let grid = match &new.grid {
        // The genesis is put beside the key when the grid has one.
        None => dir.clone(),
        Some(given) => context::grid_at(given, &dir)?,
    };
    let key = role::key(&dir)?.public();
    let settings = role::validator::Settings { grid, rpc: new.rpc, engine: new.engine };
    role::write_settings(&dir, &settings)?;
    let line = format!("{key},{},{}", new.engine, new.rpc);
    let report = json!({
        "id": key, "engine": new.engine.to_string(), "rpc": new.rpc.to_string(), "line": line,
    });
    match new.grid {
        None => out.note("Give this line to whoever makes the genesis (acre grid new --validator LINE), put the genesis file into the directory, then: acre validator run --dir DIR"),
        Some(_) => out.note("Run it: acre validator run --dir DIR    and stand for a seat: acre validator join --dir DIR"),
    }
    out.data(&report, || line.clone());
    Ok(())
}

/// `acre grid new`.
pub(crate) fn new(new: &NewGrid, out: &Output) -> Outcome {
    if new.out.exists() {
        let what = format!("{} exists already", new.out.display());
        return Err(Failure::new(Code::Conflict, what).state("it was not changed").into());
    }
    crate::home::must_have_folder(&new.out)?;
    let genesis = genesis(new)?;
    // Whatever is wrong with it is told now, not by validators that do not start.
    let wrong = |error: &dyn std::error::Error| {
        Failure::new(Code::Usage, crate::asking::causes(error)).state("no genesis was written")
    };
    let state = genesis.state().map_err(|error| wrong(&error))?;
    write_file(&new.out, &genesis.to_bytes())?;
    let seats = genesis.validators.len();
    let report = json!({
        "genesis": new.out.display().to_string(), "chain": genesis.digest(),
        "state_root": state.root(), "name": genesis.name, "kind": genesis.kind.name(),
        "validators": seats,
    });
    out.data(&report, || {
        format!(
            "{} is the genesis of '{}', chain {}.\n\
             Put it as `genesis` into the directory of each of its {seats} validators and run them: acre validator run --dir DIR\n\
             Members: acre id new, then acre grid join {}",
            new.out.display(),
            genesis.name,
            genesis.digest(),
            new.out.display(),
        )
    });
    if seats < 4 {
        out.warn(&format!("{seats} validators bear no loss of one; 4 do"));
    }
    Ok(())
}

/// `acre grid join`.
pub(crate) fn join(home: &Home, grid: &Path, out: &Output) -> Outcome {
    let genesis = context::genesis_at(grid)?;
    Context::adopt(home, grid)?;
    if !home.has_identity() {
        out.note("This home has no identity yet: acre id new");
    }
    tell(&genesis, out)
}

/// `acre grid show`.
pub(crate) fn show(home: &Home, grid: Option<&Path>, out: &Output) -> Outcome {
    let genesis = match grid {
        Some(grid) => context::genesis_at(grid)?,
        None => Context::of_home(home)?.genesis,
    };
    tell(&genesis, out)
}

fn tell(genesis: &Genesis, out: &Output) -> Outcome {
    let admission = |name: &str| {
        let setting = Setting::all().iter().find(|setting| setting.name == name);
        setting.map(|setting| setting.value(&genesis.parameters)).unwrap_or_default()
    };
    let validators: Vec<_> = (genesis.validators.iter())
        .map(|one| json!({ "id": one.key, "engine": one.engine, "rpc": one.rpc }))
        .collect();
    let [accounts, farms, seats] =
        ["admission.accounts", "admission.farms", "admission.validators"].map(admission);
    let report = json!({
        "name": genesis.name, "chain": genesis.digest(), "kind": genesis.kind.name(),
        "time_ms": genesis.time, "foundation": genesis.foundation, "validators": validators,
        "admission": { "accounts": accounts, "farms": farms, "validators": seats },
    });
    out.data(&report, || {
        let mut text = vec![
            format!("'{}', a {} grid", genesis.name, genesis.kind.name()),
            format!("chain {}", genesis.digest()),
            format!("admission: accounts {accounts}, farms {farms}, validators {seats}"),
        ];
        text.extend(
            genesis
                .validators
                .iter()
                .map(|one| format!("validator {} at {}", one.key, one.rpc.as_str())),
        );
        text.join("\n")
    });
    Ok(())
}

fn genesis(new: &NewGrid) -> Outcome<Genesis> {
    let usage = |error: acre_types::ParseError| Failure::new(Code::Usage, error);
    let validators: Vec<Validator> =
        new.validators.iter().map(|line| seat(line)).collect::<Outcome<_>>()?;
    let (kind, capacity) = match new.kind {
        Kind::Live => (GridKind::Live, CapacityRules::default()),
        Kind::Test => (GridKind::Test, CapacityRules::default()),
    };
    let policy = |admit: Admit| match admit {
        Admit::Open => Policy::Open,
        Admit::Vote => Policy::ByVote,
    };
    let admission = Admission {
        accounts: policy(new.accounts),
        farms: policy(new.farms),
        validators: policy(new.seats),
    };
    let fees = if new.free {
        Fees { transaction: Amount::ZERO, byte: Amount::ZERO, place: Amount::ZERO }
    } else {
        Fees::default()
    };
    let mut grants = Vec::new();
    for grant in &new.grants {
        let (account, amount) = grant.split_once('=').context("a grant is written ACCOUNT=TFT")?;
        let account = account.parse().map_err(usage)?;
        grants.push((account, amount.parse().map_err(|error| Failure::new(Code::Usage, error))?));
    }
    let mut admitted = vec![];
    for account in &new.admitted {
        let account = account.parse().map_err(usage)?;
        admitted.extend([Subject::Account(account), Subject::Farmer(account)]);
    }
    let parameters = Parameters { fees, capacity, admission, ..Parameters::default() };
    let (parameters, _) = setting::apply(&parameters, &new.settings, kind)?;
    let since = SystemTime::now().duration_since(UNIX_EPOCH)?;
    Ok(Genesis {
        name: Text::new(&*new.name).map_err(|error| Failure::new(Code::Usage, error))?,
        kind,
        time: UnixMs(u64::try_from(since.as_millis())?),
        validators: List::new(validators)?,
        parameters,
        foundation: new.foundation,
        admitted: List::new(admitted)?,
        grants: List::new(grants)?,
    })
}

/// A line that `acre validator new` printed.
fn seat(line: &str) -> Outcome<Validator> {
    let wrong = |why: &str| {
        let what = format!("'{line}' is no validator: {why}");
        Failure::new(Code::Usage, what).hint("acre validator new prints the line that is meant")
    };
    let mut parts = line.trim().split(',');
    let (Some(key), Some(engine), Some(rpc), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(wrong("it needs KEY,ENGINE,RPC").into());
    };
    let key: PublicKey = key.parse().map_err(|_| wrong("its key is none"))?;
    let engine: SocketAddr = engine.parse().map_err(|_| wrong("its engine has no address"))?;
    Ok(Validator { key, engine: Text::new(engine.to_string())?, rpc: Text::new(rpc)? })
}
