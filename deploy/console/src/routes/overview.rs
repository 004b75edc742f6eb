//! `/`: what is worth a look first, then how everything is.

use askama::Template;
use axum::{http::StatusCode, response::Response};
use serde_json::Value;
use status::{InstanceRecord, Problem};
use store::OperatorRole;

use super::status_sign::StatusSign;
use crate::{
    failure::Failure,
    frame::{Frame, page},
    moments::{Clock, Moment},
    safe_text::shown,
    sampler::Sample,
    visit::{LoggedIn, Visit},
};

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    frame: Frame,
    /// Why the numbers are not those of now; empty: they are.
    stale: String,
    /// None: nothing could ever be read.
    now: Option<Now>,
}

struct Now {
    at: String,
    matters: Vec<Matter>,
    /// What is seen where nothing is worth a look.
    last_received: Option<Moment>,
    is_first: bool,
    /// Whether it is more than an office's part.
    is_whole: bool,
    tiles: Vec<Tile>,
    programs: Vec<ProgramLine>,
    letters: Vec<Letters>,
    runs: Vec<RunLine>,
}

/// Something to look at.
struct Matter {
    is_stop: bool,
    headline: String,
    campus: String,
    detail: String,
    do_next: String,
}

/// A number of the flow.
struct Tile {
    name: String,
    value: String,
    unit: String,
}

struct ProgramLine {
    program: String,
    host: String,
    version: String,
    class: &'static str,
    sign: &'static str,
    state: String,
    reasons: Vec<String>,
    seen: String,
    started: Moment,
    is_silent: bool,
}

struct Letters {
    cause: String,
    meaning: String,
    open: String,
    replaying: String,
    oldest: Moment,
}

struct RunLine {
    campus: String,
    status: StatusSign,
    started: Moment,
    held: String,
    error: String,
}

/// Shows it.
pub(super) async fn show(visit: Visit) -> Result<Response, Failure> {
    let on = visit.logged_in()?;
    let (language, clock) = (visit.language(), visit.clock());
    let latest = visit.console.sampler.latest().await;
    if latest.sample.is_none() {
        return Err(latest.failure.unwrap_or(Failure::Unavailable));
    }
    let stale = match (&latest.sample, latest.failure) {
        (Some(sample), Some(failure)) => {
            let key = if failure == Failure::TooSlow { "overview-slow" } else { "overview-stale" };
            language.about(key, "since", &clock.time(sample.at, true))
        }
        _ => String::new(),
    };
    let template = OverviewPage {
        frame: Frame::new(&visit, &language.t("overview-title")),
        stale,
        now: latest.sample.as_deref().map(|sample| now(on, clock, sample)),
    };
    page(&template, StatusCode::OK)
}

/// As far as somebody may see it: an office its own campuses' part.
fn now(on: &LoggedIn, clock: Clock, sample: &Sample) -> Now {
    let language = clock.language;
    let is_whole = on.scope().is_none() && on.role != OperatorRole::Office;
    let status = &sample.status;
    let campuses: Vec<_> =
        status.campuses.iter().flatten().filter(|campus| on.sees(campus.campus_id)).collect();
    let matters = status.attention.iter().filter_map(|problem| {
        let campus = match problem.campus_id {
            Some(id) => Some(campuses.iter().find(|campus| campus.campus_id == id)?),
            None => None,
        };
        // What is everybody's is told without whose it is: it explains what an office sees.
        (campus.is_some() || is_whole || problem.stops_events)
            .then(|| matter(problem, campus.map(|campus| campus.name.as_str()), is_whole, clock))
    });
    Now {
        at: clock.time(sample.at, true),
        matters: matters.collect(),
        last_received: status
            .flow
            .as_ref()
            .and_then(|flow| flow.last_received_at)
            .filter(|_| is_whole)
            .map(|at| clock.moment(at)),
        is_first: campuses.is_empty(),
        is_whole,
        tiles: if is_whole { tiles(sample, clock) } else { Vec::new() },
        programs: status
            .connected
            .iter()
            .flat_map(|connected| &connected.programs)
            .filter(|_| is_whole)
            .map(|one| program(one, clock))
            .collect(),
        letters: status
            .dead_letters
            .iter()
            .flatten()
            .filter(|_| is_whole)
            .map(|letters| Letters {
                cause: letters.cause.clone(),
                meaning: language.t(&format!("cause-{}", letters.cause)),
                open: language.number(letters.open),
                replaying: language.number(letters.replaying),
                oldest: clock.moment(letters.oldest_dead_at),
            })
            .collect(),
        runs: status
            .runs
            .iter()
            .flatten()
            .filter(|run| on.sees(run.campus_id))
            .map(|run| RunLine {
                campus: shown(&run.campus_name),
                status: StatusSign::of(&run.status, language),
                started: clock.moment(run.started_at),
                held: language.number(run.candidates_held.into()),
                error: run.error_message.as_deref().map(shown).unwrap_or_default(),
            })
            .collect(),
    }
}

fn matter(problem: &Problem, campus: Option<&str>, is_whole: bool, clock: Clock) -> Matter {
    let kind = problem.kind.as_str();
    Matter {
        is_stop: problem.stops_events,
        headline: clock.language.t(&format!("problem-{kind}")),
        campus: campus.map(shown).unwrap_or_default(),
        detail: if campus.is_some() || is_whole { problem.summary.clone() } else { String::new() },
        do_next: clock.language.t(&format!("problem-{kind}-do")),
    }
}

fn tiles(sample: &Sample, clock: Clock) -> Vec<Tile> {
    let Some(flow) = &sample.status.flow else { return Vec::new() };
    let language = clock.language;
    let per_minute = |name: &str, rate: f64| Tile {
        name: language.t(name),
        value: language.decimal(rate),
        unit: language.t("overview-per-minute"),
    };
    #[allow(clippy::cast_possible_truncation, reason = "seconds of days")]
    let lag =
        flow.lag_seconds.map_or_else(|| "–".to_owned(), |seconds| clock.lasting(seconds as i64));
    vec![
        per_minute("overview-received", flow.received_per_minute),
        per_minute("overview-processed", flow.processed_per_minute),
        Tile { name: language.t("overview-lag"), value: lag, unit: String::new() },
        Tile {
            name: language.t("overview-retrying"),
            value: language.number(flow.retrying),
            unit: String::new(),
        },
    ]
}

fn program(one: &InstanceRecord, clock: Clock) -> ProgramLine {
    let language = clock.language;
    let is_ready = one.state["ready"] == Value::Bool(true);
    let (class, sign, key) = match (one.silent, is_ready) {
        (true, _) => ("bad", "■", "program-silent"),
        (false, true) => ("good", "✓", "program-ready"),
        (false, false) => ("warn", "▲", "program-not-ready"),
    };
    let reasons = one.state["reasons"].as_object().into_iter().flatten();
    ProgramLine {
        program: one.program.clone(),
        host: shown(&one.host),
        version: shown(&one.version),
        class,
        sign,
        state: language.t(key),
        reasons: reasons
            .map(|(check, reason)| {
                shown(&format!("{check}: {}", reason.as_str().unwrap_or_default()))
            })
            .collect(),
        seen: clock.moment(one.seen_at).age,
        started: clock.moment(one.started_at),
        is_silent: one.silent,
    }
}
