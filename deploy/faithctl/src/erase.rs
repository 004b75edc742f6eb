//! `faithctl erase`

use clap::Args;
use database::{Client, DatabaseError};
use serde_json::json;
use store::CampusReference;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    campus::find_campus,
    change::Change,
    confirm,
    environment::Environment,
    failure::say,
    output::{self, Format},
};

/// Takes one person's traces out of the logs and the dead letters.
///
/// Their deliveries with all that they went through, dead letters and places in reconciliation runs are deleted, and the
/// core's id is taken out of what operations were asked for, and out of the audit, which notes the erasure. The member's own row
/// is FaithTracker's to delete; a guard row with nothing but the core's id stays, so that an old
/// event cannot bring the person back. What is in RabbitMQ at this moment, waiting, delayed or not yet
/// collected from its dead letters, is logged when its turn comes: run it again later.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    faithctl erase --campus 0195f2d0-7c5e-7d0a-9d3f-0b6f2f6a1c11 --member 8655d76b-9be0-4681-bd2c-35cd5e09a809 --dry-run\n  \
    faithctl erase --campus 0195f2d0-7c5e-7d0a-9d3f-0b6f2f6a1c11 --member 8655d76b-9be0-4681-bd2c-35cd5e09a809 --yes")]
pub(crate) struct Arguments {
    /// The campus: its id, or its name where only one has it
    #[arg(long, value_name = "CAMPUS")]
    campus: CampusReference,
    /// The core's id of the person
    #[arg(long, value_name = "M")]
    member: String,
    /// Say how much would be deleted, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    output: Format,
}

/// A message that could not be read belongs to nobody, and may name the person all the same: one of a
/// newer version, say. Both ids must be in it as JSON has them, since an id may be as short as `1`.
const LETTERS: &str = "dead_letters
    WHERE campus_id = $1 AND member_id = $2
       OR event_id IS NULL
          AND position(convert_to(to_json($1::uuid)::text, 'UTF8') IN decode(envelope->>'base64', 'base64')) > 0
          AND position(convert_to(to_json($2::text)::text, 'UTF8') IN decode(envelope->>'base64', 'base64')) > 0";

/// Where traces are, under the name that the numbers go by, and how they are found. What deliveries went through is found by
/// their rows, and so goes before them.
const TRACES: [(&str, &str); 7] = [
    (
        "attempts",
        "delivery_attempts a USING webhook_logs l
         WHERE l.campus_id = $1 AND l.member_id = $2 AND a.received_at = l.received_at AND a.delivery_id = l.id",
    ),
    ("deliveries", "webhook_logs WHERE campus_id = $1 AND member_id = $2"),
    ("dead_letters", LETTERS),
    ("run_changes", "sync_changes WHERE campus_id = $1 AND external_member_id = $2"),
    ("remembered_rows", "reconciled_rows WHERE campus_id = $1 AND external_member_id = $2"),
    (
        "links",
        "member_links WHERE campus_id = $1 AND (external_member_id = $2 OR previous_id = $2)",
    ),
    (OPERATIONS, "operations_of_member($1, $2)"),
];

/// Their rows stay, without the member's id.
const OPERATIONS: &str = "operations";

pub(crate) async fn run(
    arguments: Arguments,
    environment: &Environment,
    interrupted: &CancellationToken,
) -> anyhow::Result<()> {
    if !arguments.dry_run {
        confirm::require(arguments.yes)?;
    }
    let mut client = environment.client().await?;
    let campus = find_campus(&arguments.campus, &client).await?;
    environment.change().of_campus(campus);
    let found = count(&client, campus, &arguments.member).await?;
    if found.iter().all(|number| *number == 0) {
        anyhow::bail!(
            "nothing is logged of this member of this campus; what waits in RabbitMQ is logged when its turn \
             comes (`faithctl status`)"
        );
    }
    if arguments.dry_run {
        return report(&arguments, "would erase", &found);
    }
    report_question(&found);
    let question =
        format!("Erase what is logged of member {} of campus {campus} for good", arguments.member);
    confirm::ask(&question, environment, arguments.yes, interrupted).await?;
    let erased = erase(&mut client, campus, &arguments.member, environment.change())
        .await
        .map_err(DatabaseError::during("erase what is logged of the member"))?;
    report(&arguments, "erased", &erased)?;
    say(
        "what waits in RabbitMQ is logged when its turn comes: once `faithctl status` shows its queues \
         empty, run this again",
    );
    Ok(())
}

