//! A member as the core answered it, and the words on its columns.

#![allow(clippy::unwrap_used, reason = "a test may")]

use chrono::NaiveDate;
use member::{ArchiveReason, Column, CoreMember, Country, Field, Locale, Profile, Verdict};
use serde_json::{Value, json};

fn member(object: Value) -> CoreMember {
    serde_json::from_value(object).unwrap()
}

#[test]
fn an_id_is_text_that_is_not_empty() {
    assert_eq!(member(json!({"id": "m", "church_id": "c"})).id(), Some("m"));
    assert_eq!(member(json!({"church_id": "c"})).church_id(), Some("c"));
    for none in [json!({}), json!({"id": ""}), json!({"id": 5}), json!({"id": null})] {
        assert_eq!(member(none).id(), None);
    }
}

#[test]
fn of_a_key_that_came_twice_the_last_counts() {
    let mut member = member(json!({"a": 1}));
    member.push("a".to_owned(), json!(2));
    assert_eq!(member.get("a"), Some(&json!(2)));
    assert_eq!(member.get("b"), None);
    let fields: Vec<_> =
        member.fields().map(|(key, value)| (key.to_owned(), value.clone())).collect();
    assert_eq!(fields, [("a".to_owned(), json!(1)), ("a".to_owned(), json!(2))]);
    assert_eq!(member.drain().count(), 2);
    assert_eq!(member.fields().count(), 0);
}

#[test]
fn a_word_keeps_its_meaning_when_its_value_changes() {
    let half = |number: i32| (number % 2 == 0).then_some(number / 2);
    assert_eq!(Field::Value(4).and_then(half), Field::Value(2));
    assert_eq!(Field::Value(3).and_then(half), Field::Null);
    assert_eq!(Field::Null.and_then(half), Field::Null);
    assert_eq!(Field::Absent.and_then(half), Field::Absent);
    assert_eq!(Field::Value(4).map(|number| number + 1).into_value(), Some(5));
    assert_eq!(Field::Value(4).as_ref().value(), Some(&&4));
    assert!(Field::<i32>::Absent.is_absent() && !Field::<i32>::Null.is_absent());
    assert_eq!(Field::<i32>::default(), Field::Absent);
}

#[test]
fn each_verdict_archives_creates_and_writes_as_its_table_says() {
    let profile = Profile::default;
    let expected = [
        (Verdict::Active(profile()), None, true, true),
        (Verdict::Unstated(profile()), None, true, true),
        (Verdict::Inactive(profile()), Some(ArchiveReason::Deactivated), true, true),
        (Verdict::Filtered(profile()), Some(ArchiveReason::Filtered), false, true),
        (Verdict::Deleted, Some(ArchiveReason::Deleted), false, false),
    ];
    for (verdict, reason, creates, writes) in expected {
        assert_eq!(verdict.archive_reason(), reason);
        assert_eq!((verdict.creates_unknown(), verdict.profile().is_some()), (creates, writes));
    }
    let texts = ArchiveReason::ALL.map(ArchiveReason::as_str);
    assert_eq!(
        texts,
        [
            "Deleted in core system",
            "Deactivated in core system",
            "No longer matches sync filter rules"
        ]
    );
}

#[test]
fn an_address_of_8192_bytes_is_one_and_a_longer_one_is_none() {
    let today = NaiveDate::from_ymd_opt(2026, 3, 1).unwrap();
    let locale = Locale { country: "ID".parse::<Country>().unwrap(), today };
    let photo_url = |length: usize| {
        let address = format!("https://x.org/{}", "a".repeat(length - 14));
        Profile::of(&member(json!({ "photo_url": address })), &locale).photo_url
    };
    assert!(photo_url(8192).value().is_some());
    assert_eq!(photo_url(8193), Field::Null);
}

#[test]
fn columns_are_named_as_in_the_tables() {
    let names = Column::ALL.map(Column::as_str);
    assert_eq!(names, ["name", "phone", "gender", "birth_date", "category", "photo"]);
}
