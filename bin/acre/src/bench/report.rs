//! What was measured, as one table.

use serde_json::{Value, json};

/// The unit of a row's figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Seconds,
    /// Processor seconds for 10^9 bytes of a person's data.
    SecondsPerGb,
    /// 10^6 bytes.
    Megabytes,
    MegabytesPerHour,
    MegabytesPerSecond,
    FilesPerSecond,
    /// Of one core.
    Percent,
    /// A pure number.
    Times,
}

impl Unit {
    const fn name(self) -> &'static str {
        match self {
            Self::Seconds => "s",
            Self::SecondsPerGb => "s/GB",
            Self::Megabytes => "MB",
            Self::MegabytesPerHour => "MB/h",
            Self::MegabytesPerSecond => "MB/s",
            Self::FilesPerSecond => "files/s",
            Self::Percent => "%",
            Self::Times => "x",
        }
    }

    fn show(self, figure: f64) -> String {
        let digits = if figure.abs() >= 100.0 { 0 } else { 2 };
        format!("{figure:.digits$} {}", self.name())
    }
}

/// What a figure, or its ratio to the peer's, should be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Goal {
    AtMost(f64),
    RatioAtMost(f64),
    RatioAtLeast(f64),
}

/// How a row ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Met,
    Missed,
    /// There is a goal, and a figure is missing.
    Open,
    /// Only told.
    NoGoal,
    Failed,
}

impl Verdict {
    const fn word(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Missed => "MISSED",
            Self::Open => "not measured",
            Self::NoGoal => "-",
            Self::Failed => "FAILED",
        }
    }
}

/// One line of the table.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    name: String,
    unit: Unit,
    ours: Option<f64>,
    peer: Option<f64>,
    goal: Option<Goal>,
    note: Option<String>,
    failed: bool,
}

impl Row {
    pub(crate) fn new(name: impl Into<String>, unit: Unit, ours: Option<f64>) -> Self {
        let name = name.into();
        Self { name, unit, ours, peer: None, goal: None, note: None, failed: false }
    }

    /// A part that could not be measured, and why.
    pub(crate) fn failure(name: impl Into<String>, error: &anyhow::Error) -> Self {
        let note = format!("{error:#}").lines().map(str::trim).collect::<Vec<_>>().join("; ");
        Self { failed: true, note: Some(note), ..Self::new(name, Unit::Times, None) }
    }

    #[must_use]
    pub(crate) fn beside(mut self, peer: Option<f64>) -> Self {
        self.peer = peer;
        self
    }

    #[must_use]
    pub(crate) fn goal(mut self, goal: Goal) -> Self {
        self.goal = Some(goal);
        self
    }

    #[must_use]
    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    pub(crate) const fn has_failed(&self) -> bool {
        self.failed
    }

    /// Ours by the peer's.
    fn ratio(&self) -> Option<f64> {
        let (ours, peer) = (self.ours?, self.peer?);
        (peer > 0.0).then(|| ours / peer)
    }

    fn verdict(&self) -> Verdict {
        if self.failed {
            return Verdict::Failed;
        }
        let is_met = match self.goal {
            None => return Verdict::NoGoal,
            Some(Goal::AtMost(most)) => self.ours.map(|ours| ours <= most),
            Some(Goal::RatioAtMost(most)) => self.ratio().map(|ratio| ratio <= most),
            Some(Goal::RatioAtLeast(least)) => self.ratio().map(|ratio| ratio >= least),
        };
        match is_met {
            Some(true) => Verdict::Met,
            Some(false) => Verdict::Missed,
            None => Verdict::Open,
        }
    }

    fn goal_words(&self) -> String {
        match self.goal {
            None => "-".to_owned(),
            Some(Goal::AtMost(most)) => format!("<= {most} {}", self.unit.name()),
            Some(Goal::RatioAtMost(most)) => format!("ratio <= {most}"),
            Some(Goal::RatioAtLeast(least)) => format!("ratio >= {least}"),
        }
    }

