//! What pages show, in each state.

use std::{path::Path, time::Duration};

use harness::{
    Role, eventually,
    proxy::{Mode, Proxy},
};
use reqwest::{Method, StatusCode};

use super::{Console, campus_alone};

const ALWAYS: [(&str, &str); 6] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; \
         base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types console",
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cache-control", "no-store"),
];

#[tokio::test]
async fn every_answer_has_the_headers_and_assets_are_kept_for_ever() {
    let system = campus_alone().await;
    let console = Console::start(&system).await;
    let browser = console.logged_in(&system, "admin", None).await;
    let overview = browser.get("/").await;
    for page in [
        &overview,
        &browser.get("/nowhere").await,
        &console.browser().get("/").await,
        &console.browser().get("/login").await,
        &browser.send(Method::POST, "/", None, &[]).await,
    ] {
        for (name, value) in ALWAYS {
            assert_eq!(page.headers[name], value, "{}", page.status);
        }
    }
    let paths: Vec<_> =
        overview.text.split('"').filter(|part| part.starts_with("/assets/")).collect();
    assert_eq!(paths.len(), 3, "{paths:?}");
    for path in paths {
        let asset = console.browser().get(path).await;
        assert_eq!(asset.status, StatusCode::OK);
        assert_eq!(asset.headers["cache-control"], "public, max-age=31536000, immutable");
        assert_eq!(asset.headers["content-security-policy"], ALWAYS[0].1);
    }
}

/// What no page may pass on as it is.
const HOSTILE: &[&str] = &[
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "{{ 7*7 }}",
    "{% raw %}",
    "a\u{202e}b",
    "\u{0}x",
    "'; DROP TABLE operators; --",
    "$count",
    "{ $since }",
    "javascript:alert(1)",
    "%",
    "_",
    "\\",
    "\r\nSet-Cookie: session=x",
    "\u{feff}",
];

#[tokio::test]
async fn what_senders_choose_is_text() {
    let system = campus_alone().await;
    let console = Console::start(&system).await;
    let browser = console.logged_in(&system, "operator", None).await;
    let long = "x".repeat(10_000);
    for (number, hostile) in HOSTILE.iter().copied().chain([long.as_str()]).enumerate() {
        let (event, hostile) = (format!("evt-{number}"), hostile.replace('\0', ""));
        let insert = "INSERT INTO webhook_logs (id, campus_id, event_id, event_type, member_id, payload, signature_valid, received_at, status, error)
                      VALUES (gen_random_uuid(), $1::text::uuid, $2, $3, $3, '{}', true, now(), 'dead', $3)";
        system
            .database
            .client()
            .execute(insert, &[&system.campus.id, &event, &hostile])
            .await
            .unwrap();
        let page = browser.get(&format!("/search?q={event}")).await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(page.text.contains(&event) && page.text.len() < 20_000, "{event}");
        for raw in ["<script>alert", "<img src=x", "\u{202e}", "\u{feff}"] {
            assert!(!page.text.contains(raw), "{hostile}");
        }
        let mut url: reqwest::Url = format!("{}/search", console.url).parse().unwrap();
        url.query_pairs_mut().append_pair("q", &hostile);
        let page = browser.get(&format!("/search?{}", url.query().unwrap())).await;
        assert!(
            page.status.is_success() || (hostile.len() > 5_000 && page.status.is_client_error()),
            "{hostile}: {}",
            page.status
        );
        for raw in ["<script>alert", "<img src=x", "\u{202e}"] {
            assert!(!page.text.contains(raw), "{hostile}");
        }
    }
    for odd in [
        "/search?q=%00",
        "/search?q=%ff",
        "/search?q",
        "/search?q=a&q=b",
        "/search?span=x&q=00000000000000000000000000000000",
    ] {
        let status = browser.get(odd).await.status;
        assert!(!status.is_server_error(), "{odd}: {status}");
    }
}

#[tokio::test]
async fn the_first_page_says_what_is_worth_a_look_in_both_languages() {
    let system = campus_alone().await;
    let console = Console::start(&system).await;
    let browser = console.logged_in(&system, "operator", None).await;
    let page = browser.send(Method::GET, "/", None, &[("accept-language", "en")]).await;
    for words in [
        "Worth a look",
        "no gateway runs",
        "Start a worker",
        "No dead letters wait.",
        "<html lang=\"en\"",
    ] {
        assert!(page.text.contains(words), "{words}: {}", page.text);
    }
    let page = browser.send(Method::GET, "/", None, &[("accept-language", "id-ID,id;q=0.9")]).await;
    for words in
        ["Perlu dilihat", "tidak ada gateway yang berjalan", "Jalankan worker", "<html lang=\"id\""]
    {
        assert!(page.text.contains(words), "{words}: {}", page.text);
    }
    let silent = "INSERT INTO instances (id, program, version, host, seen_at) VALUES (gen_random_uuid(), 'worker', '9.9', 'far-away', now() - interval '1 min')";
    system.database.client().execute(silent, &[]).await.unwrap();
    eventually("a program that fell silent is told", Duration::from_secs(10), async || {
        let page = browser.get("/").await.text;
        page.contains("far-away") && page.contains("silent")
    })
    .await;
    browser
        .post(
            "/account/preferences",
            &[("language", "id"), ("theme", "dark"), ("timezone", "Asia/Makassar")],
        )
        .await;
    let page = browser.get("/account?done=preferences").await.text;
    assert!(
        page.contains("data-theme=\"dark\"")
            && page.contains("Tersimpan.")
            && page.contains("WITA"),
        "{page}"
    );
}

#[tokio::test]
async fn without_postgres_the_page_says_so_and_comes_back() {
    let system = campus_alone().await;
    let mut url: reqwest::Url = system.database.url_as(Role::Console).parse().unwrap();
    let target = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
    let between = Proxy::to(target.parse().unwrap()).await.unwrap();
    url.set_port(Some(between.address().port())).unwrap();
    let console = Console::start_with(&system, &[("DATABASE_URL", url.as_str())]).await;
    let browser = console.logged_in(&system, "viewer", None).await;
    assert_eq!(browser.get("/").await.status, StatusCode::OK);
    between.set(Mode::Refuse);
    between.reset();
    let page = browser.get("/").await;
    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(page.text.contains("The database does not answer") && !page.text.contains("Ani"));
    between.set(Mode::Forward);
    eventually("pages are back", Duration::from_secs(10), async || {
        browser.get("/").await.status == StatusCode::OK
    })
    .await;
}

#[test]
fn no_template_has_style_script_or_raw_text_in_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/console/templates");
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let text = std::fs::read_to_string(entry.path()).unwrap();
        for forbidden in [
            "|safe",
            "| safe",
            "style=",
            "<style",
            "onclick",
            "onload",
            "javascript:",
            "http://",
            "https://",
        ] {
            assert!(!text.contains(forbidden), "{forbidden} in {}", entry.path().display());
        }
        for script in text.split("<script").skip(1) {
            assert!(script.starts_with(" src=\"{{ frame.assets }}/"), "{}", entry.path().display());
        }
    }
}
