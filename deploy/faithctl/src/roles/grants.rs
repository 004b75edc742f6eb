//! The rights that `deploy/roles.sql` gives, read from the file itself: what a later version adds there is known here.

use super::ROLES;

/// What a right is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Table,
    Function,
    Sequence,
    Schema,
    /// The one that the roles are in, whatever it is called.
    Database,
}

impl Kind {
    /// The kind's name.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Function => "function",
            Self::Sequence => "sequence",
            Self::Schema => "schema",
            Self::Database => "database",
        }
    }

    /// The kind that a `GRANT … ON` names, and the objects after it.
    fn of(objects: &str) -> (Self, &str) {
        [
            ("FUNCTION ", Self::Function),
            ("SEQUENCE ", Self::Sequence),
            ("SCHEMA ", Self::Schema),
            ("DATABASE ", Self::Database),
        ]
        .into_iter()
        .find_map(|(word, kind)| Some((kind, objects.strip_prefix(word)?)))
        .unwrap_or((Self::Table, objects))
    }
}

/// A right of a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Right {
    pub(crate) role: String,
    pub(crate) privilege: String,
    pub(crate) kind: Kind,
    /// A table's name, a function's with its arguments.
    pub(crate) object: String,
    /// Of a table; none is all of it.
    pub(crate) column: Option<String>,
}

impl Right {
    /// Whether both are the same, but for the column.
    pub(crate) fn is_beside(&self, other: &Self) -> bool {
        (&self.role, &self.privilege, self.kind, &self.object)
            == (&other.role, &other.privilege, other.kind, &other.object)
    }
}

/// Every right that the file gives by the name of what it is on.
pub(crate) fn granted() -> Vec<Right> {
    grants().iter().filter_map(|grant| rights(grant)).flatten().collect()
}

/// `SELECT (id, name), DELETE ON members TO faith_worker`: each grant of the file, without its first word.
fn grants() -> Vec<String> {
    let lines = ROLES.lines().map(|line| line.split_once("--").map_or(line, |(code, _)| code));
    let words: Vec<&str> = lines.flat_map(str::split_whitespace).collect();
    let text = words.join(" ");
    // A grant within a string ends with that.
    let grants = text.split("GRANT ").skip(1);
    grants.filter_map(|grant| grant.split([';', '\'']).next()).map(ToOwned::to_owned).collect()
}

/// None where it cannot be read, which a test rules out.
fn rights(grant: &str) -> Option<Vec<Right>> {
    let (privileges, rest) = grant.split_once(" ON ")?;
    let (objects, roles) = rest.split_once(" TO ")?;
    // Whatever tables there were when the file was applied: a table that came later, perhaps from elsewhere, is no fault.
    if objects.starts_with("ALL TABLES ") {
        return Some(Vec::new());
    }
    let (kind, objects) = Kind::of(objects);
    let mut rights = Vec::new();
    for role in roles.split(',').map(str::trim) {
        for object in parts(objects) {
            for (privilege, columns) in parts(privileges).map(privilege_and_columns) {
                rights.extend(columns.into_iter().map(|column| Right {
                    role: role.to_owned(),
                    privilege: privilege.to_owned(),
                    kind,
                    object: object.to_owned(),
                    column: column.map(ToOwned::to_owned),
                }));
            }
        }
    }
    Some(rights)
}

/// Splits a list at its commas outside of parentheses.
fn parts(list: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_u32;
    let at_comma = move |letter: char| {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        letter == ',' && depth == 0
    };
    list.split(at_comma).map(str::trim)
}

/// `SELECT (id, name)` is a right on each of the columns, `SELECT` one on the table.
fn privilege_and_columns(privilege: &str) -> (&str, Vec<Option<&str>>) {
    match privilege.split_once(" (") {
        Some((name, columns)) => (
            name,
            columns.trim_end_matches(')').split(',').map(|column| Some(column.trim())).collect(),
        ),
        None => (privilege, vec![None]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_grant_of_the_file_is_read() {
        assert!(grants().len() > 20, "{:#?}", grants());
        for grant in grants() {
            let is_read = rights(&grant).is_some_and(|rights| {
                !rights.is_empty()
                    || grant.contains(" ON ALL TABLES IN SCHEMA public TO faith_admin")
            });
            assert!(is_read, "{grant}");
        }
        for right in granted() {
            assert!(super::super::NAMES.contains(&right.role.as_str()), "{right:?}");
            assert!(right.privilege.chars().all(|letter| letter.is_ascii_uppercase()), "{right:?}");
        }
    }

    #[test]
    fn columns_and_arguments_are_told_from_lists() {
        let read = |grant| -> Vec<String> {
            let rights = rights(grant).unwrap_or_default();
            let word = |right: &Right| {
                let Right { role, privilege, object, column, .. } = right;
                format!("{role} {privilege} {object} {}", column.as_deref().unwrap_or("-"))
            };
            rights.iter().map(word).collect()
        };
        assert_eq!(
            read("SELECT (a, b), DELETE ON t TO r"),
            ["r SELECT t a", "r SELECT t b", "r DELETE t -"]
        );
        assert_eq!(read("SELECT ON t, u TO r"), ["r SELECT t -", "r SELECT u -"]);
        assert_eq!(
            read("EXECUTE ON FUNCTION f(uuid, bigint) TO r, s"),
            ["r EXECUTE f(uuid, bigint) -", "s EXECUTE f(uuid, bigint) -"]
        );
        assert_eq!(
            rights("TEMPORARY ON DATABASE %I TO r").map(|rights| rights[0].kind),
            Some(Kind::Database)
        );
    }
}
