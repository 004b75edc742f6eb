//! `/account`: what one may do, one's sessions, and how one likes the console.

use askama::Template;
use axum::{
    extract::{Form, Query},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use chrono_tz::Tz;
use database::DatabaseError;
use serde::Deserialize;
use serde_json::json;
use store::{
    AuditResult, OperatorRole,
    audit::AuditEntry,
    operators::{LoginAttempt, Operator, OperatorSession, Preferences},
};
use zeroize::Zeroizing;

use crate::{
    failure::Failure,
    frame::{Frame, page},
    moments::Moment,
    new_password::{NewPassword, problem_of},
    rights::{Permission, role_key},
    safe_text::shown,
    visit::Visit,
    words::Language,
};

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage {
    frame: Frame,
    login: String,
    campuses: String,
    roles: Vec<Column>,
    permissions: Vec<Row>,
    sessions: Vec<Session>,
    has_others: bool,
    is_operator: bool,
    languages: Vec<Choice>,
    zone: String,
    themes: Vec<Choice>,
    shortcuts: bool,
    /// What was just done.
    done: String,
    /// What was wrong with the password.
    problem: String,
}

struct Column {
    name: String,
    is_own: bool,
}

struct Row {
    name: String,
    roles: Vec<bool>,
    is_own: bool,
}

struct Session {
    begun: Moment,
    seen: Moment,
    address: String,
    is_own: bool,
}

struct Choice {
    value: String,
    name: String,
    is_chosen: bool,
}

/// What was just done, in the address.
#[derive(Debug, Deserialize)]
pub(super) struct Told {
    #[serde(default)]
    done: String,
}

/// Shows it all.
pub(super) async fn show(visit: Visit, Query(told): Query<Told>) -> Result<Response, Failure> {
    let done = match told.done.as_str() {
        "preferences" => visit.language().t("account-kept"),
        "password" => visit.language().t("account-password-set"),
        "sessions" => visit.language().t("account-sessions-ended"),
        _ => String::new(),
    };
    write(&visit, done, String::new(), StatusCode::OK).await
}

/// How somebody likes the console, as the form says it.
#[derive(Debug, Deserialize)]
pub(super) struct Preferred {
    #[serde(default)]
    language: String,
    #[serde(default)]
    timezone: String,
    #[serde(default)]
    theme: String,
    #[serde(default)]
    shortcuts: String,
}

/// Keeps what was chosen.
pub(super) async fn prefer(visit: Visit, Form(form): Form<Preferred>) -> Result<Response, Failure> {
    let on = visit.logged_in()?;
    let preferences = Preferences {
        language: Language::parse(&form.language).map(|language| language.code().to_owned()),
        timezone: form.timezone.parse::<Tz>().ok().map(|zone| zone.name().to_owned()),
        theme: ["light", "dark"].contains(&form.theme.as_str()).then_some(form.theme),
        shortcuts: !form.shortcuts.is_empty(),
    };
    let client = visit.console.pool.get().await?;
    on.session.prefer(&**client, &on.token, &preferences).await?;
    Ok(Redirect::to("/account?done=preferences").into_response())
}

/// A new password, and the one of now.
#[derive(Deserialize)]
pub(super) struct Changed {
    #[serde(default)]
    current: Zeroizing<String>,
    #[serde(default)]
    password: Zeroizing<String>,
    #[serde(default)]
    again: Zeroizing<String>,
}

/// Sets a new password, and ends all other sessions.
pub(super) async fn set_password(
    visit: Visit,
    Form(form): Form<Changed>,
) -> Result<Response, Failure> {
    let on = visit.logged_in()?;
    let language = visit.language();
    let refused = async |problem: String| {
        write(&visit, String::new(), problem, StatusCode::UNPROCESSABLE_ENTITY).await
    };
    let Some(operator) = on.session.operator else { return Err(Failure::NotFound) };
    let new = NewPassword { password: &form.password, again: &form.again, login: &on.session.who };
    if let Some(problem) = problem_of(&new, language) {
        return refused(problem).await;
    }
    let failed = || DatabaseError::during("set the password");
    let mut client = visit.console.pool.get().await?;
    let transaction = client.transaction().await.map_err(failed())?;
    let address = visit.visitor.address.to_string();
    let attempt = match LoginAttempt::begin(&transaction, &on.session.who, &address).await? {
        Ok(attempt) => attempt,
        Err(throttled) => {
            let minutes = i64::try_from(throttled.wait.as_secs() / 60 + 1).unwrap_or(i64::MAX);
            return refused(language.counted("login-wait", minutes)).await;
        }
    };
    let known = Operator::credentials(&*transaction, &on.session.who).await?;
    transaction.commit().await.map_err(failed())?;
    drop(client);
    // Who was let in by a proxy may have none yet.
    let hash = known.and_then(|(_, hash)| hash);
    let passwords = &visit.console.passwords;
    let is_right = passwords.is_right(form.current.clone(), hash.as_deref()).await?;
    if hash.is_some() && !is_right {
        return refused(language.t("password-current-wrong")).await;
    }
    let phc = passwords.hash(form.password.clone()).await?;
    let mut client = visit.console.pool.get().await?;
    let transaction = client.transaction().await.map_err(failed())?;
    attempt.succeeded(&*transaction).await?;
    Operator::set_password(&*transaction, operator, &phc).await?;
    let ended = OperatorSession::end_others(&*transaction, operator, &on.token).await?;
    let (actor, subject) = (visit.actor(&on.session.who), json!({"sessions_ended": ended}));
    let entry = AuditEntry {
        actor: &actor,
        action: "operator password",
        campus: None,
        subject: &subject,
        result: AuditResult::Done,
        operation: None,
    };
    let recorded =
        entry.record(&*transaction).await.map_err(DatabaseError::during("note the change"))?;
    transaction.commit().await.map_err(failed())?;
    recorded.committed();
    Ok(Redirect::to("/account?done=password").into_response())
}

/// Ends all of one's sessions but this.
pub(super) async fn end_others(visit: Visit) -> Result<Response, Failure> {
    let on = visit.logged_in()?;
    let Some(operator) = on.session.operator else { return Err(Failure::NotFound) };
    let client = visit.console.pool.get().await?;
    OperatorSession::end_others(&**client, operator, &on.token).await?;
    Ok(Redirect::to("/account?done=sessions").into_response())
}

async fn write(
    visit: &Visit,
    done: String,
    problem: String,
    status: StatusCode,
) -> Result<Response, Failure> {
    let (on, language, clock) = (visit.logged_in()?, visit.language(), visit.clock());
    let client = visit.console.pool.get().await?;
    let sessions = match on.session.operator {
        Some(operator) => OperatorSession::of_operator(&**client, operator, &on.token).await?,
        None => Vec::new(),
    };
    let campuses = store::records::campus_names(&client, on.scope()).await?;
    drop(client);
    let preferences = &on.session.preferences;
    let permissions = Permission::ALL.into_iter().map(|permission| Row {
        name: language.t(permission.key()),
        roles: OperatorRole::ALL.map(|role| permission.is_of(role)).to_vec(),
        is_own: on.may(permission),
    });
    let template = AccountPage {
        frame: Frame::new(visit, &language.t("account-title")),
        login: shown(&on.session.who),
        campuses: match on.scope() {
            None => language.t("account-all-campuses"),
            Some(_) => campuses.iter().map(|(_, name)| shown(name)).collect::<Vec<_>>().join(", "),
        },
        roles: OperatorRole::ALL
            .map(|role| Column { name: language.t(role_key(role)), is_own: role == on.role })
            .into(),
        permissions: permissions.collect(),
        has_others: sessions.len() > 1,
        sessions: sessions
            .into_iter()
            .map(|line| Session {
                begun: clock.moment(line.created_at),
                seen: clock.moment(line.seen_at),
                address: shown(line.address.as_deref().unwrap_or_default()),
                is_own: line.is_own,
            })
            .collect(),
        is_operator: on.session.operator.is_some(),
        languages: choices(
            Language::ALL.iter().map(|one| (one.code(), one.own_name())),
            preferences.language.as_deref(),
        ),
        zone: preferences.timezone.clone().unwrap_or_default(),
        themes: choices(
            [
                ("light", language.t("theme-light").as_str()),
                ("dark", language.t("theme-dark").as_str()),
            ],
            preferences.theme.as_deref(),
        ),
        shortcuts: preferences.shortcuts,
        done,
        problem,
    };
    page(&template, status)
}

fn choices<'a>(
    all: impl IntoIterator<Item = (&'a str, &'a str)>,
    chosen: Option<&str>,
) -> Vec<Choice> {
    all.into_iter()
        .map(|(value, name)| Choice {
            value: value.to_owned(),
            name: name.to_owned(),
            is_chosen: chosen == Some(value),
        })
        .collect()
}
