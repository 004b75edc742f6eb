//! One login, however many ask.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use core_api::{
    AllowedHosts, ClientSettings, CoreClient, CoreError, Credentials, LoginTrouble, Session,
    SessionError, Sessions, Token, TokenStore,
};
use futures_util::future::join_all;
use http_body_util::Full;
use hyper::Response;
use serde_json::json;
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::{
    server::{Asked, TestCore, endpoint as endpoint_at, json},
    token_row::TokenRow,
};

const HOUR: Duration = Duration::from_hours(1);

/// A core whose tokens are `t1`, `t2`, …, of which only the newest is good.
struct Rules {
    issued: AtomicUsize,
    /// Logins wait for a permit; tests that do not care give plenty.
    logins: Semaphore,
    /// Calls answered with 401.
    refused: AtomicUsize,
    /// Whether no token is good.
    refuses_all: AtomicBool,
    /// What a login is answered with instead of a token.
    login_answer: Option<Response<Full<Bytes>>>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            issued: AtomicUsize::new(0),
            logins: Semaphore::new(100),
            refused: AtomicUsize::new(0),
            refuses_all: AtomicBool::new(false),
            login_answer: None,
        }
    }
}

impl Rules {
    async fn answer(&self, asked: Asked) -> Response<Full<Bytes>> {
        if asked.is_login() {
            self.logins.acquire().await.unwrap().forget();
            if let Some(answer) = &self.login_answer {
                return answer.clone();
            }
            let number = self.issued.fetch_add(1, Ordering::SeqCst) + 1;
            return json(
                200,
                &json!({"access_token": format!("t{number}"), "token_type": "bearer"}),
            );
        }
        let newest = format!("Bearer t{}", self.issued.load(Ordering::SeqCst));
        if asked.authorization != Some(newest) || self.refuses_all.load(Ordering::SeqCst) {
            self.refused.fetch_add(1, Ordering::SeqCst);
            return json(401, &json!({"detail": "Invalid authentication credentials"}));
        }
        json(200, &json!({"id": "m"}))
    }

    async fn spawn(self) -> (Arc<Self>, TestCore) {
        let rules = Arc::new(self);
        let answering = Arc::clone(&rules);
        let core = TestCore::spawn(move |asked| {
            let rules = Arc::clone(&answering);
            async move { rules.answer(asked).await }
        });
        (rules, core.await)
    }
}

fn credentials() -> Credentials {
    Credentials { email: "a@b.c".into(), password: "p".into(), church: None }
}

/// A process of the installation: its own client and memory, the same row.
fn process(row: &Arc<TokenRow>) -> Sessions<TokenRow> {
    let allowed: AllowedHosts = "127.0.0.1".parse().unwrap();
    let client = CoreClient::new(ClientSettings { allowed, ..ClientSettings::default() }).unwrap();
    Sessions::new(client, Arc::clone(row))
}

fn session(row: &Arc<TokenRow>, core: &TestCore) -> Arc<Session<TokenRow>> {
    process(row).of(Uuid::nil(), 1, &core.endpoint(), &credentials())
}

async fn ask(session: &Session<TokenRow>) -> Result<(), CoreError> {
    match session.member("m").await {
        Ok(_) => Ok(()),
        Err(SessionError::Core(error)) => Err(error),
        Err(SessionError::Store(never)) => match never {},
        Err(SessionError::Outdated) => panic!("the session is of an older configuration"),
    }
}

async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting).await.expect(what);
}

#[tokio::test]
async fn the_first_callers_of_several_processes_log_in_once() {
    let (_, core) = Rules::default().spawn().await;
    let row = Arc::new(TokenRow::default());
    let sessions: Vec<_> = (0..3).map(|_| session(&row, &core)).collect();
    let callers = (0..60).map(|caller| ask(&sessions[caller % sessions.len()]));
    assert!(join_all(callers).await.into_iter().all(|answer| answer.is_ok()));
    assert_eq!((core.logins(), row.version()), (1, 1));
}

#[tokio::test]
async fn a_refused_token_is_replaced_once_however_many_were_refused() {
    let (rules, core) =
        Rules { issued: AtomicUsize::new(1), logins: Semaphore::new(0), ..Rules::default() }
            .spawn()
            .await;
    let row = Arc::new(TokenRow::with_token("t0", Duration::from_secs(90), HOUR));
    let sessions: Vec<_> = (0..3).map(|_| session(&row, &core)).collect();
    let callers: Vec<_> = (0..60)
        .map(|caller| {
            let session = Arc::clone(&sessions[caller % sessions.len()]);
            tokio::spawn(async move { ask(&session).await })
        })
        .collect();
    // The login comes only when all have been refused: none may take the new token for a refused one.
    eventually("all callers are refused", || rules.refused.load(Ordering::SeqCst) == 60).await;
    rules.logins.add_permits(100);
    for caller in callers {
        caller.await.unwrap().unwrap();
    }
    assert_eq!((core.logins(), row.version()), (1, 2));
}

