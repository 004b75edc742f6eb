//! Generated members: always the same, believable, and as odd as real ones.

use std::collections::HashSet;

use serde_json::Value;

use super::super::document::Document;
use super::super::generator::Generator;
use super::super::options::FIRST_CHURCH_ID;
use super::recorded_member;

fn generator(seed: u64) -> Generator {
    let church_id = FIRST_CHURCH_ID.to_owned();
    Generator { seed, church: 0, church_id, phone_key: "phone_whatsapp" }
}

#[test]
fn a_seed_makes_the_same_members_for_ever() {
    // Written down once: a change here changes what every seed in every test means.
    let member = generator(1).member(0);
    let known = ["id", "full_name", "phone_whatsapp", "date_of_birth", "created_at"];
    let known = known.map(|key| member.text(key).unwrap_or("null"));
    assert_eq!(
        known,
        [
            "35f7eddd-5971-4e73-8e8d-0b6d6b173bb9",
            "MEI LING DA COSTA",
            "0896.5037.1818",
            "1940-08-23",
            "2025-11-16T12:01:55.925704Z",
        ]
    );
    assert_eq!(generator(1).member(123_456_789), generator(1).member(123_456_789));
    assert_ne!(generator(2).member(0).get("id"), member.get("id"));
}

#[test]
fn members_have_the_recorded_keys_in_order() {
    let recorded = recorded_member();
    for row in 0..2000 {
        let member = generator(3).member(row);
        let mut keys = member.keys().collect::<Vec<_>>();
        if member.text("photo_url").is_some() {
            assert_eq!(keys.pop(), Some("photo_url"));
        }
        assert!(recorded.keys().eq(keys), "row {row}");
    }
    let blank = generator(3).blank("id", 123_456, "2026-11-23T16:10:21.715091");
    assert!(recorded.keys().eq(blank.keys()));
}

#[test]
fn members_are_as_odd_as_real_ones() {
    let members: Vec<Document> = (0..20_000).map(|row| generator(4).member(row)).collect();
    let count =
        |wanted: &dyn Fn(&Document) -> bool| members.iter().filter(|member| wanted(member)).count();
    let text = |key: &'static str, wanted: fn(&str) -> bool| {
        count(&|member| member.text(key).is_some_and(wanted))
    };
    let ids: HashSet<_> = members.iter().map(|member| member.text("id")).collect();
    assert_eq!(ids.len(), members.len());
    for (what, seen, least) in [
        ("non-ASCII name", text("full_name", |name| !name.is_ascii()), 200),
        (
            "capitals",
            text("full_name", |name| name.is_ascii() && name == name.to_uppercase()),
            2000,
        ),
        ("no phone", count(&|member| member.get("phone_whatsapp") == Some(&Value::Null)), 1000),
        ("08…", text("phone_whatsapp", |phone| phone.starts_with("08")), 2000),
        ("628…", text("phone_whatsapp", |phone| phone.starts_with("628")), 2000),
        ("+62 8…-…", text("phone_whatsapp", |phone| phone.starts_with("+62 8")), 500),
        ("dots", text("phone_whatsapp", |phone| phone.contains('.')), 200),
        ("brackets", text("phone_whatsapp", |phone| phone.contains('(')), 200),
        (
            "no digits",
            text("phone_whatsapp", |phone| !phone.bytes().any(|b| b.is_ascii_digit())),
            20,
        ),
        ("no birthday", count(&|member| member.get("date_of_birth") == Some(&Value::Null)), 1000),
        ("leap day", text("date_of_birth", |date| date.ends_with("-02-29")), 100),
        ("future birthday", text("date_of_birth", |date| date > "2070"), 40),
        ("no gender", count(&|member| member.get("gender") == Some(&Value::Null)), 500),
        ("inactive", count(&|member| !member.is_true("is_active")), 400),
        ("photo by URL", text("photo_url", |url| url.starts_with("https://")), 2000),
        ("own path", text("photo_url", |url| url.starts_with('/')), 20),
        ("data URL", text("photo_base64", |photo| photo.starts_with("data:image/")), 400),
        ("plain base64", text("photo_base64", |photo| !photo.starts_with("data:")), 200),
        ("stamp without zone", text("updated_at", |moment| !moment.ends_with('Z')), 5000),
    ] {
        assert!(seen >= least, "{what}: {seen}");
        assert!(seen < members.len() * 3 / 4, "{what}: {seen}");
    }
}
