//! From the core's answers, the recorded ones among them, to what becomes of a member here.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may")]

use chrono::{NaiveDate, TimeZone, Utc};
use chrono_tz::{America::Los_Angeles, Asia::Jakarta};
use member::{
    ArchiveReason, Column, CoreMember, Field, Filter, KEYS, Locale, PhotoRefusal, Profile, Verdict,
    map,
};
use proptest::prelude::*;
use serde_json::{Value, json};

const MEMBER: &str = include_str!("../../../tests/samples/faithflow/member.json");
const INACTIVE: &str = include_str!("../../../tests/samples/faithflow/member-inactive.json");
const SOFT_DELETED: &str =
    include_str!("../../../tests/samples/faithflow/member-soft-deleted.json");

/// A one-pixel-like start of a JPEG, in base64.
const JPEG: &str = "/9j/4AAQSkZJRgABAQ==";

fn locale() -> Locale {
    let now = Utc.with_ymd_and_hms(2026, 11, 23, 16, 10, 0).unwrap();
    Locale::at("ID".parse().unwrap(), Jakarta, now)
}

fn recorded(sample: &str) -> CoreMember {
    let mut sample: Value = serde_json::from_str(sample).unwrap();
    serde_json::from_value(sample["body"].take()).unwrap()
}

fn core_member(value: Value) -> CoreMember {
    serde_json::from_value(value).unwrap()
}

fn profile(value: Value) -> Profile {
    Profile::of(&core_member(value), &locale())
}

fn text(value: &str) -> Field<String> {
    Field::Value(value.to_owned())
}

#[test]
fn the_recorded_member_maps_to_its_columns() {
    let member = recorded(MEMBER);
    assert_eq!(member.id(), Some("2496441d-cbf4-4821-bb59-1b705c296cf1"));
    assert_eq!(member.church_id(), Some("3880a17d-f858-4622-87c2-96eaa7b25c83"));
    let profile = Profile::of(&member, &locale());
    assert_eq!(profile.name, text("Sumarni N"));
    assert_eq!(profile.phone, text("+6281234567890"));
    assert_eq!(profile.gender, text("Female"));
    assert_eq!(profile.birth_date, Field::Value(NaiveDate::from_ymd_opt(1990, 1, 15).unwrap()));
    assert_eq!(profile.age, Field::Value(36));
    assert_eq!(profile.category, text("Visitor"));
    // The recorded version has no `photo_url` at all, and no photo.
    assert_eq!((profile.photo_url, profile.photo), (Field::Absent, Field::Null));
}

#[test]
fn keys_that_are_not_named_decide_nothing() {
    let everything = json!({
        "id": "a", "church_id": "c", "is_deleted": false, "is_active": true,
        "full_name": "Full", "name": "Name", "first_name": "First", "last_name": "Last",
        "phone": "0812 3456 7890", "phone_whatsapp": "0812 3456 7891", "gender": "Male",
        "date_of_birth": "1990-01-15", "member_status": "Visitor", "photo_url": "https://x.org/a.jpg",
        "photo_base64": JPEG,
    });
    let extras = recorded(MEMBER);
    // Without each of the keys in turn, so that those it stands in for are looked at too.
    for missing in KEYS {
        let mut lean = everything.as_object().unwrap().clone();
        lean.remove(missing);
        let mut full = lean.clone();
        let others = extras.fields().filter(|(key, _)| !KEYS.contains(key));
        full.extend(others.map(|(key, value)| (key.to_owned(), value.clone())));
        assert!(full.len() > lean.len() + 20);
        let verdict = |object| map(&CoreMember::from(object), &Filter::default(), &locale());
        assert_eq!(verdict(lean), verdict(full), "{missing}");
    }
}

#[test]
fn the_recorded_fates_are_told_apart() {
    let verdict_of = |sample| map(&recorded(sample), &Filter::default(), &locale()).unwrap();
    assert!(matches!(verdict_of(MEMBER), Verdict::Active(_)));
    let inactive = verdict_of(INACTIVE);
    assert_eq!(inactive.profile().unwrap().name, text("Yohanes Đặng 李"));
    assert_eq!(inactive.archive_reason(), Some(ArchiveReason::Deactivated));
    assert!(inactive.creates_unknown());
    assert_eq!(verdict_of(SOFT_DELETED), Verdict::Deleted);
}

#[test]
fn an_absent_key_is_not_a_null_one() {
    let nothing = profile(json!({}));
    assert!(
        nothing.name.is_absent()
            && nothing.phone.is_absent()
            && nothing.gender.is_absent()
            && nothing.birth_date.is_absent()
    );
    assert!(
        nothing.age.is_absent()
            && nothing.category.is_absent()
            && nothing.photo_url.is_absent()
            && nothing.photo.is_absent()
    );
    let nulls = profile(json!({
        "full_name": null, "phone": null, "gender": null, "date_of_birth": null, "member_status": null, "photo_url": null,
        "photo_base64": null,
    }));
    assert_eq!((nulls.name, nulls.phone, nulls.gender), (Field::Null, Field::Null, Field::Null));
    assert_eq!(
        (nulls.birth_date, nulls.age, nulls.category),
        (Field::Null, Field::Null, Field::Null)
    );
    assert_eq!((nulls.photo_url, nulls.photo), (Field::Null, Field::Null));
}

