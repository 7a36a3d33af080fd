//! `acre put|get|ls|rm|mv|explain|repair|scrub`.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use acre_client::{
    Client, ClientError, Config, Depth, Explanation, Failure as Class, GetReport, Item, ItemKind,
    Moment, Phase, Progress, PutOptions, PutReport, RepairMode, RepairReport, Silent, Wanted,
    WarningKind,
};
use acre_crypto::SigningKey;
use acre_store::machine::ShardState;
use acre_types::{Bytes, Profile};
use serde_json::{Value, json};

use crate::asking::{connected, kept_in};
use crate::cli;
use crate::context::Context;
use crate::exit::{Code, Failure, Outcome};
use crate::home::Home;
use crate::output::{Bar, Output};
use crate::random;

/// The storage of the person to whom a home belongs.
pub(crate) async fn open(home: &Home) -> Outcome<Client> {
    let context = Context::of_home(home)?;
    let root = home.phrase()?.root();
    let key = SigningKey::from_seed(random::secret()?);
    let options = kept_in(&home.context().join("checkpoint"), &context)?;
    let (ledger, endpoint, book) = connected(&context, &key, options).await?;
    let cache_dir = Some(home.cache());
    Client::open(Config { root, ledger, endpoint, book, cache_dir }).await.map_err(failure)
}

/// What a storage error means for the one who asked.
pub(crate) fn failure(error: ClientError) -> anyhow::Error {
    let code = match error.failure() {
        Class::Other => Code::Failed,
        Class::Usage => Code::Usage,
        Class::NotFound => Code::NotFound,
        Class::Denied => Code::Denied,
        Class::Unreachable => Code::Unreachable,
        Class::OutcomeUnknown => Code::OutcomeUnknown,
        Class::Conflict => Code::Conflict,
        Class::NotEnough => Code::NotEnough,
        Class::Damaged => Code::Damaged,
    };
    let mut what = error.to_string();
    let mut next = std::error::Error::source(&error);
    while let Some(cause) = next {
        what = format!("{what}: {cause}");
        next = cause.source();
    }
    let failure = Failure::new(code, what);
    let failure = match &error {
        ClientError::NotFound { .. } => failure.hint("acre ls"),
        ClientError::NotEnoughPlaces { fits, .. } => {
            let hint = fits.first().map_or_else(
                || "acre status; more nodes must run".to_owned(),
                |profile| format!("--profile {}, or more nodes", profile.name()),
            );
            failure.state("nothing was stored, no tokens were spent").hint(hint)
        }
        ClientError::NotEnoughFunds { .. } => {
            failure.state("nothing was stored, no tokens were spent").hint("acre wallet balance")
        }
        ClientError::NotStored { .. } => failure
            .state("nothing became visible; what was stored is found again by the next try")
            .hint("acre status, then the same command again"),
        ClientError::Unreachable { .. } | ClientError::VolumeUnreachable { .. } => failure
            .state("what is stored is unchanged; no file was written")
            .hint("acre status; start nodes that are down: acre node start ID"),
        ClientError::ContractOver { contract } => failure
            .state("nothing was stored")
            .hint(format!("date; acre contract show {contract} tells when it ends")),
        ClientError::Damaged { .. } => failure
            .state("no file was written")
            .hint("acre explain NAME shows which shards are left"),
        ClientError::Ledger(error) => return crate::asking::ledger_failure(error, failure).into(),
        ClientError::OutcomeUnknown { .. } => {
            failure.hint("acre ls shows whether it happened; the same command again is safe")
        }
        ClientError::Conflict { .. } | ClientError::Overtaken { .. } => {
            failure.state("nothing was changed")
        }
        _ => failure,
    };
    failure.into()
}

/// The work's result; at Ctrl-C or SIGTERM it is given up and cleaned up behind first.
async fn unless_interrupted<T>(
    client: &Client,
    state: &str,
    work: impl Future<Output = Result<T, ClientError>>,
) -> Outcome<T> {
    let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        done = work => return done.map_err(failure),
        _ = tokio::signal::ctrl_c() => {}
        _ = terminated.recv() => {}
    }
    client.idle().await;
    Err(Failure::new(Code::Interrupted, "interrupted")
        .state(state)
        .hint("the same command again")
        .into())
}

/// A progress bar as the client's listener.
struct OnBar(Bar);

