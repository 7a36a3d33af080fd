//! The price of a token from many feeds: the median of what is fresh, and no leaps.

use acre_types::UnixMs;

use crate::object::{FeedRules, Post, PriceState, TokenPrice};

/// Whether a quorum of fresh posts last agreed too long ago. The price stays as it was then:
/// contracts go on, and people are told.
#[must_use]
pub fn is_stale(rules: &FeedRules, state: Option<&PriceState>, now: UnixMs) -> bool {
    state.is_none_or(|state| now.0.saturating_sub(state.agreed.0) > rules.fresh_ms)
}

/// The price after a post: the lower median of all fresh posts, as far as a step allows; as it was
/// if too few are fresh. The caller adds the posts.
pub(crate) fn agreed(
    rules: &FeedRules,
    before: &PriceState,
    posts: &[Post],
    now: UnixMs,
) -> (TokenPrice, UnixMs, UnixMs) {
    let old = before.price;
    let is_fresh = |post: &&Post| {
        rules.feeds.contains(&post.feed) && now.0.saturating_sub(post.at.0) <= rules.fresh_ms
    };
    let mut fresh: Vec<_> = posts.iter().filter(is_fresh).map(|post| post.price).collect();
    if fresh.len() < usize::from(rules.quorum) {
        return (old, before.agreed, before.moved);
    }
    fresh.sort_unstable();
    let middle = fresh.len().saturating_sub(1) / 2;
    let wanted = fresh.get(middle).copied().unwrap_or(old);
    let elapsed_ms = now.0.saturating_sub(before.moved.0).min(rules.step_ms);
    let step = step(rules, old, elapsed_ms);
    if step == 0 && wanted != old {
        // Too soon for even the least step: time goes on from the last one.
        return (old, now, before.moved);
    }
    let lowest = TokenPrice(old.0.saturating_sub(step)).max(rules.least);
    let highest = TokenPrice(old.0.saturating_add(step)).min(rules.most);
    // A vote may have moved the bounds past the price.
    let price = wanted.max(lowest).min(highest).max(rules.least).min(rules.most);
    (price, now, now)
}

/// How far the price may move in this time.
fn step(rules: &FeedRules, old: TokenPrice, elapsed_ms: u64) -> u64 {
    let product = u128::from(old.0)
        .saturating_mul(rules.step_permille.into())
        .saturating_mul(elapsed_ms.into());
    let below = u128::from(rules.step_ms).saturating_mul(1000);
    u64::try_from(product.checked_div(below).unwrap_or(0)).unwrap_or(u64::MAX)
}
