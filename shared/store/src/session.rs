//! A session with the clock of observations. Numbers die with the session that drew them: over a
//! crash of Postgres the sequence can go backwards, so what was drawn before may not be committed
//! after. Holding one's session from draw to commit is how that is known.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use database::{
    Client, Connected, DatabaseConfig, DatabaseError, Error, OPEN_LIMIT, answered, ensure_writable,
    within,
};
use event::Envelope;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    Admission, Commit, Effect, LockPolicy, Observation, Outcome, Reconciliation, WriteScope,
    admission::{AdmissionStatements, admit},
    commit::commit,
    planning::BY_KEYS,
    preview::preview,
    reconcile::reconcile,
    write::WriteStatements,
};

/// When something happened, as far as anybody says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Happened {
    /// By the sender's clock.
    pub occurred_at: Option<DateTime<Utc>>,
    /// By the gateway's, when it was told.
    pub received_at: Option<DateTime<Utc>>,
}

impl Happened {
    /// Whether it was not later than `other`, by the senders' clock where both say, else by the gateways'.
    pub fn is_no_later_than(&self, other: &Self) -> bool {
        match (self.occurred_at.zip(other.occurred_at), self.received_at.zip(other.received_at)) {
            (Some((this, other)), _) | (None, Some((this, other))) => this <= other,
            (None, None) => false,
        }
    }
}

/// What the half that draws numbers reads beside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reads {
    /// A few rows, by their keys.
    ByKeys,
    /// Whole tables: Postgres plans for them as it thinks best.
    Everything,
}

/// The half that draws numbers.
pub struct Session {
    client: Client,
    statements: AdmissionStatements,
    lost: CancellationToken,
}

/// The half that commits.
pub struct SyncWriter {
    client: Client,
    statements: WriteStatements,
    lost: CancellationToken,
}

impl Session {
    /// Opens both halves: two connections, since a draw must not wait for a commit's disk. If
    /// either is lost, both are.
    pub async fn open(
        config: &DatabaseConfig,
        reads: Reads,
    ) -> Result<(Self, SyncWriter), DatabaseError> {
        within(OPEN_LIMIT, Self::open_both(config, reads)).await
    }

    async fn open_both(
        config: &DatabaseConfig,
        reads: Reads,
    ) -> Result<(Self, SyncWriter), DatabaseError> {
        let lost = CancellationToken::new();
        let (reader, writer) =
            tokio::try_join!(connect(config, reads, &lost), connect(config, Reads::ByKeys, &lost))?;
        ensure_writable(&writer).await?;
        let prepare = DatabaseError::during("prepare the sync's statements");
        let statements = WriteStatements::prepare(&writer).await.map_err(prepare)?;
        let writer = SyncWriter { client: writer, statements, lost: lost.clone() };
        let prepare = DatabaseError::during("prepare the sync's statements");
        let statements = AdmissionStatements::prepare(&reader).await.map_err(prepare)?;
        Ok((Self { client: reader, statements, lost }, writer))
    }

    /// Draws a number and asks what is known of `events`. An error ends the session.
    pub async fn admit(&self, events: &[&Envelope]) -> Result<Admission, DatabaseError> {
        let admission = answered(admit(&self.client, &self.statements, events)).await;
        if admission.is_err() {
            self.lost.cancel();
        }
        admission
    }

    /// Draws a number for reads that begin after this. An error ends the session.
    pub async fn draw(&self) -> Result<i64, DatabaseError> {
        let row = self.client.query_one(&self.statements.draw, &[]).await.map_err(|source| {
            self.lost.cancel();
            DatabaseError::during("draw a number for a read of the core")(source)
        })?;
        Ok(row.get(0))
    }

    /// When a member went of whom the last thing that is known is that it is gone. An error ends the session.
    pub async fn tombstone(
        &self,
        campus: Uuid,
        member: &str,
    ) -> Result<Option<Happened>, DatabaseError> {
        let row = self.client.query_opt(&self.statements.gone, &[&campus, &member]).await.map_err(
            |source| {
                self.lost.cancel();
                DatabaseError::during("look for a member's tombstone")(source)
            },
        )?;
        Ok(row.map(|row| Happened { occurred_at: row.get(0), received_at: row.get(1) }))
    }

    /// The connection that draws, for what must end with it: session locks, temporary tables.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Cancelled when either half lost its connection: what was drawn here is void.
    pub fn lost(&self) -> &CancellationToken {
        &self.lost
    }
}

impl SyncWriter {
    /// Commits a batch in one transaction and answers in its order.
    pub async fn commit(
        &mut self,
        batch: &[&Commit],
        policy: LockPolicy,
    ) -> Result<Vec<Outcome>, Error> {
        commit(&mut self.client, &self.statements, batch, policy).await
    }

    /// Commits what a reconciliation found, as far as `scope` goes; nothing at all where its
    /// archive limit or a changed configuration forbids it.
    pub async fn reconcile(
        &mut self,
        batch: &[&Observation],
        scope: &WriteScope,
    ) -> Result<Reconciliation, Error> {
        reconcile(&mut self.client, &self.statements, batch, scope).await
    }

    /// What [`Self::reconcile`] would do to a batch without archiving anybody, by member; writes nothing.
    pub async fn preview(&self, batch: &[&Observation]) -> Result<HashMap<String, Effect>, Error> {
        preview(&self.client, batch).await
    }

    /// Ends the session, for an error that says nothing about any row.
    pub fn give_up(&self) {
        self.lost.cancel();
    }

    /// Whether the session has ended.
    pub fn is_lost(&self) -> bool {
        self.lost.is_cancelled()
    }
}

/// A writer that is gone, however it went, takes its session along: what was drawn could not be
/// committed any more.
impl Drop for SyncWriter {
    fn drop(&mut self) {
        self.lost.cancel();
    }
}

async fn connect(
    config: &DatabaseConfig,
    reads: Reads,
    lost: &CancellationToken,
) -> Result<Client, DatabaseError> {
    let Connected { client, connection, .. } = config.connect().await?;
    if reads == Reads::ByKeys {
        client
            .batch_execute(BY_KEYS)
            .await
            .map_err(DatabaseError::during("prepare a session of the sync"))?;
    }
    let lost = lost.clone();
    tokio::spawn(async move {
        connection.await.ok();
        lost.cancel();
    });
    Ok(client)
}
