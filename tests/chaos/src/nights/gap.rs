//! An afternoon on which webhooks are refused, or the gateway is killed: nobody sends them again, and the
//! reconciliation that follows makes up for them without being asked.

use std::time::Duration;

use anyhow::{Context, ensure};
use core_sim::WebhookBody;
use harness::{eventually, proxy::Mode};
use rand::RngExt;
use serde_json::Value;

use super::{Model, Numbers, people::Here};

const SOON: Duration = Duration::from_mins(1);

/// Moments are moved into the past, so that nobody waits for the minute after a gap and the quarter of an hour
/// between two runs.
const TIME_PASSES: &str = "
    UPDATE intake_gaps SET first_at = first_at - interval '15 minutes', last_at = last_at - interval '15 minutes',
                           reconciled_at = reconciled_at - interval '15 minutes'";

impl Model {
    /// To be called when everything is told as it is.
    pub(super) async fn gap(&mut self) -> anyhow::Result<()> {
        self.report.gaps += 1;
        ensure!(self.due().await?.is_none(), "due before anything was refused");
        self.day().await?;
        let refused = if self.chance(50) { self.refuse().await } else { self.kill_gateway().await };
        eventually("the gap is noted", SOON, async || match self.waiting().await {
            Ok(Some(noted)) if noted >= refused => Ok(()),
            other => Err(format!("{other:?}, not {refused}")),
        })
        .await;
        self.execute(TIME_PASSES).await?;
        let before = Here::look(&self.system).await?;
        let numbers = eventually("the campus is due", SOON, async || {
            self.due()
                .await
                .map_err(|error| format!("{error:#}"))?
                .ok_or_else(|| "not due".to_owned())
        })
        .await;
        let after = Here::look(&self.system).await?;
        self.check_run(&before, &after, &numbers).await.with_context(|| format!("{numbers:?}"))?;
        ensure!(numbers.status != "error", "after a gap: {numbers:?}");
        ensure!(self.waiting().await?.is_none(), "a gap outlives its run");
        ensure!(self.due().await?.is_none(), "due again after {numbers:?}");
        Ok(())
    }

    /// Webhooks while RabbitMQ is away; answers how many were refused.
    async fn refuse(&mut self) -> i64 {
        let proxy = &self.system.proxies().gateway_to_rabbitmq;
        proxy.set(Mode::Refuse);
        let member = self.someone();
        let mut refused = 0;
        eventually("webhooks are refused", SOON, async || {
            let status = self.post(&member).await;
            refused += i64::from(status == 503);
            if status == 503 { Ok(()) } else { Err(status.to_string()) }
        })
        .await;
        for _ in 0..self.random.random_range(0..5) {
            refused += i64::from(self.post(&member).await == 503);
        }
        self.system.proxies().gateway_to_rabbitmq.set(Mode::Forward);
        self.system.until_ready("gateway", 0, SOON).await;
        refused
    }

    /// Whatever it had not answered is missed.
    async fn kill_gateway(&mut self) -> i64 {
        self.system.gateway(0).kill();
        self.system.start_again("gateway", 0).await;
        self.system.until_ready("gateway", 0, SOON).await;
        0
    }

    async fn post(&self, member: &str) -> u16 {
        let body = WebhookBody::new("member.updated", &self.campus().core_church_id, member);
        self.system.post(self.campus(), &body).await.status
    }

    /// Events that are known to be missed, where a gap waits for its reconciliation.
    async fn waiting(&self) -> anyhow::Result<Option<i64>> {
        let query = "SELECT refused FROM intake_gaps WHERE first_at IS NOT NULL";
        let row = self.system.database.client().query_opt(query, &[]).await?;
        Ok(row.map(|row| row.get(0)))
    }

    /// The run of the campus if it is due, as cron starts it.
    async fn due(&self) -> anyhow::Result<Option<Numbers>> {
        let finished = self.system.reconcile(&["--once", "--json"]).await;
        let reports: Vec<Value> = serde_json::from_str(&finished.stdout)
            .with_context(|| format!("no reports: {finished:?}"))?;
        reports.first().map(Numbers::read).transpose()
    }
}
