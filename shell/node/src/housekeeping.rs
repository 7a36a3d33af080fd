//! Slow work beside serving: giving dead space back and finding rot before a reader does.

use std::sync::Arc;
use std::time::Duration;

use crate::limits::{HOUSEKEEPING, HOUSEKEEPING_BYTES};
use crate::shelf::Shelf;

/// A step of compaction at a steady pace, and quicker while there is much to do. Never ends; drop
/// the task to stop it.
pub(crate) async fn run(shelf: Arc<Shelf>) {
    let mut pause = HOUSEKEEPING;
    loop {
        tokio::time::sleep(pause).await;
        let log = shelf.log().clone();
        let step = tokio::task::spawn_blocking(move || log.compact_step(HOUSEKEEPING_BYTES)).await;
        pause = match step {
            Ok(Ok(report)) if report.progress == acre_disk::Progress::More => {
                Duration::from_secs(1)
            }
            Ok(Ok(_)) => HOUSEKEEPING,
            Ok(Err(error)) => {
                tracing::warn!(%error, "dead space could not be given back");
                HOUSEKEEPING
            }
            Err(_) => return,
        };
    }
}
