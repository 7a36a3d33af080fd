//! Chases through what this node holds: one at a time, giving way to tenants.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use acre_capacity::chase::{ChaseRules, Walk, Walked};
use acre_capacity::index::Index;
use acre_capacity::message::Refusal;
use acre_capacity::plot::Progress;
use acre_capacity::prove::Holdings;
use acre_types::{Digest, NodeId};

use crate::limits::{CHASE_GIVES_UP, CHASE_REST_MAX};

/// The chase that runs, and those that wait to be probed: the last one of each witness.
#[derive(Default)]
pub(crate) struct Chases {
    /// Held while one runs: two at once would make each other slow.
    running: Mutex<()>,
    walked: Mutex<BTreeMap<NodeId, Arc<Walked>>>,
}

/// Whether tenants wait for the disk.
pub(crate) type Busy<'a> = &'a dyn Fn() -> bool;

impl Chases {
    /// Chases through `index`. Takes as long as the disk needs: for a thread that may wait.
    ///
    /// # Errors
    /// [`Refusal::Busy`] while another one runs, or if this one takes too long to be of use.
    pub(crate) fn run(
        &self,
        rules: &ChaseRules,
        (index, nonce, steps): (Arc<Index>, Digest, u32),
        holdings: &dyn Holdings,
        is_busy: Busy<'_>,
        node: NodeId,
    ) -> Result<Arc<Walked>, Refusal> {
        if steps > rules.steps {
            return Err(Refusal::Malformed);
        }
        let _one = match self.running.try_lock() {
            Ok(guard) => guard,
            Err(std::sync::TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(std::sync::TryLockError::WouldBlock) => return Err(Refusal::Busy),
        };
        let mut walk = Walk::new(index, nonce, steps).map_err(|_| Refusal::Malformed)?;
        let gives_up = rules.slowest().saturating_mul(CHASE_GIVES_UP);
        let began = Instant::now();
        let mut done = 0;
        loop {
            let before = began.elapsed();
            if walk.step(holdings) == Progress::Done {
                break;
            }
            done += 1;
            let after = began.elapsed();
            if after > gives_up {
                return Err(Refusal::Busy);
            }
            if has_time(rules, after, done) && is_busy() {
                std::thread::sleep(after.saturating_sub(before).min(CHASE_REST_MAX));
            }
        }
        walk.finish(node).map(Arc::new).map_err(|_| Refusal::Failed)
    }

    fn walked(&self) -> MutexGuard<'_, BTreeMap<NodeId, Arc<Walked>>> {
        self.walked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a chase until `who` has probed it, and those of the others who are `known` still.
    pub(crate) fn keep(&self, who: NodeId, walked: Arc<Walked>, known: impl Fn(NodeId) -> bool) {
        let mut kept = self.walked();
        kept.retain(|other, _| known(*other));
        kept.insert(who, walked);
    }

    /// The last chase of `who`, if it ended in this trail.
    pub(crate) fn find(&self, who: NodeId, trail: &Digest) -> Option<Arc<Walked>> {
        let found = self.walked().get(&who).cloned();
        found.filter(|walked| walked.trail().digest() == *trail)
    }
}

/// Whether so many steps in `took` leave time for others: twice as slow they would still be of the
/// same class.
fn has_time(rules: &ChaseRules, took: Duration, steps: u32) -> bool {
    let twice = took.saturating_mul(2);
    let within = |a_step: Duration| twice <= a_step.saturating_mul(steps);
    let is_solid = took <= rules.solid.saturating_mul(steps);
    within(rules.solid) || (!is_solid && within(rules.spinning))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use acre_capacity::CapacityError;
    use acre_capacity::index::{Item, ItemId};
    use acre_capacity::prove::Shard;
    use acre_types::{ContractId, PackId};

    use super::*;

    const NODE: NodeId = NodeId([4; 32]);

    fn rules() -> ChaseRules {
        let (solid, spinning) = (Duration::from_millis(10), Duration::from_millis(400));
        ChaseRules { steps: 64, probes: 4, solid, spinning }
    }

    fn index() -> Arc<Index> {
        let item = Item { id: ItemId::Plot(0), bytes: 1 << 20, root: Digest([1; 32]) };
        Arc::new(Index::build(vec![item]).unwrap())
    }

    /// Calls back at each read.
    struct Reads<F>(F);

    impl<F: Fn()> Holdings for Reads<F> {
        fn plot(&self, _: u32, _: u64, _: &mut [u8]) -> Result<(), CapacityError> {
            (self.0)();
            Ok(())
        }

        fn outboard(&self, _: u32, _: u64, _: &mut [u8]) -> Result<(), CapacityError> {
            Ok(())
        }

        fn shard(&self, _: ContractId, _: PackId, _: u8) -> Result<Shard, CapacityError> {
            Ok(Shard { header: Vec::new(), body: Vec::new() })
        }
    }

    fn chase(chases: &Chases, steps: u32, read: impl Fn()) -> Result<Arc<Walked>, Refusal> {
        let asked = (index(), Digest([7; 32]), steps);
        chases.run(&rules(), asked, &Reads(read), &|| false, NODE)
    }

    #[test]
    fn one_chase_runs_at_a_time_and_the_next_after_it() {
        let chases = Chases::default();
        let refused = AtomicU32::new(0);
        let walked = chase(&chases, 64, || {
            if chase(&chases, 1, || {}).is_err_and(|refusal| refusal == Refusal::Busy) {
                refused.fetch_add(1, Ordering::Relaxed);
            }
        });
        assert_eq!(walked.unwrap().trail().steps, 64);
        assert_eq!(refused.load(Ordering::Relaxed), 64);
        assert!(chase(&chases, 64, || {}).is_ok());
    }

    #[test]
    fn more_steps_than_the_rules_have_are_refused() {
        let chases = Chases::default();
        for steps in [0, 65, u32::MAX] {
            assert!(chase(&chases, steps, || {}).is_err_and(|why| why == Refusal::Malformed));
        }
    }

    #[test]
    fn chase_is_kept_for_who_asked_until_it_is_no_witness() {
        let chases = Chases::default();
        let walked = chase(&chases, 8, || {}).unwrap();
        let trail = walked.trail().digest();
        let (first, second) = (NodeId([1; 32]), NodeId([2; 32]));
        chases.keep(first, Arc::clone(&walked), |_| true);
        assert!(chases.find(first, &trail).is_some());
        assert!(
            chases.find(second, &trail).is_none() && chases.find(first, &Digest([9; 32])).is_none()
        );
        chases.keep(second, walked, |who| who == second);
        assert!(chases.find(first, &trail).is_none() && chases.find(second, &trail).is_some());
    }

    #[test]
    fn rests_for_tenants_as_long_as_that_costs_no_class() {
        let rules = rules();
        let ms = Duration::from_millis;
        for (took, steps, expected) in [
            (ms(50), 10, true),
            (ms(51), 10, false),
            (ms(100), 10, false),
            (ms(101), 10, true),
            (ms(2000), 10, true),
            (ms(2001), 10, false),
            (ms(9000), 10, false),
        ] {
            assert_eq!(has_time(&rules, took, steps), expected, "{took:?}");
        }
        let asked = AtomicU32::new(0);
        let busy = || {
            asked.fetch_add(1, Ordering::Relaxed);
            true
        };
        let chased = Chases::default().run(
            &rules,
            (index(), Digest([7; 32]), 64),
            &Reads(|| {}),
            &busy,
            NODE,
        );
        assert!(chased.is_ok() && asked.load(Ordering::Relaxed) > 0);
    }
}
