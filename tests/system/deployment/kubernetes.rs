//! `deploy/k8s/`: what the API server would refuse, what it would not, and what would not work.

use std::collections::{BTreeMap, BTreeSet};

use harness::permissions;
use serde_json::Value;

use super::{admin_listen, admin_port, at, deploy, port, texts, variable, yaml};

const PROGRAMS: [&str; 3] = ["gateway", "worker", "reconciler"];

/// Every document of every resource of the kustomization.
pub(super) fn resources() -> Vec<Value> {
    let kustomization = yaml("k8s/kustomization.yaml").remove(0);
    let files = texts(kustomization.get("resources"));
    files.iter().flat_map(|file| yaml(&format!("k8s/{file}"))).collect()
}

fn of_kind<'a>(resources: &'a [Value], kind: &str) -> BTreeMap<&'a str, &'a Value> {
    resources
        .iter()
        .filter(|resource| resource["kind"] == kind)
        .map(|resource| (at(resource, "metadata/name").as_str().unwrap(), resource))
        .collect()
}

/// The pod templates, by the name of what makes the pods.
fn pods(resources: &[Value]) -> BTreeMap<&str, &Value> {
    let mut pods = BTreeMap::new();
    for (kind, path) in [
        ("Deployment", "spec/template"),
        ("Job", "spec/template"),
        ("CronJob", "spec/jobTemplate/spec/template"),
    ] {
        let made = of_kind(resources, kind);
        pods.extend(made.into_iter().map(|(name, resource)| (name, at(resource, path))));
    }
    pods
}

fn container(pod: &Value) -> &Value {
    at(pod, "spec/containers/0")
}

#[test]
fn the_kustomization_names_every_file_and_no_other() {
    let kustomization = yaml("k8s/kustomization.yaml").remove(0);
    let named: BTreeSet<String> =
        texts(kustomization.get("resources")).into_iter().map(str::to_owned).collect();
    let there: BTreeSet<String> = std::fs::read_dir(deploy("k8s"))
        .unwrap()
        .flatten()
        .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "yaml"))
        .map(|entry| entry.file_name().into_string().unwrap())
        .filter(|name| name != "kustomization.yaml")
        .collect();
    assert_eq!(named, there);
    let resources = resources();
    for resource in &resources {
        assert_ne!(resource["kind"], "Secret", "secrets are named, not given");
    }
    let names: BTreeSet<String> = resources
        .iter()
        .map(|resource| format!("{} {}", resource["kind"], at(resource, "metadata/name")))
        .collect();
    assert_eq!(names.len(), resources.len(), "no name twice");
}

#[test]
fn every_pod_keeps_to_the_restricted_standard() {
    let resources = resources();
    let namespace = of_kind(&resources, "Namespace")["faithtracker"].clone();
    let labels = at(&namespace, "metadata/labels");
    assert_eq!(labels["pod-security.kubernetes.io/enforce"], "restricted");
    let pods = pods(&resources);
    assert_eq!(pods.len(), 6, "{:?}", pods.keys());
    for (name, pod) in pods {
        let security = at(pod, "spec/securityContext");
        assert_eq!(security["runAsNonRoot"], true, "{name}");
        assert_eq!(security["runAsUser"], 65532, "{name}: the image's user");
        assert_eq!(security["seccompProfile"]["type"], "RuntimeDefault", "{name}");
        assert_eq!(at(pod, "spec/automountServiceAccountToken"), false, "{name}");
        let accounts = of_kind(&resources, "ServiceAccount");
        assert!(accounts.contains_key(at(pod, "spec/serviceAccountName").as_str().unwrap()));
        assert_eq!(at(pod, "spec/containers").as_array().unwrap().len(), 1, "{name}");
        let container = container(pod);
        let security = at(container, "securityContext");
        assert_eq!(security["allowPrivilegeEscalation"], false, "{name}");
        assert_eq!(security["readOnlyRootFilesystem"], true, "{name}");
        assert_eq!(texts(security.pointer("/capabilities/drop")), ["ALL"], "{name}");
        assert!(!at(container, "resources/limits/memory").is_null(), "{name}");
        assert!(!at(container, "resources/requests/cpu").is_null(), "{name}");
    }
}

