//! Sessions of the console.

use std::time::Duration;

use chrono::{DateTime, Utc};
use database::{DatabaseError, Row};
use serde::Serialize;
use tokio_postgres::GenericClient;
use uuid::Uuid;

use super::Token;

/// A session that nobody used for so long is over.
pub const IDLE: Duration = Duration::from_mins(30);

/// However much it is used.
pub const LONGEST: Duration = Duration::from_hours(12);

/// The same of one that a link of `faithctl console login` began.
pub const LOGIN_LINK_SESSION: Duration = Duration::from_hours(1);

/// How exactly it is kept when a session was used last: not every page is a write.
const SEEN_EVERY_SECONDS: f64 = 15.0;

/// A session that is to begin.
#[derive(Debug)]
pub struct NewSession<'a> {
    /// Whose; none of somebody whom a link lets in as an administrator.
    pub operator: Option<Uuid>,
    /// The login, or `user@host`.
    pub who: &'a str,
    /// `password`, `invitation`, `link` or `proxy`.
    pub via: &'a str,
    /// Where they come from.
    pub address: &'a str,
    /// How long it lasts at most.
    pub lasts: Duration,
}

/// How somebody likes the console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preferences {
    /// `en`, `id`; none: the browser's.
    pub language: Option<String>,
    /// An IANA time zone; none: that of the first campus.
    pub timezone: Option<String>,
    /// `light`, `dark`; none: the browser's.
    pub theme: Option<String>,
    /// Whether keys do something.
    pub shortcuts: bool,
}

/// A session that is under way.
#[derive(Debug, Clone)]
pub struct OperatorSession {
    /// Whose; none of somebody whom a link let in as an administrator.
    pub operator: Option<Uuid>,
    /// The login, or `user@host`.
    pub who: String,
    /// What they are called.
    pub name: String,
    /// What they may do.
    pub role: String,
    /// Whose data they see; none: all campuses'.
    pub campuses: Option<Vec<Uuid>>,
    /// How it began.
    pub via: String,
    /// When they last proved who they are.
    pub authenticated_at: DateTime<Utc>,
    /// When it ends, used or not.
    pub expires_at: DateTime<Utc>,
    /// What they chose.
    pub preferences: Preferences,
    /// The time zone of their first campus.
    pub campus_timezone: Option<String>,
}

/// One of somebody's sessions, in a list of them.
#[derive(Debug, Clone, Serialize)]
pub struct SessionLine {
    /// When it began.
    pub created_at: DateTime<Utc>,
    /// When it was used last.
    pub seen_at: DateTime<Utc>,
    /// Where from it began.
    pub address: Option<String>,
    /// Whether it is the one that asks.
    pub is_own: bool,
}

const ALIVE: &str = "expires_at > now() AND seen_at > now() - make_interval(secs => $2)";

impl NewSession<'_> {
    /// Begins it, and tidies up what is over.
    pub async fn begin(&self, client: &impl GenericClient) -> Result<Token, DatabaseError> {
        let failed = || DatabaseError::during("begin the session");
        let token = Token::random();
        client
            .execute("DELETE FROM operator_sessions WHERE expires_at < now() OR seen_at < now() - interval '1 day'", &[])
            .await
            .map_err(failed())?;
        client
            .execute(
                "INSERT INTO operator_sessions (token_sha256, operator_id, who, via, address, expires_at)
                 VALUES ($1, $2, $3, $4, $5, now() + make_interval(secs => $6))",
                &[
                    &&token.hash()[..],
                    &self.operator,
                    &self.who,
                    &self.via,
                    &self.address,
                    &self.lasts.as_secs_f64(),
                ],
            )
            .await
            .map_err(failed())?;
        if let Some(operator) = self.operator {
            client
                .execute("UPDATE operators SET last_login_at = now() WHERE id = $1", &[&operator])
                .await
                .map_err(failed())?;
        }
        Ok(token)
    }
}

