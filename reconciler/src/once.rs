//! `reconciler --once`, for cron, Kubernetes, first imports and operators.

use std::{io::Write, process::ExitCode, sync::Arc};

use anyhow::Context;
use chrono::Utc;
use runtime::{Settings, Telemetry, exit_code};
use store::{CampusReference, RunStatus};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    Config, PROGRAM,
    audit::RunAudit,
    error::RunError,
    housekeeping,
    report::{
        metrics::Metrics, progress::Terminal, run_report::RunReport, under_way::RunsUnderWay,
    },
    run::{
        context::RunContext,
        locked::run_locked,
        request::{Allowance, RunRequest, Trigger},
    },
    schedule::{
        concurrency::ConcurrentRuns,
        due::{self, Spread},
    },
};

/// A dry run found drift.
const DRIFT: u8 = 3;
/// Archives or returns were held.
const HELD: u8 = 4;
/// Some members could not be decided about.
const PARTIAL: u8 = 5;

/// Which campuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Selection {
    Named(CampusReference),
    Due,
    All,
}

/// What was asked for.
#[derive(Debug, Clone)]
pub(crate) struct OnceRequest {
    pub(crate) selection: Selection,
    pub(crate) is_dry_run: bool,
    pub(crate) allow_archive: Option<u64>,
    pub(crate) json: bool,
}

/// Runs, and answers with its exit code (interface §1).
pub(crate) fn run_once(once: &OnceRequest) -> ExitCode {
    let started = runtime::settings_or_exit(PROGRAM.name, |settings: &Settings| {
        Ok((Config::from_settings(settings)?, Telemetry::start(PROGRAM.name, settings)?))
    });
    // The telemetry lives as long as the work: dropping it sends what was not exported yet.
    let (config, _telemetry) = match started {
        Ok(started) => started,
        Err(code) => return code,
    };
    runtime::install_crypto_provider();
    let work = tokio::runtime::Runtime::new()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(until_interrupted(&config, once)));
    match work {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "the reconciliation failed");
            ExitCode::from(exit_code::FAILED)
        }
    }
}

/// A run that is interrupted writes its end down itself; nothing else needs to.
async fn until_interrupted(config: &Config, once: &OnceRequest) -> anyhow::Result<u8> {
    let interrupted = runtime::shutdown_signal();
    if once.selection == Selection::Due && !once.is_dry_run {
        tokio::select! {
            () = interrupted.cancelled() => return Ok(exit_code::INTERRUPTED),
            kept = keep_house(config) => if let Err(error) = kept {
                // Nobody's run may depend on it.
                tracing::warn!(error = format!("{error:#}"), "housekeeping failed");
            },
        }
    }
    let code = reconcile(config, once, &interrupted).await;
    if interrupted.is_cancelled() { Ok(exit_code::INTERRUPTED) } else { code }
}

async fn keep_house(config: &Config) -> anyhow::Result<()> {
    let client = config.database.connect().await?.client;
    housekeeping::pass(&client, config.retention, &Metrics::new(config.retention.log)).await?;
    Ok(())
}

