//! One node: its files, its environment, its process.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};

use crate::{
    process::Process,
    servers::{Identity, folder::write_private, installation::Installation},
};

/// All programs of the packages stand here; those in `/usr/sbin` insist on the package's own user.
const SERVER: &[&str] = &["/usr/lib/rabbitmq/bin/rabbitmq-server"];
const CONTROL: &[&str] = &["/usr/lib/rabbitmq/bin/rabbitmqctl"];
const QUEUES: &[&str] = &["/usr/lib/rabbitmq/bin/rabbitmq-queues"];

/// What every node of the product is started with.
const ADVANCED: &str = include_str!("../../../../../deploy/rabbitmq/advanced.config");

/// The distribution port of `rabbitmqctl` is taken from this range, one a call.
const CONTROL_PORTS: (&str, &str) = ("10000", "14999");

/// What makes a node.
pub(super) struct Node {
    /// Where its programs are.
    pub(super) installation: Installation,
    /// `something@localhost`; its data are filed under it.
    pub(super) name: String,
    /// Its files.
    pub(super) folder: PathBuf,
    /// What it prints.
    pub(super) log: PathBuf,
    /// The secret that nodes and `rabbitmqctl` know each other by.
    pub(super) cookie: String,
    /// Where nodes are registered.
    pub(super) epmd_port: u16,
    /// For clients.
    pub(super) amqp_port: u16,
    /// For other nodes.
    pub(super) distribution_port: u16,
    /// For the management API, if it is wanted.
    pub(super) management_port: Option<u16>,
    /// For clients that speak TLS, if they are wanted.
    pub(super) encrypted: Option<(u16, Identity)>,
}

