//! `faithctl campus set-filter` and `clear-filter`.

use core_sim::{Endpoint, Fault, FaultKind};
use serde_json::{Value, json};

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

#[tokio::test]
async fn what_faithtrackers_builder_stores_is_taken() {
    let system = campus_alone().await;
    let id = system.campus.id.as_str();
    let builder = |field: &str, operator: &str, value: Value| json!({"field": field, "operator": operator, "value": value});
    let rules = json!([
        builder("is_active", "is_true", json!("")),
        builder("is_deleted", "is_false", json!("")),
        builder("date_of_birth", "equals", json!("1990-01-15")),
        builder("date_of_birth", "greater_than", json!("17")),
        builder("date_of_birth", "between", json!(["18", "35"])),
        builder("gender", "in", json!("Female")),
        builder("member_status", "not_in", json!(["Visitor", "Guest"])),
        builder("marital_status", "contains", json!("married")),
        builder("membership_date", "less_than", json!("2020-01-01")),
        builder("membership_date", "between", json!(["1", "5"])),
        builder("created_at", "contains", json!("2024")),
        builder("participate_in_automation", "is_true", json!(true)),
    ]);
    let arguments = ["campus", "set-filter", id, "--mode", "include", "--rules", "-"];
    let set = system.faithctl_with_input(&arguments, rules.to_string().as_bytes()).await;
    assert_eq!(set.code, Some(0), "{set:?}");
    assert!(set.stderr.contains("nobody matches the rule about membership_date"), "{set:?}");
    let nested = json!([builder("custom_fields.group", "equals", json!("a"))]);
    let set = system.faithctl_with_input(&arguments, nested.to_string().as_bytes()).await;
    assert_failed(&set, 2, "rules see the top-level fields");
}

#[tokio::test]
async fn a_field_that_no_member_has_is_refused_unless_forced() {
    let system = campus_alone().await;
    let id = system.campus.id.as_str();
    let rules = |field: &str| json!([{"field": field, "operator": "equals", "value": "18"}]);
    let set = async |rules: Value, more: &[&str]| {
        let set = ["campus", "set-filter", id, "--mode", "include", "--rules", "-"];
        let arguments = [&set[..], more].concat();
        system.faithctl_with_input(&arguments, rules.to_string().as_bytes()).await
    };
    let saved = async || {
        system.faithctl(&["campus", "show", id, "--json"]).await.json()["filter_rules"].clone()
    };
    let said = "no member of the core has a field \"gendr\": did you mean gender?";
    assert_failed(&set(rules("gendr"), &[]).await, 2, said);
    assert_failed(&set(rules("age"), &[]).await, 2, "date_of_birth is compared by age");
    assert_eq!(saved().await, json!([]), "what was refused is not saved");

    // Whoever says so gets it, and is asked again when the campus is enabled.
    set(rules("gendr"), &["--force"]).await.success();
    assert_eq!(saved().await, rules("gendr"));
    system.faithctl(&["campus", "disable", id]).await.success();
    assert_failed(&system.faithctl(&["campus", "enable", id]).await, 2, said);
    let shown = system.faithctl(&["campus", "show", id, "--json"]).await.json();
    assert_eq!(shown["is_enabled"], false);
    system.faithctl(&["campus", "enable", id, "--force"]).await.success();

    // A core that cannot be asked keeps nobody from saving what is right, and perhaps is not.
    let away = FaultKind::Status { status: 500, retry_after: None };
    let fault = system.core.add_fault(Fault::everywhere(away).at(Endpoint::List));
    let finished = set(rules("city"), &[]).await;
    assert!(finished.stderr.contains("could not be asked"), "{finished:?}");
    assert_eq!((finished.code, saved().await), (Some(0), rules("city")));
    system.core.remove_fault(fault);
}

#[tokio::test]
async fn saving_says_whom_the_filter_keeps_and_asks_where_many_would_be_archived() {
    let system = campus_alone().await;
    let id = system.campus.id.as_str();
    let imported = system.reconcile(&["--once", "--campus", id, "--json"]).await.json();
    let members = imported["members_created"].as_u64().unwrap();
    let active = "SELECT external_member_id FROM members WHERE NOT is_archived ORDER BY 1";
    let active = system.database.rows(active, &[]).await;
    let keep_women = json!([{"field": "gender", "operator": "equals", "value": "Femal"}]);
    let set = async |rules: &Value, more: &[&str]| {
        let set = ["campus", "set-filter", id, "--mode", "include", "--rules", "-"];
        system.faithctl_with_input(&[&set[..], more].concat(), rules.to_string().as_bytes()).await
    };
    let saved = async || {
        system.faithctl(&["campus", "show", id, "--json"]).await.json()["filter_rules"].clone()
    };
    let said = format!("keeps 0 of {members} members; would archive {}", active.len());
    let looked = set(&keep_women, &["--dry-run"]).await.success();
    assert!(looked.contains("Filter not saved: include where gender equals"), "{looked}");
    assert!(looked.contains(&said), "{looked}");
    let refused = set(&keep_women, &[]).await;
    assert_failed(&refused, 2, &said);
    assert!(refused.stderr.contains("--yes"), "{refused:?}");
    assert_eq!(saved().await, json!([]), "neither was saved");

    // Newer cores leave fields out of the list: who has which city is asked by id.
    system.core.set(|settings| settings.projection = true);
    let no_city = json!([{"field": "city", "operator": "equals", "value": "Nowhere"}]);
    let looked = set(&no_city, &["--dry-run"]).await.success();
    assert!(looked.contains(&said), "{looked}");
    system.core.set(|settings| settings.projection = false);

    let one = active[0]["external_member_id"].as_str().unwrap();
    let all_but_one = json!([{"field": "id", "operator": "not_equals", "value": one}]);
    let finished = set(&all_but_one, &[]).await;
    assert_eq!(finished.code, Some(0), "one is within the limit: {finished:?}");
    let said = format!("keeps {} of {members} members; would archive 1", members - 1);
    assert!(finished.stderr.contains(&said), "{finished:?}");
    set(&keep_women, &["--yes"]).await.success();
    assert_eq!(saved().await, keep_women);
}
