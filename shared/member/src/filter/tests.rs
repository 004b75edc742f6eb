#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

use chrono::NaiveDate;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Filter, FilterError, MOST_RULES, operator_names};
use crate::CoreMember;

fn today() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 3, 1).unwrap()
}

fn member(value: Value) -> CoreMember {
    serde_json::from_value(value).unwrap()
}

fn rule(field: &str, operator: &str, value: &Value) -> Value {
    json!({"field": field, "operator": operator, "value": value})
}

/// Whether one include rule on the field `f` keeps a member whose `f` is `found`.
fn matches(found: &Value, operator: &str, value: &Value) -> bool {
    let filter = Filter::parse("include", &json!([rule("f", operator, value)])).unwrap();
    filter.keeps(&member(json!({"f": found})), today())
}

fn refusal(rule: &Value) -> String {
    Filter::parse("include", &json!([rule])).unwrap_err().to_string()
}

#[test]
fn no_rules_keep_everyone() {
    for (mode, rules) in [("include", json!([])), ("exclude", json!([])), ("exclude", Value::Null)]
    {
        let filter = Filter::parse(mode, &rules).unwrap();
        assert!(filter.is_empty() && filter.keeps(&member(json!({})), today()));
    }
    assert!(Filter::default().keeps(&member(json!({})), today()));
}

#[test]
fn all_rules_must_match() {
    let rules = json!([
        rule("gender", "equals", &json!("Female")),
        rule("member_status", "in", &json!(["Full Member", "Visitor"])),
    ]);
    let both = member(json!({"gender": "Female", "member_status": "Visitor"}));
    let one = member(json!({"gender": "Female", "member_status": "Guest"}));
    let none = member(json!({"gender": "Male", "member_status": "Guest"}));
    let kept = |mode| {
        let filter = Filter::parse(mode, &rules).unwrap();
        assert!(!filter.is_empty());
        [&both, &one, &none].map(|member| filter.keeps(member, today()))
    };
    assert_eq!(kept("include"), [true, false, false]);
    assert_eq!(kept("exclude"), [false, true, true]);
}

#[test]
fn operators_compare_as_faithtracker_does() {
    let cases = [
        (json!("Female"), "equals", json!("Female"), true),
        (json!("Female"), "equals", json!("female"), false),
        (json!(18), "equals", json!("18"), true),
        (json!("18"), "equals", json!(18), true),
        (json!("18"), "equals", json!(18.0), true),
        (json!("0812"), "equals", json!("812"), false),
        (json!(true), "equals", json!(true), true),
        (json!(true), "equals", json!("True"), true),
        (json!("yes"), "equals", json!(true), false),
        (json!({"a": 1}), "equals", json!("a"), false),
        (json!("Male"), "not_equals", json!("Female"), true),
        (json!("Female"), "not_equals", json!("Female"), false),
        (json!("JEMAAT Đặng"), "contains", json!("jemaat đặng"), true),
        (json!("Jemaat"), "contains", json!("tamu"), false),
        (json!(["Choir", "Usher"]), "contains", json!("choi"), true),
        (json!({"group": "Choir"}), "contains", json!("choi"), true),
        (json!({"group": "Choir"}), "contains", json!("grou"), true),
        (json!(true), "contains", json!("tru"), true),
        (json!(false), "contains", json!("fals"), false),
        (json!(0), "contains", json!("0"), false),
        (json!(["Choir", "Usher"]), "in", json!(["Usher"]), false),
        (json!(["Choir", "Usher"]), "equals", json!("Choir"), false),
        (json!(["Choir", "Usher"]), "not_in", json!(["Usher"]), true),
        (json!([]), "not_in", json!(["Usher"]), true),
        (json!([]), "in", json!(["Usher"]), false),
        (json!("B"), "in", json!(["A", "B"]), true),
        (json!(2), "in", json!(["1", "2"]), true),
        (json!("C"), "not_in", json!(["A", "B"]), true),
        (json!("19"), "greater_than", json!("18"), true),
        (json!(18), "greater_than", json!(18), false),
        (json!(9), "less_than", json!("10"), true),
        (json!("Budi"), "less_than", json!(10), false),
        (json!(["1"]), "less_than", json!(10), false),
        (json!("18"), "between", json!(["18", "35"]), true),
        (json!(35), "between", json!(["18", "35"]), true),
        (json!(35.5), "between", json!(["18", "35"]), false),
        (json!("2024-05-01T10:00:00Z"), "between", json!(["2024-05-01", "2024-05-01"]), true),
        (json!("2024-05-02"), "greater_than", json!("2024-05-01"), true),
        (json!("nan"), "less_than", json!(1), false),
        (json!(true), "is_true", Value::Null, true),
        (json!("true"), "is_true", Value::Null, true),
        (json!(false), "is_true", Value::Null, false),
        (json!(false), "is_false", Value::Null, true),
    ];
    for (found, operator, value, expected) in cases {
        assert_eq!(matches(&found, operator, &value), expected, "{found} {operator} {value}");
    }
}

