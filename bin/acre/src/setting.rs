//! Settings of a grid by name: what a genesis chooses and a vote may change.
//!
//! Each is written `GROUP.NAME=VALUE` with a unit a person would use (`12.5` TFT, `0.08` USD, `7d`).
//! The bounds are the ledger's own: they are found by asking its check, never repeated here.

mod policies;
mod prices;

use acre_codec::List;
use acre_ledger::{
    Amendment, GenesisError, GridKind, MicroUsd, Parameters, Policy, SeatsBy, TokenPrice,
};
use acre_types::{AccountId, Amount, PublicKey};

use crate::exit::{Code, Failure, Outcome};

/// How the number of a setting is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Tft,
    Usd,
    Time,
    Count,
    Permille,
    Percent,
}

impl Unit {
    fn write(self, value: u64) -> String {
        match self {
            Self::Tft => Amount(value).to_string(),
            Self::Usd => format!("{} USD", MicroUsd(value)),
            Self::Time => span(value),
            Self::Count => value.to_string(),
            Self::Permille => format!("{value} permille"),
            Self::Percent => format!("{value} percent"),
        }
    }

    fn read(self, text: &str) -> Option<u64> {
        match self {
            Self::Tft => text.parse::<Amount>().ok().map(|amount| amount.0),
            Self::Usd => read_usd(text.trim_end_matches("USD").trim_end()).map(|usd| usd.0),
            Self::Time => read_span(text),
            Self::Count => text.parse().ok(),
            Self::Permille => text.trim_end_matches("permille").trim_end().parse().ok(),
            Self::Percent => text.trim_end_matches(['%']).trim_end().parse().ok(),
        }
    }

    const fn form(self) -> &'static str {
        match self {
            Self::Tft => "an amount of TFT, as 12.5",
            Self::Usd => "an amount of USD, as 0.08",
            Self::Time => "a time, as 500ms, 30s, 12h or 7d",
            Self::Count => "a whole number",
            Self::Permille => "a whole number of thousandths",
            Self::Percent => "a whole number of hundredths",
        }
    }
}

/// Milliseconds as the largest unit that divides them.
pub(crate) fn span(ms: u64) -> String {
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s")];
    let whole = units.into_iter().find(|(unit, _)| ms > 0 && ms.is_multiple_of(*unit));
    whole.map_or_else(|| format!("{ms}ms"), |(unit, name)| format!("{}{name}", ms / unit))
}

/// Reads a time; a bare number counts milliseconds.
pub(crate) fn read_span(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = match unit.trim() {
        "" | "ms" => 1,
        "s" => 1_000,
        "min" | "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit)
}

/// Reads dollars with at most six digits after the point.
pub(crate) fn read_usd(text: &str) -> Option<MicroUsd> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let is_plain = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    if part.len() > 6 || whole.is_empty() || !is_plain(whole) || !is_plain(part) {
        return None;
    }
    format!("{whole}{part:0<6}").parse().ok().map(MicroUsd)
}

/// A field that holds a number.
trait Number {
    fn number(&self) -> u64;
    /// `None` if the field is too small for it.
    fn set(&mut self, value: u64) -> Option<()>;
}

macro_rules! numbers {
    (whole: $($whole:ty),*; wrapped: $($wrapped:ty),*) => {
        $(impl Number for $whole {
            fn number(&self) -> u64 {
                u64::from(*self)
            }
            fn set(&mut self, value: u64) -> Option<()> {
                *self = Self::try_from(value).ok()?;
                Some(())
            }
        })*
        $(impl Number for $wrapped {
            fn number(&self) -> u64 {
                self.0
            }
            fn set(&mut self, value: u64) -> Option<()> {
                self.0 = value;
                Some(())
            }
        })*
    };
}

numbers!(whole: u8, u16, u32, u64; wrapped: Amount, MicroUsd, TokenPrice);

/// How a setting is read and written.
enum Way {
    Number {
        unit: Unit,
        /// `None` where the grid has no such value now.
        get: fn(&Parameters) -> Option<u64>,
        set: fn(&mut Parameters, u64) -> Option<()>,
    },
    Words {
        form: &'static str,
        get: fn(&Parameters) -> String,
        set: fn(&mut Parameters, &str) -> Option<()>,
    },
}

/// What is written for a value that the grid does not have.
const NONE: &str = "-";

/// One value of a grid's parameters.
pub(crate) struct Setting {
    pub(crate) name: &'static str,
    /// For people.
    pub(crate) what: &'static str,
    way: Way,
}

