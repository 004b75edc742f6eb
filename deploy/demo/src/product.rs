//! The product's programs and the simulated core, on ports that stay the same.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use anyhow::{Context, anyhow};
use base64::{Engine, prelude::BASE64_STANDARD};
use futures_util::future::{join_all, select_all, try_join_all};
use support::{
    program::{Finished, Program, binary, run_to_end},
    servers::{DataFolder, keep_or_choose},
};
use uuid::Uuid;

use super::{backends::Backends, roles::RoleUrls};

/// A debug build on a busy machine is slow; one that needs longer will never be ready.
const READY_WITHIN: Duration = Duration::from_mins(1);
/// A little more than the 25 s in which the daemons promise to drain.
const DRAINED_WITHIN: Duration = Duration::from_secs(28);
/// The daemons, and their usual admin ports.
const DAEMONS: [(&str, u16); 3] = [("gateway", 9101), ("worker", 9102), ("reconciler", 9103)];
/// Members of the simulated core's first church.
const MEMBERS: &str = "25";

/// The simulated core and the daemons.
pub(super) struct Product {
    /// The church of the simulated core. Each data folder has its own, so that two may share a
    /// database.
    pub(super) church_id: String,
    pub(super) gateway: SocketAddr,
    pub(super) core: SocketAddr,
    settings: BTreeMap<String, String>,
    role_urls: RoleUrls,
    core_sim: Option<Program>,
    daemons: Vec<Daemon>,
    pub(super) folder: DataFolder,
}

struct Daemon {
    program: Program,
    admin: SocketAddr,
}

/// What all programs find in their environment: ours, and what they share.
pub(super) fn common_settings(
    folder: &DataFolder,
    backends: &Backends,
) -> anyhow::Result<BTreeMap<String, String>> {
    let mut settings: BTreeMap<String, String> = std::env::vars().collect();
    settings.insert("AMQP_URL".to_owned(), backends.amqp_url.clone());
    if !settings.contains_key("SECRETS_KEY") && !settings.contains_key("SECRETS_KEY_FILE") {
        let key = folder.kept("secrets.key", || {
            let mut key = [0; 32];
            rand::fill(&mut key[..]);
            BASE64_STANDARD.encode(key)
        })?;
        settings.insert("SECRETS_KEY".to_owned(), key);
    }
    // The simulated core speaks plain http on the loopback interface.
    settings.insert("CORE_URLS_ALLOW".to_owned(), "127.0.0.1".to_owned());
    // The logs go to files that a person reads.
    settings.insert("LOG_FORMAT".to_owned(), "pretty".to_owned());
    settings.insert("NO_COLOR".to_owned(), "1".to_owned());
    Ok(settings)
}

impl Product {
    /// Chooses ports; nothing is started yet.
    pub(super) fn new(
        folder: DataFolder,
        mut settings: BTreeMap<String, String>,
        role_urls: RoleUrls,
    ) -> anyhow::Result<Self> {
        let gateway = address(&folder, "gateway.port", 8080)?;
        settings.insert("PUBLIC_URL".to_owned(), format!("http://{gateway}"));
        Ok(Self {
            church_id: folder.kept("church", || Uuid::new_v4().to_string())?,
            gateway,
            core: address(&folder, "core-sim.port", 8090)?,
            settings,
            role_urls,
            core_sim: None,
            daemons: Vec::new(),
            folder,
        })
    }

    /// The simulated core's address, without a path.
    pub(super) fn core_url(&self) -> String {
        format!("http://{}", self.core)
    }

    /// Where webhooks are posted.
    pub(super) fn webhook_url(&self) -> String {
        format!("http://{}/api/sync/webhook", self.gateway)
    }

    /// Starts the simulated core, with a sender that tells of every change.
    pub(super) async fn start_core(&mut self) -> anyhow::Result<()> {
        let this = std::env::current_exe().context("cannot tell where this program is")?;
        let program = Program::new("core-sim", this, self.folder.path())
            .arguments(["core-sim", "--listen", &self.core.to_string()])
            .arguments(["--churches", "1", "--members", MEMBERS, "--church-id", &self.church_id])
            .arguments(["--state", &self.folder.join("core-sim.jsonl").display().to_string()])
            .arguments(["--settings", r#"{"sender":true}"#]);
        program.start()?;
        program.listening(self.core, READY_WITHIN).await?;
        self.core_sim = Some(program);
        Ok(())
    }

    /// Starts the daemons, each under its own role, and waits until they are ready.
    pub(super) async fn start_programs(&mut self) -> anyhow::Result<()> {
        let listen = self.gateway.to_string();
        for (name, preferred) in DAEMONS {
            let admin = address(&self.folder, &format!("{name}.admin.port"), preferred)?;
            let admin_variable = format!("{}_ADMIN_LISTEN", name.to_uppercase());
            let program = Program::new(name, binary(name)?, self.folder.path())
                .variables(self.settings_of(name)?)
                .variables([("GATEWAY_LISTEN", &listen), (&admin_variable, &admin.to_string())]);
            program.start()?;
            self.daemons.push(Daemon { program, admin });
        }
        let daemons = self.daemons.iter();
        try_join_all(daemons.map(|daemon| daemon.program.ready(daemon.admin, READY_WITHIN)))
            .await?;
        Ok(())
    }

    /// Runs `faithctl` under its own role.
    pub(super) async fn faithctl(
        &self,
        arguments: &[&str],
        input: &str,
    ) -> anyhow::Result<Finished> {
        run_to_end("faithctl", arguments, input.as_bytes(), self.settings_of("faithctl")?).await
    }

    /// Waits until a program has ended by itself.
    pub(super) async fn first_end(&self) -> anyhow::Error {
        let waits = self.programs().map(|program| {
            Box::pin(async move {
                let status = program.wait().await.unwrap_or_default();
                let tail = program.log_tail(10);
                anyhow!(
                    "{} has ended by itself ({status}); the end of its log:\n{tail}",
                    program.name()
                )
            })
        });
        select_all(waits).await.0
    }

    /// Stops everything in order: the daemons drain, then the core goes.
    pub(super) async fn stop(self) {
        join_all(self.daemons.iter().map(|daemon| daemon.program.terminate(DRAINED_WITHIN))).await;
        if let Some(core) = &self.core_sim {
            core.terminate(DRAINED_WITHIN).await.ok();
        }
    }

    fn programs(&self) -> impl Iterator<Item = &Program> {
        self.daemons.iter().map(|daemon| &daemon.program).chain(&self.core_sim)
    }

    /// Where each daemon shows its health and metrics.
    pub(super) fn admin_addresses(&self) -> impl Iterator<Item = (&str, SocketAddr)> {
        self.daemons.iter().map(|daemon| (daemon.program.name(), daemon.admin))
    }

    pub(super) fn settings_of(&self, program: &str) -> anyhow::Result<BTreeMap<String, String>> {
        let url = self.role_urls.get(program).context("every program has a role")?;
        let mut settings = self.settings.clone();
        settings.insert("DATABASE_URL".to_owned(), url.clone());
        Ok(settings)
    }
}

/// The address of the port that `file` names, or the one that is preferred, or a free one.
fn address(folder: &DataFolder, file: &str, preferred: u16) -> anyhow::Result<SocketAddr> {
    let port = keep_or_choose(&folder.join(file), Some(preferred))?;
    Ok(SocketAddr::from(([127, 0, 0, 1], port)))
}