impl Progress for OnBar {
    fn at(&self, moment: Moment) {
        let word = match moment.phase {
            Phase::Storing => "storing",
            Phase::Publishing => "publishing",
            Phase::Reading => "reading",
            Phase::Listing => "listing",
            Phase::Repairing => "repairing",
            Phase::Deleting => "deleting",
        };
        let message = format!("{word}, {} files", moment.files);
        self.0.set(moment.done, moment.total.unwrap_or(0), &message);
    }
}

impl Drop for OnBar {
    fn drop(&mut self) {
        self.0.end();
    }
}

pub(crate) fn progress(out: &Output) -> Arc<dyn Progress> {
    if out.is_json() { Arc::new(Silent) } else { Arc::new(OnBar(out.bar(None))) }
}

pub(crate) async fn put(home: &Home, put: &cli::Put, out: &Output) -> Outcome {
    let options = PutOptions { profile: put.profile, to: put.to.clone().map(OsString::into_vec) };
    let client = open(home).await?;
    let putting = client.put(&put.path, options, progress(out));
    let report = unless_interrupted(&client, "nothing became visible", putting).await?;
    for warning in &report.warnings {
        out.warn(&describe(&warning.path, &warning.kind));
    }
    out.data(&put_json(&report), || put_words(&report));
    Ok(())
}

pub(crate) fn describe(path: &Path, kind: &WarningKind) -> String {
    let path = shown(path.as_os_str().as_bytes());
    match kind {
        WarningKind::Special => format!("{path} is no file, directory or link: left out"),
        WarningKind::Unreadable(why) => format!("{path} cannot be read ({why}): left out"),
        WarningKind::Changed => {
            format!("{path} changed while it was read: what is stored may be torn")
        }
        WarningKind::Vanished => format!("{path} was gone when its turn came: left out"),
    }
}

fn put_json(report: &PutReport) -> Value {
    let warnings: Vec<String> =
        report.warnings.iter().map(|w| describe(&w.path, &w.kind)).collect();
    json!({
        "object": report.object.to_string(),
        "name": text(&report.name),
        "profile": report.profile.to_string(),
        "bytes_plain": report.bytes_plain,
        "bytes_stored": report.bytes_stored,
        "shards": report.shards,
        "files": report.files,
        "entries": report.entries,
        "durable": true,
        "packs_not_yet_full": report.not_yet_full,
        "seconds": report.seconds,
        "warnings": warnings,
        "warnings_total": report.warnings_total,
    })
}

pub(crate) fn put_words(report: &PutReport) -> String {
    let profile = report.profile;
    let per = |permille: u32| format!("{}.{} %", permille / 10, permille % 10);
    let mut lines = vec![
        format!(
            "{} stored: {} in {}, durable after {:.1} s",
            shown(&report.name),
            Bytes(report.bytes_plain),
            counted(report.files, "file"),
            report.seconds
        ),
        format!(
            "{} sent as {} shards; profile {} ({}): any {} of {} places may be lost, overhead {} on data, {} of raw",
            Bytes(report.bytes_stored),
            report.shards,
            profile.name(),
            profile,
            profile.parity(),
            profile.shards(),
            per(profile.overhead_on_data_permille()),
            per(profile.overhead_on_raw_permille()),
        ),
        format!("object {}", report.object),
    ];
    if report.not_yet_full > 0 {
        lines.push(format!("{} packs are not yet full: acre repair --wait", report.not_yet_full));
    }
    lines.join("\n")
}

/// What a word of the command line asks for.
fn wanted(given: &OsStr) -> Wanted {
    Wanted::parse(given.as_bytes())
}

/// A name for a terminal, which must not take a part of it for a command: control characters
/// and bytes that are no text are escaped.
pub(crate) fn shown(name: &[u8]) -> String {
    let mut out = String::with_capacity(name.len());
    for chunk in name.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() { out.extend(c.escape_default()) } else { out.push(c) }
        }
        out.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    out
}

