//! The list, staged in a temporary table of the run's own session: nothing of it is written to the
//! log of Postgres, and it is gone with the session.

use std::pin::pin;

use database::{
    Client, DatabaseError,
    types::{ToSql, Type},
};
use tokio_postgres::binary_copy::BinaryCopyInWriter;

use crate::row::ListRow;

/// The diff of a large campus takes longer than daily work may.
const PREPARE: &str = r#"
    SET statement_timeout = '15min';
    SET plan_cache_mode = auto;
    SET work_mem = '64MB';
    CREATE TEMPORARY TABLE listed (
        place      bigint GENERATED ALWAYS AS IDENTITY,
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

/// Of rows that came on several pages the one read last stays.
const FINISH: &str = "
    ANALYZE listed;
    DELETE FROM listed l USING (
        SELECT member, max(place) AS latest FROM listed GROUP BY member HAVING count(*) > 1
    ) AS repeated
    WHERE l.member = repeated.member AND l.place < repeated.latest";

/// Makes the empty tables.
pub(crate) async fn prepare(client: &Client) -> Result<(), DatabaseError> {
    client.batch_execute(PREPARE).await.map_err(DatabaseError::during("make the staging tables"))
}

/// Stages the rows of one page.
pub(crate) async fn stage(
    client: &Client,
    seen_from: i64,
    rows: &[ListRow],
) -> Result<(), DatabaseError> {
    copy(client, seen_from, rows).await.map_err(DatabaseError::during("stage a page of the list"))
}

async fn copy(client: &Client, seen_from: i64, rows: &[ListRow]) -> Result<(), database::Error> {
    let sink = client.copy_in(COPY).await?;
    let mut writer = pin!(BinaryCopyInWriter::new(sink, &TYPES));
    for row in rows {
        let standing = row.standing.letter();
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
            &row.photo,
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
