//! Which grid a home belongs to, and where its validators answer.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use acre_chain::PeerAddress;
use acre_ledger::Genesis;
use acre_types::PublicKey;
use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::exit::{Code, Failure, Outcome};
use crate::home::{Home, write_file};

const GENESIS: &str = "genesis";
const PEERS: &str = "peers.json";
const SOURCE: &str = "source.json";

/// A grid as its clients know it.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    pub(crate) genesis: Genesis,
    pub(crate) validators: Vec<(PublicKey, SocketAddr)>,
    /// Where the engines of validators listen, as far as that is known otherwise than from the
    /// ledger.
    pub(crate) engines: BTreeMap<PublicKey, SocketAddr>,
}

/// Where validators answer now; ports of a local grid may change from one start to the next.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Peer {
    pub(crate) key: PublicKey,
    /// For clients.
    pub(crate) address: SocketAddr,
    /// For other validators.
    #[serde(default)]
    pub(crate) engine: Option<SocketAddr>,
}

/// Where a home looks for the present addresses.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Source {
    grid: Option<PathBuf>,
}

impl Context {
    /// The grid whose genesis and peers lie in a directory.
    pub(crate) fn of_grid(grid: &Path) -> Outcome<Self> {
        Self::new(read_genesis(&grid.join(GENESIS))?, read_peers(grid)?)
    }

    /// The grid of a home.
    pub(crate) fn of_home(home: &Home) -> Outcome<Self> {
        let folder = home.context();
        let genesis = folder.join(GENESIS);
        if !genesis.exists() {
            let what = format!("{} belongs to no grid yet", home.root().display());
            return Err(Failure::new(Code::NotFound, what)
                .hint("acre up (a grid of your own), or acre grid join GRID")
                .into());
        }
        let genesis = read_genesis(&genesis)?;
        let source: Source = match std::fs::read(folder.join(SOURCE)) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .with_context(|| folder.join(SOURCE).display().to_string())?,
            Err(_) => Source::default(),
        };
        Self::new(genesis, source.grid.as_deref().map(read_peers).transpose()?.flatten())
    }

    /// Where validators of a local grid listen now, for one of them.
    pub(crate) fn peers(&self) -> BTreeMap<PublicKey, PeerAddress> {
        let address = |(key, rpc): &(PublicKey, SocketAddr)| {
            let engine = *self.engines.get(key)?;
            Some((*key, PeerAddress { engine, rpc: *rpc }))
        };
        self.validators.iter().filter_map(address).collect()
    }

    fn new(genesis: Genesis, peers: Option<Vec<Peer>>) -> Outcome<Self> {
        let Some(peers) = peers else {
            let validators = addresses_of(&genesis)?;
            return Ok(Self { genesis, validators, engines: BTreeMap::new() });
        };
        let validators = peers.iter().map(|peer| (peer.key, peer.address)).collect();
        let engines = peers.iter().filter_map(|peer| Some((peer.key, peer.engine?))).collect();
        Ok(Self { genesis, validators, engines })
    }

    /// That a home may belong to the grid of this genesis: one home belongs to one grid.
    ///
    /// # Errors
    /// It belongs to another one.
    pub(crate) fn may_belong(home: &Home, genesis: Option<&Genesis>) -> Outcome {
        // One whose copy of the genesis is damaged gets another.
        let Ok(Self { genesis: present, .. }) = Self::of_home(home) else { return Ok(()) };
        if genesis.is_some_and(|genesis| genesis.digest() == present.digest()) {
            return Ok(());
        }
        let (root, name, chain) = (home.root().display(), &present.name, present.digest());
        let what = format!("{root} belongs to the grid '{name}', chain {chain}");
        Err(Failure::new(Code::Conflict, what)
            .state("it was not changed")
            .hint("--home DIR with another directory: one home for each grid")
            .into())
    }

    /// Lets `home` belong to the grid that `given` names: a local grid's home, or a genesis file.
    ///
    /// # Errors
    /// There is no genesis, or the home belongs to another grid.
    pub(crate) fn adopt(home: &Home, given: &Path) -> Outcome<Self> {
        let given = std::path::absolute(given)?;
        let (file, grid) = if given.is_dir() {
            let grid = given.join("grid");
            (grid.join(GENESIS), Some(grid))
        } else {
            (given, None)
        };
        let genesis = read_genesis(&file)?;
        Self::may_belong(home, Some(&genesis))?;
        let folder = home.context();
        write_file(&folder.join(GENESIS), &genesis.to_bytes())?;
        write_file(&folder.join(SOURCE), &serde_json::to_vec_pretty(&Source { grid })?)?;
        Self::of_home(home)
    }
}

/// Writes the genesis of a new grid.
pub(crate) fn write_genesis(grid: &Path, genesis: &Genesis) -> Outcome {
    write_file(&grid.join(GENESIS), &genesis.to_bytes())
}

/// Whether a grid was made in this directory.
pub(crate) fn has_genesis(grid: &Path) -> bool {
    grid.join(GENESIS).exists()
}

/// Tells clients and nodes where the validators of a local grid answer now.
pub(crate) fn write_peers(grid: &Path, peers: &[Peer]) -> Outcome {
    write_file(&grid.join(PEERS), &serde_json::to_vec_pretty(&peers)?)
}

fn read_peers(grid: &Path) -> Outcome<Option<Vec<Peer>>> {
    let path = grid.join(PEERS);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).context(path.display().to_string()),
    };
    serde_json::from_slice(&bytes).map(Some).with_context(|| path.display().to_string())
}

/// The genesis of a grid that is named by a local grid's home or by its genesis file.
pub(crate) fn genesis_at(given: &Path) -> Outcome<Genesis> {
    let file = if given.is_dir() { given.join("grid").join(GENESIS) } else { given.to_owned() };
    read_genesis(&file)
}

/// The directory in which a process finds genesis and peers of a grid: that of a local grid, or
/// `dir`, into which a genesis file is copied.
pub(crate) fn grid_at(given: &Path, dir: &Path) -> Outcome<PathBuf> {
    let given = std::path::absolute(given)?;
    let genesis = genesis_at(&given)?;
    if given.is_dir() {
        return Ok(given.join("grid"));
    }
    write_genesis(dir, &genesis)?;
    Ok(dir.to_owned())
}

fn read_genesis(path: &Path) -> Outcome<Genesis> {
    let bytes = std::fs::read(path).map_err(|error| {
        Failure::new(Code::NotFound, format!("no genesis in {}: {error}", path.display()))
            .hint("name the home of a grid that `acre up` made, or its file grid/genesis")
    })?;
    Genesis::decode(&bytes).map_err(|error| {
        Failure::new(Code::Damaged, format!("{} is no genesis: {error}", path.display()))
            .state("nothing was changed")
            .into()
    })
}

fn addresses_of(genesis: &Genesis) -> Outcome<Vec<(PublicKey, SocketAddr)>> {
    genesis
        .validators
        .iter()
        .map(|validator| {
            let address = validator.rpc.as_str();
            let address = address.parse().with_context(|| format!("validator at '{address}'"))?;
            Ok((validator.key, address))
        })
        .collect()
}