#[test]
fn labels_and_selectors_belong_together() {
    let resources = resources();
    let pods = pods(&resources);
    let labelled = |selector: &Value| {
        pods.values().any(|pod| {
            let labels = at(pod, "metadata/labels");
            selector.as_object().unwrap().iter().all(|(name, value)| labels[name] == *value)
        })
    };
    // RabbitMQ's pods are its operator's.
    let is_rabbitmq = |selector: &Value| selector["app.kubernetes.io/name"] == "rabbitmq";
    for (name, deployment) in of_kind(&resources, "Deployment") {
        let selector = at(deployment, "spec/selector/matchLabels");
        assert_eq!(selector, at(deployment, "spec/template/metadata/labels"), "{name}");
        let spread = deployment.pointer("/spec/template/spec/topologySpreadConstraints");
        assert_eq!(spread.is_some(), PROGRAMS.contains(&name), "{name}");
        for constraint in spread.and_then(Value::as_array).into_iter().flatten() {
            assert_eq!(at(constraint, "labelSelector/matchLabels"), selector, "{name}");
        }
    }
    for (name, budget) in of_kind(&resources, "PodDisruptionBudget") {
        let selector = at(budget, "spec/selector/matchLabels");
        assert!(labelled(selector) || is_rabbitmq(selector), "{name}");
    }
    for (name, service) in of_kind(&resources, "Service") {
        assert!(labelled(at(service, "spec/selector")), "{name}");
    }
    let known: BTreeSet<&str> = pods.keys().copied().chain(["rabbitmq"]).collect();
    for (name, policy) in of_kind(&resources, "NetworkPolicy") {
        for chosen in names_in(policy) {
            assert!(known.contains(chosen), "{name} speaks of {chosen}");
        }
    }
    for kind in ["HorizontalPodAutoscaler", "ScaledObject"] {
        for (name, scaler) in of_kind(&resources, kind) {
            let target = at(scaler, "spec/scaleTargetRef/name").as_str().unwrap();
            let deployment = of_kind(&resources, "Deployment")[target];
            assert!(deployment.pointer("/spec/replicas").is_none(), "{name} decides alone");
        }
    }
}

/// The names of programs that a policy's selectors choose.
fn names_in(value: &Value) -> Vec<&str> {
    const LABEL: &str = "app.kubernetes.io/name";
    match value {
        Value::Object(fields) if fields.get("key").is_some_and(|key| key == LABEL) => {
            texts(fields.get("values"))
        }
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, value)| match value.as_str() {
                Some(chosen) if name == LABEL => vec![chosen],
                _ => names_in(value),
            })
            .collect(),
        Value::Array(values) => values.iter().flat_map(names_in).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn ports_probes_and_grace_are_those_of_the_programs() {
    let resources = resources();
    let settings = of_kind(&resources, "ConfigMap")["faithtracker-settings"];
    let deployments = of_kind(&resources, "Deployment");
    for program in PROGRAMS {
        let listen = at(settings, &format!("data/{}", admin_listen(program).name));
        assert_eq!(listen, &format!("0.0.0.0:{}", admin_port(program)));
        let pod = at(deployments[program], "spec/template");
        let container = container(pod);
        let ports = at(container, "ports").as_array().unwrap();
        let admin = ports.iter().find(|port| port["name"] == "admin").unwrap();
        assert_eq!(admin["containerPort"], admin_port(program));
        assert_eq!(texts(container.get("command")), [format!("/usr/local/bin/{program}")]);
        for (probe, path) in
            [("startupProbe", "/livez"), ("livenessProbe", "/livez"), ("readinessProbe", "/readyz")]
        {
            assert_eq!(at(container, &format!("{probe}/httpGet/path")), path, "{program}");
            assert_eq!(at(container, &format!("{probe}/httpGet/port")), "admin", "{program}");
        }
        let pause = container.pointer("/lifecycle/preStop/sleep/seconds").and_then(Value::as_u64);
        let grace = at(pod, "spec/terminationGracePeriodSeconds").as_u64().unwrap();
        assert!(grace >= pause.unwrap_or(0) + 30, "{program}: the drain takes up to 25 s");
        let scraped = at(pod, "metadata/annotations");
        assert_eq!(scraped["prometheus.io/port"], admin_port(program).to_string());
    }
    nobody_is_refused_during_a_rollout(deployments["gateway"]);
    let public = at(container(at(deployments["gateway"], "spec/template")), "ports/0");
    assert_eq!(public["containerPort"], port(variable("GATEWAY_LISTEN").default.unwrap()));
    let service = of_kind(&resources, "Service")["gateway"];
    assert_eq!(at(service, "spec/ports/0/targetPort"), &public["name"]);
}

