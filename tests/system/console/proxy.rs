//! A proxy that has logged somebody in.

use reqwest::{Method, StatusCode};

use super::{Console, campus_alone};

const SECRET: &str = "a secret of the proxy, 32 long";

#[tokio::test]
async fn a_proxy_is_believed_with_its_secret_and_for_as_long_as_it_says_the_same() {
    let system = campus_alone().await;
    system.faithctl(&["operator", "add", "ani", "--role", "viewer"]).await.success();
    let file = system.folder().join("proxy.secret");
    std::fs::write(&file, format!("{SECRET}\n")).unwrap();
    let settings = |networks| {
        [
            ("CONSOLE_TRUSTED_PROXIES", networks),
            ("CONSOLE_PROXY_USER_HEADER", "X-Auth-User"),
            ("CONSOLE_PROXY_SECRET_FILE", file.to_str().unwrap()),
        ]
    };
    let form = [("proxy", "1")];
    let own = ("sec-fetch-site", "same-origin");
    let (user, secret) = (("x-auth-user", "Ani"), ("x-console-proxy-secret", SECRET));
    {
        let console = Console::start_with(&system, &settings("10.0.0.0/8")).await;
        let page =
            console.browser().send(Method::POST, "/login", Some(&form), &[own, user, secret]).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "not from a network of proxies");
    }
    let console = Console::start_with(&system, &settings("127.0.0.0/8")).await;
    for headers in [
        &[own, user][..],
        &[own, user, ("x-console-proxy-secret", "wrong")],
        &[own, secret],
        &[own, secret, ("x-auth-user", "budi")],
        &[own, secret, user, ("x-auth-user", "ani")],
    ] {
        let page = console.browser().send(Method::POST, "/login", Some(&form), headers).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{headers:?}");
    }
    let browser = console.browser();
    let asked = browser.send(Method::GET, "/login", None, &[user, secret]).await;
    assert!(asked.text.contains("Continue as Ani") && !asked.headers.contains_key("set-cookie"));
    let page = browser.send(Method::POST, "/login", Some(&form), &[own, user, secret]).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER);
    for (headers, status) in [
        (&[user, secret][..], StatusCode::OK),
        (&[user], StatusCode::SEE_OTHER),
        (&[], StatusCode::SEE_OTHER),
        (&[("x-auth-user", "budi"), secret], StatusCode::SEE_OTHER),
    ] {
        assert_eq!(
            browser.send(Method::GET, "/", None, headers).await.status,
            status,
            "{headers:?}"
        );
    }
    // Where a request comes from is told by the proxy as well.
    let from = [own, ("x-forwarded-for", "203.0.113.7")];
    let wrong = [("login", "ani"), ("password", "x")];
    browser.send(Method::POST, "/login", Some(&wrong), &from).await;
    let attempts = system.database.rows("SELECT address FROM operator_login_attempts", &[]).await;
    assert_eq!(attempts, [serde_json::json!({"address": "203.0.113.7"})]);
    let log = std::fs::read_to_string(console.program.log()).unwrap();
    assert!(!log.contains(SECRET));
}