/// A name in JSON, which escapes what it must itself; odd bytes are replaced.
pub(crate) fn text(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

pub(crate) async fn get(home: &Home, get: &cli::Get, out: &Output) -> Outcome {
    let wanted = wanted(&get.name);
    let to = match &get.out {
        Some(path) => path.clone(),
        None => default_out(&wanted)?,
    };
    let client = open(home).await?;
    let getting = client.get(&wanted, &to, progress(out));
    let report = unless_interrupted(&client, "no file was written", getting).await?;
    out.data(&get_json(&report, &to), || get_words(&report, &to));
    Ok(())
}

fn default_out(wanted: &Wanted) -> Outcome<PathBuf> {
    let last = match wanted {
        Wanted::Path(path) => path.rsplit(|byte| *byte == b'/').find(|part| !part.is_empty()),
        Wanted::Object(_) => None,
    };
    let last = last.ok_or_else(|| {
        Failure::new(Code::Usage, "where to?").hint(format!("acre get {wanted} OUT"))
    })?;
    Ok(PathBuf::from(OsString::from_vec(last.to_vec())))
}

fn get_json(report: &GetReport, to: &Path) -> Value {
    json!({
        "out": to, "bytes": report.bytes, "files": report.files, "entries": report.entries,
        "seconds": report.seconds,
    })
}

fn get_words(report: &GetReport, to: &Path) -> String {
    let (bytes, files) = (Bytes(report.bytes), report.files);
    let files = counted(files, "file");
    format!("{}: {bytes} in {files} after {:.1} s", to.display(), report.seconds)
}

pub(crate) async fn ls(home: &Home, ls: &cli::Ls, out: &Output) -> Outcome {
    let client = open(home).await?;
    let wanted = wanted(&ls.path);
    let mut values = Vec::new();
    let mut after: Option<Vec<u8>> = None;
    loop {
        let page = client.list(&wanted, after.as_deref()).await.map_err(failure)?;
        let Some(last) = page.last() else { break };
        after = Some(last.name.clone());
        if out.is_json() {
            values.extend(page.iter().map(item_json));
        } else {
            // A directory of millions of names is printed as it is read.
            let line = |item: &Item| if ls.long { long_line(item) } else { short_line(item) };
            out.lines(&page.iter().map(line).collect::<Vec<_>>().join("\n"));
        }
        if !is_directory(&client, &wanted).await? {
            break;
        }
    }
    if out.is_json() {
        out.data(&json!({ "path": text(ls.path.as_bytes()), "entries": values }), String::new);
    }
    Ok(())
}

/// A listing of anything but a directory is the thing itself, once.
async fn is_directory(client: &Client, wanted: &Wanted) -> Outcome<bool> {
    if *wanted == Wanted::from("/") {
        return Ok(true);
    }
    let item = client.stat(wanted).await.map_err(failure)?;
    Ok(item.kind == ItemKind::Directory)
}

fn item_json(item: &Item) -> Value {
    json!({
        "name": text(&item.name),
        "kind": item.kind.name(),
        "size_bytes": item.bytes,
        "files": item.files,
        "mode": format!("{:o}", item.mode),
        "mtime_ns": item.mtime_ns,
        "target": item.target.as_deref().map(text),
        "profile": item.profile.to_string(),
        "contract": item.contract,
    })
}

fn short_line(item: &Item) -> String {
    let mark = match item.kind {
        ItemKind::Directory => "/",
        ItemKind::File | ItemKind::Symlink => "",
    };
    format!("{}{mark}", shown(&item.name))
}

fn long_line(item: &Item) -> String {
    let kind = match item.kind {
        ItemKind::Directory => 'd',
        ItemKind::Symlink => 'l',
        ItemKind::File => '-',
    };
    let target = item.target.as_deref().map_or_else(String::new, |t| format!(" -> {}", shown(t)));
    format!(
        "{kind}{:04o}  {:>10}  {:>8} files  {}  {:<8} {}{target}",
        item.mode & 0o7777,
        Bytes(item.bytes).to_string(),
        item.files,
        date(item.mtime_ns),
        item.profile.name(),
        short_line(item),
    )
}

/// `2026-11-21 01:02` in UTC, by the civil calendar (H. Hinnant, `civil_from_days`).
fn date(mtime_ns: i64) -> String {
    let minutes = mtime_ns.div_euclid(60_000_000_000);
    let (days, minute) = (minutes.div_euclid(1440), minutes.rem_euclid(1440));
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}", minute / 60, minute % 60)
}

