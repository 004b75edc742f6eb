//! `problems`: what is worth a look, from when it was first seen to when it was gone.

use std::time::Duration;

use chrono::{DateTime, Utc};
use database::{DatabaseError, PooledClient, PooledTransaction, Row};
use serde::Serialize;
use uuid::Uuid;

/// What one look has found.
#[derive(Debug, Clone)]
pub struct SeenProblem {
    /// What makes it the same from one look to the next.
    pub key: String,
    /// What it is, for programs.
    pub kind: &'static str,
    /// Whose, where it is a campus's.
    pub campus_id: Option<Uuid>,
    /// What it is, in a sentence.
    pub summary: String,
    /// What to do about it.
    pub advice: String,
    /// Whether it stops events.
    pub stops_events: bool,
}

/// A problem that people are told of.
#[derive(Debug, Clone, Serialize)]
pub struct ToldProblem {
    /// What it is, for programs.
    pub kind: String,
    /// Whose, where it is a campus's.
    pub campus_id: Option<Uuid>,
    /// What it is, in a sentence.
    pub summary: String,
    /// What to do about it.
    pub advice: String,
    /// Whether it stops events.
    pub stops_events: bool,
    /// Since when.
    pub since: DateTime<Utc>,
    /// When it was last seen, where it is gone.
    pub until: Option<DateTime<Utc>>,
}

/// What has changed since people were last told.
#[derive(Debug, Default, Clone, Serialize)]
pub struct ProblemChanges {
    /// What has lasted, and nobody was told of; what stops events first.
    pub opened: Vec<ToldProblem>,
    /// What people were told of, and is gone.
    pub closed: Vec<ToldProblem>,
    /// How many are there that people know of, these included.
    pub open: i64,
}

impl ProblemChanges {
    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.opened.is_empty() && self.closed.is_empty()
    }
}

/// How long something is looked at before people are told.
#[derive(Debug, Clone, Copy)]
pub struct ProblemPatience {
    /// How long a problem must last to count as open: shorter ones are nobody's business.
    pub lasts: Duration,
    /// How long it must not be seen to count as gone.
    pub gone: Duration,
}

/// One at a time looks, however many reconcilers there are.
const LOCK: &str = "SELECT pg_try_advisory_xact_lock(hashtext('problems')) AS is_ours";

const SEE: &str = "
    INSERT INTO problems AS p (key, kind, campus_id, summary, advice, stops_events)
    SELECT * FROM unnest($1::text[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::boolean[])
    ON CONFLICT (key) WHERE closed_at IS NULL DO UPDATE SET
        last_seen_at = now(), summary = excluded.summary, advice = excluded.advice,
        stops_events = excluded.stops_events";

/// What never lasted leaves nothing behind.
const FORGET_SHORT: &str = "
    DELETE FROM problems
    WHERE closed_at IS NULL AND opened_at IS NULL AND last_seen_at < now() - make_interval(secs => $1)";

const CLOSE: &str = "
    UPDATE problems SET closed_at = now()
    WHERE closed_at IS NULL AND opened_at IS NOT NULL AND last_seen_at < now() - make_interval(secs => $1)
    RETURNING kind, campus_id, summary, advice, stops_events, first_seen_at AS since, last_seen_at AS until";

const OPEN: &str = "
    UPDATE problems SET opened_at = now()
    WHERE closed_at IS NULL AND opened_at IS NULL AND last_seen_at = now()
      AND first_seen_at <= now() - make_interval(secs => $1)
    RETURNING kind, campus_id, summary, advice, stops_events, first_seen_at AS since, NULL::timestamptz AS until";

/// A transaction that tells of problems: what it answers is told exactly once, by whoever commits it with the message.
pub struct ProblemLook<'a> {
    transaction: PooledTransaction<'a>,
}

impl<'a> ProblemLook<'a> {
    /// Begins a look; none where another reconciler looks at this moment.
    ///
    /// # Errors
    ///
    /// Where Postgres cannot be asked.
    pub async fn begin(client: &'a mut PooledClient) -> Result<Option<Self>, DatabaseError> {
        let failed = || DatabaseError::during("begin a look at problems");
        let transaction = client.transaction().await.map_err(failed())?;
        let row = transaction.query_one(LOCK, &[]).await.map_err(failed())?;
        Ok(row.get::<_, bool>("is_ours").then_some(Self { transaction }))
    }

    /// Notes what is there now.
    ///
    /// # Errors
    ///
    /// Where Postgres cannot be asked.
    pub async fn see(&self, problems: &[SeenProblem]) -> Result<(), DatabaseError> {
        let column =
            |value: fn(&SeenProblem) -> &str| -> Vec<&str> { problems.iter().map(value).collect() };
        let keys = column(|problem| &problem.key);
        let kinds = column(|problem| problem.kind);
        let campuses: Vec<Option<Uuid>> = problems.iter().map(|one| one.campus_id).collect();
        let summaries = column(|problem| &problem.summary);
        let advices = column(|problem| &problem.advice);
        let stopping: Vec<bool> = problems.iter().map(|one| one.stops_events).collect();
        self.transaction
            .execute(SEE, &[&keys, &kinds, &campuses, &summaries, &advices, &stopping])
            .await
            .map_err(DatabaseError::during("note what is worth a look"))?;
        Ok(())
    }

    /// What people are to be told now, in the order of how urgent it is.
    ///
    /// # Errors
    ///
    /// Where Postgres cannot be asked.
    pub async fn changes(
        &self,
        patience: ProblemPatience,
    ) -> Result<ProblemChanges, DatabaseError> {
        let failed = || DatabaseError::during("find what has changed among problems");
        let gone = patience.gone.as_secs_f64();
        self.transaction.execute(FORGET_SHORT, &[&gone]).await.map_err(failed())?;
        let closed = self.transaction.query(CLOSE, &[&gone]).await.map_err(failed())?;
        let opened = self
            .transaction
            .query(OPEN, &[&patience.lasts.as_secs_f64()])
            .await
            .map_err(failed())?;
        let open = self
            .transaction
            .query_one(
                "SELECT count(*) FROM problems WHERE closed_at IS NULL AND opened_at IS NOT NULL",
                &[],
            )
            .await
            .map_err(failed())?;
        Ok(ProblemChanges { opened: told(&opened), closed: told(&closed), open: open.get(0) })
    }

    /// The transaction, for what is written with it.
    pub(crate) fn transaction(&self) -> &PooledTransaction<'a> {
        &self.transaction
    }

    /// Keeps what was noted and told; otherwise nothing of it has happened.
    ///
    /// # Errors
    ///
    /// Where Postgres cannot be asked.
    pub async fn commit(self) -> Result<(), DatabaseError> {
        self.transaction.commit().await.map_err(DatabaseError::during("keep a look at problems"))
    }
}

fn told(rows: &[Row]) -> Vec<ToldProblem> {
    let mut problems: Vec<ToldProblem> = rows
        .iter()
        .map(|row| ToldProblem {
            kind: row.get("kind"),
            campus_id: row.get("campus_id"),
            summary: row.get("summary"),
            advice: row.get("advice"),
            stops_events: row.get("stops_events"),
            since: row.get("since"),
            until: row.get("until"),
        })
        .collect();
    problems.sort_by_key(|problem| (!problem.stops_events, problem.since));
    problems
}
