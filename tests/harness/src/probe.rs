//! What the machine can do at the moment: how late a trivial exchange is, beside a test.

use std::{
    io::{self, Read, Write},
    os::unix::net::UnixStream,
    sync::{Arc, Mutex, PoisonError, Weak},
    thread,
    time::{Duration, Instant},
};

/// Between two exchanges.
const PAUSE: Duration = Duration::from_millis(20);
/// An answer waits for the processor several times: its request is read, its confirm or its timer is
/// noticed, it is written, and it is read.
const TURNS: u32 = 4;
/// Exchanges that are remembered: a minute.
const KEPT: usize = 3000;

/// Exchanges a byte with a thread beside, again and again, as a client and a server that do nothing
/// else: on a machine without work left over, they are late. Ends when dropped.
pub(super) struct MachineProbe {
    exchanges: Arc<Mutex<Vec<Exchange>>>,
}

/// One exchange: when it should have begun, and how late it was done; not at all yet where it is the
/// last one and under way.
#[derive(Clone, Copy)]
struct Exchange {
    due: Instant,
    late: Option<Duration>,
}

impl Exchange {
    fn late_at(&self, now: Instant) -> Duration {
        self.late.unwrap_or_else(|| now.saturating_duration_since(self.due))
    }
}

impl MachineProbe {
    pub(super) fn start() -> io::Result<Self> {
        let (near, mut far) = UnixStream::pair()?;
        thread::spawn(move || {
            let mut byte = [0];
            while far.read_exact(&mut byte).is_ok() && far.write_all(&byte).is_ok() {}
        });
        let exchanges = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::downgrade(&exchanges);
        thread::spawn(move || exchange_until_dropped(near, &kept));
        Ok(Self { exchanges })
    }

    /// What a machine without work left over would have saved an answer that was asked for at
    /// `since`: zero or some milliseconds on a quiet one.
    pub(super) fn delay_since(&self, since: Instant) -> Duration {
        let exchanges = self.exchanges.lock().unwrap_or_else(PoisonError::into_inner);
        delay(&exchanges, since, Instant::now())
    }
}

fn delay(exchanges: &[Exchange], since: Instant, now: Instant) -> Duration {
    let meanwhile = exchanges.iter().rev().map(|exchange| (exchange.due, exchange.late_at(now)));
    let meanwhile = meanwhile.take_while(|(due, late)| *due + *late >= since);
    meanwhile.map(|(_, late)| late).max().unwrap_or_default() * TURNS
}

fn exchange_until_dropped(mut near: UnixStream, kept: &Weak<Mutex<Vec<Exchange>>>) {
    let mut byte = [0];
    loop {
        let due = Instant::now() + PAUSE;
        let Some(exchanges) = kept.upgrade() else { return };
        let mut all = exchanges.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() == KEPT {
            all.drain(..KEPT / 2);
        }
        all.push(Exchange { due, late: None });
        drop(all);
        thread::sleep(PAUSE);
        if near.write_all(&byte).and_then(|()| near.read_exact(&mut byte)).is_err() {
            return;
        }
        let late = Some(due.elapsed());
        let mut all = exchanges.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = all.last_mut() {
            last.late = late;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_under_way_meanwhile_counts() {
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let late = |due, milliseconds: Option<u64>| Exchange {
            due: at(due),
            late: milliseconds.map(Duration::from_millis),
        };
        let exchanges =
            [late(0, Some(500)), late(600, Some(5)), late(700, Some(30)), late(800, None)];
        let delay = |since, now| delay(&exchanges, at(since), at(now));
        assert_eq!(delay(700, 800), Duration::from_millis(30) * TURNS);
        assert_eq!(delay(700, 900), Duration::from_millis(100) * TURNS, "the one under way");
        assert_eq!(delay(300, 800), Duration::from_millis(500) * TURNS, "it ended meanwhile");
        assert_eq!(delay(750, 790), Duration::ZERO, "none was late meanwhile");
    }
}
