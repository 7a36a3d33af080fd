//! One seed from beginning to end.

use std::time::Duration;

use crate::clock::Rolling;
use crate::options::Options;
use crate::reached::Reached;
use crate::world::{Violation, World};

/// What a run that broke nothing came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Digest of all events.
    pub rolling: Rolling,
    /// States reached.
    pub reached: Reached,
    /// Events handled.
    pub events: u64,
    /// Virtual time that passed.
    pub elapsed: Duration,
}

/// Runs a world through both phases.
///
/// # Errors
/// The first invariant broken.
pub fn run(options: Options) -> Result<Outcome, Violation> {
    let mut world = World::new(options)?;
    let result = finish(&mut world);
    result.map(|()| outcome(world))
}

/// As [`run`], with a line for each event, also if an invariant broke.
pub fn run_traced(options: Options) -> (Result<Outcome, Violation>, Vec<String>) {
    let mut world = match World::new(options) {
        Ok(world) => world,
        Err(violation) => return (Err(violation), Vec::new()),
    };
    world.keep_trace();
    let result = finish(&mut world);
    let trace = world.trace().to_vec();
    (result.map(|()| outcome(world)), trace)
}

fn finish(world: &mut World) -> Result<(), Violation> {
    let end = world.clock.now().after(world.options.chaos);
    world.run_until(end, |_| false)?;
    world.converge()
}

fn outcome(world: World) -> Outcome {
    let mut reached = world.reached.clone();
    for client in &world.clients {
        reached.merge(&client.reached);
    }
    Outcome { rolling: world.rolling, reached, events: world.events, elapsed: world.elapsed() }
}
