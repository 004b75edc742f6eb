//! `GET {prefix}/members/`: pages without an order.

use serde_json::{Value, json};

use super::church::Row;
use super::core::Core;
use super::dice::Dice;
use super::document::Document;
use super::faults::{FaultKind, NO_CHURCH_ID, Strike};
use super::login::Access;
use super::options::{ListShape, Settings};
use super::reply::{self, Reply};
use super::roster::Found;
use super::validation::{self, boolean, whole_number};

/// What lists of newer versions leave out, and what comes back instead.
const LEFT_OUT: [&str; 17] = [
    "city",
    "state",
    "country",
    "occupation",
    "membership_date",
    "household_id",
    "notes",
    "current_status_id",
    "blood_type",
    "photo_filename",
    "personal_document",
    "personal_document_base64",
    "personal_qr_code",
    "personal_qr_data",
    "preferred_language",
    "deleted_at",
    "deleted_by",
];

/// Answers a page.
pub(super) fn answer(
    core: &Core,
    access: Access,
    query: Option<&str>,
    strike: Option<&Strike>,
) -> Reply {
    let query = validation::query(query);
    let mut complaints = Vec::new();
    let skip = whole_number(&query, "skip", 0, 0, None, &mut complaints);
    let limit = whole_number(&query, "limit", 100, 1, Some(1000), &mut complaints);
    let is_active = boolean(&query, "is_active", &mut complaints);
    if !complaints.is_empty() {
        return validation::refusal(&complaints);
    }
    let settings = core.settings();
    if let Some(Strike { kind: FaultKind::LargePage { rows, status }, .. }) = strike
        && limit > *rows
    {
        return reply::detail(*status, "Too many rows");
    }
    let limit = settings.page_cap.map_or(limit, |cap| cap.min(limit));
    let place = shifted(skip, limit, &settings);
    let is_plain = strike.is_none() && is_active.is_none() && !differs(&settings);
    if is_plain
        && settings.list_shape == ListShape::Array
        && let Some(rows) = core.prebuilt_page(access.church, place, limit)
    {
        return reply::list(rows);
    }
    let rows = match strike.map(|strike| &strike.kind) {
        Some(FaultKind::ShortList { rows }) => {
            let limit = limit.min(rows.saturating_sub(place));
            core.page(access.church, is_active, place, usize::try_from(limit).unwrap_or(0))
        }
        Some(FaultKind::Shuffled) => shuffled(core, access, is_active, place, limit),
        Some(FaultKind::Round | FaultKind::Endless) => round(core, access, is_active, place, limit),
        Some(FaultKind::IgnoresSkip) => {
            core.page(access.church, is_active, 0, usize::try_from(limit).unwrap_or(0))
        }
        _ => core.page(access.church, is_active, place, usize::try_from(limit).unwrap_or(0)),
    };
    let is_cut = matches!(strike, Some(Strike { kind: FaultKind::ShortList { .. }, .. }));
    if let Some(Strike { kind: FaultKind::BadRow, member_id, others }) = strike
        && rows.iter().any(|row| {
            is_meant(row, member_id.as_deref()) || others.iter().any(|id| is_meant(row, Some(id)))
        })
    {
        return reply::internal_error();
    }
    let page = match strike.map(|strike| &strike.kind) {
        Some(FaultKind::Endless) => strangers(&rows, place),
        _ => render(&rows, &settings, strike),
    };
    match settings.list_shape {
        ListShape::Array => reply::rendered(200, page),
        ListShape::Pagination => {
            let total = core.total(access.church, is_active);
            let is_endless = strike.is_some_and(|strike| strike.kind.is_endless());
            let pagination = json!({
                "total": total,
                "limit": limit,
                "offset": skip,
                "has_more": is_endless || skip + (rows.len() as u64) < total && !(is_cut && rows.len() as u64 != limit),
            });
            let mut envelope = b"{\"data\":".to_vec();
            envelope.extend_from_slice(&page);
            envelope.extend_from_slice(format!(",\"pagination\":{pagination}}}").as_bytes());
            reply::rendered(200, envelope)
        }
    }
}

/// As many rows as there would be, from anywhere.
fn shuffled(
    core: &Core,
    access: Access,
    is_active: Option<bool>,
    place: u64,
    limit: u64,
) -> Vec<Row> {
    let total = core.total(access.church, is_active);
    let wanted = limit.min(total.saturating_sub(place));
    let begin = Dice::new(&[core.seed, place]).below(total.max(1));
    let take = |skip, rows: u64| {
        core.page(access.church, is_active, skip, usize::try_from(rows).unwrap_or(0))
    };
    let mut rows = take(begin, wanted);
    rows.extend(take(0, wanted - rows.len() as u64));
    rows
}

