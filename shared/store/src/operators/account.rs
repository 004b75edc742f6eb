//! Operators.

use chrono::{DateTime, Utc};
use database::{Client, DatabaseError, Row};
use serde::Serialize;
use tokio_postgres::{GenericClient, error::SqlState};
use uuid::Uuid;

use crate::status::OperatorRole;

/// The longest login. They are names or addresses of mail.
const LONGEST_LOGIN: usize = 128;

/// Somebody who may use the console.
#[derive(Debug, Clone, Serialize)]
pub struct Operator {
    /// Its key.
    pub id: Uuid,
    /// What they log in with, in lower case.
    pub login: String,
    /// What they are called.
    pub name: String,
    /// What they may do.
    pub role: String,
    /// Whose data they see; none: all campuses'.
    pub campuses: Option<Vec<Uuid>>,
    /// Whether they have chosen a password.
    pub has_password: bool,
    /// When they were added.
    pub created_at: DateTime<Utc>,
    /// When they last logged in.
    pub last_login_at: Option<DateTime<Utc>>,
    /// Since when they may not log in.
    pub disabled_at: Option<DateTime<Utc>>,
}

/// An operator could not be added.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// There is one.
    #[error("there is an operator {0} already")]
    Taken(String),
    /// It can be no login.
    #[error("expected a login of 1 to 128 letters, digits, or . _ - @ +")]
    Login,
    /// A campus that is not there.
    #[error("there is no campus {0}")]
    UnknownCampus(Uuid),
    /// Postgres did not do it.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

const COLUMNS: &str = "id, login, name, role, campuses, password_phc IS NOT NULL AS has_password, created_at, last_login_at, disabled_at";

impl Operator {
    /// A login as it is kept: trimmed, in lower case. None where it can be none.
    pub fn login_of(text: &str) -> Option<String> {
        let login = text.trim().to_lowercase();
        let is_fit = |c: char| c.is_alphanumeric() || "._-@+".contains(c);
        let length = login.chars().count();
        ((1..=LONGEST_LOGIN).contains(&length) && login.chars().all(is_fit)).then_some(login)
    }

    /// Adds one, who has no password yet.
    pub async fn add(
        client: &impl GenericClient,
        login: &str,
        name: &str,
        role: OperatorRole,
        campuses: Option<&[Uuid]>,
    ) -> Result<Self, OperatorError> {
        let login = Self::login_of(login).ok_or(OperatorError::Login)?;
        let failed = || DatabaseError::during("add the operator");
        let unknown = client
            .query_opt(
                "SELECT id FROM unnest($1::uuid[]) AS id WHERE id NOT IN (SELECT id FROM campuses) LIMIT 1",
                &[&campuses.unwrap_or_default()],
            )
            .await
            .map_err(failed())?;
        if let Some(row) = unknown {
            return Err(OperatorError::UnknownCampus(row.get(0)));
        }
        let statement = format!(
            "INSERT INTO operators (login, name, role, campuses) VALUES ($1, $2, $3, $4) RETURNING {COLUMNS}"
        );
        match client.query_one(&statement, &[&login, &name, &role.as_str(), &campuses]).await {
            Ok(row) => Ok(Self::from_row(&row)),
            Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => {
                Err(OperatorError::Taken(login))
            }
            Err(error) => Err(failed()(error).into()),
        }
    }

    /// All of them, by login.
    pub async fn all(client: &Client) -> Result<Vec<Self>, DatabaseError> {
        let statement = format!("SELECT {COLUMNS} FROM operators ORDER BY login");
        let rows = client
            .query(&statement, &[])
            .await
            .map_err(DatabaseError::during("list the operators"))?;
        Ok(rows.iter().map(Self::from_row).collect())
    }

    /// The one with this login.
    pub async fn find(
        client: &impl GenericClient,
        login: &str,
    ) -> Result<Option<Self>, DatabaseError> {
        let statement = format!("SELECT {COLUMNS} FROM operators WHERE login = $1");
        let row = client
            .query_opt(&statement, &[&login])
            .await
            .map_err(DatabaseError::during("look for the operator"))?;
        Ok(row.as_ref().map(Self::from_row))
    }

    /// Lets one log in again, or ends all their sessions and lets them log in no more. Whether there is such an operator.
    pub async fn enable(
        client: &impl GenericClient,
        login: &str,
        is_enabled: bool,
    ) -> Result<bool, DatabaseError> {
        let failed = || DatabaseError::during("switch the operator");
        let changed = client
            .execute(
                "UPDATE operators SET disabled_at = CASE WHEN $2 THEN NULL ELSE coalesce(disabled_at, now()) END WHERE login = $1",
                &[&login, &is_enabled],
            )
            .await
            .map_err(failed())?;
        if !is_enabled {
            for table in ["operator_sessions", "operator_links"] {
                let statement = format!(
                    "DELETE FROM {table} WHERE operator_id = (SELECT id FROM operators WHERE login = $1)"
                );
                client.execute(&statement, &[&login]).await.map_err(failed())?;
            }
        }
        Ok(changed > 0)
    }

    /// The id and the password's hash of one who may log in. The hash is none where no password was chosen.
    pub async fn credentials(
        client: &impl GenericClient,
        login: &str,
    ) -> Result<Option<(Uuid, Option<String>)>, DatabaseError> {
        let row = client
            .query_opt(
                "SELECT id, password_phc FROM operators WHERE login = $1 AND disabled_at IS NULL",
                &[&login],
            )
            .await
            .map_err(DatabaseError::during("look for the operator"))?;
        Ok(row.map(|row| (row.get(0), row.get(1))))
    }

    /// Sets a password, by its hash.
    pub async fn set_password(
        client: &impl GenericClient,
        operator: Uuid,
        phc: &str,
    ) -> Result<(), DatabaseError> {
        client
            .execute(
                "UPDATE operators SET password_phc = $2, password_set_at = now() WHERE id = $1",
                &[&operator, &phc],
            )
            .await
            .map_err(DatabaseError::during("set the password"))?;
        Ok(())
    }

    fn from_row(row: &Row) -> Self {
        Self {
            id: row.get("id"),
            login: row.get("login"),
            name: row.get("name"),
            role: row.get("role"),
            campuses: row.get("campuses"),
            has_password: row.get("has_password"),
            created_at: row.get("created_at"),
            last_login_at: row.get("last_login_at"),
            disabled_at: row.get("disabled_at"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_kept_in_lower_case() {
        assert_eq!(Operator::login_of(" Ani@Gereja.id ").as_deref(), Some("ani@gereja.id"));
        for odd in ["", " ", "a b", "a/b", "<script>", "a\u{202e}b", &"x".repeat(129)] {
            assert_eq!(Operator::login_of(odd), None, "{odd}");
        }
    }
}