/// How many traces there are in each place; the last number is that of the audit's entries.
type Numbers = [u64; TRACES.len() + 1];

async fn count(client: &Client, campus: Uuid, member: &str) -> anyhow::Result<Numbers> {
    let mut numbers = Numbers::default();
    let traces = TRACES.iter().map(|(_, traces)| traces.replacen(" USING ", ", ", 1));
    for (number, traces) in numbers.iter_mut().zip(traces.chain([AUDITED.to_owned()])) {
        let query = format!("SELECT count(*) FROM {traces}");
        let row = client
            .query_one(&query, &[&campus, &member])
            .await
            .map_err(DatabaseError::during("count what is logged of the member"))?;
        *number = row.get::<_, i64>(0).unsigned_abs();
    }
    Ok(numbers)
}

/// Entries of the audit that name the member, as the function that takes the id out finds them.
const AUDITED: &str = "operator_log WHERE (campus_id = $1 OR campus_id IS NULL)
    AND position(to_jsonb($2::text)::text IN subject::text) > 0
    AND without_member(subject, $2, false) <> subject";

/// Of deliveries that a worker writes at this moment: it notes what they went through only while it holds their rows.
const LOCK_LOG: &str = "
    SELECT FROM webhook_logs WHERE campus_id = $1 AND member_id = $2 ORDER BY received_at, id FOR UPDATE";

/// All or nothing: a half-erased person is still there. The log before the letters, as everybody who touches both.
async fn erase(
    client: &mut Client,
    campus: Uuid,
    member: &str,
    change: &Change,
) -> Result<Numbers, database::Error> {
    let transaction = client.transaction().await?;
    transaction.execute(LOCK_LOG, &[&campus, &member]).await?;
    let mut numbers = Numbers::default();
    let mut subject = json!({"member": "(erased)"});
    for (number, (name, traces)) in numbers.iter_mut().zip(TRACES) {
        *number = if name == OPERATIONS {
            let erase = "SELECT erase_from_operations($1, $2)";
            let row = transaction.query_one(erase, &[&campus, &member]).await?;
            row.get::<_, i64>(0).unsigned_abs()
        } else {
            let statement = format!("DELETE FROM {traces}");
            transaction.execute(&statement, &[&campus, &member]).await?
        };
        subject[name] = json!(*number);
    }
    // Noted first: without that, nothing is taken out of the audit.
    let recorded = change.record(&transaction, Some(campus), &subject).await?;
    let entries = store::audit::erase(&transaction, campus, member).await?;
    numbers[TRACES.len()] = entries.unsigned_abs();
    transaction.commit().await?;
    change.settled();
    recorded.committed();
    Ok(numbers)
}

fn report_question(found: &Numbers) {
    say(&format!("found {}", sentence(found)));
}

fn report(arguments: &Arguments, what: &str, numbers: &Numbers) -> anyhow::Result<()> {
    if arguments.output.is_json() {
        let mut object = json!({"dry_run": arguments.dry_run});
        let names = TRACES.iter().map(|(name, _)| *name).chain(["audit_entries"]);
        for (number, name) in numbers.iter().zip(names) {
            object[name] = json!(number);
        }
        return output::object(&object);
    }
    output::line(&format!("{what} {}", sentence(numbers)))
}

fn sentence(numbers: &Numbers) -> String {
    let [attempts, deliveries, letters, changes, rows, links, operations, entries] = numbers;
    format!(
        "{deliveries} deliveries, {attempts} attempts, {letters} dead letters, {changes} changes of runs, {rows} remembered rows, \
         {links} links, and the id in {operations} operations and {entries} entries of the audit"
    )
}