impl OperatorSession {
    /// The session of a token, while it is alive, and notes that it was used.
    pub async fn find(
        client: &impl GenericClient,
        token: &Token,
    ) -> Result<Option<Self>, DatabaseError> {
        let failed = || DatabaseError::during("look for the session");
        let hash = token.hash();
        let statement = format!(
            "SELECT s.operator_id, s.who, coalesce(o.name, s.who) AS name, coalesce(o.role, 'admin') AS role,
                    o.campuses, s.via, s.authenticated_at, s.expires_at,
                    CASE WHEN o.id IS NULL THEN s.language ELSE o.language END AS language,
                    CASE WHEN o.id IS NULL THEN s.timezone ELSE o.timezone END AS timezone,
                    CASE WHEN o.id IS NULL THEN s.theme ELSE o.theme END AS theme,
                    CASE WHEN o.id IS NULL THEN s.shortcuts ELSE o.shortcuts END AS shortcuts,
                    (SELECT c.timezone FROM campuses c WHERE o.campuses IS NULL OR c.id = ANY(o.campuses)
                     ORDER BY c.created_at, c.id LIMIT 1) AS campus_timezone,
                    s.seen_at < now() - make_interval(secs => $3) AS is_stale
             FROM operator_sessions s LEFT JOIN operators o ON o.id = s.operator_id
             WHERE s.token_sha256 = $1 AND {ALIVE} AND o.disabled_at IS NULL"
        );
        let row = client
            .query_opt(&statement, &[&&hash[..], &IDLE.as_secs_f64(), &SEEN_EVERY_SECONDS])
            .await
            .map_err(failed())?;
        let Some(row) = row else { return Ok(None) };
        if row.get("is_stale") {
            client
                .execute(
                    "UPDATE operator_sessions SET seen_at = now() WHERE token_sha256 = $1",
                    &[&&hash[..]],
                )
                .await
                .map_err(failed())?;
        }
        Ok(Some(Self::from_row(&row)))
    }

    /// Ends the session of a token.
    pub async fn end(client: &impl GenericClient, token: &Token) -> Result<(), DatabaseError> {
        client
            .execute("DELETE FROM operator_sessions WHERE token_sha256 = $1", &[&&token.hash()[..]])
            .await
            .map_err(DatabaseError::during("end the session"))?;
        Ok(())
    }

    /// Ends all sessions of an operator but that of `own`; answers how many that were.
    pub async fn end_others(
        client: &impl GenericClient,
        operator: Uuid,
        own: &Token,
    ) -> Result<u64, DatabaseError> {
        client
            .execute(
                "DELETE FROM operator_sessions WHERE operator_id = $1 AND token_sha256 <> $2",
                &[&operator, &&own.hash()[..]],
            )
            .await
            .map_err(DatabaseError::during("end the other sessions"))
    }

    /// The sessions of an operator that are alive, the one used last first.
    pub async fn of_operator(
        client: &impl GenericClient,
        operator: Uuid,
        own: &Token,
    ) -> Result<Vec<SessionLine>, DatabaseError> {
        let statement = format!(
            "SELECT created_at, seen_at, address, token_sha256 = $3 AS is_own FROM operator_sessions
             WHERE operator_id = $1 AND {ALIVE} ORDER BY seen_at DESC, created_at DESC"
        );
        let rows = client
            .query(&statement, &[&operator, &IDLE.as_secs_f64(), &&own.hash()[..]])
            .await
            .map_err(DatabaseError::during("list the sessions"))?;
        let line = |row: &Row| SessionLine {
            created_at: row.get("created_at"),
            seen_at: row.get("seen_at"),
            address: row.get("address"),
            is_own: row.get("is_own"),
        };
        Ok(rows.iter().map(line).collect())
    }

    /// Keeps what somebody chose: an operator's for all their sessions.
    pub async fn prefer(
        &self,
        client: &impl GenericClient,
        token: &Token,
        preferences: &Preferences,
    ) -> Result<(), DatabaseError> {
        let Preferences { language, timezone, theme, shortcuts } = preferences;
        let hash = token.hash();
        let hash = &hash[..];
        let (table, key): (_, &(dyn tokio_postgres::types::ToSql + Sync)) = match &self.operator {
            Some(operator) => (
                "operators SET language = $2, timezone = $3, theme = $4, shortcuts = $5 WHERE id",
                operator,
            ),
            None => (
                "operator_sessions SET language = $2, timezone = $3, theme = $4, shortcuts = $5 WHERE token_sha256",
                &hash,
            ),
        };
        client
            .execute(&format!("UPDATE {table} = $1"), &[key, language, timezone, theme, shortcuts])
            .await
            .map_err(DatabaseError::during("keep what you chose"))?;
        Ok(())
    }

    fn from_row(row: &Row) -> Self {
        Self {
            operator: row.get("operator_id"),
            who: row.get("who"),
            name: row.get("name"),
            role: row.get("role"),
            campuses: row.get("campuses"),
            via: row.get("via"),
            authenticated_at: row.get("authenticated_at"),
            expires_at: row.get("expires_at"),
            preferences: Preferences {
                language: row.get("language"),
                timezone: row.get("timezone"),
                theme: row.get("theme"),
                shortcuts: row.get("shortcuts"),
            },
            campus_timezone: row.get("campus_timezone"),
        }
    }
}
