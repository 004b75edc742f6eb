//! `deploy/k8s/` against the API's own types, as far as there are any: how a field is called, where it
//! belongs, and what it holds.

use k8s_openapi::api::{
    apps::v1::Deployment,
    autoscaling::v2::HorizontalPodAutoscaler,
    batch::v1::{CronJob, Job},
    core::v1::{Affinity, ConfigMap, Namespace, ResourceRequirements, Service, ServiceAccount},
    networking::v1::NetworkPolicy,
    policy::v1::PodDisruptionBudget,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{at, kubernetes::resources};

/// Kinds of operators, whose types are in no library: RabbitMQ's two, and KEDA.
const OF_OPERATORS: [&str; 6] =
    ["RabbitmqCluster", "Vhost", "User", "Permission", "ScaledObject", "TriggerAuthentication"];

/// What is wrong with a manifest, as far as the type `T` can tell.
fn faults<T: DeserializeOwned + Serialize>(manifest: &Value) -> Vec<String> {
    let read: T = match serde_json::from_value(manifest.clone()) {
        Ok(read) => read,
        Err(error) => return vec![error.to_string()],
    };
    let mut lost = Vec::new();
    find_lost(manifest, &serde_json::to_value(read).unwrap(), "", &mut lost);
    lost
}

/// What a type does not know is passed over when it is read, and missing when it is written again.
fn find_lost(manifest: &Value, written: &Value, path: &str, lost: &mut Vec<String>) {
    match (manifest, written) {
        (Value::Object(fields), Value::Object(known)) => {
            for (name, value) in fields {
                let path = format!("{path}/{name}");
                match known.get(name) {
                    Some(written) => find_lost(value, written, &path, lost),
                    None => lost.push(format!("{path} is unknown")),
                }
            }
        }
        (Value::Array(values), Value::Array(known)) if values.len() == known.len() => {
            for (index, (value, written)) in values.iter().zip(known).enumerate() {
                find_lost(value, written, &format!("{path}/{index}"), lost);
            }
        }
        (manifest, written) if manifest == written => {}
        (manifest, written) => lost.push(format!("{path} is {manifest}, read as {written}")),
    }
}

fn faults_of(resource: &Value) -> Vec<String> {
    let kind = at(resource, "kind").as_str().unwrap();
    let check = match kind {
        "Namespace" => faults::<Namespace>,
        "ConfigMap" => faults::<ConfigMap>,
        "ServiceAccount" => faults::<ServiceAccount>,
        "Deployment" => faults::<Deployment>,
        "Job" => faults::<Job>,
        "CronJob" => faults::<CronJob>,
        "Service" => faults::<Service>,
        "HorizontalPodAutoscaler" => faults::<HorizontalPodAutoscaler>,
        "PodDisruptionBudget" => faults::<PodDisruptionBudget>,
        "NetworkPolicy" => faults::<NetworkPolicy>,
        _ if OF_OPERATORS.contains(&kind) => |_: &Value| Vec::new(),
        _ => |_: &Value| vec!["nobody knows this kind".to_owned()],
    };
    let name = at(resource, "metadata/name");
    check(resource).into_iter().map(|fault| format!("{kind} {name}: {fault}")).collect()
}

#[test]
fn every_manifest_is_what_the_api_knows() {
    let found: Vec<String> = resources().iter().flat_map(faults_of).collect();
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn modes_of_files_are_decimal_since_versions_of_yaml_differ_about_octals() {
    fn modes(value: &Value) -> Vec<&Value> {
        match value {
            Value::Object(fields) => fields
                .iter()
                .flat_map(
                    |(name, value)| {
                        if name == "defaultMode" { vec![value] } else { modes(value) }
                    },
                )
                .collect(),
            Value::Array(values) => values.iter().flat_map(modes).collect(),
            _ => Vec::new(),
        }
    }
    let resources = resources();
    let modes: Vec<&Value> = resources.iter().flat_map(modes).collect();
    assert!(modes.len() > 10 && modes.iter().all(|mode| **mode == 0o440), "{modes:?}");
}

#[test]
fn what_operators_hand_on_to_pods_is_what_the_api_knows() {
    let resources = resources();
    let cluster = resources.iter().find(|one| one["kind"] == "RabbitmqCluster").unwrap();
    assert_eq!(faults::<Affinity>(at(cluster, "spec/affinity")), [""; 0]);
    assert_eq!(faults::<ResourceRequirements>(at(cluster, "spec/resources")), [""; 0]);
}

#[test]
fn a_misspelt_field_and_a_wrong_type_are_found() {
    let mut resources = resources();
    let deployment = resources.iter_mut().find(|one| one["kind"] == "Deployment").unwrap();
    let pod = &mut deployment["spec"]["template"]["spec"];
    pod["containers"][0]["readinessprobe"] = pod["containers"][0]["readinessProbe"].clone();
    let found = faults_of(deployment);
    assert!(found.len() == 1 && found[0].contains("/0/readinessprobe is unknown"), "{found:?}");
    deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = "40s".into();
    assert!(faults_of(deployment)[0].contains("40s"));
}