async fn reconcile(
    config: &Config,
    once: &OnceRequest,
    stop: &CancellationToken,
) -> anyhow::Result<u8> {
    let pool = config.pool().context("cannot make the database pool")?;
    let cores = config.cores(pool.clone()).context("cannot make the client of the core")?;
    let (campuses, trigger) = match &once.selection {
        Selection::Named(campus) => {
            (vec![campus.find(&*pool.get().await?).await?], Trigger::OnDemand)
        }
        Selection::All => {
            let all = due::all(&*pool.get().await?).await?;
            tell(once, &all_of(all.len()))?;
            (all, Trigger::OnDemand)
        }
        Selection::Due => {
            let client = pool.get().await?;
            // Cron has its own idea of when; spreading is for daemons.
            let due = due::campuses(&client, None, Spread::Exact, Utc::now()).await?;
            tell(once, &due_of(due.len(), due::all(&client).await?.len()))?;
            (due.into_iter().map(|due| due.campus).collect(), Trigger::Due(Spread::Exact))
        }
    };
    let audit = match trigger {
        Trigger::OnDemand if !once.is_dry_run => {
            Some(RunAudit::begin(&pool, once.allow_archive).await?)
        }
        _ => None,
    };
    let context = Arc::new(RunContext {
        database: config.database.clone(),
        pool,
        cores,
        terminal: Terminal::of_command(),
        under_way: RunsUnderWay::default(),
        stop: stop.clone(),
    });
    let run = |campus| {
        let (is_dry_run, by) = (once.is_dry_run, runtime::operator());
        let allow_archive = once.allow_archive.map(|archives| Allowance { archives, by });
        let request = RunRequest { campus, trigger, is_dry_run, allow_archive };
        run_locked(request, Arc::clone(&context), stop.clone())
    };
    let mut runs = ConcurrentRuns::new(config.side_by_side());
    runs.queue(campuses);
    runs.begin(run);
    let (mut reports, mut has_failed) = (Vec::new(), false);
    while let Some((campus, ended)) = runs.next().await {
        if !stop.is_cancelled() {
            runs.begin(run);
        }
        if let Some(audit) = &audit {
            audit.note(campus, &ended, stop.is_cancelled()).await;
        }
        match ended {
            Ok(Some(report)) => {
                if !once.json {
                    context.terminal.aside(|| print(&report.text()))?;
                }
                reports.push(report);
            }
            Ok(None) => {}
            Err(error) => {
                has_failed = true;
                context.terminal.aside(|| log_error(campus, &error));
            }
        }
    }
    if once.json {
        print(&match (&once.selection, reports.first()) {
            (Selection::Named(_), Some(report)) => serde_json::to_string_pretty(report)? + "\n",
            (Selection::Named(_), None) => String::new(),
            (Selection::Due | Selection::All, _) => serde_json::to_string_pretty(&reports)? + "\n",
        })?;
    }
    Ok(code(&reports, has_failed))
}

/// Nothing to do is told apart from nothing done: before the first report, or in the log beside JSON.
fn tell(once: &OnceRequest, text: &str) -> anyhow::Result<()> {
    if once.json {
        tracing::info!("{text}");
        return Ok(());
    }
    print(&format!("{text}\n"))
}

fn all_of(enabled: usize) -> String {
    match enabled {
        1 => "1 campus is enabled.".to_owned(),
        enabled => format!("{enabled} campuses are enabled."),
    }
}

/// Whoever repairs something wants to hear that this did not.
fn due_of(due: usize, enabled: usize) -> String {
    let campuses = if enabled == 1 { "campus is" } else { "campuses are" };
    let what_else = match due {
        0 if enabled > 0 => {
            " Nothing was compared: `reconciler --once --all` compares every enabled campus now, `--campus ID` one."
        }
        _ => "",
    };
    format!("{due} of {enabled} {campuses} due.{what_else}")
}

/// The worst counts. What a dry run would hold back is drift.
fn code(reports: &[RunReport], has_failed: bool) -> u8 {
    let any = |status| reports.iter().any(|report| report.outcome == status);
    if has_failed || any(RunStatus::Error) {
        exit_code::FAILED
    } else if reports.iter().any(RunReport::is_held) {
        HELD
    } else if any(RunStatus::Partial) {
        PARTIAL
    } else if reports.iter().any(RunReport::is_drift) {
        DRIFT
    } else {
        0
    }
}

fn log_error(campus: Uuid, error: &RunError) {
    tracing::error!(%campus, %error, "the campus was not reconciled");
}

fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        // The reader has seen enough: `reconciler --once … | head`.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        result => Ok(result?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_due_says_what_to_type() {
        assert_eq!(due_of(1, 1), "1 of 1 campus is due.");
        assert_eq!(due_of(2, 30), "2 of 30 campuses are due.");
        assert_eq!(due_of(0, 0), "0 of 0 campuses are due.");
        assert!(due_of(0, 30).starts_with(
            "0 of 30 campuses are due. Nothing was compared: `reconciler --once --all`"
        ));
    }
}