macro_rules! number {
    ($group:ident.$($field:ident).+, $unit:ident, $what:literal) => {
        Setting {
            name: concat!(stringify!($group), $(".", stringify!($field)),+),
            what: $what,
            way: Way::Number {
                unit: Unit::$unit,
                get: |parameters| Some(parameters.$group.$($field).+.number()),
                set: |parameters, value| parameters.$group.$($field).+.set(value),
            },
        }
    };
}

/// One of the rules by which feeds make a price.
macro_rules! feed {
    ($field:ident, $unit:ident, $what:literal) => {
        Setting {
            name: concat!("prices.feeds.", stringify!($field)),
            what: $what,
            way: Way::Number {
                unit: Unit::$unit,
                get: |parameters| Some(prices::feeds(parameters)?.$field.number()),
                set: |parameters, value| prices::feeds_mut(parameters)?.$field.set(value),
            },
        }
    };
}

macro_rules! words {
    ($name:literal, $what:literal, $form:literal, $get:path, $set:path) => {
        Setting { name: $name, what: $what, way: Way::Words { form: $form, get: $get, set: $set } }
    };
}

macro_rules! policy {
    ($field:ident, $what:literal) => {
        Setting {
            name: concat!("admission.", stringify!($field)),
            what: $what,
            way: Way::Words {
                form: "open, vote, or keys:KEY,KEY/THRESHOLD",
                get: |parameters| write_policy(&parameters.admission.$field),
                set: |parameters, text| {
                    parameters.admission.$field = read_policy(text)?;
                    Some(())
                },
            },
        }
    };
}

