//! Who descends from a process: read from `/proc`, because sessions and groups of their own (every
//! Postgres backend has one) hide descendants from signals to a group.

use std::fs;

use nix::unistd::Pid;

/// The process and all its descendants, parents before children.
pub(super) fn of(root: Pid) -> Vec<Pid> {
    let mut tree = vec![root];
    let mut next = 0;
    while let Some(pid) = tree.get(next) {
        tree.extend(children(*pid));
        next += 1;
    }
    tree
}

fn children(pid: Pid) -> Vec<Pid> {
    // Any thread may have forked, so every thread has a list.
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    threads
        .flatten()
        .filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok())
        .flat_map(|list| list.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
        .filter_map(|pid| pid.parse().ok().map(Pid::from_raw))
        .collect()
}

/// Whether the process still runs; one that only waits to be reaped does not.
pub(super) fn is_alive(pid: Pid) -> bool {
    // `pid (name) state …`: the name may hold anything, so look behind its last bracket.
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        stat.rsplit_once(") ").is_some_and(|(_, fields)| !fields.starts_with(['Z', 'X']))
    })
}

/// Whether every thread of a process has stopped, or it is gone.
pub(super) fn is_stopped(pid: Pid) -> bool {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return true };
    threads.flatten().all(|thread| {
        let Ok(stat) = fs::read_to_string(thread.path().join("stat")) else { return true };
        stat.rsplit_once(") ").is_none_or(|(_, fields)| fields.starts_with(['T', 't', 'Z', 'X']))
    })
}
