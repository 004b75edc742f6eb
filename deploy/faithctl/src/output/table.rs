//! Listings for people: aligned columns headed by their names, no frame. On a terminal too narrow
//! for one line a row, some columns move under others; into a pipe, a row is always one line.

use comfy_table::{ColumnConstraint, ContentArrangement, LineStyle, Table, Width, presets};

use super::printable;

/// Spaces between columns.
const GAP: u16 = 2;
/// A sentence is not broken into a narrower column than this.
const NARROWEST: u16 = 10;
/// The length of a UUID: no longer word keeps a column wide.
const ID: usize = 36;

/// A column of a listing.
pub(crate) struct Column<T> {
    name: &'static str,
    text: fn(&T) -> String,
    under: Option<&'static str>,
    is_for_wide: bool,
}

impl<T> Column<T> {
    /// A column, and how a row's text is made.
    pub(crate) fn new(name: &'static str, text: fn(&T) -> String) -> Self {
        Self { name, text, under: None, is_for_wide: false }
    }

    /// A column that moves under the one named `other` where the window has no room for both.
    pub(crate) fn under(other: &'static str, name: &'static str, text: fn(&T) -> String) -> Self {
        Self { under: Some(other), ..Self::new(name, text) }
    }

    /// A column that is shown where everything is asked for, and not otherwise.
    pub(crate) fn wide(name: &'static str, text: fn(&T) -> String) -> Self {
        Self { is_for_wide: true, ..Self::new(name, text) }
    }

    /// Whether it is shown where everything is asked for alone.
    pub(super) fn is_for_wide(&self) -> bool {
        self.is_for_wide
    }

    fn texts(&self, rows: &[T]) -> Texts {
        let rows = rows.iter().map(|row| printable(&(self.text)(row)));
        let lines = std::iter::once(self.name.to_owned()).chain(rows).collect();
        Texts { name: self.name, under: self.under, lines }
    }
}

/// A column's texts, the header first.
struct Texts {
    name: &'static str,
    under: Option<&'static str>,
    lines: Vec<String>,
}

impl Texts {
    fn width(&self) -> u16 {
        let lines = self.lines.iter().flat_map(|text| text.lines());
        let longest = lines.map(|text| text.chars().count()).max().unwrap_or(0);
        u16::try_from(longest).unwrap_or(u16::MAX)
    }

    /// Ids and words are copied with the mouse and stay whole; sentences may be broken between words.
    fn constraint(&self) -> ColumnConstraint {
        if self.lines.iter().any(|text| text.contains(' ')) {
            let words = self.lines.iter().flat_map(|text| text.split_whitespace());
            let longest = words.map(|word| word.chars().count()).max().unwrap_or(0);
            let longest = u16::try_from(longest.min(ID)).unwrap_or(NARROWEST);
            // The column's width has the space behind it.
            let least = self.width().min(NARROWEST).max(longest) + GAP - 1;
            ColumnConstraint::LowerBoundary(Width::Fixed(least))
        } else {
            ColumnConstraint::ContentWidth
        }
    }

    /// A line of nothing after each row but the last, where a row has several lines.
    fn part_rows(&mut self) {
        let rows = self.lines.len();
        for text in self.lines.iter_mut().take(rows.saturating_sub(1)).skip(1) {
            text.push_str("\n ");
        }
    }

    /// Puts another column's texts under this one's.
    fn stack(&mut self, other: &Self) {
        for (text, under) in self.lines.iter_mut().zip(&other.lines) {
            *text = format!("{text}\n{under}");
        }
    }
}

