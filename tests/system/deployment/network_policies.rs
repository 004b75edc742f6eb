//! `deploy/k8s/network-policies.yaml`: who reaches whom.

use serde_json::{Value, json};

use super::{admin_port, at, kubernetes::resources, port, variable};

const LABEL: &str = "app.kubernetes.io/name";
/// RabbitMQ with TLS.
const AMQPS: u64 = 5671;

fn policies() -> Vec<Value> {
    let mut resources = resources();
    resources.retain(|resource| resource["kind"] == "NetworkPolicy");
    resources
}

/// Whether a selector chooses the pods of this name.
fn chooses(selector: &Value, name: &str) -> bool {
    let labels = selector.get("matchLabels").and_then(Value::as_object).into_iter().flatten();
    let expressions = selector.get("matchExpressions").and_then(Value::as_array);
    labels.into_iter().all(|(label, value)| label == LABEL && value == name)
        && expressions.into_iter().flatten().all(|expression| {
            assert_eq!(
                (&expression["key"], &expression["operator"]),
                (&json!(LABEL), &json!("In"))
            );
            at(expression, "values").as_array().unwrap().contains(&json!(name))
        })
}

/// Whether a policy of the pods `own` lets them, in this direction, speak with the pods `peer` on that port of TCP.
fn allows(policies: &[Value], direction: &str, own: &str, peer: &str, port: u64) -> bool {
    let peers = if direction == "egress" { "to" } else { "from" };
    let of_own = policies.iter().filter(|policy| chooses(at(policy, "spec/podSelector"), own));
    let mut rules = of_own.flat_map(|policy| {
        policy
            .pointer(&format!("/spec/{direction}"))
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
    });
    rules.any(|rule| {
        let peers = at(rule, peers).as_array().unwrap();
        let mut ports = at(rule, "ports").as_array().unwrap().iter();
        let is_peer =
            |entry: &Value| entry.get("podSelector").is_some_and(|pods| chooses(pods, peer));
        peers.iter().any(is_peer)
            && ports.any(|entry| entry["protocol"] == "TCP" && entry["port"] == port)
    })
}

/// Both ends allow it.
fn reaches(policies: &[Value], from: &str, to: &str, port: u64) -> bool {
    allows(policies, "egress", from, to, port) && allows(policies, "ingress", to, from, port)
}

#[test]
fn operators_reach_what_the_documents_ask_and_programs_only_rabbitmq() {
    let policies = policies();
    let public = port(variable("GATEWAY_LISTEN").default.unwrap());
    assert!(reaches(&policies, "faithctl", "gateway", public));
    for program in ["gateway", "worker", "reconciler"] {
        assert!(reaches(&policies, "faithctl", program, admin_port(program)), "{program}");
        assert_eq!(
            reaches(&policies, program, "rabbitmq", AMQPS),
            program != "reconciler",
            "{program}"
        );
        for other in ["gateway", "worker", "reconciler", "faithctl"] {
            for port in
                [public, admin_port("gateway"), admin_port("worker"), admin_port("reconciler")]
            {
                assert!(!reaches(&policies, program, other, port), "{program} to {other}:{port}");
            }
        }
    }
    assert!(reaches(&policies, "faithctl", "rabbitmq", AMQPS));
}
