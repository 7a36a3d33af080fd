//! Nodes that die, lie, fill up and vanish; a client that gives up.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use acre_client::{ClientError, Failure, Moment, PutOptions, RepairMode, Silent, Wanted};
use acre_types::{Bytes, Profile};
use common::{Behaviour, Grid, random_bytes};

fn to(name: &str) -> PutOptions {
    PutOptions { profile: None, to: Some(name.as_bytes().to_vec()) }
}

fn silent() -> Arc<Silent> {
    Arc::new(Silent)
}

/// Names below a directory, hidden ones too.
fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_within_the_profile_are_worked_around_and_beyond_it_told() {
    let grid = Grid::start(24, Bytes(2 << 30)).await;
    let place = tempfile::tempdir().unwrap();
    let (first, second) = (random_bytes(1, 30_000_000), random_bytes(2, 5_000_000));
    let source = place.path().join("first");
    std::fs::write(&source, &first).unwrap();
    let out = |name: &str| place.path().join("out").join(name);
    std::fs::create_dir(place.path().join("out")).unwrap();
    let client = grid.client(1, None).await;

    // Places that no profile of this grid can have: nothing is stored, and what fits is told.
    let fortress = PutOptions { profile: Some(Profile::Fortress), ..to("/x") };
    let refused = client.put(&source, fortress, silent()).await.unwrap_err();
    assert_eq!(refused.failure(), Failure::NotEnough);
    let ClientError::NotEnoughPlaces { missing, fits, .. } = refused else { panic!("{refused}") };
    assert_eq!(missing, 12);
    assert!(fits.contains(&Profile::Standard) && fits.contains(&Profile::Ten), "{fits:?}");
    assert_eq!(grid.take_put_bytes(), 0);

    // A node dies in the middle of a put, two others are full.
    grid.behave(5, Behaviour::Full);
    grid.behave(6, Behaviour::Full);
    let (die, dies) = tokio::sync::oneshot::channel::<()>();
    let die = std::sync::Mutex::new(Some(die));
    let progress = move |moment: Moment| {
        if moment.done > 5_000_000 {
            let _ = die.lock().unwrap().take().map(|die| die.send(()));
        }
    };
    let (put, ()) = tokio::join!(client.put(&source, to("/first"), Arc::new(progress)), async {
        dies.await.unwrap();
        grid.stop(7).await;
    });
    let put = put.unwrap();
    assert_eq!(put.bytes_plain, 30_000_000);
    client.get(&Wanted::from("/first"), &out("a"), silent()).await.unwrap();
    assert_eq!(std::fs::read(out("a")).unwrap(), first);

    // One serves wrong bytes beside the dead one: found, and worked around.
    grid.behave(8, Behaviour::Liar);
    grid.take_gets();
    client.get(&Wanted::from("/first"), &out("b"), silent()).await.unwrap();
    assert_eq!(std::fs::read(out("b")).unwrap(), first);
    assert!(grid.peers[8].gets() > 0, "the liar was asked");
    grid.behave(8, Behaviour::Well);

    // Everything is brought back to full redundancy, on the places that are left.
    grid.behave(5, Behaviour::Well);
    grid.behave(6, Behaviour::Well);
    let client = grid.client(1, None).await;
    let repaired = client.repair(RepairMode::Now, silent()).await.unwrap();
    assert_eq!(repaired.full, repaired.packs, "{repaired:?}");
    assert_eq!(repaired.silent.len(), 1);
    let explained = client.explain(&Wanted::from("/first")).await.unwrap();
    assert_eq!(explained.losses_survivable, Some(4));
    assert!(explained.stripes.len() >= 8);

    // All full: refused, and nothing of it is visible.
    for number in 0..24 {
        grid.behave(number, Behaviour::Full);
    }
    let source = place.path().join("second");
    std::fs::write(&source, &second).unwrap();
    let refused = client.put(&source, to("/second"), silent()).await.unwrap_err();
    assert_eq!(refused.failure(), Failure::NotEnough, "{refused}");
    let stat = client.stat(&Wanted::from("/second")).await.unwrap_err();
    assert_eq!(stat.failure(), Failure::NotFound);
    for number in 0..24 {
        grid.behave(number, Behaviour::Well);
    }

    // Whoever gives up leaves nothing behind.
    let gone = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&gone);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let stop = std::sync::Mutex::new(Some(stop));
    let progress = move |moment: Moment| {
        if moment.done > 0 {
            seen.store(true, Ordering::Relaxed);
            let _ = stop.lock().unwrap().take().map(|stop| stop.send(()));
        }
    };
    let (wanted, given_up) = (Wanted::from("/first"), out("given up"));
    tokio::select! {
        _ = client.get(&wanted, &given_up, Arc::new(progress)) => {}
        _ = stopped => {}
    }
    assert!(gone.load(Ordering::Relaxed));
    client.idle().await;
    assert!(names(&place.path().join("out")).iter().all(|name| !name.starts_with('.')));
    let _ = std::fs::remove_file(given_up);

    // One more than the profile bears on top of the dead one: refused, and nothing is left.
    for number in 9..17 {
        grid.stop(number).await;
    }
    let client = grid.client(1, None).await;
    let lost = client.get(&Wanted::from("/first"), &out("c"), silent()).await.unwrap_err();
    assert_eq!(lost.failure(), Failure::Unreachable, "{lost}");
    assert_eq!(names(&place.path().join("out")), ["a", "b"]);

    // They come back, at other addresses.
    for number in 9..17 {
        grid.restart(number).await;
    }
    let client = grid.client(1, None).await;
    client.get(&Wanted::from("/first"), &out("c"), silent()).await.unwrap();
    assert_eq!(std::fs::read(out("c")).unwrap(), first);
}