    fn cells(&self) -> [String; 6] {
        let figure =
            |figure: Option<f64>| figure.map_or_else(|| "-".to_owned(), |f| self.unit.show(f));
        let ratio = self.ratio().map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"));
        let verdict = self.verdict().word().to_owned();
        [self.name.clone(), figure(self.ours), figure(self.peer), ratio, self.goal_words(), verdict]
    }

    pub(crate) fn json(&self) -> Value {
        let goal = self.goal.map(|_| self.goal_words());
        json!({
            "name": self.name, "unit": self.unit.name(), "ours": self.ours, "peer": self.peer,
            "ratio": self.ratio(), "goal": goal, "verdict": self.verdict().word().to_lowercase(),
            "note": self.note,
        })
    }
}

const HEADER: [&str; 6] = ["", "OURS", "PEER", "RATIO", "GOAL", ""];

/// Lines for people: aligned columns, notes below their rows.
pub(crate) fn table(rows: &[Row]) -> String {
    let cells: Vec<[String; 6]> = rows.iter().map(Row::cells).collect();
    let mut widths = HEADER.map(str::len);
    for row in &cells {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut lines = vec![line(&HEADER.map(str::to_owned), &widths)];
    for (row, cells) in rows.iter().zip(&cells) {
        lines.push(line(cells, &widths));
        if let Some(note) = &row.note {
            lines.push(format!("    {note}"));
        }
    }
    lines.join("\n")
}

fn line(cells: &[String; 6], widths: &[usize; 6]) -> String {
    let [name, ours, peer, ratio, goal, verdict] = cells;
    let [w0, w1, w2, w3, w4, _] = widths;
    let line =
        format!("{name:<w0$}  {ours:>w1$}  {peer:>w2$}  {ratio:>w3$}  {goal:<w4$}  {verdict}");
    line.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(row: &Row, expected: Verdict) {
        assert_eq!(row.verdict(), expected, "{row:?}");
    }

    #[test]
    fn goals_are_met_at_their_bound_and_missed_past_it() {
        let row = |ours| Row::new("x", Unit::Seconds, ours);
        check(&row(Some(5.0)).goal(Goal::AtMost(5.0)), Verdict::Met);
        check(&row(Some(5.01)).goal(Goal::AtMost(5.0)), Verdict::Missed);
        check(&row(Some(8.0)).beside(Some(10.0)).goal(Goal::RatioAtLeast(0.8)), Verdict::Met);
        check(&row(Some(7.9)).beside(Some(10.0)).goal(Goal::RatioAtLeast(0.8)), Verdict::Missed);
        check(&row(Some(9.0)).beside(Some(9.0)).goal(Goal::RatioAtMost(1.0)), Verdict::Met);
        check(&row(Some(9.1)).beside(Some(9.0)).goal(Goal::RatioAtMost(1.0)), Verdict::Missed);
    }

    #[test]
    fn goal_without_its_figures_is_neither_met_nor_missed() {
        let row = |ours| Row::new("x", Unit::Seconds, ours);
        check(&row(None).goal(Goal::AtMost(5.0)), Verdict::Open);
        check(&row(Some(1.0)).goal(Goal::RatioAtMost(1.0)), Verdict::Open);
        check(&row(Some(1.0)).beside(Some(0.0)).goal(Goal::RatioAtMost(1.0)), Verdict::Open);
        check(&row(Some(1.0)), Verdict::NoGoal);
        check(&Row::failure("x", &anyhow::anyhow!("broken")), Verdict::Failed);
    }

    #[test]
    fn table_tells_what_was_missed_and_why_something_failed() {
        let rows = [
            Row::new("put", Unit::SecondsPerGb, Some(6.0))
                .beside(Some(12.0))
                .goal(Goal::AtMost(5.0)),
            Row::failure("get", &anyhow::anyhow!("no\n  quorum")),
        ];
        let table = table(&rows);
        assert!(table.contains("6.00 s/GB  12.00 s/GB   0.50  <= 5 s/GB  MISSED"), "{table}");
        assert!(table.contains("FAILED") && table.contains("no; quorum"), "{table}");
    }
}
