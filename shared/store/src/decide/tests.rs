//! The effects of interface §3, row by row, as far as they are decided here.

use chrono::NaiveDate;
use member::{ColumnValue, CoreMember, Country, Filter, Locale, Verdict};
use serde_json::{Value, json};

use super::*;

const PERSON: &str = "Moved to another city";

fn verdict(answer: Value) -> Finding {
    let member: CoreMember = serde_json::from_value(answer).unwrap();
    let locale = Locale {
        country: "ID".parse::<Country>().unwrap(),
        today: NaiveDate::from_ymd_opt(2026, 11, 23).unwrap(),
    };
    let filter = Filter::parse(
        "include",
        &json!([{"field": "gender", "operator": "equals", "value": "Female"}]),
    );
    member::map(&member, &filter.unwrap(), &locale).unwrap().into()
}

fn sumarni() -> Value {
    json!({
        "id": "m", "church_id": "c", "full_name": "Sumarni N", "gender": "Female",
        "is_active": true, "is_deleted": false, "member_status": "Visitor"
    })
}

fn with_value(field: &str, value: Value) -> Value {
    let mut answer = sumarni();
    answer[field] = value;
    answer
}

fn with(field: &str, value: Value) -> Finding {
    verdict(with_value(field, value))
}

fn row() -> Columns {
    row_named("Sumarni N")
}

fn row_named(name: &str) -> Columns {
    let values = [
        ("name", name),
        ("gender", "Female"),
        ("category", "Visitor"),
        ("phone", "+6281234567890"),
    ];
    let mut columns = Columns::default();
    columns.take(&Profile::of_columns(|column| {
        let (_, text) = values.iter().find(|(name, _)| *name == column.name)?;
        Some(ColumnValue::Text((*text).to_owned()))
    }));
    columns
}

fn archived(reason: Option<&str>) -> Columns {
    Columns { is_archived: true, archived_reason: reason.map(str::to_owned), ..row() }
}

fn changed(decision: &Decision) -> &Columns {
    match &decision.change {
        Change::Insert(columns) | Change::Update(Some(columns)) => columns,
        other => panic!("expected a write, got {other:?}"),
    }
}

#[test]
fn an_unknown_member_is_created() {
    let decision = decide(None, &verdict(sumarni()));
    assert!(matches!(decision.change, Change::Insert(_)));
    assert_eq!(decision.message, "Member created: Sumarni N");
    assert!(!changed(&decision).is_archived);
}

#[test]
fn an_unknown_inactive_member_is_created_archived() {
    let decision = decide(None, &with("is_active", json!(false)));
    assert!(matches!(decision.change, Change::Insert(_)));
    assert_eq!(changed(&decision).archived_reason.as_deref(), Some("Deactivated in core system"));
}

#[test]
fn an_unknown_member_that_is_filtered_out_is_not_created() {
    let finding = with("gender", json!("Male"));
    let decision = decide(None, &finding);
    assert_eq!(decision.change, Change::Nothing);
    let status = status(&EventType::MemberUpdated, &finding, &decision.change);
    assert_eq!(status, DeliveryStatus::Filtered);
}

#[test]
fn an_unknown_deleted_member_is_not_created_but_processed() {
    for finding in [with("is_deleted", json!(true)), Finding::ReadGone, Finding::DeleteUnasked] {
        let decision = decide(None, &finding);
        assert_eq!(decision.change, Change::Nothing);
        assert_eq!(decision.message, "Member archived: (unknown)");
        let status = status(&EventType::MemberDeleted, &finding, &decision.change);
        assert_eq!(status, DeliveryStatus::Processed);
    }
}

#[test]
fn what_does_not_differ_is_not_written() {
    let decision = decide(Some(&row()), &verdict(sumarni()));
    assert_eq!(decision.change, Change::Update(None));
    assert_eq!(decision.message, "Member updated: Sumarni N");
}

#[test]
fn an_absent_key_leaves_the_column_and_null_clears_it() {
    let kept = decide(Some(&row()), &with("full_name", json!("Sumarni Ningsih")));
    assert_eq!(changed(&kept).text("phone"), Some("+6281234567890"));
    let cleared = decide(Some(&row()), &with("phone_whatsapp", Value::Null));
    assert_eq!(changed(&cleared).text("phone"), None);
}

#[test]
fn each_of_our_reasons_archives_with_its_text() {
    for (finding, reason) in [
        (with("is_active", json!(false)), "Deactivated in core system"),
        (with("is_deleted", json!(true)), "Deleted in core system"),
        (with("gender", json!("Male")), "No longer matches sync filter rules"),
        (Finding::ReadGone, "Deleted in core system"),
        (Finding::DeleteUnasked, "Deleted in core system"),
    ] {
        let decision = decide(Some(&row()), &finding);
        assert!(changed(&decision).is_archived);
        assert_eq!(changed(&decision).archived_reason.as_deref(), Some(reason));
        assert_eq!(decision.message, "Member archived: Sumarni N");
        assert_eq!(
            status(&EventType::MemberDeleted, &finding, &decision.change),
            if finding.is_gone() { DeliveryStatus::Processed } else { DeliveryStatus::Stale }
        );
    }
}