/// A new gateway is first, and has been ready for a while; the old one goes on accepting until nobody sends to it.
fn nobody_is_refused_during_a_rollout(gateway: &Value) {
    assert_eq!(at(gateway, "spec/strategy/rollingUpdate/maxUnavailable"), 0);
    assert!(at(gateway, "spec/strategy/rollingUpdate/maxSurge").as_u64().unwrap() >= 1);
    assert!(at(gateway, "spec/minReadySeconds").as_u64().unwrap() >= 5);
    let container = container(at(gateway, "spec/template"));
    assert!(at(container, "lifecycle/preStop/sleep/seconds").as_u64().unwrap() >= 10);
}

/// Whoever operates it has a shell's place with the operator's rights, a terminal, and room for files.
#[test]
fn the_toolbox_is_faithctl_in_a_pod_that_stays() {
    let resources = resources();
    let pods = pods(&resources);
    let (toolbox, doctor) = (pods["toolbox"], pods["faithctl"]);
    for path in ["spec/serviceAccountName", "metadata/labels/app.kubernetes.io~1name"] {
        assert_eq!(at(toolbox, path), at(doctor, path), "{path}: its way to Postgres and RabbitMQ");
    }
    let mounts = |pod| at(container(pod), "volumeMounts").as_array().unwrap().clone();
    for mount in mounts(doctor) {
        assert!(mounts(toolbox).contains(&mount), "{mount}");
    }
    let files = at(container(toolbox), "workingDir");
    assert!(mounts(toolbox).iter().any(|mount| mount["mountPath"] == *files));
    assert_eq!(texts(container(toolbox).get("command")), ["sleep", "infinity"]);
    let image = at(container(toolbox), "image").as_str().unwrap();
    let kustomization = yaml("k8s/kustomization.yaml").remove(0);
    let images = kustomization["images"].as_array().unwrap();
    assert!(images.iter().any(|entry| entry["name"] == image), "{image}");
    let dockerfile = super::text("Dockerfile");
    let stage = dockerfile.split("AS toolbox\n").nth(1).unwrap().split("\nFROM ").next().unwrap();
    // What the runbooks use beside our own programs.
    for tool in ["curl", "jq", "postgresql-client", "tar", "/usr/local/bin/faithctl", "USER 65532"]
    {
        assert!(stage.contains(tool), "{tool}");
    }
    // Without it, as many Jobs as one likes.
    let readme = super::text("k8s/README.md");
    assert!(readme.contains("generateName") && !readme.contains("create job faithctl-now"));
}

#[test]
fn settings_are_read_and_secret_files_are_mounted() {
    let resources = resources();
    let settings = of_kind(&resources, "ConfigMap")["faithtracker-settings"];
    let settings = at(settings, "data").as_object().unwrap();
    for name in settings.keys() {
        variable(name);
    }
    for (name, pod) in pods(&resources) {
        let container = container(pod);
        let mounts = at(container, "volumeMounts").as_array().unwrap();
        let volumes = at(pod, "spec/volumes").as_array().unwrap();
        for mount in mounts {
            assert!(
                volumes.iter().any(|volume| volume["name"] == mount["name"]),
                "{name}: {mount}"
            );
            // But for the files of an operator.
            assert_eq!(mount["readOnly"] == true, mount["name"] != "files", "{name}");
        }
        for entry in container["env"].as_array().into_iter().flatten() {
            variable(entry["name"].as_str().unwrap());
        }
        let given: BTreeMap<&str, &str> = match container.pointer("/envFrom/0/configMapRef/name") {
            Some(map) => {
                assert_eq!(map, "faithtracker-settings", "{name}");
                settings
                    .iter()
                    .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
                    .collect()
            }
            None => BTreeMap::new(),
        };
        for (setting, path) in given.into_iter().filter(|(setting, _)| setting.ends_with("_FILE")) {
            // The reconciler does not know RabbitMQ.
            let is_needed = name != "reconciler" || !setting.starts_with("AMQP");
            let is_mounted = mounts.iter().any(|mount| {
                path.starts_with(&format!("{}/", mount["mountPath"].as_str().unwrap()))
            });
            assert_eq!(is_mounted, is_needed || path.starts_with("/secrets/"), "{name}: {setting}");
        }
    }
}

#[test]
fn every_secret_is_in_the_list_and_in_the_vault() {
    let resources = resources();
    let readme = super::text("k8s/README.md");
    let external: BTreeSet<String> = yaml("k8s/external-secrets/external-secrets.yaml")
        .iter()
        .map(|secret| at(secret, "metadata/name").as_str().unwrap().to_owned())
        .collect();
    let mut named = BTreeSet::new();
    for resource in &resources {
        collect_secrets(resource, &mut named);
    }
    assert_eq!(named, external);
    for name in &named {
        let short = name.trim_start_matches("faithtracker");
        assert!(
            readme.contains(&format!("`{name}`")) || readme.contains(&format!("`{short}`")),
            "{name}"
        );
    }
}

