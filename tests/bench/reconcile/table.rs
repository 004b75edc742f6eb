//! What was measured, as a table.

use super::{floor, night::Night, scene::Pages};

const PHASES: [&str; 5] = ["fetch", "parse", "copy", "diff", "apply"];
const MEGABYTE: f64 = 1_000_000.0;

/// Prints it; of several nights of a kind the median, and the worst beside it.
pub(super) fn print(pages: &Pages, floors: &[floor::Measured], nights: &[Vec<Night>]) {
    let floor = median(floors, |floor| floor.seconds);
    let worst = worst(floors, |floor| floor.seconds);
    println!(
        "\n{:14} {:>7} {:>7} {:>6} | {:>6} {:>6} {:>6} {:>6} {:>6} | {:>8} {:>6} {:>6} | {:>6} {:>8} {:>8}",
        "seconds",
        "median",
        "worst",
        "floor",
        "fetch",
        "parse",
        "copy",
        "diff",
        "apply",
        "CPU here",
        "PG",
        "core",
        "MB",
        "WAL MB",
        "rows"
    );
    println!("{:14} {:7.2} {:>7}", "bare client", pages.seconds, "");
    println!(
        "{:14} {floor:7.2} {worst:7.2} {:6.2} | {:>6} {:>6} {:6.2} {:6.2}",
        "psql",
        1.0,
        "",
        "",
        median(floors, |floor| floor.copy_seconds),
        median(floors, |floor| floor.diff_seconds)
    );
    for kind in nights.iter().filter(|kind| !kind.is_empty()) {
        print_nights(kind, floor);
    }
    println!(
        "\nThe bare client fetched {} MB with {:.1} s of processor time, the core's included. Phases overlap.",
        pages.megabytes, pages.processor_seconds
    );
}

#[allow(clippy::cast_precision_loss, reason = "megabytes, to a digit")]
fn print_nights(nights: &[Night], floor: f64) {
    let of = |value: fn(&Night) -> f64| median(nights, value);
    let seconds = of(|night| night.seconds);
    print!(
        "{:14} {seconds:7.2} {:7.2} {:6.2} |",
        nights[0].name,
        worst(nights, |night| night.seconds),
        seconds / floor
    );
    for phase in PHASES {
        print!(" {:6.2}", median(nights, |night| night.phase_seconds[phase]));
    }
    let rewritten = nights.iter().any(|night| night.members_rewritten);
    println!(
        " | {:8.2} {:6.2} {:6.2} | {:6.1} {:8.1} {:8.0} {}",
        of(|night| night.processor_seconds.reconciler),
        of(|night| night.processor_seconds.postgres),
        of(|night| night.processor_seconds.core),
        worst(nights, |night| night.peak_bytes as f64) / MEGABYTE,
        of(|night| night.wal_bytes as f64) / MEGABYTE,
        of(|night| night.rows_written as f64),
        if rewritten { "" } else { "no member's row is another version" }
    );
}

fn median<T>(samples: &[T], value: impl Fn(&T) -> f64) -> f64 {
    let mut values: Vec<f64> = samples.iter().map(value).collect();
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

fn worst<T>(samples: &[T], value: impl Fn(&T) -> f64) -> f64 {
    samples.iter().map(value).fold(0.0, f64::max)
}
