//! Which states were reached: a simulator that never gets somewhere tests nothing there.

use std::collections::BTreeMap;

/// Counts by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reached(pub BTreeMap<&'static str, u64>);

impl Reached {
    /// Counts one.
    pub fn hit(&mut self, name: &'static str) {
        *self.0.entry(name).or_default() += 1;
    }

    /// Adds those of another run.
    pub fn merge(&mut self, other: &Self) {
        for (name, count) in &other.0 {
            *self.0.entry(name).or_default() += count;
        }
    }
}

/// Notes that a state was reached: `reached!(self.reached, "repair_trimmed")`.
#[macro_export]
macro_rules! reached {
    ($counters:expr, $name:literal) => {
        $counters.hit($name)
    };
    ($counters:expr, $name:literal if $condition:expr) => {
        if $condition {
            $counters.hit($name);
        }
    };
}

/// States that the seeds of CI must reach.
pub const WANTED: &[&str] = &[
    "put_acknowledged",
    "put_full",
    "put_not_full",
    "put_failed",
    "put_hedged_or_moved_to_spare",
    "get_direct",
    "get_decoded",
    "get_hunted_a_liar",
    "get_unavailable",
    "node_crashed",
    "crash_lost_unsynced_writes",
    "crash_tore_a_sector",
    "many_nodes_crashed_at_once",
    "node_wiped",
    "bit_rot",
    "disk_full",
    "node_partitioned",
    "message_lost",
    "message_doubled",
    "blamed_wrong_bytes",
    "blamed_damaged",
    "repair_stored",
    "repair_trimmed",
    "repair_waiting",
    "repair_unrepairable",
    "head_written",
    "head_not_written",
    "head_conflict",
    "head_read_mended_stale",
    "head_stale_by_liar",
    "client_gave_up",
    "beyond_the_budget",
    "recovered_after_destruction",
    "recovered_from_words",
    "tree_committed",
    "tree_given_up",
    "partition_flipped",
    "payment_doubled_on_the_way",
    "payment_sent_again",
    "replica_restarted",
    "forged_transaction_refused",
    "contract_opened",
    "contract_closed",
    "reward_minted",
    "witness_lied",
    "witness_struck",
    "bad_block_refused",
];