pub(crate) async fn rm(home: &Home, rm: &cli::Rm, out: &Output) -> Outcome {
    let client = open(home).await?;
    let mut removed = Vec::new();
    for name in &rm.names {
        let depth = if rm.recursive { Depth::Tree } else { Depth::Entry };
        let report = client.remove(&wanted(name), depth, progress(out)).await.map_err(failure)?;
        let collected = report.collected.unwrap_or_default();
        let unconfirmed: Vec<Value> = (collected.unconfirmed.iter())
            .map(|(node, packs)| json!({ "node": node, "packs": packs.len() }))
            .collect();
        removed.push(json!({
            "name": text(name.as_bytes()), "entries": report.entries, "packs_deleted": collected.packs,
            "shards_deleted": collected.shards, "unconfirmed": unconfirmed,
        }));
    }
    out.data(&json!({ "removed": removed }), || {
        let line = |value: &Value| {
            let silent = value["unconfirmed"].as_array().map_or(0, Vec::len);
            let name = value["name"].as_str().unwrap_or_default();
            let mut line = format!(
                "{name} removed; its keys are gone and {} shards were dropped",
                value["shards_deleted"]
            );
            if silent > 0 {
                line = format!("{line}; {silent} places did not confirm and hold unreadable bytes");
            }
            line
        };
        removed.iter().map(line).collect::<Vec<_>>().join("\n")
    });
    Ok(())
}

pub(crate) async fn mv(home: &Home, mv: &cli::Mv, out: &Output) -> Outcome {
    let client = open(home).await?;
    let from = wanted(&mv.from);
    let name = target(&client, mv).await?;
    client.rename(&from, &name).await.map_err(failure)?;
    out.data(&json!({ "from": text(mv.from.as_bytes()), "to": text(&name) }), || {
        format!("{} is now {}", shown(mv.from.as_bytes()), shown(&name))
    });
    Ok(())
}

/// The new name: below `to` if that is a directory, else `to`.
async fn target(client: &Client, mv: &cli::Mv) -> Outcome<Vec<u8>> {
    let to = mv.to.as_bytes().to_vec();
    match client.stat(&Wanted::Path(to.clone())).await {
        Ok(item) if item.kind == ItemKind::Directory => {
            let last = default_out(&wanted(&mv.from))?;
            Ok([
                to.strip_suffix(b"/").unwrap_or(&to),
                b"/",
                last.into_os_string().as_encoded_bytes(),
            ]
            .concat())
        }
        Ok(_) => Ok(to),
        Err(error) if error.failure() == Class::NotFound => Ok(to),
        Err(error) => Err(failure(error)),
    }
}

pub(crate) const fn state_word(state: ShardState) -> &'static str {
    match state {
        ShardState::Verified => "verified",
        ShardState::Missing => "missing",
        ShardState::Damaged => "damaged",
        ShardState::Unreachable => "unreachable",
    }
}

pub(crate) async fn explain(home: &Home, explain: &cli::Explain, out: &Output) -> Outcome {
    let client = open(home).await?;
    let wanted = wanted(&explain.name);
    let explanation = client.explain(&wanted).await.map_err(failure)?;
    out.data(&explain_json(&explanation), || explain_words(&explanation));
    if explanation.losses_survivable.is_none() {
        let what = "some part cannot be read now";
        return Err(Failure::new(Code::Unreachable, what).hint("acre status").into());
    }
    Ok(())
}

fn explain_json(explanation: &Explanation) -> Value {
    let stripes: Vec<Value> = (explanation.stripes.iter())
        .map(|stripe| {
            let shards: Vec<Value> = (stripe.shards.iter())
                .map(|shard| {
                    json!({
                        "index": shard.index.get(), "node": shard.node, "site": shard.site,
                        "state": state_word(shard.state),
                    })
                })
                .collect();
            json!({ "id": stripe.id, "shards": shards, "losses_survivable": stripe.losses_survivable })
        })
        .collect();
    json!({
        "profile": explanation.profile.to_string(),
        "contract": explanation.contract,
        "stripes": stripes,
        "losses_survivable": explanation.losses_survivable,
    })
}

