//! `operator_log`: who changed what, and how that ended (rule store-18). Rows are added, and read; the table refuses everything
//! else.

use std::time::Duration;

use database::Error;
use runtime::{SettingError, Settings, variables};
use serde_json::{Map, Value, json};
use tokio_postgres::GenericClient;
use uuid::Uuid;

use crate::{
    records::CampusRecord,
    status::{AuditResult, AuditVia},
};

/// The target of the log lines that repeat the entries, for whoever collects those.
pub const AUDIT: &str = "audit";

/// Who makes a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// `user@host`, or a login of the console.
    pub who: String,
    /// Through which program.
    pub via: AuditVia,
    /// Where they came from, where that is known.
    pub address: Option<String>,
}

impl Actor {
    /// Whoever runs this process, of which `via` is the program.
    pub fn of_this_process(via: AuditVia) -> Self {
        Self { who: runtime::operator(), via, address: runtime::operator_address() }
    }
}

/// A change that was made, or tried.
#[derive(Debug, Clone)]
pub struct AuditEntry<'a> {
    /// Who made it.
    pub actor: &'a Actor,
    /// What it is called: `campus set`.
    pub action: &'a str,
    /// The campus, where it is of one.
    pub campus: Option<Uuid>,
    /// Filters, counts, ids, old and new values of settings. Never a secret, a name or a phone; ids of members under the
    /// keys `member` and `members` alone, where an erasure finds them.
    pub subject: &'a Value,
    /// How it ended.
    pub result: AuditResult,
    /// The operation that carried it out, where one did.
    pub operation: Option<Uuid>,
}

/// An entry that Postgres has, once its transaction is committed.
#[derive(Debug)]
#[must_use = "an entry is told in the log once its transaction is committed"]
pub struct Recorded {
    id: Uuid,
    actor: Actor,
    action: String,
    campus: Option<Uuid>,
    subject: String,
    result: AuditResult,
    operation: Option<Uuid>,
}

impl Recorded {
    /// Its transaction is committed: repeats it as a log line.
    pub fn committed(self) {
        tracing::info!(
            target: AUDIT,
            audit_id = %self.id,
            who = self.actor.who,
            via = self.actor.via.as_str(),
            address = self.actor.address,
            action = self.action,
            campus_id = self.campus.map(tracing::field::display),
            subject = self.subject,
            result = self.result.as_str(),
            operation_id = self.operation.map(tracing::field::display),
            "a change by an operator"
        );
    }
}

impl AuditEntry<'_> {
    /// Adds the entry, in the transaction of the change where it has one. Its moment and the database role are Postgres's own
    /// word.
    ///
    /// # Errors
    ///
    /// Where Postgres does not take it: then the change must not be made.
    pub async fn record(&self, client: &impl GenericClient) -> Result<Recorded, Error> {
        let Self { actor, action, campus, subject, result, operation } = self;
        let id = Uuid::now_v7();
        client
            .execute(
                "INSERT INTO operator_log (id, who, via, address, action, campus_id, subject, result, operation_id)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                &[
                    &id,
                    &actor.who,
                    &actor.via.as_str(),
                    &actor.address,
                    action,
                    campus,
                    subject,
                    &result.as_str(),
                    operation,
                ],
            )
            .await?;
        Ok(Recorded {
            id,
            actor: (*actor).clone(),
            action: (*action).to_owned(),
            campus: *campus,
            subject: subject.to_string(),
            result: *result,
            operation: *operation,
        })
    }
}

/// What is no setting of a campus: its keys, and what runs and triggers write beside it.
const NO_SETTINGS: [&str; 8] = [
    "id",
    "campus_id",
    "last_sync_at",
    "last_sync_status",
    "last_sync_message",
    "created_at",
    "updated_at",
    "version",
];

/// Old and new values of a campus's settings, for an entry's subject; of the `secrets` only that they are others.
pub fn changed_settings(
    before: Option<&CampusRecord>,
    after: Option<&CampusRecord>,
    secrets: &[&str],
) -> Value {
    let settings = |record: Option<&CampusRecord>| match record.map(serde_json::to_value) {
        Some(Ok(Value::Object(settings))) => settings,
        _ => Map::new(),
    };
    let (before, after) = (settings(before), settings(after));
    let value = |settings: &Map<String, Value>, name: &str| {
        settings.get(name).cloned().unwrap_or(Value::Null)
    };
    let mut changed: Map<String, Value> = after
        .keys()
        .filter(|name| !NO_SETTINGS.contains(&name.as_str()))
        .map(|name| (name, value(&before, name), value(&after, name)))
        .filter(|(_, old, new)| old != new)
        .map(|(name, old, new)| (name.clone(), json!({"old": old, "new": new})))
        .collect();
    changed.extend(secrets.iter().map(|name| ((*name).to_owned(), json!("(another)"))));
    json!({"changed": changed})
}

/// As `forget_operator_log` keeps them, whatever is asked for.
const SHORTEST_RETENTION: Duration = Duration::from_hours(30 * 24);

/// Reads `AUDIT_RETENTION`.
///
/// # Errors
///
/// Where it is no duration, or less than what is always kept.
pub fn retention(settings: &Settings) -> Result<Duration, SettingError> {
    let retention = settings.duration(variables::AUDIT_RETENTION)?;
    if retention < SHORTEST_RETENTION {
        return Err(SettingError::new(
            variables::AUDIT_RETENTION,
            "is too short: what was changed within a month stays known",
            "30d or more, such as 400d",
        ));
    }
    Ok(retention)
}

/// Whether entries can be added: asked before what cannot be undone by a transaction.
///
/// # Errors
///
/// Where Postgres cannot be asked.
pub async fn is_writable(client: &impl GenericClient) -> Result<bool, Error> {
    let row = client
        .query_one(
            "SELECT coalesce(has_column_privilege(to_regclass('operator_log'), 'who', 'INSERT'), false)
                    AND NOT pg_is_in_recovery()",
            &[],
        )
        .await?;
    Ok(row.get(0))
}

/// Forgets what is older than `retention`, but nothing of the last 30 days. Answers how many entries went.
///
/// # Errors
///
/// Where Postgres cannot be asked.
pub async fn forget(client: &impl GenericClient, retention: Duration) -> Result<i64, Error> {
    let row = client
        .query_one(
            "SELECT forget_operator_log(make_interval(secs => $1))",
            &[&retention.as_secs_f64()],
        )
        .await?;
    Ok(row.get(0))
}

/// Takes a member's id out of what is noted, in the transaction that has noted the erasure. Answers how many entries named
/// the member.
///
/// # Errors
///
/// Where Postgres cannot be asked, or no erasure is noted.
pub async fn erase(client: &impl GenericClient, campus: Uuid, member: &str) -> Result<i64, Error> {
    let row =
        client.query_one("SELECT erase_from_operator_log($1, $2)", &[&campus, &member]).await?;
    Ok(row.get(0))
}
