//! One of four validators is killed while somebody pays.

use std::time::Instant;

use acre_types::PublicKey;
use anyhow::{Context as _, bail, ensure};
use serde_json::json;

use super::{Shown, Stage, until};
use crate::asking::ledger_client;
use crate::context::Context;
use crate::exit::Outcome;
use crate::grid::control::{Kind, Request, quorum};
use crate::grid::up;

impl Stage {
    /// Kills one, pays, starts it again, and waits until it knows what happened without it.
    pub(in crate::tour) async fn validator_dies(&self) -> Outcome<Shown> {
        let all = up::processes(&self.home)?.validators;
        // The one that commands ask first.
        let victim = all.first().context("there are validators")?.id.clone();
        let key: PublicKey = victim.parse()?;
        let short: String = victim.chars().take(8).collect();
        let (before_seconds, _) = self.pay().await?;
        self.switch(Request::Stop { kind: Kind::Validator, id: victim.clone() }).await?;
        let status = up::processes(&self.home)?;
        let running = status.validators.iter().filter(|one| one.state == "running").count();
        ensure!(running + 1 == all.len(), "{running} of {} validators run", all.len());
        let (while_dead_seconds, height) = self.pay().await?;
        let status = up::processes(&self.home)?;
        if status.validators.iter().any(|one| one.id == victim && one.state == "running") {
            bail!("validator {short} was not dead while the payment was made");
        }

        let begun = Instant::now();
        self.switch(Request::Start { kind: Kind::Validator, id: victim.clone() }).await?;
        let context = Context::of_home(&self.home)?;
        let reached = until("the validator catches up", async || {
            Ok(head_of(&context, key).await.filter(|head| *head >= height))
        });
        let reached = reached.await?;
        let caught_up_seconds = begun.elapsed().as_secs_f64();
        let text = format!(
            "A payment with all {} validators:                  final after {before_seconds:.2} s\n\
             killed validator {short} (kill -9): {running} are left, {} must agree\n\
             A payment while it is dead:                       final after {while_dead_seconds:.2} s, at height {height}\n\
             started it again:                                 at height {reached} after {caught_up_seconds:.1} s\n\
             Blocks that it missed came from the others; it never contradicts a vote that it gave before.",
            all.len(),
            quorum(all.len()),
        );
        let facts = json!({
            "validators": all.len(), "quorum": quorum(all.len()), "running_while_dead": running,
            "commit_before_seconds": before_seconds,
            "commit_while_dead_seconds": while_dead_seconds,
            "committed_while_dead": true, "committed_height": height,
            "caught_up": reached >= height, "caught_up_height": reached,
            "caught_up_seconds": caught_up_seconds,
        });
        Ok(Shown { text, facts })
    }

    /// Sends the farmer a token; how long it took to be final, and at which height it is.
    async fn pay(&self) -> Outcome<(f64, u64)> {
        let farmer = self.farmer.as_ref().context("the farmer has joined")?;
        let to = farmer.account().await?.to_string();
        let begun = Instant::now();
        let sent = Self::acre(&self.home, &["wallet", "send", &to, "1"]).await?.well()?;
        let height = sent["height"].as_u64().context("a commit has a height")?;
        Ok((begun.elapsed().as_secs_f64(), height))
    }
}

/// The newest block that this one validator proves.
async fn head_of(context: &Context, validator: PublicKey) -> Option<u64> {
    let mut alone = context.clone();
    alone.validators.retain(|(key, _)| *key == validator);
    let ledger = ledger_client(&alone).await.ok()?;
    let (_, head) = ledger.info().await.ok()?;
    head.map(|head| head.height.0)
}
