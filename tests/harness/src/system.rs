//! A running system.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use core_sim::{ChurchOptions, CoreSim};
use support::{
    program::{Announcement, Finished, Program, run_to_end},
    servers::{DataFolder, Management, PrivateServers},
};

use super::{
    Campus, Proxies, Role, TestBroker, TestDatabase, probe::MachineProbe, proxies::through,
};
use crate::proxy::Front;

/// Lines of each program's log that a failed test shows.
const SHOWN_LINES: usize = 40;

/// How long cleaning up may take.
const CLEAN_UP_WITHIN: Duration = Duration::from_secs(10);

/// The whole product, running for one test. Everything ends and is deleted with it.
pub struct TestSystem {
    pub(super) replicas: Vec<Replica>,
    /// The simulated core.
    pub core: CoreSim,
    /// The campus of the core's first church.
    pub campus: Campus,
    /// The database of this test.
    pub database: TestDatabase,
    /// The vhost of this test.
    pub broker: TestBroker,
    pub(super) http: reqwest::Client,
    probe: MachineProbe,
    variables: [(Role, BTreeMap<String, String>); 5],
    own_servers: Option<PrivateServers>,
    proxies: Option<Proxies>,
    _front: Option<Front>,
    /// The programs' logs.
    folder: DataFolder,
}

/// What a system is put together from.
pub(super) struct Parts {
    pub(super) front: Option<Front>,
    pub(super) core: CoreSim,
    pub(super) database: TestDatabase,
    pub(super) broker: TestBroker,
    pub(super) own_servers: Option<PrivateServers>,
    pub(super) proxies: Option<Proxies>,
    pub(super) variables: [(Role, BTreeMap<String, String>); 5],
}

/// One process of a program.
pub(super) struct Replica {
    pub(super) kind: &'static str,
    pub(super) program: Program,
    pub(super) addresses: Option<Announcement>,
}

impl Replica {
    /// Waits until it listens. From then on it keeps its addresses, over starts too.
    pub(super) async fn learn_addresses(&mut self, within: Duration) {
        let found = self.program.announced(within).await.unwrap();
        let kind = self.kind.to_uppercase();
        self.program.set_variable(format!("{kind}_ADMIN_LISTEN"), found.admin.to_string());
        if let Some(public) = found.public {
            self.program.set_variable(format!("{kind}_LISTEN"), public.to_string());
        }
        self.addresses = Some(found);
    }

    pub(super) fn addresses(&self) -> Announcement {
        self.addresses.expect("addresses are learnt at the start")
    }

    pub(super) async fn ready(&self, within: Duration) {
        self.program.ready(self.addresses().admin, within).await.unwrap();
    }
}

impl TestSystem {
    pub(super) fn new(parts: Parts) -> Self {
        let Parts { front, core, database, broker, own_servers, proxies, variables } = parts;
        Self {
            replicas: Vec::new(),
            core,
            campus: Campus::default(),
            database,
            broker,
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            probe: MachineProbe::start().unwrap(),
            variables,
            own_servers,
            proxies,
            _front: front,
            folder: DataFolder::temporary().unwrap(),
        }
    }

    /// The servers of this test alone; see [`crate::SystemBuilder::own_servers`].
    pub fn servers(&self) -> &PrivateServers {
        self.own_servers.as_ref().expect("the test asked for servers of its own")
    }

    /// The proxies of this test; see [`crate::SystemBuilder::proxied`].
    pub fn proxies(&self) -> &Proxies {
        self.proxies.as_ref().expect("the test asked for proxies")
    }

    /// The core as the programs reach it.
    pub fn core_url(&self) -> String {
        let url = self.core.base_url();
        self.proxies
            .as_ref()
            .map_or_else(|| url.clone(), |proxies| through(proxies.to_core.address(), &url))
    }

    /// How many replicas of a program there are.
    pub fn replicas(&self, kind: &str) -> usize {
        self.replicas.iter().filter(|replica| replica.kind == kind).count()
    }

    /// The URL of the first gateway, without a path.
    pub fn gateway_url(&self) -> String {
        self.gateway_url_of(0)
    }

    /// The URL of a gateway, without a path.
    pub fn gateway_url_of(&self, index: usize) -> String {
        let public = self.replica("gateway", index).addresses().public;
        format!("http://{}", public.expect("a gateway has a public port"))
    }

    /// The URL of a program's admin port, without a path.
    pub fn admin_url(&self, kind: &str, index: usize) -> String {
        format!("http://{}", self.replica(kind, index).addresses().admin)
    }

    /// A gateway.
    pub fn gateway(&self, index: usize) -> &Program {
        &self.replica("gateway", index).program
    }

    /// A worker.
    pub fn worker(&self, index: usize) -> &Program {
        &self.replica("worker", index).program
    }

    /// A reconciler.
    pub fn reconciler(&self, index: usize) -> &Program {
        &self.replica("reconciler", index).program
    }

