//! The console as a whole: its parts are built, started, and ended in order.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use database::{DatabaseError, Pool};
use instances::Heartbeat;
use runtime::{Check, Daemon, Program, variables};
use tokio::time::{interval, timeout};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{
    config::Config, console::Console, origin::Origin, password::Passwords, routes, server::Server,
};

/// The console, to what runs daemons.
pub const PROGRAM: Program =
    Program { name: "console", admin_listen: variables::CONSOLE_ADMIN_LISTEN };

/// How often it is looked whether Postgres answers.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How long Postgres may take to take leave.
const CLOSE_LIMIT: Duration = Duration::from_secs(4);

/// Serves pages until the daemon's shutdown, and answers what is under way.
pub async fn run(config: Config, daemon: Daemon) -> anyhow::Result<()> {
    let postgres = daemon.health.check("postgres");
    let listener = runtime::bind(variables::CONSOLE_LISTEN, config.listen)?;
    let (address, admin_address) = (listener.local_addr()?, daemon.admin_address);
    tracing::info!(%address, %admin_address, "listening on {address} (admin {admin_address})");

    let url = match config.url {
        Some(url) => url,
        None => Url::parse(&format!("http://{address}")).context("an address makes a URL")?,
    };
    let pool = Pool::new(&config.database).context("cannot make a pool of connections")?;
    pool.observe();
    let stop = CancellationToken::new();
    tokio::spawn(watch(pool.clone(), postgres, stop.clone()));
    let heartbeat = Heartbeat::new(PROGRAM.name, env!("CARGO_PKG_VERSION"), daemon.health.clone());
    let own = Pool::new(&config.database.with_pool_size(1))
        .context("cannot make the connection to tell that this instance runs on")?;
    let telling = tokio::spawn(heartbeat.keep(own, stop.clone()));
    let tls = config.tls.map(Arc::new);
    if let Some(tls) = &tls {
        tokio::spawn(Arc::clone(tls).keep_fresh(stop.clone()));
    }

    let passwords = tokio::task::spawn_blocking(Passwords::new).await??;
    let of_proxies = (config.proxies, config.proxy_login);
    let console = Arc::new(Console::new(pool, Origin::of(&url), passwords, of_proxies));
    let server =
        Server { listener, tls, routes: routes::router(&console), shutdown: daemon.shutdown };
    server.serve().await;
    stop.cancel();
    timeout(CLOSE_LIMIT, telling).await.ok();
    Ok(())
}

/// Says whether anything can be shown.
async fn watch(pool: Pool, check: Check, stop: CancellationToken) {
    let mut ticks = interval(LOOK_EVERY);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        match look(&pool).await {
            Ok(()) => check.well(),
            Err(error) => check.failing(error.to_string()),
        }
    }
}

/// Its own tables: where they are missing, nobody can log in.
async fn look(pool: &Pool) -> Result<(), DatabaseError> {
    let client = pool.get().await?;
    client
        .execute("SELECT FROM operator_sessions LIMIT 0", &[])
        .await
        .map_err(DatabaseError::during("read who has logged in"))?;
    Ok(())
}
