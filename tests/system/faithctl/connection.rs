//! `faithctl campus test-connection` and `discover-fields`.

use std::time::Duration;

use core_sim::{Endpoint, Fault, FaultKind, ListShape, Options, Settings};
use harness::{TestSystem, eventually};
use serde_json::{Value, json};

use super::{assert_failed, campus_alone};

fn core(settings: Settings) -> Options {
    Options { churches: Options::churches_of(1, 2, 700), settings, ..Options::default() }
}

#[tokio::test]
async fn members_are_counted_in_both_shapes_and_over_overlapping_pages() {
    for list_shape in [ListShape::Array, ListShape::Pagination] {
        let settings = Settings { list_shape, page_cap: Some(300), ..Settings::default() };
        let builder = TestSystem::builder().gateways(0).workers(0);
        let system = builder.core(core(settings)).spawn().await;
        let arguments = ["campus", "test-connection", &system.campus.id];
        let said = system.faithctl(&arguments).await.success();
        assert!(said.contains("logged in to 127.0.0.1:"), "{said}");
        assert!(said.contains("700 members of church 3880a17d"), "{said}");
    }
}

#[tokio::test]
async fn what_failed_is_said_in_words() {
    let system = campus_alone().await;
    let id = system.campus.id.as_str();
    let test = async || system.faithctl(&["campus", "test-connection", id]).await;
    let set = async |name: &str, value: &str| {
        system.faithctl(&["campus", "set", id, name, value]).await.success();
    };
    set("--api-path-prefix", "/elsewhere").await;
    assert_failed(&test().await, 1, "--api-path-prefix");
    set("--api-path-prefix", "/api").await;
    set("--api-email", "nobody@example.org").await;
    assert_failed(&test().await, 1, "refused the account nobody@example.org");
    set("--api-base-url", "http://127.0.0.1:9").await;
    assert_failed(&test().await, 1, "nothing answers at 127.0.0.1:9");
}

#[tokio::test]
async fn a_core_without_the_church_is_found_out() {
    let system = campus_alone().await;
    let id = system.campus.id.as_str();
    system.faithctl(&["campus", "set", id, "--core-church-id", "another"]).await.success();
    let finished = system.faithctl(&["campus", "test-connection", id]).await;
    assert_failed(&finished, 1, "none of them of church another");
}

#[tokio::test]
async fn a_login_that_worked_is_left_to_the_workers() {
    let system = campus_alone().await;
    let arguments = ["campus", "test-connection", &system.campus.id];
    system.faithctl(&arguments).await.success();
    let token = "SELECT version, token_sealed IS NOT NULL AS sealed FROM core_tokens";
    assert_eq!(system.database.rows(token, &[]).await, [json!({"version": 1, "sealed": true})]);
    system.faithctl(&arguments).await.success();
    assert_eq!(
        system.database.rows(token, &[]).await[0]["version"],
        1,
        "a fresh one is proof enough"
    );
}

#[tokio::test]
async fn fields_are_listed_with_types_and_samples_also_those_the_list_leaves_out() {
    let settings = Settings { projection: true, ..Settings::default() };
    let system = TestSystem::builder().gateways(0).workers(0).core(core(settings)).spawn().await;
    let arguments = ["campus", "discover-fields", &system.campus.id, "--json"];
    let fields = system.faithctl(&arguments).await.json();
    let field = |name: &str| -> Value {
        let mut all = fields.as_array().unwrap().iter();
        all.find(|field| field["field"] == name).cloned().unwrap_or_else(|| panic!("{fields}"))
    };
    assert_eq!(field("gender")["type"], "text");
    assert_eq!(field("date_of_birth")["type"], "date");
    assert_eq!(field("is_active")["type"], "boolean");
    assert_eq!(
        (&field("gender")["in_list"], &field("city")["in_list"]),
        (&json!(true), &json!(false))
    );
    let samples = field("gender")["samples"].clone();
    assert!(samples.as_array().unwrap().iter().all(|value| *value == "Male" || *value == "Female"));
    let values = field("gender")["values"].clone();
    let counts: Vec<u64> =
        values.as_array().unwrap().iter().map(|value| value["count"].as_u64().unwrap()).collect();
    assert_eq!((counts.len(), &field("gender")["distinct"]), (2, &json!(2)));
    assert!(counts[0] >= counts[1] && (60..=100).contains(&counts.iter().sum::<u64>()), "{values}");
    assert_eq!(field("full_name")["values"].as_array().unwrap().len(), 20);
    let table = system.faithctl(&arguments[..3]).await.success();
    assert!(table.lines().next().unwrap().starts_with("field "), "{table}");
    assert!(table.contains("\"Female\" ("), "{table}");
}

#[tokio::test]
async fn a_login_under_way_with_an_account_that_is_replaced_leaves_no_token() {
    let system = campus_alone().await;
    let id = system.campus.id.as_str();
    let kind = FaultKind::Latency { ms: 3000, jitter_ms: 0, stale: false };
    system.core.add_fault(Fault::everywhere(kind).at(Endpoint::Login));
    let arguments = ["campus", "test-connection", id];
    let testing = system.faithctl(&arguments);
    let replacing = async {
        let leased = "SELECT FROM core_tokens WHERE lease_until IS NOT NULL";
        eventually("the login is under way", Duration::from_secs(10), async || {
            !system.database.rows(leased, &[]).await.is_empty()
        })
        .await;
        let set = ["campus", "set", id, "--api-email", "another@example.org"];
        system.faithctl(&set).await.success();
    };
    tokio::join!(testing, replacing);
    let token = "SELECT token_sealed FROM core_tokens";
    assert_eq!(system.database.rows(token, &[]).await, [json!({"token_sealed": null})]);
}
