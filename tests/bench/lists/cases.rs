//! The lists, and what they are filtered by.

use harness::TestSystem;

/// What an operator asks for; `{…}` are values of the database.
pub(super) const LISTS: [&str; 27] = [
    "deliveries list",
    "deliveries list --limit 200",
    "deliveries list --campus {campus}",
    "deliveries list --campus {small}",
    "deliveries list --member {member}",
    "deliveries list --event-type member.deleted",
    "deliveries list --event-type member.merged",
    "deliveries list --event-type member.invented",
    "deliveries list --status dead",
    "deliveries list --status discarded",
    "deliveries list --status dead,retrying,rejected",
    "deliveries list --status stale --campus {small}",
    "deliveries list --cause wrong_church",
    "deliveries list --since 1h",
    "deliveries list --until 60d",
    "deliveries list --after {delivery}",
    "dead-letters groups",
    "dead-letters list",
    "dead-letters list --status open --cause wrong_church",
    "dead-letters list --campus {small}",
    "dead-letters list --event-type member.merged",
    "dead-letters list --member {member}",
    "dead-letters list --status replaying --until 1h",
    "dead-letters export --limit 100",
    "runs list",
    "campus show {campus}",
    "status",
];

/// What tells with its exit code of what is not there.
pub(super) const WITHOUT_BROKER: [&str; 1] = ["status"];

/// Where each value comes from.
const VALUES: [(&str, &str); 4] = [
    ("{campus}", "SELECT id::text FROM numbered_campuses WHERE number = 0"),
    ("{small}", "SELECT id::text FROM numbered_campuses ORDER BY number DESC LIMIT 1"),
    (
        "{member}",
        "SELECT member_id FROM dead_letters WHERE member_id IS NOT NULL ORDER BY dead_at DESC LIMIT 1",
    ),
    (
        "{delivery}",
        "SELECT id::text FROM webhook_logs WHERE received_at < now() - interval '20 days'
         ORDER BY received_at DESC LIMIT 1",
    ),
];

/// Names and what to put in their place.
pub(super) async fn values(system: &TestSystem) -> Vec<(&'static str, String)> {
    let mut values = Vec::new();
    for (name, query) in VALUES {
        let row = system.database.client().query_one(query, &[]).await.unwrap();
        values.push((name, row.get(0)));
    }
    values
}
