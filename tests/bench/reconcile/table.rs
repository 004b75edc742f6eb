//! What was measured, as tables.

use super::{floor, night::Night, test_bed::Pages};
use crate::report::{Figure, Table};

const PHASES: [&str; 5] = ["fetch", "parse", "copy", "diff", "apply"];
const MEGABYTE: f64 = 1_000_000.0;

/// What was measured with so many members.
pub(super) struct Measured {
    pub(super) members: u64,
    pub(super) pages: Pages,
    pub(super) floors: Vec<floor::Measured>,
    pub(super) import: Vec<Night>,
    pub(super) quiet: Vec<Night>,
    pub(super) drifted: Vec<Night>,
}

impl Measured {
    /// Where the time goes, in seconds. Phases overlap: the next pages come while one is copied, and
    /// campuses go side by side.
    pub(super) fn table(&self) -> Table {
        let title = format!(
            "{} members, a list of {} MB (fetching it alone: {:.1} s)",
            self.members, self.pages.megabytes, self.pages.seconds
        );
        let columns = ["seconds", "of psql"].into_iter().chain(PHASES).chain([
            "CPU",
            "of PG",
            "of core",
            "MB",
            "WAL MB",
            "rows",
            "rewritten",
        ]);
        let mut table = Table::new(title, columns);
        let floor = |phase: fn(&floor::Measured) -> f64| Figure::of(self.floors.iter().map(phase));
        let mut reference = vec![Figure::default(); PHASES.len() + 9];
        reference[0] = floor(|floor| floor.seconds);
        reference[1] = Figure::from(1.0);
        reference[4] = floor(|floor| floor.copy_seconds);
        reference[5] = floor(|floor| floor.diff_seconds);
        table.row("psql alone", reference);
        for nights in [&self.quiet, &self.drifted, &self.import] {
            if let Some(night) = nights.first() {
                table.row(night.name, self.figures(nights));
            }
        }
        table
    }

    #[allow(clippy::cast_precision_loss, reason = "megabytes, and rows to a few digits")]
    fn figures(&self, nights: &[Night]) -> Vec<Figure> {
        let of = |value: &dyn Fn(&Night) -> f64| Figure::of(nights.iter().map(value));
        let floor = Figure::of(self.floors.iter().map(|floor| floor.seconds)).median();
        let mut figures = vec![of(&|night| night.seconds), of(&|night| night.seconds / floor)];
        figures.extend(PHASES.map(|phase| of(&|night| night.phase_seconds[phase])));
        figures.extend([
            of(&|night| night.processor_seconds.reconciler),
            of(&|night| night.processor_seconds.postgres),
            of(&|night| night.processor_seconds.core),
            of(&|night| night.peak_bytes as f64 / MEGABYTE),
            of(&|night| night.wal_bytes as f64 / MEGABYTE),
            of(&|night| night.rows_written as f64),
            of(&|night| f64::from(u8::from(night.members_rewritten))),
        ]);
        figures
    }
}

/// What a member costs in a night without drift, and how much memory a night takes, by the number of
/// members.
#[allow(clippy::cast_precision_loss, reason = "seconds a member")]
pub(super) fn by_members(all: &[Measured]) -> Table {
    let columns = ["seconds", "of psql", "µs a member", "CPU µs a member", "MB"];
    let mut table = Table::new("Nights without drift", columns);
    for measured in all {
        let of = |value: &dyn Fn(&Night) -> f64| Figure::of(measured.quiet.iter().map(value));
        let each = 1_000_000.0 / measured.members as f64;
        let floor = Figure::of(measured.floors.iter().map(|floor| floor.seconds));
        let seconds = of(&|night| night.seconds);
        let ratio = seconds.by(&floor);
        table.row(
            format!("{} members", measured.members),
            [
                seconds,
                ratio,
                of(&|night| night.seconds * each),
                of(&|night| night.processor_seconds.reconciler * each),
                of(&|night| night.peak_bytes as f64 / MEGABYTE),
            ],
        );
    }
    table
}