#[test]
fn our_archives_are_lifted_and_a_persons_never() {
    for reason in ArchiveReason::ALL {
        let decision = decide(Some(&archived(Some(reason.as_str()))), &verdict(sumarni()));
        assert!(!changed(&decision).is_archived);
        assert_eq!(changed(&decision).archived_reason, None);
    }
    for reason in [Some(PERSON), None] {
        for finding in [verdict(sumarni()), Finding::DeleteUnasked, with("is_active", json!(false))]
        {
            let decision = decide(Some(&archived(reason)), &finding);
            assert_eq!(decision.change, Change::Update(None), "{reason:?}");
        }
        // The person's other columns are still kept up to date.
        let decision = decide(Some(&archived(reason)), &with("full_name", json!("S. Ningsih")));
        assert!(changed(&decision).is_archived);
        assert_eq!(changed(&decision).archived_reason.as_deref(), reason);
    }
}

#[test]
fn a_later_reason_of_ours_takes_the_place_of_an_earlier_one() {
    let before = archived(Some("Deactivated in core system"));
    let decision = decide(Some(&before), &Finding::DeleteUnasked);
    assert_eq!(changed(&decision).archived_reason.as_deref(), Some("Deleted in core system"));
    assert_eq!(decision.message, "Member archived: Sumarni N");
}

#[test]
fn a_delete_of_a_living_member_is_stale() {
    let finding = verdict(sumarni());
    let decision = decide(Some(&row()), &finding);
    assert_eq!(
        status(&EventType::MemberDeleted, &finding, &decision.change),
        DeliveryStatus::Stale
    );
    assert_eq!(
        status(&EventType::MemberUpdated, &finding, &decision.change),
        DeliveryStatus::Processed
    );
}

#[test]
fn a_member_without_a_name_is_told_so() {
    let decision = decide(None, &with("full_name", Value::Null));
    assert_eq!(decision.message, "Member created: (unknown)");
    assert!(matches!(verdict(sumarni()), Finding::Read(v) if matches!(*v, Verdict::Active(_))));
}

#[test]
fn whoever_is_active_keeps_neither_a_reason_nor_a_date() {
    let left = Columns {
        has_archive_date: true,
        archived_reason: Some(ArchiveReason::Deactivated.as_str().to_owned()),
        ..row()
    };
    let decision = decide(Some(&left), &verdict(sumarni()));
    assert_eq!(changed(&decision), &row());
    // Withheld, an archive leaves nothing behind either.
    let mut decision = decide(Some(&left), &with("is_active", json!(false)));
    assert!(withhold(Some(&left), &mut decision).is_some());
    assert_eq!(changed(&decision), &row());
}

#[test]
fn only_an_explicit_word_brings_anybody_back() {
    let mut answer = sumarni();
    answer.as_object_mut().unwrap().remove("is_active");
    for odd in
        [answer, with_value("is_active", Value::Null), with_value("is_active", json!("true"))]
    {
        for reason in ArchiveReason::ALL {
            let decision = decide(Some(&archived(Some(reason.as_str()))), &verdict(odd.clone()));
            assert_eq!(decision.change, Change::Update(None), "{reason:?}");
        }
        assert_eq!(decide(Some(&row()), &verdict(odd.clone())).change, Change::Update(None));
        let created = decide(None, &verdict(odd));
        assert!(!changed(&created).is_archived);
    }
}

#[test]
fn a_change_of_the_archive_that_is_withheld_leaves_the_rest() {
    let before = archived(Some("Deleted in core system"));
    let mut decision = decide(Some(&before), &with("full_name", json!("S. Ningsih")));
    assert_eq!(withhold(Some(&before), &mut decision), Some(ArchiveChange::Lift));
    let after = Columns {
        is_archived: before.is_archived,
        archived_reason: before.archived_reason.clone(),
        ..row_named("S. Ningsih")
    };
    assert_eq!(changed(&decision), &after);
    let mut decision = decide(Some(&before), &verdict(sumarni()));
    assert_eq!(withhold(Some(&before), &mut decision), Some(ArchiveChange::Lift));
    assert_eq!(decision.change, Change::Update(None));
    let mut decision = decide(Some(&row()), &Finding::ReadGone);
    let archive = ArchiveChange::Archive("Deleted in core system".into());
    assert_eq!(withhold(Some(&row()), &mut decision), Some(archive));
    assert_eq!(decision.message, "Member updated: Sumarni N");
    assert_eq!(decision.change, Change::Update(None));
    // A new reason for an archive is none.
    let mut decision = decide(Some(&before), &with("is_active", json!(false)));
    assert_eq!(withhold(Some(&before), &mut decision), None);
}

#[test]
fn an_update_of_whom_the_core_no_longer_knows_is_stale_and_a_delete_is_not() {
    let change = Change::Nothing;
    assert_eq!(
        status(&EventType::MemberUpdated, &Finding::ReadGone, &change),
        DeliveryStatus::Stale
    );
    assert_eq!(
        status(&EventType::MemberDeleted, &Finding::ReadGone, &change),
        DeliveryStatus::Processed
    );
    let deleted = with("is_deleted", json!(true));
    assert_eq!(status(&EventType::MemberUpdated, &deleted, &change), DeliveryStatus::Processed);
}
