//! What a worker takes when answers are large (interface §1, `WORKER_ANSWER_BYTES`).

use base64::{Engine, prelude::BASE64_STANDARD};
use core_sim::{Fault, FaultKind};
use harness::{Role, TestSystem, eventually};
use serde_json::json;
use support::process::peak_memory;

use super::campus_under_test::CampusUnderTest;

/// In KiB. A worker at rest takes some 50 MB.
const MOST_MEMORY: u64 = 300 * 1000 * 1000 / 1024;
const PHOTO: usize = 4_900_000;
const LONG: std::time::Duration = std::time::Duration::from_mins(3);

fn peak(system: &TestSystem) -> u64 {
    peak_memory(system.worker(0).process_id().unwrap()).unwrap()
}

async fn number(system: &TestSystem, query: &str) -> u64 {
    system.database.rows(query, &[]).await[0]["number"].as_u64().unwrap()
}

#[tokio::test]
async fn heavy_photos_wait_for_room() {
    const MEMBERS: u64 = 48;
    let system = TestSystem::builder()
        .variable_of(Role::Worker, "WORKER_ANSWER_BYTES", "33554432")
        .spawn()
        .await;
    let campus = CampusUnderTest::first(&system);
    let mut image = vec![0xff, 0xd8, 0xff, 0xe0];
    image.resize(PHOTO, 7);
    let photo = BASE64_STANDARD.encode(image);
    let members: Vec<String> = (0..MEMBERS)
        .map(|n| campus.create(json!({"full_name": format!("Member {n}"), "photo_base64": photo})))
        .collect();
    for member in &members {
        campus.post("member.created", member).await;
    }
    let query =
        format!("SELECT count(*) AS number FROM member_photos WHERE octet_length(image) = {PHOTO}");
    eventually("every photo is here", LONG, async || {
        let kept = number(&system, &query).await;
        if kept == MEMBERS { Ok(()) } else { Err(format!("{kept}, {} KiB", peak(&system))) }
    })
    .await;
    let peak = peak(&system);
    println!("{MEMBERS} photos of {PHOTO} bytes: {peak} KiB");
    assert!(peak < MOST_MEMORY, "{peak} KiB");
    eventually("nothing is held any more", LONG, async || {
        (system.worker_metric(0, "worker_answer_bytes_held", "faithtracker").await < 1.0)
            .then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_nobody_looks_at_takes_no_more_than_its_text() {
    const MEMBERS: u64 = 16;
    let system = TestSystem::spawn().await;
    let campus = CampusUnderTest::first(&system);
    let junk = r#"{"a":[1,{}]},"#.repeat(8_000_000 / 13);
    let members: Vec<String> =
        (0..MEMBERS).map(|n| campus.create(json!({"full_name": format!("Member {n}")}))).collect();
    for member in &members {
        let mut body = serde_json::to_string(&system.core.member(member).unwrap()).unwrap();
        body.pop();
        let body = format!("{body},\"scans\":[{junk}0]}}");
        let odd = FaultKind::NoJson { body };
        system.core.add_fault(Fault::everywhere(odd).of_member(member));
    }
    for member in &members {
        campus.post("member.created", member).await;
    }
    eventually("every member is here", LONG, async || {
        let here = number(&system, "SELECT count(*) AS number FROM members").await;
        if here == MEMBERS { Ok(()) } else { Err(format!("{here}, {} KiB", peak(&system))) }
    })
    .await;
    let peak = peak(&system);
    println!("{MEMBERS} answers of 8 MB: {peak} KiB");
    assert!(peak < MOST_MEMORY, "{peak} KiB");
}
