//! What the documented commands need, in a file to read into a shell.

use std::{
    fmt::Write,
    path::{Path, PathBuf},
};

use anyhow::Context;
use support::program::binary;

use super::product::Product;

/// The variables that `faithctl` reads.
const VARIABLES: [&str; 6] = [
    "DATABASE_URL",
    "AMQP_URL",
    "SECRETS_KEY",
    "SECRETS_KEY_FILE",
    "CORE_URLS_ALLOW",
    "PUBLIC_URL",
];

/// Writes the operator's environment: `faithctl` and the other programs by their names, `faithctl`'s
/// settings, and `reconciler` under its own role.
pub(super) fn write_environment(product: &Product) -> anyhow::Result<PathBuf> {
    let faithctl = binary("faithctl")?;
    let programs = faithctl.parent().unwrap_or(Path::new("."));
    let settings = product.settings_of("faithctl")?;
    let reconciler = product.settings_of("reconciler")?;
    let mut text = format!("export PATH={}:\"$PATH\"\n", quoted(&programs.display().to_string()));
    for name in VARIABLES {
        if let Some(value) = settings.get(name) {
            writeln!(text, "export {name}={}", quoted(value)).context("cannot write to a text")?;
        }
    }
    let url = reconciler.get("DATABASE_URL").map_or_else(String::new, |url| quoted(url));
    let reconciler = format!("reconciler() {{ DATABASE_URL={url} command reconciler \"$@\"; }}\n");
    product.folder.write("operator.env", &(text + &reconciler))
}

/// As a shell takes it for one word.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_shell_reads_what_was_meant() {
        let value = r#"it's "$HOME" \"#;
        let shell = std::process::Command::new("sh")
            .args(["-c", &format!("printf %s {}", quoted(value))])
            .output()
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&shell.stdout), value);
    }
}
