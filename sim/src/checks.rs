//! The oracle: what must hold, told without the cores.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use acre_store::machine::{MachineError, OpId, Trust, When};
use acre_types::{PackId, ShardIndex};

use crate::client::{Client, What};
use crate::library::LoadError;
use crate::reached;
use crate::world::{Violation, World};

/// Passes of repair after which everything must be full again.
const PASSES_MAX: usize = 6;
/// Virtual time between two passes: longer than any back-off of the machine.
const PASS_GAP: Duration = Duration::from_secs(360);
/// Virtual time in which a pass of repair must end.
const REPAIR_MAX: Duration = Duration::from_secs(1800);
/// Virtual time in which anything else must end, liars or not: two timeouts of the machine and the
/// way of the messages.
const OPERATION_MAX: Duration = Duration::from_secs(30);

impl World {
    /// S2: the bytes are those that were put.
    pub(crate) fn check_read(
        &self,
        pack: PackId,
        what: What,
        plain: &[u8],
    ) -> Result<(), Violation> {
        let object = &self.objects[&pack];
        let expected = match what {
            What::All => object.chunks.concat(),
            What::Chunk(at) => object.chunks[at].clone(),
            // Its content is checked node by node when the tree is walked.
            What::Meta => Vec::new(),
        };
        if plain == expected {
            return Ok(());
        }
        Err(self.violation(format!("S2: wrong bytes of {pack:?} {what:?}")))
    }

    /// Which shards of a pack are whole, and on which honest nodes.
    pub(crate) fn good(&self, pack: PackId) -> BTreeMap<ShardIndex, BTreeSet<usize>> {
        let mut good: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for (at, node) in self.nodes.iter().enumerate() {
            if node.lie.is_some() {
                continue;
            }
            for id in node.whole(pack) {
                good.entry(id.index).or_default().insert(at);
            }
        }
        good
    }

    /// Shards that can each have a node of their own.
    pub(crate) fn redundancy(&self, pack: PackId) -> usize {
        let good = self.good(pack);
        let mut holder: BTreeMap<usize, ShardIndex> = BTreeMap::new();
        good.keys().filter(|index| seat(&good, **index, &mut holder, &mut BTreeSet::new())).count()
    }

    /// The second phase: heals, and then everything promised must be there.
    pub(crate) fn converge(&mut self) -> Result<(), Violation> {
        self.check_shards()?;
        self.heal();
        // Liars still lie; a new machine with only the metadata reads everything.
        // So does the device that was there all the time, whatever it thinks of the nodes.
        self.read_everything(0)?;
        let newcomer = self.newcomer();
        self.read_everything(newcomer)?;
        self.check_head(newcomer)?;
        self.reform();
        self.check_surveys(newcomer)?;
        self.repair_until_full(newcomer)?;
        self.check_shards()?;
        self.check_surveys(newcomer)?;
        let newcomer = self.newcomer();
        self.read_everything(newcomer)?;
        self.check_head(newcomer)?;
        let newcomer = self.newcomer();
        self.recover(newcomer)
    }

    /// Lost machine, new machine: from the words alone to the head, the tree and the files.
    fn recover(&mut self, client: usize) -> Result<(), Violation> {
        self.check_head(client)?;
        let Some(root) = self.clients[client].root.clone() else { return Ok(()) };
        let wanted = self.snapshots.get(&root.created.0).cloned().unwrap_or_default();
        let data = usize::from(self.options.profile.data());
        let files = loop {
            let missing = match self.clients[client].shelf.files(&root.tree) {
                Ok(files) => break files,
                Err(LoadError::Missing(pack)) => pack,
                Err(error) => return Err(self.violation(format!("S2: the tree: {error}"))),
            };
            let op = self.get(client, missing, What::Meta);
            self.wait_for(client, op, OPERATION_MAX)?;
            if let Some(error) = self.failed_reads.remove(&(client, missing)) {
                if self.good(missing).len() >= data {
                    return Err(self.violation(format!("S1: metadata {missing:?}: {error}")));
                }
                return Ok(());
            }
        };
        let found: BTreeMap<_, _> =
            files.iter().map(|(path, located)| (path.clone(), located.pack)).collect();
        if found != wanted {
            let (found, wanted) = (found.len(), wanted.len());
            return Err(self.violation(format!("S1: {found} files are found of {wanted}")));
        }
        reached!(self.reached, "recovered_from_words" if !found.is_empty());
        for located in files.into_values().take(5) {
            let (now, pack) = (self.clock.now(), located.pack);
            let op = self.clients[client].get(now, &self.volume, Arc::new(located), What::All);
            self.wait_for(client, op, OPERATION_MAX)?;
            let failed = self.failed_reads.remove(&(client, pack));
            if let Some(error) = failed
                && self.good(pack).len() >= data
            {
                return Err(self.violation(format!("S1: {pack:?} by its entry: {error}")));
            }
        }
        Ok(())
    }

