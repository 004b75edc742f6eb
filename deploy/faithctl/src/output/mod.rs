//! What goes to stdout: a table or a sheet for people, JSON for programs.

mod format;
mod sheet;
mod table;

use std::io::{ErrorKind, IsTerminal, Write};

use runtime::text::{is_deceptive, push_json_escape};
use serde::Serialize;

pub(crate) use format::Format;
pub(crate) use sheet::Sheet;
pub(crate) use table::{Column, table};

/// Writes one line.
pub(crate) fn line(text: &str) -> anyhow::Result<()> {
    write(&format!("{text}\n")).map(drop)
}

/// Writes a listing: a table, or an array of objects.
pub(crate) fn listing<T: Serialize>(
    rows: &[T],
    columns: &[Column<T>],
    format: Format,
) -> anyhow::Result<()> {
    if format.is_json() {
        return object(&rows);
    }
    if rows.is_empty() {
        return Ok(());
    }
    line(&listing_text(rows, columns, format)?)
}

/// A listing as text, for who shows it again and again: a table, or an array on one line.
pub(crate) fn listing_text<T: Serialize>(
    rows: &[T],
    columns: &[Column<T>],
    format: Format,
) -> anyhow::Result<String> {
    if format.is_json() {
        return object_line(&rows);
    }
    let columns = columns.iter().filter(|column| format.is_wide() || !column.is_for_wide());
    Ok(table(rows, columns, format.width()))
}

/// Writes a value as JSON.
pub(crate) fn object(value: &impl Serialize) -> anyhow::Result<()> {
    line(&undeceptive(serde_json::to_string_pretty(value)?))
}

/// A value as JSON on one line.
pub(crate) fn object_line(value: &impl Serialize) -> anyhow::Result<String> {
    Ok(undeceptive(serde_json::to_string(value)?))
}

/// Writes values as JSON, one a line.
pub(crate) fn object_lines<T: Serialize>(values: &[T]) -> anyhow::Result<()> {
    let lines: Result<Vec<String>, _> = values.iter().map(serde_json::to_string).collect();
    line(&undeceptive(lines?.join("\n")))
}

/// The columns of the terminal on stdout; none where it is no terminal.
pub(crate) fn width() -> Option<u16> {
    terminal_size::terminal_size_of(std::io::stdout()).map(|(width, _)| width.0)
}

/// Whether colours may be used: on a terminal, and where <https://no-color.org> does not forbid it.
pub(crate) fn is_colourful() -> bool {
    std::io::stdout().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Text from outside, without what a terminal would obey, or show otherwise than it is: senders choose
/// event types and names.
pub(crate) fn printable(text: &str) -> String {
    let is_seen = |c: char| !c.is_control() && !is_deceptive(c);
    if text.chars().all(is_seen) {
        return text.to_owned();
    }
    text.chars()
        .map(|c| if is_seen(c) { c.to_string() } else { c.escape_default().to_string() })
        .collect()
}

/// JSON that a terminal shows as it is, and programs read as before: what deceives can only be within
/// strings, and has its escape there.
fn undeceptive(json: String) -> String {
    if !json.contains(is_deceptive) {
        return json;
    }
    let mut escaped = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if is_deceptive(c) {
            push_json_escape(&mut escaped, c);
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// Writes text, and answers whether somebody reads it still.
pub(crate) fn write(text: &str) -> anyhow::Result<bool> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        // The reader has seen enough: `faithctl … | head`.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        result => Ok(result.map(|()| true)?),
    }
}

#[cfg(test)]
mod tests {
    use super::{printable, undeceptive};

    #[test]
    fn nothing_from_outside_moves_the_cursor() {
        assert_eq!(printable("Đặng 李"), "Đặng 李");
        assert_eq!(printable("a\u{1b}[2Jb\nc"), "a\\u{1b}[2Jb\\nc");
        assert_eq!(printable("a\u{202e}b\u{200b}"), "a\\u{202e}b\\u{200b}");
    }

    #[test]
    fn json_means_what_it_meant() {
        let text = "né\u{202e}\u{e0001}\n";
        let json = undeceptive(serde_json::to_string(text).unwrap());
        assert_eq!(json, "\"né\\u202e\\udb40\\udc01\\n\"");
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }
}