/// The names of the Secrets that a resource refers to.
fn collect_secrets(value: &Value, named: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let referred = match (name.as_str(), value) {
                    ("secretName" | "caSecretName", name) => name.as_str(),
                    ("importCredentialsSecret", secret) => secret["name"].as_str(),
                    ("secretTargetRef", Value::Array(targets)) => {
                        for target in targets {
                            named.insert(target["name"].as_str().unwrap().to_owned());
                        }
                        None
                    }
                    _ => None,
                };
                named.extend(referred.map(str::to_owned));
                collect_secrets(value, named);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect_secrets(value, named)),
        _ => {}
    }
}

#[test]
fn rabbitmqs_users_have_the_rights_of_the_file_and_the_scaler_none() {
    let resources = resources();
    let users = of_kind(&resources, "User");
    let rights: BTreeMap<String, [String; 3]> = of_kind(&resources, "Permission")
        .into_iter()
        .map(|(name, permission)| {
            let user = at(permission, "spec/userReference/name").as_str().unwrap();
            assert!(users.contains_key(user), "{name}");
            let right = |what: &str| {
                at(permission, &format!("spec/permissions/{what}")).as_str().unwrap().to_owned()
            };
            (user.replace('-', "_"), ["configure", "write", "read"].map(right))
        })
        .collect();
    let mut expected: BTreeMap<String, [String; 3]> = permissions().into_iter().collect();
    expected.insert(
        "faith_scaler".to_owned(),
        ["^$", r"^member-events\.work$", "^$"].map(str::to_owned),
    );
    assert_eq!(rights, expected);
}

#[test]
fn the_broker_has_three_nodes_and_the_scaler_counts_the_work_queue() {
    let resources = resources();
    let cluster = of_kind(&resources, "RabbitmqCluster")["rabbitmq"];
    assert_eq!(at(cluster, "spec/replicas"), 3);
    let written = |text: &str| -> String {
        text.lines().filter(|line| !line.starts_with("%%")).map(str::trim).collect()
    };
    let advanced = at(cluster, "spec/rabbitmq/advancedConfig").as_str().unwrap();
    assert_eq!(
        written(advanced),
        written(include_str!("../../../deploy/rabbitmq/advanced.config"))
    );
    let scaled = of_kind(&resources, "ScaledObject")["worker"];
    let trigger = at(scaled, "spec/triggers/0");
    assert_eq!(at(trigger, "metadata/queueName"), queue::WORK);
    let authentication = at(trigger, "authenticationRef/name").as_str().unwrap();
    assert!(of_kind(&resources, "TriggerAuthentication").contains_key(authentication));
    assert!(
        at(scaled, "spec/minReplicaCount").as_u64().unwrap() >= 1,
        "dead letters are collected"
    );
}

#[test]
fn the_operator_for_prometheus_gets_every_program_and_every_alert() {
    let monitors = yaml("k8s/monitoring/pod-monitors.yaml");
    let resources = resources();
    let pods = pods(&resources);
    for program in PROGRAMS {
        let monitor = of_kind(&monitors, "PodMonitor")[program].clone();
        let selected = at(&monitor, "spec/selector/matchLabels");
        assert_eq!(selected, at(pods[program], "metadata/labels"), "{program}");
        let port = at(&monitor, "spec/podMetricsEndpoints/0/port");
        let ports = at(container(pods[program]), "ports").as_array().unwrap();
        assert!(ports.iter().any(|offered| offered["name"] == *port), "{program}: {port}");
    }
    let rules = yaml("k8s/monitoring/rules.yaml");
    let rules = of_kind(&rules, "PrometheusRule");
    let alerts = std::fs::read_dir(deploy("alerts")).unwrap().flatten();
    let files: Vec<String> = alerts
        .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "yaml"))
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    assert_eq!(rules.len(), files.len());
    for file in files {
        let name = format!("faithtracker-{}", file.trim_end_matches(".yaml"));
        let alerts = yaml(&format!("alerts/{file}")).remove(0);
        let is_same = rules[name.as_str()]["spec"] == alerts;
        assert!(is_same, "{file} was changed: run deploy/k8s/monitoring/rules-from-alerts");
    }
}