/// A row a pack, a letter a shard; the first pack in full.
pub(crate) fn explain_words(explanation: &Explanation) -> String {
    let profile: Profile = explanation.profile;
    let mut lines = vec![match explanation.losses_survivable {
        Some(losses) => format!(
            "profile {} ({profile}), {} packs: any {losses} more places may be lost",
            profile.name(),
            explanation.stripes.len()
        ),
        None => format!(
            "profile {} ({profile}), {} packs: some part cannot be read now",
            profile.name(),
            explanation.stripes.len()
        ),
    }];
    if let Some(first) = explanation.stripes.first() {
        lines.push(format!("pack {}:", first.id));
        for shard in &first.shards {
            let node: String = shard.node.to_string().chars().take(8).collect();
            let kind = if shard.index.get() < profile.data() { "data" } else { "parity" };
            let state = state_word(shard.state);
            lines.push(format!(
                "  {:>3} {kind:<6} {node}  {:<16} {state}",
                shard.index.get(),
                shard.site
            ));
        }
    }
    if explanation.stripes.len() > 1 {
        lines.push("all packs (v verified, - missing, x damaged, ? unreachable):".to_owned());
        for stripe in explanation.stripes.iter().take(ROWS_MAX) {
            let letters: String = stripe.shards.iter().map(|shard| letter(shard.state)).collect();
            let id: String = stripe.id.to_string().chars().take(8).collect();
            lines.push(format!("  {id}  {letters}"));
        }
        if let Some(more) = explanation.stripes.len().checked_sub(ROWS_MAX).filter(|n| *n > 0) {
            lines.push(format!("  and {more} more: --json lists them all"));
        }
    }
    lines.join("\n")
}

/// Packs shown in words.
const ROWS_MAX: usize = 24;

const fn letter(state: ShardState) -> char {
    match state {
        ShardState::Verified => 'v',
        ShardState::Missing => '-',
        ShardState::Damaged => 'x',
        ShardState::Unreachable => '?',
    }
}

pub(crate) async fn repair(home: &Home, mode: RepairMode, out: &Output) -> Outcome {
    let client = open(home).await?;
    let repairing = client.repair(mode, progress(out));
    let report = unless_interrupted(&client, "what was repaired stays so", repairing).await?;
    out.data(&repair_json(&report), || repair_words(&report));
    if report.unrepairable_total > 0 {
        let what =
            format!("{} packs have too few shards to be repaired now", report.unrepairable_total);
        return Err(Failure::new(Code::Unreachable, what)
            .state("what can be read was not touched")
            .hint("start the nodes that hold them: acre status, acre node start ID")
            .into());
    }
    Ok(())
}

fn repair_json(report: &RepairReport) -> Value {
    let replaced: Vec<Value> =
        (report.replaced.iter()).map(|(old, new)| json!({ "old": old, "new": new })).collect();
    json!({
        "packs": report.packs, "full": report.full, "rebuilt_shards": report.rebuilt,
        "trimmed_shards": report.trimmed, "waiting_packs": report.waiting,
        "unplaced_shards": report.unplaced, "unrepairable_packs": report.unrepairable_total,
        "silent_places": report.silent, "replaced_places": replaced,
    })
}

/// `1 file`, `2 files`.
fn counted(number: u64, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

pub(crate) fn repair_words(report: &RepairReport) -> String {
    let mut lines = vec![format!(
        "{} of {} packs are full; {} shards were made again",
        report.full, report.packs, report.rebuilt
    )];
    if report.waiting > 0 {
        lines.push(format!(
            "{} packs have lost a little and wait for their places to return; acre repair --wait does not wait",
            report.waiting
        ));
    }
    if report.unplaced > 0 {
        lines.push(format!("{} shards found no place: more nodes must run", report.unplaced));
    }
    if !report.silent.is_empty() {
        lines.push(match report.silent.len() {
            1 => "1 place does not answer: acre status".to_owned(),
            many => format!("{many} places do not answer: acre status"),
        });
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, shown) in [
            (0, "1970-01-01 00:00"),
            (951_782_399, "2000-02-28 23:59"),
            (951_782_400, "2000-02-29 00:00"),
            (1_795_219_200, "2026-11-21 00:00"),
            (-60, "1969-12-31 23:59"),
        ] {
            assert_eq!(date(seconds * 1_000_000_000), shown);
        }
    }

    #[test]
    fn names_cannot_speak_to_a_terminal() {
        assert_eq!(shown(b"a\x1b[31m\xff\n\xc3\xa9"), "a\\u{1b}[31m\\xff\\né");
    }

    #[test]
    fn name_without_a_last_part_needs_a_target() {
        assert!(default_out(&Wanted::from("/")).is_err());
        assert_eq!(default_out(&Wanted::from("/a/b/")).unwrap(), PathBuf::from("b"));
    }
}
