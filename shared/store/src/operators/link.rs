//! Links that let somebody in once.

use std::time::Duration;

use database::DatabaseError;
use tokio_postgres::GenericClient;
use uuid::Uuid;

use super::Token;

/// How long an invitation waits to be taken up.
pub const INVITATION: Duration = Duration::from_hours(24);

/// How long a link of `faithctl console login` waits.
pub const LOGIN_LINK: Duration = Duration::from_mins(10);

/// What a link that can still be used is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Whom it invites to choose a password; none lets its owner in as an administrator.
    pub operator: Option<(Uuid, String)>,
    /// Who made it.
    pub made_by: String,
}

const FITTING: &str = "token_sha256 = $1 AND used_at IS NULL AND expires_at > now()";

impl Link {
    /// Makes one; an invitation takes the place of those before it.
    pub async fn make(
        client: &impl GenericClient,
        operator: Option<Uuid>,
        made_by: &str,
    ) -> Result<Token, DatabaseError> {
        let failed = || DatabaseError::during("make the link");
        client
            .execute(
                "DELETE FROM operator_links WHERE operator_id = $1 OR expires_at < now() - interval '1 day'",
                &[&operator],
            )
            .await
            .map_err(failed())?;
        let token = Token::random();
        let lasts = if operator.is_some() { INVITATION } else { LOGIN_LINK };
        client
            .execute(
                "INSERT INTO operator_links (token_sha256, operator_id, made_by, expires_at)
                 VALUES ($1, $2, $3, now() + make_interval(secs => $4))",
                &[&&token.hash()[..], &operator, &made_by, &lasts.as_secs_f64()],
            )
            .await
            .map_err(failed())?;
        Ok(token)
    }

    /// What a token is for, without using it up; none where nothing can be done with it.
    pub async fn find(
        client: &impl GenericClient,
        token: &Token,
    ) -> Result<Option<Self>, DatabaseError> {
        let statement = format!(
            "SELECT l.operator_id, o.login, l.made_by FROM operator_links l LEFT JOIN operators o ON o.id = l.operator_id
             WHERE l.{FITTING} AND o.disabled_at IS NULL"
        );
        let row = client
            .query_opt(&statement, &[&&token.hash()[..]])
            .await
            .map_err(DatabaseError::during("look for the link"))?;
        Ok(row.map(|row| Self {
            operator: row.get::<_, Option<Uuid>>(0).zip(row.get(1)),
            made_by: row.get(2),
        }))
    }

    /// Uses it up. Of several at once one succeeds.
    pub async fn take(client: &impl GenericClient, token: &Token) -> Result<bool, DatabaseError> {
        let statement = format!("UPDATE operator_links SET used_at = now() WHERE {FITTING}");
        let taken = client
            .execute(&statement, &[&&token.hash()[..]])
            .await
            .map_err(DatabaseError::during("use the link"))?;
        Ok(taken == 1)
    }
}
