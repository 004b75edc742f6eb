//! One program's row.

use std::{sync::Arc, time::Duration};

use database::{Client, DatabaseError, Pool, within};
use runtime::Health;
use serde_json::{Map, Value, json};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{Gaps, Instance, TakenUntil, intake_watch::IntakeWatch};

/// Of a gateway: one that is not seen for 5 s counts as away.
const GATEWAY_EVERY: Duration = Duration::from_secs(2);
const EVERY: Duration = Duration::from_secs(5);

/// How long a row may take to be written, and how long when the program ends and others wait for that.
const WRITE_LIMIT: Duration = Duration::from_secs(4);
const END_LIMIT: Duration = Duration::from_secs(2);

const GATEWAY: &str = "gateway";

/// The check that fails while a gateway drains: it is not ready, and goes on taking what comes.
pub const DRAINING: &str = "shutdown";

/// Tells that a program runs, and how it is.
pub struct Heartbeat {
    instance: Instance,
    program: &'static str,
    version: &'static str,
    health: Health,
    /// What a gateway could not take.
    gaps: Option<Arc<Gaps>>,
    /// Whether it could take anything.
    intake: IntakeWatch,
    /// How far it knows the work queue to be taken.
    taken_until: Option<Arc<TakenUntil>>,
    /// What else it tells of itself.
    state: Option<Box<dyn Fn() -> Map<String, Value> + Send + Sync>>,
}

impl Heartbeat {
    /// Of a program that has just been started.
    pub fn new(program: &'static str, version: &'static str, health: Health) -> Self {
        let intake = IntakeWatch::default();
        Self {
            instance: Instance::started(),
            program,
            version,
            health,
            gaps: None,
            intake,
            taken_until: None,
            state: None,
        }
    }

    /// Of an instance that was named before.
    #[must_use]
    pub fn of(self, instance: Instance) -> Self {
        Self { instance, ..self }
    }

    /// Which start of the program it tells of.
    pub fn instance(&self) -> &Instance {
        &self.instance
    }

    /// Of a gateway, with what it could not take.
    #[must_use]
    pub fn with_gaps(self, gaps: Arc<Gaps>) -> Self {
        Self { gaps: Some(gaps), ..self }
    }

    /// Of a program that knows how far the work queue is taken.
    #[must_use]
    pub fn with_taken_until(self, taken_until: Arc<TakenUntil>) -> Self {
        Self { taken_until: Some(taken_until), ..self }
    }

    /// With what else it tells of itself, beside whether it is ready.
    #[must_use]
    pub fn with_state(
        self,
        state: impl Fn() -> Map<String, Value> + Send + Sync + 'static,
    ) -> Self {
        Self { state: Some(Box::new(state)), ..self }
    }

    /// Refreshes the row until `stop`, and says there that the program has ended in good order.
    pub async fn keep(mut self, pool: Pool, stop: CancellationToken) {
        let mut ticks = interval(if self.program == GATEWAY { GATEWAY_EVERY } else { EVERY });
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut fails = false;
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            match within(WRITE_LIMIT, self.write(&pool, false)).await {
                Ok(()) => fails = false,
                Err(error) if fails => {
                    tracing::debug!(%error, "this instance's row is still not written");
                }
                Err(error) => {
                    fails = true;
                    tracing::warn!(%error, "this instance cannot tell that it runs");
                }
            }
        }
        if let Err(error) = within(END_LIMIT, self.write(&pool, true)).await {
            tracing::warn!(%error, "this instance cannot tell that it ends");
        }
    }

    async fn write(&mut self, pool: &Pool, ends: bool) -> Result<(), DatabaseError> {
        let failed = || DatabaseError::during("write this instance's row");
        let Instance { id, host } = self.instance.clone();
        let mut client = pool.get().await?;
        let transaction = client.transaction().await.map_err(failed())?;
        let reasons = self.health.reasons();
        let mut taken = None;
        if let Some(gaps) = self.gaps.as_deref() {
            transaction.execute(NOTE_SILENCE, &[&id]).await.map_err(failed())?;
            let is_ready = reasons.keys().all(|name| *name == DRAINING);
            self.intake.look(&transaction, id, is_ready, gaps).await?;
            let taken = taken.insert(gaps.take());
            taken.note(&transaction).await?;
            if !reasons.is_empty() && !ends {
                transaction.execute(PROLONG, &[]).await.map_err(failed())?;
            }
        }
        let mut state = self.state.as_ref().map_or_else(Map::new, |state| state());
        state.insert("ready".to_owned(), reasons.is_empty().into());
        state.insert("reasons".to_owned(), json!(reasons));
        if let Some(moment) = self.taken_until.as_deref().and_then(TakenUntil::get) {
            state.insert("events_taken_until".to_owned(), json!(moment.to_rfc3339()));
        }
        let state = Value::Object(state);
        transaction
            .execute(TELL, &[&id, &self.program, &self.version, &host, &ends, &state])
            .await
            .map_err(failed())?;
        transaction.commit().await.map_err(failed())?;
        if let Some(taken) = taken {
            taken.noted();
        }
        Ok(())
    }
}

/// Notes a gateway that is gone without having said so, and forgets what was not seen for long. For
/// whoever runs when no gateway does.
pub async fn tidy(client: &Client) -> Result<(), DatabaseError> {
    let failed = || DatabaseError::during("look for instances that are gone");
    client.execute(NOTE_SILENCE, &[&None::<Uuid>]).await.map_err(failed())?;
    client.execute(FORGET, &[]).await.map_err(failed())?;
    Ok(())
}

const TELL: &str = "
    INSERT INTO instances (id, program, version, host, ended_at, state)
    VALUES ($1, $2, $3, $4, CASE WHEN $5 THEN now() END, $6)
    ON CONFLICT (id) DO UPDATE SET seen_at = now(), ended_at = excluded.ended_at, state = excluded.state";

const NOTE_SILENCE: &str = "SELECT note_silent_gateways($1)";

/// While a gateway is not ready, what it could not take is not over.
const PROLONG: &str = "SELECT prolong_intake_gaps()";

/// The gateway that was seen last stays: a time without any begins with its end.
const FORGET: &str = "
    DELETE FROM instances WHERE seen_at < now() - interval '10 minutes'
        AND id IS DISTINCT FROM (SELECT id FROM instances WHERE program = 'gateway'
                                 ORDER BY seen_at DESC LIMIT 1)";