/// All settings, group by group.
static ALL: &[Setting] = &[
    number!(fees.transaction, Tft, "least fee of a transaction"),
    number!(fees.byte, Tft, "fee for each byte of it"),
    number!(fees.place, Tft, "fee for each place of contracts that it may touch"),
    number!(prices.storage_tib_hour, Usd, "1 TiB of raw storage for an hour"),
    number!(prices.compute_hour, Usd, "a compute unit for an hour"),
    number!(prices.disk_hour, Usd, "a disk unit for an hour"),
    number!(prices.traffic_gib, Usd, "1 GiB of public traffic"),
    number!(prices.ipv4_hour, Usd, "a public address for an hour"),
    number!(prices.name_hour, Usd, "a name for an hour"),
    number!(prices.certified_permille, Permille, "more for certified nodes"),
    number!(prices.rent_permille, Permille, "off for a whole node"),
    words!(
        "prices.formula",
        "GiB of memory and cores in a compute unit, three shapes; GiB in a disk unit",
        "GIB/CORES,GIB/CORES,GIB/CORES;GIB, as 4/2,8/1,2/4;200",
        prices::write_formula,
        prices::read_formula
    ),
    words!(
        "prices.commitments",
        "percent off for who pays so long ahead",
        "none, or TIME:PERCENT,TIME:PERCENT with both rising, at most 90 percent, as 45d:20,90d:30",
        prices::write_commitments,
        prices::read_commitments
    ),
    words!(
        "prices.token",
        "what a token is worth",
        "an amount of USD, as 0.08, or feeds:ACCOUNT,ACCOUNT/QUORUM",
        prices::write_token,
        prices::read_token
    ),
    feed!(fresh_ms, Time, "how long the word of a feed counts"),
    feed!(step_permille, Permille, "how far the price moves in one step at most"),
    feed!(step_ms, Time, "time of one step"),
    feed!(start, Usd, "the price before enough feeds have spoken"),
    feed!(least, Usd, "the price is never below"),
    feed!(most, Usd, "the price is never above"),
    number!(prices.split.burn_percent, Percent, "of what contracts pay: destroyed"),
    number!(prices.split.fund_percent, Percent, "of what contracts pay: to the fund"),
    words!(
        "prices.split.fund",
        "the account of the fund",
        "nobody, or ACCOUNT",
        prices::write_fund,
        prices::read_fund
    ),
    number!(capacity.epoch_ms, Time, "length of a capacity epoch"),
    number!(capacity.witnesses, Count, "witnesses of a node"),
    number!(capacity.reports_min, Count, "reports that make an epoch count"),
    words!(
        "capacity.independence",
        "who may witness a node: one of another operator and site, of another site, any other",
        "operator, site or node",
        prices::write_independence,
        prices::read_independence
    ),
    number!(capacity.slots, Count, "times an epoch that a witness asks"),
    number!(capacity.answer_ms, Time, "time to answer a challenge"),
    number!(capacity.uptime_tolerance_percent, Percent, "distance of honest reports of uptime"),
    number!(capacity.capacity_tolerance_percent, Percent, "distance of honest measurements"),
    number!(capacity.beacon_steps, Count, "work of a beacon's delay"),
    number!(capacity.plots.region_bytes, Count, "bytes of a plot (fixed for the life of a grid)"),
    number!(
        capacity.plots.layers,
        Count,
        "times it is written over (fixed for the life of a grid)"
    ),
    number!(capacity.plots.samples, Count, "samples that a witness takes of a node in a visit"),
    number!(capacity.plots.rebuild_every, Count, "epochs until a witness makes a plot again"),
    number!(capacity.puzzle.lane_bytes, Count, "memory of a lane of the puzzle, in bytes"),
    number!(capacity.puzzle.steps, Count, "steps of a lane"),
    number!(capacity.puzzle.musters, Count, "musters of an epoch, on average"),
    number!(capacity.puzzle.probes, Count, "places of an answer that a witness computes again"),
    number!(capacity.puzzle.par_ms, Time, "time for one lane on one core of reference"),
    number!(capacity.puzzle.memory_scale, Count, "what a byte of a lane counts for"),
    number!(capacity.chase.steps, Count, "reads of storage, one after the other, that are timed"),
    number!(capacity.chase.probes, Count, "of these, reads that a witness computes again"),
    number!(capacity.chase.solid_us, Count, "microseconds of a read up to which it is solid state"),
    number!(capacity.chase.spinning_us, Count, "microseconds of a read past which it is nothing"),
    words!(
        "minting.policies",
        "by which rules nodes earn; a vote adds some and changes none",
        "NAME;NAME:KEY=VALUE,KEY=VALUE, as standard;seed2017;village:cu=3,su=1,budget=1000",
        policies::write,
        policies::read
    ),
    number!(minting.period_epochs, Count, "epochs of a receipt (fixed for the life of a grid)"),
    number!(minting.month_ms, Time, "what policies call a month"),
    number!(minting.price_floor, Usd, "least price of a token that receipts reckon with"),
    number!(minting.witness_permille, Permille, "share of rewards for witnessing"),
    number!(minting.unbonding_epochs, Count, "epochs until a farm's stake comes back"),
    number!(seats.term_heights, Count, "blocks of a term (fixed for the life of a grid)"),
    number!(seats.seats_max, Count, "seats, if there are so many candidates"),
    Setting {
        name: "seats.by",
        what: "what decides who sits",
        way: Way::Words {
            form: "fixed, stake:TFT or capacity:UNITS",
            get: |parameters| match parameters.seats.by {
                SeatsBy::Fixed => "fixed".to_owned(),
                SeatsBy::Stake { min } => {
                    format!("stake:{}", min.to_string().trim_end_matches(" TFT"))
                }
                SeatsBy::ProvenCapacity { min } => format!("capacity:{min}"),
            },
            set: |parameters, text| {
                parameters.seats.by = match text.split_once(':').unwrap_or((text, "")) {
                    ("fixed", "") => SeatsBy::Fixed,
                    ("stake", min) => SeatsBy::Stake { min: min.parse().ok()? },
                    ("capacity", min) => SeatsBy::ProvenCapacity { min: min.parse().ok()? },
                    _ => return None,
                };
                Some(())
            },
        },
    },
    number!(seats.unbonding_terms, Count, "whole terms until a stake comes back"),
    number!(seats.missed_penalty, Tft, "stake that a missed duty costs"),
    number!(seats.double_vote_percent, Percent, "of the stake: what a double vote costs"),
    number!(seats.accuser_percent, Percent, "of that: what its accuser gets"),
    number!(governance.voting_ms, Time, "how long one may vote"),
    number!(governance.lock_ms, Time, "how long a change that passed waits"),
    number!(governance.deposit, Tft, "held while a proposal is voted on"),
    number!(governance.quorum_users, Permille, "of all tokens must vote"),
    number!(governance.quorum_farmers, Permille, "of all proven capacity must vote"),
    number!(governance.majority, Permille, "of the votes cast in a house: more must be for it"),
    number!(phonebook.deposit, Tft, "held for a handle of eight letters or more"),
    number!(phonebook.quarantine_ms, Time, "how long a handle given back is nobody's"),
    number!(phonebook.recovery_ms_min, Time, "least time to veto a recovery"),
    policy!(accounts, "who may have an account"),
    policy!(farms, "who may make farms"),
    policy!(validators, "who may get a seat"),
    Setting {
        name: "certification.certifiers",
        what: "whose word certifies farms",
        way: Way::Words {
            form: "nobody, or ACCOUNT,ACCOUNT",
            get: |parameters| {
                let some = parameters.certification.certifiers.iter().map(ToString::to_string);
                let some = some.collect::<Vec<_>>().join(",");
                if some.is_empty() { "nobody".to_owned() } else { some }
            },
            set: |parameters, text| {
                let given = text.split(',').filter(|_| text != "nobody");
                let accounts: Option<Vec<AccountId>> = given.map(|it| it.parse().ok()).collect();
                parameters.certification.certifiers = List::new(accounts?).ok()?;
                Some(())
            },
        },
    },
    number!(certification.certified, Count, "attestations that certify a farm"),
    number!(certification.gold, Count, "attestations that make it gold"),
    number!(certification.epochs_max, Count, "epochs for which an attestation holds at most"),
    number!(certification.record.periods, Count, "good periods that certify a node; 0: none do"),
    number!(certification.record.uptime_permille, Permille, "least uptime of a good period"),
    number!(certification.record.witnessed_permille, Permille, "of a good period was witnessed"),
    number!(power.naps_max, Count, "times that a node may sleep in a period; 0: no node sleeps"),
    number!(power.epochs_min, Count, "epochs that a node sleeps at least"),
    number!(power.epochs_max, Count, "epochs that a node sleeps at most"),
    number!(power.wake_epochs, Count, "epochs until a node that is called serves again"),
    number!(power.call_permille, Permille, "chance in each epoch that a sleeping node is called"),
    number!(power.asleep_permille, Permille, "of the pay of a node awake: paid for time asleep"),
    number!(power.awake_permille, Permille, "least uptime right after sleep, or that was down"),
    number!(grace.freeze_ms, Time, "how long a contract past its end is frozen"),
    number!(grace.archive_ms, Time, "how long it is archived after that"),
    number!(grace.percent, Percent, "of a contract's time: each of these at most"),
    number!(contracts.period_ms_min, Time, "least time that a contract is made for"),
    number!(contracts.overcommit, Count, "virtual cores for each core"),
    number!(contracts.answer_ms_max, Time, "how far ahead the deadline of an answer may lie"),
    number!(contracts.penalty_percent, Percent, "of the price, lost by a farm for time down"),
    number!(contracts.window_ms_max, Time, "time that one bill of a service may cover"),
];

