//! A campus with its church in the core, and what most tests do with them.

use std::{ops::Deref, time::Duration};

use core_sim::{Webhook, WebhookBody};
use harness::{Campus, TestSystem, eventually};
use serde_json::Value;

/// How long an event may take to its end, on a machine that runs other tests too.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// A campus of a system, and the church in the core that it is synced with.
#[derive(Clone, Copy)]
pub(crate) struct CampusUnderTest<'a> {
    pub(crate) system: &'a TestSystem,
    campus: &'a Campus,
}

impl Deref for CampusUnderTest<'_> {
    type Target = Campus;

    fn deref(&self) -> &Campus {
        self.campus
    }
}

impl<'a> CampusUnderTest<'a> {
    /// The one that every system has.
    pub(crate) fn first(system: &'a TestSystem) -> Self {
        Self::of(system, &system.campus)
    }

    /// One that was added.
    pub(crate) fn of(system: &'a TestSystem, campus: &'a Campus) -> Self {
        Self { system, campus }
    }

    /// The core's id of it.
    pub(crate) fn church_id(&self) -> &'a str {
        &self.campus.core_church_id
    }

    /// Makes a member in the core, without a webhook, and answers its id.
    pub(crate) fn create(&self, fields: Value) -> String {
        let created = self.system.core.create(self.church_id(), fields, Webhook::Silent).unwrap();
        created.member.text("id").unwrap().to_owned()
    }

    /// Changes a member in the core, without a webhook.
    pub(crate) fn change(&self, member: &str, fields: Value) {
        self.system.core.change(member, fields, Webhook::Silent).unwrap();
    }

    /// Makes a member and brings it here.
    pub(crate) async fn bring(&self, fields: Value) -> String {
        let member = self.create(fields);
        let log = self.sync("member.created", &member).await;
        assert_eq!(log["status"], "processed", "{log}");
        member
    }

    /// The body of an event.
    pub(crate) fn body(&self, event_type: &str, member: &str) -> WebhookBody {
        WebhookBody::new(event_type, self.church_id(), member)
    }

    /// Posts an event, and answers its id.
    pub(crate) async fn post(&self, event_type: &str, member: &str) -> String {
        self.deliver(&self.body(event_type, member)).await
    }

    /// Posts a body, and answers the event's id.
    pub(crate) async fn deliver(&self, body: &WebhookBody) -> String {
        self.system.post(self.campus, body).await.event_id()
    }

    /// Posts an event, waits for its end, and answers its log row.
    pub(crate) async fn sync(&self, event_type: &str, member: &str) -> Value {
        let event = self.post(event_type, member).await;
        self.end_of(&event).await
    }

    /// The log row of an event that was delivered once, when it has come to its end.
    pub(crate) async fn end_of(&self, event: &str) -> Value {
        let mut ends = self.ends_of(event, 1).await;
        ends.remove(0)
    }

    /// The log rows of an event, when that many deliveries have come to their end.
    pub(crate) async fn ends_of(&self, event: &str, deliveries: usize) -> Vec<Value> {
        eventually("the event has come to its end", SOON, async || {
            let rows = self.log(event).await;
            let ended = rows.iter().filter(|row| row["status"] != "retrying").count();
            if ended == deliveries { Ok(rows) } else { Err(format!("{rows:?}")) }
        })
        .await
    }

    /// The log rows of an event as they are now, in the order of receipt.
    pub(crate) async fn log(&self, event: &str) -> Vec<Value> {
        let query = "SELECT * FROM webhook_logs WHERE event_id = $1 ORDER BY received_at, id";
        self.system.database.rows(query, &[&event]).await
    }

    /// The dead letter of an event, when there is one.
    pub(crate) async fn dead_letter(&self, event: &str) -> Value {
        eventually("the event is a dead letter", SOON, async || {
            let query = "SELECT * FROM dead_letters WHERE event_id = $1";
            let mut letters = self.system.database.rows(query, &[&event]).await;
            assert!(letters.len() < 2, "{letters:?}");
            letters.pop()
        })
        .await
    }

    /// The row of a member of this campus, if it has one.
    pub(crate) async fn row(&self, member: &str) -> Option<Value> {
        let query =
            "SELECT * FROM members WHERE campus_id = $1::text::uuid AND external_member_id = $2";
        let mut rows = self.system.database.rows(query, &[&self.campus.id, &member]).await;
        assert!(rows.len() < 2, "{rows:?}");
        rows.pop()
    }

    /// The row of a member that has one.
    #[track_caller]
    pub(crate) fn member(&self, member: &str) -> impl Future<Output = Value> {
        let caller = std::panic::Location::caller();
        async move { self.row(member).await.unwrap_or_else(|| panic!("{caller}: {member} has no row")) }
    }

    /// Runs a statement as FaithTracker, or an operator, would.
    pub(crate) async fn execute(&self, statement: &str) {
        self.system.database.client().batch_execute(statement).await.unwrap();
    }
}

/// The columns that the sync writes, out of a member's row.
pub(crate) fn archive_of(row: &Value) -> (bool, &Value, &Value) {
    (row["is_archived"] == true, &row["archived_reason"], &row["archived_at"])
}
