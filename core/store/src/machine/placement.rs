//! Which nodes become the places of a contract, and which place a shard goes to first.
//!
//! Invariant S3: among all places of a contract, spares included, there is at most one per site
//! and at most one per operator. So whatever spare a shard moves to, it stays in a failure domain
//! of its own. Countries are spread as far as the candidates allow
//! ([`limits::PLACES_PER_COUNTRY`]).
//!
//! The choice is a maximum matching of sites to operators (an edge is a candidate node), grown by
//! augmenting paths (Kuhn 1955). Sites are matched in order of preference; an augmenting path
//! never frees a site that was matched, so a preferred site stays in whatever comes after it.

use std::collections::BTreeMap;

use acre_types::{AccountId, Bytes, Country, NodeId, PackId, Profile, ShardIndex};

use super::{limits, mix};

/// A node that offers storage, as the ledger and the client's own experience describe it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The node.
    pub node: NodeId,
    /// Name of the building it stands in; equal names are one failure domain.
    pub site: String,
    /// Owner of its farm; equal owners are one failure domain.
    pub operator: AccountId,
    /// Where it stands.
    pub country: Country,
    /// Room left.
    pub free: Bytes,
    /// Recent failures as its clients or witnesses counted them; 0 is best.
    pub failures: u32,
}

/// The places of a new contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// One for each shard of the profile.
    pub primaries: Vec<NodeId>,
    /// As many spares as the profile wants, or as there are.
    pub spares: Vec<NodeId>,
}

/// Too few candidates for the profile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "profile {} needs {} places of distinct sites and operators, {missing} are missing \
     ({eligible} fit, {too_full} nodes are too full)", profile.name(), profile.shards()
)]
pub struct Shortage {
    /// The profile asked for.
    pub profile: Profile,
    /// Places that could be chosen.
    pub eligible: usize,
    /// Places lacking.
    pub missing: usize,
    /// Candidates left out because they have less room than a place needs.
    pub too_full: usize,
    /// Profiles that could be placed for the same data, those that bear most losses first.
    pub fits: Vec<Profile>,
}

/// Chooses places for `profile` with room for `per_place` bytes each. The same candidates (in any
/// order) and seed give the same choice.
///
/// # Errors
/// Fewer places of distinct sites and operators than the profile has shards.
pub fn choose(
    profile: Profile,
    candidates: &[Candidate],
    per_place: Bytes,
    seed: u64,
) -> Result<Placement, Shortage> {
    let shards = usize::from(profile.shards());
    let wanted = shards.saturating_add(usize::from(profile.spares()));
    let mut chosen = matching(candidates, per_place, wanted, seed);
    if chosen.len() >= shards {
        let spares = chosen.split_off(shards);
        return Ok(Placement { primaries: chosen, spares });
    }
    let too_full = candidates.iter().filter(|candidate| candidate.free < per_place).count();
    let mut fits: Vec<_> = Profile::ALL
        .into_iter()
        .filter(|other| *other != profile && fits(*other, profile, candidates, per_place, seed))
        .collect();
    fits.sort_by_key(|other| std::cmp::Reverse(other.parity()));
    Err(Shortage {
        profile,
        eligible: chosen.len(),
        missing: shards.saturating_sub(chosen.len()),
        too_full,
        fits,
    })
}

/// Position among the first n places where a put sends this shard: shard i starts at
/// `(i + first byte of the pack's id) mod n`, so that data and parity are spread evenly.
#[must_use]
pub fn place_of(pack: PackId, index: ShardIndex, shards: u8) -> usize {
    let [first, ..] = pack.0;
    let turned = u16::from(index.get()).saturating_add(u16::from(first));
    usize::from(turned.checked_rem(u16::from(shards)).unwrap_or(0))
}

/// Whether `other` could hold the same data, of which each place of `profile` gets `per_place`.
fn fits(
    other: Profile,
    profile: Profile,
    candidates: &[Candidate],
    per_place: Bytes,
    seed: u64,
) -> bool {
    let data = per_place.0.saturating_mul(u64::from(profile.data()));
    let share = Bytes(data.div_ceil(u64::from(other.data())));
    let shards = usize::from(other.shards());
    matching(candidates, share, shards, seed).len() >= shards
}

/// One site with its usable nodes, best first.
struct Site<'a> {
    nodes: Vec<&'a Candidate>,
    /// Position among the sites of its country: 0 is the best there.
    rank: usize,
}