/// As many rows as are asked for, from the beginning again where the list ends.
fn round(core: &Core, access: Access, is_active: Option<bool>, place: u64, limit: u64) -> Vec<Row> {
    let total = core.total(access.church, is_active).max(1);
    let mut rows = Vec::new();
    while (rows.len() as u64) < limit {
        let (skip, rest) = ((place + rows.len() as u64) % total, limit - rows.len() as u64);
        let more =
            core.page(access.church, is_active, skip, usize::try_from(rest).unwrap_or(usize::MAX));
        if more.is_empty() {
            break;
        }
        rows.extend(more);
    }
    rows
}

/// The rows as members whom nobody has seen before.
fn strangers(rows: &[Row], place: u64) -> Vec<u8> {
    let mut page = b"[".to_vec();
    for (number, (church, found)) in rows.iter().enumerate() {
        if number > 0 {
            page.push(b',');
        }
        let mut member = church.render(found);
        member.set("id", format!("stranger-{}", place + number as u64));
        member.append_to(&mut page);
    }
    page.push(b']');
    page
}

/// Where the page really begins: every second one early, if the settings say so.
fn shifted(skip: u64, limit: u64, settings: &Settings) -> u64 {
    let odd_page = skip.checked_div(limit).is_some_and(|page| page % 2 == 1);
    if odd_page { skip.saturating_sub(settings.page_shift) } else { skip }
}

/// Whether members are not in lists as they are by id.
fn differs(settings: &Settings) -> bool {
    settings.projection || !settings.list_says.is_empty() || !settings.list_mixes_up.is_empty()
}

fn render(rows: &[Row], settings: &Settings, strike: Option<&Strike>) -> Vec<u8> {
    let is_whole = !differs(settings);
    let mut page = Vec::with_capacity(2 + rows.len() * 2048);
    page.push(b'[');
    for (number, row) in rows.iter().enumerate() {
        if number > 0 {
            page.push(b',');
        }
        let (church, found) = row;
        let struck = strike.filter(|strike| is_struck(row, strike)).map(|strike| &strike.kind);
        match found {
            Found::Stored(stored) if is_whole && struck.is_none() => {
                page.extend_from_slice(&stored.body);
            }
            Found::Generated(row)
                if is_whole
                    && struck.is_none()
                    && let Some(body) = church.prebuilt(*row) =>
            {
                page.extend_from_slice(&body);
            }
            _ => {
                let mut member = church.render(found);
                let (next_church, next) = &rows[(number + 1) % rows.len()];
                for key in &settings.list_mixes_up {
                    let value = next_church.render(next).get(key).cloned();
                    member.set(key.clone(), value.unwrap_or_default());
                }
                if settings.projection {
                    project(&mut member);
                }
                for (key, value) in &settings.list_says {
                    member.set(key.clone(), value.clone());
                }
                if let Some(kind) = struck {
                    rewrite(&mut member, kind);
                }
                member.append_to(&mut page);
            }
        }
    }
    page.push(b']');
    page
}

/// Empties what newer versions leave out of lists; every key stays.
fn project(member: &mut Document) {
    for key in LEFT_OUT {
        if member.get(key).is_some() {
            member.set(key, Value::Null);
        }
    }
    for (key, empty) in [("documents", json!([])), ("custom_fields", json!({}))] {
        if member.get(key).is_some() {
            member.set(key, empty);
        }
    }
}

/// Whether a row comes back otherwise than it is.
fn is_struck(row: &Row, strike: &Strike) -> bool {
    matches!(strike.kind, FaultKind::WrongChurch { .. } | FaultKind::Rewritten { .. })
        && is_meant(row, strike.member_id.as_deref())
}

/// What a fault makes of a member.
pub(super) fn rewrite(member: &mut Document, kind: &FaultKind) {
    match kind {
        FaultKind::WrongChurch { as_church_id } => {
            member.set("church_id", as_church_id.as_deref().unwrap_or(NO_CHURCH_ID));
        }
        FaultKind::Rewritten { set, remove } => {
            for (key, value) in set {
                member.set(key.clone(), value.clone());
            }
            for key in remove {
                member.remove(key);
            }
        }
        _ => {}
    }
}

/// Whether a fault of one member, or of all, means this row.
fn is_meant((church, found): &Row, member_id: Option<&str>) -> bool {
    member_id.is_none_or(|member_id| match found {
        Found::Generated(row) => church.generator.id(*row) == member_id,
        Found::Stored(stored) => stored.document.text("id") == Some(member_id),
    })
}
