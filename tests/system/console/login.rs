//! Logging in with a password.

use std::time::Duration;

use reqwest::StatusCode;
use store::operators::Token;

use super::{Console, PASSWORD, campus_alone, path, with_password};

#[tokio::test]
async fn an_invited_operator_chooses_a_password_and_logs_in_with_it() {
    let system = campus_alone().await;
    let console = Console::start(&system).await;
    let added = system.faithctl(&["operator", "add", "ani", "--role", "viewer"]).await.success();
    let link = path(&added);
    let browser = console.browser();
    for (password, again, words) in [
        ("short", "short", "too short"),
        ("password1234", "password1234", "tried first"),
        (PASSWORD, "another one", "not the same"),
    ] {
        let page = browser.post(&link, &[("password", password), ("again", again)]).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(page.text.contains(words), "{}", page.text);
    }
    let page = browser.post(&link, &[("password", PASSWORD), ("again", PASSWORD)]).await;
    assert_eq!((page.status, page.location()), (StatusCode::SEE_OTHER, "/"));
    assert_eq!(browser.get("/").await.status, StatusCode::OK);
    assert_eq!(browser.get(&link).await.status, StatusCode::GONE);

    // A token that somebody else put into the browser is worth nothing after the login.
    let planted = browser.token().unwrap();
    let page = browser
        .post("/login", &[("login", " ANI "), ("password", PASSWORD), ("next", "/search?q=x")])
        .await;
    assert_eq!((page.status, page.location()), (StatusCode::SEE_OTHER, "/search?q=x"));
    let cookie = page.headers["set-cookie"].to_str().unwrap();
    assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Strict"), "{cookie}");
    assert_ne!(browser.token().unwrap().hash(), planted.hash());
    let with_planted = console.browser();
    with_planted.adopt(&planted);
    assert_eq!(with_planted.get("/").await.status, StatusCode::SEE_OTHER);
    let invented = console.browser();
    invented.adopt(&Token::random());
    assert_eq!(invented.get("/").await.status, StatusCode::SEE_OTHER);

    for elsewhere in ["//evil.example", "https://evil.example", "/\\evil.example"] {
        let again = console.browser();
        let page = again
            .post("/login", &[("login", "ani"), ("password", PASSWORD), ("next", elsewhere)])
            .await;
        assert_eq!((page.status, page.location()), (StatusCode::SEE_OTHER, "/"), "{elsewhere}");
    }
    let page = browser.post("/logout", &[]).await;
    assert_eq!(page.location(), "/login");
    assert_eq!(browser.token().map(|token| token.hash()), None);

    let kept = system.database.rows("SELECT password_phc FROM operators", &[]).await;
    assert!(
        kept[0]["password_phc"].as_str().unwrap().starts_with("$argon2id$v=19$m=19456,t=2,p=1$")
    );
    let log = std::fs::read_to_string(console.program.log()).unwrap();
    let entries = format!("{:?}", system.database.rows("SELECT * FROM operator_log", &[]).await);
    for secret in [
        PASSWORD,
        "password1234",
        planted.reveal(),
        link.rsplit('/').next().unwrap(),
        &planted.derive("form"),
    ] {
        assert!(!log.contains(secret) && !entries.contains(secret), "{secret} was written down");
    }
}

#[tokio::test]
async fn a_flood_is_stopped_whoever_it_is_for_and_an_unknown_login_is_answered_alike() {
    let system = campus_alone().await;
    let console = Console::start(&system).await;
    with_password(&system, &console, "ani", "viewer").await;
    let flood = async |login: &str| {
        let browsers: Vec<_> = (0..8).map(|_| console.browser()).collect();
        let wrong = [("login", login), ("password", "wrong and wrong again")];
        futures_util::future::join_all(
            browsers.iter().map(|browser| browser.post("/login", &wrong)),
        )
        .await
    };
    let (known, unknown) = (flood("ani").await, flood("nobody").await);
    for pages in [&known, &unknown] {
        let count = |status| pages.iter().filter(|page| page.status == status).count();
        assert_eq!((count(StatusCode::UNAUTHORIZED), count(StatusCode::TOO_MANY_REQUESTS)), (5, 3));
    }
    let text = |pages: &[super::Page]| {
        let page = pages.iter().find(|page| page.status == StatusCode::UNAUTHORIZED).unwrap();
        page.text.replace("\"ani\"", "\"nobody\"")
    };
    assert_eq!(text(&known), text(&unknown));

    // The right one has to wait too; time, moved in Postgres, heals it.
    let browser = console.browser();
    let right = [("login", "ani"), ("password", PASSWORD)];
    let page = browser.post("/login", &right).await;
    assert_eq!(page.status, StatusCode::TOO_MANY_REQUESTS);
    let wait: u64 = page.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((800..=901).contains(&wait) && page.text.contains("Wait 15 minutes"), "{wait}");
    let later = "UPDATE operator_login_attempts SET at = at - interval '15 min'";
    system.database.client().execute(later, &[]).await.unwrap();
    assert_eq!(browser.post("/login", &right).await.status, StatusCode::SEE_OTHER);

    // One address tries many logins.
    let mut refused = 0;
    for number in 0..22 {
        let login = format!("somebody{number}");
        let attempt = "INSERT INTO operator_login_attempts (login_sha256, address) VALUES (sha256($1::text::bytea), '127.0.0.1')";
        if number < 19 {
            system.database.client().execute(attempt, &[&login]).await.unwrap();
            continue;
        }
        let page = console.browser().post("/login", &[("login", &login), ("password", "x")]).await;
        refused += usize::from(page.status == StatusCode::TOO_MANY_REQUESTS);
    }
    assert_eq!(refused, 2, "the twentieth is heard, the next ones are not");
    let named = system
        .database
        .rows("SELECT DISTINCT who FROM operator_log WHERE result = 'refused' ORDER BY who", &[])
        .await;
    let named: Vec<_> = named.iter().map(|row| row["who"].as_str().unwrap()).collect();
    assert_eq!(named, ["(unknown)", "ani"], "what was typed may be a password");
}

#[tokio::test]
async fn a_changed_password_ends_the_other_sessions() {
    let system = campus_alone().await;
    let console = Console::start(&system).await;
    let browser = with_password(&system, &console, "ani", "viewer").await;
    let other = console.browser();
    other.post("/login", &[("login", "ani"), ("password", PASSWORD)]).await;
    assert_eq!(other.get("/account").await.status, StatusCode::OK);
    let new = "langit biru di atas danau";
    let change = async |current: &str| {
        let form = [("current", current), ("password", new), ("again", new)];
        browser.post("/account/password", &form).await
    };
    let page = change("wrong and wrong again").await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.text.contains("current password is wrong"));
    assert_eq!(change(PASSWORD).await.location(), "/account?done=password");
    assert_eq!(other.get("/account").await.status, StatusCode::SEE_OTHER);
    assert_eq!(browser.get("/account?done=password").await.status, StatusCode::OK);
    let audited = system
        .database
        .rows("SELECT subject FROM operator_log WHERE action = 'operator password'", &[])
        .await;
    assert_eq!(audited, [serde_json::json!({"subject": {"sessions_ended": 1}})]);
    let admin = console.program.terminate(Duration::from_secs(25)).await.unwrap();
    assert_eq!(admin.code(), Some(0), "a drain");
}