#[test]
fn a_missing_or_null_field_fails_all_but_the_negations() {
    let cases = [
        ("equals", json!("a"), false),
        ("not_equals", json!("a"), true),
        ("contains", json!("a"), false),
        ("in", json!(["a"]), false),
        ("not_in", json!(["a"]), true),
        ("greater_than", json!(1), false),
        ("less_than", json!(1), false),
        ("between", json!([1, 2]), false),
        ("is_true", Value::Null, false),
        ("is_false", Value::Null, true),
    ];
    for (operator, value, expected) in cases {
        let filter = Filter::parse("include", &json!([rule("f", operator, &value)])).unwrap();
        for absent in [json!({}), json!({"f": null})] {
            assert_eq!(filter.keeps(&member(absent), today()), expected, "{operator}");
        }
    }
}

#[test]
fn true_and_false_are_these_values_and_no_others() {
    let truths = [json!(true), json!(1), json!(1.0), json!("true"), json!("1"), json!("True")];
    let falsehoods = [json!(false), json!(0), json!("false"), json!("0"), Value::Null];
    let neither = [json!(""), json!(2), json!("yes"), json!("01"), json!([]), json!({})];
    // Whatever stands beside them: FaithTracker's builder leaves there what was chosen before.
    for value in [Value::Null, json!(""), json!("Female"), json!(["18", "35"]), json!(false)] {
        let said =
            |found: &Value| [matches(found, "is_true", &value), matches(found, "is_false", &value)];
        assert!(truths.iter().all(|found| said(found) == [true, false]));
        assert!(falsehoods.iter().all(|found| said(found) == [false, true]));
        assert!(neither.iter().all(|found| said(found) == [false, false]));
    }
}

#[test]
fn what_faithtrackers_builder_stores_is_read() {
    let kept = |field: &str, operator: &str, value: Value, found: Value| {
        let filter = Filter::parse("include", &json!([rule(field, operator, &value)])).unwrap();
        filter.keeps(&member(json!({field: found})), today())
    };
    assert!(kept("is_active", "is_true", json!(""), json!(true)));
    assert!(kept("date_of_birth", "equals", json!("1990-01-15"), json!("1990-01-15")));
    assert!(kept("date_of_birth", "equals", json!("1990-01-15"), json!("1990-01-15T00:00:00Z")));
    assert!(!kept("date_of_birth", "equals", json!("1990-01-15"), json!("1990-01-16")));
    assert!(kept("date_of_birth", "not_equals", json!("1990-01-15"), json!("1990-01-16")));
    assert!(kept("date_of_birth", "in", json!(["1990-01-15", "35"]), json!("1991-02-28")));
    assert!(kept("place_of_birth", "equals", json!("Medan"), json!("Medan")));
    // Where a field has few values, it stores the chosen one under `in` as text.
    assert!(kept("gender", "in", json!("Female"), json!("Female")));
    assert!(kept("gender", "not_in", json!("Female"), json!("Male")));
    assert!(kept("member_status", "in", json!("Guest, Visitor"), json!("Visitor")));
    assert!(kept("member_status", "in", json!("Guest, Visitor"), json!("Guest, Visitor")));
    assert!(kept("membership_date", "greater_than", json!("2020-01-01"), json!("2020-01-02")));
    // All that it takes for `between`; on a date it matches nobody, and whoever saves it is told.
    let rules = json!([rule("membership_date", "between", &json!(["1", "2030"]))]);
    let filter = Filter::parse("include", &rules).unwrap();
    assert_eq!(filter.hollow_fields(), ["membership_date"]);
    assert!(!filter.keeps(&member(json!({"membership_date": "2020-01-02"})), today()));
}

