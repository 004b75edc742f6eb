//! Requests that another page, another host or another session made.

use reqwest::{Method, StatusCode};
use store::operators::Token;

use super::{Console, campus_alone, path};

#[tokio::test]
async fn other_hosts_are_answered_421() {
    let system = campus_alone().await;
    let console = Console::start(&system).await;
    let browser = console.logged_in(&system, "admin", None).await;
    for host in ["localhost", "evil.example", "127.0.0.1", "127.0.0.1:1", "[::1]:80"] {
        for method in [Method::GET, Method::POST] {
            let page = browser.send(method, "/", None, &[("host", host)]).await;
            assert_eq!(page.status, StatusCode::MISDIRECTED_REQUEST, "{host}");
            assert!(
                page.text.contains("Wrong address") && !page.text.contains("Ani"),
                "{}",
                page.text
            );
        }
    }
    assert_eq!(browser.get("/").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_write_comes_from_a_page_of_ours_and_of_this_session() {
    let system = campus_alone().await;
    let console = Console::start(&system).await;
    let browser = console.logged_in(&system, "admin", None).await;
    let own = browser.token().unwrap().derive("form");
    let other = console.logged_in(&system, "admin", None).await.token().unwrap().derive("form");
    let url = console.url.as_str();
    let path = "/account/preferences";
    let theme = async || {
        let rows =
            system.database.rows("SELECT theme FROM operators WHERE theme IS NOT NULL", &[]).await;
        rows.len()
    };
    for (headers, token, is_taken) in [
        (&[("sec-fetch-site", "cross-site")][..], own.as_str(), false),
        (&[("sec-fetch-site", "same-site"), ("origin", url)], &own, false),
        (&[("sec-fetch-site", "none")], &own, false),
        (&[("origin", "https://evil.example")], &own, false),
        (&[("origin", "null")], &own, false),
        (&[], &own, false),
        (&[("sec-fetch-site", "same-origin")], "", false),
        (&[("sec-fetch-site", "same-origin")], &other, false),
        (&[("sec-fetch-site", "same-origin")], browser.token().unwrap().reveal(), false),
        (&[("sec-fetch-site", "same-origin")], &own, true),
        (&[("origin", url)], &own, true),
    ] {
        let form = [("theme", "dark"), ("form_token", token)];
        let page = browser.send(Method::POST, path, Some(&form), headers).await;
        let expected = if is_taken { StatusCode::SEE_OTHER } else { StatusCode::FORBIDDEN };
        assert_eq!(page.status, expected, "{headers:?}");
        assert_eq!(theme().await, usize::from(is_taken), "{headers:?}");
        system.database.client().execute("UPDATE operators SET theme = NULL", &[]).await.unwrap();
    }
    // Neither does a login that another site starts.
    let form = [("login", "x"), ("password", "y")];
    let foreign = [("sec-fetch-site", "cross-site")];
    let page = browser.send(Method::POST, "/login", Some(&form), &foreign).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    let large = "x".repeat(70_000);
    let page = browser.post(path, &[("theme", &large)]).await;
    assert_eq!(page.status, StatusCode::PAYLOAD_TOO_LARGE);
    let page = browser
        .send(
            Method::PUT,
            path,
            Some(&[("form_token", own.as_str())]),
            &[("sec-fetch-site", "same-origin")],
        )
        .await;
    assert_eq!(page.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn looking_at_a_link_uses_nothing_up_and_of_many_at_once_one_gets_in() {
    let system = campus_alone().await;
    let console = Console::start(&system).await;
    let link = path(&system.faithctl(&["console", "login"]).await.success());
    for _ in 0..3 {
        let page = console.browser().get(&link).await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(
            page.text.contains("Log in without a password")
                && !page.headers.contains_key("set-cookie")
        );
    }
    let browsers: Vec<_> = (0..6).map(|_| console.browser()).collect();
    let tries = browsers.iter().map(|browser| browser.post(&link, &[]));
    let pages = futures_util::future::join_all(tries).await;
    let is_in = |status: StatusCode| pages.iter().filter(|page| page.status == status).count();
    assert_eq!((is_in(StatusCode::SEE_OTHER), is_in(StatusCode::GONE)), (1, 5), "{pages:?}");
    let mut inside = browsers.iter().filter(|browser| browser.token().is_some());
    let (winner, nobody) = (inside.next().unwrap(), inside.next());
    assert!(nobody.is_none());
    assert_eq!(winner.get("/").await.status, StatusCode::OK);
    let session = system.database.rows("SELECT via, operator_id, expires_at - created_at = '1 h' AS hour FROM operator_sessions", &[]).await;
    assert_eq!(
        (session.len(), &session[0]["via"], &session[0]["hour"]),
        (1, &"link".into(), &true.into())
    );
    let entries = system
        .database
        .rows("SELECT who, result FROM operator_log WHERE action = 'login'", &[])
        .await;
    assert_eq!(entries.len(), 1);
    assert!(
        entries[0]["who"].as_str().unwrap().contains('@')
            || !entries[0]["who"].as_str().unwrap().is_empty()
    );

    let random = format!("/link/{}", Token::random().reveal());
    for gone in [link.as_str(), &random, "/link/x", "/link/%00"] {
        assert_eq!(console.browser().get(gone).await.status, StatusCode::GONE, "{gone}");
    }
    let old = path(&system.faithctl(&["console", "login"]).await.success());
    system
        .database
        .client()
        .execute("UPDATE operator_links SET expires_at = now()", &[])
        .await
        .unwrap();
    assert_eq!(console.browser().post(&old, &[]).await.status, StatusCode::GONE);
}