#[test]
fn names_and_phones_fall_back() {
    let name = |value| profile(value).name;
    assert_eq!(name(json!({"full_name": "A B", "name": "C", "first_name": "D"})), text("A B"));
    assert_eq!(name(json!({"full_name": null, "name": "C", "first_name": "D"})), text("C"));
    assert_eq!(name(json!({"full_name": " ", "first_name": "D", "last_name": "E"})), text("D E"));
    assert_eq!(name(json!({"full_name": null, "first_name": null, "last_name": "E"})), text("E"));
    assert_eq!(name(json!({"full_name": null, "first_name": null})), Field::Null);
    assert_eq!(name(json!({"first_name": null})), Field::Absent);
    let phone = |value| profile(value).phone;
    assert_eq!(
        phone(json!({"phone": "0812 3456 7890", "phone_whatsapp": "1"})),
        text("+6281234567890")
    );
    assert_eq!(
        phone(json!({"phone": null, "phone_whatsapp": "(0812) 3456-7890"})),
        text("+6281234567890")
    );
    assert_eq!(phone(json!({"phone": "", "phone_whatsapp": ""})), Field::Null);
    assert_eq!(phone(json!({"phone": 6_281_234_567_890_u64})), text("+6281234567890"));
    assert_eq!(
        phone(json!({"phone": ["0812"], "phone_whatsapp": "0812 3456 7890"})),
        text("+6281234567890")
    );
    assert_eq!(phone(json!({"phone": "ask his wife"})), text("ask his wife"));
}

#[test]
fn a_date_to_come_is_kept_without_an_age() {
    let future = profile(json!({"date_of_birth": "2030-01-01"}));
    assert!(future.birth_date.value().is_some());
    assert_eq!(future.age, Field::Null);
}

#[test]
fn what_cannot_be_read_leaves_its_column_and_is_told() {
    let dates = [
        json!("15/01/1990"),
        json!("2001-02-29"),
        json!("0001-01-01"),
        json!("1899-12-31T00:00:00Z"),
        json!(19_900_115),
        json!({"$date": "1990-01-15"}),
    ];
    for date in dates {
        let odd = profile(json!({"date_of_birth": date}));
        assert_eq!((odd.birth_date, odd.age), (Field::Absent, Field::Absent), "{date}");
        assert_eq!(odd.unreadable, [Column::BirthDate], "{date}");
    }
    let odd = profile(json!({
        "full_name": {"first": "A"}, "name": null, "phone": ["0812"], "phone_whatsapp": "", "gender": true,
        "member_status": {}, "photo_base64": 5,
    }));
    assert!(
        odd.name.is_absent()
            && odd.phone.is_absent()
            && odd.gender.is_absent()
            && odd.category.is_absent()
            && odd.photo.is_absent()
    );
    let columns = [Column::Name, Column::Phone, Column::Gender, Column::Category, Column::Photo];
    assert_eq!(odd.unreadable, columns);
    // Nothing, however it is written, can be read.
    let blank = profile(json!({"date_of_birth": "", "gender": " ", "phone": null}));
    assert_eq!((blank.birth_date, blank.gender), (Field::Null, Field::Null));
    assert_eq!(blank.unreadable, []);
    // Another key stands in.
    assert_eq!(profile(json!({"full_name": [], "name": "C"})).unreadable, []);
}

#[test]
fn the_birthday_begins_at_the_campus_midnight() {
    // 17:30 UTC on 14 January: the 15th in Jakarta, the 14th in Los Angeles.
    let now = Utc.with_ymd_and_hms(2026, 1, 14, 17, 30, 0).unwrap();
    let born = core_member(json!({"date_of_birth": "1990-01-15"}));
    let age =
        |time_zone| Profile::of(&born, &Locale::at("ID".parse().unwrap(), time_zone, now)).age;
    assert_eq!((age(Jakarta), age(Los_Angeles)), (Field::Value(36), Field::Value(35)));
}

#[test]
fn only_web_addresses_are_photo_addresses() {
    for good in ["https://x.org/a b.jpg", "http://x.org/1.png?s=1", " HTTPS://X.org/a "] {
        assert_eq!(profile(json!({"photo_url": good})).photo_url, text(good.trim()));
    }
    for bad in [
        json!("javascript:alert(1)"),
        json!("data:image/png;base64,AAAA"),
        json!("/a.jpg"),
        json!("https:x"),
        json!("ftp://x.org/a"),
        json!(""),
        json!(5),
        json!("https://x.org/\na"),
    ] {
        assert_eq!(profile(json!({"photo_url": bad})).photo_url, Field::Null, "{bad}");
    }
}

