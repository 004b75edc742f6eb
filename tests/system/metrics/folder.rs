//! The files of `deploy/`.

use std::path::{Path, PathBuf};

/// A path in `deploy/`.
pub(crate) fn deploy(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(path)
}

/// The files of a folder in `deploy/` with this ending, by name, and what is in them.
pub(crate) fn files(folder: &str, ending: &str) -> Vec<(String, String)> {
    let mut files: Vec<_> = std::fs::read_dir(deploy(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == ending))
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect();
    files.sort();
    assert!(!files.is_empty(), "deploy/{folder} has no .{ending}");
    files
}
