//! A campus by its name, wherever only one has it.

use core_sim::Options;
use serde_json::json;

use super::{assert_failed, campus_alone};

#[tokio::test]
async fn a_campus_is_named_by_its_name_where_only_one_has_it() {
    let system = campus_alone().await;
    let id = system.campus.id.as_str();
    let shown = system.faithctl(&["campus", "show", "GKBJ", "--json"]).await.json();
    assert_eq!(shown["campus_id"], id);
    let set = ["campus", "set", "GKBJ", "--rate-limit", "50/s", "--json"];
    let changed = system.faithctl(&set).await.json();
    assert_eq!((&changed["id"], &changed["rate_limit"]), (&json!(id), &json!(50)));
    let compare = ["--once", "--campus", "GKBJ", "--dry-run", "--json"];
    let compared = system.reconcile(&compare).await;
    assert_eq!(compared.code, Some(3), "the core's members are drift: {compared:?}");
    let unknown = system.reconcile(&["--once", "--campus", "GKBI"]).await;
    assert_failed(&unknown, 1, "no campus is named \\\"GKBI");
    system.faithctl(&["campus", "disable", "GKBJ"]).await.success();
    let lists: [&[&str]; 4] = [
        &["deliveries", "list"],
        &["dead-letters", "list"],
        &["dead-letters", "groups"],
        &["runs", "list"],
    ];
    for list in lists {
        let listed =
            system.faithctl(&[list, &["--campus", "GKBJ", "--json"]].concat()).await.json();
        assert_eq!(listed, json!([]));
        let unknown = system.faithctl(&[list, &["--campus", "GKBI"]].concat()).await;
        assert_failed(&unknown, 1, "no campus is named \"GKBI\" (is \"GKBJ\" meant?)");
    }
    let erase = ["erase", "--campus", "GKBJ", "--member", "m", "--dry-run"];
    assert_failed(&system.faithctl(&erase).await, 1, "nothing is logged of this member");

    let second = Options::churches_of(1, 2, 0).remove(1);
    let other = system
        .add_campus(&core_sim::ChurchOptions { name: "GKBJ".to_owned(), ..second }, &[])
        .await;
    let ambiguous = system.faithctl(&["campus", "enable", "GKBJ"]).await;
    assert_failed(&ambiguous, 2, "2 campuses are named \"GKBJ\"; give the id of one: ");
    for one in [id, &other.id] {
        assert!(ambiguous.stderr.contains(one), "{ambiguous:?}");
    }
    system.faithctl(&["campus", "enable", id]).await.success();
}
