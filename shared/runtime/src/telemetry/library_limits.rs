//! What other people's libraries may say in our logs, however much is asked for.
//!
//! At `debug` the Postgres client writes the values of every statement, names and phones among
//! them, and at `trace` the RabbitMQ client writes its frames, with bodies and its password. Whoever
//! sets `RUST_LOG=debug` at three in the morning wants neither in a log collector.

use tracing::{Level, Metadata};

/// Libraries and the most that they may say.
const LIMITS: [(&str, Level); 5] = [
    ("tokio_postgres", Level::INFO),
    ("lapin", Level::DEBUG),
    ("hyper", Level::DEBUG),
    ("reqwest", Level::DEBUG),
    ("rustls", Level::DEBUG),
];

/// Whether a line of this kind may be written at all.
pub(super) fn allows(metadata: &Metadata<'_>) -> bool {
    LIMITS
        .iter()
        .find(|(library, _)| metadata.target().starts_with(library))
        .is_none_or(|(_, most)| metadata.level() <= most)
}