impl Node {
    /// Writes what the node reads when it starts.
    pub(super) fn write_configuration(&self, user: &str, password: &str) -> anyhow::Result<()> {
        let (plugins, management) = match self.management_port {
            Some(port) => (
                "[rabbitmq_management].\n",
                format!("management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {port}\n"),
            ),
            None => ("[].\n", String::new()),
        };
        let encrypted = self.encrypted.as_ref().map_or_else(String::new, tls_listener);
        let configuration = format!(
            "listeners.tcp.1 = 127.0.0.1:{}\n\
             default_user = {user}\n\
             default_pass = {password}\n\
             log.console = true\n\
             log.file = false\n\
             {management}{encrypted}",
            self.amqp_port
        );
        write_private(&self.folder.join("rabbitmq.conf"), &configuration)?;
        write_private(&self.folder.join("advanced.config"), ADVANCED)?;
        write_private(&self.folder.join("enabled_plugins"), plugins)?;
        // Read-only, or Erlang refuses it; so it cannot be written over either.
        let cookie = self.folder.join(".erlang.cookie");
        match fs::remove_file(&cookie) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(error).context("cannot replace the Erlang cookie");
            }
            _ => {}
        }
        write_private(&cookie, &self.cookie)
    }

    /// Starts the node.
    pub(super) fn launch(&self) -> anyhow::Result<Process> {
        self.installation
            .launch("RabbitMQ", &self.installed(SERVER)?, None, &self.log)
            .clean_environment()
            .folder(&self.folder)
            .variables(self.environment())
            .spawn()
    }

    /// The environment of `rabbitmqctl` and `rabbitmq-queues`, and where they are.
    pub(super) fn control_environment(&self) -> anyhow::Result<Vec<(&'static str, String)>> {
        let mut environment = self.environment();
        for (name, program) in [("RABBITMQCTL", CONTROL), ("RABBITMQ_QUEUES", QUEUES)] {
            let program = self.installed(program)?;
            let script = self.folder.join(program.file_name().unwrap_or_default());
            environment.push((name, path(&self.installation.for_scripts(&program, &script)?)));
        }
        Ok(environment)
    }

    /// Runs `rabbitmqctl` against the node.
    pub(super) async fn control(&self, arguments: &[&str]) -> anyhow::Result<String> {
        self.command(CONTROL, arguments).await
    }

    /// Runs `rabbitmq-queues` against the node.
    pub(super) async fn queues(&self, arguments: &[&str]) -> anyhow::Result<String> {
        self.command(QUEUES, arguments).await
    }

    async fn command(&self, program: &[&str], arguments: &[&str]) -> anyhow::Result<String> {
        let program = self.installed(program)?;
        let name = program.file_name().map(|name| name.to_string_lossy().into_owned());
        let mut command = self.installation.command(&program, None);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(self.environment())
            .current_dir(&self.folder)
            .arg("--quiet")
            .args(arguments);
        let output = tokio::task::spawn_blocking(move || command.output())
            .await
            .context("a command of RabbitMQ was not waited for")?
            .context("cannot run a command of RabbitMQ")?;
        if !output.status.success() {
            bail!(
                "{} {} failed: {}{}",
                name.unwrap_or_default(),
                arguments.join(" "),
                String::from_utf8_lossy(&output.stdout).trim(),
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn installed(&self, candidates: &[&str]) -> anyhow::Result<PathBuf> {
        self.installation
            .first_existing(candidates)
            .with_context(|| format!("RabbitMQ is not installed: no {}", candidates.join(" or ")))
    }

    fn environment(&self) -> Vec<(&'static str, String)> {
        const LOOPBACK: &str = "-kernel inet_dist_use_interface {127,0,0,1}";
        let in_folder = |name: &str| path(&self.folder.join(name));
        vec![
            ("LANG", "C.UTF-8".to_owned()),
            // Where the cookie is.
            ("HOME", path(&self.folder)),
            ("RABBITMQ_NODENAME", self.name.clone()),
            ("RABBITMQ_DIST_PORT", self.distribution_port.to_string()),
            ("RABBITMQ_MNESIA_BASE", in_folder("database")),
            ("RABBITMQ_LOG_BASE", in_folder("log")),
            ("RABBITMQ_LOGS", "-".to_owned()),
            ("RABBITMQ_GENERATED_CONFIG_DIR", in_folder("generated")),
            // Each of these is in /etc/rabbitmq unless it is set: the machine's own broker may have
            // its configuration there.
            ("RABBITMQ_CONFIG_FILE", in_folder("rabbitmq.conf")),
            ("RABBITMQ_CONFIG_FILES", in_folder("more")),
            ("RABBITMQ_ADVANCED_CONFIG_FILE", in_folder("advanced.config")),
            ("RABBITMQ_ENABLED_PLUGINS_FILE", in_folder("enabled_plugins")),
            ("RABBITMQ_CONF_ENV_FILE", "/dev/null".to_owned()),
            ("ERL_EPMD_PORT", self.epmd_port.to_string()),
            ("ERL_EPMD_ADDRESS", "127.0.0.1".to_owned()),
            // No Erlang of ours ever starts a port mapper that would stay behind.
            ("ERL_AFLAGS", "-start_epmd false".to_owned()),
            ("ERL_CRASH_DUMP_SECONDS", "0".to_owned()),
            ("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", LOOPBACK.to_owned()),
            ("RABBITMQ_CTL_ERL_ARGS", LOOPBACK.to_owned()),
            ("RABBITMQ_CTL_DIST_PORT_MIN", CONTROL_PORTS.0.to_owned()),
            ("RABBITMQ_CTL_DIST_PORT_MAX", CONTROL_PORTS.1.to_owned()),
            // The script then becomes the Erlang VM instead of waiting for one, so that signals
            // reach the broker itself; it has no other effect.
            ("RUNNING_UNDER_SYSTEMD", "true".to_owned()),
        ]
    }
}

/// A listener that shows a certificate and asks for none.
fn tls_listener((port, identity): &(u16, Identity)) -> String {
    format!(
        "listeners.ssl.1 = 127.0.0.1:{port}\n\
         ssl_options.cacertfile = {}\n\
         ssl_options.certfile = {}\n\
         ssl_options.keyfile = {}\n\
         ssl_options.verify = verify_none\n\
         ssl_options.fail_if_no_peer_cert = false\n",
        path(&identity.authority),
        path(&identity.certificate),
        path(&identity.key)
    )
}

fn path(path: &Path) -> String {
    path.display().to_string()
}
