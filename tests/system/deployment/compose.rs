//! `deploy/compose.yaml`.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{admin_listen, admin_port, deploy, port, text, texts, variable, yaml};

const PROGRAMS: [&str; 3] = ["gateway", "worker", "reconciler"];

fn compose() -> Value {
    yaml("compose.yaml").remove(0)
}

fn services(compose: &Value) -> impl Iterator<Item = (&str, &Value)> {
    compose["services"].as_object().unwrap().iter().map(|(name, service)| (name.as_str(), service))
}

/// The names of the secrets that a service mounts.
fn secrets(service: &Value) -> Vec<&str> {
    let mounted = service["secrets"].as_array().into_iter().flatten();
    mounted.filter_map(|secret| secret.as_str().or_else(|| secret["source"].as_str())).collect()
}

#[test]
fn every_service_is_confined() {
    let compose = compose();
    for (name, service) in services(&compose) {
        assert_eq!(service["read_only"], true, "{name}");
        assert_eq!(texts(service.get("cap_drop")), ["ALL"], "{name}");
        assert!(service.get("cap_add").is_none() && service.get("privileged").is_none(), "{name}");
        assert_eq!(texts(service.get("security_opt")), ["no-new-privileges:true"], "{name}");
        let user = service["user"].as_str().unwrap_or_else(|| panic!("{name} has no user"));
        let id: u32 = user.split(':').next().unwrap().parse().expect("a number");
        assert_ne!(id, 0, "{name}");
        for limit in ["cpus", "memory", "pids"] {
            let limits = &service["deploy"]["resources"]["limits"];
            assert!(!limits[limit].is_null(), "{name} has no limit of {limit}");
        }
        let image = service["image"].as_str().unwrap();
        let (_, tag) = image.rsplit_once(':').unwrap_or_else(|| panic!("{name}: no tag"));
        assert!(tag != "latest" && tag.contains('.'), "{name}: {image} is no exact tag");
    }
}

#[test]
fn secrets_are_files_that_the_script_makes() {
    let compose = compose();
    let declared = compose["secrets"].as_object().unwrap();
    let script = text("secrets-new");
    let mut used = BTreeSet::new();
    for (name, service) in services(&compose) {
        for secret in secrets(service) {
            assert!(declared.contains_key(secret), "{name} mounts {secret}, which is not declared");
            used.insert(secret);
        }
    }
    assert_eq!(used, declared.keys().map(String::as_str).collect(), "declared and used");
    for (name, secret) in declared {
        assert_eq!(secret["file"], format!("./secrets/{name}"));
        let made = script.contains(name.as_str())
            || name.strip_suffix("-database-url").is_some_and(|who| script.contains(who))
            || name.strip_suffix("-amqp-url").is_some_and(|who| script.contains(who));
        assert!(made, "secrets-new does not make {name}");
    }
}

#[test]
fn programs_get_settings_that_they_read_and_secrets_of_their_own() {
    let compose = compose();
    for (name, service) in services(&compose) {
        if !service["image"].as_str().unwrap().starts_with("faithtracker-sync:") {
            continue;
        }
        let environment = service["environment"].as_object().unwrap();
        for (setting, value) in environment {
            variable(setting);
            let value = value.as_str().unwrap();
            if let Some(secret) = value.strip_prefix("/run/secrets/") {
                assert!(setting.ends_with("_FILE"), "{name}: {setting}");
                assert!(secrets(service).contains(&secret), "{name} does not mount {secret}");
            }
        }
        for secret in secrets(service) {
            let whose = secret.split('-').next().unwrap();
            let own = if name == "faithctl" { "admin" } else { name };
            let is_shared = ["secrets", "owner", "postgres"].contains(&whose);
            assert!(whose == own || is_shared, "{name} mounts {secret}");
            assert!(name == "migrate" || whose != "owner", "{name} mounts {secret}");
        }
    }
}

