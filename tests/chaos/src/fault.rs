//! Which fault comes next: drawn from the seed alone.

use std::time::Duration;

use rand::{RngExt, rngs::StdRng};

/// What can be done to something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// SIGKILL, and started again.
    Kill,
    /// SIGSTOP, and SIGCONT.
    Freeze,
    /// SIGTERM, which must drain in time, and started again.
    Remove,
    /// RabbitMQ raises its memory alarm.
    Alarm,
    /// PostgreSQL stops as after a crash, and recovers.
    Crash,
    /// A proxy passes everything on late.
    Latency,
    /// A proxy breaks what is open.
    Reset,
    /// A proxy holds everything back.
    Pause,
    /// A proxy throws everything away.
    BlackHole,
    /// A proxy closes what is open towards the server alone.
    HalfOpen,
    /// A proxy lets nobody in.
    Refuse,
    /// The core answers 500 and 503.
    CoreErrors,
    /// The core answers 429 with `Retry-After`.
    CoreLimits,
    /// The core never answers.
    CoreHangs,
    /// The core knows nobody.
    CoreNotFound,
    /// The core's JSON ends in the middle.
    CoreTruncates,
    /// The core's connections break in the middle of a body.
    CoreCuts,
    /// The core's answers are old when they come.
    CoreStale,
    /// The core's tokens are void.
    CoreForgets,
}

/// What it is done to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Target {
    Gateway(usize),
    Worker(usize),
    Rabbitmq,
    Postgres,
    Core,
    /// A proxy, by its place among all.
    Proxy(usize),
}

/// A fault.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fault {
    pub(super) kind: Kind,
    pub(super) target: Target,
    pub(super) lasts: Duration,
    /// For what else is to be chosen.
    pub(super) dice: f64,
}

/// How many there are of what can be struck.
#[derive(Debug, Clone, Copy)]
pub(super) struct Targets {
    pub(super) gateways: usize,
    pub(super) workers: usize,
    pub(super) proxies: usize,
}

impl Fault {
    /// The next one.
    pub(super) fn draw(random: &mut StdRng, targets: Targets) -> Self {
        let target = match random.random_range(0..100) {
            0..15 => Target::Gateway(random.random_range(0..targets.gateways)),
            15..40 => Target::Worker(random.random_range(0..targets.workers)),
            40..47 => Target::Rabbitmq,
            47..54 => Target::Postgres,
            54..70 => Target::Core,
            _ => Target::Proxy(random.random_range(0..targets.proxies)),
        };
        let kinds = kinds_of(target);
        let kind = kinds[random.random_range(0..kinds.len())];
        // Most are short and some are long.
        let seconds = 0.1 + 8.0 * random.random::<f64>().powi(3);
        let lasts = Duration::from_secs_f64(seconds);
        Self { kind, target, lasts, dice: random.random() }
    }
}

/// What can be done to a target; what stands there twice comes twice as often.
fn kinds_of(target: Target) -> &'static [Kind] {
    match target {
        Target::Gateway(_) | Target::Worker(_) => {
            &[Kind::Kill, Kind::Kill, Kind::Freeze, Kind::Remove]
        }
        Target::Rabbitmq => &[Kind::Kill, Kind::Kill, Kind::Freeze, Kind::Alarm],
        Target::Postgres => &[Kind::Crash, Kind::Crash, Kind::Freeze],
        Target::Core => &[
            Kind::CoreErrors,
            Kind::CoreErrors,
            Kind::CoreLimits,
            Kind::CoreHangs,
            Kind::CoreNotFound,
            Kind::CoreTruncates,
            Kind::CoreCuts,
            Kind::CoreStale,
            Kind::CoreStale,
            Kind::CoreForgets,
        ],
        Target::Proxy(_) => &[
            Kind::Latency,
            Kind::Reset,
            Kind::Pause,
            Kind::BlackHole,
            Kind::HalfOpen,
            Kind::Refuse,
        ],
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn the_same_seed_draws_the_same_faults() {
        let targets = Targets { gateways: 2, workers: 4, proxies: 7 };
        let draw = || {
            let mut random = StdRng::seed_from_u64(7);
            (0..100).map(|_| format!("{:?}", Fault::draw(&mut random, targets))).collect::<Vec<_>>()
        };
        assert_eq!(draw(), draw());
    }
}
