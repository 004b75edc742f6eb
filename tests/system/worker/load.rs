//! A stream of changes in the core, each told by a webhook, and what must have come of it.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, stream};
use rand::RngExt;
use serde_json::{Value, json};
use tests::core_sim::{Webhook, WebhookBody};
use tokio_postgres::Client;

use super::church::Church;

/// Webhooks under way at once.
const SENDERS: usize = 8;

/// Changes of members, each with its event.
pub(super) struct Load<'a> {
    church: Church<'a>,
    members: Vec<String>,
}

impl<'a> Load<'a> {
    /// A load on that many members, who are in the core and not here yet.
    pub(super) fn on(church: Church<'a>, members: usize) -> Self {
        let names = (0..members).map(|n| json!({"full_name": format!("Member {n}")}));
        Self { church, members: names.map(|fields| church.create(fields)).collect() }
    }

    /// Changes members at random and posts each change; like FaithFlow, it posts again what was
    /// not accepted. Answers the ids of the events.
    pub(super) async fn run(&self, changes: usize) -> Vec<String> {
        let bodies = (0..changes).map(|number| self.change_somebody(number));
        stream::iter(bodies).map(|body| self.post(body)).buffer_unordered(SENDERS).collect().await
    }

    fn change_somebody(&self, number: usize) -> WebhookBody {
        let core = &self.church.system.core;
        let mut random = rand::rng();
        let member = &self.members[random.random_range(0..self.members.len())];
        let deleted = core.member(member).unwrap().is_true("is_deleted");
        let event_type = match random.random_range(0..10) {
            _ if deleted => {
                core.restore(member, Webhook::Silent).unwrap();
                "member.updated"
            }
            0 => {
                core.delete(member, Webhook::Silent).unwrap();
                "member.deleted"
            }
            _ => {
                self.church.change(member, json!({"full_name": format!("Change {number}")}));
                "member.updated"
            }
        };
        self.church.body(event_type, member).with("event_id", format!("change-{number}"))
    }

    async fn post(&self, body: WebhookBody) -> String {
        while self.church.system.post(self.church.campus, &body).await.status != 202 {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        body.text("event_id").unwrap().to_owned()
    }

    /// How many deliveries have come to their end.
    pub(super) async fn ended(client: &Client) -> i64 {
        let query = "SELECT count(*) FROM webhook_logs WHERE status NOT IN ('retrying', 'dead')";
        client.query_one(query, &[]).await.unwrap().get(0)
    }

    /// Whether every event has come to its end; else how many have.
    pub(super) async fn has_arrived(client: &Client, events: &[String]) -> Result<(), String> {
        let query = "SELECT count(DISTINCT event_id) FROM webhook_logs
                     WHERE event_id = ANY($1) AND status IN ('processed', 'stale')";
        let arrived: i64 = client.query_one(query, &[&events]).await.unwrap().get(0);
        if usize::try_from(arrived) == Ok(events.len()) {
            return Ok(());
        }
        Err(format!("{arrived} of {} events", events.len()))
    }

    /// Asserts that each event was done exactly once, on its first attempt, that none is a dead
    /// letter, and that every member is as the core has it.
    pub(super) async fn assert_done(&self, client: &Client, events: &[String]) {
        let posted: BTreeSet<&str> = events.iter().map(String::as_str).collect();
        let mut done: BTreeMap<String, usize> = BTreeMap::new();
        let query =
            "SELECT event_id, status, attempts FROM webhook_logs WHERE event_id LIKE 'change-%'";
        for row in client.query(query, &[]).await.unwrap() {
            let (event, status): (String, &str) = (row.get(0), row.get(1));
            assert!(posted.contains(event.as_str()), "{event} was never accepted");
            assert!(["processed", "stale", "duplicate"].contains(&status), "{event} is {status}");
            assert_eq!(row.get::<_, i32>(2), 1, "attempts of {event}");
            *done.entry(event).or_default() += usize::from(status != "duplicate");
        }
        assert!(done.values().all(|times| *times == 1), "{done:?}");
        assert_eq!(done.len(), posted.len());
        let letters = client.query_one("SELECT count(*) FROM dead_letters", &[]).await.unwrap();
        assert_eq!(letters.get::<_, i64>(0), 0, "dead letters");
        self.assert_as_in_the_core(client).await;
    }

    async fn assert_as_in_the_core(&self, client: &Client) {
        let query = "SELECT external_member_id, name, is_archived FROM members";
        let rows = client.query(query, &[]).await.unwrap();
        let here: BTreeMap<&str, (Option<&str>, bool)> =
            rows.iter().map(|row| (row.get(0), (row.get(1), row.get(2)))).collect();
        for member in &self.members {
            let there = self.church.system.core.member(member).unwrap();
            if let Some((name, archived)) = here.get(member.as_str()) {
                assert_eq!(*archived, there.is_true("is_deleted"), "{member} archived");
                // The name of a deleted member stays as it was last heard of.
                assert!(*archived || *name == there.get("full_name").and_then(Value::as_str));
            } else {
                // Never heard of, or only of its end.
                let heard = "SELECT FROM webhook_logs WHERE member_id = $1";
                let heard = !client.query(heard, &[member]).await.unwrap().is_empty();
                assert!(!heard || there.is_true("is_deleted"), "{member} has no row");
            }
        }
    }
}