#[test]
fn a_photo_lives_in_one_place() {
    let kept = profile(json!({"photo_base64": JPEG}));
    assert_eq!(kept.photo.value().unwrap().content_type, "image/jpeg");
    let at_its_url = profile(json!({"photo_base64": JPEG, "photo_url": "https://x.org/a.jpg"}));
    assert_eq!(at_its_url.photo, Field::Null);
    let thumbnail = "https://x.org/small.jpg";
    let small =
        profile(json!({"photo_url": null, "photo_thumbnail_url": thumbnail, "photo_base64": null}));
    assert_eq!((small.photo_url, small.photo), (text(thumbnail), Field::Null));
    let both =
        profile(json!({"photo_url": "https://x.org/a.jpg", "photo_thumbnail_url": thumbnail}));
    assert_eq!(both.photo_url, text("https://x.org/a.jpg"));
    let better =
        profile(json!({"photo_url": null, "photo_thumbnail_url": thumbnail, "photo_base64": JPEG}));
    assert!(better.photo_url == Field::Null && better.photo.value().is_some());
    let none = profile(json!({"photo_url": null, "photo_thumbnail_url": "javascript:x"}));
    assert_eq!(none.photo_url, Field::Null);
    let bad_url = profile(json!({"photo_base64": JPEG, "photo_url": "javascript:x"}));
    assert!(bad_url.photo.value().is_some());
    let refused = profile(json!({"photo_base64": "R0lGODlh"}));
    assert_eq!(
        (refused.photo, refused.photo_refusal),
        (Field::Null, Some(PhotoRefusal::Unsupported))
    );
    let broken = profile(json!({"photo_base64": "not base64!"}));
    assert_eq!(
        (broken.photo, broken.photo_refusal),
        (Field::Absent, Some(PhotoRefusal::NotBase64))
    );
}

#[test]
fn the_filter_decides_before_inactivity_and_after_deletion() {
    let rules = json!([{"field": "gender", "operator": "equals", "value": "Female"}]);
    let filter = Filter::parse("include", &rules).unwrap();
    let verdict_of = |value| map(&core_member(value), &filter, &locale());
    let outside = verdict_of(json!({"gender": "Male", "is_active": false})).unwrap();
    assert!(matches!(outside, Verdict::Filtered(_)) && !outside.creates_unknown());
    assert_eq!(outside.archive_reason().unwrap().as_str(), "No longer matches sync filter rules");
    assert!(matches!(
        verdict_of(json!({"gender": "Female", "is_active": false})),
        Ok(Verdict::Inactive(_))
    ));
    assert!(matches!(
        verdict_of(json!({"gender": "Female", "is_active": true})),
        Ok(Verdict::Active(_))
    ));
    assert!(matches!(verdict_of(json!({"gender": "Female"})), Ok(Verdict::Unstated(_))));
    assert_eq!(verdict_of(json!({"is_deleted": true})), Ok(Verdict::Deleted));
    assert_eq!(verdict_of(json!({"is_active": true})).unwrap_err().fields, ["gender"]);
}

#[test]
fn only_an_explicit_word_archives_or_brings_back() {
    for odd in [json!(null), json!("true"), json!(1), json!("false"), json!(0)] {
        let member = core_member(json!({"is_deleted": odd, "is_active": odd}));
        assert!(!member.is_deleted() && !member.is_inactive() && !member.is_active(), "{odd}");
    }
}

#[test]
fn nothing_of_a_person_is_printed() {
    let member = recorded(MEMBER);
    let verdict = map(&member, &Filter::default(), &locale()).unwrap();
    let printed = format!("{member:?} {verdict:?}");
    for secret in ["Sumarni", "8123", "1990", "36", "Female", "Visitor"] {
        assert!(!printed.contains(secret), "{secret} in {printed}");
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[+0-9 ().-]{0,20}".prop_map(Value::from),
        "[0-9]{4}-[0-9]{2}-[0-9]{2}[T 0-9:]{0,9}".prop_map(Value::from),
        "(data:[a-z/;=]{0,12};base64,)?[A-Za-z0-9+/=_-]{0,40}".prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 4, |inner| prop::collection::vec(inner, 0..4).prop_map(Value::from))
}

fn any_member() -> impl Strategy<Value = CoreMember> {
    let key = prop::sample::select(vec![
        "id",
        "church_id",
        "full_name",
        "name",
        "first_name",
        "last_name",
        "phone",
        "phone_whatsapp",
        "gender",
        "date_of_birth",
        "member_status",
        "photo_url",
        "photo_thumbnail_url",
        "photo_base64",
        "is_active",
        "is_deleted",
    ]);
    prop::collection::btree_map(key, any_value(), 0..15)
        .prop_map(|fields| core_member(json!(fields)))
}

proptest! {
    #[test]
    fn whatever_the_core_sends_has_a_mapping_that_postgres_can_hold(member in any_member()) {
        let Ok(verdict) = map(&member, &Filter::default(), &locale()) else { panic!("no filter, nothing missing") };
        if let Some(profile) = verdict.profile() {
            for text in [&profile.name, &profile.phone, &profile.gender, &profile.category, &profile.photo_url] {
                prop_assert!(text.value().is_none_or(|text| !text.contains('\0') && !text.is_empty()));
            }
            prop_assert!(profile.age.value().is_none_or(|age| *age >= 0));
        }
    }
}
