//! A change of a campus's settings, with its entry in the audit.

use database::{Client, Error, Transaction};
use store::{audit::changed_settings, records::CampusRecord};
use uuid::Uuid;

use crate::environment::Environment;

/// Changes a campus's settings and notes their old and new values, in one transaction; `secrets` are those that are
/// changed and not shown. None where no synced campus has this id.
pub(super) async fn change_settings<T>(
    client: &mut Client,
    campus: Uuid,
    secrets: &[&str],
    environment: &Environment,
    change: impl AsyncFnOnce(&Transaction<'_>) -> Result<T, Error>,
) -> Result<Option<T>, Error> {
    let transaction = client.transaction().await?;
    let Some(before) = CampusRecord::lock(&transaction, campus).await? else { return Ok(None) };
    let answer = change(&transaction).await?;
    let after = CampusRecord::lock(&transaction, campus).await?;
    let subject = changed_settings(Some(&before), after.as_ref(), secrets);
    environment.change().commit(transaction, Some(campus), &subject).await?;
    Ok(Some(answer))
}
