//! Somebody answers in a validator's place, and lies.
//!
//! The liar is a server as real as any: it listens on a port, speaks the protocol of validators and
//! passes each question on to an honest one. Then it changes the balance in the answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use acre_chain::protocol::{LEDGER, Reply};
use acre_codec::List;
use acre_crypto::SigningKey;
use acre_ledger::{Account, Proof};
use acre_net::rpc::{Caller, Message, Server, Services, serve};
use acre_net::{Endpoint, StaticBook};
use acre_types::{AccountId, Amount, PublicKey};
use anyhow::{Context as _, bail, ensure};
use serde_json::json;

use super::{Shown, Stage};
use crate::command::person::Person;
use crate::context::{self, Context, Peer};
use crate::exit::{Code, Outcome};
use crate::home::Home;
use crate::random;

/// The liar gives an honest validator this long.
const ASKED: Duration = Duration::from_secs(10);
/// Added to whatever somebody has.
const INVENTED_TFT: u64 = 5_000_000;

/// A server between a reader and an honest validator.
struct Liar {
    endpoint: Endpoint,
    /// Ends with this value.
    _server: Server,
    /// The last balance that it made up, in units; zero before the first.
    told: Arc<AtomicU64>,
}

impl Liar {
    async fn start(honest: &Context) -> Outcome<Self> {
        let (validator, address) = *honest.validators.first().context("there are validators")?;
        let book = StaticBook::from_iter([(validator, address)]);
        let key = SigningKey::from_seed(random::secret()?);
        let listen = "127.0.0.1:0".parse()?;
        let endpoint = Endpoint::bind(&key, Some(listen), Arc::new(book)).await?;
        let caller = Caller::new(endpoint.clone(), LEDGER);
        let told = Arc::<AtomicU64>::default();
        let telling = Arc::clone(&told);
        let handler = move |_, question: Message| {
            let (caller, telling) = (caller.clone(), Arc::clone(&telling));
            async move { answer(&caller, validator, question, &telling).await }
        };
        let server = serve(&endpoint, Services::new().calls(LEDGER, handler));
        Ok(Self { endpoint, _server: server, told })
    }

    fn peer(&self) -> Outcome<Peer> {
        let address = self.endpoint.local_addr().context("the liar listens")?;
        Ok(Peer { key: self.endpoint.key(), address, engine: None })
    }
}

async fn answer(
    caller: &Caller,
    validator: PublicKey,
    question: Message,
    told: &AtomicU64,
) -> Message {
    let reply = match caller.call(validator, question, ASKED).await {
        Ok(reply) => acre_codec::decode(&reply.body).unwrap_or(Reply::Malformed),
        Err(_) => Reply::NotFound,
    };
    Message::new(Vec::new(), acre_codec::encode(&falsified(reply, told)))
}

/// The same answer, with the same certificate, but every balance in it is too large.
fn falsified(reply: Reply, told: &AtomicU64) -> Reply {
    let Reply::Values { finality, proofs } = reply else { return reply };
    let changed = proofs.iter().map(|proof| richer(proof, told).unwrap_or_else(|| proof.clone()));
    match List::new(changed.collect()) {
        Ok(proofs) => Reply::Values { finality, proofs },
        Err(_) => Reply::Values { finality, proofs },
    }
}

/// A proof whose value is an account, with more in the account.
fn richer(proof: &Proof, told: &AtomicU64) -> Option<Proof> {
    let mut bytes = proof.to_bytes();
    // A value stands at the end of its proof. The accounts of the tour have their first keys still,
    // so all are of one length.
    let length = acre_codec::encode(&Account::default()).len();
    let begin = bytes.len().checked_sub(length)?;
    let value = bytes.get_mut(begin..)?;
    let mut account: Account = acre_codec::decode(value).ok()?;
    account.balance = account.balance.checked_add(Amount::tft(INVENTED_TFT)?)?;
    value.copy_from_slice(&acre_codec::encode(&account));
    told.store(account.balance.0, Ordering::Relaxed);
    Proof::decode(&bytes).ok()
}

