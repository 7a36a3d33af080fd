//! Settings of prices that are no single numbers: discounts, shapes of units, where the price of a
//! token comes from, who gets what.

use acre_codec::List;
use acre_ledger::{
    Commitment, FeedRules, Formula, Independence, MicroUsd, Parameters, Shape, TokenPrice,
    TokenSource,
};
use acre_types::AccountId;

use super::{read_span, read_usd, span};

const DAY_MS: u64 = 86_400_000;

fn dollars(text: &str) -> Option<MicroUsd> {
    read_usd(text.trim_end_matches("USD").trim_end())
}

pub(super) fn write_token(parameters: &Parameters) -> String {
    match &parameters.prices.token {
        TokenSource::Fixed(price) => format!("{} USD", MicroUsd(price.0)),
        TokenSource::Feeds(rules) => {
            let feeds: Vec<String> = rules.feeds.iter().map(ToString::to_string).collect();
            format!("feeds:{}/{}", feeds.join(","), rules.quorum)
        }
    }
}

/// The first time that feeds are named they begin at the present price, and may move it by a twentieth
/// a day, up to a hundred times of it; `prices.feeds` changes that.
pub(super) fn read_token(parameters: &mut Parameters, text: &str) -> Option<()> {
    let Some(named) = text.strip_prefix("feeds:") else {
        parameters.prices.token = TokenSource::Fixed(TokenPrice(dollars(text)?.0));
        return Some(());
    };
    let (feeds, quorum) = named.rsplit_once('/')?;
    let feeds: Option<Vec<AccountId>> = feeds.split(',').map(|feed| feed.parse().ok()).collect();
    let (feeds, quorum) = (List::new(feeds?).ok()?, quorum.parse().ok()?);
    let rules = match &parameters.prices.token {
        TokenSource::Feeds(rules) => FeedRules { feeds, quorum, ..rules.clone() },
        TokenSource::Fixed(start) => FeedRules {
            feeds,
            quorum,
            fresh_ms: DAY_MS,
            step_permille: 50,
            step_ms: DAY_MS,
            start: *start,
            least: TokenPrice((start.0 / 100).max(1)),
            most: TokenPrice(start.0.saturating_mul(100)),
        },
    };
    parameters.prices.token = TokenSource::Feeds(rules);
    Some(())
}

pub(super) const fn feeds(parameters: &Parameters) -> Option<&FeedRules> {
    match &parameters.prices.token {
        TokenSource::Fixed(_) => None,
        TokenSource::Feeds(rules) => Some(rules),
    }
}

pub(super) const fn feeds_mut(parameters: &mut Parameters) -> Option<&mut FeedRules> {
    match &mut parameters.prices.token {
        TokenSource::Fixed(_) => None,
        TokenSource::Feeds(rules) => Some(rules),
    }
}

pub(super) fn write_commitments(parameters: &Parameters) -> String {
    let tier = |tier: &Commitment| format!("{}:{}", span(tier.ms), tier.percent);
    let tiers: Vec<String> = parameters.prices.commitments.iter().map(tier).collect();
    if tiers.is_empty() { "none".to_owned() } else { tiers.join(",") }
}

pub(super) fn read_commitments(parameters: &mut Parameters, text: &str) -> Option<()> {
    let tier = |text: &str| {
        let (time, percent) = text.rsplit_once(':')?;
        Some(Commitment { ms: read_span(time)?, percent: percent.trim().parse().ok()? })
    };
    let given = text.split(',').filter(|_| text != "none");
    let tiers: Option<Vec<_>> = given.map(tier).collect();
    parameters.prices.commitments = List::new(tiers?).ok()?;
    Some(())
}

pub(super) fn write_formula(parameters: &Parameters) -> String {
    let Formula { shapes, disk_gib } = &parameters.prices.formula;
    let shape = |shape: &Shape| format!("{}/{}", shape.memory_gib, shape.cores);
    format!("{};{disk_gib}", shapes.iter().map(shape).collect::<Vec<_>>().join(","))
}

pub(super) fn read_formula(parameters: &mut Parameters, text: &str) -> Option<()> {
    let (shapes, disk_gib) = text.split_once(';')?;
    let shape = |text: &str| {
        let (memory_gib, cores) = text.split_once('/')?;
        let (memory_gib, cores) = (memory_gib.trim().parse().ok()?, cores.trim().parse().ok()?);
        Some(Shape { memory_gib, cores })
    };
    let shapes: Option<Vec<Shape>> = shapes.split(',').map(shape).collect();
    let shapes = <[Shape; 3]>::try_from(shapes?).ok()?;
    parameters.prices.formula = Formula { shapes, disk_gib: disk_gib.trim().parse().ok()? };
    Some(())
}

pub(super) fn write_fund(parameters: &Parameters) -> String {
    parameters.prices.split.fund.map_or_else(|| "nobody".to_owned(), |fund| fund.to_string())
}

pub(super) fn read_fund(parameters: &mut Parameters, text: &str) -> Option<()> {
    parameters.prices.split.fund = match text {
        "nobody" => None,
        account => Some(account.parse().ok()?),
    };
    Some(())
}

pub(super) fn write_independence(parameters: &Parameters) -> String {
    let name = match parameters.capacity.independence {
        Independence::Operator => "operator",
        Independence::Site => "site",
        Independence::Node => "node",
    };
    name.to_owned()
}

pub(super) fn read_independence(parameters: &mut Parameters, text: &str) -> Option<()> {
    parameters.capacity.independence = match text {
        "operator" => Independence::Operator,
        "site" => Independence::Site,
        "node" => Independence::Node,
        _ => return None,
    };
    Some(())
}
