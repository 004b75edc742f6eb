//! What holds for the sources themselves: no file imports in a circle, and whatever a comment cites exists.

mod citations;
mod imports;

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The folder of the workspace.
fn root() -> PathBuf {
    let mut folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    while !folder.join("Cargo.lock").exists() {
        folder = folder.parent().unwrap();
    }
    folder.to_owned()
}

/// All files below, with one of these extensions, except what a build or a run leaves there.
fn files_in(folder: &Path, extensions: &[&str]) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_str().unwrap();
        if path.is_dir() {
            if !name.starts_with('.') && !["target", "node_modules", "secrets"].contains(&name) {
                files.extend(files_in(&path, extensions));
            }
        } else if extensions
            .iter()
            .any(|extension| path.extension().is_some_and(|e| e == *extension))
        {
            files.push(path);
        }
    }
    files
}

/// Every folder with a manifest.
fn crates() -> Vec<PathBuf> {
    let manifests =
        files_in(&root(), &["toml"]).into_iter().filter(|file| file.ends_with("Cargo.toml"));
    manifests.map(|manifest| manifest.parent().unwrap().to_owned()).collect()
}
