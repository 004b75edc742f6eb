//! How values of the core arrive here: phones, birth dates and ages (interface §3).

use chrono::{Datelike, Days, FixedOffset, NaiveDate, Utc};
use harness::TestSystem;
use serde_json::{Value, json};

use super::campus_under_test::CampusUnderTest;

#[tokio::test]
async fn phones_are_e164_by_the_country_of_the_campus_or_stay_as_they_came() {
    let system = TestSystem::spawn().await;
    let campus = CampusUnderTest::first(&system);
    let member = campus.create(json!({"full_name": "Budi"}));
    let phone_of = async |fields: Value| {
        campus.change(&member, fields);
        campus.sync("member.updated", &member).await;
        campus.member(&member).await["phone"].clone()
    };

    for written in
        ["081234567890", "0812-3456-7890", "6281234567890", "+62 812 3456 7890", "(0812) 3456.7890"]
    {
        assert_eq!(
            phone_of(json!({"phone_whatsapp": written})).await,
            "+6281234567890",
            "{written}"
        );
    }
    // As FaithFlow stores them. Some would be valid in an area of Indonesia, too.
    for (stored, number) in [
        ("62811111111", "+62811111111"),
        ("62215701234", "+62215701234"),
        ("62361225678", "+62361225678"),
        ("0811-111-111", "+62811111111"),
        ("+1 650 253 0000", "+16502530000"),
        ("6281", "6281"),
    ] {
        assert_eq!(phone_of(json!({"phone_whatsapp": stored})).await, number, "{stored}");
    }
    assert_eq!(phone_of(json!({"phone_whatsapp": "+65 9123 4567"})).await, "+6591234567");
    for invalid in ["call me", "12", "0812-3456-7890 / 0813-1111-2222"] {
        assert_eq!(phone_of(json!({"phone_whatsapp": invalid})).await, invalid);
    }

    let set = ["campus", "set", &campus.id, "--default-country", "SG"];
    system.faithctl(&set).await.success();
    assert_eq!(phone_of(json!({"phone_whatsapp": "9123 4567"})).await, "+6591234567");
    assert_eq!(phone_of(json!({"phone_whatsapp": "0812-3456-7890"})).await, "0812-3456-7890");
    assert_eq!(phone_of(json!({"phone_whatsapp": "+62 812-3456-7890"})).await, "+6281234567890");

    // Newer cores name it `phone`.
    let both = json!({"phone_whatsapp": "9123 4567", "phone": "8123 4567"});
    assert_eq!(phone_of(both).await, "+6581234567");
}

/// Time zones with their hours from UTC. Between the two it is never the same day.
const FIRST_TO_SEE_A_DAY: (&str, i32) = ("Pacific/Kiritimati", 14);
const LAST_TO_SEE_A_DAY: (&str, i32) = ("Pacific/Pago_Pago", -11);

#[tokio::test]
async fn a_birthday_begins_at_midnight_of_the_campus() {
    let system = TestSystem::spawn().await;
    let campus = CampusUnderTest::first(&system);
    let member = campus.create(json!({"full_name": "Budi"}));
    let age_in = async |zone: &str| {
        system.faithctl(&["campus", "set", &campus.id, "--timezone", zone]).await.success();
        campus.sync("member.updated", &member).await;
        campus.member(&member).await["age"].clone()
    };
    let (first, hours) = FIRST_TO_SEE_A_DAY;
    // Midnight may pass between two lines of a test: then the day is a new one.
    loop {
        let today = today_at(hours);
        // 28 years ago there was a 29 February, too, if today is one.
        let birth = today.with_year(today.year() - 28).unwrap();
        campus.change(&member, json!({"date_of_birth": birth.to_string()}));
        let ages = (age_in(first).await, age_in(LAST_TO_SEE_A_DAY.0).await);
        if today == today_at(hours) {
            assert!(today_at(LAST_TO_SEE_A_DAY.1) < today);
            assert_eq!(ages, (json!(28), json!(27)), "born on {birth}");
            break;
        }
    }
}

