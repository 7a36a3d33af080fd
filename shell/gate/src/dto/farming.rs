//! What farms put at stake and who shares what they earn; receipts of minting; the price of a token.

use acre_ledger::{self as ledger, MintReceiptObject, PriceState, TokenPrice, TokenSource, mint};
use acre_types::UnixMs;
use schemars::JsonSchema;
use serde::Serialize;

use super::{Id, Tft};
use crate::about::kind;

/// Stake of a farm on its way back to its owner. Penalties may still take it.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[schemars(rename = "FarmRelease")]
pub(crate) struct Release {
    /// How much.
    pub(crate) amount_tft: Tft,
    /// May be collected from this epoch on.
    pub(crate) epoch: u64,
}

impl From<&ledger::FarmRelease> for Release {
    fn from(release: &ledger::FarmRelease) -> Self {
        Self { amount_tft: Tft(release.amount), epoch: release.epoch.0 }
    }
}

/// One who has a part in what a farm earns.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "FarmMember")]
pub(crate) struct Member {
    /// Is paid.
    pub(crate) account: Id,
    /// Of the sum of all parts.
    pub(crate) parts: u32,
}

impl From<&ledger::Member> for Member {
    fn from(member: &ledger::Member) -> Self {
        Self { account: Id::new(member.account.0), parts: member.parts }
    }
}

/// Members that take effect when all have agreed.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "FarmProposedMembers")]
pub(crate) struct Proposed {
    /// The list; empty: all goes to the payout account.
    pub(crate) members: Vec<Member>,
    /// Who still has to agree.
    pub(crate) missing: Vec<Id>,
}

impl From<&ledger::ProposedMembers> for Proposed {
    fn from(proposed: &ledger::ProposedMembers) -> Self {
        Self {
            members: proposed.members.iter().map(Member::from).collect(),
            missing: proposed.missing.iter().map(|account| Id::new(account.0)).collect(),
        }
    }
}

/// What certifiers said of a farm.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Certificate {
    /// Number of the farm.
    pub(crate) farm: u32,
    /// What they grant together in the epoch that runs: `diy`, `certified` or `gold`.
    pub(crate) level: String,
    /// Each one's word; those that ran out stay until they are replaced.
    pub(crate) attestations: Vec<Attestation>,
}

/// The word of one certifier.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Attestation {
    /// Whose.
    pub(crate) by: Id,
    /// The level that the evidence is for.
    pub(crate) level: String,
    /// Hash of the evidence, which is kept elsewhere.
    pub(crate) evidence: Id,
    /// Holds from the beginning of this epoch on.
    pub(crate) since_epoch: u64,
    /// Does not hold in this epoch any more.
    pub(crate) until_epoch: u64,
}

impl Certificate {
    pub(crate) fn new(
        farm: u32,
        found: &ledger::Certificate,
        rules: &ledger::CertificationRules,
        running: acre_types::Epoch,
    ) -> Self {
        let attestations = found.attestations.iter().map(|one| Attestation {
            by: Id::new(one.by.0),
            level: one.level.name().to_owned(),
            evidence: Id::new(one.evidence.0),
            since_epoch: one.since.0,
            until_epoch: one.until.0,
        });
        let level = found.level(rules, running, running).name().to_owned();
        Self { farm, level, attestations: attestations.collect() }
    }
}

/// Whether a node sleeps.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "NodePower")]
pub(crate) struct Power {
    /// What it is to do in the epoch that runs: `awake`, `asleep`, or `waking` after it was called.
    pub(crate) state: String,
    /// Naps announced that begin in the period of minting told by `period`.
    pub(crate) naps: u16,
    /// That period.
    pub(crate) period: u64,
    /// The nap that is announced, runs, or is not settled yet.
    pub(crate) nap: Option<Nap>,
}

/// A time for which a node need not serve.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[schemars(rename = "NodeNap")]
pub(crate) struct Nap {
    /// Its first epoch.
    pub(crate) from_epoch: u64,
    /// The first epoch in which the node has to serve again.
    pub(crate) until_epoch: u64,
    /// The epoch in which it was called before its time.
    pub(crate) called_epoch: Option<u64>,
}

impl Power {
    pub(crate) fn new(power: &ledger::Power, running: acre_types::Epoch) -> Self {
        let nap = |nap: ledger::Nap| Nap {
            from_epoch: nap.from.0,
            until_epoch: nap.until.0,
            called_epoch: nap.called.map(|epoch| epoch.0),
        };
        let state = kind(&power.state(running));
        Self { state, naps: power.naps, period: power.period, nap: power.nap.map(nap) }
    }
}

