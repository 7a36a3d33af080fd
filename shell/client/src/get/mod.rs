//! Reading back: a plan of packs, fetched ahead and opened in parallel, written aside and renamed
//! into place at the end.
//!
//! The plan follows the tree, and so mostly the order in which packs were filled: neighbouring
//! chunks of a pack are read together, up to whole packs; a lone small file is one request.

mod output;
mod plan;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use acre_store::tree::{Entry, Kind, Name, parse};
use tokio::runtime::Handle;

use crate::meter::Meter;
use crate::object::given_path;
use crate::report::GetReport;
use crate::shared::Core;
use crate::space::View;
use crate::{ClientError, Wanted};
use output::{Output, check_free};
use plan::Planner;

/// Something found, with the volume it is in.
pub(crate) struct Found {
    pub(crate) view: View,
    pub(crate) path: Vec<Name>,
    pub(crate) entry: Entry,
}

/// Finds what is wanted, in every volume that has it: a directory may be in several.
pub(crate) fn find(
    core: &Arc<Core>,
    handle: &Handle,
    wanted: &Wanted,
) -> Result<Vec<Found>, ClientError> {
    let mut found: Vec<Found> = Vec::new();
    let volumes = match wanted {
        Wanted::Path(_) => handle.block_on(core.volumes())?,
        Wanted::Object(object) => {
            handle.block_on(core.find(object.contract))?.into_iter().collect()
        }
    };
    for volume in volumes {
        let mut view = View::open(core, &volume, handle)?;
        let path = match wanted {
            Wanted::Path(path) => given_path(path)?,
            Wanted::Object(object) => match view.object(object.number)? {
                Some(path) => parse(&path)?,
                None => continue,
            },
        };
        let Some(entry) = view.lookup(&path)? else { continue };
        let is_directory = matches!(entry.kind, Kind::Directory(_));
        if is_directory || found.is_empty() {
            found.push(Found { view, path, entry });
        }
    }
    if found.len() > 1 && !matches!(found[0].entry.kind, Kind::Directory(_)) {
        found.truncate(1);
    }
    if found.is_empty() {
        return Err(ClientError::NotFound { name: wanted.to_bytes() });
    }
    Ok(found)
}

pub(crate) fn run(
    core: &Arc<Core>,
    handle: &Handle,
    wanted: &Wanted,
    out: &Path,
    meter: &Arc<Meter>,
) -> Result<GetReport, ClientError> {
    let started = Instant::now();
    check_free(out)?;
    let found = find(core, handle, wanted)?;
    let total = found.iter().map(|found| found.entry.totals().bytes).sum();
    meter.set_total(total);
    let output = Output::new(out)?;
    let mut entries = 0;
    for part in found {
        let Found { view, entry, .. } = part;
        let mut planner = Planner::new(view, handle, meter);
        planner.write(&entry, output.path())?;
        entries += planner.finish(&entry, output.path())?;
    }
    meter.check()?;
    output.publish()?;
    let (bytes, files) = (meter.done(), meter.files());
    Ok(GetReport { bytes, files, entries, seconds: started.elapsed().as_secs_f64() })
}
