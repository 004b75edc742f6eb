//! The figures of the documents are those of `tests/bench/results/`, rounded: after a bench was run
//! again, this says which lines to write.

use std::{fs, path::Path};

use serde_json::Value;

use super::text;

/// A document that a bench wrote.
struct Results(Value);

/// What was measured of one case.
struct Row<'a>(&'a Value);

impl Results {
    fn of(bench: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../bench/results");
        let text = fs::read_to_string(folder.join(format!("{bench}.json"))).unwrap();
        Self(serde_json::from_str(&text).unwrap())
    }

    /// A case of the table whose title begins so.
    #[track_caller]
    fn row(&self, title: &str, case: &str) -> Row<'_> {
        let tables = self.0["tables"].as_array().unwrap().iter();
        let table =
            tables.into_iter().find(|table| table["title"].as_str().unwrap().starts_with(title));
        let mut rows = table.unwrap()["rows"].as_array().unwrap().iter();
        Row(rows.find(|row| row["case"] == case).unwrap_or_else(|| panic!("no case {case}")))
    }

    /// The highest figure of a column, whatever the case.
    fn highest(&self, column: &str) -> f64 {
        let tables = self.0["tables"].as_array().unwrap().iter();
        let rows = tables.flat_map(|table| table["rows"].as_array().unwrap());
        rows.map(|row| Row(row).of(column, "max")).fold(0.0, f64::max)
    }
}

impl Row<'_> {
    #[track_caller]
    fn of(&self, column: &str, what: &str) -> f64 {
        self.0[column][what].as_f64().unwrap_or_else(|| panic!("no {what} of {column}"))
    }

    #[track_caller]
    fn median(&self, column: &str) -> f64 {
        self.of(column, "median")
    }

    /// `8,244 (7,825–8,244)`, by the words that one figure is written in.
    fn with_range(&self, column: &str, write: impl Fn(f64) -> String) -> String {
        let [median, least, most] =
            ["median", "min", "max"].map(|what| write(self.of(column, what)));
        format!("{median} ({least}–{most})")
    }
}

/// `18,191`
fn whole(number: f64) -> String {
    let digits = format!("{number:.0}");
    let groups: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .map(|group| std::str::from_utf8(group).unwrap())
        .collect();
    groups.join(",")
}

/// `3.4`, `11`
fn short(number: f64) -> String {
    if number < 9.95 { format!("{number:.1}") } else { whole(number) }
}

/// `29 µs`, `1.4 ms`
fn time(microseconds: f64) -> String {
    if microseconds < 999.5 {
        format!("{} µs", whole(microseconds))
    } else {
        format!("{} ms", short(microseconds / 1000.0))
    }
}

/// What a core does in a second where one costs so many microseconds, to the thousand below.
fn of_a_core(microseconds: f64) -> String {
    format!("{},000", whole((1000.0 / microseconds).floor()))
}

#[track_caller]
fn assert_says(document: &str, lines: &[String]) {
    let text = text(document);
    let missing: Vec<&str> =
        lines.iter().map(String::as_str).filter(|line| !text.contains(line)).collect();
    assert!(missing.is_empty(), "{document} should say:\n{}", missing.join("\n"));
}

/// The page that has every table.
const RESULTS: &str = "../tests/bench/results/README.md";

const INTAKE: &str = "Webhooks taken in";
const DRAIN: &str = "200000 events";
const SLOW_CORES: &str = "One campus's queued events";
const TLS_ATTACKS: &str = "50 honest webhooks a second, each on a new connection with TLS";

#[test]
fn the_table_of_intake_is_what_was_measured() {
    let results = Results::of("intake");
    let line = |(case, shown): (&str, &str)| {
        let gateway = results.row(INTAKE, &format!("{case}: gateway"));
        let reference = results.row(INTAKE, &format!("{case}: bare"));
        format!(
            "| {shown} | {}/s | {}/s | {} | {} / {} / {} ms | {}, reference {} | {} MB |",
            whole(gateway.median("accepted/s")),
            whole(reference.median("accepted/s")),
            gateway.with_range("ratio", |ratio| format!("{ratio:.2}")),
            short(gateway.median("p50 ms")),
            short(gateway.median("p99 ms")),
            short(gateway.median("p99.9 ms")),
            time(gateway.median("CPU µs")),
            time(reference.median("CPU µs")),
            whole(gateway.median("peak MB")),
        )
    };
    let cases = [
        ("1 connections", "1"),
        ("64 connections", "64"),
        ("256 connections", "256"),
        ("1024 connections", "1,024"),
        ("64, 10 kB bodies", "64, bodies of 10 kB"),
        ("16, 1 MB bodies", "16, bodies of 1 MB"),
        ("64, 5 % bad signatures", "64, 5 % of the signatures bad"),
    ];
    assert_says(RESULTS, &cases.map(line));
}

