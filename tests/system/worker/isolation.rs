//! No campus touches another's members (decision 2).

use core_sim::{
    CoreSim, DEFAULT_PASSWORD, Endpoint, Fault, FaultKind, Options, SUPER_ADMIN_EMAIL, Webhook,
};
use harness::TestSystem;
use serde_json::{Value, json};

use super::{campus_under_test::CampusUnderTest, queue::assert_queues_are_empty};

#[tokio::test]
async fn a_member_of_another_church_is_never_written() {
    let options = Options::default();
    let other = options.churches[1].clone();
    let system =
        TestSystem::builder().core(options).variable("RETRY_DELAYS", "100ms,100ms").spawn().await;
    let campus = CampusUnderTest::first(&system);
    let known = campus.bring(json!({"full_name": "Known"})).await;
    let unknown = campus.create(json!({"full_name": "Unknown"}));
    let before = campus.member(&known).await;
    for as_church_id in [None, Some(other.id.clone())] {
        system.core.clear_faults();
        let wrong = FaultKind::WrongChurch { as_church_id };
        system.core.add_fault(Fault::everywhere(wrong).at(Endpoint::Member));
        campus.change(&known, json!({"full_name": "Of another church"}));
        for member in [&known, &unknown] {
            let event = campus.post("member.updated", member).await;
            let letter = campus.dead_letter(&event).await;
            assert_eq!(
                (&letter["cause"], &letter["attempts"]),
                (&json!("wrong_church"), &json!(3))
            );
            assert_eq!(campus.log(&event).await[0]["status"], "dead");
        }
    }
    system.core.clear_faults();
    assert_eq!(campus.member(&known).await, before);
    assert_eq!(campus.row(&unknown).await, None);

    // An account that sees every campus makes no difference.
    let set =
        ["campus", "set", &campus.id, "--api-email", SUPER_ADMIN_EMAIL, "--api-password-stdin"];
    system.faithctl_with_input(&set, DEFAULT_PASSWORD.as_bytes()).await.success();
    let theirs = system.core.create(&other.id, json!({"full_name": "Theirs"}), Webhook::Silent);
    let theirs = theirs.unwrap().member.text("id").unwrap().to_owned();
    let event = campus.post("member.created", &theirs).await;
    assert_eq!(campus.dead_letter(&event).await["cause"], "wrong_church");
    assert_eq!(campus.row(&theirs).await, None);
    assert_eq!(
        campus.sync("member.updated", &known).await["message"],
        "Member updated: Of another church"
    );
    assert_queues_are_empty(&system).await;
}

#[tokio::test]
async fn the_same_member_id_in_two_campuses_is_two_members() {
    let options = Options::default();
    let second = options.churches[1].clone();
    let system = TestSystem::builder().core(options.clone()).spawn().await;
    // A core of its own: one core has each id once.
    let second_core = CoreSim::start(options).await.unwrap();
    let added = system.add_campus(&second, &[]).await;
    let set = ["campus", "set", &added.id, "--api-base-url", &second_core.base_url()];
    system.faithctl(&set).await.success();
    let (here, there) = (CampusUnderTest::first(&system), CampusUnderTest::of(&system, &added));
    there.until_known().await;
    let answer = |campus: CampusUnderTest<'_>, name: &str| json!({"id": "m-1", "church_id": campus.church_id(), "full_name": name});
    system.core.put(here.church_id(), "m-1", answer(here, "Here")).unwrap();
    second_core.put(there.church_id(), "m-1", answer(there, "There")).unwrap();

    assert_eq!(here.sync("member.created", "m-1").await["message"], "Member created: Here");
    assert_eq!(there.row("m-1").await, None);
    assert_eq!(there.sync("member.created", "m-1").await["message"], "Member created: There");
    let of_there = there.member("m-1").await;

    // What is signed with the secret of one campus is about that campus, whatever else it says.
    system.core.put(here.church_id(), "m-1", answer(here, "Here B")).unwrap();
    second_core.put(there.church_id(), "m-1", answer(there, "There B")).unwrap();
    let body = here.body("member.updated", "m-1").with("campus_id", added.id.as_str());
    assert_eq!(here.end_of(&here.deliver(&body).await).await["message"], "Member updated: Here B");
    for body in [
        there.body("member.deleted", "m-1"),
        there.body("member.deleted", "m-1").with("church_id", added.id.as_str()),
        there.body("member.deleted", "m-1").with("campus_id", here.church_id()),
    ] {
        assert_eq!(system.post(&here, &body).await.status, 401);
    }
    assert_eq!(here.sync("member.deleted", "m-1").await["message"], "Member archived: Here B");
    assert_eq!(there.member("m-1").await, of_there);
    assert_eq!(system.core.member_requests("m-1"), 2);
    assert_eq!(second_core.member_requests("m-1"), 1);

    let accepted = "SELECT campus_id, status FROM webhook_logs
                    WHERE member_id = 'm-1' AND status <> 'rejected'";
    let rows = system.database.rows(accepted, &[]).await;
    let of = |campus: CampusUnderTest<'_>| {
        rows.iter().filter(|row| row["campus_id"] == campus.id.as_str()).count()
    };
    assert_eq!((of(here), of(there)), (3, 1));
    assert!(rows.iter().all(|row| row["status"] == "processed"), "{rows:?}");
    assert_ne!(here.member("m-1").await["archived_at"], Value::Null);
}
