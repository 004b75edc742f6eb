//! What an operator waits for with a hundred thousand dead letters.

use std::time::Duration;

use clap::Args;
use harness::{Role, TestSystem};
use tokio::time::Instant;
use tokio_postgres::NoTls;

use crate::{
    churches::Churches,
    report::{Figure, Report, Table},
};

const LOOK_EVERY: Duration = Duration::from_millis(200);
const TIME_LIMIT: Duration = Duration::from_mins(10);

/// How many there are.
#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// Dead letters
    #[arg(long, default_value_t = 100_000)]
    letters: u32,
    /// Members that they are about
    #[arg(long, default_value_t = 20_000)]
    members: u64,
    /// Campuses that these belong to
    #[arg(long, default_value_t = 20)]
    campuses: usize,
    /// Workers
    #[arg(long, default_value_t = 1)]
    workers: usize,
    /// How often meanwhile a worker is killed, or Postgres is, in turn, and started again
    #[arg(long, default_value_t = 0)]
    restarts: u32,
}

pub(crate) async fn measure(replay: &Replay) {
    let builder =
        TestSystem::builder().workers(replay.workers).variable_of(Role::Worker, "RUST_LOG", "info");
    let churches = Churches { campuses: replay.campuses, members: replay.members };
    let (system, senders) = churches.spawn(builder).await;
    let each = replay.letters / u32::try_from(replay.campuses).unwrap();
    for sender in &senders {
        let client = system.database.client();
        let campus: uuid::Uuid = sender.campus.id.parse().unwrap();
        client.execute(LETTERS, &[&campus, &sender.members, &i64::from(each)]).await.unwrap();
        client.execute(LOG_ROWS, &[&campus]).await.unwrap();
    }
    system.database.client().batch_execute("ANALYZE").await.unwrap();

    let (mut report, mut table) = (
        Report::new("replay"),
        Table::new(format!("{} dead letters", replay.letters), ["seconds"]),
    );
    for command in [vec!["groups"], vec!["list"], vec!["replay", "--dry-run"]] {
        let begin = Instant::now();
        let arguments: Vec<&str> = ["dead-letters"].into_iter().chain(command.clone()).collect();
        system.faithctl(&arguments).await.success();
        table.row(command.join(" "), [Figure::from(begin.elapsed().as_secs_f64())]);
    }
    let begin = Instant::now();
    let replayed = async {
        system.faithctl(&["dead-letters", "replay", "--yes"]).await.success();
        begin.elapsed().as_secs_f64()
    };
    let resolved = async {
        while begin.elapsed() < TIME_LIMIT {
            tokio::time::sleep(LOOK_EVERY).await;
            if count(&system, "status <> 'resolved'").await == Some(0) {
                break;
            }
        }
        begin.elapsed().as_secs_f64()
    };
    let (replayed, resolved, ()) = tokio::join!(replayed, resolved, restart(&system, replay));
    let (open, twice) =
        (count(&system, "status <> 'resolved'").await, count(&system, "replay_count <> 1").await);
    assert_eq!((open, twice), (Some(0), Some(0)), "not resolved, and not replayed once");
    table.row("replay --yes, all published", [Figure::from(replayed)]);
    table.row("all resolved by the workers", [Figure::from(resolved)]);
    report.add(table);
    report.save();
}

/// How many letters there are; none while Postgres is away.
async fn count(system: &TestSystem, condition: &str) -> Option<i64> {
    let (client, connection) = tokio_postgres::connect(&system.database.url(), NoTls).await.ok()?;
    tokio::spawn(connection);
    let query = format!("SELECT count(*) FROM dead_letters WHERE {condition}");
    Some(client.query_one(&query, &[]).await.ok()?.get(0))
}

/// Kills a worker or Postgres, in turn, whenever so much more was replayed.
async fn restart(system: &TestSystem, replay: &Replay) {
    for number in 1..=replay.restarts {
        let moment = i64::from(replay.letters / (replay.restarts + 1) * number);
        let begin = Instant::now();
        while count(system, "replay_count > 0").await < Some(moment) && begin.elapsed() < TIME_LIMIT
        {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        if number % 2 == 0 {
            let postgres = &system.servers().postgres;
            postgres.kill();
            postgres.ended().await;
            postgres.start_again().await.unwrap();
        } else {
            let worker = usize::try_from(number).unwrap() / 2 % replay.workers;
            system.worker(worker).kill();
            system.worker(worker).wait().await;
            system.start_again("worker", worker).await;
        }
    }
}

/// Letters of an outage, as the collector stores them.
const LETTERS: &str = "
    INSERT INTO dead_letters (id, event_id, campus_id, event_type, member_id, cause, reason,
        attempts, first_failed_at, dead_at, received_at, envelope, status)
    SELECT id, id::text, $1::uuid, 'member.updated', member, 'core_unavailable', 'The core is away.', 6,
        at - interval '1 day', at, at - interval '1 day',
        jsonb_build_object('schema_version', 1, 'delivery_id', id, 'event_id', id::text,
            'event_type', 'member.updated', 'campus_id', $1::uuid, 'member_id', member,
            'received_at', at - interval '1 day'),
        'open'
    FROM (SELECT gen_random_uuid() AS id, ($2::text[])[1 + n % cardinality($2::text[])] AS member,
              date_trunc('milliseconds', now()) - n * interval '1 millisecond' AS at
          FROM generate_series(1, $3::bigint) AS n) AS letters";

/// Their rows in the log.
const LOG_ROWS: &str = "
    INSERT INTO webhook_logs (id, campus_id, event_id, event_type, member_id, payload,
        signature_valid, received_at, status, error, attempts)
    SELECT id, campus_id, event_id, event_type, member_id, envelope, true,
        (envelope->>'received_at')::timestamptz, 'dead', reason, attempts
    FROM dead_letters WHERE campus_id = $1";