fn write_policy(policy: &Policy) -> String {
    match policy {
        Policy::Open => "open".to_owned(),
        Policy::ByVote => "vote".to_owned(),
        Policy::ByKeys { keys, threshold } => {
            let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
            format!("keys:{}/{threshold}", keys.join(","))
        }
    }
}

fn read_policy(text: &str) -> Option<Policy> {
    match text {
        "open" => Some(Policy::Open),
        "vote" => Some(Policy::ByVote),
        _ => {
            let (keys, threshold) = text.strip_prefix("keys:")?.rsplit_once('/')?;
            let keys: Option<Vec<PublicKey>> =
                keys.split(',').map(|key| key.parse().ok()).collect();
            let keys = List::new(keys?).ok()?;
            Some(Policy::ByKeys { keys, threshold: threshold.parse().ok()? })
        }
    }
}

impl Setting {
    /// All that there are.
    pub(crate) fn all() -> &'static [Self] {
        ALL
    }

    /// What is before the point.
    pub(crate) fn group(&self) -> &'static str {
        self.name.split('.').next().unwrap_or(self.name)
    }

    /// The present value, for people.
    pub(crate) fn value(&self, parameters: &Parameters) -> String {
        match &self.way {
            Way::Number { unit, get, .. } => {
                get(parameters).map_or_else(|| NONE.to_owned(), |value| unit.write(value))
            }
            Way::Words { get, .. } => get(parameters),
        }
    }

    /// The present value for programs: a number in the smallest unit, or words.
    pub(crate) fn json(&self, parameters: &Parameters) -> serde_json::Value {
        match &self.way {
            Way::Number { get, .. } => get(parameters).into(),
            Way::Words { get, .. } => get(parameters).into(),
        }
    }

    /// How a value is written.
    pub(crate) const fn form(&self) -> &'static str {
        match &self.way {
            Way::Number { unit, .. } => unit.form(),
            Way::Words { form, .. } => form,
        }
    }

    fn set(&self, parameters: &mut Parameters, text: &str) -> Option<()> {
        match &self.way {
            Way::Number { get, .. } if text.trim() == NONE => match get(parameters) {
                None => Some(()),
                Some(_) => None,
            },
            Way::Number { unit, set, .. } => set(parameters, unit.read(text.trim())?),
            Way::Words { set, .. } => set(parameters, text.trim()),
        }
    }

    /// Least and greatest value that such a grid takes, all else being as it is.
    pub(crate) fn bounds(&self, parameters: &Parameters, kind: GridKind) -> Option<String> {
        let Way::Number { unit, get, set } = &self.way else { return None };
        let is_good = |value: u64| {
            let mut changed = parameters.clone();
            set(&mut changed, value).is_some() && changed.check_for(kind).is_ok()
        };
        let known = get(parameters)?;
        if !is_good(known) {
            return None;
        }
        // What is good is one range, and `known` lies in it.
        let edge = |mut bad: u64, mut good: u64| {
            if is_good(bad) {
                return bad;
            }
            while bad.abs_diff(good) > 1 {
                let middle = bad.midpoint(good);
                if is_good(middle) { good = middle } else { bad = middle }
            }
            good
        };
        let (least, most) = (edge(0, known), edge(u64::MAX, known));
        Some(format!("from {} to {}", unit.write(least), unit.write(most)))
    }
}

