//! `reconciler --once`, for cron and Kubernetes.

use std::process::ExitCode;

use runtime::{Settings, Telemetry, exit_code};

use crate::{Config, PROGRAM, housekeeping, metrics::Metrics};

/// Keeps house once. Exits 0 when done, 1 when it failed, 2 for a bad setting, 130 interrupted.
pub fn run_once() -> ExitCode {
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
        .and_then(|runtime| runtime.block_on(until_interrupted(&config)));
    match work {
        Ok(code) => code,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "housekeeping failed");
            ExitCode::from(exit_code::FAILED)
        }
    }
}

async fn until_interrupted(config: &Config) -> anyhow::Result<ExitCode> {
    let interrupted = runtime::shutdown_signal();
    tokio::select! {
        done = keep_house(config) => done.map(|()| ExitCode::SUCCESS),
        () = interrupted.cancelled() => Ok(ExitCode::from(exit_code::INTERRUPTED)),
    }
}

async fn keep_house(config: &Config) -> anyhow::Result<()> {
    let client = config.database.connect().await?.client;
    housekeeping::pass(&client, config.log_retention, &Metrics::new(config.log_retention)).await?;
    Ok(())
}
