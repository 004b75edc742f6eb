//! The endpoints of the core API.

use std::future::pending;
use std::net::IpAddr;
use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{ALLOW, AUTHORIZATION, HOST, LOCATION, WWW_AUTHENTICATE};
use hyper::{Method, Request};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::control;
use super::core::Core;
use super::counters::Endpoint;
use super::faults::{self, FaultKind, NO_CHURCH_ID, Strike};
use super::list;
use super::login::{self, Access, Account};
use super::reply::{self, BreakOff, Reply};
use super::validation::{self, Complaint};

/// Bodies larger than this are refused; none of the API is.
const BODY_LIMIT: usize = 64 * 1024 * 1024;

/// Where a request goes.
#[derive(Debug, PartialEq, Eq)]
enum Route {
    Login,
    List,
    Member(String),
    /// The same with, or without, the slash at the end.
    Redirect(String),
    WrongMethod(&'static str),
    Unknown,
}

/// Answers one request.
pub(super) async fn answer(
    core: &Core,
    address: IpAddr,
    request: Request<Incoming>,
) -> Result<Reply, BreakOff> {
    if let Some(path) = request.uri().path().strip_prefix("/control") {
        let (method, path) = (request.method().clone(), path.to_owned());
        let query = validation::query(request.uri().query());
        let body = read_body(request).await;
        return Ok(control::answer(core, &method, &path, &query, &body).await);
    }
    let route = route(&core.prefix, request.method(), request.uri().path());
    let endpoint = match route {
        Route::Login => Endpoint::Login,
        Route::List => Endpoint::List,
        Route::Member(_) => Endpoint::Member,
        _ => Endpoint::Other,
    };
    let _under_way = core.meter.came_in(endpoint);
    let reply = match route {
        Route::Login => login(core, address, request).await?,
        Route::List => list(core, &request).await?,
        Route::Member(id) => member(core, &request, &id).await?,
        Route::Redirect(path) => redirect(&request, &path),
        Route::WrongMethod(allowed) => {
            reply::with_header(reply::detail(405, "Method Not Allowed"), ALLOW, allowed)
        }
        Route::Unknown => reply::detail(404, "Not Found"),
    };
    core.meter.answered(endpoint, reply.status().as_u16());
    Ok(match core.settings().line_bytes_per_second {
        Some(bytes) => reply::over(reply, &core.line, bytes),
        None => reply,
    })
}

fn route(prefix: &str, method: &Method, path: &str) -> Route {
    let Some(path) = path.strip_prefix(prefix) else { return Route::Unknown };
    match path {
        "/auth/login" if method == Method::POST => return Route::Login,
        "/auth/login" => return Route::WrongMethod("POST"),
        "/members" => return Route::Redirect(format!("{prefix}/members/")),
        _ => {}
    }
    let Some(id) = path.strip_prefix("/members/") else { return Route::Unknown };
    let without_slash = id.strip_suffix('/');
    match without_slash.unwrap_or(id) {
        segment if segment.contains('/') => Route::Unknown,
        segment if without_slash.is_some() => {
            Route::Redirect(format!("{prefix}/members/{segment}"))
        }
        _ if method != Method::GET => Route::WrongMethod("GET"),
        "" => Route::List,
        // Decoded only after the path was split, so that an id may have any character.
        segment => Route::Member(percent_decode_str(segment).decode_utf8_lossy().into_owned()),
    }
}

async fn login(
    core: &Core,
    address: IpAddr,
    request: Request<Incoming>,
) -> Result<Reply, BreakOff> {
    let body = read_body(request).await;
    let settings = core.settings();
    if let Err(retry_after) = core.login_limit.admit(address, &settings) {
        return Ok(reply::rate_limited(Some(retry_after), false));
    }
    let (email, password, named) = match credentials(&body) {
        Ok(credentials) => credentials,
        Err(complaints) => return Ok(validation::refusal(&complaints)),
    };
    let account = core.accounts.iter().find(|account| account.email == email);
    let number = account.and_then(|account| account.church);
    let church = core.churches.get(number.unwrap_or(0));
    let church_id = number.and(church).map(|church| church.id.as_str());
    let context = faults::Request { endpoint: Endpoint::Login, church_id, member_id: None };
    with_faults(core, &context, |strike| match account {
        Some(account) if account.password == password => {
            let Some(access) = scope(core, account, named.as_deref()) else {
                return reply::detail(400, "church_id is required for super_admin");
            };
            let lifetime = Duration::from_millis(settings.token_lifetime_ms);
            let token = core.tokens.issue(access, lifetime);
            let names = church.map_or(("", ""), |church| (&church.id, &church.name));
            let expires_in = match strike.map(|strike| &strike.kind) {
                Some(FaultKind::LongLived { seconds }) => Some(*seconds),
                _ => None,
            };
            reply::rendered(200, login::answer(&token, account, names, expires_in))
        }
        _ => unauthorized("Invalid credentials"),
    })
    .await
}

/// What the token is good for; none where the church is not named that must be, or there is none such.
fn scope(core: &Core, account: &Account, named: Option<&str>) -> Option<Access> {
    if account.church.is_some() || !core.settings().super_admin_names_church {
        return Some(Access { church: account.church });
    }
    let church = core.churches.iter().find(|church| Some(church.id.as_str()) == named)?;
    Some(Access { church: Some(church.generator.church) })
}

/// Email, password, and the church where one is named.
fn credentials(body: &[u8]) -> Result<(String, String, Option<String>), Vec<Complaint>> {
    let body: Value = serde_json::from_slice(body).map_err(|_| {
        let (msg, loc) = ("JSON decode error", ["body", "0"]);
        vec![Complaint::new("json_invalid", loc, msg, json!({}))]
    })?;
    let mut complaints = Vec::new();
    let mut text = |key: &'static str| match &body[key] {
        Value::String(text) => text.clone(),
        other => {
            complaints.push(if other.is_null() {
                Complaint::new("missing", ["body", key], "Field required", body.clone())
            } else {
                let msg = "Input should be a valid string";
                Complaint::new("string_type", ["body", key], msg, other.clone())
            });
            String::new()
        }
    };
    let church = body["church_id"].as_str().map(str::to_owned);
    let credentials = (text("email"), text("password"), church);
    if complaints.is_empty() { Ok(credentials) } else { Err(complaints) }
}

