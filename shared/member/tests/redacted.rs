//! What `Debug` shows of a member's record: how much there is, never what (rule member-7).

#![allow(clippy::unwrap_used, reason = "a test may")]

use chrono::NaiveDate;
use member::{CoreMember, Country, Field, Locale, Person, Photo, Profile};
use serde_json::json;

fn country() -> Country {
    "ID".parse().unwrap()
}

fn locale() -> Locale {
    Locale { country: country(), today: NaiveDate::from_ymd_opt(2026, 3, 1).unwrap() }
}

#[test]
fn a_record_shows_how_much_it_holds_and_nothing_of_it() {
    let object = json!({
        "full_name": "Budi",
        "phone": "081234567890",
        "date_of_birth": "1990-01-15",
        "gender": null,
        "member_status": true,
        "photo_base64": "%",
    });
    let member = CoreMember::from(object.as_object().unwrap().clone());
    assert_eq!(format!("{member:?}"), "CoreMember(6 fields)");
    assert_eq!(
        format!("{:?}", Profile::of(&member, &locale())),
        "Profile { name: Value(…), phone: Value(…), gender: Null, birth_date: Value(…), age: Value(…), \
         category: Absent, photo_url: Absent, photo: Absent, photo_refusal: Some(NotBase64), \
         unreadable: [Category, Photo] }"
    );
    let values = [Field::Absent, Field::Null, Field::Value("Budi")];
    assert_eq!(format!("{values:?}"), "[Absent, Null, Value(…)]");
}

#[test]
fn a_photo_shows_its_kind_and_a_person_that_there_is_one() {
    let photo = Photo::of(b"\xff\xd8\xff-a-face".to_vec()).unwrap();
    assert_eq!(format!("{photo:?}"), "Photo(image/jpeg, 10 bytes)");
    let person = Person::of(Some("Budi"), Some("081234567890"), country()).unwrap();
    assert_eq!(format!("{person:?}"), "Person(…)");
    assert_eq!(format!("{:?}", country()), "Country(ID)");
}
