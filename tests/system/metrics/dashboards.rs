//! The Grafana dashboards: whole, without overlaps, and about metrics that there are.

use std::collections::HashSet;

use serde_json::Value;

use super::{assert_exists, folder::files, page::Page};

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn dashboards_ask_for_metrics_that_there_are() {
    let page = Page::read();
    let mut uids = HashSet::new();
    for (file, text) in files("grafana", "json") {
        let dashboard: Value = serde_json::from_str(&text).unwrap();
        assert!(uids.insert(dashboard["uid"].as_str().unwrap().to_owned()), "{file}: its uid");
        for key in ["title", "description"] {
            assert!(dashboard[key].as_str().is_some_and(|text| text.len() > 10), "{file}: {key}");
        }
        let variables = dashboard["templating"]["list"].as_array().unwrap();
        assert_eq!(variables[0]["type"], "datasource", "{file}: where to ask is a variable");
        for variable in &variables[1..] {
            let query = variable["definition"].as_str().unwrap();
            let metric = query.trim_start_matches("label_values(").split(',').next().unwrap();
            assert_exists(&page, metric, &format!("{file}: ${}", variable["name"]));
        }
        for panel in panels(&dashboard) {
            let whose = format!("{file}: {}", panel["title"]);
            assert!(panel["description"].as_str().is_some_and(|text| !text.is_empty()), "{whose}");
            assert!(panel["fieldConfig"]["defaults"]["unit"].is_string(), "{whose}: a unit");
            let targets = panel["targets"].as_array().unwrap();
            assert!(!targets.is_empty(), "{whose}");
            let mut letters = HashSet::new();
            for target in targets {
                assert!(letters.insert(target["refId"].as_str().unwrap()), "{whose}: refId");
                assert_eq!(target["datasource"]["uid"], "${datasource}", "{whose}");
                assert_exists(&page, target["expr"].as_str().unwrap(), &whose);
            }
            let is_legend_needed = panel["type"] == "timeseries" && targets.len() > 1;
            let legends: HashSet<_> =
                targets.iter().map(|target| target["legendFormat"].as_str().unwrap()).collect();
            assert!(!is_legend_needed || legends.len() == targets.len(), "{whose}: legends");
        }
    }
    assert_eq!(uids.len(), 3);
}

fn panels(dashboard: &Value) -> impl Iterator<Item = &Value> {
    dashboard["panels"].as_array().unwrap().iter().filter(|panel| panel["type"] != "row")
}

#[test]
fn panels_have_a_place_and_an_id_of_their_own() {
    for (file, text) in files("grafana", "json") {
        let dashboard: Value = serde_json::from_str(&text).unwrap();
        let (mut ids, mut cells) = (HashSet::new(), HashSet::new());
        for panel in dashboard["panels"].as_array().unwrap() {
            assert!(ids.insert(number(&panel["id"])), "{file}: id of {}", panel["title"]);
            let [x, y, w, h] = ["x", "y", "w", "h"].map(|side| number(&panel["gridPos"][side]));
            assert!(x + w <= 24, "{file}: {} stands beyond the edge", panel["title"]);
            for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
                assert!(cells.insert(cell), "{file}: {} covers another", panel["title"]);
            }
        }
    }
}