async fn list(core: &Core, request: &Request<Incoming>) -> Result<Reply, BreakOff> {
    let access = match authenticate(core, request) {
        Ok(access) => access,
        Err(refusal) => return Ok(refusal.reply()),
    };
    let _under_way = access.church.and_then(|number| core.meter.of_church(number));
    let church_id = church_id(core, access);
    let context = faults::Request { endpoint: Endpoint::List, church_id, member_id: None };
    let query = request.uri().query();
    with_faults(core, &context, |strike| list::answer(core, access, query, strike)).await
}

async fn member(core: &Core, request: &Request<Incoming>, id: &str) -> Result<Reply, BreakOff> {
    core.meter.of_member(id);
    let access = match authenticate(core, request) {
        Ok(access) => access,
        Err(refusal) => return Ok(refusal.reply()),
    };
    let _under_way = access.church.and_then(|number| core.meter.of_church(number));
    let owner = || core.church_of_member(id);
    let church_id = church_id(core, access).or_else(|| owner().map(|church| church.id.as_str()));
    let context = faults::Request { endpoint: Endpoint::Member, church_id, member_id: Some(id) };
    with_faults(core, &context, |strike| {
        let Some(church) = owner() else { return reply::detail(404, "Member not found") };
        if access.church.is_some_and(|number| number != church.generator.church) {
            return match core.settings().foreign_member_status {
                403 => reply::detail(403, "Access denied"),
                status => reply::detail(status, "Member not found"),
            };
        }
        match strike.map(|strike| &strike.kind) {
            Some(FaultKind::BadRow) => return reply::internal_error(),
            Some(FaultKind::WrongChurch { as_church_id }) => {
                if let Some(mut member) = church.document(id) {
                    let other = as_church_id.clone().unwrap_or_else(|| NO_CHURCH_ID.to_owned());
                    member.set("church_id", other);
                    return reply::rendered(200, member.to_bytes());
                }
            }
            Some(kind @ FaultKind::Rewritten { .. }) => {
                if let Some(mut member) = church.document(id) {
                    list::rewrite(&mut member, kind);
                    return reply::rendered(200, member.to_bytes());
                }
            }
            _ => {}
        }
        match church.body(id) {
            Some(body) => reply::rendered(200, body),
            None => reply::detail(404, "Member not found"),
        }
    })
    .await
}

