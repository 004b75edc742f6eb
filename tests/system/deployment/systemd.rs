//! `deploy/systemd/`.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

use support::servers::DataFolder;

use super::{admin_port, deploy, port, text, variable};

const UNITS: [(&str, &str); 4] = [
    ("faithtracker-gateway.service", "gateway"),
    ("faithtracker-worker@.service", "worker"),
    ("faithtracker-reconciler.service", "reconciler"),
    ("faithtracker-migrate.service", "faithctl"),
];

/// The values of a unit's setting, in order.
fn values<'a>(unit: &'a str, setting: &str) -> Vec<&'a str> {
    unit.lines().filter_map(|line| line.strip_prefix(setting)?.strip_prefix('=')).collect()
}

#[test]
fn every_unit_hands_secrets_over_as_credentials_and_drains() {
    for (file, program) in UNITS {
        let unit = text(&format!("systemd/{file}"));
        let command = values(&unit, "ExecStart")[0];
        assert!(command.starts_with(&format!("/usr/local/bin/{program}")), "{file}: {command}");
        let credentials: Vec<&str> = values(&unit, "LoadCredential")
            .into_iter()
            .map(|credential| credential.split(':').next().unwrap())
            .collect();
        for setting in values(&unit, "Environment") {
            let (name, value) = setting.split_once('=').unwrap();
            variable(name);
            if let Some(credential) = value.strip_prefix("%d/") {
                assert!(credentials.contains(&credential), "{file}: {setting}");
            }
        }
        if program == "faithctl" {
            continue;
        }
        let seconds: u32 = values(&unit, "TimeoutStopSec")[0].parse().unwrap();
        assert!(seconds > 25, "{file}: the drain takes up to 25 s");
        assert_eq!(values(&unit, "Type"), ["exec"], "{file}");
        // A bad setting is not cured by starting again.
        assert_eq!(values(&unit, "RestartPreventExitStatus"), ["2"], "{file}");
    }
}

#[test]
fn workers_of_one_machine_have_ports_of_their_own() {
    let unit = text("systemd/faithtracker-worker@.service");
    let listen = values(&unit, "Environment")
        .into_iter()
        .find_map(|setting| setting.strip_prefix("WORKER_ADMIN_LISTEN="))
        .unwrap();
    let ports: Vec<u64> = ["01", "02", "99"].map(|i| port(&listen.replace("%i", i))).into();
    assert_eq!(ports, [9201, 9202, 9299]);
    for program in ["gateway", "worker", "reconciler"] {
        assert!(!ports.contains(&admin_port(program)));
    }
}

