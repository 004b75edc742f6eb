//! Conditions of a statement that differ from one to the next. Only what is asked for is in the statement: so the planner
//! sees which index fits, also where it plans once for all parameters.

use database::types::ToSql;

use super::Place;

/// What a row must fulfil, with the parameters that this takes.
#[derive(Default)]
pub(super) struct Conditions<'a> {
    text: String,
    pub(super) parameters: Vec<&'a (dyn ToSql + Sync)>,
}

impl<'a> Conditions<'a> {
    /// One more, which the next parameter ends: `d.cause =`.
    pub(super) fn and(&mut self, condition: &str, parameter: &'a (dyn ToSql + Sync)) {
        let number = self.parameter(parameter);
        self.and_constant(&format!("{condition} {number}"));
    }

    /// One more where there is something to compare with.
    pub(super) fn and_some<T: ToSql + Sync>(&mut self, condition: &str, parameter: Option<&'a T>) {
        if let Some(parameter) = parameter {
            self.and(condition, parameter);
        }
    }

    /// One more without a parameter.
    pub(super) fn and_constant(&mut self, condition: &str) {
        self.text.push_str(if self.text.is_empty() { "" } else { " AND " });
        self.text.push_str(condition);
    }

    /// Behind a place in a listing that is in descending order of `columns`.
    pub(super) fn and_after(&mut self, columns: &str, place: Option<&'a Place>) {
        if let Some(place) = place {
            let (at, id) = (self.parameter(&place.at), self.parameter(&place.id));
            self.and_constant(&format!("{columns} < ({at}, {id})"));
        }
    }

    /// The name of one more parameter.
    pub(super) fn parameter(&mut self, parameter: &'a (dyn ToSql + Sync)) -> String {
        self.parameters.push(parameter);
        format!("${}", self.parameters.len())
    }

    /// Takes them out: what follows is another part of the statement.
    pub(super) fn take(&mut self) -> String {
        std::mem::take(&mut self.text)
    }

    /// All of them, and `more` where there is any.
    pub(super) fn with(&self, more: &str) -> String {
        match (self.text.as_str(), more) {
            ("", "") => "true".to_owned(),
            (text, "") => text.to_owned(),
            ("", more) => more.to_owned(),
            (text, more) => format!("{text} AND {more}"),
        }
    }
}

/// The first rows in `order`, of these statuses, or of all where there are none. An index that begins with the status has
/// rows in their order for one status at a time: so each gives no more than are shown. `select` makes the statement for a
/// condition more.
pub(super) fn first_of_statuses(
    statuses: &[&str],
    column: &str,
    order: &str,
    limit: &str,
    select: impl Fn(&str) -> String,
) -> String {
    let first = |condition: &str| format!("{} ORDER BY {order} LIMIT {limit}", select(condition));
    let of = |status: &&str| first(&format!("{column} = '{status}'"));
    // One that is named twice is read once.
    let mut named = Vec::with_capacity(statuses.len());
    for status in statuses {
        if !named.contains(status) {
            named.push(*status);
        }
    }
    match named.as_slice() {
        [] => first(""),
        [status] => of(status),
        several => {
            let parts: Vec<String> = several.iter().map(of).collect();
            let parts = parts.join(") UNION ALL (");
            format!("SELECT * FROM (({parts})) AS part ORDER BY {order} LIMIT {limit}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_has_what_is_asked_for_and_no_more() {
        let (cause, none): (Option<String>, Option<String>) = (Some("poison".to_owned()), None);
        let mut conditions = Conditions::default();
        assert_eq!(conditions.with(""), "true");
        conditions.and_some("cause =", cause.as_ref());
        conditions.and_some("member_id =", none.as_ref());
        conditions.and_after("(dead_at, id)", None);
        assert_eq!(conditions.with("status = 'open'"), "cause = $1 AND status = 'open'");
        assert_eq!(conditions.parameters.len(), 1);
    }

    #[test]
    fn several_statuses_are_read_one_by_one() {
        let select = |condition: &str| format!("SELECT WHERE {condition}");
        let first = |statuses: &[&str]| first_of_statuses(statuses, "status", "id", "$1", select);
        assert_eq!(first(&["open", "open"]), first(&["open"]));
        assert_eq!(first(&["open"]), "SELECT WHERE status = 'open' ORDER BY id LIMIT $1");
        assert_eq!(
            first(&["open", "dead"]),
            "SELECT * FROM ((SELECT WHERE status = 'open' ORDER BY id LIMIT $1) UNION ALL \
             (SELECT WHERE status = 'dead' ORDER BY id LIMIT $1)) AS part ORDER BY id LIMIT $1"
        );
    }
}