    /// What a person is told of the losses a pack still bears is the truth.
    fn check_surveys(&mut self, client: usize) -> Result<(), Violation> {
        let data = usize::from(self.options.profile.data());
        let packs = self.acknowledged();
        for _ in 0..3 {
            let Some(pack) = self.rng.pick(&packs).copied() else { return Ok(()) };
            let bears = self.redundancy(pack).checked_sub(data);
            self.last_survey = None;
            let op = self.clients[client].survey(self.clock.now(), &self.volume, pack);
            self.wait_for(client, op, OPERATION_MAX)?;
            let told = self.last_survey.as_ref().map(|explained| explained.losses_survivable);
            if told.map(|losses| losses.map(usize::from)) != Some(bears) {
                let what = format!("S1: {pack:?} bears {bears:?} losses, and {told:?} is told");
                return Err(self.violation(what));
            }
        }
        Ok(())
    }

    /// S4: no honest node holds a shard with other bytes than were put, but for rot.
    fn check_shards(&self) -> Result<(), Violation> {
        for (at, node) in self.nodes.iter().enumerate() {
            for (id, body) in node.bodies() {
                let truth = self.objects.get(&id.pack).map(|object| &object.shards);
                let is_right = truth.and_then(|shards| shards.get(id.index.as_usize()))
                    == Some(&acre_crypto::digest(body));
                if !is_right && !self.atlas.hit(id.pack).contains(&at) {
                    let what = format!("S4: node {at} was given a wrong shard {id:?}");
                    return Err(self.violation(what));
                }
            }
        }
        Ok(())
    }

    fn newcomer(&mut self) -> usize {
        let seed = self.rng.draw();
        self.clients.push(Client::new(seed));
        self.clients.len() - 1
    }

    fn wait_for(&mut self, client: usize, op: OpId, most: Duration) -> Result<(), Violation> {
        let end = self.clock.now().after(most);
        self.run_until(end, |world| world.over.contains(&(client, op)))?;
        if self.over.contains(&(client, op)) {
            return Ok(());
        }
        Err(self.violation(format!("no end of {op:?} within {most:?} after healing")))
    }

    /// S1 and S2: within the budget the data comes back; beyond it the answer is "unavailable".
    fn read_everything(&mut self, client: usize) -> Result<(), Violation> {
        let data = usize::from(self.options.profile.data());
        for pack in self.acknowledged() {
            let hit = self.atlas.hit(pack).len();
            let good = self.good(pack).len();
            self.failed_reads.remove(&(client, pack));
            let what = self.any_part(pack);
            let op = self.get(client, pack, what);
            self.wait_for(client, op, OPERATION_MAX)?;
            let within = hit <= self.options.bearable();
            match self.failed_reads.get(&(client, pack)) {
                None => reached!(self.reached, "recovered_after_destruction" if hit > 0),
                Some(error) if within || good >= data => {
                    let what = format!(
                        "S1: {pack:?} was acknowledged, {hit} places were hit, {good} of {data} \
                         shards are whole, and it does not come back: {error}"
                    );
                    return Err(self.violation(what));
                }
                Some(MachineError::Unavailable { .. } | MachineError::PackDamaged { .. }) => {
                    reached!(self.reached, "unavailable_beyond_the_budget");
                }
                Some(error) => return Err(self.violation(format!("S1: {pack:?}: {error}"))),
            }
        }
        Ok(())
    }

