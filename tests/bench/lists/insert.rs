//! What the indices cost whoever writes the log: rows of events that came to a good end at once, into a day that has many.

use std::time::Instant;

use harness::TestSystem;

use crate::report::{Figure, Table};

const ROUNDS: usize = 7;

/// Two days as the log has them; of one the indices of lists are taken away. And what came to a good end in a day.
const DAYS: &str = "
    CREATE TABLE day_with (LIKE webhook_logs INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
    CREATE TABLE day_without (LIKE webhook_logs INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
    DO $$ DECLARE of_day record; BEGIN
        FOR of_day IN SELECT day.name, substring(pg_get_indexdef(indexrelid) FROM ' USING .*') AS definition
                      FROM pg_index, (VALUES ('day_with'), ('day_without')) AS day(name)
                      WHERE indrelid = 'webhook_logs'::regclass
                        AND (day.name = 'day_with' OR indexrelid::regclass::text NOT IN ('webhook_logs_campus',
                             'webhook_logs_status', 'webhook_logs_type', 'webhook_logs_late'))
        LOOP EXECUTE format('CREATE INDEX ON %I %s', of_day.name, of_day.definition); END LOOP;
    END $$;
    CREATE TABLE ended AS
        SELECT row_number() OVER (ORDER BY received_at) AS number, l.* FROM webhook_logs AS l
        WHERE received_at > now() - interval '1 day' AND status = 'processed' AND event_type = 'member.updated';
    ALTER TABLE ended ADD PRIMARY KEY (number)";

/// The rows that are there, and those that come.
const PART: &str = "
    CREATE TABLE {part} AS SELECT * FROM ended WHERE number {which} (SELECT max(number) - {rows} FROM ended);
    ALTER TABLE {part} DROP COLUMN number";

const ROWS: u32 = 100_000;

pub(super) async fn measure(system: &TestSystem) -> Table {
    let client = system.database.client();
    client.batch_execute(DAYS).await.unwrap();
    for (part, which) in [("rows_before", "<="), ("rows_to_insert", ">")] {
        let make = PART.replace("{part}", part).replace("{which}", which);
        client.batch_execute(&make.replace("{rows}", &ROWS.to_string())).await.unwrap();
    }
    for day in ["day_with", "day_without"] {
        let fill = format!("INSERT INTO {day} SELECT * FROM rows_before");
        client.batch_execute(&fill).await.unwrap();
        client.batch_execute(&format!("VACUUM ANALYZE {day}")).await.unwrap();
    }
    let (mut with, mut without) = (Figure::default(), Figure::default());
    for round in 0..ROUNDS {
        let mut turns = [("day_with", &mut with), ("day_without", &mut without)];
        if round % 2 == 1 {
            turns.reverse();
        }
        for (day, figure) in turns {
            figure.add(insert(client, day).await);
        }
    }
    let ratio = with.by(&without);
    let mut table =
        Table::new("Inserting rows of events that came to a good end", ["µs a row", "of without"]);
    table.row("with the indices of lists", [with, ratio]);
    table.row("without", [without, Figure::from(1.0)]);
    table
}

/// Microseconds for each row, all in one statement: what is around it, and the commit, are the same. The rows are taken out again.
async fn insert(client: &tokio_postgres::Client, day: &str) -> f64 {
    client.batch_execute("BEGIN").await.unwrap();
    let begin = Instant::now();
    client.batch_execute(&format!("INSERT INTO {day} SELECT * FROM rows_to_insert")).await.unwrap();
    let took = begin.elapsed().as_secs_f64() * 1e6 / f64::from(ROWS);
    client.batch_execute("ROLLBACK").await.unwrap();
    client.batch_execute(&format!("VACUUM {day}")).await.unwrap();
    took
}