    /// Starts a program again, on the same ports, and waits until it is ready.
    pub async fn start_again(&self, kind: &str, index: usize) {
        let replica = self.replica(kind, index);
        replica.program.start().unwrap();
        replica.ready(Duration::from_secs(30)).await;
    }

    /// Waits until a program's `/readyz` answers 200.
    pub async fn until_ready(&self, kind: &str, index: usize, within: Duration) {
        self.replica(kind, index).ready(within).await;
    }

    /// Runs `faithctl` under its own role.
    pub async fn faithctl(&self, arguments: &[&str]) -> Finished {
        self.faithctl_with_input(arguments, b"").await
    }

    /// Runs `faithctl` with something on its standard input.
    pub async fn faithctl_with_input(&self, arguments: &[&str], input: &[u8]) -> Finished {
        run_to_end("faithctl", arguments, input, self.variables(Role::Admin).clone()).await.unwrap()
    }

    /// Runs the reconciler as a command, under its own role.
    pub async fn reconcile(&self, arguments: &[&str]) -> Finished {
        run_to_end("reconciler", arguments, b"", self.variables(Role::Reconciler).clone())
            .await
            .unwrap()
    }

    /// Adds a campus for a church of the simulated core, with more arguments for `campus add`.
    pub async fn add_campus(&self, church: &ChurchOptions, arguments: &[&str]) -> Campus {
        let url = self.core_url();
        let mut all = vec!["campus", "add", "--json", "--name", &church.name];
        all.extend(["--core-church-id", &church.id, "--api-base-url", &url]);
        all.extend(["--api-email", &church.email, "--api-password-stdin"]);
        all.extend(arguments);
        let password = format!("{}\n", church.password);
        let added = self.faithctl_with_input(&all, password.as_bytes()).await.json();
        Campus::added(&church.id, &added)
    }

    /// How many messages of a queue wait to be delivered; none when there is no such queue.
    pub async fn queue_depth(&self, queue: &str) -> Option<u32> {
        self.broker.queue_depth(queue).await
    }

    /// What a worker's counter has come to, over all lines that have `label`'s value.
    pub async fn worker_metric(&self, index: usize, name: &str, label: &str) -> f64 {
        let url = format!("{}/metrics", self.admin_url("worker", index));
        let http = reqwest::Client::builder().no_proxy().build().expect("an HTTP client");
        let page = http.get(url).send().await.expect("the worker's metrics");
        let page = page.text().await.expect("the worker's metrics");
        let (name, label) = (format!("{name}{{"), format!("=\"{label}\""));
        let lines = page.lines().filter(|line| line.starts_with(&name) && line.contains(&label));
        lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum()
    }

    /// The time since `started`, without what the machine was late meanwhile: what a deadline of the
    /// product is compared with.
    pub fn took_since(&self, started: Instant) -> Duration {
        started.elapsed().saturating_sub(self.probe.delay_since(started))
    }

    /// The environment of the programs that work under `role`.
    pub fn variables(&self, role: Role) -> &BTreeMap<String, String> {
        let of_role = self.variables.iter().find(|(of, _)| *of == role);
        &of_role.expect("every role has variables").1
    }

    /// The folder with the programs' logs.
    pub fn folder(&self) -> &DataFolder {
        &self.folder
    }

    /// The ends of all programs' logs.
    pub fn logs(&self) -> String {
        let log = |replica: &Replica| {
            let program = &replica.program;
            let state = program.ended().map_or_else(String::new, |status| format!(" ({status})"));
            format!("--- {}{state}\n{}\n", program.name(), program.log_tail(SHOWN_LINES))
        };
        self.replicas.iter().map(log).collect()
    }

    fn replica(&self, kind: &str, index: usize) -> &Replica {
        let mut of_kind = self.replicas.iter().filter(|replica| replica.kind == kind);
        of_kind.nth(index).unwrap_or_else(|| panic!("there is no {kind} {index}"))
    }
}

#[allow(clippy::print_stderr, reason = "a failed test shows it, a passed one does not")]
impl Drop for TestSystem {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.logs());
        }
        self.replicas.clear();
        if self.own_servers.is_none() {
            delete(&self.database, &self.broker);
        }
    }
}

/// Gives the shared servers back what the test had of them. On a thread of its own, since nothing
/// can be awaited in a drop, and without a word when it fails: the servers may be going down.
fn delete(database: &TestDatabase, broker: &TestBroker) {
    let (server, name) = database.server_and_name();
    let (management, vhost) = (broker.management_url().to_owned(), broker.vhost().to_owned());
    let users = broker.users().to_vec();
    let deletion = async move {
        let management = Management::new(management);
        let _ = tokio::join!(TestDatabase::delete(&server, &name), management.delete_vhost(&vhost));
        for user in &users {
            management.delete_user(user).await.ok();
        }
    };
    let thread = std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        // Within an async block: a timeout that is made outside of the runtime panics.
        let limited = async { tokio::time::timeout(CLEAN_UP_WITHIN, deletion).await };
        runtime.map(|runtime| runtime.block_on(limited))
    });
    thread.join().ok();
}