fn matching(candidates: &[Candidate], per_place: Bytes, wanted: usize, seed: u64) -> Vec<NodeId> {
    let sites = ordered_sites(candidates, per_place, seed);
    let mut by_operator: BTreeMap<AccountId, (usize, NodeId)> = BTreeMap::new();
    for start in 0..sites.len() {
        if by_operator.len() >= wanted {
            break;
        }
        augment(&sites, start, &mut by_operator, &mut Vec::new());
    }
    let mut chosen: Vec<_> = by_operator.into_values().collect();
    chosen.sort_unstable();
    chosen.into_iter().map(|(_, node)| node).collect()
}

/// Finds an operator for `site`, moving earlier sites to other operators of theirs if need be.
fn augment(
    sites: &[Site<'_>],
    site: usize,
    by_operator: &mut BTreeMap<AccountId, (usize, NodeId)>,
    visited: &mut Vec<AccountId>,
) -> bool {
    let nodes = sites.get(site).map(|site| site.nodes.as_slice()).unwrap_or_default();
    for candidate in nodes {
        if visited.contains(&candidate.operator) {
            continue;
        }
        visited.push(candidate.operator);
        let holder = by_operator.get(&candidate.operator).map(|(site, _)| *site);
        if holder.is_none_or(|other| augment(sites, other, by_operator, visited)) {
            by_operator.insert(candidate.operator, (site, candidate.node));
            return true;
        }
    }
    false
}

/// Sites in order of preference. First up to [`limits::PLACES_PER_COUNTRY`] of each country, one
/// of each before a second of any; then the rest.
fn ordered_sites<'a>(candidates: &'a [Candidate], per_place: Bytes, seed: u64) -> Vec<Site<'a>> {
    let mut by_site: BTreeMap<&str, Vec<&Candidate>> = BTreeMap::new();
    for candidate in candidates.iter().filter(|candidate| candidate.free >= per_place) {
        by_site.entry(&candidate.site).or_default().push(candidate);
    }
    let preference = |candidate: &Candidate| preference(candidate, per_place, seed);
    let mut sites: Vec<Site<'a>> = by_site
        .into_values()
        .map(|mut nodes| {
            nodes.sort_by_key(|node| preference(node));
            Site { nodes, rank: 0 }
        })
        .collect();
    let first = |site: &Site<'a>| site.nodes.first().map(|node| (preference(node), node.country));
    sites.sort_by_key(|site| first(site).map(|(preference, _)| preference));
    let mut seen: BTreeMap<Country, usize> = BTreeMap::new();
    for site in &mut sites {
        let Some((_, country)) = first(site) else { continue };
        let count = seen.entry(country).or_default();
        site.rank = (*count).min(limits::PLACES_PER_COUNTRY);
        *count = count.saturating_add(1);
    }
    sites.sort_by_key(|site| site.rank);
    sites
}

