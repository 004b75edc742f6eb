//! What is measured by load: a process that takes webhooks, and the broker behind it.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use harness::TestSystem;
use support::{
    process::{Launch, Process, forget_peak_memory, peak_memory, processor_time},
    servers::keep_or_choose,
};

use crate::load::{self, Answers, Load};

/// One that takes webhooks.
pub(crate) struct Subject {
    pub(crate) address: SocketAddr,
    process: i32,
    broker: i32,
    /// The reference program ends with this.
    _launched: Option<Process>,
}

/// What a load cost and how it was answered.
pub(crate) struct Cost {
    pub(crate) answers: Answers,
    /// Processor time of the subject, and of the broker.
    subject: Duration,
    broker: Duration,
    /// The subject's memory at its most, in KiB.
    memory: u64,
}

impl Subject {
    /// The system's first gateway.
    pub(crate) fn gateway(system: &TestSystem) -> Self {
        let url = system.gateway_url();
        Self {
            address: url.trim_start_matches("http://").parse().unwrap(),
            process: system.gateway(0).process_id().unwrap(),
            broker: system.servers().rabbitmq.process_id().unwrap(),
            _launched: None,
        }
    }

    /// The reference program, publishing to `queue`.
    pub(crate) fn bare(system: &TestSystem, queue: &str) -> Self {
        let folder = system.folder();
        let port = keep_or_choose(&folder.join("bare.port"), None).unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let this: PathBuf = std::env::current_exe().unwrap();
        let launched = Launch::new("bare", &this, &folder.join("bare.log"))
            .arguments(["bare", "--listen", &address.to_string(), "--queue", queue])
            .arguments(["--amqp", system.broker.url(), "--secret", &system.campus.secret])
            .spawn()
            .unwrap();
        Self {
            address,
            process: launched.pid(),
            broker: system.servers().rabbitmq.process_id().unwrap(),
            _launched: Some(launched),
        }
    }

    /// Puts a load on it.
    pub(crate) async fn measure(&self, load: Load) -> Cost {
        let before = (processor_time(self.process), processor_time(self.broker));
        forget_peak_memory(self.process);
        let answers = load::send(load).await;
        Cost {
            subject: processor_time(self.process).saturating_sub(before.0),
            broker: processor_time(self.broker).saturating_sub(before.1),
            memory: peak_memory(self.process).unwrap_or_default(),
            answers,
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "some millions")]
impl Cost {
    /// Microseconds of processor time for each accepted webhook: the subject's, and the broker's.
    pub(crate) fn each(&self) -> [f64; 2] {
        let accepted = self.answers.accepted.len() as f64;
        [self.subject, self.broker].map(|time| time.as_secs_f64() * 1e6 / accepted)
    }

    /// Megabytes.
    pub(crate) fn memory(&self) -> f64 {
        self.memory as f64 / 1024.0
    }
}
