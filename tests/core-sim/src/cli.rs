//! The program around a simulation.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

use super::{CONTROL_API, CoreSim, Options, Settings};

/// A simulated FaithFlow core: its API, and the sender of its webhooks.
///
/// Accounts: admin@gkbj.org for the first church (3880a17d-f858-4622-87c2-96eaa7b25c83),
/// admin1@core-sim.example and so on for the others, superadmin@core-sim.example for all of them;
/// the password of each is core-sim. GET /control/churches lists them.
#[derive(Debug, Parser)]
#[command(name = "core-sim", version, after_long_help = CONTROL_API)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Arguments {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Path before /auth/login and /members/.
    #[arg(long, default_value = "/api")]
    prefix: String,
    /// Members, ids and changes follow from it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Number of churches.
    #[arg(long, default_value_t = 2)]
    churches: usize,
    /// Generated members of each church.
    #[arg(long, default_value_t = 25)]
    members: u64,
    /// Id of the first church.
    #[arg(long, value_name = "ID")]
    church_id: Option<String>,
    /// Let anyone log in as often as they like.
    #[arg(long)]
    no_login_limit: bool,
    /// Name the phone `phone`, as newer versions do.
    #[arg(long)]
    newer_phone_key: bool,
    /// Do not count the requests of each member apart.
    #[arg(long)]
    no_member_counts: bool,
    /// Render every generated row at the start and keep it in memory.
    #[arg(long)]
    prebuilt: bool,
    /// Keep what is changed in this file, and begin with what is in it.
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Settings to start with, as PUT /control/settings takes them.
    #[arg(long, value_name = "JSON", default_value = "{}")]
    settings: String,
}

impl Arguments {
    fn into_options(self) -> anyhow::Result<Options> {
        let mut settings: Settings =
            serde_json::from_str(&self.settings).context("--settings is not what it takes")?;
        if self.no_login_limit {
            settings.login_limit = None;
        }
        let mut churches = Options::churches_of(self.seed, self.churches, self.members);
        if let (Some(first), Some(id)) = (churches.first_mut(), self.church_id) {
            first.id = id;
        }
        Ok(Options {
            listen: self.listen,
            prefix: self.prefix,
            seed: self.seed,
            churches,
            newer_phone_key: self.newer_phone_key,
            count_members: !self.no_member_counts,
            prebuilt: self.prebuilt,
            state: self.state,
            settings,
        })
    }
}

/// Runs a simulation until SIGINT or SIGTERM.
pub async fn run(arguments: Arguments) -> anyhow::Result<()> {
    // Before the port is announced: who starts this may stop it at once.
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let sim = CoreSim::start(arguments.into_options()?).await.context("cannot start")?;
    let mut stdout = io::stdout();
    writeln!(stdout, "listening {}", sim.base_url()).context("cannot write to stdout")?;
    stdout.flush().context("cannot write to stdout")?;
    tokio::select! {
        interrupt = tokio::signal::ctrl_c() => interrupt.context("cannot listen for SIGINT")?,
        _ = terminate.recv() => {}
    }
    Ok(())
}
