//! The price of a token, as feeds post it.

use acre_types::{AccountId, UnixMs};

use super::{Done, Work};
use crate::error::Refusal;
use crate::event::Event;
use crate::key::ThePrice;
use crate::object::{Post, PriceState, TokenPrice, TokenSource};
use crate::price::agreed;

impl Work<'_> {
    pub(super) fn post_price(&mut self, from: AccountId, posted: TokenPrice) -> Done {
        let rules = match &self.parameters.prices.token {
            TokenSource::Feeds(rules) if rules.feeds.contains(&from) => rules.clone(),
            _ => return Err(Refusal::NotAFeed { account: from }.into()),
        };
        if !posted.is_valid() {
            return Err(Refusal::OutOfRange { what: "the price of a token" }.into());
        }
        let state = self.overlay.get(&ThePrice)?.unwrap_or(PriceState {
            price: rules.start,
            agreed: UnixMs(0),
            moved: UnixMs(0),
            posts: Vec::new().try_into().expect("none is within any limit"),
        });
        // Accounts that are no longer feeds go, so that there is always room.
        let is_kept = |post: &&Post| post.feed != from && rules.feeds.contains(&post.feed);
        let mut posts: Vec<_> = state.posts.iter().filter(is_kept).copied().collect();
        posts.push(Post { feed: from, price: posted, at: self.now });
        let (price, agreed, moved) = agreed(&rules, &state, &posts, self.now);
        let posts = posts.try_into().expect("one for each feed at most");
        self.overlay.put(&ThePrice, PriceState { price, agreed, moved, posts });
        self.events.push(Event::PricePosted { feed: from, posted, price });
        Ok(())
    }
}
