//! What a test's system is made of.

use std::{collections::BTreeMap, time::Duration};

use core_sim::{CoreSim, Options};
use support::{
    program::{Program, binary, build_binaries},
    servers::PrivateServers,
};

use super::{
    Proxies, Role, TestBroker, TestDatabase, TestSystem, authority, environment, proxies, servers,
    system::{Parts, Replica},
};
use crate::proxy::Front;

/// How long a program may take to be ready, on a machine that runs other tests too.
const READY_WITHIN: Duration = Duration::from_secs(30);

impl TestSystem {
    /// One gateway, one worker, one campus.
    pub async fn spawn() -> Self {
        Self::builder().spawn().await
    }

    /// A system that differs from the usual one.
    pub fn builder() -> SystemBuilder {
        SystemBuilder::default()
    }
}

/// A system about to be started: one gateway and one worker, a simulated core with two churches of
/// 25 members, and a campus for the first church, unless told otherwise.
pub struct SystemBuilder {
    gateways: usize,
    workers: usize,
    reconcilers: usize,
    core: Options,
    campus_arguments: Vec<String>,
    servers: Servers,
    nodes: usize,
    between: Between,
    broker_users: bool,
    wait: bool,
    open_files: Option<u32>,
    variables: Vec<(Option<Role>, String, String)>,
}

/// Whose servers a test uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Servers {
    /// Those of the run, which all tests share.
    Shared,
    /// A pair that the test may kill, stop and freeze.
    Own,
    /// A pair that the programs speak TLS with.
    Encrypted,
}

/// What is put between the programs and what they depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Between {
    Nothing,
    /// A proxy on each way.
    Proxies,
    /// A front before RabbitMQ that refuses passive declarations.
    Front,
}

impl Default for SystemBuilder {
    fn default() -> Self {
        Self {
            gateways: 1,
            workers: 1,
            reconcilers: 0,
            core: Options::default(),
            campus_arguments: Vec::new(),
            servers: Servers::Shared,
            nodes: 1,
            between: Between::Nothing,
            broker_users: false,
            wait: true,
            open_files: None,
            variables: Vec::new(),
        }
    }
}

impl SystemBuilder {
    /// How many gateways.
    #[must_use]
    pub fn gateways(mut self, number: usize) -> Self {
        self.gateways = number;
        self
    }

    /// How many workers; without one, events stay in the queue.
    #[must_use]
    pub fn workers(mut self, number: usize) -> Self {
        self.workers = number;
        self
    }

    /// How many reconcilers.
    #[must_use]
    pub fn reconcilers(mut self, number: usize) -> Self {
        self.reconcilers = number;
        self
    }

    /// What the simulated core starts with; the first church becomes the campus.
    #[must_use]
    pub fn core(mut self, options: Options) -> Self {
        self.core = options;
        self
    }

    /// More arguments for the `faithctl campus add` of the first campus.
    #[must_use]
    pub fn campus_arguments(mut self, arguments: &[&str]) -> Self {
        self.campus_arguments.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        self
    }

    /// An environment variable of all programs.
    #[must_use]
    pub fn variable(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.push((None, name.to_owned(), value.into()));
        self
    }

    /// An environment variable of the programs that work under `role`; it wins over one of all.
    #[must_use]
    pub fn variable_of(mut self, role: Role, name: &str, value: impl Into<String>) -> Self {
        self.variables.push((Some(role), name.to_owned(), value.into()));
        self
    }

    /// A database server and a broker for this test alone, which it may kill, stop and freeze.
    /// They take some six seconds to start.
    #[must_use]
    pub fn own_servers(mut self) -> Self {
        self.servers = Servers::Own;
        self
    }

    /// A database server of this test's own, and a broker of that many nodes.
    #[must_use]
    pub fn cluster(mut self, nodes: usize) -> Self {
        self.servers = Servers::Own;
        self.nodes = nodes;
        self
    }

    /// Puts a proxy between the programs and each thing that they depend on: [`TestSystem::proxies`].
    #[must_use]
    pub fn proxied(mut self) -> Self {
        self.between = Between::Proxies;
        self
    }

    /// Lets each program be a RabbitMQ user of its own, with the rights of
    /// `deploy/rabbitmq/permissions`; without it all are the administrator. A gateway is then only
    /// ready once a worker has declared the queues.
    #[must_use]
    pub fn broker_users(mut self) -> Self {
        self.broker_users = true;
        self
    }

    /// Puts a front before RabbitMQ that refuses passive declarations, as a later RabbitMQ does.
    #[must_use]
    pub fn passive_declarations_refused(mut self) -> Self {
        self.between = Between::Front;
        self
    }