/// The listing as text, to fit a window of `width` columns, or a pipe where there is none.
pub(crate) fn table<'a, T: 'a>(
    rows: &[T],
    columns: impl IntoIterator<Item = &'a Column<T>>,
    width: Option<u16>,
) -> String {
    let columns: Vec<Texts> = columns.into_iter().map(|column| column.texts(rows)).collect();
    let natural = columns
        .iter()
        .fold(0, |sum: u16, column| sum.saturating_add(column.width()).saturating_add(GAP));
    match width {
        Some(width) if natural > width => {
            let mut columns = stacked(columns);
            let is_stacked =
                columns.iter().flat_map(|column| &column.lines).any(|text| text.contains('\n'));
            if let Some(first) = columns.first_mut().filter(|_| is_stacked) {
                first.part_rows();
            }
            drawn(&columns, Some(width))
        }
        _ => drawn(&columns, width),
    }
}

fn stacked(columns: Vec<Texts>) -> Vec<Texts> {
    let mut stacked: Vec<Texts> = Vec::with_capacity(columns.len());
    for column in columns {
        match stacked.iter_mut().find(|other| Some(other.name) == column.under) {
            Some(other) => other.stack(&column),
            None => stacked.push(column),
        }
    }
    stacked
}

/// Wraps what has room for less than it has text; in a pipe, nothing.
fn drawn(columns: &[Texts], width: Option<u16>) -> String {
    let mut table = Table::new();
    // On a terminal, a rule below the header; its junctions are a space between columns.
    let (style, padding) = match width {
        Some(_) => {
            let rule = LineStyle::none().fill('─').junction('─');
            (presets::NOTHING.header_separator(rule), GAP - 1)
        }
        None => (presets::NOTHING, GAP),
    };
    table.load_style(style);
    let rows = columns.iter().map(|column| column.lines.len()).max().unwrap_or(0);
    let row = |index: usize| columns.iter().map(move |column| column.lines[index].as_str());
    table.set_header(row(0));
    table.add_rows((1..rows).map(row));
    for (column, texts) in table.column_iter_mut().zip(columns) {
        column.set_padding((0, padding));
        if width.is_some() {
            column.set_constraint(texts.constraint());
        }
    }
    if let Some(width) = width {
        table.set_width(width).set_content_arrangement(ContentArrangement::Dynamic);
    }
    table.trim_fmt()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Row = [&'static str; 3];

    fn columns() -> [Column<Row>; 3] {
        [
            Column::new("event_type", |row| row[0].to_owned()),
            Column::under("event_type", "event_id", |row| row[1].to_owned()),
            Column::new("message", |row| row[2].to_owned()),
        ]
    }

    const ROWS: [Row; 2] = [
        [
            "member.updated",
            "3880a17d-f858-4622-87c2-96eaa7b25c83",
            "Member updated: SUMARNI NINGSIH",
        ],
        ["test", "e-1", "-"],
    ];

    #[test]
    fn in_a_pipe_a_row_is_a_line() {
        let text = table(&ROWS, &columns(), None);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert!(lines[0].starts_with("event_type      event_id"), "{text}");
        assert!(lines[2].starts_with("test            e-1  "), "{text}");
    }

    #[test]
    fn a_narrow_window_stacks_columns_and_keeps_ids_whole() {
        let text = table(&ROWS, &columns(), Some(60));
        assert!(text.lines().all(|line| line.chars().count() <= 60), "{text}");
        assert!(text.contains("3880a17d-f858-4622-87c2-96eaa7b25c83"), "{text}");
        assert!(text.lines().nth(1).unwrap().starts_with("event_id"), "{text}");
    }

    #[test]
    fn ids_stay_whole_beside_sentences_that_share_their_column() {
        let columns = [
            Column::new("started", |_: &Row| "2026-11-20 01:40:03Z".to_owned()),
            Column::new("event_id", |row| row[1].to_owned()),
            Column::under("event_id", "campus", |_| "GKBJ Kebon Jeruk dan sekitarnya".to_owned()),
            Column::new("message", |row| row[2].to_owned()),
        ];
        let text = table(&ROWS, &columns, Some(80));
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert!(text.contains("3880a17d-f858-4622-87c2-96eaa7b25c83"), "{text}");
        // Rows of several lines are parted, so that it is seen what belongs together.
        assert!(text.lines().any(|line| line.trim().is_empty()), "{text}");
    }
}