/// What a node earned in a period, with all that the sum depends on.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "MintReceipt")]
pub(crate) struct Receipt {
    /// The node.
    pub(crate) node: Id,
    /// Its farm.
    pub(crate) farm: u32,
    /// Number of the period.
    pub(crate) period: u64,
    /// Time of the block that paid it.
    pub(crate) at_ms: u64,
    /// Where the farm was paid then; members of a cooperative instead, if there were some.
    pub(crate) payout: Id,
    /// Whether it was paid, or why not.
    pub(crate) reason: String,
    /// Tokens made: the sum of the lines, less what was withheld.
    pub(crate) total_tft: Tft,
    /// What the policy's budget no longer had.
    pub(crate) withheld_tft: Tft,
    /// What for.
    pub(crate) lines: Vec<Line>,
    /// Time that was witnessed.
    pub(crate) due_ms: u64,
    /// Time of that in which it served.
    pub(crate) up_ms: u64,
    /// Verified logical processors, the mean over the time up.
    pub(crate) cores: u32,
    /// Verified memory.
    pub(crate) memory_bytes: u64,
    /// Verified storage that was proven to be fast.
    pub(crate) ssd_bytes: u64,
    /// All other verified storage.
    pub(crate) hdd_bytes: u64,
    /// Stored shards of both.
    pub(crate) sold_bytes: u64,
    /// Of the cores, those that contracts had reserved.
    pub(crate) sold_cores: u32,
    /// Of the memory, what contracts had reserved.
    pub(crate) sold_memory_bytes: u64,
    /// What of the bills for what is sold was left to mint by.
    pub(crate) sold_cover_tft: Tft,
    /// Public traffic that tenants were billed for.
    pub(crate) traffic_bytes: u64,
    /// What foundation and fire got of these bills: traffic earns no more.
    pub(crate) traffic_cover_tft: Tft,
    /// What was sold was worth and were not paid yet, for want of cover.
    pub(crate) sold_owed_tft: Tft,
    /// Verdicts that it was to give of others.
    pub(crate) duties: u64,
    /// Verdicts that it gave, and that agreed with those of the others.
    pub(crate) honest: u64,
    /// `diy`, `certified` or `gold`.
    pub(crate) certification: String,
    /// What a token was worth when the node was registered.
    pub(crate) token_price_micro_usd: u64,
    /// Whether the receipt is what its own input makes of it (L7).
    pub(crate) recomputes: bool,
}

/// One line of a receipt.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "MintLine")]
pub(crate) struct Line {
    /// `compute`, `storage`, `traffic`, `ipv4`, `grant`, `energy`, `witness` or `sold`.
    pub(crate) item: String,
    /// How many, in billionths of the item's unit.
    pub(crate) quantity_billionths: u64,
    /// For one unit, in hundredths of a millionth of a dollar; 0 for what is paid in tokens at once.
    pub(crate) rate: u64,
    /// Worth of the line in billionths of a dollar; 0 for what is paid in tokens at once.
    pub(crate) value_nano_usd: u64,
    /// Tokens.
    pub(crate) amount_tft: Tft,
}

impl From<&MintReceiptObject> for Receipt {
    fn from(stored: &MintReceiptObject) -> Self {
        let MintReceiptObject { node, farm, payout, at, input, receipt } = stored;
        let line = |line: &mint::MintLine| Line {
            item: kind(&line.item),
            quantity_billionths: line.quantity.0,
            rate: line.rate,
            value_nano_usd: line.value.0,
            amount_tft: Tft(line.amount),
        };
        Self {
            node: Id::new(node.0),
            farm: farm.0,
            period: input.period,
            at_ms: at.0,
            payout: Id::new(payout.0),
            reason: receipt.reason.text().to_owned(),
            total_tft: Tft(receipt.total),
            withheld_tft: Tft(receipt.withheld),
            lines: receipt.lines.iter().map(line).collect(),
            due_ms: input.due_ms,
            up_ms: input.up_ms,
            cores: input.capacity.cores,
            memory_bytes: input.capacity.memory.0,
            ssd_bytes: input.capacity.ssd.0,
            hdd_bytes: input.capacity.hdd.0,
            sold_bytes: input.sold.storage().0,
            sold_cores: input.sold.cores,
            sold_memory_bytes: input.sold.memory.0,
            sold_cover_tft: Tft(input.sold_cover),
            traffic_bytes: input.traffic.0,
            traffic_cover_tft: Tft(input.traffic_cover),
            sold_owed_tft: Tft(receipt.sold_owed),
            duties: input.duties,
            honest: input.honest,
            certification: input.certification.name().to_owned(),
            token_price_micro_usd: input.price.0,
            recomputes: mint::recompute(stored).as_ref() == Ok(receipt),
        }
    }
}

