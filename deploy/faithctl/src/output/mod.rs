//! What goes to stdout: a table or a sheet for people, JSON for programs.

mod sheet;
mod table;

use std::io::{ErrorKind, IsTerminal, Write};

use runtime::text::is_deceptive;
use serde::Serialize;

pub(crate) use sheet::Sheet;
pub(crate) use table::{Column, table};

/// Writes one line.
pub(crate) fn line(text: &str) -> anyhow::Result<()> {
    write(&format!("{text}\n"))
}

/// Writes a listing: a table, or an array of objects.
pub(crate) fn listing<T: Serialize>(
    rows: &[T],
    columns: &[Column<T>],
    json: bool,
) -> anyhow::Result<()> {
    if json {
        return object(&rows);
    }
    if rows.is_empty() {
        return Ok(());
    }
    line(&table(rows, columns, width()))
}

/// Writes a value as JSON.
pub(crate) fn object(value: &impl Serialize) -> anyhow::Result<()> {
    line(&serde_json::to_string_pretty(value)?)
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

fn write(text: &str) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        // The reader has seen enough: `faithctl … | head`.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => Ok(result?),
    }
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn nothing_from_outside_moves_the_cursor() {
        assert_eq!(printable("Đặng 李"), "Đặng 李");
        assert_eq!(printable("a\u{1b}[2Jb\nc"), "a\\u{1b}[2Jb\\nc");
        assert_eq!(printable("a\u{202e}b\u{200b}"), "a\\u{202e}b\\u{200b}");
    }
}
