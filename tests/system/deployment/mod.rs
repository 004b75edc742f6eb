//! The files of `deploy/`, as far as they can be checked without containers and a cluster: that they can be
//! read, agree with each other and with the code, and hold no secret.

mod compose;
mod figures;
mod files;
mod kubernetes;
mod network_policies;
mod schema;
mod systemd;
mod upgrade;

use std::{
    fs,
    path::{Path, PathBuf},
};

use runtime::{Variable, variables};
use serde_json::Value;

/// A file or folder of `deploy/`.
fn deploy(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(name)
}

/// The text of a file of `deploy/`.
fn text(name: &str) -> String {
    let path = deploy(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The documents of a YAML file of `deploy/`.
fn yaml(name: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(&text(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// What is at a path such as `spec/template/spec`; fails where nothing is.
#[track_caller]
fn at<'a>(value: &'a Value, path: &str) -> &'a Value {
    let found = value.pointer(&format!("/{path}"));
    found.unwrap_or_else(|| panic!("no {path} in {value}"))
}

/// The texts of an array, or of nothing where there is none.
fn texts(value: Option<&Value>) -> Vec<&str> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

/// The variable of this name; fails for one that no program reads.
#[track_caller]
fn variable(name: &str) -> Variable {
    let found = variables::ALL.iter().find(|variable| variable.name == name);
    *found.unwrap_or_else(|| panic!("no program reads {name}"))
}

/// The variable of a program's admin port.
fn admin_listen(program: &str) -> Variable {
    variable(&format!("{}_ADMIN_LISTEN", program.to_uppercase()))
}

/// A program's admin port where nobody sets another.
fn admin_port(program: &str) -> u64 {
    port(admin_listen(program).default.unwrap())
}

/// The port of an address.
#[track_caller]
fn port(address: &str) -> u64 {
    address.rsplit(':').next().unwrap().parse().unwrap()
}

/// The text has these parts, one after the other.
#[track_caller]
fn assert_in_order(text: &str, parts: &[&str]) {
    let mut rest = text;
    for part in parts {
        rest = rest.split_once(part).unwrap_or_else(|| panic!("{part} is missing, or too early")).1;
    }
}
