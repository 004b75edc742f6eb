//! `RUST_LOG`: which lines are written. A slip of the pen in it must not silence a program, since
//! whoever looks for its lines at night finds none.

use tracing_subscriber::{EnvFilter, filter::LevelFilter};

use crate::{SettingError, Settings, variables};

/// The target of the spans that are exported, and of nothing else. Log lines are not marked with
/// them: that would format every field of every span, whether or not a line is ever written. Where
/// nothing is exported they are switched off at their place in the code, and cost a look at an atomic.
pub const TRACES: &str = "traces";

/// What is only written where `RUST_LOG` names it: the RabbitMQ client logs each refusal as an error, also one that is
/// expected, as when a gateway without rights declares the queues. What an error means is logged by whoever asked.
const ON_REQUEST: &str = "lapin=off";

/// What is written whatever level is asked for, unless its target is named: who changed what.
const ALWAYS: &str = "audit=info";

/// The targets of our own lines.
const OURS: [&str; 15] = [
    "audit",
    "gateway",
    "worker",
    "reconciler",
    "faithctl",
    "campus",
    "campus_core",
    "core_api",
    "database",
    "event",
    "member",
    "queue",
    "retry",
    "runtime",
    "store",
];

/// The filter that it asks for.
pub(super) fn filter(settings: &Settings) -> Result<EnvFilter, SettingError> {
    let levels = settings.required(variables::RUST_LOG)?;
    let wrong = |problem| {
        SettingError::new(
            variables::RUST_LOG,
            problem,
            "for example info or info,worker=debug, or off",
        )
    };
    if is_silent(levels) {
        return Err(wrong(
            "silences everything: it has no level, and names no part of the program",
        ));
    }
    EnvFilter::try_new(format!("{ON_REQUEST},{ALWAYS},{levels},{TRACES}=off"))
        .map_err(|_| wrong("cannot be read"))
}

/// Whether nothing of ours would be written, and nobody asked for that: a word that is no level is a
/// target, and turns everything else off.
fn is_silent(levels: &str) -> bool {
    let directives: Vec<&str> =
        levels.split(',').map(str::trim).filter(|directive| !directive.is_empty()).collect();
    if directives.iter().any(|word| word.parse::<LevelFilter>().is_ok()) {
        return false;
    }
    // Without a level for all, each word must be meant: `inof,worker=debug` is not.
    let is_bare = |directive: &&&str| !directive.contains(['=', '[']);
    if directives.iter().filter(is_bare).any(|word| !is_ours(word)) {
        return true;
    }
    !directives.iter().any(|directive| {
        let target = directive.split(['=', '[']).next().unwrap_or_default();
        target.is_empty() || is_ours(target)
    })
}

fn is_ours(target: &str) -> bool {
    OURS.iter().any(|ours| ours.starts_with(target) || target.starts_with(ours))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_of_rabbitmq_is_logged_on_request() {
        let of = |levels: &str| filter(&Settings::from_pairs([("RUST_LOG", levels)])).unwrap();
        assert!(of("debug").to_string().contains("lapin=off"));
        let asked = of("info,lapin=debug").to_string();
        assert!(asked.contains("lapin=debug") && !asked.contains("lapin=off"), "{asked}");
    }

    #[test]
    fn only_who_means_it_is_silent() {
        for meant in [
            "info",
            "OFF",
            "off",
            "3",
            "info,worker=debug",
            "worker=debug",
            "gateway",
            "queue::publisher",
            "info,tower",
            "warn,lapin=off",
            "[span]=debug",
            "info,wroker=debug",
            "hyper=debug,gateway=info",
        ] {
            assert!(!is_silent(meant), "{meant}");
        }
        for slip in ["inof", "wroker=debug", "inof,worker=debug", "hyper=debug", "tru", "debu", ","]
        {
            assert!(is_silent(slip), "{slip}");
        }
    }
}
