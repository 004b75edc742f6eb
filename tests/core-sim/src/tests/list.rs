//! The member list: shapes, pages, filters, validation.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::super::{FIRST_CHURCH_ID, ListShape, Webhook};
use super::{Client, recorded_member, sample, start};

#[tokio::test]
async fn bad_limit_is_refused_as_recorded() {
    let sim = start(3).await;
    let client = Client::of_first_church(&sim).await;
    let recorded = sample("list-bad-limit.json");
    assert_eq!(client.get("/members/?limit=5000").await, (recorded.status, recorded.body));
    for (query, kind) in [
        ("limit=0", "greater_than_equal"),
        ("skip=-1", "greater_than_equal"),
        ("limit=many", "int_parsing"),
        ("is_active=perhaps", "bool_parsing"),
    ] {
        let (status, body) = client.get(&format!("/members/?{query}")).await;
        assert_eq!((status, &body["detail"][0]["type"]), (422, &json!(kind)), "{query}");
    }
}

#[tokio::test]
async fn list_has_inactive_and_not_deleted_members_whole() {
    let sim = start(0).await;
    let member = recorded_member();
    let id = member.text("id").unwrap().to_owned();
    let mut inactive = member.clone();
    inactive.set("id", "474f5153-b736-4815-8832-b8d65e0eb502");
    inactive.set("is_active", false);
    sim.put(FIRST_CHURCH_ID, &id, member.clone()).unwrap();
    sim.put(FIRST_CHURCH_ID, "474f5153-b736-4815-8832-b8d65e0eb502", inactive.clone()).unwrap();

    let client = Client::of_first_church(&sim).await;
    let response = client.request("/members/?skip=0&limit=100").send().await.unwrap();
    let expected = [b"[", &*member.to_bytes(), b",", &*inactive.to_bytes(), b"]"].concat();
    assert_eq!(response.bytes().await.unwrap(), expected);
    assert_eq!(client.ids("is_active=true").await, [id.as_str()]);
    assert_eq!(client.ids("is_active=false").await.len(), 1);

    sim.delete(&id, Webhook::AsUsual).unwrap();
    assert_eq!(client.ids("").await, ["474f5153-b736-4815-8832-b8d65e0eb502"]);
    let recorded = sample("list-past-the-end.json");
    assert_eq!(client.get("/members/?skip=500").await, (recorded.status, recorded.body));
}

#[tokio::test]
async fn pages_fit_together_while_nothing_changes() {
    let sim = start(250).await;
    let client = Client::of_first_church(&sim).await;
    assert_eq!(client.ids("").await.len(), 100);
    for filter in ["", "&is_active=true", "&is_active=false"] {
        let mut seen = Vec::new();
        for skip in (0..300).step_by(30) {
            seen.extend(client.ids(&format!("skip={skip}&limit=30{filter}")).await);
        }
        assert_eq!(seen, client.ids(&format!("limit=1000{filter}")).await);
        if filter.is_empty() {
            assert_eq!(seen.len(), 250);
        }
    }
}

#[tokio::test]
async fn places_stay_right_among_deletions_and_creations() {
    let sim = start(40).await;
    let client = Client::of_first_church(&sim).await;
    for row in [0, 1, 7, 8, 20, 39] {
        let id = sim.member_id(FIRST_CHURCH_ID, row).unwrap();
        sim.delete(&id, Webhook::AsUsual).unwrap();
    }
    for row in [3, 7] {
        sim.purge(&sim.member_id(FIRST_CHURCH_ID, row).unwrap(), Webhook::AsUsual).unwrap();
    }
    sim.restore(&sim.member_id(FIRST_CHURCH_ID, 8).unwrap(), Webhook::AsUsual).unwrap();
    for name in ["A", "B", "C"] {
        sim.create(FIRST_CHURCH_ID, json!({"full_name": name}), Webhook::AsUsual).unwrap();
    }
    let all = client.ids("limit=1000").await;
    assert_eq!(all.len(), 40 - 6 + 3);
    assert_eq!(sim.listed(FIRST_CHURCH_ID), Ok(37));
    let mut seen = Vec::new();
    for skip in (0..50).step_by(4) {
        seen.extend(client.ids(&format!("skip={skip}&limit=4")).await);
    }
    assert_eq!(seen, all);
    assert!(all.contains(&sim.member_id(FIRST_CHURCH_ID, 8).unwrap()));
}

