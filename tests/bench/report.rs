//! What a bench says in the end: tables for people, and the same as a JSON document.

use std::{fs, path::PathBuf};

use chrono::{SecondsFormat, Utc};
use comfy_table::{CellAlignment, presets::NOTHING};
use serde_json::{Map, Value, json};

/// Where documents and plots go unless told otherwise.
const RESULTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/bench/results");

/// The report of one bench.
pub(crate) struct Report {
    bench: String,
    tables: Vec<Table>,
}

/// A table: one row a case.
pub(crate) struct Table {
    title: String,
    columns: Vec<&'static str>,
    rows: Vec<(String, Vec<Figure>)>,
}

/// One figure, measured once or more often.
#[derive(Debug, Clone, Default)]
pub(crate) struct Figure {
    values: Vec<f64>,
}

impl Figure {
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Self {
        Self { values: values.into_iter().collect() }
    }

    pub(crate) fn add(&mut self, value: f64) {
        self.values.push(value);
    }

    pub(crate) fn median(&self) -> f64 {
        let sorted = self.sorted();
        sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
    }

    pub(crate) fn least(&self) -> f64 {
        self.sorted().first().copied().unwrap_or(f64::NAN)
    }

    pub(crate) fn most(&self) -> f64 {
        self.sorted().last().copied().unwrap_or(f64::NAN)
    }

    /// This figure by another of the same round, round by round.
    pub(crate) fn by(&self, other: &Self) -> Self {
        Self::of(self.values.iter().zip(&other.values).map(|(this, that)| this / that))
    }

    fn sorted(&self) -> Vec<f64> {
        let mut sorted = self.values.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        sorted
    }

    /// `14200 (13800–15100)`, the median and the extremes.
    fn told(&self) -> String {
        match self.values.as_slice() {
            [] => "–".to_owned(),
            [one] => number(*one),
            _ => {
                let [median, least, most] = [self.median(), self.least(), self.most()].map(number);
                format!("{median} ({least}–{most})")
            }
        }
    }

    fn document(&self) -> Value {
        json!({"median": self.median(), "min": self.least(), "max": self.most(), "values": self.values})
    }
}

impl From<f64> for Figure {
    fn from(value: f64) -> Self {
        Self::of([value])
    }
}

/// Three digits that count.
fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

impl Table {
    pub(crate) fn new(
        title: impl Into<String>,
        columns: impl IntoIterator<Item = &'static str>,
    ) -> Self {
        Self { title: title.into(), columns: columns.into_iter().collect(), rows: Vec::new() }
    }

    /// Adds a case: a figure for every column.
    pub(crate) fn row(
        &mut self,
        case: impl Into<String>,
        figures: impl IntoIterator<Item = Figure>,
    ) {
        self.rows.push((case.into(), figures.into_iter().collect()));
    }

    fn print(&self) {
        println!("\n{}", self.title);
        let mut table = comfy_table::Table::new();
        table.load_style(NOTHING);
        table.set_header(std::iter::once("").chain(self.columns.iter().copied()));
        for (case, figures) in &self.rows {
            table.add_row(std::iter::once(case.clone()).chain(figures.iter().map(Figure::told)));
        }
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        println!("{table}");
    }

    fn document(&self) -> Value {
        let row = |(case, figures): &(String, Vec<Figure>)| {
            let mut row = Map::from_iter([("case".to_owned(), json!(case))]);
            row.extend(
                self.columns
                    .iter()
                    .zip(figures)
                    .map(|(name, figure)| ((*name).to_owned(), figure.document())),
            );
            Value::from(row)
        };
        json!({"title": self.title, "rows": self.rows.iter().map(row).collect::<Vec<_>>()})
    }
}

impl Report {
    pub(crate) fn new(bench: impl Into<String>) -> Self {
        Self { bench: bench.into(), tables: Vec::new() }
    }

    /// Prints a table, and keeps it for the document.
    pub(crate) fn add(&mut self, table: Table) {
        table.print();
        self.tables.push(table);
    }

    /// Writes the document.
    pub(crate) fn save(self) {
        let document = json!({
            "bench": self.bench,
            "taken_at": Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true),
            "optimised": !cfg!(debug_assertions),
            "machine": machine(),
            "tables": self.tables.iter().map(Table::document).collect::<Vec<_>>(),
        });
        let file = result_file(&format!("{}.json", self.bench));
        fs::write(&file, format!("{document:#}\n")).unwrap();
        println!("\n{} written", file.display());
    }
}

/// A count as a figure.
#[allow(clippy::cast_precision_loss, reason = "some millions")]
pub(crate) fn count(number: u64) -> f64 {
    number as f64
}

/// What turns seconds into microseconds for each of so many.
pub(crate) fn per(events: u64) -> f64 {
    1e6 / count(events)
}

/// The path of a file among the results.
pub(crate) fn result_file(name: &str) -> PathBuf {
    fs::create_dir_all(RESULTS).unwrap();
    PathBuf::from(RESULTS).join(name)
}

/// What the figures were measured on.
fn machine() -> Value {
    let read = |file: &str| fs::read_to_string(file).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_once(':').map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    };
    json!({
        "processor": field(&read("/proc/cpuinfo"), "model name"),
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "memory": field(&read("/proc/meminfo"), "MemTotal"),
        "kernel": read("/proc/sys/kernel/osrelease").trim(),
    })
}
