//! The list, staged in a temporary table of the run's own session: nothing of it is written to the
//! log of Postgres, and it is gone with the session.

use std::{collections::HashSet, pin::pin};

use database::{Client, DatabaseError, Statement, types::Type};
use futures_util::SinkExt;
use member::{Photo, SYNCED_COLUMNS};
use uuid::Uuid;

use crate::list::copy::{CopyBuffer, StagedPage};

/// The diff of a large campus takes longer than daily work may. Statistics of a few rows are enough for
/// it, and those of many would take as long as the comparison. A list of some hundred thousand rows stays in
/// the session's own memory.
fn create_sql() -> String {
    let columns: Vec<String> = SYNCED_COLUMNS
        .iter()
        .map(|column| format!("{} {}", column.name, column.column_type.sql()))
        .collect();
    let columns = columns.join(", ");
    format!(
        r#"
    SET statement_timeout = '15min';
    SET plan_cache_mode = auto;
    SET work_mem = '64MB';
    SET temp_buffers = '64MB';
    SET default_statistics_target = 10;
    CREATE TEMPORARY TABLE listed (
        seen_from  bigint NOT NULL,
        member     text COLLATE "C" NOT NULL,
        state      text NOT NULL,
        {columns},
        photo      bytea,
        present_columns integer NOT NULL,
        hash       bytea NOT NULL
    );
    CREATE TEMPORARY TABLE listed_photos (
        member text COLLATE "C" NOT NULL,
        sha256 bytea NOT NULL,
        image  bytea NOT NULL
    );
    ALTER TABLE listed_photos ALTER COLUMN image SET STORAGE EXTERNAL;
    CREATE TEMPORARY TABLE candidates (member text COLLATE "C" NOT NULL, reason text NOT NULL)"#
    )
}

const COPY_PHOTOS: &str = "COPY listed_photos (member, sha256, image) FROM STDIN (FORMAT binary)";

/// Who of `$2` was never heard of.
const UNHEARD_OF: &str = "
    SELECT r.member FROM unnest($2::text[]) AS r(member)
    WHERE NOT EXISTS (SELECT FROM member_sync s
                      WHERE s.campus_id = $1 AND s.external_member_id = r.member)";

/// Of rows that came on several pages the one read last stays: they lie in the table as they came.
const FINISH: &str = "
    DELETE FROM listed l USING (
        SELECT member, max(ctid) AS latest FROM listed GROUP BY member HAVING count(*) > 1
    ) AS repeated
    WHERE l.member = repeated.member AND l.ctid < repeated.latest";

/// The tables that a list is staged in.
pub(crate) struct StagingTables<'a> {
    client: &'a Client,
    campus: Uuid,
    copy: Statement,
}

impl<'a> StagingTables<'a> {
    /// Makes them, empty.
    pub(crate) async fn create(client: &'a Client, campus: Uuid) -> Result<Self, DatabaseError> {
        let preparing = || DatabaseError::during("make the staging tables");
        client.batch_execute(&create_sql()).await.map_err(preparing())?;
        let copy = format!("COPY listed ({}) FROM STDIN (FORMAT binary)", StagedPage::columns());
        let copy = client.prepare(&copy).await.map_err(preparing())?;
        Ok(Self { client, campus, copy })
    }

    /// Stages the rows of one page, and the photos of those who were never heard of.
    pub(crate) async fn stage(&self, page: StagedPage) -> Result<(), DatabaseError> {
        let staging = || DatabaseError::during("stage a page of the list");
        self.copy(page.tuples).await.map_err(staging())?;
        if page.photos.is_empty() {
            return Ok(());
        }
        let members: Vec<&str> = page.photos.iter().map(|(member, _)| member.as_str()).collect();
        // Planned anew each time: the table grows while a first import is under way.
        let unheard_of = self
            .client
            .query_typed(UNHEARD_OF, &[(&self.campus, Type::UUID), (&members, Type::TEXT_ARRAY)])
            .await
            .map_err(|error| staging()(error.into()))?;
        if unheard_of.is_empty() {
            return Ok(());
        }
        let unheard_of: HashSet<&str> = unheard_of.iter().map(|row| row.get(0)).collect();
        let photos = page.photos.iter().filter(|(member, _)| unheard_of.contains(member.as_str()));
        self.copy_photos(photos).await.map_err(staging())
    }

    async fn copy(&self, tuples: CopyBuffer) -> Result<(), database::Error> {
        let mut sink = pin!(self.client.copy_in(&self.copy).await?);
        sink.send(tuples.end()).await?;
        sink.finish().await?;
        Ok(())
    }

    /// One after the other: together they may be heavy.
    async fn copy_photos(
        &self,
        photos: impl Iterator<Item = &(String, Photo)>,
    ) -> Result<(), database::Error> {
        let mut sink = pin!(self.client.copy_in(COPY_PHOTOS).await?);
        let mut tuples = CopyBuffer::with_room(0);
        for (member, photo) in photos {
            tuples
                .row(3)
                .value(Some(member.as_bytes()))
                .value(Some(&photo.sha256))
                .value(Some(&photo.image));
            sink.send(tuples.take()).await?;
        }
        sink.send(tuples.end()).await?;
        sink.finish().await?;
        Ok(())
    }

    /// Leaves one row a member, and answers how many there are.
    pub(crate) async fn finish(self) -> Result<u64, DatabaseError> {
        let finishing = || DatabaseError::during("finish the staging table");
        self.client.batch_execute(FINISH).await.map_err(finishing())?;
        let count = "SELECT count(*) FROM listed";
        let row = self.client.query_one(count, &[]).await.map_err(finishing())?;
        Ok(row.get::<_, i64>(0).unsigned_abs())
    }
}