#[test]
fn ports_and_probes_are_those_of_the_programs() {
    let compose = compose();
    for program in PROGRAMS {
        let service = &compose["services"][program];
        let listen = service["environment"][admin_listen(program).name].as_str().unwrap();
        assert_eq!(port(listen), admin_port(program));
        let probe = format!("127.0.0.1:{}", admin_port(program));
        let expected = ["CMD", "/usr/local/bin/faithctl", "probe", &probe];
        assert_eq!(texts(service.pointer("/healthcheck/test")), expected);
        let expected = format!("/usr/local/bin/{program}");
        assert_eq!(texts(service.get("command")), [expected]);
        // The drain of 25 s must be over before anybody is killed.
        let grace = service["stop_grace_period"].as_str().unwrap().trim_end_matches('s');
        assert!(grace.parse::<u32>().unwrap() >= 30, "{program}");
        let published = texts(service.get("ports"));
        assert!(published.is_empty(), "{program}: the proxy alone is public");
    }
    // One may be replaced while another answers.
    assert!(compose["services"]["gateway"]["deploy"]["replicas"].as_u64().unwrap() >= 2);
    assert_eq!(texts(compose["services"]["proxy"].get("ports")), ["8080:8080"]);
    // From a version whose gateway had the port.
    let steps = [
        "up --no-start --no-deps proxy ",
        "docker stop $old ",
        "up -d --no-deps --wait proxy\n",
        "exec reconciler reconciler --once --all ",
    ];
    super::assert_in_order(&text("upgrade.md"), &steps);
    let proxy = text("compose/haproxy.cfg");
    let checked = format!("gateway:8080 check port {} ", admin_port("gateway"));
    assert_eq!(
        proxy.matches(&checked).count(),
        2,
        "those that are ready, else those that are there"
    );
    assert_eq!(port(variable("GATEWAY_LISTEN").default.unwrap()), 8080);
    // What is not for the public is on no interface that the public sees.
    for (name, service) in services(&compose) {
        for published in texts(service.get("ports")) {
            assert!(name == "proxy" || published.starts_with("127.0.0.1:"), "{name} {published}");
        }
    }
    let prometheus = yaml("compose/prometheus.yml").remove(0);
    for job in prometheus["scrape_configs"].as_array().unwrap() {
        let name = job["job_name"].as_str().unwrap();
        assert!(!compose["services"][name].is_null(), "{name} is no service");
        if PROGRAMS.contains(&name) {
            assert_eq!(job["dns_sd_configs"][0]["port"], admin_port(name));
        }
    }
}

#[test]
fn what_is_mounted_waited_for_and_connected_is_there() {
    let compose = compose();
    for (name, service) in services(&compose) {
        for volume in texts(service.get("volumes")) {
            let source = volume.split(':').next().unwrap();
            // Another's folders, which may come later than this one.
            let is_optional = ["./alerts", "./grafana"].contains(&source);
            let exists = match source.strip_prefix("./") {
                Some(file) => deploy(file).exists(),
                None => compose["volumes"].get(source).is_some(),
            };
            assert!(exists || is_optional, "{name} mounts {source}");
        }
        for network in texts(service.get("networks")) {
            assert!(compose["networks"].get(network).is_some(), "{name}: {network}");
        }
        for (other, condition) in service["depends_on"].as_object().into_iter().flatten() {
            let other = &compose["services"][other];
            match condition["condition"].as_str().unwrap() {
                "service_healthy" => assert!(!other["healthcheck"].is_null(), "{name}"),
                "service_completed_successfully" => assert_eq!(other["restart"], "no", "{name}"),
                condition => panic!("{name}: {condition}"),
            }
        }
    }
    assert_eq!(compose["networks"]["inside"]["internal"], true);
    for inner in ["postgres", "rabbitmq", "prometheus"] {
        assert_eq!(texts(compose["services"][inner].get("networks")), ["inside"]);
    }
}