    /// S1 for heads: the newest acknowledged one is found while at most m places were hit.
    fn check_head(&mut self, client: usize) -> Result<(), Violation> {
        self.last_head = None;
        let op = self.clients[client].read_head(self.clock.now(), &self.volume);
        self.wait_for(client, op, OPERATION_MAX)?;
        if self.atlas.places() > usize::from(self.options.profile.parity()) {
            return Ok(());
        }
        match self.last_head {
            Some(found) if found.unwrap_or(0) >= self.heads_acknowledged => Ok(()),
            found => Err(self.violation(format!(
                "S1: head {} was acknowledged and {found:?} is found, with {} places hit",
                self.heads_acknowledged,
                self.atlas.places()
            ))),
        }
    }

    /// S3 and S4: repair brings every pack that is not lost to n shards at n places.
    fn repair_until_full(&mut self, client: usize) -> Result<(), Violation> {
        let data = usize::from(self.options.profile.data());
        let alive: BTreeSet<PackId> =
            self.acknowledged().into_iter().filter(|pack| self.good(*pack).len() >= data).collect();
        for pass in 0..PASSES_MAX {
            let (now, referenced) = (self.clock.now(), alive.clone());
            let trust = if pass % 2 == 0 { Trust::Verified } else { Trust::Listed };
            let op = self.clients[client].repair(now, &self.volume, referenced, When::Now, trust);
            self.wait_for(client, op, REPAIR_MAX)?;
            self.check_deletes()?;
            if self.not_full(&alive).is_none() {
                reached!(self.reached, "repair_full_in_one_pass" if pass == 0);
                reached!(self.reached, "repair_full_in_more_passes" if pass > 0);
                self.count_doubled_places();
                return Ok(());
            }
            let end = self.clock.now().after(PASS_GAP);
            self.run_until(end, |_| false)?;
        }
        let (pack, why) = self.not_full(&alive).expect("the loop ends before if all are full");
        Err(self.violation(format!("S4: {pack:?} after {PASSES_MAX} passes of repair: {why}")))
    }

    /// A place may keep a second shard of a pack after stores that were given up and answered late:
    /// more than S3 asks for, never less, since all n have a place of their own.
    fn count_doubled_places(&mut self) {
        for at in 0..self.nodes.len() {
            let mut packs = BTreeSet::new();
            let is_doubled = self.nodes[at].held().any(|id| !packs.insert(id.pack));
            reached!(self.reached, "place_with_two_shards_of_a_pack" if is_doubled);
        }
    }

    fn not_full(&self, packs: &BTreeSet<PackId>) -> Option<(PackId, String)> {
        let shards = usize::from(self.options.profile.shards());
        for pack in packs {
            let redundancy = self.redundancy(*pack);
            if redundancy < shards {
                return Some((*pack, format!("{redundancy} of {shards} shards have a place")));
            }
        }
        None
    }

    /// S4: no copy dropped after healing lowered redundancy below what is full.
    fn check_deletes(&mut self) -> Result<(), Violation> {
        let shards = usize::from(self.options.profile.shards());
        for (at, before) in std::mem::take(&mut self.deletes) {
            for (pack, redundancy) in before {
                let after = self.redundancy(pack);
                if after < redundancy.min(shards) {
                    return Err(self.violation(format!(
                        "S4: {pack:?} had {redundancy} shards in places of their own before node \
                         {at} dropped its copy, and {after} when repair was over"
                    )));
                }
            }
        }
        Ok(())
    }
}

/// Finds a node for a shard, moving others if need be.
fn seat(
    good: &BTreeMap<ShardIndex, BTreeSet<usize>>,
    index: ShardIndex,
    holder: &mut BTreeMap<usize, ShardIndex>,
    seen: &mut BTreeSet<usize>,
) -> bool {
    for node in &good[&index] {
        if !seen.insert(*node) {
            continue;
        }
        let other = holder.get(node).copied();
        if other.is_none_or(|other| seat(good, other, holder, seen)) {
            holder.insert(*node, index);
            return true;
        }
    }
    false
}
