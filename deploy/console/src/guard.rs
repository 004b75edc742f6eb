//! What every request passes before a screen sees it.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    body::{Body, to_bytes},
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, HeaderName, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use store::{OperatorRole, operators::OperatorSession};
use tokio::time::timeout;

use crate::{
    console::Console,
    failure::Failure,
    failure_page::framed,
    frame::{Frame, page},
    headers,
    origin::Origin,
    rights::Access,
    visit::{LoggedIn, Visit, Visitor},
    words::Language,
};

/// How long an answer may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// Forms are small.
const MOST_BYTES: usize = 64 * 1024;

const PROXY_SECRET: HeaderName = HeaderName::from_static("x-console-proxy-secret");

/// The field of every form that names its session.
const FORM_TOKEN: &str = "form_token";

/// For all requests: who it comes from, for which host, and how long it may take; then headers, and a page for what failed.
pub(crate) async fn receive(
    State(console): State<Arc<Console>>,
    mut request: Request,
    next: Next,
) -> Response {
    let is_encrypted = console.origin.is_encrypted;
    let visitor = visitor(&console, &mut request);
    let is_ours = console.origin.is_host_of(request.uri(), request.headers());
    let visit = Visit { console, visitor, logged_in: None };
    let answer = if is_ours {
        request.extensions_mut().insert(visit.clone());
        timeout(ANSWER_LIMIT, next.run(request))
            .await
            .unwrap_or_else(|_| Failure::TooSlow.into_response())
    } else {
        Failure::Misdirected.into_response()
    };
    let mut answer = framed(&visit, answer);
    headers::add(&mut answer, is_encrypted);
    answer
}

/// Who sent it. What anybody but a proven proxy says about who has logged in is taken away.
fn visitor(console: &Console, request: &mut Request) -> Visitor {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    let peer = peer.unwrap_or(std::net::Ipv4Addr::UNSPECIFIED.into());
    let address = console.proxies.origin(peer, request.headers());
    let proxy_user = console.proxy_login.as_ref().and_then(|login| {
        let headers = request.headers();
        let is_proven = headers
            .get(PROXY_SECRET)
            .is_some_and(|secret| is_same(secret.as_bytes(), login.secret.as_bytes()));
        let mut users = headers.get_all(&login.user_header).iter();
        let user = users.next().and_then(|user| user.to_str().ok()).map(str::to_owned);
        user.filter(|_| is_proven && console.proxies.trust(peer) && users.next().is_none())
    });
    if let Some(login) = &console.proxy_login {
        request.headers_mut().remove(&login.user_header);
    }
    request.headers_mut().remove(PROXY_SECRET);
    Visitor {
        address,
        proxy_user,
        language: Language::accepted(request.headers()),
        path: request.uri().path().to_owned(),
    }
}

/// For each route: whether this request may get there.
pub(crate) async fn enter(
    State((console, access)): State<(Arc<Console>, Access)>,
    mut request: Request,
    next: Next,
) -> Response {
    let Some(mut visit) = request.extensions().get::<Visit>().cloned() else {
        return Failure::Internal.into_response();
    };
    if access == Access::File {
        return next.run(request).await;
    }
    let is_write = !matches!(*request.method(), Method::GET | Method::HEAD);
    if is_write && !console.origin.is_own_request(request.headers()) {
        return Failure::Foreign.into_response();
    }
    match logged_in(&console, &visit, request.headers()).await {
        Ok(found) => visit.logged_in = found.map(Arc::new),
        Err(failure) => return failure.into_response(),
    }
    if let Some(refused) = check(&console, &visit, access, &request) {
        return framed(&visit, refused);
    }
    if is_write {
        request = match with_own_form(&visit, access, request).await {
            Ok(request) => request,
            Err(failure) => return framed(&visit, failure.into_response()),
        };
    }
    request.extensions_mut().insert(visit.clone());
    framed(&visit, next.run(request).await)
}

/// The session that a request is of.
async fn logged_in(
    console: &Console,
    visit: &Visit,
    headers: &HeaderMap,
) -> Result<Option<LoggedIn>, Failure> {
    let Some(token) = console.cookie.token(headers) else { return Ok(None) };
    let client = console.pool.get().await?;
    let Some(session) = OperatorSession::find(&**client, &token).await? else { return Ok(None) };
    // Whom a proxy let in is let in for as long as it says the same.
    let user = visit.visitor.proxy_user.as_deref().map(str::to_lowercase);
    if session.via == "proxy" && user.as_deref() != Some(&session.who) {
        return Ok(None);
    }
    let role = OperatorRole::parse(&session.role).ok_or(Failure::Internal)?;
    Ok(Some(LoggedIn { token, session, role }))
}

/// Why somebody may not get there.
fn check(console: &Console, visit: &Visit, access: Access, request: &Request) -> Option<Response> {
    let is_within_limit = match &visit.logged_in {
        Some(on) => console.requests.admit(on.token.hash()),
        None => console.strangers.admit(visit.visitor.address),
    };
    if !is_within_limit {
        return Some(Failure::TooMany.into_response());
    }
    let Access::Needs(permission) = access else { return None };
    match &visit.logged_in {
        Some(on) if on.may(permission) => None,
        Some(_) => Some(Failure::Forbidden(permission).into_response()),
        None => Some(to_login(visit, request)),
    }
}

/// To the page that asks who it is, and then back.
fn to_login(visit: &Visit, request: &Request) -> Response {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let has_cookie = request.headers().contains_key(header::COOKIE);
    // The browser keeps the cookie back where another site's link led here: our own page asks again.
    if is_read && !has_cookie && Origin::is_from_elsewhere(request.headers()) {
        let bounce = Bounce {
            frame: Frame::new(visit, &visit.language().t("bounce-title")),
            to: path_and_query(request),
        };
        return page(&bounce, StatusCode::OK).unwrap_or_else(IntoResponse::into_response);
    }
    let asked = path_and_query(request);
    if !is_read || asked == "/" {
        return Redirect::to("/login").into_response();
    }
    let next = utf8_percent_encode(&asked, NON_ALPHANUMERIC);
    Redirect::to(&format!("/login?next={next}")).into_response()
}

fn path_and_query(request: &Request) -> String {
    request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned()
}

#[derive(askama::Template)]
#[template(path = "bounce.html")]
struct Bounce {
    frame: Frame,
    to: String,
}

/// The request, once its form is known to be of this session. Who has not logged in has no session to be misused.
async fn with_own_form(
    visit: &Visit,
    access: Access,
    request: Request,
) -> Result<Request, Failure> {
    let (parts, body) = request.into_parts();
    let bytes = to_bytes(body, MOST_BYTES).await.map_err(|_| Failure::TooLarge)?;
    if let (Access::Needs(_), Some(on)) = (access, &visit.logged_in) {
        let own = on.form_token();
        let mut fields = url::form_urlencoded::parse(&bytes);
        let is_own = fields
            .any(|(name, value)| name == FORM_TOKEN && is_same(value.as_bytes(), own.as_bytes()));
        if !is_own {
            return Err(Failure::Foreign);
        }
    }
    Ok(Request::from_parts(parts, Body::from(bytes)))
}

/// Compares in a time that tells nothing.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    use sha2::{Digest, Sha256};
    Sha256::digest(one) == Sha256::digest(other)
}