#[test]
fn every_file_that_a_unit_reads_is_made_but_the_owners() {
    let folder = DataFolder::temporary().unwrap();
    let made = || {
        let output =
            Command::new(deploy("systemd/secrets-new")).arg(folder.path()).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(
        made().contains("owner.database-url: postgres://OWNER:PASSWORD@127.0.0.1/faithtracker")
    );
    let key = fs::read(folder.join("secrets-key")).unwrap();
    for (file, _) in UNITS {
        for credential in values(&text(&format!("systemd/{file}")), "LoadCredential") {
            let path = credential.split_once(":/etc/faithtracker/").unwrap().1;
            let file = folder.join(path);
            assert_eq!(file.exists(), path != "owner.database-url", "{path}");
            if file.exists() {
                assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o077, 0, "{path}");
            }
        }
    }
    fs::write(folder.join("owner.database-url"), "postgres://owner@127.0.0.1/faithtracker")
        .unwrap();
    assert_eq!(made(), "");
    assert_eq!(fs::read(folder.join("secrets-key")).unwrap(), key, "what is there stays");

    // Whoever operates it finds the URLs.
    fs::write(folder.join("settings"), "PUBLIC_URL=https://sync.example.org\n").unwrap();
    let shown = folder.join("faithctl-shown");
    fs::write(&shown, "#!/bin/sh\necho \"$1 $PUBLIC_URL $(cat \"$DATABASE_URL_FILE\")\"\n")
        .unwrap();
    let programs = folder.join("bin");
    fs::create_dir(&programs).unwrap();
    fs::rename(&shown, programs.join("faithctl")).unwrap();
    fs::set_permissions(programs.join("faithctl"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::copy(programs.join("faithctl"), programs.join("reconciler")).unwrap();
    std::os::unix::fs::symlink(deploy("systemd/faithctl-here"), folder.join("reconciler-here"))
        .unwrap();
    for (command, argument, role) in [
        (deploy("systemd/faithctl-here"), "doctor", "faith_admin"),
        (folder.join("reconciler-here"), "--once", "faith_reconciler"),
    ] {
        let output = Command::new(command)
            .arg(argument)
            .env("FAITHTRACKER_FOLDER", folder.path())
            .env("PATH", format!("{}:/usr/bin:/bin", programs.display()))
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let expected = format!("{argument} https://sync.example.org postgres://{role}:");
        assert!(said.starts_with(&expected), "{said}");
    }
}

/// Every file that somebody must make, or install, is in the instructions.
#[test]
fn the_instructions_name_every_file() {
    let readme = text("systemd/README.md");
    for (file, _) in UNITS {
        let name = file.trim_end_matches(".service").replace('@', "@NN");
        assert!(readme.contains(&format!("| `{name}` |")), "{name}");
        for credential in values(&text(&format!("systemd/{file}")), "LoadCredential") {
            let path = credential.split_once(":/etc/faithtracker/").unwrap().1;
            assert!(readme.contains(&format!("`{path}`")), "{path}");
        }
    }
}

/// The public port stays open while a gateway is restarted, alone or with all the others.
#[test]
fn the_gateways_port_outlives_it() {
    let socket = text("systemd/faithtracker-gateway.socket");
    let default = variable("GATEWAY_LISTEN").default.unwrap();
    assert_eq!(values(&socket, "ListenStream"), [default]);
    assert!(values(&socket, "PartOf").is_empty(), "a restart of the target would close it");
    assert_eq!(values(&socket, "StopPropagatedFrom"), ["faithtracker.target"]);
    let gateway = text("systemd/faithtracker-gateway.service");
    assert_eq!(values(&gateway, "Sockets"), ["faithtracker-gateway.socket"]);

    // From a version whose gateway bound the port: nobody else may have it when systemd takes it.
    let upgrade = text("upgrade.md");
    let steps = [
        "deploy/systemd/faithtracker* /etc/systemd/system/\n",
        "deploy/systemd/secrets-new ",
        "systemctl stop faithtracker-gateway ",
        "systemctl enable --now faithtracker-gateway.socket\n",
        "systemctl start faithtracker-gateway\n",
        "reconciler-here --once --all ",
    ];
    super::assert_in_order(&upgrade, &steps);
}

/// Runs `systemd-analyze`; none where there is none.
fn analyze(arguments: &[&str]) -> Option<String> {
    let output = Command::new("systemd-analyze").args(arguments).output().ok()?;
    let said = [output.stdout, output.stderr].concat();
    Some(String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn systemd_finds_no_fault_and_little_exposure() {
    // systemd looks for the programs too, so it gets a root in which they are.
    let root = DataFolder::temporary().unwrap();
    let units = root.join("etc/systemd/system");
    fs::create_dir_all(&units).unwrap();
    fs::create_dir_all(root.join("usr/local/bin")).unwrap();
    for (file, program) in UNITS {
        let name = file.replace('@', "@01");
        fs::copy(deploy(&format!("systemd/{file}")), units.join(&name)).unwrap();
        let path = root.join(&format!("usr/local/bin/{program}"));
        fs::write(&path, "#!/bin/sh\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    for other in ["faithtracker.target", "faithtracker-gateway.socket"] {
        fs::copy(deploy("systemd").join(other), units.join(other)).unwrap();
    }
    let system = Path::new("/lib/systemd/system");
    let places = format!("{}:{}", units.display(), system.display());
    for (file, _) in UNITS {
        let unit = units.join(file.replace('@', "@01"));
        let unit = unit.to_str().unwrap();
        let root = format!("--root={}", root.path().display());
        // Units of the system itself are not in this root: only what is said of ours counts.
        let Some(said) = analyze(&["verify", &root, unit]) else { return };
        let ours: Vec<&str> = said
            .lines()
            .filter(|line| line.contains("faithtracker") && !line.contains("Failed to create"))
            .collect();
        assert!(ours.is_empty(), "{ours:#?} ({places})");
        let said = analyze(&["security", "--offline=true", unit]).unwrap();
        let exposure = said.lines().last().and_then(|line| line.rsplit(": ").next()).unwrap();
        let Some(exposure) = exposure.split(' ').next().and_then(|text| text.parse::<f64>().ok())
        else {
            return; // a systemd too old for --offline
        };
        assert!(exposure <= 1.5, "{file}: {exposure}");
    }
}
