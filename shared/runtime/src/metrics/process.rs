//! What every program tells of itself: its version, whether it is ready, what it uses of the machine.

use std::time::{SystemTime, UNIX_EPOCH};

use super::{meter, observe, observe_each};
use crate::Health;

/// Clock ticks a second in `/proc/PID/stat`: 100 for every program on Linux, see `man 7 time`.
const TICKS_A_SECOND: f64 = 100.0;

/// Shows the program's version and health, and the usual `process_*` metrics of Prometheus clients.
pub(crate) fn observe_program(program: &str, health: &Health) {
    observe_each(format!("{program}_build_info"), "Always 1; the version is its label", || {
        vec![(vec![("version", env!("CARGO_PKG_VERSION").to_owned())], 1.0)]
    });
    let checked = health.clone();
    observe(format!("{program}_ready"), "1 while /readyz answers 200", move || {
        Some(if checked.reasons().is_empty() { 1.0 } else { 0.0 })
    });
    let checked = health.clone();
    observe_each(
        format!("{program}_dependency_up"),
        "1 while a dependency does what is asked of it",
        move || {
            let states = checked.states().into_iter();
            states
                .map(|(name, is_well)| {
                    (vec![("dependency", name.to_owned())], if is_well { 1.0 } else { 0.0 })
                })
                .collect()
        },
    );
    let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    observe("process_start_time_seconds", "When the program started, since the epoch", move || {
        Some(started)
    });
    observe("process_resident_memory_bytes", "Memory that the program holds", resident_bytes);
    observe("process_open_fds", "Open files and sockets", || {
        Some(f64::from(u32::try_from(std::fs::read_dir("/proc/self/fd").ok()?.count()).ok()?))
    });
    observe("process_max_fds", "Files and sockets that may be open", max_fds);
    meter()
        .f64_observable_counter("process_cpu_seconds")
        .with_description("CPU time, of the program and of the kernel for it")
        .with_callback(|counter| {
            if let Some(seconds) = cpu_seconds() {
                counter.observe(seconds, &[]);
            }
        })
        .build();
}

fn resident_bytes() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<f64>().ok()? * 1024.0)
}

fn max_fds() -> Option<f64> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The program's name, in brackets, may have spaces; user and system time are fields 14 and 15.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_A_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_knows_what_it_uses() {
        assert!(resident_bytes().unwrap() > 100_000.0);
        assert!(max_fds().unwrap() >= 1.0);
        assert!(cpu_seconds().unwrap() >= 0.0);
    }
}
