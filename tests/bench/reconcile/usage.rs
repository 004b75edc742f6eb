//! Processor time, what a process used itself and what its children did apart.

use std::{fs, path::PathBuf};

/// Linux counts processor time in hundredths of a second, whatever its clock.
const TICKS: f64 = 100.0;

/// What a process and its children have used.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Used {
    /// Seconds of its own.
    pub(super) own: f64,
    /// Seconds of its children that have ended.
    pub(super) children: f64,
}

/// What a process has used until now; nothing where there is none.
pub(super) fn of(process: u32) -> Used {
    let Some(fields) = fields(process) else { return Used::default() };
    let seconds = |index: usize| fields[index].parse::<f64>().unwrap_or_default() / TICKS;
    Used { own: seconds(11) + seconds(12), children: seconds(13) + seconds(14) }
}

/// The server process of a Postgres.
pub(super) fn postmaster(data_folder: &str) -> i32 {
    let file = PathBuf::from(data_folder).join("postmaster.pid");
    fs::read_to_string(file).unwrap().lines().next().unwrap().trim().parse().unwrap()
}

/// The fields of `/proc/PID/stat` after the name, which may have spaces: state, parent, ….
fn fields(process: u32) -> Option<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    Some(fields.split_whitespace().map(str::to_owned).collect())
}
