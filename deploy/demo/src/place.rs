//! Where `deploy/up` keeps its data.

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    io,
    path::{Path, PathBuf},
};

use anyhow::Context;
use support::{
    program::workspace,
    servers::{DataFolder, is_reachable_for_servers},
};

use super::Arguments;

/// The folder that was asked for, or the usual one of this checkout.
pub(super) fn data_folder(arguments: &Arguments) -> anyhow::Result<DataFolder> {
    let path = arguments.data.clone().unwrap_or_else(|| usual(workspace()));
    let folder = DataFolder::persistent(&path).context("cannot use the data folder")?;
    set_logs_aside(folder.path()).context("cannot set the logs of the last run aside")?;
    Ok(folder)
}

/// The logs tell of one run; those of the run before are kept as `.log.old`.
fn set_logs_aside(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "log") {
            fs::rename(&path, path.with_added_extension("old"))?;
        }
    }
    Ok(())
}

/// `.data` in the checkout; below `/var/lib` for a checkout that PostgreSQL, which does not run as
/// root, cannot reach, as under `/root`.
fn usual(checkout: &Path) -> PathBuf {
    if is_reachable_for_servers(checkout) {
        return checkout.join(".data");
    }
    let mut hasher = DefaultHasher::new();
    fs::canonicalize(checkout).unwrap_or_else(|_| checkout.to_owned()).hash(&mut hasher);
    PathBuf::from(format!("/var/lib/faithtracker-up/{:016x}", hasher.finish()))
}
