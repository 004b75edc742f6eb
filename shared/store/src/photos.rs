//! `member_photos`: photos that the core sends inside the member. They can be megabytes, so one
//! that is there already is told by its hash and not sent again.

use std::collections::HashMap;

use database::{Error, Transaction};
use member::{Field, Photo};
use tokio_postgres::GenericClient;
use uuid::Uuid;

/// A member's row and the core's word on its photo.
pub(crate) struct PhotoChange<'a> {
    pub(crate) campus: Uuid,
    pub(crate) member: Uuid,
    pub(crate) photo: &'a Field<Photo>,
}

const HASHES: &str = "SELECT member_id, sha256 FROM member_photos WHERE member_id = ANY($1)";
const DELETE: &str = "DELETE FROM member_photos WHERE member_id = ANY($1)";
const UPSERT: &str = "
    INSERT INTO member_photos (campus_id, member_id, content_type, image, sha256)
    VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (member_id) DO UPDATE SET
        content_type = excluded.content_type, image = excluded.image, sha256 = excluded.sha256,
        updated_at = now()";

/// Writes what differs, and answers whose photo that was.
pub(crate) async fn write(
    transaction: &Transaction<'_>,
    changes: &[PhotoChange<'_>],
) -> Result<Vec<Uuid>, Error> {
    let differing = differing(transaction, changes).await?;
    let cleared: Vec<Uuid> = differing
        .iter()
        .filter(|change| change.photo.value().is_none())
        .map(|change| change.member)
        .collect();
    if !cleared.is_empty() {
        transaction.execute(DELETE, &[&cleared]).await?;
    }
    for change in &differing {
        let Some(photo) = change.photo.value() else { continue };
        let hash = photo.sha256.as_slice();
        transaction
            .execute(
                UPSERT,
                &[&change.campus, &change.member, &photo.content_type, &photo.image, &hash],
            )
            .await?;
    }
    Ok(differing.iter().map(|change| change.member).collect())
}

/// The changes that would write something.
pub(crate) async fn differing<'a, 'b>(
    client: &impl GenericClient,
    changes: &'b [PhotoChange<'a>],
) -> Result<Vec<&'b PhotoChange<'a>>, Error> {
    let present: Vec<&PhotoChange<'_>> =
        changes.iter().filter(|change| !change.photo.is_absent()).collect();
    if present.is_empty() {
        return Ok(present);
    }
    let members: Vec<Uuid> = present.iter().map(|change| change.member).collect();
    let rows = client.query(HASHES, &[&members]).await?;
    let stored: HashMap<Uuid, &[u8]> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let differs = |change: &&PhotoChange<'_>| {
        let hash = change.photo.value().map(|photo| photo.sha256.as_slice());
        stored.get(&change.member).copied() != hash
    };
    Ok(present.into_iter().filter(differs).collect())
}