impl Stage {
    /// A reader who was told to ask the liar alone, then the liar and an honest validator.
    pub(in crate::tour) async fn liar(&self) -> Outcome<Shown> {
        let honest = Context::of_home(&self.home)?;
        let account = Person::of(&self.home).await?.account();
        let liar = Liar::start(&honest).await?;
        let reader = self.reader("reader", &honest, &[liar.peer()?])?;

        let refused = ask(&reader, account).await?;
        let lie = Amount(liar.told.load(Ordering::Relaxed));
        ensure!(lie.0 > 0, "the liar was not asked");
        if refused.code != Some(Code::Damaged as i32) || !refused.out.is_empty() {
            bail!("the reader of a lie ended with {:?} and printed {}", refused.code, refused.out);
        }
        let mut both = vec![liar.peer()?];
        both.extend(honest.validators.iter().map(|(key, address)| Peer {
            key: *key,
            address: *address,
            engine: None,
        }));
        let reader = self.reader("reader-of-both", &honest, &both)?;
        let told = ask(&reader, account).await?.well()?;
        let truth = &told["object"]["balance_units"];
        let truth = Amount(truth.as_u64().context("an account has a balance")?);
        ensure!(lie.0 > truth.0, "the reader believed the liar: {truth}");
        let forged = self.forged_proof(&reader, account).await?;

        let name: String = liar.endpoint.key().to_string().chars().take(8).collect();
        let text = format!(
            "Liar {name} stands between a reader and a validator. It passes on a true certificate, and a false balance.\n\
             the liar says:          {lie}\n\
             the reader answers:     {}\n\
             \u{20}                       (exit code {}, and no balance was printed)\n\
             With the liar and honest validators to ask, the reader leaves the liar aside: {truth}.\n\
             {}",
            refused.error(),
            Code::Damaged as u8,
            forged.text,
        );
        let facts = json!({
            "told_units": lie, "true_units": truth, "refused": true,
            "exit_code": refused.code, "error": refused.error(),
            "honest_answer_passes": true, "proof_file": forged.facts,
        });
        Ok(Shown { text, facts })
    }

    /// A home that has the genuine genesis and was told to ask these.
    fn reader(&self, name: &str, honest: &Context, peers: &[Peer]) -> Outcome<Home> {
        let home = Home::find(Some(self.folder.join(name)))?;
        let grid = home.grid();
        context::write_genesis(&grid, &honest.genesis)?;
        context::write_peers(&grid, peers)?;
        Context::adopt(&home, home.root())?;
        Ok(home)
    }

    /// The same balance as a file: as it was exported, and with one bit changed.
    async fn forged_proof(&self, reader: &Home, account: AccountId) -> Outcome<Shown> {
        let file = self.folder.join("balance.proof");
        let name = file.as_os_str();
        let account = account.to_string();
        let export = ["proof", "export", "account", &account, "-o"].map(AsRef::as_ref);
        Self::acre(&self.home, &[&export[..], &[name]].concat()).await?.well()?;
        let verify = ["proof".as_ref(), "verify".as_ref(), name];
        Self::acre(reader, &verify).await?.well()?;
        let mut bytes = std::fs::read(&file)?;
        let middle = bytes.len() / 2;
        if let Some(byte) = bytes.get_mut(middle) {
            *byte ^= 1;
        }
        std::fs::write(&file, &bytes)?;
        let refused = Self::acre(reader, &verify).await?;
        if refused.code != Some(Code::Damaged as i32) {
            bail!("a forged proof ended with {:?} and printed {}", refused.code, refused.out);
        }
        let text = format!(
            "acre proof export makes a file of {} bytes that anybody checks without any network: it is good.\n\
             The same file with one bit of byte {middle} changed: {}",
            bytes.len(),
            refused.error()
        );
        let facts = json!({
            "file_bytes": bytes.len(), "verified": true, "forged_refused": true,
            "forged_exit_code": refused.code,
        });
        Ok(Shown { text, facts })
    }
}

async fn ask(reader: &Home, account: AccountId) -> Outcome<super::Said> {
    let account = account.to_string();
    Stage::acre(reader, &["ledger", "get", "account", &account]).await
}
