//! Database roles: each program's can do what it needs, and not what it must not.

use database::{Client, DatabaseError};

use super::check::Report;
use crate::failure::in_words;

const ROLES: [&str; 4] = ["faith_gateway", "faith_worker", "faith_reconciler", "faith_admin"];

/// A right that a role must or must not have. Not every one that deploy/roles.sql gives: those
/// without which the program does nothing, and the walls between the programs.
struct Right {
    role: &'static str,
    table: &'static str,
    column: &'static str,
    privilege: &'static str,
    wanted: bool,
}

const fn must(
    role: &'static str,
    privilege: &'static str,
    table: &'static str,
    column: &'static str,
) -> Right {
    Right { role, table, column, privilege, wanted: true }
}

const fn must_not(
    role: &'static str,
    privilege: &'static str,
    table: &'static str,
    column: &'static str,
) -> Right {
    Right { role, table, column, privilege, wanted: false }
}

const RIGHTS: [Right; 21] = [
    must("faith_gateway", "SELECT", "sync_configs", "webhook_secret_sealed"),
    must("faith_worker", "SELECT", "sync_configs", "api_password_sealed"),
    must("faith_worker", "SELECT", "sync_configs", "synced_version"),
    must("faith_worker", "INSERT", "members", "external_member_id"),
    must("faith_worker", "UPDATE", "members", "name"),
    must("faith_worker", "UPDATE", "member_sync", "seen_from"),
    must("faith_worker", "INSERT", "webhook_logs", "payload"),
    must("faith_worker", "INSERT", "dead_letters", "envelope"),
    must("faith_worker", "UPDATE", "core_tokens", "token_sealed"),
    must("faith_reconciler", "UPDATE", "members", "age"),
    must("faith_reconciler", "INSERT", "sync_logs", "status"),
    must("faith_admin", "UPDATE", "sync_configs", "webhook_secret_sealed"),
    must("faith_admin", "SELECT", "webhook_logs", "payload"),
    must_not("faith_gateway", "SELECT", "members", "name"),
    must_not("faith_gateway", "SELECT", "sync_configs", "api_password_sealed"),
    must_not("faith_worker", "SELECT", "sync_configs", "webhook_secret_sealed"),
    must_not("faith_worker", "UPDATE", "members", "engagement_status"),
    must_not("faith_worker", "UPDATE", "members", "notes"),
    must_not("faith_worker", "INSERT", "care_events", "title"),
    must_not("faith_reconciler", "UPDATE", "members", "engagement_status"),
    must_not("faith_admin", "UPDATE", "members", "name"),
];

pub(super) async fn check(report: &mut Report, client: &Client) {
    if let Err(error) = examine(report, client).await {
        report.warn("roles", in_words(&error.into()), "apply deploy/roles.sql");
    }
}

async fn examine(report: &mut Report, client: &Client) -> Result<(), DatabaseError> {
    let rows = client
        .query("SELECT rolname FROM pg_roles WHERE rolname::text = ANY($1)", &[&ROLES.as_slice()])
        .await
        .map_err(DatabaseError::during("look for the roles"))?;
    let present: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    let missing: Vec<&str> =
        ROLES.into_iter().filter(|role| !present.iter().any(|name| name == role)).collect();
    if !missing.is_empty() {
        report.warn(
            "roles",
            format!(
                "there is no role {}: programs have more rights than they need",
                missing.join(", ")
            ),
            "apply deploy/roles.sql, and let each program's DATABASE_URL name its own role",
        );
    }
    let rights: Vec<&Right> =
        RIGHTS.iter().filter(|right| !missing.contains(&right.role)).collect();
    let held = held(client, &rights).await?;
    let wrong: Vec<&Right> = rights
        .into_iter()
        .zip(held)
        .filter(|(right, held)| right.wanted != *held)
        .map(|(right, _)| right)
        .collect();
    for right in &wrong {
        let Right { role, table, column, privilege, wanted } = right;
        let advice = "apply deploy/roles.sql";
        if *wanted {
            report.fail("roles", format!("{role} may not {privilege} {table}.{column}"), advice);
        } else {
            report.warn("roles", format!("{role} may {privilege} {table}.{column}"), advice);
        }
    }
    if wrong.is_empty() && missing.is_empty() {
        report.ok(
            "roles",
            "each program's role has the rights it needs, and not those it must not have",
        );
    }
    Ok(())
}

async fn held(client: &Client, rights: &[&Right]) -> Result<Vec<bool>, DatabaseError> {
    let each = |part: fn(&Right) -> &'static str| -> Vec<&'static str> {
        rights.iter().map(|right| part(right)).collect()
    };
    let rows = client
        .query(
            "SELECT has_column_privilege(r.role, r.tab, r.col, r.privilege)
             FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
                 WITH ORDINALITY AS r(role, tab, col, privilege, place)
             ORDER BY place",
            &[
                &each(|right| right.role),
                &each(|right| right.table),
                &each(|right| right.column),
                &each(|right| right.privilege),
            ],
        )
        .await
        .map_err(DatabaseError::during("look at the rights of the roles"))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}