#[tokio::test]
async fn envelope_counts_its_rows() {
    let sim = start(25).await;
    sim.set(|settings| settings.list_shape = ListShape::Pagination);
    let client = Client::of_first_church(&sim).await;
    let (status, body) = client.get("/members/?skip=10&limit=10").await;
    assert_eq!((status, body["data"].as_array().unwrap().len()), (200, 10));
    let pagination = json!({"total": 25, "limit": 10, "offset": 10, "has_more": true});
    assert_eq!(body["pagination"], pagination);
    let (_, last) = client.get("/members/?skip=20&limit=10").await;
    assert_eq!(last["pagination"]["has_more"], false);
}

#[tokio::test]
async fn shifted_pages_repeat_and_miss_rows() {
    let sim = start(30).await;
    sim.set(|settings| settings.page_shift = 3);
    let client = Client::of_first_church(&sim).await;
    let mut pages = Vec::new();
    for skip in [0, 10, 20, 30] {
        pages.push(client.ids(&format!("skip={skip}&limit=10")).await);
    }
    assert_eq!(pages[0][7..], pages[1][..3]);
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [10, 10, 10, 3]);
    let seen: HashSet<&String> = pages.iter().flatten().collect();
    // Rows 17 to 19 are on no page.
    assert_eq!(seen.len(), 27);

    sim.set(|settings| {
        settings.page_shift = 0;
        settings.page_cap = Some(4);
    });
    assert_eq!(client.ids("limit=1000").await.len(), 4);
}

#[tokio::test]
async fn changed_members_may_move_under_the_pages() {
    let sim = start(20).await;
    sim.set(|settings| settings.move_on_change = true);
    let client = Client::of_first_church(&sim).await;
    let first = client.ids("skip=0&limit=10").await;
    let expected = client.ids("skip=10&limit=10").await;
    sim.change(&first[2], json!({"notes": "moved"}), Webhook::AsUsual).unwrap();
    let second = client.ids("skip=10&limit=10").await;
    // One row slid to the page already read, and the one that moved is seen twice.
    assert_eq!(second[..9], expected[1..]);
    assert_eq!(second[9], first[2]);
    assert_eq!(client.ids("limit=1000").await.len(), 20);
}

#[tokio::test]
async fn projection_leaves_fields_out_of_lists_alone() {
    let sim = start(0).await;
    let fields = json!({
        "full_name": "A", "city": "Ambon", "notes": "n", "household_id": "h", "phone_whatsapp": "0812",
        "custom_fields": {"a": 1}, "documents": ["d"], "membership_date": "2020-01-01",
    });
    let changed = sim.create(FIRST_CHURCH_ID, fields.clone(), Webhook::AsUsual).unwrap();
    sim.set(|settings| settings.projection = true);
    let client = Client::of_first_church(&sim).await;
    let (_, list) = client.get("/members/").await;
    let (_, single) = client.member(changed.member.text("id").unwrap()).await;
    for (key, value) in fields.as_object().unwrap() {
        assert_eq!(&single[key], value);
    }
    let row = &list[0];
    for key in ["city", "notes", "household_id", "membership_date"] {
        assert_eq!(row[key], Value::Null, "{key}");
    }
    assert_eq!((&row["custom_fields"], &row["documents"]), (&json!({}), &json!([])));
    assert_eq!((&row["full_name"], &row["phone_whatsapp"]), (&json!("A"), &json!("0812")));
    assert!(row.as_object().unwrap().keys().eq(single.as_object().unwrap().keys()));
}
