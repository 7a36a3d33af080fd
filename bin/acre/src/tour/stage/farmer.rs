//! A stranger brings a machine, other machines watch it, and what they saw becomes tokens.

use std::fs;
use std::time::Instant;

use acre_chain::LedgerClient;
use acre_crypto::Phrase;
use acre_ledger::{EarningsOf, MintReceiptObject, MintReceiptOf, Node, TheEpoch};
use acre_types::{AccountId, Amount, Epoch, FarmId, NodeId};
use anyhow::{Context as _, ensure};
use serde_json::json;

use super::{EPOCH_SECONDS, Shown, Stage, until};
use crate::asking::{failure, reader};
use crate::command::person::Person;
use crate::command::reward;
use crate::context::Context;
use crate::exit::Outcome;
use crate::grid::process::{self, Running, Spec};
use crate::home::{Home, write_secret};
use crate::random;

/// What the farmer gets from the first user, for fees: she has nothing yet.
const FEES_TFT: &str = "10";
const FARM: &str = "Zofia's farm";
const SITE: &str = "Gdynia";

pub(super) struct Farmer {
    home: Home,
    farm: FarmId,
    pub(super) node: NodeId,
    joined: Epoch,
    begun: Instant,
    /// Ends with this value.
    _process: Running,
}

impl Stage {
    /// Does what `acre farm create`, `farm token` and `node join` are for, by running them.
    pub(in crate::tour) async fn farmer_joins(&mut self) -> Outcome<String> {
        let home = Home::find(Some(self.folder.join("farmer")))?;
        home.keep(&Phrase::from_entropy(random::bytes()?))?;
        Context::adopt(&home, self.home.root())?;
        let account = Person::of(&home).await?.account().to_string();
        Self::acre(&self.home, &["wallet", "send", &account, FEES_TFT]).await?.well()?;

        let farm = Self::acre(&home, &["farm", "create", FARM]).await?.well()?;
        let farm: FarmId = serde_json::from_value(farm["id"].clone())?;
        let number = farm.to_string();
        let token = Self::acre(&home, &["farm", "token", &number]).await?.well()?;
        let token = token["token"].as_str().context("a token is printed")?;
        let file = self.folder.join("token");
        write_secret(&file, token.as_bytes())?;
        let dir = self.folder.join("farmer-node");
        let options = [
            ("--dir", dir.as_os_str()),
            ("--token-file", file.as_os_str()),
            ("--grid", self.home.root().as_os_str()),
            ("--site", SITE.as_ref()),
            ("--country", "PL".as_ref()),
            ("--capacity", "64GiB".as_ref()),
        ];
        let words = ["node".as_ref(), "join".as_ref()];
        let words: Vec<_> = words
            .into_iter()
            .chain(options.into_iter().flat_map(|(option, value)| [option.as_ref(), value]))
            .collect();
        let joined = Self::acre(&home, &words).await?.well()?;
        let node: NodeId = serde_json::from_value(joined["node"].clone())?;
        let spec = Spec { name: "the farmer's node".into(), role: &["node", "run"], dir };
        let process = process::start(&spec).await?;
        fs::remove_file(file)?;

        let ledger = reader(&self.home).await?;
        let known = ledger.node(node).await.map_err(failure)?;
        let known = known.context("the node is on the ledger")?;
        ensure!(known.farm == farm, "the node joined farm {}, not {farm}", known.farm);
        let epoch = epoch(&ledger).await?;
        let text = format!(
            "  acre farm create \"{FARM}\"      her farm, number {farm}\n  \
               acre farm token {farm}                  signed by her: no node enters a farm without its owner's word\n  \
               acre node join --token-file …        node {} at {SITE}, {}\n\
             It claims {}, and {} of that is proven: nobody earns by claiming.\n\
             It fills 32 MiB, as all share this disk. From now on other nodes, drawn anew in each epoch, ask it for bytes of that.\n\
             Her first tokens, for fees, came from you: {FEES_TFT} TFT.",
            short(node),
            known.country,
            known.capacity.storage,
            known.verified.storage,
        );
        let (joined, begun) = (epoch, Instant::now());
        self.farmer = Some(Farmer { home, farm, node, joined, begun, _process: process });
        Ok(text)
    }