#[test]
fn birthdays_that_may_change_what_a_filter_says_are_told() {
    let born = member(json!({"date_of_birth": "2008-03-02", "city": "Bandung"}));
    let next =
        |rules: Value| Filter::parse("include", &rules).unwrap().next_birthday(&born, today());
    let city = rule("city", "equals", &json!("Bandung"));
    let adult = rule("date_of_birth", "greater_than", &json!("17"));
    assert_eq!(next(json!([city, adult])), NaiveDate::from_ymd_opt(2026, 3, 2));
    assert_eq!(next(json!([city])), None);
    assert_eq!(next(json!([rule("date_of_birth", "equals", &json!("2008-03-02"))])), None);
}

#[test]
fn birth_fields_are_compared_by_age() {
    let born = |date: &str, operator: &str, value: Value| {
        let filter =
            Filter::parse("include", &json!([rule("Date_Of_Birth", operator, &value)])).unwrap();
        filter.keeps(&member(json!({"Date_Of_Birth": date})), today())
    };
    assert!(born("2008-02-29", "between", json!(["18", "35"])));
    assert!(!born("2008-03-02", "between", json!(["18", "35"])));
    assert!(born("1991-03-01", "equals", json!("35")));
    assert!(born("1991-03-01", "in", json!([34, "35"])));
    assert!(born("1991-03-02", "less_than", json!(35)));
    // Not born yet, or no date: no age, as if the field were null.
    assert!(!born("2030-01-01", "less_than", json!(35)));
    assert!(born("2001-02-30", "not_equals", json!(35)));
}

