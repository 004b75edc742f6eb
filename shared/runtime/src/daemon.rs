//! The life of a daemon: settings, telemetry, work, drain, exit code.

use std::{future::Future, net::SocketAddr, process::ExitCode, time::Duration};

use tokio::net::{TcpListener, TcpSocket};
use tokio_util::sync::CancellationToken;

use crate::{
    AdminServer, Health, SettingError, Settings, Telemetry, Variable, install_crypto_provider,
    metrics, telemetry::FLUSH_LIMIT,
};

/// The exit codes that the operator's scripts rely on.
pub mod exit_code {
    /// The command failed, or nothing matched.
    pub const FAILED: u8 = 1;
    /// A setting or an argument is wrong.
    pub const USAGE: u8 = 2;
    /// A one-shot command was interrupted.
    pub const INTERRUPTED: u8 = 130;
}

/// How long a daemon may take to end; an orchestrator kills after 30 s.
const END_LIMIT: Duration = Duration::from_secs(25);
/// How much of that it may take to finish what it holds; then its last spans are sent.
const DRAIN_LIMIT: Duration = END_LIMIT.saturating_sub(FLUSH_LIMIT);

/// Connections that may wait to be accepted. With fewer, a burst of new senders has some of them
/// try again a second later: that is when the kernel sends a lost SYN anew.
const BACKLOG: u32 = 4096;

/// Who is running.
#[derive(Debug, Clone, Copy)]
pub struct Program {
    /// The binary's name, also the traces' `service.name`.
    pub name: &'static str,
    /// Where the admin port is set.
    pub admin_listen: Variable,
}

/// What a daemon's work is given.
pub struct Daemon {
    /// The name of the program.
    pub program: &'static str,
    /// Cancelled by SIGTERM and SIGINT: stop taking work, finish what is under way, return.
    pub shutdown: CancellationToken,
    /// Where each dependency says how it is.
    pub health: Health,
    /// The address the admin port was bound to, for the first log line.
    pub admin_address: SocketAddr,
}

/// Runs a daemon to its end: reads settings with `configure`, binds the admin port, does `work`
/// until a signal, and leaves it 25 s to drain and to send its last spans.
///
/// The exit code is 0 after a drain, 2 for a bad setting, 1 when `work` fails.
pub fn run_daemon<C, W>(
    program: Program,
    configure: impl FnOnce(&Settings) -> Result<C, SettingError>,
    work: impl FnOnce(C, Daemon) -> W,
) -> ExitCode
where
    W: Future<Output = anyhow::Result<()>>,
{
    let configured = Settings::from_environment().and_then(|settings| {
        let ready = (configure(&settings)?, settings.address(program.admin_listen)?);
        Ok((ready, Telemetry::start_beside(program.name, &settings)?))
    });
    let ((config, admin_listen), _telemetry) = match configured {
        Ok(configured) => configured,
        Err(error) => return bad_setting(program.name, &error),
    };
    install_crypto_provider();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "cannot start the runtime");
            return ExitCode::from(exit_code::FAILED);
        }
    };
    let code = runtime.block_on(async {
        let listener = match bind(program.admin_listen, admin_listen) {
            Ok(listener) => listener,
            Err(error) => return bad_setting(program.name, &error),
        };
        let admin_address = listener.local_addr().unwrap_or(admin_listen);
        outlive_terminal();
        let health = Health::default();
        metrics::observe_program(program.name, &health);
        let daemon = Daemon {
            program: program.name,
            shutdown: shutdown_signal(),
            health: health.clone(),
            admin_address,
        };
        let stopped = CancellationToken::new();
        let admin = tokio::spawn(AdminServer { listener, health }.serve(stopped.clone()));
        let code = until_drained(daemon.shutdown.clone(), work(config, daemon)).await;
        stopped.cancel();
        admin.await.ok();
        code
    });
    // Tasks that outlived the drain end with the process; their events are still in the queue.
    runtime.shutdown_background();
    code
}

async fn until_drained(
    shutdown: CancellationToken,
    work: impl Future<Output = anyhow::Result<()>>,
) -> ExitCode {
    let overdue = async {
        shutdown.cancelled().await;
        tracing::info!("draining");
        tokio::time::sleep(DRAIN_LIMIT).await;
    };
    tokio::select! {
        result = work => match result {
            Ok(()) => {
                tracing::info!("stopped");
                ExitCode::SUCCESS
            }
            Err(error) => failed(&error),
        },
        () = overdue => {
            tracing::warn!("the drain took too long; what was still held is redelivered");
            ExitCode::SUCCESS
        }
    }
}

fn failed(error: &anyhow::Error) -> ExitCode {
    if let Some(setting) = error.downcast_ref::<SettingError>() {
        tracing::error!("{setting}");
        return ExitCode::from(exit_code::USAGE);
    }
    tracing::error!(error = format!("{error:#}"), "stopped by an error");
    ExitCode::from(exit_code::FAILED)
}

/// Binds an address that a setting named; one that cannot be bound is a bad setting.
pub fn bind(variable: Variable, address: SocketAddr) -> Result<TcpListener, SettingError> {
    listen(address).map_err(|error| {
        SettingError::new(
            variable,
            format!("cannot listen on {address}: {error}"),
            "a free address of this machine",
        )
    })
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A program that was restarted need not wait for the end of its old connections.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// A token that SIGTERM and SIGINT cancel.
pub fn shutdown_signal() -> CancellationToken {
    use tokio::signal::unix::{SignalKind, signal};
    let token = CancellationToken::new();
    let signals = signal(SignalKind::terminate())
        .and_then(|terminate| Ok((terminate, signal(SignalKind::interrupt())?)));
    match signals {
        Ok((mut terminate, mut interrupt)) => {
            let cancelled = token.clone();
            tokio::spawn(async move {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                cancelled.cancel();
            });
        }
        Err(error) => tracing::warn!(%error, "signals are not heard: stopping will not drain"),
    }
    token
}

/// Lets SIGHUP, which ends a program by default, pass: it comes when the terminal is closed that a
/// daemon was started from, and from habits of reloading. What is renewed is taken up without it.
fn outlive_terminal() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::hangup()) {
        Ok(mut hangups) => {
            tokio::spawn(async move {
                while hangups.recv().await.is_some() {
                    tracing::debug!("SIGHUP changes nothing");
                }
            });
        }
        Err(error) => tracing::warn!(%error, "SIGHUP would end the program"),
    }
}

/// Settings for a one-shot command, or the exit code after saying what is wrong with them.
pub fn settings_or_exit<C>(
    program: &str,
    configure: impl FnOnce(&Settings) -> Result<C, SettingError>,
) -> Result<C, ExitCode> {
    Settings::from_environment()
        .and_then(|settings| configure(&settings))
        .map_err(|error| bad_setting(program, &error))
}

#[allow(clippy::print_stderr, reason = "a bad setting is told before there is a log")]
fn bad_setting(program: &str, error: &SettingError) -> ExitCode {
    eprintln!("{program}: {error}");
    ExitCode::from(exit_code::USAGE)
}