#[tokio::test]
async fn a_newer_token_in_the_row_is_used_instead_of_a_login() {
    let (rules, core) = Rules { issued: AtomicUsize::new(1), ..Rules::default() }.spawn().await;
    let row = Arc::new(TokenRow::with_token("t1", Duration::from_secs(90), HOUR));
    let behind = session(&row, &core);
    ask(&behind).await.unwrap();
    // Another process replaces the token that this one has in memory.
    rules.issued.store(2, Ordering::SeqCst);
    row.replace(Uuid::nil(), 1, &Token::new("t2").unwrap(), HOUR).await.unwrap();
    ask(&behind).await.unwrap();
    assert_eq!((core.logins(), rules.refused.load(Ordering::SeqCst)), (0, 1));
}

#[tokio::test]
async fn a_token_under_a_minute_old_is_never_replaced() {
    let (rules, core) = Rules::default().spawn().await;
    rules.refuses_all.store(true, Ordering::SeqCst);
    let row = Arc::new(TokenRow { youngest: Duration::from_mins(1), ..TokenRow::default() });
    let session = session(&row, &core);
    for _ in 0..5 {
        let answers = join_all((0..10).map(|_| ask(&session))).await;
        assert!(answers.iter().all(|answer| matches!(answer, Err(CoreError::Unauthorized { .. }))));
    }
    assert_eq!(core.logins(), 1);
}

#[tokio::test]
async fn a_token_that_is_refused_twice_is_reported() {
    let (rules, core) = Rules::default().spawn().await;
    rules.refuses_all.store(true, Ordering::SeqCst);
    let row = Arc::new(TokenRow::with_token("old", Duration::from_secs(90), HOUR));
    let answer = ask(&session(&row, &core)).await;
    assert!(matches!(answer, Err(CoreError::Unauthorized { .. })));
    assert_eq!((core.logins(), rules.refused.load(Ordering::SeqCst)), (1, 2));
}

#[tokio::test]
async fn after_a_refused_login_nobody_logs_in_for_a_minute() {
    let refusal = json(401, &json!({"detail": "Invalid credentials"}));
    let (_, core) = Rules { login_answer: Some(refusal), ..Rules::default() }.spawn().await;
    let row = Arc::new(TokenRow::default());
    let first = session(&row, &core);
    let answer = ask(&first).await;
    assert!(matches!(answer, Err(CoreError::LoginRefused { status: 401, .. })), "{answer:?}");
    for session in [first, session(&row, &core)] {
        let answers = join_all((0..10).map(|_| ask(&session))).await;
        assert!(answers.iter().all(|answer| matches!(
            answer,
            Err(CoreError::LoginPaused { after: LoginTrouble::Refused, .. })
        )));
    }
    assert_eq!(core.logins(), 1);
    let left = row.pause_left().unwrap();
    assert!(left > Duration::from_secs(50) && left <= Duration::from_mins(1), "{left:?}");
}

#[tokio::test]
async fn the_core_says_how_long_nobody_logs_in() {
    let limited = Response::builder().status(429).header("retry-after", "300");
    let limited = limited.body(Full::new(Bytes::new())).unwrap();
    let (_, core) = Rules { login_answer: Some(limited), ..Rules::default() }.spawn().await;
    let row = Arc::new(TokenRow::default());
    let answer = ask(&session(&row, &core)).await;
    assert!(matches!(answer, Err(CoreError::RateLimited { .. })), "{answer:?}");
    assert!(row.pause_left().unwrap() > Duration::from_secs(280));
}

#[tokio::test]
async fn without_budget_nobody_logs_in() {
    let (_, core) = Rules::default().spawn().await;
    let row = Arc::new(TokenRow { budget: 0.into(), ..TokenRow::default() });
    let answer = ask(&session(&row, &core)).await;
    assert!(matches!(
        answer,
        Err(CoreError::LoginPaused { retry_after, after: LoginTrouble::Budget })
            if retry_after.as_secs() == 30
    ));
    assert_eq!(core.logins(), 0);
}

#[tokio::test]
async fn the_lease_of_a_process_that_died_is_waited_out() {
    let (_, core) = Rules::default().spawn().await;
    let row = Arc::new(TokenRow { lease_time: Duration::from_millis(300), ..TokenRow::default() });
    row.lease_to_another();
    ask(&session(&row, &core)).await.unwrap();
    assert_eq!(core.logins(), 1);
}

#[tokio::test]
async fn a_login_goes_on_without_whoever_began_it() {
    let (rules, core) = Rules { logins: Semaphore::new(0), ..Rules::default() }.spawn().await;
    let row = Arc::new(TokenRow::default());
    let session = session(&row, &core);
    let first = Arc::clone(&session);
    let first = tokio::spawn(async move { ask(&first).await });
    eventually("the login is under way", || core.logins() == 1).await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    rules.logins.add_permits(1);
    ask(&session).await.unwrap();
    assert_eq!((core.logins(), row.version()), (1, 1));
}

