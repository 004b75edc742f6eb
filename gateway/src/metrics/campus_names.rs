//! What campuses are called, beside the ids that the metrics know them by: people read names.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use database::{DatabaseError, Pool, within};
use runtime::metrics::{Reading, observe_each};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const EVERY: Duration = Duration::from_secs(15);
const ASK_LIMIT: Duration = Duration::from_secs(4);
/// Characters of a name that are shown.
const LENGTH: usize = 80;

type Names = Arc<Mutex<Vec<(Uuid, String)>>>;

/// Shows the names, and asks for them until `stop`. The last ones are kept while Postgres is away.
pub(crate) async fn keep(pool: Pool, stop: CancellationToken) {
    let names = Names::default();
    let read = Arc::clone(&names);
    observe_each(
        "campus_info",
        "Always 1; the campus's id and its name are its labels",
        move || readings(&read.lock().unwrap_or_else(PoisonError::into_inner)),
    );
    while !stop.is_cancelled() {
        match within(ASK_LIMIT, ask(&pool)).await {
            Ok(known) => *names.lock().unwrap_or_else(PoisonError::into_inner) = known,
            Err(error) => tracing::debug!(%error, "the names of campuses cannot be asked for"),
        }
        stop.run_until_cancelled(tokio::time::sleep(EVERY)).await;
    }
}

fn readings(names: &[(Uuid, String)]) -> Vec<Reading> {
    let reading = |(campus, name): &(Uuid, String)| {
        (vec![("campus", campus.to_string()), ("name", shown(name))], 1.0)
    };
    names.iter().map(reading).collect()
}

/// On one line, and not too long.
fn shown(name: &str) -> String {
    let characters = name.chars().map(|one| if one.is_control() { ' ' } else { one });
    characters.take(LENGTH).collect()
}

async fn ask(pool: &Pool) -> Result<Vec<(Uuid, String)>, DatabaseError> {
    let client = pool.get().await?;
    let rows = client
        .query("SELECT campus_id, name FROM campus_names()", &[])
        .await
        .map_err(DatabaseError::during("ask what campuses are called"))?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

#[test]
fn a_name_is_one_line() {
    assert_eq!(shown("St. Mary\n\"North\""), "St. Mary \"North\"");
    assert_eq!(shown(&"x".repeat(500)).len(), LENGTH);
}
