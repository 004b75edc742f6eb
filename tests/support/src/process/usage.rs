//! What a process has taken of the machine, with all that descends from it: read from `/proc`, see
//! proc(5).

use std::{fs, time::Duration};

use nix::unistd::{Pid, SysconfVar, sysconf};

use super::tree;

/// Processor time of a process, its living descendants, and those of them that were waited for.
///
/// In steps of the kernel's clock tick, mostly 10 ms.
pub fn processor_time(process: i32) -> Duration {
    let ticks: u64 = tree::of(Pid::from_raw(process)).into_iter().filter_map(ticks).sum();
    let ticks_a_second = sysconf(SysconfVar::CLK_TCK).ok().flatten().unwrap_or(100);
    let ticks_a_second = u32::try_from(ticks_a_second).unwrap_or(100).max(1);
    Duration::from_secs(ticks) / ticks_a_second
}

fn ticks(pid: Pid) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold anything, so look behind its last bracket: the state is field 3, and
    // utime, stime, cutime, cstime are fields 14 to 17.
    let (_, fields) = stat.rsplit_once(") ")?;
    fields.split_whitespace().skip(11).take(4).map(|field| field.parse::<u64>().ok()).sum()
}

/// Memory that a process has resident now, in KiB.
pub fn resident_memory(process: i32) -> Option<u64> {
    status(process, "VmRSS:")
}

/// The most memory that a process had resident since its start, or since
/// [`forget_peak_memory`], in KiB.
pub fn peak_memory(process: i32) -> Option<u64> {
    status(process, "VmHWM:")
}

/// Begins the peak anew.
pub fn forget_peak_memory(process: i32) {
    // 5 resets the peak resident set size; where that is not allowed, the old peak stays.
    fs::write(format!("/proc/{process}/clear_refs"), "5").ok();
}

fn status(process: i32, field: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_takes_time_and_memory() {
        let me = std::process::id().cast_signed();
        let before = processor_time(me);
        while processor_time(me) == before {
            std::hint::black_box(fs::read_to_string("/proc/self/status").ok());
        }
        assert!(resident_memory(me).unwrap() > 1000);
        assert!(peak_memory(me) >= resident_memory(me));
    }
}
