//! A campus whose core's answers come over a thin line: the first import with photos, and a night without drift,
//! beside what the line itself takes for that many bytes.

use base64::{Engine, prelude::BASE64_STANDARD};
use clap::Args;
use core_sim::{Endpoint, Options, Webhook};
use harness::TestSystem;
use serde_json::{Value, json};

use crate::report::{Figure, Report, Table, count};

const COLUMNS: [&str; 5] = ["seconds", "of the line", "list requests", "MB", "undecided"];

/// How thin, and how heavy its load.
#[derive(Debug, Args)]
pub(crate) struct ThinLine {
    /// Members, each with a photo
    #[arg(long, default_value_t = 100)]
    members: u64,
    /// Kilobytes of a photo, a case each
    #[arg(long, value_delimiter = ',', default_values_t = [20, 300, 2000])]
    photo: Vec<usize>,
    /// Megabits a second
    #[arg(long, default_value_t = 10)]
    megabits: u64,
}

pub(crate) async fn measure(thin: &ThinLine) {
    let mut report = Report::new("thin-line");
    let title = format!(
        "{} members with photos over {} Mbit/s (the least that the line takes: 1)",
        thin.members, thin.megabits
    );
    let mut table = Table::new(title, COLUMNS);
    for kilobytes in &thin.photo {
        let core = Options { churches: Options::churches_of(1, 1, 0), ..Options::default() };
        let builder = TestSystem::builder().own_servers().gateways(0).workers(0);
        let system = builder.core(core).spawn().await;
        let bytes = fill(&system, thin.members, kilobytes * 1000);
        let rate = thin.megabits * 1_000_000 / 8;
        system.core.set(|settings| settings.line_bytes_per_second = Some(rate));
        for night in ["first import", "no drift"] {
            let figures = reconcile(&system, count(bytes) / count(rate), bytes).await;
            table.row(format!("{kilobytes} kB, {night}"), figures);
        }
    }
    report.add(table);
    report.save();
}

/// Makes the members; answers how many bytes their list has, about.
fn fill(system: &TestSystem, members: u64, photo: usize) -> u64 {
    let image = [&[0xff, 0xd8, 0xff, 0xe0][..], &vec![7; photo]].concat();
    let photo = BASE64_STANDARD.encode(image);
    for number in 0..members {
        let name = format!("Member {number}");
        let member = json!({"full_name": name, "photo_base64": photo, "is_active": true});
        system.core.create(&system.campus.core_church_id, member, Webhook::Silent).unwrap();
    }
    members * photo.len() as u64
}

async fn reconcile(system: &TestSystem, line: f64, bytes: u64) -> [Figure; COLUMNS.len()] {
    system.core.reset_counters();
    let run = ["--once", "--campus", &system.campus.id, "--json"];
    let report: Value = system.reconcile(&run).await.json();
    let seconds = report["duration_seconds"].as_f64().unwrap();
    println!("{} in {seconds:.1} s, {:.1} s for the line", report["status"], line);
    let undecided = report["members_undecided"].as_u64().unwrap();
    let requests = system.core.requests(Endpoint::List);
    [seconds, seconds / line, count(requests), count(bytes) / 1e6, count(undecided)]
        .map(Figure::from)
}
