//! What a later read has covered, said of an event whose own read came too late.

use std::sync::Arc;

use chrono::Utc;
use event::{Envelope, EventType, SCHEMA_VERSION};
use member::{CoreMember, Filter, Locale};
use serde_json::json;
use store::{
    Commit, DeliveryStatus, Entry, Finding, LinkPolicy, LockPolicy, Observation, Outcome, Reads,
    Session,
};
use uuid::Uuid;

use super::Setting;

fn kept_out() -> Finding {
    let rules = json!([{"field": "gender", "operator": "equals", "value": "Female"}]);
    let filter = Filter::parse("include", &rules).unwrap();
    let answer = json!({"id": "m", "full_name": "Budi", "gender": "Male", "is_active": true, "is_deleted": false});
    let member: CoreMember = serde_json::from_value(answer).unwrap();
    let today = chrono::NaiveDate::from_ymd_opt(2026, 11, 23).unwrap();
    let locale = Locale { country: "ID".parse().unwrap(), today };
    member::map(&member, &filter, &locale).unwrap().into()
}

fn observe(setting: &Setting, number: i64, version: i64) -> Commit {
    let envelope = Envelope {
        schema_version: SCHEMA_VERSION,
        delivery_id: Uuid::now_v7(),
        event_id: Uuid::new_v4().to_string(),
        event_type: EventType::MemberUpdated,
        campus_id: setting.campus,
        member_id: Some("m".to_owned()),
        occurred_at: None,
        received_at: Utc::now(),
    };
    Commit::Member(Box::new(Observation {
        campus: setting.campus,
        member: "m".to_owned(),
        seen_from: number,
        first_drawn: number,
        config_version: version,
        finding: kept_out(),
        link: LinkPolicy::Never,
        occurred_at: None,
        received_at: Some(Utc::now()),
        entries: vec![Entry { envelope: Arc::new(envelope), attempts: 1, trace_id: None }],
    }))
}

#[tokio::test]
async fn an_unknown_member_whom_the_filter_keeps_out_is_filtered_however_it_is_learnt() {
    let setting = Setting::new().await;
    let (session, mut writer) = Session::open(&setting.config, Reads::ByKeys).await.unwrap();
    let (early, late) = (session.draw().await.unwrap(), session.draw().await.unwrap());
    for number in [late, early] {
        let commit = observe(&setting, number, 1);
        let outcomes = writer.commit(&[&commit], LockPolicy::Wait).await.unwrap();
        assert_eq!(outcomes, [Outcome::Done(vec![Some(DeliveryStatus::Filtered)])]);
    }
    let client = setting.client().await;
    let messages = client.query("SELECT DISTINCT message FROM webhook_logs", &[]).await.unwrap();
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].get::<_, &str>(0), "Member kept out by the sync filter: Budi");

    // What was read under another configuration is not written.
    client.execute("UPDATE sync_configs SET default_country = 'SG'", &[]).await.unwrap();
    let commit = observe(&setting, session.draw().await.unwrap(), 1);
    let outcomes = writer.commit(&[&commit], LockPolicy::Wait).await.unwrap();
    assert_eq!(outcomes, [Outcome::Outdated]);
    let commit = observe(&setting, session.draw().await.unwrap(), 2);
    let outcomes = writer.commit(&[&commit], LockPolicy::SkipLocked).await.unwrap();
    assert_eq!(outcomes, [Outcome::Done(vec![Some(DeliveryStatus::Filtered)])]);
}
