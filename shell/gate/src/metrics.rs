//! Counters and gauges, and the text in which Prometheus reads them.
//!
//! A process makes one [`Registry`], takes handles from it and serves it with [`crate::admin`].
//! Names are `acre_<crate>_<what>_<unit>[_total]`. Labels are few and fixed: never the id of an
//! object or a peer. Handles are atomics, so counting costs nothing worth naming.

use std::fmt::{self, Write as _};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What must never happen. A counter of each stands in every registry that watches for it, and
/// must stay 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Invariant {
    /// One block a height.
    L1,
    /// Only authorised transactions change the state.
    L2,
    /// Balances and escrow are what was minted less what was burned.
    L3,
    /// Each transaction at most once.
    L4,
    /// Progress after faults heal.
    L5,
    /// A restarted validator never contradicts a vote.
    L6,
    /// Nobody mints without verified capacity.
    L7,
    /// Every bill line and every sum of lines recomputes exactly.
    L8,
}

impl Invariant {
    /// Its id, as in all documents.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::L1 => "L1",
            Self::L2 => "L2",
            Self::L3 => "L3",
            Self::L4 => "L4",
            Self::L5 => "L5",
            Self::L6 => "L6",
            Self::L7 => "L7",
            Self::L8 => "L8",
        }
    }
}

/// Counts up.
#[derive(Clone, Debug, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    /// One more.
    pub fn up(&self) {
        self.add(1);
    }

    /// So many more.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// The count so far.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Goes up and down.
#[derive(Clone, Debug, Default)]
pub struct Gauge(Arc<AtomicI64>);

impl Gauge {
    /// Takes the present value; one past the range becomes the largest.
    pub fn set(&self, value: impl TryInto<i64>) {
        self.0.store(value.try_into().unwrap_or(i64::MAX), Ordering::Relaxed);
    }

    /// Adds, or takes away.
    pub fn add(&self, change: i64) {
        self.0.fetch_add(change, Ordering::Relaxed);
    }
}

/// Upper bounds of a histogram's buckets, in microseconds, as they are written in seconds.
const BOUNDS: [(u64, &str); 9] = [
    (500, "0.0005"),
    (1_000, "0.001"),
    (5_000, "0.005"),
    (10_000, "0.01"),
    (50_000, "0.05"),
    (100_000, "0.1"),
    (500_000, "0.5"),
    (1_000_000, "1"),
    (5_000_000, "5"),
];

#[derive(Debug, Default)]
struct Buckets {
    counts: [AtomicU64; BOUNDS.len()],
    all: AtomicU64,
    micros: AtomicU64,
}

/// Counts durations by size.
#[derive(Clone, Debug, Default)]
pub struct Durations(Arc<Buckets>);

impl Durations {
    /// Counts one.
    pub fn record(&self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        for ((bound, _), count) in BOUNDS.iter().zip(&self.0.counts) {
            if micros <= *bound {
                count.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.0.all.fetch_add(1, Ordering::Relaxed);
        self.0.micros.fetch_add(micros, Ordering::Relaxed);
    }
}

type Watched = Box<dyn Fn() -> i64 + Send + Sync>;

enum Value {
    Counter(Counter),
    Gauge(Gauge),
    Watched(Watched),
    WatchedTotal(Watched),
    Durations(Durations),
}

struct Series {
    label: Option<(&'static str, &'static str)>,
    value: Value,
}

struct Family {
    name: &'static str,
    help: &'static str,
    series: Vec<Series>,
}

impl fmt::Debug for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Family({}, {} series)", self.name, self.series.len())
    }
}

/// All metrics of a process.
#[derive(Debug, Default)]
pub struct Registry {
    families: Mutex<Vec<Family>>,
}

/// A label with its value.
pub type Label = Option<(&'static str, &'static str)>;

impl Registry {
    /// One with what every process has: its memory and its open files.
    #[must_use]
    pub fn of_process() -> Self {
        let registry = Self::default();
        registry.watch("acre_process_memory_bytes", "Memory that is resident.", resident_bytes);
        registry.watch("acre_process_open_files", "Open files and sockets.", open_files);
        registry
    }

    fn families(&self) -> MutexGuard<'_, Vec<Family>> {
        // Nothing in here leaves the list half changed.
        self.families.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, name: &'static str, help: &'static str, label: Label, value: Value) {
        let mut families = self.families();
        let series = Series { label, value };
        match families.iter_mut().find(|family| family.name == name) {
            Some(family) => family.series.push(series),
            None => families.push(Family { name, help, series: vec![series] }),
        }
    }

    /// A counter; its name ends in `_total`. Once for each label.
    pub fn counter(&self, name: &'static str, help: &'static str, label: Label) -> Counter {
        let counter = Counter::default();
        self.add(name, help, label, Value::Counter(counter.clone()));
        counter
    }

    /// A gauge. Once for each label.
    pub fn gauge(&self, name: &'static str, help: &'static str, label: Label) -> Gauge {
        let gauge = Gauge::default();
        self.add(name, help, label, Value::Gauge(gauge.clone()));
        gauge
    }

    /// A gauge that is looked up when it is read. Must be quick.
    pub fn watch(
        &self,
        name: &'static str,
        help: &'static str,
        value: impl Fn() -> i64 + Send + Sync + 'static,
    ) {
        self.add(name, help, None, Value::Watched(Box::new(value)));
    }

    /// As [`Registry::watch`], for a count that only grows; its name ends in `_total`.
    pub fn watch_total(
        &self,
        name: &'static str,
        help: &'static str,
        value: impl Fn() -> i64 + Send + Sync + 'static,
    ) {
        self.add(name, help, None, Value::WatchedTotal(Box::new(value)));
    }

    /// A histogram; its name ends in `_seconds`.
    pub fn durations(&self, name: &'static str, help: &'static str) -> Durations {
        let durations = Durations::default();
        self.add(name, help, None, Value::Durations(durations.clone()));
        durations
    }

    /// The counter of an invariant's violations. Once for each.
    pub fn violations(&self, invariant: Invariant) -> Counter {
        self.counter(
            "acre_invariant_violations_total",
            "Times that an invariant did not hold. Must be 0.",
            Some(("invariant", invariant.id())),
        )
    }

    /// Everything, in the text format 0.0.4.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        for family in self.families().iter() {
            family.render(&mut text).expect("writing to text does not fail");
        }
        text
    }
}