    /// Servers of this test's own, which the programs speak TLS with and check fully.
    #[must_use]
    pub fn encrypted(mut self) -> Self {
        self.servers = Servers::Encrypted;
        self
    }

    /// Does not wait until the programs are ready, only until they listen.
    #[must_use]
    pub fn without_waiting(mut self) -> Self {
        self.wait = false;
        self
    }

    /// How many files each program may have open, and so how many connections a gateway.
    #[must_use]
    pub fn open_files(mut self, limit: u32) -> Self {
        self.open_files = Some(limit);
        self
    }

    /// Starts it all.
    pub async fn spawn(self) -> TestSystem {
        runtime::install_crypto_provider();
        tokio::task::spawn_blocking(build_binaries).await.unwrap().unwrap();
        let own_servers = match self.servers {
            Servers::Shared => None,
            Servers::Own => {
                Some(PrivateServers::start_temporary_cluster(self.nodes).await.unwrap())
            }
            Servers::Encrypted => Some(authority::encrypted_servers().await.unwrap()),
        };
        let addresses = match &own_servers {
            Some(servers) => servers.addresses(),
            None => servers::shared().await,
        };
        let (database, mut broker) =
            tokio::join!(TestDatabase::create(&addresses.postgres), TestBroker::create(&addresses));
        if self.broker_users {
            broker.add_users().await;
        }
        let church = self.core.churches.first().expect("a core has a church").clone();
        let core = CoreSim::start(self.core.clone()).await.unwrap();
        let nodes = own_servers.iter().flat_map(PrivateServers::nodes);
        let nodes: Vec<String> =
            nodes.map(|node| format!("{}/{}", node.url(), broker.vhost())).collect();
        let proxies = if self.between == Between::Proxies {
            Some(Proxies::start(&database, &broker, &core.base_url()).await)
        } else {
            None
        };
        let mut variables =
            Role::ALL.map(|role| (role, self.variables_of(role, &database, &broker)));
        if nodes.len() > 1 {
            for (_, variables) in &mut variables {
                variables.insert("AMQP_URL".to_owned(), nodes.join(","));
            }
        }
        if self.servers == Servers::Encrypted {
            let servers = own_servers.as_ref().expect("encrypted servers are a test's own");
            for (_, variables) in &mut variables {
                environment::encrypt(variables, servers, broker.vhost());
            }
        }
        if let Some(proxies) = &proxies {
            for (role, variables) in &mut variables {
                for (name, value) in variables {
                    *value = proxies.redirect(*role, name, value);
                }
            }
        }
        let front = if self.between == Between::Front {
            let front = Front::to(proxies::address(broker.url())).await.unwrap();
            for (_, variables) in &mut variables {
                if let Some(url) = variables.get_mut("AMQP_URL") {
                    *url = proxies::through(front.address(), url);
                }
            }
            Some(front)
        } else {
            None
        };
        let parts = Parts { front, core, database, broker, own_servers, proxies, variables };
        let mut system = TestSystem::new(parts);
        let arguments: Vec<&str> = self.campus_arguments.iter().map(String::as_str).collect();
        system.campus = system.add_campus(&church, &arguments).await;
        self.start_programs(&mut system).await;
        if self.servers != Servers::Shared && self.wait {
            // The programs have just declared their queues, and the test may kill the broker.
            for node in system.servers().nodes() {
                node.write_down_queues().await.unwrap();
            }
        }
        system
    }

    fn variables_of(
        &self,
        role: Role,
        database: &TestDatabase,
        broker: &TestBroker,
    ) -> BTreeMap<String, String> {
        let mut variables = environment::variables(role, database, broker);
        for whom in [None, Some(role)] {
            let chosen = self.variables.iter().filter(|(of, ..)| *of == whom);
            variables.extend(chosen.map(|(_, name, value)| (name.clone(), value.clone())));
        }
        variables
    }

    async fn start_programs(&self, system: &mut TestSystem) {
        for (kind, role, number) in [
            ("gateway", Role::Gateway, self.gateways),
            ("worker", Role::Worker, self.workers),
            ("reconciler", Role::Reconciler, self.reconcilers),
        ] {
            for index in 0..number {
                let folder = system.folder().path();
                let program =
                    Program::new(format!("{kind}-{index}"), binary(kind).unwrap(), folder)
                        .clean_environment()
                        .open_files(self.open_files)
                        .variables(system.variables(role).clone());
                program.start().unwrap();
                system.replicas.push(Replica { kind, program, addresses: None });
            }
        }
        for replica in &mut system.replicas {
            replica.learn_addresses(READY_WITHIN).await;
        }
        if self.wait {
            for replica in &system.replicas {
                replica.ready(READY_WITHIN).await;
            }
        }
    }
}
