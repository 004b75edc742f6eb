//! What a command is given beside plain words: causes, addresses, files, and secrets, which never come as
//! arguments: every user of the machine can see those.

use std::{
    io::{IsTerminal, Read},
    path::Path,
};

use anyhow::Context;
use campus::Secret;
use clap::builder::{PossibleValue, PossibleValuesParser};
use retry::Cause;
use serde_json::Value;
use url::Url;

use crate::failure::{UsageError, say};

/// No secret, and no file of rules, is longer.
const LONGEST: u64 = 1024 * 1024;

/// Reads a cause of dead letters.
pub(crate) fn causes() -> PossibleValuesParser {
    PossibleValuesParser::new(Cause::ALL.map(|cause| PossibleValue::new(cause.as_str())))
}

/// Reads a secret from stdin: everything but the newline that ends it. On a terminal, one line.
pub(crate) async fn secret_from_stdin(what: &'static str) -> anyhow::Result<Secret> {
    let text = blocking(move || {
        if std::io::stdin().is_terminal() {
            say(&format!(
                "Type the {what} and press Enter (it shows; a pipe would keep it hidden):"
            ));
            let mut line = String::new();
            std::io::stdin().read_line(&mut line).map(|_| line)
        } else {
            let mut text = String::new();
            std::io::stdin().take(LONGEST).read_to_string(&mut text).map(|_| text)
        }
    })
    .await
    .with_context(|| format!("cannot read the {what} from stdin"))?;
    secret(&text).ok_or_else(|| UsageError::new(format!("the {what} on stdin is empty")).into())
}

/// Reads a secret from a file, the same way.
pub(crate) fn secret_from_file(what: &str, file: &Path) -> anyhow::Result<Secret> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("cannot read the {what} from {}", file.display()))?;
    secret(&text).ok_or_else(|| {
        UsageError::new(format!("there is no {what} in {}: the file is empty", file.display()))
            .into()
    })
}

/// Reads JSON from a file, or from stdin where it is named `-`.
pub(crate) async fn json_from(file: &Path) -> anyhow::Result<Value> {
    let name = if file == Path::new("-") { "stdin".to_owned() } else { file.display().to_string() };
    let path = file.to_owned();
    let text = blocking(move || {
        if path == Path::new("-") {
            let mut text = String::new();
            std::io::stdin().take(LONGEST).read_to_string(&mut text).map(|_| text)
        } else {
            std::fs::read_to_string(path)
        }
    })
    .await
    .with_context(|| format!("cannot read {name}"))?;
    serde_json::from_str(&text)
        .map_err(|error| UsageError::new(format!("{name} is not JSON: {error}")).into())
}

/// An address of the web, from the command line.
pub(crate) fn web_address(value: &str) -> Result<Url, String> {
    Url::parse(value)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        .ok_or_else(|| "expected an address such as https://faithtracker.example.org".to_owned())
}

/// On a thread of its own, so that a signal can interrupt the wait.
pub(crate) async fn blocking<T: Send + 'static>(
    read: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> std::io::Result<T> {
    tokio::task::spawn_blocking(read).await.map_err(std::io::Error::other)?
}

/// The text without the newline that `echo` and editors put at its end; none where nothing is left.
fn secret(text: &str) -> Option<Secret> {
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    (!text.is_empty()).then(|| Secret::new(text))
}

/// Text that says something and that Postgres can hold.
pub(crate) fn note(value: &str) -> Result<String, String> {
    let value = value.trim();
    if value.is_empty() || value.contains(char::is_control) {
        return Err("expected text that is not blank".to_owned());
    }
    Ok(value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_newline_at_the_end_is_no_part_of_a_secret() {
        let read = |text| secret(text).map(|secret| secret.expose().to_owned());
        assert_eq!(read("pass word \n").as_deref(), Some("pass word "));
        assert_eq!(read("päss\r\n").as_deref(), Some("päss"));
        assert_eq!(read("two\nlines\n").as_deref(), Some("two\nlines"));
        assert_eq!((read(""), read("\n")), (None, None));
    }
}
