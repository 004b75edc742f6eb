//! The guardian: a small shell process that ends our children when we are gone.
//!
//! `PR_SET_PDEATHSIG` would be shorter (`setpriv --pdeathsig`), but the kernel ties it to the
//! *thread* that started the child, and test threads and tokio's blocking threads end long before
//! the process does. The end of a pipe belongs to the whole process and survives `kill -9`.
//!
//! A child announces itself: its standard input is the pipe's writing end until it has written its
//! own pid there. So there is no moment in which it runs unwatched, and no descriptor is left open
//! in it.

use std::{
    io::{self, PipeWriter, Write},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
};

use nix::unistd::Pid;

const SCRIPT: &str = include_str!("guardian.sh");

struct Guardian {
    orders: PipeWriter,
    process: Child,
}

/// One guardian for the process, started with the first child.
static GUARDIAN: Mutex<Option<Guardian>> = Mutex::new(None);

/// The writing end of the guardian's pipe, for a child to announce itself on.
pub(super) fn orders() -> io::Result<PipeWriter> {
    let mut guardian = lock();
    if let Some(guardian) = guardian.as_ref() {
        return guardian.orders.try_clone();
    }
    let (reader, orders) = io::pipe()?;
    let process = Command::new("/bin/sh")
        // Not as an argument, which would fill the list of processes.
        .args(["-c", "eval \"$GUARDIAN\"", "guardian"])
        .env("GUARDIAN", SCRIPT)
        .current_dir("/")
        .stdin(reader)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // A group of its own, so that neither Ctrl-C nor a kill of ours reaches it.
        .process_group(0)
        .spawn()?;
    let clone = orders.try_clone()?;
    *guardian = Some(Guardian { orders, process });
    Ok(clone)
}

/// The child has ended: its pid may be given to a stranger from now on.
pub(super) fn forget(pid: Pid) {
    order(&format!("forget {pid}\n"));
}

/// Has `folder` deleted once this program and all its children have ended.
pub fn remove_at_the_end(folder: &Path) -> io::Result<()> {
    orders()?;
    order(&format!("remove {}\n", folder.display()));
    Ok(())
}

fn order(line: &str) {
    if let Some(guardian) = lock().as_mut() {
        // It ignores all signals but KILL; if someone killed it, there is nobody left to tell.
        guardian.orders.write_all(line.as_bytes()).ok();
    }
}

/// Lets the guardian do its work now and waits until it is gone: the last thing before a program
/// ends that wants to leave no process behind.
pub fn dismiss_guardian() {
    if let Some(Guardian { orders, mut process }) = lock().take() {
        drop(orders);
        process.wait().ok();
    }
}

fn lock() -> MutexGuard<'static, Option<Guardian>> {
    GUARDIAN.lock().unwrap_or_else(PoisonError::into_inner)
}