#[tokio::test]
async fn leap_days_future_and_impossible_dates_have_the_ages_of_the_contract() {
    let system = TestSystem::spawn().await;
    let campus = CampusUnderTest::first(&system);
    let member = campus.create(json!({"full_name": "Budi"}));
    let age_of = async |birth: Value| {
        campus.change(&member, json!({"date_of_birth": birth}));
        let log = campus.sync("member.updated", &member).await;
        assert_eq!(log["status"], "processed", "{log}");
        let row = campus.member(&member).await;
        (row["birth_date"].clone(), row["age"].clone())
    };
    loop {
        let today = today_at(0);
        let before_birthday = (today.month(), today.day()) < (2, 29);
        let leap_day = age_of(json!("2000-02-29")).await;
        let tomorrow = today + Days::new(1);
        let future = age_of(json!(tomorrow.to_string())).await;
        let today_born = age_of(json!(today.to_string())).await;
        if today == today_at(0) {
            assert_eq!(
                leap_day,
                (json!("2000-02-29"), json!(today.year() - 2000 - i32::from(before_birthday)))
            );
            assert_eq!(future, (json!(tomorrow.to_string()), Value::Null));
            assert_eq!(today_born, (json!(today.to_string()), json!(0)));
            break;
        }
    }
    assert_eq!(age_of(json!("1990-01-15T00:00:00Z")).await.0, "1990-01-15");
    // A date that there cannot be stands for nothing; where there was none, there is no age either.
    assert_eq!(age_of(Value::Null).await, (Value::Null, Value::Null));
    for impossible in [json!("2001-02-29"), json!("0001-01-01"), json!("1899-12-31")] {
        assert_eq!(age_of(impossible).await, (Value::Null, Value::Null));
    }
}

#[tokio::test]
async fn what_cannot_be_read_leaves_its_column_as_it_is_and_is_counted() {
    let system = TestSystem::spawn().await;
    let campus = CampusUnderTest::first(&system);
    let good = json!({
        "full_name": "Budi", "phone_whatsapp": "0812 3456 7890", "gender": "Male", "member_status": "Visitor",
        "date_of_birth": "1990-01-15",
    });
    let member = campus.bring(good).await;
    let columns = ["name", "phone", "gender", "birth_date", "age", "category"];
    let before = campus.member(&member).await;
    let dates = ["15/01/1990", "1990-13-01", "2001-02-29", "0001-01-01", "1899-12-31", "soon"];
    for date in dates.map(Value::from).into_iter().chain([json!(19_900_115), json!(true)]) {
        campus.change(&member, json!({"date_of_birth": date}));
        assert_eq!(campus.sync("member.updated", &member).await["status"], "processed");
    }
    let odd = json!({
        "full_name": {"first": "Budi"}, "name": null, "first_name": null, "last_name": null,
        "phone_whatsapp": ["0812"], "gender": false, "member_status": {},
    });
    campus.change(&member, odd);
    assert_eq!(campus.sync("member.updated", &member).await["status"], "processed");
    let after = campus.member(&member).await;
    for column in columns {
        assert_eq!(after[column], before[column], "{column}");
    }
    let counted = |column| system.worker_metric(0, "worker_values_unreadable_total", column);
    assert!((counted("birth_date").await - 9.0).abs() < 0.5);
    for column in ["name", "phone", "gender", "category"] {
        assert!((counted(column).await - 1.0).abs() < 0.5, "{column}");
    }
    // Null is an answer.
    campus.change(&member, json!({"date_of_birth": null, "gender": null}));
    campus.sync("member.updated", &member).await;
    let cleared = campus.member(&member).await;
    assert_eq!([&cleared["birth_date"], &cleared["age"], &cleared["gender"]], [&Value::Null; 3]);
}

fn today_at(hours: i32) -> NaiveDate {
    Utc::now().with_timezone(&FixedOffset::east_opt(hours * 3600).unwrap()).date_naive()
}
