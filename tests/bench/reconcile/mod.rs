//! Nights: how long the reconciler takes for many members in many campuses, beside what Postgres
//! alone takes for copying the same rows and comparing them, measured in turns on the same server.

mod floor;
mod night;
mod options;
mod table;
mod test_bed;
mod usage;

use floor::Floor;
pub(crate) use options::Nights;
use table::Measured;
use test_bed::TestBed;

use crate::report::Report;

pub(crate) async fn measure(nights: &Nights) {
    let mut report = Report::new(&nights.results);
    let mut all = Vec::new();
    for members in &nights.members {
        let measured = measure_one(nights, *members).await;
        report.add(measured.table());
        all.push(measured);
    }
    report.add(table::by_members(&all));
    report.save();
}

async fn measure_one(nights: &Nights, members: u64) -> Measured {
    println!("\npreparing {members} members in {} campuses", nights.campuses);
    let bed = TestBed::new(nights, members).await;
    let pages = bed.pages().await;
    let import = bed.night("first import").await;
    bed.settle().await;
    let floor = Floor::lay(&bed).await;
    let (mut floors, mut quiet, mut drifted) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..nights.rounds {
        floors.push(floor.measure(&bed).await);
        quiet.push(bed.night("no drift").await);
    }
    for round in 0..nights.rounds {
        bed.drift(round);
        drifted.push(bed.night("1 % drift").await);
    }
    Measured { members, pages, floors, quiet, drifted, import: vec![import] }
}