/// Smaller is better: tier of failures, then a lottery in which each node has one ticket for each
/// `per_place` of free space (the best of w tickets wins with a chance proportional to w).
fn preference(candidate: &Candidate, per_place: Bytes, seed: u64) -> (u32, u64, NodeId) {
    let tickets = candidate.free.0.checked_div(per_place.0).unwrap_or(limits::FREE_WEIGHT_MAX);
    let tickets = tickets.clamp(1, limits::FREE_WEIGHT_MAX);
    let draw = mix::bytes(seed, candidate.node.as_bytes());
    let best = (0..tickets).map(|ticket| mix::step(draw ^ ticket)).min().unwrap_or(u64::MAX);
    let tier = match candidate.failures {
        0 => 0,
        1..=3 => 1,
        _ => 2,
    };
    (tier, best, candidate.node)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    fn candidate(node: u8, site: &str, operator: u8, country: &str) -> Candidate {
        Candidate {
            node: NodeId([node; 32]),
            site: site.to_owned(),
            operator: AccountId([operator; 32]),
            country: country.parse().unwrap(),
            free: Bytes(1 << 30),
            failures: 0,
        }
    }

    /// `count` nodes, each with a site and an operator of its own, over `countries` countries.
    fn spread(count: u8, countries: u8) -> Vec<Candidate> {
        (0..count)
            .map(|i| {
                let country = format!("A{}", char::from(b'A' + i % countries));
                candidate(i, &format!("site {i}"), i, &country)
            })
            .collect()
    }

    fn all(placement: &Placement) -> Vec<NodeId> {
        [placement.primaries.clone(), placement.spares.clone()].concat()
    }

    #[test]
    fn takes_n_primaries_and_the_spares_of_the_profile() {
        for profile in [Profile::Tiny, Profile::Ten, Profile::Standard, Profile::Fortress] {
            let placement = choose(profile, &spread(60, 26), Bytes(1 << 20), 7).unwrap();
            assert_eq!(placement.primaries.len(), usize::from(profile.shards()));
            assert_eq!(placement.spares.len(), usize::from(profile.spares()));
        }
    }

    #[test]
    fn takes_fewer_spares_where_there_are_fewer_nodes() {
        let placement = choose(Profile::Standard, &spread(21, 7), Bytes(1), 7).unwrap();
        assert_eq!((placement.primaries.len(), placement.spares.len()), (20, 1));
    }

    #[test]
    fn shortage_tells_what_is_missing_and_what_would_fit() {
        let shortage = choose(Profile::Standard, &spread(12, 4), Bytes(1 << 20), 7).unwrap_err();
        assert_eq!((shortage.eligible, shortage.missing, shortage.too_full), (12, 8, 0));
        assert_eq!(shortage.fits, [Profile::Ten, Profile::Tiny]);
        let text = shortage.to_string();
        assert!(text.contains("standard needs 20") && text.contains("8 are missing"), "{text}");
    }

    #[test]
    fn full_nodes_are_left_out_and_counted() {
        let mut candidates = spread(24, 12);
        for full in &mut candidates[..6] {
            full.free = Bytes(10);
        }
        let shortage = choose(Profile::Standard, &candidates, Bytes(11), 7).unwrap_err();
        assert_eq!((shortage.missing, shortage.too_full), (2, 6));
        assert!(choose(Profile::Standard, &candidates, Bytes(10), 7).is_ok());
    }

    #[test]
    fn two_per_country_where_there_are_enough_countries() {
        let placement = choose(Profile::Standard, &spread(60, 12), Bytes(1), 3).unwrap();
        let candidates = spread(60, 12);
        let mut per_country = BTreeMap::<_, usize>::new();
        for node in all(&placement) {
            let found = candidates.iter().find(|c| c.node == node).unwrap();
            *per_country.entry(found.country).or_default() += 1;
        }
        assert!(per_country.values().all(|count| *count == 2), "{per_country:?}");
    }

    #[test]
    fn an_operator_with_many_sites_does_not_hide_a_possible_choice() {
        // Greedy by site would give operator 1 to site a, and site b would have nobody left.
        let candidates = [
            candidate(1, "a", 1, "BE"),
            candidate(2, "a", 2, "BE"),
            candidate(3, "b", 1, "DE"),
            candidate(4, "c", 3, "FR"),
        ];
        for seed in 0..64 {
            let chosen = choose(Profile::Tiny, &candidates, Bytes(1), seed);
            assert!(chosen.is_ok(), "seed {seed}: {chosen:?}");
        }
    }

    #[test]
    fn reliable_nodes_are_preferred() {
        let mut candidates = spread(12, 12);
        for bad in &mut candidates[..8] {
            bad.failures = 9;
        }
        let placement = choose(Profile::Tiny, &candidates, Bytes(1), 5).unwrap();
        assert!(all(&placement).iter().all(|node| node.0[0] >= 8), "{placement:?}");
    }

    #[test]
    fn shards_rotate_over_the_places() {
        let pack = PackId([250; 16]);
        let places: BTreeSet<_> =
            Profile::Standard.indices().map(|index| place_of(pack, index, 20)).collect();
        assert_eq!(places.len(), 20);
        assert_eq!(place_of(pack, Profile::Standard.shard(0).unwrap(), 20), 10);
        assert_eq!(place_of(pack, Profile::Standard.shard(19).unwrap(), 20), 9);
    }

    proptest! {
        #[test]
        fn s3_one_place_per_site_and_operator(
            nodes in proptest::collection::vec((0u8..30, 0u8..30, 0u8..8, 0u32..6), 0..80),
            seed: u64,
        ) {
            let mut candidates: Vec<_> = nodes.iter().enumerate().map(|(i, (site, operator, country, failures))| {
                let country = format!("B{}", char::from(b'A' + country));
                let node = u8::try_from(i).unwrap();
                let base = candidate(node, &site.to_string(), *operator, &country);
                Candidate { failures: *failures, ..base }
            }).collect();
            let chosen = choose(Profile::Ten, &candidates, Bytes(1), seed);
            candidates.reverse();
            prop_assert_eq!(&chosen, &choose(Profile::Ten, &candidates, Bytes(1), seed));
            if let Ok(placement) = chosen {
                let picked: Vec<_> = all(&placement).iter()
                    .map(|node| candidates.iter().find(|c| c.node == *node).unwrap()).collect();
                let sites: BTreeSet<_> = picked.iter().map(|c| &c.site).collect();
                let operators: BTreeSet<_> = picked.iter().map(|c| c.operator).collect();
                prop_assert_eq!(sites.len(), picked.len());
                prop_assert_eq!(operators.len(), picked.len());
            }
        }
    }
}