/// What a token is worth, and who says so.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "TokenPrice")]
pub(crate) struct Price {
    /// For one token.
    pub(crate) micro_usd: u64,
    /// `fixed` by a parameter, or made by `feeds`.
    pub(crate) source: String,
    /// What the feeds say and how the price follows them; null where it is fixed.
    pub(crate) feeds: Option<Feeds>,
}

/// A price that follows the median of several accounts.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "PriceFeeds")]
pub(crate) struct Feeds {
    /// The lower median of the fresh posts; null while too few are fresh.
    pub(crate) median_micro_usd: Option<u64>,
    /// Whether too few were fresh for too long: the price stays as it was.
    pub(crate) stale: bool,
    /// When a quorum last agreed.
    pub(crate) agreed_ms: Option<u64>,
    /// When the price last moved, or had no need to.
    pub(crate) moved_ms: Option<u64>,
    /// Fresh posts without which the price stays.
    pub(crate) quorum: u8,
    /// How long a post counts.
    pub(crate) fresh_ms: u64,
    /// How far the price may move in one step, in thousandths of itself.
    pub(crate) step_permille: u16,
    /// The time of one step.
    pub(crate) step_ms: u64,
    /// Never below.
    pub(crate) least_micro_usd: u64,
    /// Never above.
    pub(crate) most_micro_usd: u64,
    /// Each account that may post, and what it posted last.
    pub(crate) posts: Vec<Post>,
}

/// One who posts prices.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "PricePost")]
pub(crate) struct Post {
    /// The account.
    pub(crate) feed: Id,
    /// Its newest price; null before the first.
    pub(crate) micro_usd: Option<u64>,
    /// Time of the block with it.
    pub(crate) at_ms: Option<u64>,
    /// Whether it counts now.
    pub(crate) fresh: bool,
}

impl Price {
    /// At the time of a block.
    pub(crate) fn new(prices: &ledger::Prices, state: Option<&PriceState>, now: UnixMs) -> Self {
        let price: TokenPrice = ledger::price::token_price(prices, state);
        let (source, feeds) = match &prices.token {
            TokenSource::Fixed(_) => ("fixed", None),
            TokenSource::Feeds(rules) => ("feeds", Some(Feeds::new(rules, state, now))),
        };
        Self { micro_usd: price.0, source: source.to_owned(), feeds }
    }
}

impl Feeds {
    fn new(rules: &ledger::FeedRules, state: Option<&PriceState>, now: UnixMs) -> Self {
        let is_fresh = |post: &ledger::Post| now.0.saturating_sub(post.at.0) <= rules.fresh_ms;
        let posted = |feed| state?.posts.iter().find(|post| post.feed == feed);
        let posts: Vec<Post> = (rules.feeds.iter())
            .map(|feed| {
                let post = posted(*feed);
                Post {
                    feed: Id::new(feed.0),
                    micro_usd: post.map(|post| post.price.0),
                    at_ms: post.map(|post| post.at.0),
                    fresh: post.is_some_and(is_fresh),
                }
            })
            .collect();
        let fresh = posts.iter().filter(|post| post.fresh);
        let mut said: Vec<u64> = fresh.filter_map(|post| post.micro_usd).collect();
        said.sort_unstable();
        let is_quorum = said.len() >= usize::from(rules.quorum);
        let median = said.get(said.len().saturating_sub(1) / 2).filter(|_| is_quorum);
        Self {
            median_micro_usd: median.copied(),
            stale: ledger::price::is_stale(rules, state, now),
            agreed_ms: state.map(|state| state.agreed.0),
            moved_ms: state.map(|state| state.moved.0),
            quorum: rules.quorum,
            fresh_ms: rules.fresh_ms,
            step_permille: rules.step_permille,
            step_ms: rules.step_ms,
            least_micro_usd: rules.least.0,
            most_micro_usd: rules.most.0,
            posts,
        }
    }
}