    /// Waits for what witnesses report, has it paid, and computes every receipt again.
    pub(in crate::tour) async fn farmer_earns(&mut self) -> Outcome<Shown> {
        let farmer = self.farmer.as_ref().context("the farmer has joined")?;
        let ledger = reader(&farmer.home).await?;
        let mut lines = vec![format!(
            "Her node joined in epoch {}. Each epoch three others, drawn by lot, visit it and report:",
            farmer.joined
        )];
        let mut told = None;
        until("the farmer's first tokens", async || {
            let node = ledger.node(farmer.node).await.map_err(failure)?;
            let node = node.context("the node is on the ledger")?;
            if let Some(last) = node.record.last
                && told.replace(last) != Some(last)
            {
                lines.push(seen(last, &node));
            }
            let earnings = ledger.read(&EarningsOf(farmer.node)).await.map_err(failure)?;
            let earnings = earnings.context("a policy was open to the node")?;
            if earnings.closed.iter().all(|span| span.mean().storage().0 == 0) {
                return Ok(None);
            }
            let farm = farmer.farm.to_string();
            Self::acre(&farmer.home, &["farm", "claim", &farm]).await?.well()?;
            // A period in which the node was thought to be down pays nothing: then the next one.
            let earnings = ledger.read(&EarningsOf(farmer.node)).await.map_err(failure)?;
            Ok(earnings.filter(|earnings| earnings.minted.0 > 0).map(|_| ()))
        })
        .await?;
        farmer.paid(lines, &ledger).await
    }
}

impl Farmer {
    pub(super) async fn account(&self) -> Outcome<AccountId> {
        Ok(Person::of(&self.home).await?.account())
    }

    /// What was minted for her node, and all receipts of it, of one moment: a payment in between
    /// would show.
    async fn receipts(&self, ledger: &LedgerClient) -> Outcome<(Amount, Vec<MintReceiptObject>)> {
        let minting = ledger.parameters().await.map_err(failure)?.minting;
        let minted = async || {
            let earnings = ledger.read(&EarningsOf(self.node)).await.map_err(failure)?;
            Outcome::Ok(earnings.context("a policy was open to the node")?.minted)
        };
        until("receipts of one moment", async || {
            let before = minted().await?;
            let periods = minting.period_of(self.joined)..=minting.period_of(epoch(ledger).await?);
            let wanted: Vec<_> = periods.map(|period| MintReceiptOf(self.node, period)).collect();
            let receipts = ledger.read_all(&wanted).await.map_err(failure)?;
            let is_one = before == minted().await?;
            Ok(is_one.then(|| (before, receipts.into_iter().flatten().collect())))
        })
        .await
    }

    async fn paid(&self, mut lines: Vec<String>, ledger: &LedgerClient) -> Outcome<Shown> {
        let (minted, receipts) = self.receipts(ledger).await?;
        let node = ledger.node(self.node).await.map_err(failure)?;
        let node = node.context("the node is on the ledger")?;
        receipts.iter().try_for_each(reward::check)?;
        let told: u64 = receipts.iter().map(|stored| stored.receipt.total.0).sum();
        ensure!(told == minted.0, "receipts say {}, but {minted} were minted", Amount(told));
        let paid = receipts.iter().filter(|stored| stored.receipt.total.0 > 0);
        let example = paid.clone().next_back().context("a receipt was paid")?;
        lines.push(format!(
            "acre farm claim {}: {minted} are minted. Why, for one epoch:",
            self.farm
        ));
        lines.extend(reward::lines(example));
        let input = &example.input;
        lines.push(format!(
            "    as {} / 1200 GiB make {} SU at 1 USD a month (here {} s), and a TFT is {} USD",
            input.capacity.without(&input.sold).storage(),
            example
                .receipt
                .lines
                .first()
                .map_or_else(String::new, |line| line.quantity.to_string()),
            input.month_ms / 1000,
            input.price,
        ));
        lines.push(format!(
            "Each of her {} receipts was computed again from its input: the same to the last digit.\n\
             They sum to what the ledger minted for her node.",
            receipts.len(),
        ));
        let facts = json!({
            "farm": self.farm,
            "node": self.node,
            "joined_epoch": self.joined,
            "verified_bytes": node.verified.storage,
            "claimed_bytes": node.capacity.storage,
            "epochs_witnessed": node.record.epochs,
            "minted": minted.to_string(),
            "minted_units": minted,
            "receipts": receipts.len(),
            "receipts_paid": paid.count(),
            "receipts_recomputed": true,
            "seconds_since_joined": self.begun.elapsed().as_secs_f64(),
        });
        Ok(Shown { text: lines.join("\n"), facts })
    }
}

/// What the last epoch that was reported says of a node.
fn seen(last: Epoch, node: &Node) -> String {
    let record = &node.record;
    let seconds = |ms: u64| ms / 1000;
    format!(
        "  epoch {}: {} of {} are proven; up for {} of {} s in {} epochs of {EPOCH_SECONDS} s",
        last,
        node.verified.storage,
        node.capacity.storage,
        seconds(record.up),
        seconds(record.due),
        record.epochs,
    )
}

async fn epoch(ledger: &LedgerClient) -> Outcome<Epoch> {
    let state = ledger.read(&TheEpoch).await.map_err(failure)?;
    Ok(state.context("the ledger has an epoch")?.number)
}

pub(super) fn short(id: NodeId) -> String {
    id.to_string().chars().take(8).collect()
}
