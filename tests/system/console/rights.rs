//! Who gets where: every route, every role, every scope.

use console::{Access, ROUTES, Route};
use reqwest::{Method, StatusCode};
use store::OperatorRole;
use uuid::Uuid;

use super::{Console, campus_alone};

fn is_to_login(status: StatusCode, location: &str) -> bool {
    status == StatusCode::SEE_OTHER && location.starts_with("/login")
}

/// A path of the route, with something in the place of its variable parts.
fn some_path(route: &Route) -> String {
    route
        .path
        .split('/')
        .map(|part| if part.starts_with('{') { "x" } else { part })
        .collect::<Vec<_>>()
        .join("/")
}

#[tokio::test]
async fn every_route_lets_in_whom_the_table_names_and_nobody_else() {
    let system = campus_alone().await;
    let console = Console::start(&system).await;
    let (own, other): (Uuid, Uuid) = (system.campus.id.parse().unwrap(), Uuid::now_v7());
    let mut wrong = Vec::new();
    for route in ROUTES {
        let path = some_path(route);
        for role in OperatorRole::ALL {
            for scope in [None, Some(&[own][..]), Some(&[other][..])] {
                let browser = console.logged_in(&system, role.as_str(), scope).await;
                let page = match route.method {
                    Method::GET => browser.get(&path).await,
                    _ => browser.post(&path, &[]).await,
                };
                let may = match route.access {
                    Access::File | Access::Anyone => true,
                    Access::Needs(permission) => permission.is_of(role),
                };
                let is_in = page.status != StatusCode::FORBIDDEN
                    && !page.status.is_server_error()
                    && (!is_to_login(page.status, page.location()) || path == "/logout");
                if is_in != may {
                    wrong.push(format!(
                        "{} {path} as {role:?} {scope:?}: {}",
                        route.method, page.status
                    ));
                }
            }
        }
        let stranger = console.browser();
        let page = match route.method {
            Method::GET => stranger.get(&path).await,
            _ => stranger.post(&path, &[]).await,
        };
        let is_asked = is_to_login(page.status, page.location());
        if is_asked != matches!(route.access, Access::Needs(_)) {
            wrong.push(format!("{} {path} as nobody: {}", route.method, page.status));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    for path in ["/nowhere", "/admin", "/search/x", "/assets/../Cargo.toml", "/link", "//"] {
        let page = console.browser().get(path).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{path}");
        assert!(page.text.contains("There is no such page"), "{path}");
    }
}

/// An event of another campus, a letter, a run.
const OF_ANOTHER: &str = "
    INSERT INTO campuses (id, name, timezone) VALUES ('00000000-0000-7000-8000-00000000000a', 'Elsewhere', 'Asia/Jakarta');
    INSERT INTO webhook_logs (id, campus_id, event_id, event_type, member_id, payload, signature_valid, received_at, status, trace_id)
    VALUES ('00000000-0000-7000-8000-00000000000b', '00000000-0000-7000-8000-00000000000a', 'evt-other', 'member.updated',
            'm-other', '{}', true, now(), 'dead', '0123456789abcdef0123456789abcdef');
    INSERT INTO dead_letters (id, event_id, campus_id, event_type, member_id, cause, reason, attempts, envelope)
    VALUES ('00000000-0000-7000-8000-00000000000b', 'evt-other', '00000000-0000-7000-8000-00000000000a', 'member.updated',
            'm-other', 'poison', 'x', 1, '{}');
    INSERT INTO sync_logs (id, campus_id, sync_type, status, error_message)
    VALUES ('00000000-0000-7000-8000-00000000000c', '00000000-0000-7000-8000-00000000000a', 'manual', 'error', 'secret of another');";

#[tokio::test]
async fn an_office_sees_its_own_campuses_alone() {
    let system = campus_alone().await;
    system.database.client().batch_execute(OF_ANOTHER).await.unwrap();
    let console = Console::start(&system).await;
    let own: Uuid = system.campus.id.parse().unwrap();
    let office = console.logged_in(&system, "office", Some(&[own])).await;
    let operator = console.logged_in(&system, "operator", None).await;
    let queries = [
        "evt-other",
        "m-other",
        "Elsewhere",
        "0123456789abcdef0123456789abcdef",
        "00000000-0000-7000-8000-00000000000a",
        "00000000-0000-7000-8000-00000000000b",
        "00000000-0000-7000-8000-00000000000c",
    ];
    for query in queries {
        let path = format!("/search?q={query}");
        let (hidden, shown) = (office.get(&path).await, operator.get(&path).await);
        assert!(hidden.text.contains("Nothing was found"), "{query}: {}", hidden.text);
        assert!(
            !shown.text.contains("Nothing was found") && shown.text.contains("Elsewhere"),
            "{query}: {}",
            shown.text
        );
    }
    let (hidden, shown) = (office.get("/").await, operator.get("/").await);
    assert!(shown.text.contains("Elsewhere") && shown.text.contains("secret of another"));
    assert!(
        !hidden.text.contains("Elsewhere") && !hidden.text.contains("secret of another"),
        "{}",
        hidden.text
    );
    assert!(shown.text.contains("poison") && !hidden.text.contains("poison"));
}
