//! Bodies that mean the same though they look odd, and bodies that only look right.

use serde_json::json;

use super::{gateway_alone, only_published};

#[tokio::test]
async fn keys_may_come_in_any_order_escaped_and_twice() {
    let system = gateway_alone().spawn().await;
    let church = &system.campus.core_church_id;
    let bodies = [
        format!(
            r#"{{"event_id":"e","member_id":"m","event_type":"member.updated","church_id":"{church}"}}"#
        ),
        format!(
            r#" {{ "church_id" : "{church}" , "event_type" : "member.updated" , "member_id" : "m" , "event_id" : "e" }} "#
        ),
        format!(
            r#"{{"\u0063hurch_id":"{church}","event\u005ftype":"member\u002eupdated","member_id":"\u006d","event_id":"e"}}"#
        ),
        format!(
            r#"{{"church_id":"x","church_id":"{church}","event_type":7,"event_type":"member.updated","member_id":"y","member_id":"m","event_id":"z","event_id":"e"}}"#
        ),
        format!(
            r#"{{"data":{{"church_id":"x","member_id":"y","event_id":"z","event_type":"member.deleted"}},"church_id":"{church}","event_type":"member.updated","member_id":"m","event_id":"e","changes":{{"church_id":"x"}},"church":{{"id":"x","church_id":"x"}}}}"#
        ),
        format!(
            r#"{{"data":[1e999,-0,"\ud800",[[[]]]],"church_id":"{church}","event_type":"member.updated","member_id":"m","event_id":"e"}}"#
        ),
        format!(
            r#"{{"data":{{"score":NaN,"limits":[-Infinity, Infinity]}},"church_id":"{church}","event_type":"member.updated","member_id":"m","event_id":"e"}}"#
        ),
    ];
    for body in bodies {
        let answer = system.post_signed(&system.campus.secret, &body).await;
        assert_eq!(answer.status, 202, "{body}: {answer:?}");
        let envelope = only_published(&system).await.envelope;
        assert_eq!(envelope["campus_id"], system.campus.id.as_str(), "{body}");
        assert_eq!(
            [&envelope["event_type"], &envelope["member_id"], &envelope["event_id"]],
            ["member.updated", "m", "e"],
            "{body}"
        );
    }
}

#[tokio::test]
async fn a_later_duplicate_that_is_no_name_leaves_none() {
    let system = gateway_alone().spawn().await;
    let church = &system.campus.core_church_id;
    for (body, status) in [
        (format!(r#"{{"event_type":"test","church_id":"{church}","church_id":null}}"#), 400),
        (format!(r#"{{"event_type":"test","church_id":"{church}","church_id":"x"}}"#), 404),
        (format!(r#"{{"event_type":"test","event_type":null,"church_id":"{church}"}}"#), 400),
    ] {
        let answer = system.post_signed(&system.campus.secret, &body).await;
        assert_eq!(answer.status, status, "{body}");
    }
}

#[tokio::test]
async fn a_member_of_fifteen_megabytes_is_taken_in_time() {
    let system = gateway_alone().spawn().await;
    let photo = format!("data:image/jpeg;base64,{}", "/9j/4AAQSkZJRgABAQAAAQAB".repeat(625_000));
    let body = json!({
        "event_id": "e",
        "event_type": "member.updated",
        "church_id": system.campus.core_church_id,
        "member_id": "m",
        "data": {"id": "m", "photo_base64": photo, "face_descriptors": vec![vec![0.125; 128]; 5]},
    })
    .to_string();
    assert!(body.len() > 15_000_000);
    let answer = system.post_signed(&system.campus.secret, &body).await;
    assert_eq!((answer.status, answer.event_id().as_str()), (202, "e"));
    let envelope = only_published(&system).await.envelope;
    assert!(envelope.to_string().len() < 1000, "{envelope}");
}