#[tokio::test]
async fn an_expired_token_is_not_even_tried() {
    let (rules, core) = Rules { issued: AtomicUsize::new(1), ..Rules::default() }.spawn().await;
    let row = Arc::new(TokenRow::with_token("t1", HOUR, HOUR));
    ask(&session(&row, &core)).await.unwrap();
    assert_eq!((core.logins(), rules.refused.load(Ordering::SeqCst)), (1, 0));
}

#[tokio::test]
async fn a_token_grown_old_is_renewed_by_one_while_the_others_go_on() {
    let (rules, core) =
        Rules { issued: AtomicUsize::new(1), logins: Semaphore::new(0), ..Rules::default() }
            .spawn()
            .await;
    let row = Arc::new(TokenRow::with_token("t1", HOUR.mul_f64(0.96), HOUR));
    let session = session(&row, &core);
    // The first call only takes the token from the row; the next finds it old.
    ask(&session).await.unwrap();
    let renewing = Arc::clone(&session);
    let renewing = tokio::spawn(async move { ask(&renewing).await });
    eventually("the renewal begins", || core.logins() == 1).await;
    assert!(
        join_all((0..20).map(|_| ask(&session))).await.into_iter().all(|answer| answer.is_ok())
    );
    rules.logins.add_permits(1);
    renewing.await.unwrap().unwrap();
    ask(&session).await.unwrap();
    assert_eq!((core.logins(), row.version()), (1, 2));
}

#[tokio::test]
async fn a_renewal_that_fails_leaves_the_old_token_in_use() {
    let refusal = json(503, &json!({}));
    let rules =
        Rules { issued: AtomicUsize::new(1), login_answer: Some(refusal), ..Rules::default() };
    let (_, core) = rules.spawn().await;
    let row = Arc::new(TokenRow::with_token("t1", HOUR.mul_f64(0.96), HOUR));
    let session = session(&row, &core);
    for _ in 0..5 {
        ask(&session).await.unwrap();
    }
    assert_eq!((core.logins(), row.version()), (1, 1));
}

#[tokio::test]
async fn another_login_or_address_is_another_session() {
    let sessions = process(&Arc::new(TokenRow::default()));
    let of = |endpoint: &str, password: &str| {
        let credentials = Credentials { password: password.into(), ..credentials() };
        sessions.of(Uuid::nil(), 1, &endpoint_at(endpoint), &credentials)
    };
    let first = of("http://127.0.0.1:1", "p");
    assert!(Arc::ptr_eq(&first, &of("http://127.0.0.1:1", "p")));
    assert!(!Arc::ptr_eq(&first, &of("http://127.0.0.1:1", "new")));
    assert!(!Arc::ptr_eq(&first, &of("http://127.0.0.1:2", "p")));
}

#[tokio::test]
async fn a_core_that_was_away_is_not_said_to_refuse_the_login() {
    let away = json(503, &json!({}));
    let (_, core) = Rules { login_answer: Some(away), ..Rules::default() }.spawn().await;
    let row = Arc::new(TokenRow::default());
    assert!(matches!(ask(&session(&row, &core)).await, Err(CoreError::Server { .. })));
    // Neither by the process that met it, nor by another, nor when the budget is used up by it.
    let after_outage = |answer: &Result<(), CoreError>| {
        matches!(answer, Err(CoreError::LoginPaused { after: LoginTrouble::Away, .. }))
    };
    let other = session(&row, &core);
    for _ in 0..2 {
        assert!(after_outage(&ask(&other).await));
    }
    row.end_pause();
    *row.budget.lock().unwrap() = 0;
    assert!(after_outage(&ask(&session(&row, &core)).await));
    assert_eq!(core.logins(), 1);
}

#[tokio::test]
async fn a_login_by_an_older_configuration_neither_begins_nor_costs_a_pause() {
    let refusal = json(401, &json!({"detail": "Invalid credentials"}));
    let rules =
        Rules { login_answer: Some(refusal), logins: Semaphore::new(0), ..Rules::default() };
    let (rules, core) = rules.spawn().await;
    let row = Arc::new(TokenRow::default());
    let old = session(&row, &core);
    let waiting: Vec<_> = (0..3)
        .map(|_| {
            let old = Arc::clone(&old);
            tokio::spawn(async move { old.member("m").await })
        })
        .collect();
    eventually("a login is under way", || core.logins() == 1).await;
    row.configure_anew();
    rules.logins.add_permits(100);
    for one in waiting {
        assert!(one.await.unwrap().is_err());
    }
    assert!(matches!(session(&row, &core).member("m").await, Err(SessionError::Outdated)));
    assert_eq!((core.logins(), row.pause_left()), (1, None), "nobody is locked out");
}