#[test]
fn the_table_of_draining_is_what_was_measured() {
    let results = Results::of("drain");
    let line = |(case, shown): (&str, &str)| {
        let row = results.row(DRAIN, case);
        format!(
            "| {shown} | {} | {} / {} / {} µs | {} MB |",
            row.with_range("events/s", whole),
            whole(row.median("worker CPU µs")),
            whole(row.median("Postgres CPU µs")),
            whole(row.median("broker CPU µs")),
            whole(row.median("worker peak MB")),
        )
    };
    let cases = [
        ("1 worker(s), core 0 ms", "1 worker, core at 0 ms"),
        ("2 worker(s), core 0 ms", "2 workers"),
        ("4 worker(s), core 0 ms", "4 workers"),
        ("1 worker(s), core 20 ms", "1 worker, core at 20 ms"),
        ("2 worker(s), core 20 ms", "2 workers"),
        ("4 worker(s), core 20 ms", "4 workers"),
    ];
    assert_says(RESULTS, &cases.map(line));
}

#[test]
fn the_table_of_attackers_is_what_was_measured() {
    let results = Results::of("attackers");
    let line = |(title, case, shown): (&str, &str, &str)| {
        let row = results.row(title, case);
        let share = row.median("accepted") / (row.median("accepted") + row.median("not"));
        format!(
            "| {shown} | {} % | {} / {} / {} ms | {} MB |",
            short(share * 100.0),
            short(row.median("p50 ms")),
            short(row.median("p99 ms")),
            short(row.median("max ms")),
            whole(row.median("peak MB")),
        )
    };
    let (plain, tls) = ("50 honest webhooks a second, each on a new connection, 15", TLS_ATTACKS);
    let cases = [
        (plain, "nobody else", "nobody else"),
        (plain, "10000 idle connections", "10,000 idle connections"),
        (plain, "1000 slow headers", "1,000 heads that come a byte a second"),
        (plain, "10000 heads of 16 KiB", "10,000 heads of 16 KiB that do not end"),
        (plain, "1000 slow bodies", "1,000 bodies that come a byte a second"),
        (plain, "4200 bodies, a byte in four seconds", "4,200 bodies, a byte in four seconds"),
        (plain, "32 floods of bad signatures", "32 floods of bad signatures"),
        (plain, "all of them at once", "all of them at once"),
        (tls, "nobody else", "TLS, nobody else"),
        (tls, "10000 connections without a handshake", "10,000 without a handshake"),
        (tls, "10000 idle connections after it", "10,000 idle after it"),
    ];
    assert_says(RESULTS, &cases.map(line));
}

#[test]
fn the_table_of_slow_cores_is_what_was_measured() {
    let results = Results::of("slow-cores");
    let line = |(case, shown): (&str, &str)| {
        let row = results.row(SLOW_CORES, case);
        let allowed = match row.0["allowed/s"]["median"].as_f64() {
            Some(rate) => format!("{}/s | {} %", whole(rate), whole(row.median("% of allowed"))),
            None => " | ".to_owned(),
        };
        format!(
            "| {shown} | {}/s | {allowed} | {} ms |",
            whole(row.median("events/s")),
            whole(row.median("others p99 ms")),
        )
    };
    let cases = [
        ("0 ms", "0 s"),
        ("300 ms", "0.3 s"),
        ("1300 ms", "1.3 s"),
        ("5000 ms", "5 s"),
        ("1300 ms, 2 workers", "1.3 s, 2 workers"),
        ("5000 ms for 5 %, else 0", "5 s for 5 %, else 0"),
    ];
    assert_says(RESULTS, &cases.map(line));
}

