//! Database roles: each program's can do what it needs, and not what it must not.

use database::{Client, DatabaseError};

use super::check::Report;
use crate::{
    failure::in_words,
    roles::{
        NAMES,
        grants::{Kind, Right, granted},
    },
};

const ADVICE: &str =
    "apply deploy/roles.sql: `faithctl migrate --roles`, as the owner of the tables";

/// Rights that no event needs: what the gateway measures for its metrics.
const MEASURES: [&str; 3] =
    ["oldest_retrying_event_age()", "events_taken_until()", "campus_names()"];

/// The walls between the programs: role, privilege, table and column.
const WALLS: [(&str, &str, &str, &str); 12] = [
    ("faith_gateway", "SELECT", "members", "name"),
    ("faith_gateway", "SELECT", "sync_configs", "api_password_sealed"),
    ("faith_worker", "SELECT", "sync_configs", "webhook_secret_sealed"),
    ("faith_worker", "UPDATE", "members", "engagement_status"),
    ("faith_worker", "UPDATE", "members", "notes"),
    ("faith_worker", "INSERT", "care_events", "title"),
    ("faith_reconciler", "UPDATE", "members", "engagement_status"),
    ("faith_console", "SELECT", "members", "name"),
    ("faith_console", "SELECT", "sync_configs", "webhook_secret_sealed"),
    ("faith_console", "SELECT", "sync_configs", "api_password_sealed"),
    ("faith_console", "UPDATE", "dead_letters", "status"),
    ("faith_admin", "UPDATE", "members", "name"),
];

fn walls() -> Vec<Right> {
    let wall = |(role, privilege, table, column): (&str, &str, &str, &str)| Right {
        role: role.to_owned(),
        privilege: privilege.to_owned(),
        kind: Kind::Table,
        object: table.to_owned(),
        column: Some(column.to_owned()),
    };
    WALLS.into_iter().map(wall).collect()
}

pub(super) async fn check(report: &mut Report, client: &Client) {
    if let Err(error) = examine(report, client).await {
        report.warn("roles", in_words(&error.into()), ADVICE);
    }
}

async fn examine(report: &mut Report, client: &Client) -> Result<(), DatabaseError> {
    let rows = client
        .query("SELECT rolname FROM pg_roles WHERE rolname::text = ANY($1)", &[&NAMES.as_slice()])
        .await
        .map_err(DatabaseError::during("look for the roles"))?;
    let present: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    let absent: Vec<&str> =
        NAMES.into_iter().filter(|role| !present.iter().any(|name| name == role)).collect();
    if !absent.is_empty() {
        report.warn(
            "roles",
            format!(
                "there is no role {}: programs have more rights than they need",
                absent.join(", ")
            ),
            "apply deploy/roles.sql, and let each program's DATABASE_URL name its own role",
        );
    }
    let is_there = |right: &Right| !absent.contains(&right.role.as_str());
    let needed = granted().into_iter().filter(is_there);
    let lacking = having(client, needed.collect(), false).await?;
    for missing in lacking.chunk_by(Right::is_beside) {
        let Some(first) = missing.first() else { continue };
        let found = format!("{} may not {} {}", first.role, first.privilege, what(missing));
        if MEASURES.contains(&first.object.as_str()) {
            report.warn("roles", format!("{found}: metrics are missing"), ADVICE);
        } else {
            report.fail("roles", found, ADVICE);
        }
    }
    let walls = walls().into_iter().filter(is_there);
    let beyond = having(client, walls.collect(), true).await?;
    for right in &beyond {
        let found =
            format!("{} may {} {}", right.role, right.privilege, what(std::slice::from_ref(right)));
        report.warn("roles", found, ADVICE);
    }
    if lacking.is_empty() && beyond.is_empty() && absent.is_empty() {
        report.ok(
            "roles",
            "each program's role has the rights of deploy/roles.sql, and not those it must not have",
        );
    }
    Ok(())
}

/// `members`, `members.name`, `members (name, phone)`
fn what(rights: &[Right]) -> String {
    let Some(first) = rights.first() else { return String::new() };
    let columns: Vec<&str> = rights.iter().filter_map(|right| right.column.as_deref()).collect();
    match columns.as_slice() {
        [] => first.object.clone(),
        [column] => format!("{}.{column}", first.object),
        columns => format!("{} ({})", first.object, columns.join(", ")),
    }
}

const HELD: &str = "
    SELECT CASE kind
               WHEN 'function' THEN has_function_privilege(role, object, privilege)
               WHEN 'sequence' THEN has_sequence_privilege(role, object, privilege)
               WHEN 'schema' THEN has_schema_privilege(role, object, privilege)
               WHEN 'database' THEN has_database_privilege(role, current_database(), privilege)
               ELSE CASE WHEN col IS NULL THEN has_table_privilege(role, object, privilege)
                         ELSE has_column_privilege(role, object, col, privilege) END
           END
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])
        WITH ORDINALITY AS r(role, privilege, kind, object, col, place)
    ORDER BY place";

/// Of these rights those that their roles have, or have not.
async fn having(
    client: &Client,
    rights: Vec<Right>,
    is_held: bool,
) -> Result<Vec<Right>, DatabaseError> {
    fn each<'a, T>(rights: &'a [Right], part: impl Fn(&'a Right) -> T) -> Vec<T> {
        rights.iter().map(part).collect()
    }
    let rows = client
        .query(
            HELD,
            &[
                &each(&rights, |right| right.role.as_str()),
                &each(&rights, |right| right.privilege.as_str()),
                &each(&rights, |right| right.kind.as_str()),
                &each(&rights, |right| right.object.as_str()),
                &each(&rights, |right| right.column.as_deref()),
            ],
        )
        .await
        .map_err(DatabaseError::during("look at the rights of the roles"))?;
    let held = rows.iter().map(|row| row.get::<_, bool>(0));
    Ok(rights
        .into_iter()
        .zip(held)
        .filter(|(_, held)| *held == is_held)
        .map(|(right, _)| right)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_called_a_measure_is_a_right_of_the_gateway() {
        let rights = granted();
        for measure in MEASURES {
            let is_given = |right: &Right| right.object == measure && right.role == "faith_gateway";
            assert!(rights.iter().any(is_given), "{measure}");
        }
    }
}
