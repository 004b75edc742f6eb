//! A stream of changes in the core, each told by a webhook, and what must have come of it.

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use core_sim::{Webhook, WebhookBody};
use futures_util::{Stream, StreamExt, future::join, stream};
use rand::RngExt;
use serde_json::{Value, json};
use tokio_postgres::Client;

use super::campus_under_test::CampusUnderTest;

/// Webhooks under way at once.
const SENDERS: usize = 8;
/// Between two webhooks of a steady load.
const STEP: Duration = Duration::from_millis(25);
/// Webhooks that follow when a disturbance is over.
const AFTERWARDS: usize = 40;

/// Changes of members, each with its event.
pub(crate) struct Load<'a> {
    campus: CampusUnderTest<'a>,
    members: Vec<String>,
    accepted: Cell<usize>,
    refused: Cell<usize>,
    slowest: Cell<Duration>,
}

impl<'a> Load<'a> {
    /// A load on that many members, who are in the core and not here yet.
    pub(crate) fn on(campus: CampusUnderTest<'a>, members: usize) -> Self {
        let names = (0..members).map(|n| json!({"full_name": format!("Member {n}")}));
        Self {
            campus,
            members: names.map(|fields| campus.create(fields)).collect(),
            accepted: Cell::default(),
            refused: Cell::default(),
            slowest: Cell::default(),
        }
    }

    /// Changes members at random and posts each change; like FaithFlow, it posts again what was
    /// not accepted. Answers the ids of the events.
    pub(crate) async fn run(&self, changes: usize) -> Vec<String> {
        self.change_and_post(stream::iter(0..changes)).await
    }

    /// The same, steadily, until a disturbance is over and for a moment afterwards.
    pub(crate) async fn run_during(&self, disturbance: impl Future<Output = ()>) -> Vec<String> {
        let last = Cell::new(None);
        let steady = stream::unfold(0, async |number| {
            if last.get() == Some(number) {
                return None;
            }
            tokio::time::sleep(STEP).await;
            Some((number, number + 1))
        });
        let begun = Cell::new(0);
        let counted = steady.inspect(|number| begun.set(*number));
        let disturbed = async {
            disturbance.await;
            // The one that waits for its moment was not counted yet.
            last.set(Some(begun.get() + 2 + AFTERWARDS));
        };
        join(self.change_and_post(counted), disturbed).await.0
    }

    async fn change_and_post(&self, numbers: impl Stream<Item = usize>) -> Vec<String> {
        let bodies = numbers.map(|number| self.change_somebody(number));
        bodies.map(|body| self.post(body)).buffer_unordered(SENDERS).collect().await
    }

    /// How many webhooks were accepted so far.
    pub(crate) fn accepted(&self) -> usize {
        self.accepted.get()
    }

    /// How many tries were refused so far.
    pub(crate) fn refused(&self) -> usize {
        self.refused.get()
    }

    /// The longest that anybody waited for an answer, whatever it was.
    pub(crate) fn slowest(&self) -> Duration {
        self.slowest.get()
    }

    fn change_somebody(&self, number: usize) -> WebhookBody {
        let core = &self.campus.system.core;
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
                self.campus.change(member, json!({"full_name": format!("Change {number}")}));
                "member.updated"
            }
        };
        self.campus.body(event_type, member).with("event_id", format!("change-{number}"))
    }

    async fn post(&self, body: WebhookBody) -> String {
        loop {
            let answer = self.campus.system.post(&self.campus, &body).await;
            self.slowest.set(self.slowest.get().max(answer.took));
            if answer.status == 202 {
                break;
            }
            self.refused.set(self.refused.get() + 1);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.accepted.set(self.accepted.get() + 1);
        body.text("event_id").unwrap().to_owned()
    }

    /// How many deliveries have come to their end.
    pub(crate) async fn ended(client: &Client) -> i64 {
        let query = "SELECT count(*) FROM webhook_logs WHERE status NOT IN ('retrying', 'dead')";
        client.query_one(query, &[]).await.unwrap().get(0)
    }

    /// Whether every event has come to its end; else how many have.
    pub(crate) async fn has_arrived(client: &Client, events: &[String]) -> Result<(), String> {
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
    pub(crate) async fn assert_done(&self, client: &Client, events: &[String]) {
        let more = "SELECT event_id, attempts FROM webhook_logs
                    WHERE event_id LIKE 'change-%' AND attempts <> 1";
        if let Some(row) = client.query(more, &[]).await.unwrap().first() {
            let (event, attempts): (String, i32) = (row.get(0), row.get(1));
            panic!("{event} took {attempts} attempts");
        }
        self.assert_done_at_last(client, events).await;
    }

    /// The same, on whatever attempt.
    pub(crate) async fn assert_done_at_last(&self, client: &Client, events: &[String]) {
        let posted: BTreeSet<&str> = events.iter().map(String::as_str).collect();
        let mut done: BTreeMap<String, usize> = BTreeMap::new();
        let query = "SELECT event_id, status FROM webhook_logs WHERE event_id LIKE 'change-%'";
        for row in client.query(query, &[]).await.unwrap() {
            let (event, status): (String, &str) = (row.get(0), row.get(1));
            assert!(posted.contains(event.as_str()), "{event} was never accepted");
            assert!(["processed", "stale", "duplicate"].contains(&status), "{event} is {status}");
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
            let there = self.campus.system.core.member(member).unwrap();
            if let Some((name, archived)) = here.get(member.as_str()) {
                let is_right = *archived == there.is_true("is_deleted");
                assert!(
                    is_right,
                    "{member} is archived: {archived}; {}",
                    history(client, member).await
                );
                // The name of a deleted member stays as it was last heard of.
                assert!(*archived || *name == there.get("full_name").and_then(Value::as_str));
            } else {
                // Never heard of, or only of its end.
                let heard = "SELECT FROM webhook_logs WHERE member_id = $1";
                let heard = !client.query(heard, &[member]).await.unwrap().is_empty();
                let is_right = !heard || there.is_true("is_deleted");
                assert!(is_right, "{member} has no row; {}", history(client, member).await);
            }
        }
    }
}

/// What is known of a member, for whoever wants to know how it came to be as it is.
async fn history(client: &Client, member: &str) -> String {
    let history = "
        SELECT coalesce(json_agg(to_jsonb(w) ORDER BY received_at), '[]')::text,
               (SELECT coalesce(json_agg(to_jsonb(s)), '[]')::text FROM member_sync s WHERE external_member_id = $1)
        FROM webhook_logs w WHERE member_id = $1";
    let row = client.query_one(history, &[&member]).await.unwrap();
    format!("deliveries {}, state {}", row.get::<_, &str>(0), row.get::<_, &str>(1))
}