#[test]
fn the_table_of_nights_is_what_was_measured() {
    let results = Results::of("reconcile");
    let mut lines = Vec::new();
    for members in ["10000 members", "100000 members", "1000000 members"] {
        for (case, shown) in
            [("no drift", "night without drift"), ("1 % drift", "night with 1 % drift")]
        {
            let night = results.row(&format!("{members},"), case);
            lines.push(format!(
                "| {shown} | {} | {} | {} MB | {} MB | {} |",
                short(night.median("seconds")),
                night.with_range("of psql", |ratio| format!("{ratio:.1}")),
                whole(night.median("MB")),
                short(night.median("WAL MB")),
                whole(night.median("rows")),
            ));
        }
        let import = results.row(&format!("{members},"), "first import");
        lines.push(format!(
            "| first import | {} | {:.1} | {} MB | {} MB | {} |",
            short(import.median("seconds")),
            import.median("of psql"),
            whole(import.median("MB")),
            short(import.median("WAL MB")),
            whole(import.median("rows")),
        ));
    }
    assert_says(RESULTS, &lines);
}

#[test]
fn what_the_readme_says_first_was_measured() {
    let (intake, drain, nights) =
        (Results::of("intake"), Results::of("drain"), Results::of("reconcile"));
    let taken = intake.row(INTAKE, "64 connections: gateway");
    let night = nights.row("1000000 members,", "no drift");
    assert_says(
        "../README.md",
        &[
            format!(
                "| accepted by one gateway, 64 connections | {} a second; {:.2} of ",
                whole(taken.median("accepted/s")),
                taken.median("ratio"),
            ),
            format!(
                "| written by one worker, core at 0 ms | {} events a second |",
                whole(drain.row(DRAIN, "1 worker(s), core 0 ms").median("events/s")),
            ),
            format!(
                "| a night over 1,000,000 members without drift | {} s, {:.1} of `psql` alone, {} MB |",
                short(night.median("seconds")),
                night.median("of psql"),
                whole(night.median("MB")),
            ),
        ],
    );
}

#[test]
fn what_sizing_says_of_a_core_and_of_memory_is_what_was_measured() {
    let (intake, drain, nights) =
        (Results::of("intake"), Results::of("drain"), Results::of("reconcile"));
    let attacked = Results::of("attackers").highest("peak MB");
    let taken = intake.row(INTAKE, "64 connections: gateway");
    let crowded = intake.row(INTAKE, "1024 connections: gateway");
    let drained = drain.row(DRAIN, "1 worker(s), core 0 ms");
    let night = nights.row("1000000 members", "no drift");
    let memory = ["no drift", "1 % drift", "first import"]
        .map(|case| nights.row("1000000 members", case).median("MB"))
        .into_iter()
        .fold(0.0, f64::max);
    let line = |part: &str, cost: f64, of: &str, does: &str| {
        format!("| {part} | {} µs{of} | {} {does}", whole(cost), of_a_core(cost))
    };
    assert_says(
        "sizing.md",
        &[
            line(
                "gateway, 64 connections",
                taken.median("CPU µs"),
                "",
                "accepted webhooks a second",
            ),
            line(
                "RabbitMQ, one node, taking in",
                taken.median("broker CPU µs"),
                "",
                "confirmed events a second",
            ),
            line(
                "RabbitMQ, one node, handing out",
                drained.median("broker CPU µs"),
                "",
                "events a second",
            ),
            line(
                "worker, a core that answers at once",
                drained.median("worker CPU µs"),
                "",
                "events a second",
            ),
            line("PostgreSQL", drained.median("Postgres CPU µs"), "", "events a second"),
            // Seconds for a million members.
            line("reconciler", night.median("CPU"), " a member", "members compared a second"),
            line(
                "PostgreSQL, for the reconciler",
                night.median("of PG"),
                " a member",
                "members compared a second",
            ),
            format!(
                "| gateway | {} MB with 64 connections, {} MB with 1,024, {} MB under attack with 10,000",
                whole(taken.median("peak MB")),
                whole(crowded.median("peak MB")),
                whole(attacked),
            ),
            format!("| worker | {} MB", whole(drained.median("worker peak MB"))),
            format!("| reconciler | {} MB", whole(memory)),
        ],
    );
}