/// Does to a request what the faults in force want; `answer` is told of those within the answer.
async fn with_faults(
    core: &Core,
    request: &faults::Request<'_>,
    answer: impl FnOnce(Option<&Strike>) -> Reply,
) -> Result<Reply, BreakOff> {
    let plan = core.faults.plan(request);
    wait(plan.delay).await;
    let reply = match plan.strike.as_ref().map(|strike| &strike.kind) {
        None | Some(FaultKind::Latency { .. }) => answer(None),
        Some(
            FaultKind::BadRow
            | FaultKind::WrongChurch { .. }
            | FaultKind::Rewritten { .. }
            | FaultKind::ShortList { .. }
            | FaultKind::Shuffled
            | FaultKind::Round
            | FaultKind::IgnoresSkip
            | FaultKind::Endless
            | FaultKind::LargePage { .. }
            | FaultKind::LongLived { .. },
        ) => answer(plan.strike.as_ref()),
        Some(FaultKind::Status { status, retry_after }) => {
            let reply = match status {
                500 => reply::internal_error(),
                status => reply::detail(*status, "Simulated fault"),
            };
            reply::with_retry_after(reply, *retry_after)
        }
        Some(FaultKind::Redirect { location }) => {
            reply::with_header(reply::detail(307, "Temporary Redirect"), LOCATION, location)
        }
        Some(FaultKind::RateLimited { retry_after, plain }) => {
            reply::rate_limited(*retry_after, *plain)
        }
        Some(FaultKind::NoLogins) => unauthorized("Invalid credentials"),
        Some(FaultKind::TruncatedJson) => reply::truncated(answer(None)),
        Some(FaultKind::CutBody) => reply::cut(answer(None)),
        Some(FaultKind::NoJson { body }) => reply::rendered(200, body.clone()),
        Some(FaultKind::UnknownShape) => reply::reshaped(answer(None)),
        Some(FaultKind::Reset) => return Err(BreakOff),
        Some(FaultKind::Hang) => pending().await,
    };
    wait(plan.hold).await;
    Ok(reply)
}

async fn wait(duration: Duration) {
    if !duration.is_zero() {
        tokio::time::sleep(duration).await;
    }
}

fn authenticate(core: &Core, request: &Request<Incoming>) -> Result<Access, NotAllowed> {
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let (scheme, token) = header.unwrap_or_default().split_once(' ').unwrap_or_default();
    if scheme.is_empty() || token.is_empty() {
        return Err(NotAllowed::NoToken);
    }
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(NotAllowed::OtherScheme);
    }
    core.tokens.check(token).ok_or(NotAllowed::BadToken)
}

/// Why a request is not let in.
enum NotAllowed {
    NoToken,
    OtherScheme,
    BadToken,
}

impl NotAllowed {
    fn reply(&self) -> Reply {
        match self {
            Self::NoToken => reply::detail(403, "Not authenticated"),
            Self::OtherScheme => reply::detail(403, "Invalid authentication credentials"),
            Self::BadToken => unauthorized("Invalid authentication credentials"),
        }
    }
}

fn unauthorized(detail: &str) -> Reply {
    reply::with_header(reply::detail(401, detail), WWW_AUTHENTICATE, "Bearer")
}

fn church_id(core: &Core, access: Access) -> Option<&str> {
    access.church.and_then(|number| core.churches.get(number)).map(|church| church.id.as_str())
}

/// The whole address, as the real server gives it.
fn redirect(request: &Request<Incoming>, path: &str) -> Reply {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
    let location = format!("http://{host}{path}{query}");
    reply::with_header(reply::rendered(307, ""), LOCATION, &location)
}

/// The body; none of one that breaks off or is too large.
async fn read_body(request: Request<Incoming>) -> bytes::Bytes {
    let body = Limited::new(request.into_body(), BODY_LIMIT).collect().await;
    body.map(http_body_util::Collected::to_bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_where_the_core_leads_them() {
        let get = |path| route("/api", &Method::GET, path);
        assert_eq!(get("/api/members/"), Route::List);
        assert_eq!(get("/api/members"), Route::Redirect("/api/members/".to_owned()));
        assert_eq!(get("/api/members/a%2Fb%20%C3%BC"), Route::Member("a/b ü".to_owned()));
        assert_eq!(get("/api/members/a/"), Route::Redirect("/api/members/a".to_owned()));
        assert_eq!(get("/api/members/a/b"), Route::Unknown);
        assert_eq!(get("/members/a"), Route::Unknown);
        assert_eq!(get("/api/auth/login"), Route::WrongMethod("POST"));
        assert_eq!(route("/api", &Method::DELETE, "/api/members/a"), Route::WrongMethod("GET"));
        assert_eq!(route("", &Method::POST, "/auth/login"), Route::Login);
    }
}