#[test]
fn what_makes_no_sense_is_refused_with_its_place_and_what_is_expected() {
    let cases = [
        (json!("x"), r#"filter rule 1: expected an object {"field","operator","value"}"#),
        (json!({"operator": "equals", "value": 1}), "field: expected"),
        (rule(" ", "equals", &json!(1)), "field: expected"),
        (rule("f", "like", &json!(1)), "operator: expected equals, not_equals"),
        (json!({"field": "f", "value": 1}), "operator: expected"),
        (json!({"field": "f", "operator": "equals", "values": 1}), r#"unknown key "values""#),
        (rule("f", "equals", &Value::Null), "value for equals: expected text"),
        (rule("f", "equals", &json!(["a"])), "value for equals: expected text"),
        (rule("f", "contains", &json!("")), "value for contains: expected text that is not empty"),
        (rule("f", "in", &json!("")), "value for in: expected a list"),
        (rule("f", "in", &json!(5)), "value for in: expected a list"),
        (rule("f", "in", &json!([])), "value for in: expected a list of 1 to 1000"),
        (rule("f", "not_in", &json!([null])), "value for not_in: expected a list"),
        (
            rule("f", "greater_than", &json!("abc")),
            "value for greater_than: expected a number or a date",
        ),
        (
            rule("f", "less_than", &json!("2024-02-30")),
            "value for less_than: expected a number or a date",
        ),
        (rule("f", "between", &json!(["18"])), "value for between: expected a list of two"),
        (rule("f", "between", &json!([35, 18])), "the lower one first"),
        (rule("f", "between", &json!([35, "2024-01-01"])), "two numbers or two dates"),
        (rule("custom_fields.group", "equals", &json!("a")), "\"custom_fields\" is one"),
        (rule("date_of_birth", "equals", &json!("15/01/1990")), "or a date YYYY-MM-DD"),
        (rule("date_of_birth", "less_than", &json!("1990-01-15")), "expected an age in years"),
        (rule("date_of_birth", "greater_than", &json!(1990)), "expected an age in years"),
        (
            rule("date_of_birth", "contains", &json!("1990")),
            "does not fit the field \"date_of_birth\"",
        ),
        (rule("is_active", "greater_than", &json!(1)), "which holds true or false"),
        (rule("is_active", "equals", &json!("yes")), "expected true or false"),
        (rule("membership_date", "less_than", &json!(5)), "expected a date"),
        (rule("full_name", "greater_than", &json!(5)), "which holds text"),
    ];
    for (rule, expected) in cases {
        let said = refusal(&rule);
        assert!(said.contains(expected), "{rule}: {said}");
        assert!(said.starts_with("filter rule 1: "), "{said}");
    }
}

/// Of each operator, with a value that it takes, the fields that it is refused on: one of each type.
#[test]
fn an_operator_is_refused_on_every_type_that_it_does_not_name() {
    let fields = ["date_of_birth", "birth_place", "is_active", "created_at", "gender", "f"];
    let refused = |operator| {
        let takes = |field: &str, value: Value| {
            Filter::parse("include", &json!([rule(field, operator, &value)])).is_ok()
        };
        let values =
            [json!("2000-01-01"), json!("true"), json!(5), json!([1, 2]), json!(["2000", "2001"])];
        let takes_any = |field: &&str| values.iter().any(|value| takes(field, value.clone()));
        fields.into_iter().filter(|field| !takes_any(field)).collect::<Vec<_>>()
    };
    let order = vec!["is_active", "gender"];
    let truth = vec!["date_of_birth", "created_at", "gender"];
    let expected = [
        ("equals", vec![]),
        ("not_equals", vec![]),
        ("contains", vec!["date_of_birth", "is_active"]),
        ("in", vec!["is_active"]),
        ("not_in", vec!["is_active"]),
        ("greater_than", order.clone()),
        ("less_than", order.clone()),
        ("between", order),
        ("is_true", truth.clone()),
        ("is_false", truth),
    ];
    assert_eq!(operator_names(), expected.clone().map(|(name, _)| name));
    for (operator, fields) in expected {
        assert_eq!(refused(operator), fields, "{operator}");
    }
}

#[test]
fn limits_are_the_last_that_is_taken() {
    let is_taken = |rule: Value| Filter::parse("include", &json!([rule])).is_ok();
    let list = |number: usize| rule("f", "in", &json!(vec!["a"; number]));
    assert!(is_taken(list(1000)) && !is_taken(list(1001)));
    let field = |length: usize| rule(&"f".repeat(length), "equals", &json!("a"));
    assert!(is_taken(field(100)) && !is_taken(field(101)));
    let age = |years: Value| rule("date_of_birth", "less_than", &years);
    assert!(is_taken(age(json!(0))) && is_taken(age(json!(150))));
    assert!(!is_taken(age(json!(151))) && !is_taken(age(json!(-1))));
    let between = |low: i32, high: i32| rule("f", "between", &json!([low, high]));
    assert!(is_taken(between(5, 5)) && !is_taken(between(6, 5)));
}

#[test]
fn numbers_may_be_written_as_decimals_and_nothing_else() {
    for (text, is_number) in [
        ("-5", true),
        ("+5", true),
        ("1.5", true),
        (" 7 ", true),
        ("1e3", false),
        ("inf", false),
        ("0x10", false),
        ("", false),
    ] {
        let rule = rule("f", "less_than", &json!(text));
        assert_eq!(Filter::parse("include", &json!([rule])).is_ok(), is_number, "{text}");
    }
    assert!(matches(&json!("-5.5"), "less_than", &json!("-5")));
    assert!(matches(&json!(1.5), "equals", &json!("1.5")));
}

#[test]
fn booleans_are_equal_to_booleans_in_whatever_form() {
    let cases = [
        (json!(false), json!(false), true),
        (json!(true), json!(false), false),
        (json!("FALSE"), json!(false), true),
        (json!("true"), json!(false), false),
        (json!(false), json!("False"), true),
        (json!(1), json!(true), false),
        (json!(true), json!(1), false),
        (json!(0), json!(false), false),
    ];
    for (found, value, expected) in cases {
        assert_eq!(matches(&found, "equals", &value), expected, "{found} {value}");
        assert_eq!(matches(&found, "not_equals", &value), !expected, "{found} {value}");
    }
    let active = |operator: &str, value: Value, found: Value| {
        let rule = json!([rule("is_active", operator, &value)]);
        let filter = Filter::parse("include", &rule).unwrap();
        filter.keeps(&member(json!({"is_active": found})), today())
    };
    assert!(active("equals", json!("true"), json!(true)));
    assert!(!active("equals", json!(true), json!(false)));
    assert!(active("not_equals", json!(true), json!(false)));
    assert!(
        active("is_true", Value::Null, json!(1)) && active("is_false", Value::Null, json!("0"))
    );
}

#[test]
fn the_second_rule_is_named_as_such() {
    let rules = json!([rule("f", "equals", &json!(1)), rule("f", "equals", &Value::Null)]);
    assert!(
        Filter::parse("include", &rules).unwrap_err().to_string().starts_with("filter rule 2: ")
    );
}

#[test]
fn mode_and_list_are_checked() {
    assert_eq!(Filter::parse("only", &json!([])).unwrap_err(), FilterError::UnknownMode);
    assert_eq!(Filter::parse("include", &json!({})).unwrap_err(), FilterError::NotAList);
    let rules = |number| json!(vec![rule("f", "equals", &json!(1)); number]);
    assert!(Filter::parse("include", &rules(MOST_RULES)).is_ok());
    assert_eq!(
        Filter::parse("include", &rules(MOST_RULES + 1)).unwrap_err(),
        FilterError::TooManyRules { found: 51, most: 50 }
    );
}

#[test]
fn fields_are_named_once_and_missing_ones_told() {
    let rules = json!([
        rule("a", "equals", &json!(1)),
        rule("b", "is_true", &Value::Null),
        rule("a", "less_than", &json!(5)),
    ]);
    let filter = Filter::parse("exclude", &rules).unwrap();
    assert_eq!(filter.fields(), ["a", "b"]);
    assert_eq!(filter.missing_fields(&member(json!({"a": null}))), ["b"]);
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        "[0-9]{4}-[0-9]{2}-[0-9]{2}".prop_map(Value::from),
        "[0-9]{1,3}".prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 4, |inner| prop::collection::vec(inner, 0..4).prop_map(Value::from))
}

fn any_rule() -> impl Strategy<Value = Value> {
    let field = prop_oneof![
        Just("f"),
        Just("date_of_birth"),
        Just("is_active"),
        Just("created_at"),
        Just("gender")
    ];
    let operator = prop::sample::select(operator_names());
    (field, operator, any_json()).prop_map(|(field, operator, value)| rule(field, operator, &value))
}

proptest! {
    #[test]
    fn nothing_that_is_stored_makes_reading_it_panic(mode in "\\PC{0,8}", rules in any_json()) {
        let _ = Filter::parse(&mode, &rules);
    }

    #[test]
    fn include_and_exclude_keep_opposite_people(rules in prop::collection::vec(any_rule(), 1..3), found in any_json()) {
        let (Ok(include), Ok(exclude)) =
            (Filter::parse("include", &json!(rules)), Filter::parse("exclude", &json!(rules))) else { return Ok(()) };
        let member = member(json!({"f": found, "date_of_birth": found, "is_active": found, "created_at": found}));
        prop_assert_ne!(include.keeps(&member, today()), exclude.keeps(&member, today()));
    }

    #[test]
    fn negations_are_opposites_for_whatever_is_there(found in any_json(), value in any_json()) {
        for (yes, no) in [("equals", "not_equals"), ("in", "not_in")] {
            if Filter::parse("include", &json!([rule("f", yes, &value)])).is_ok() {
                prop_assert_ne!(matches(&found, yes, &value), matches(&found, no, &value));
            }
        }
    }
}
