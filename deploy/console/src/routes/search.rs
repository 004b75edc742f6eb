//! `/search?q=`: one field for every id, and for campuses by their names.

use std::collections::BTreeMap;

use askama::Template;
use axum::{extract::Query, http::StatusCode, response::Response};
use serde::Deserialize;
use store::records::{Found, SearchSpan, campus_names, search};
use uuid::Uuid;

use super::status_sign::StatusSign;
use crate::{
    failure::Failure,
    frame::{Frame, page},
    moments::Moment,
    safe_text::shown,
    visit::Visit,
};

/// No id and no name is longer.
const LONGEST: usize = 256;

#[derive(Template)]
#[template(path = "search.html")]
struct SearchPage {
    frame: Frame,
    asked: String,
    /// Whether anything was asked for.
    is_asked: bool,
    is_empty: bool,
    /// How far back else a trace can be looked for.
    further: Vec<Further>,
    deliveries: Vec<Delivery>,
    letters: Vec<Letter>,
    runs: Vec<Run>,
    campuses: Vec<Campus>,
}

struct Further {
    link: String,
    words: String,
}

struct Delivery {
    id: String,
    campus: String,
    event_type: String,
    event_id: String,
    member_id: String,
    received: Moment,
    status: StatusSign,
    error: String,
}

struct Letter {
    id: String,
    campus: String,
    event_type: String,
    member_id: String,
    cause: String,
    meaning: String,
    dead: Moment,
    status: StatusSign,
}

struct Run {
    id: String,
    campus: String,
    started: Moment,
    status: StatusSign,
}

struct Campus {
    id: String,
    name: String,
}

/// What the address carries.
#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    q: String,
    #[serde(default)]
    span: String,
}

/// Shows what was found.
pub(super) async fn show(visit: Visit, Query(asked): Query<Asked>) -> Result<Response, Failure> {
    let on = visit.logged_in()?;
    // Postgres takes no zero byte in a text.
    let text = asked.q.trim().replace('\0', "");
    let span = match asked.span.as_str() {
        "week" => SearchSpan::Week,
        "all" => SearchSpan::Everything,
        _ => SearchSpan::Day,
    };
    let is_asked = !text.is_empty() && text.chars().count() <= LONGEST;
    let (found, names) = if is_asked {
        let is_trace = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_trace && !visit.console.slow_searches.admit(on.token.hash()) {
            return Err(Failure::TooMany);
        }
        let client = visit.console.pool.get().await?;
        let found = search(&client, &text, on.scope(), span).await?;
        (found, campus_names(&client, on.scope()).await?.into_iter().collect())
    } else {
        (Found::default(), BTreeMap::new())
    };
    let template = of(&visit, &text, is_asked, span, &found, &names);
    page(&template, StatusCode::OK)
}

fn of(
    visit: &Visit,
    text: &str,
    is_asked: bool,
    span: SearchSpan,
    found: &Found,
    names: &BTreeMap<Uuid, String>,
) -> SearchPage {
    let (language, clock) = (visit.language(), visit.clock());
    let name = |id: Option<Uuid>| match id {
        Some(id) => names.get(&id).map_or_else(|| id.to_string(), |name| shown(name)),
        None => "–".to_owned(),
    };
    let optional = |text: &Option<String>| text.as_deref().map_or_else(|| "–".to_owned(), shown);
    let mut frame = Frame::new(visit, &language.t("search-title"));
    frame.query = shown(text);
    let is_empty = found.deliveries.is_empty()
        && found.letters.is_empty()
        && found.runs.is_empty()
        && found.campuses.is_empty();
    let further = if found.is_trace && found.deliveries.is_empty() {
        let steps = [("week", "search-week"), ("all", "search-all")];
        let left = match span {
            SearchSpan::Day => &steps[..],
            SearchSpan::Week => &steps[1..],
            SearchSpan::Everything => &[],
        };
        let step = |(span, key): &(&str, &str)| Further {
            link: format!("/search?q={text}&span={span}"),
            words: language.t(key),
        };
        left.iter().map(step).collect()
    } else {
        Vec::new()
    };
    SearchPage {
        frame,
        asked: shown(text),
        is_asked,
        is_empty,
        further,
        deliveries: found
            .deliveries
            .iter()
            .map(|one| Delivery {
                id: one.id.to_string(),
                campus: name(Some(one.campus_id)),
                event_type: shown(&one.event_type),
                event_id: shown(&one.event_id),
                member_id: optional(&one.member_id),
                received: clock.moment(one.received_at),
                status: StatusSign::of(&one.status, language),
                error: one.error.as_deref().map(shown).unwrap_or_default(),
            })
            .collect(),
        letters: found
            .letters
            .iter()
            .map(|one| Letter {
                id: one.id.to_string(),
                campus: name(one.campus_id),
                event_type: optional(&one.event_type),
                member_id: optional(&one.member_id),
                cause: one.cause.clone(),
                meaning: language.t(&format!("cause-{}", one.cause)),
                dead: clock.moment(one.dead_at),
                status: StatusSign::of(&one.status, language),
            })
            .collect(),
        runs: found
            .runs
            .iter()
            .map(|one| Run {
                id: one.id.to_string(),
                campus: name(Some(one.campus_id)),
                started: clock.moment(one.started_at),
                status: StatusSign::of(&one.status, language),
            })
            .collect(),
        campuses: found
            .campuses
            .iter()
            .map(|(id, name)| Campus { id: id.to_string(), name: shown(name) })
            .collect(),
    }
}
