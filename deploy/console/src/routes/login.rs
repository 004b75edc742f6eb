//! `/login`, `/logout`

use askama::Template;
use axum::{
    extract::{Form, Query},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use database::DatabaseError;
use serde::Deserialize;
use store::{
    AuditResult,
    operators::{LONGEST, LoginAttempt, Operator, OperatorSession, Throttled},
};
use zeroize::Zeroizing;

use crate::{
    failure::Failure,
    frame::{Frame, page},
    safe_text::shown,
    session_start::{Proven, begin, record},
    visit::Visit,
    weak_password,
};

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    frame: Frame,
    login: String,
    next: String,
    /// What was wrong with the last try.
    problem: String,
    /// Who has logged in at the proxy.
    proxy_user: String,
}

/// What the address may carry.
#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    next: String,
}

/// What the form carries.
#[derive(Deserialize)]
pub(super) struct Tried {
    #[serde(default)]
    login: String,
    #[serde(default)]
    password: Zeroizing<String>,
    #[serde(default)]
    next: String,
    /// Set: by what the proxy says.
    #[serde(default)]
    proxy: String,
}

/// Asks who it is.
pub(super) async fn show(visit: Visit, Query(asked): Query<Asked>) -> Result<Response, Failure> {
    if visit.logged_in.is_some() {
        return Ok(Redirect::to(own_path(&asked.next)).into_response());
    }
    ask(&visit, "", &asked.next, "", StatusCode::OK)
}

/// Tries it.
pub(super) async fn log_in(visit: Visit, Form(tried): Form<Tried>) -> Result<Response, Failure> {
    if !tried.proxy.is_empty() {
        return log_in_by_proxy(&visit, &tried.next).await;
    }
    let typed = tried.login.trim().to_lowercase();
    if tried.password.chars().count() > weak_password::LONGEST
        || typed.chars().count() > weak_password::LONGEST
    {
        return refuse(&visit, &tried);
    }
    let address = visit.visitor.address.to_string();
    let failed = || DatabaseError::during("look who logs in");
    let mut client = visit.console.pool.get().await?;

    let transaction = client.transaction().await.map_err(failed())?;
    let attempt = match LoginAttempt::begin(&transaction, &typed, &address).await? {
        Ok(attempt) => attempt,
        Err(throttled) => return wait(&visit, &tried, throttled),
    };
    let known = match Operator::login_of(&typed) {
        Some(login) => Operator::credentials(&*transaction, &login).await?,
        None => None,
    };
    transaction.commit().await.map_err(failed())?;
    // No connection is kept while a core computes.
    drop(client);
    let hash = known.as_ref().and_then(|(_, hash)| hash.as_deref());
    let is_right = visit.console.passwords.is_right(tried.password.clone(), hash).await?;

    let mut client = visit.console.pool.get().await?;
    let transaction = client.transaction().await.map_err(failed())?;
    let Some((operator, _)) = known.filter(|_| is_right) else {
        // What was typed may be a password: only a login that there is, is named.
        let exists = match Operator::login_of(&typed) {
            Some(login) => Operator::find(&*transaction, &login).await?.is_some(),
            None => false,
        };
        let who = if exists { typed.as_str() } else { "(unknown)" };
        let recorded =
            record(&visit, &transaction, who, "login", "password", AuditResult::Refused).await?;
        transaction.commit().await.map_err(failed())?;
        recorded.committed();
        return refuse(&visit, &tried);
    };
    attempt.succeeded(&*transaction).await?;
    let proven = Proven { operator: Some(operator), who: &typed, via: "password", lasts: LONGEST };
    begin(&visit, transaction, proven, own_path(&tried.next)).await
}

async fn log_in_by_proxy(visit: &Visit, next: &str) -> Result<Response, Failure> {
    let user = visit.visitor.proxy_user.as_deref().and_then(Operator::login_of);
    let mut client = visit.console.pool.get().await?;
    let transaction =
        client.transaction().await.map_err(DatabaseError::during("look who logs in"))?;
    let known = match &user {
        Some(login) => Operator::credentials(&*transaction, login).await?,
        None => None,
    };
    let (Some(login), Some((operator, _))) = (user, known) else {
        let problem = visit.language().t("login-no-operator");
        return ask(visit, "", next, &problem, StatusCode::FORBIDDEN);
    };
    let proven = Proven { operator: Some(operator), who: &login, via: "proxy", lasts: LONGEST };
    begin(visit, transaction, proven, own_path(next)).await
}

/// Ends the session.
pub(super) async fn log_out(visit: Visit) -> Result<Response, Failure> {
    let client = visit.console.pool.get().await?;
    OperatorSession::end(&**client, &visit.logged_in()?.token).await?;
    let mut response = Redirect::to("/login").into_response();
    if let Some(cookie) = visit.console.cookie.clear() {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// The same for an unknown login and a wrong password.
fn refuse(visit: &Visit, tried: &Tried) -> Result<Response, Failure> {
    let problem = visit.language().t("login-wrong");
    ask(visit, &tried.login, &tried.next, &problem, StatusCode::UNAUTHORIZED)
}

fn wait(visit: &Visit, tried: &Tried, throttled: Throttled) -> Result<Response, Failure> {
    let seconds = throttled.wait.as_secs() + 1;
    let minutes = i64::try_from(seconds.div_ceil(60)).unwrap_or(i64::MAX);
    let problem = visit.language().counted("login-wait", minutes);
    let mut response =
        ask(visit, &tried.login, &tried.next, &problem, StatusCode::TOO_MANY_REQUESTS)?;
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    Ok(response)
}

fn ask(
    visit: &Visit,
    login: &str,
    next: &str,
    problem: &str,
    status: StatusCode,
) -> Result<Response, Failure> {
    let template = LoginPage {
        frame: Frame::new(visit, &visit.language().t("login-title")),
        login: shown(login.trim()),
        next: own_path(next).to_owned(),
        problem: problem.to_owned(),
        proxy_user: visit.visitor.proxy_user.as_deref().map(shown).unwrap_or_default(),
    };
    page(&template, status)
}

/// A path of our own, or the first page: nobody is led elsewhere.
fn own_path(next: &str) -> &str {
    let is_own = next.starts_with('/')
        && !next.starts_with("//")
        && next.len() <= 1024
        && next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if is_own { next } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::own_path;

    #[test]
    fn nobody_is_led_elsewhere() {
        for own in ["/", "/search?q=a%20b", "/dead-letters?cause=poison#x"] {
            assert_eq!(own_path(own), own);
        }
        for other in [
            "",
            "//evil.org",
            "/\\evil.org",
            "https://evil.org",
            "/a\nb",
            "/\t/evil.org",
            "javascript:1",
        ] {
            assert_eq!(own_path(other), "/", "{other}");
        }
    }
}
