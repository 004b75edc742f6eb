//! README.md, and the pages about operating and reconciliation: whatever they ask an operator to type, on a system that has
//! something to be looked at.

use harness::TestSystem;
use uuid::Uuid;

use super::{shell::Shell, walk::Walk};
use crate::worker::campus_under_test::CampusUnderTest;

/// A letter that is a week old and more.
async fn letter(campus: &CampusUnderTest<'_>, member: &str, cause: &str) -> String {
    let id = Uuid::new_v4();
    let insert = format!(
        "INSERT INTO dead_letters (id, event_id, campus_id, event_type, member_id, cause, reason, attempts,
             first_failed_at, dead_at, received_at, envelope)
         VALUES ('{id}', '{id}', '{campus}', 'member.updated', '{member}', '{cause}', 'Why.', 3, now(),
             now() - interval '8 days', now(), jsonb_build_object('schema_version', 1, 'delivery_id', '{id}',
             'event_id', '{id}', 'event_type', 'member.updated', 'campus_id', '{campus}',
             'member_id', '{member}', 'received_at', now()))",
        campus = campus.id,
    );
    campus.execute(&insert).await;
    id.to_string()
}

#[tokio::test]
async fn the_operators_commands_of_the_pages_do_what_they_say() {
    let system = TestSystem::spawn().await;
    let campus = CampusUnderTest::first(&system);
    let member = system.core.member_id(campus.church_id(), 0).unwrap();
    let event = campus.post("member.updated", &member).await;
    campus.end_of(&event).await;
    let unavailable = letter(&campus, &member, "core_unavailable").await;
    letter(&campus, &member, "member_not_found").await;
    let deliveries = system.database.rows("SELECT id FROM webhook_logs", &[]).await;
    let delivery = deliveries[0]["id"].as_str().unwrap();
    let other = &core_sim::Options::default().churches[1];
    let shell = Shell::of(&system)
        .meaning("https://core.example.org", &system.core_url())
        .meaning("sync@example.org", &other.email)
        .meaning("DELIVERY_ID", delivery)
        .meaning("EVENT_ID", &event)
        .meaning("ID", &unavailable);
    for mut walk in [
        Walk::of("README.md"),
        Walk::of("deploy/reconciliation.md"),
        Walk::of("deploy/operating.md"),
    ] {
        while !walk.is_at_end() {
            walk.next(&shell).await;
        }
    }
    let left = "SELECT cause FROM dead_letters WHERE status = 'open'";
    assert!(system.database.rows(left, &[]).await.is_empty());
}
