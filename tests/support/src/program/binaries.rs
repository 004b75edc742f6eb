//! Where the programs are that were built along with the running one.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, bail};

/// Set to anything by those who have built all binaries already, for the many test processes.
const ALREADY_BUILT: &str = "TEST_BINARIES_ARE_BUILT";

/// The path of a program of the workspace, of the same build profile as this one.
pub fn binary(name: &str) -> anyhow::Result<PathBuf> {
    let path = folder()?.join(name);
    if !path.is_file() {
        bail!("{} is not built: cargo build --workspace --bins", path.display());
    }
    Ok(path)
}

/// The programs that tests, benches and chaos runs start.
const PROGRAMS: [&str; 7] =
    ["gateway", "worker", "reconciler", "console", "faithctl", "private-servers", "core-sim"];

/// Builds these programs, unless `TEST_BINARIES_ARE_BUILT` is set: cargo builds for `cargo test` only
/// those of the package under test, and an old worker under a new test is a long search.
pub fn build_binaries() -> anyhow::Result<()> {
    if std::env::var_os(ALREADY_BUILT).is_some() {
        return Ok(());
    }
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(["build", "--workspace", "--quiet"])
        .args(PROGRAMS.iter().flat_map(|program| ["--bin", program]))
        .current_dir(workspace())
        .stdin(Stdio::null());
    if folder()?.file_name().is_some_and(|profile| profile == "release") {
        cargo.arg("--release");
    }
    let output = cargo.output().context("cannot run cargo")?;
    if !output.status.success() {
        bail!("the programs do not build:\n{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

/// The root of the checkout that this was built from.
pub fn workspace() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().nth(2).unwrap_or(package)
}

/// `target/debug` or `target/release`: where this program is, or two up when it is a test.
fn folder() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe().context("cannot tell where this program is")?;
    let folder = program.parent().unwrap_or(&program);
    let folder = if folder.ends_with("deps") { folder.parent().unwrap_or(folder) } else { folder };
    Ok(folder.to_owned())
}
