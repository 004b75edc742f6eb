//! `faithctl campus set-filter` and `clear-filter`.

use serde_json::json;

use super::{assert_failed, campus_alone};

#[tokio::test]
async fn rules_are_checked_when_they_are_saved() {
    let system = campus_alone().await;
    let id = system.campus.id.as_str();
    let set = async |mode: &str, rules: &str| {
        let arguments = ["campus", "set-filter", id, "--mode", mode, "--rules", "-"];
        system.faithctl_with_input(&arguments, rules.as_bytes()).await
    };
    let saved = async || {
        let shown = system.faithctl(&["campus", "show", id, "--json"]).await.json();
        json!([shown["filter_mode"], shown["filter_rules"]])
    };
    let rules = json!([
        {"field": "gender", "operator": "equals", "value": "Female"},
        {"field": "date_of_birth", "operator": "between", "value": ["18", "35"]},
    ]);
    set("exclude", &rules.to_string()).await.success();
    assert_eq!(saved().await, json!(["exclude", rules]));

    for (wrong, words) in [
        (r#"[{"field":"gender","operator":"bigger","value":1}]"#, "filter rule 1: operator"),
        (r#"[{"field":"gender","operator":"greater_than","value":1}]"#, "does not fit the field"),
        (r#"[{"operator":"equals","value":1}]"#, "filter rule 1: field"),
        (r#"{"field":"gender"}"#, "expected a list"),
        ("[", "is not JSON"),
    ] {
        assert_failed(&set("include", wrong).await, 2, words);
    }
    assert_eq!(set("sometimes", "[]").await.code, Some(2));
    assert_eq!(saved().await, json!(["exclude", rules]), "what was refused is not saved");

    system.faithctl(&["campus", "clear-filter", id]).await.success();
    assert_eq!(saved().await, json!(["include", []]));
}

#[tokio::test]
async fn rules_come_from_a_file_that_exists() {
    let system = campus_alone().await;
    let id = system.campus.id.as_str();
    let file = system.folder().path().join("rules.json");
    let file = file.to_str().unwrap();
    let arguments = ["campus", "set-filter", id, "--mode", "include", "--rules", file];
    assert_failed(&system.faithctl(&arguments).await, 1, "cannot read");
    std::fs::write(file, r#"[{"field":"is_active","operator":"is_true"}]"#).unwrap();
    system.faithctl(&arguments).await.success();
    let list = system.faithctl(&["campus", "list"]).await.success();
    assert!(list.contains("include 1 rule"), "{list}");
}
