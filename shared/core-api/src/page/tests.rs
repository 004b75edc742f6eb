use member::CoreMember;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;

fn page(value: &Value) -> Result<Page<Vec<CoreMember>>, BadAnswer> {
    Page::parse(value.to_string().as_bytes(), Vec::new())
}

/// Rows with a few of their keys.
#[derive(Debug)]
struct Few {
    keys: Keys,
    rows: Vec<CoreMember>,
}

impl Rows for Few {
    fn keys(&self) -> &Keys {
        &self.keys
    }

    fn take(&mut self, row: &CoreMember) {
        self.rows.push(row.clone());
    }
}

#[test]
fn both_list_shapes_are_read() {
    let bare = page(&json!([{"id": "a"}, {"id": "b"}])).unwrap();
    assert_eq!((bare.rows.len(), bare.paging, bare.is_last()), (2, Paging::Bare, false));
    assert!(page(&json!([])).unwrap().is_last());
    let counted = |has_more| {
        let pagination = json!({"total": 9, "limit": 1, "offset": 0, "has_more": has_more});
        page(&json!({"data": [{"id": "a"}], "pagination": pagination, "more": [{}]})).unwrap()
    };
    assert_eq!(counted(true).paging, Paging::Counted { has_more: true, total: Some(9) });
    assert!(!counted(true).is_last() && counted(false).is_last());
}

#[test]
fn any_other_list_is_an_error() {
    let unknown = [
        json!({}),
        json!({"data": []}),
        json!({"data": [], "pagination": {}}),
        json!({"data": {}, "pagination": {"has_more": false}}),
        json!({"data": null, "pagination": {"has_more": false}}),
        json!({"data": [], "pagination": {"has_more": "no"}}),
        json!({"data": [], "pagination": null}),
        json!({"members": []}),
        json!({"detail": "x"}),
        json!(null),
        json!("x"),
        json!(5),
        json!([1]),
        json!([null]),
        json!([[]]),
    ];
    for value in unknown {
        assert_eq!(page(&value), Err(BadAnswer::UnknownShape), "{value}");
    }
    assert_eq!(page(&json!([{"name": "x"}, {"id": 5}])), Err(BadAnswer::NoId));
    let one_without = page(&json!([{"id": "a"}, {"name": "x"}])).unwrap();
    assert_eq!((one_without.came, one_without.rows[1].id()), (2, None));
    let endless = json!({"data": [], "pagination": {"has_more": true}});
    assert_eq!(page(&endless), Err(BadAnswer::EmptyPage));
    for broken in ["[{\"id\":", "", "[{\"id\":\"a\"}", "[{\"id\":\"a\"}]]", "[{\"id\":\"a\",}]"] {
        let read = Page::parse(broken.as_bytes(), Vec::new());
        assert!(matches!(read, Err(BadAnswer::NotJson { .. })), "{broken}");
    }
}

#[test]
fn keys_that_nobody_wants_are_absent_and_null_stays_null() {
    let of = || Few { keys: Keys::only(["id", "phone"]), rows: Vec::new() };
    let row = json!([{"id": "a", "photo": "x", "phone": null, "deep": {"id": ["b"]}}]);
    let rows = Page::parse(row.to_string().as_bytes(), of()).unwrap().rows.rows;
    assert_eq!(rows[0].id(), Some("a"));
    assert_eq!(rows[0].get("phone"), Some(&Value::Null));
    assert_eq!(rows[0].get("photo"), None);
    assert_eq!(rows[0].fields().count(), 2);
    // What is skipped must be JSON all the same.
    let broken = Page::parse(br#"[{"id": "a", "photo": "x}]"#, of());
    assert!(matches!(broken, Err(BadAnswer::NotJson { .. })));
}

proptest! {
    /// Rows are read into the memory of the rows before them, and nothing of those shows.
    #[test]
    fn rows_are_read_as_if_each_were_alone(rows in prop::collection::vec(row(), 0..8)) {
        let all = page(&Value::from(rows.clone())).unwrap();
        prop_assert_eq!(all.came, rows.len() as u64);
        for (read, row) in all.rows.iter().zip(rows) {
            let read: Map<String, Value> =
                read.fields().map(|(key, value)| (key.to_owned(), value.clone())).collect();
            // By way of its text: of a fraction that may change the last digit.
            let alone: Value = serde_json::from_str(&row.to_string()).unwrap();
            prop_assert_eq!(Value::Object(read), alone);
        }
    }
}

fn row() -> impl Strategy<Value = Value> {
    let value = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e9..1e9).prop_map(Value::from),
        ".{0,9}".prop_map(Value::from),
        Just(json!(["x", {"y": null}])),
        Just(json!({"x": [1.5]})),
    ];
    prop::collection::btree_map("[a-e]", value, 0..5).prop_map(|fields| {
        let mut row: Map<String, Value> = fields.into_iter().collect();
        row.insert("id".to_owned(), json!("1"));
        Value::Object(row)
    })
}
