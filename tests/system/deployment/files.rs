//! What holds for every file.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::{deploy, text};

/// Everything in `deploy/` but code, and what `secrets-new` makes.
fn all_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            if !["faithctl", "secrets"].contains(&entry.file_name().to_str().unwrap()) {
                files.extend(all_files(&path));
            }
        } else {
            files.push(path);
        }
    }
    files
}

#[test]
fn every_yaml_and_json_file_can_be_read() {
    for path in all_files(&deploy("")) {
        let read = || fs::read_to_string(&path).unwrap();
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("yaml" | "yml") => {
                serde_saphyr::from_multiple::<serde_json::Value>(&read())
                    .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            }
            Some("json") => {
                serde_json::from_str::<serde_json::Value>(&read())
                    .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            }
            _ => {}
        }
    }
}

#[test]
fn no_file_holds_a_password() {
    for path in all_files(&deploy("")) {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        for (number, line) in text.lines().enumerate() {
            let place = || format!("{}:{}: {line}", path.display(), number + 1);
            // postgres://user:…@, amqps://user:%s@ and the like name no password.
            for scheme in ["postgres://", "amqp://", "amqps://"] {
                for url in line.split(scheme).skip(1) {
                    let Some((credentials, _)) = url.split_once('@') else { continue };
                    let Some((_, password)) = credentials.split_once(':') else { continue };
                    let is_placeholder = ["…", "%s", "&", "$", "password", "PASSWORD", "pass"]
                        .iter()
                        .any(|placeholder| password.starts_with(placeholder));
                    assert!(is_placeholder, "{}", place());
                }
            }
            assert!(!line.contains("PRIVATE KEY"), "{}", place());
            assert!(!line.contains("stringData:"), "{}", place());
        }
    }
}

#[test]
fn scripts_can_be_run_and_parsed() {
    use std::os::unix::fs::PermissionsExt;
    for script in ["up", "test", "secrets-new", "rabbitmq/users"] {
        let mode = fs::metadata(deploy(script)).unwrap().permissions().mode();
        assert_eq!(mode & 0o111, 0o111, "{script}");
        let shell = if text(script).starts_with("#!/bin/sh") { "sh" } else { "bash" };
        assert!(Command::new(shell).arg("-n").arg(deploy(script)).status().unwrap().success());
    }
}

#[test]
fn the_image_has_every_program_no_shell_and_no_root() {
    let dockerfile = text("Dockerfile");
    let last_stage = dockerfile.rsplit("\nFROM ").next().unwrap();
    assert!(last_stage.starts_with("scratch"), "{last_stage}");
    assert!(last_stage.contains("\nUSER 65532:65532\n"));
    for program in ["gateway", "worker", "reconciler", "faithctl"] {
        assert!(dockerfile.contains(&format!("-p {program}")), "{program}");
        assert!(dockerfile.contains(&format!("/target/release/{program}")), "{program}");
    }
    for word in ["--locked", "SOURCE_DATE_EPOCH", "--remap-path-prefix"] {
        assert!(dockerfile.contains(word), "{word}");
    }
    // What is copied is what is built from: a secret beside it never gets near an image.
    let ignored = fs::read_to_string(deploy("../.dockerignore")).unwrap();
    assert!(ignored.lines().any(|line| line == "*"), "nothing, but for the exceptions");
    for kept in ignored.lines().filter_map(|line| line.strip_prefix('!')) {
        assert!(deploy("..").join(kept).exists(), "{kept}");
        assert!(!"deploy/secrets".starts_with(kept), "{kept}");
    }
}

#[test]
fn the_compiler_of_the_image_can_build_the_workspace() {
    let manifest = fs::read_to_string(deploy("../Cargo.toml")).unwrap();
    let version = |line: &str, from: &str| -> Vec<u32> {
        let rest = line.split(from).nth(1).unwrap();
        rest.split(|c: char| !c.is_ascii_digit())
            .take(2)
            .map(|part| part.parse().unwrap())
            .collect()
    };
    let needed = manifest.lines().find(|line| line.starts_with("rust-version")).unwrap();
    let dockerfile = text("Dockerfile");
    let given = dockerfile.lines().find(|line| line.starts_with("ARG RUST=")).unwrap();
    assert!(version(given, "rust:") >= version(needed, "\""), "{given} {needed}");
}

#[test]
fn documents_link_to_what_is_there() {
    let pages = [
        "../README.md",
        "operating.md",
        "reconciliation.md",
        "troubleshooting.md",
        "threat-model.md",
        "upgrade.md",
        "sizing.md",
        "k8s/README.md",
        "systemd/README.md",
    ];
    for page in pages {
        let folder = deploy(page).parent().unwrap().to_owned();
        for link in text(page).split("](").skip(1) {
            let target = link.split([')', '#']).next().unwrap();
            if target.starts_with("http") || target.is_empty() {
                continue;
            }
            assert!(folder.join(target).exists(), "{page} links to {target}");
        }
    }
}

/// The newest FaithFlow takes a webhook's URL neither on port 8080 nor at a private address.
#[test]
fn every_public_address_in_the_documents_is_one_that_the_sender_takes() {
    let mut files = all_files(&deploy(""));
    files.extend([deploy("../README.md"), deploy("../ARCHITECTURE.md"), deploy("../.env.example")]);
    let mut found = 0;
    // What is said to people; code may use the loopback interface.
    files.retain(|path| path.extension().is_none_or(|extension| extension != "rs"));
    for path in files {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        for line in text.lines() {
            let is_public = line.contains("PUBLIC_URL") || line.contains("/sync/webhook");
            for (begin, _) in line.match_indices("http").filter(|_| is_public) {
                let url = &line[begin..];
                let end = url.find(|c: char| c.is_whitespace() || "\"'`\\)".contains(c));
                let Ok(url) = reqwest::Url::parse(&url[..end.unwrap_or(url.len())]) else {
                    continue;
                };
                let place = || format!("{}: {line}", path.display());
                assert!(url.scheme() == "https" && url.port().is_none(), "{}", place());
                assert!(url.domain().is_some_and(|name| name.contains('.')), "{}", place());
                found += 1;
            }
        }
    }
    assert!(found >= 3, "{found}");
}

#[test]
fn the_interface_lists_every_variable() {
    let interface = text("interface.md");
    for line in text("../.env.example").lines() {
        let Some((name, _)) = line.trim_start_matches('#').split_once('=') else { continue };
        let is_name = |letter: char| letter.is_ascii_uppercase() || letter == '_';
        if name.chars().all(is_name) {
            assert!(interface.contains(&format!("`{name}`")), "deploy/interface.md lacks {name}");
        }
    }
}