impl Family {
    fn render(&self, text: &mut String) -> fmt::Result {
        let Self { name, help, series } = self;
        let kind = match series.first().map(|series| &series.value) {
            Some(Value::Counter(_) | Value::WatchedTotal(_)) => "counter",
            Some(Value::Durations(_)) => "histogram",
            _ => "gauge",
        };
        writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}")?;
        for Series { label, value } in series {
            let labels = match label {
                Some((label, of)) => format!("{{{label}=\"{of}\"}}"),
                None => String::new(),
            };
            match value {
                Value::Counter(counter) => writeln!(text, "{name}{labels} {}", counter.get())?,
                Value::Gauge(gauge) => {
                    writeln!(text, "{name}{labels} {}", gauge.0.load(Ordering::Relaxed))?;
                }
                Value::Watched(value) | Value::WatchedTotal(value) => {
                    writeln!(text, "{name}{labels} {}", value())?;
                }
                Value::Durations(durations) => render_durations(text, name, &durations.0)?,
            }
        }
        Ok(())
    }
}

fn render_durations(text: &mut String, name: &str, buckets: &Buckets) -> fmt::Result {
    for ((_, bound), count) in BOUNDS.iter().zip(&buckets.counts) {
        let count = count.load(Ordering::Relaxed);
        writeln!(text, "{name}_bucket{{le=\"{bound}\"}} {count}")?;
    }
    let all = buckets.all.load(Ordering::Relaxed);
    let micros = buckets.micros.load(Ordering::Relaxed);
    writeln!(text, "{name}_bucket{{le=\"+Inf\"}} {all}")?;
    writeln!(text, "{name}_sum {}.{:06}", micros / 1_000_000, micros % 1_000_000)?;
    writeln!(text, "{name}_count {all}")
}

/// Zero where the system does not tell.
fn resident_bytes() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<i64>().ok());
    kib.unwrap_or(0).saturating_mul(1024)
}

fn open_files() -> i64 {
    let files = std::fs::read_dir("/proc/self/fd").map(Iterator::count).unwrap_or(0);
    i64::try_from(files).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_what_prometheus_reads() {
        let registry = Registry::default();
        let good = registry.counter("acre_test_calls_total", "Calls.", Some(("result", "good")));
        let bad = registry.counter("acre_test_calls_total", "Calls.", Some(("result", "bad")));
        let height = registry.gauge("acre_test_height", "Height.", None);
        registry.watch("acre_test_watched", "Looked up.", || 7);
        registry.watch_total("acre_test_counted_total", "Looked up, too.", || 8);
        let times = registry.durations("acre_test_call_seconds", "Times.");
        registry.violations(Invariant::L3);
        good.add(2);
        bad.up();
        height.set(12_u64);
        times.record(Duration::from_millis(3));
        times.record(Duration::from_secs(9));
        let text = registry.render();
        for line in [
            "# TYPE acre_test_calls_total counter",
            "acre_test_calls_total{result=\"good\"} 2",
            "acre_test_calls_total{result=\"bad\"} 1",
            "acre_test_height 12",
            "acre_test_watched 7",
            "# TYPE acre_test_counted_total counter",
            "acre_test_counted_total 8",
            "# TYPE acre_test_call_seconds histogram",
            "acre_test_call_seconds_bucket{le=\"0.001\"} 0",
            "acre_test_call_seconds_bucket{le=\"0.005\"} 1",
            "acre_test_call_seconds_bucket{le=\"+Inf\"} 2",
            "acre_test_call_seconds_sum 9.003000",
            "acre_test_call_seconds_count 2",
            "acre_invariant_violations_total{invariant=\"L3\"} 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        assert_eq!(text.matches("# TYPE acre_test_calls_total").count(), 1);
    }

    #[test]
    fn process_has_memory_and_files() {
        assert!(resident_bytes() > 1 << 20);
        assert!(open_files() > 0);
    }

    #[test]
    fn gauge_past_its_range_is_the_largest() {
        let gauge = Gauge::default();
        gauge.set(u64::MAX);
        assert_eq!(gauge.0.load(Ordering::Relaxed), i64::MAX);
    }
}