/// Parameters with these settings, each `NAME=VALUE`, and the groups that they are of.
///
/// # Errors
/// A name that is none, a value that is none, or one that the ledger does not take.
pub(crate) fn apply(
    parameters: &Parameters,
    settings: &[String],
    kind: GridKind,
) -> Outcome<(Parameters, Vec<&'static str>)> {
    let mut changed = parameters.clone();
    let mut used: Vec<&'static Setting> = Vec::new();
    for given in settings {
        let usage = |what: String| {
            Failure::new(Code::Usage, what)
                .state("nothing was changed")
                .hint("acre vote settings lists all settings")
        };
        let (name, value) = given
            .split_once('=')
            .ok_or_else(|| usage(format!("'{given}' is not SETTING=VALUE")))?;
        let setting = ALL.iter().find(|setting| setting.name == name.trim());
        let setting = setting.ok_or_else(|| usage(format!("there is no setting '{name}'")))?;
        if setting.set(&mut changed, value).is_none() {
            if setting.name.starts_with("prices.feeds.") && prices::feeds(&changed).is_none() {
                let what = format!("{name} is of feeds, and the price of a token is fixed here");
                let hint = "prices.token=feeds:ACCOUNT,ACCOUNT/QUORUM before it, in one proposal";
                return Err(usage(what).hint(hint).into());
            }
            let form = setting.form();
            return Err(usage(format!("{name} is {form}, and '{value}' is not")).into());
        }
        used.push(setting);
    }
    changed.check_for(kind).map_err(|error| out_of_range(&error, parameters, &used, kind))?;
    let mut groups: Vec<_> = used.iter().map(|setting| setting.group()).collect();
    groups.sort_unstable();
    groups.dedup();
    Ok((changed, groups))
}

fn out_of_range(
    error: &GenesisError,
    present: &Parameters,
    used: &[&'static Setting],
    kind: GridKind,
) -> Failure {
    let setting = match error {
        GenesisError::Parameter { what } => used.iter().find(|setting| setting.name == *what),
        _ => None,
    };
    let what = match setting.map(|setting| (setting.bounds(present, kind), setting.form())) {
        Some((Some(bounds), _)) => format!("{error}: here it may be {bounds}"),
        Some((None, form)) => format!("{error}: it is {form}"),
        None => error.to_string(),
    };
    Failure::new(Code::Usage, what).state("nothing was changed").hint("acre vote settings")
}

/// The amendment that puts one group of `changed` into effect.
pub(crate) fn amendment(group: &str, changed: &Parameters) -> Option<Amendment> {
    Some(match group {
        "fees" => Amendment::Fees(changed.fees.clone()),
        "prices" => Amendment::Prices(changed.prices.clone()),
        "capacity" => Amendment::Capacity(changed.capacity.clone()),
        "minting" => Amendment::Minting(changed.minting.clone()),
        "seats" => Amendment::Seats(changed.seats.clone()),
        "governance" => Amendment::Governance(changed.governance.clone()),
        "phonebook" => Amendment::Phonebook(changed.phonebook.clone()),
        "admission" => Amendment::Admission(changed.admission.clone()),
        "certification" => Amendment::Certification(changed.certification.clone()),
        "power" => Amendment::Power(changed.power),
        "grace" => Amendment::Grace(changed.grace),
        "contracts" => Amendment::Contracts(changed.contracts),
        _ => return None,
    })
}

#[cfg(test)]
#[path = "setting/tests.rs"]
mod tests;
