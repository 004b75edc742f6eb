//! The logs of a run that went wrong.

use std::{
    fs,
    path::{Path, PathBuf},
};

use support::servers::RabbitMq;

use super::test_bed::TestBed;

/// Keeps the logs, however the run ends, unless they are not needed.
pub(super) struct Evidence {
    logs: Vec<PathBuf>,
    place: PathBuf,
    needed: bool,
}

impl Evidence {
    pub(super) fn of(bed: &TestBed, seed: u64) -> Self {
        let servers = bed.system.servers();
        let programs = bed.daemons().map(|(kind, index)| bed.program(kind, index).log());
        let nodes = servers.nodes().map(RabbitMq::log);
        let logs = programs.chain(nodes).chain([servers.postgres.log()]);
        Self {
            logs: logs.map(Path::to_owned).collect(),
            place: std::env::temp_dir().join(format!("faithtracker-chaos-{seed}")),
            needed: true,
        }
    }

    pub(super) fn discard(mut self) {
        self.needed = false;
    }
}

impl Drop for Evidence {
    fn drop(&mut self) {
        if !self.needed || fs::create_dir_all(&self.place).is_err() {
            return;
        }
        for log in &self.logs {
            if let Some(name) = log.file_name() {
                fs::copy(log, self.place.join(name)).ok();
            }
        }
        println!("the logs are kept in {}", self.place.display());
    }
}
