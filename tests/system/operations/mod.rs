//! What operators ask for and programs carry out: one at a time on the same letters, whatever becomes of who asked and of
//! who carries it out.

mod control;
mod overlap;
mod random;
mod resync;
mod runs;
mod waiting;

use harness::TestSystem;
use serde_json::Value;

use crate::dead_letters::mailbox::Mailbox;

impl Mailbox<'_> {
    /// Asks for an operation on letters without watching it, and answers its id.
    async fn ask(&self, arguments: &[&str]) -> String {
        let asked = self.run(&[arguments, &["--yes", "--detach", "--json"]].concat()).await.json();
        asked["operation_id"].as_str().unwrap().to_owned()
    }
}

/// What `operations show` says of one.
async fn show(system: &TestSystem, id: &str) -> Value {
    system.faithctl(&["operations", "show", id, "--json"]).await.json()
}

/// An operation's row.
async fn row(system: &TestSystem, id: &str) -> Value {
    let query = "SELECT * FROM operations WHERE id::text = $1";
    system.database.rows(query, &[&id]).await.remove(0)
}

/// What a worker holds that was killed is free after half a minute; nobody waits for that here.
async fn end_leases(system: &TestSystem) {
    let end = "UPDATE operations SET lease_until = now() WHERE lease_until IS NOT NULL";
    system.database.client().batch_execute(end).await.unwrap();
}
