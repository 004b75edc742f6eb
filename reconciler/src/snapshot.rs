//! The list, staged in a temporary table of the run's own session: nothing of it is written to the
//! log of Postgres, and it is gone with the session.

use std::{collections::HashMap, pin::pin};

use database::{
    Client, DatabaseError,
    types::{ToSql, Type},
};
use member::Photo;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use uuid::Uuid;

use crate::row::ListRow;

/// The diff of a large campus takes longer than daily work may. Statistics of a few rows are enough for
/// it, and those of many would take as long as the comparison.
const PREPARE: &str = r#"
    SET statement_timeout = '15min';
    SET plan_cache_mode = auto;
    SET work_mem = '64MB';
    SET default_statistics_target = 10;
    CREATE TEMPORARY TABLE listed (
        seen_from  bigint NOT NULL,
        member     text COLLATE "C" NOT NULL,
        standing   text NOT NULL,
        name       text,
        phone      text,
        gender     text,
        birth_date date,
        age        integer,
        photo_url  text,
        category   text,
        photo      bytea,
        spoken     integer NOT NULL,
        hash       bytea NOT NULL
    );
    CREATE TEMPORARY TABLE listed_photos (
        member text COLLATE "C" NOT NULL,
        sha256 bytea NOT NULL,
        image  bytea NOT NULL
    );
    ALTER TABLE listed_photos ALTER COLUMN image SET STORAGE EXTERNAL;
    CREATE TEMPORARY TABLE candidates (member text COLLATE "C" NOT NULL, reason text NOT NULL)"#;

const COPY: &str = "
    COPY listed (seen_from, member, standing, name, phone, gender, birth_date, age, photo_url,
                 category, photo, spoken, hash) FROM STDIN (FORMAT binary)";

const TYPES: [Type; 13] = [
    Type::INT8,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::DATE,
    Type::INT4,
    Type::TEXT,
    Type::TEXT,
    Type::BYTEA,
    Type::INT4,
    Type::BYTEA,
];

const COPY_PHOTOS: &str = "COPY listed_photos (member, sha256, image) FROM STDIN (FORMAT binary)";

/// Who of `$2` was never heard of.
const UNHEARD_OF: &str = "
    SELECT r.member FROM unnest($2::text[]) AS r(member)
    WHERE NOT EXISTS (SELECT FROM member_sync s
                      WHERE s.campus_id = $1 AND s.external_member_id = r.member)";

/// Of rows that came on several pages the one read last stays: they lie in the table as they came.
const FINISH: &str = "
    ANALYZE listed (member);
    DELETE FROM listed l USING (
        SELECT member, max(ctid) AS latest FROM listed GROUP BY member HAVING count(*) > 1
    ) AS repeated
    WHERE l.member = repeated.member AND l.ctid < repeated.latest";

/// Makes the empty tables.
pub(crate) async fn prepare(client: &Client) -> Result<(), DatabaseError> {
    client.batch_execute(PREPARE).await.map_err(DatabaseError::during("make the staging tables"))
}

/// Stages the rows of one page. A photo is staged only of whom the list alone may create: the others
/// have theirs here, or get it when they are asked for by id.
pub(crate) async fn stage(
    client: &Client,
    campus: Uuid,
    seen_from: i64,
    rows: &[ListRow],
) -> Result<(), DatabaseError> {
    let staging = || DatabaseError::during("stage a page of the list");
    copy(client, seen_from, rows).await.map_err(staging())?;
    let pictured: HashMap<&str, &Photo> = rows
        .iter()
        .filter(|row| row.standing.creates())
        .filter_map(|row| Some((row.member.as_str(), row.photo.as_ref()?)))
        .collect();
    if pictured.is_empty() {
        return Ok(());
    }
    let members: Vec<&str> = pictured.keys().copied().collect();
    let unheard_of = client.query(UNHEARD_OF, &[&campus, &members]).await.map_err(staging())?;
    let photos: Vec<(&str, &Photo)> = unheard_of
        .iter()
        .filter_map(|row| pictured.get_key_value(row.get::<_, &str>(0)))
        .map(|(member, photo)| (*member, *photo))
        .collect();
    if photos.is_empty() {
        return Ok(());
    }
    copy_photos(client, &photos).await.map_err(staging())
}

async fn copy_photos(client: &Client, photos: &[(&str, &Photo)]) -> Result<(), database::Error> {
    let sink = client.copy_in(COPY_PHOTOS).await?;
    let mut writer = pin!(BinaryCopyInWriter::new(sink, &[Type::TEXT, Type::BYTEA, Type::BYTEA]));
    for (member, photo) in photos {
        let hash = photo.sha256.as_slice();
        let values: [&(dyn ToSql + Sync); 3] = [member, &hash, &photo.image];
        writer.as_mut().write(&values).await?;
    }
    writer.finish().await?;
    Ok(())
}

async fn copy(client: &Client, seen_from: i64, rows: &[ListRow]) -> Result<(), database::Error> {
    let sink = client.copy_in(COPY).await?;
    let mut writer = pin!(BinaryCopyInWriter::new(sink, &TYPES));
    for row in rows {
        let standing = row.standing.letter();
        let photo = row.photo.as_ref().map(|photo| photo.sha256.as_slice());
        let values: [&(dyn ToSql + Sync); 13] = [
            &seen_from,
            &row.member,
            &standing,
            &row.name,
            &row.phone,
            &row.gender,
            &row.birth_date,
            &row.age,
            &row.photo_url,
            &row.category,
            &photo,
            &row.spoken,
            &row.hash,
        ];
        writer.as_mut().write(&values).await?;
    }
    writer.finish().await?;
    Ok(())
}

/// Leaves one row a member, and answers how many there are.
pub(crate) async fn finish(client: &Client) -> Result<u64, DatabaseError> {
    let finishing = || DatabaseError::during("finish the staging table");
    client.batch_execute(FINISH).await.map_err(finishing())?;
    let row = client.query_one("SELECT count(*) FROM listed", &[]).await.map_err(finishing())?;
    Ok(row.get::<_, i64>(0).unsigned_abs())
}
