//! A campus and its church, and nights that pass on command.

use std::{collections::BTreeMap, time::Duration};

use core_sim::{Fault, FaultKind, ListShape, Options, Webhook};
use harness::{Role, TestSystem, eventually};
use serde_json::{Value, json};
use support::{
    process::peak_memory,
    program::{Finished, Program, binary},
};

/// A campus whose church has members, and whose nights pass when a test says so.
pub(super) struct Night {
    pub(super) system: TestSystem,
}

impl Night {
    /// A church of so many members, none of whom is here yet.
    pub(super) async fn new(members: u64) -> Self {
        let churches = Options::churches_of(1, 2, members);
        Self::of(Options { churches, ..Options::default() }).await
    }

    /// The same with a core of one's own making.
    pub(super) async fn of(core: Options) -> Self {
        let builder = TestSystem::builder().gateways(0).workers(0).core(core);
        Self { system: builder.spawn().await }
    }

    /// The same, with everybody here.
    pub(super) async fn imported(members: u64) -> Self {
        let night = Self::new(members).await;
        night.pass().await;
        night
    }

    /// Reconciles the campus on demand.
    pub(super) async fn run(&self, arguments: &[&str]) -> Finished {
        let all = [&["--once", "--campus", &self.system.campus.id], arguments].concat();
        self.system.reconcile(&all).await
    }

    /// A reconciler that runs once for the campus, in a process that can be watched and killed.
    pub(super) fn process(&self, name: &str) -> Program {
        let folder = self.system.folder().path();
        let program = Program::new(name, binary("reconciler").unwrap(), folder)
            .arguments(["--once", "--campus", self.system.campus.id.as_str()])
            .clean_environment()
            .variables(self.system.variables(Role::Reconciler).clone());
        program.start().unwrap();
        program
    }

    /// Reconciles the campus, which must succeed, and answers the most memory it took, in KiB.
    pub(super) async fn run_watched(&self) -> u64 {
        let program = self.process("watched");
        let process = program.process_id().unwrap();
        let mut peak = 0;
        eventually("the run ends", Duration::from_mins(2), async || {
            peak = peak_memory(process).unwrap_or(0).max(peak);
            program.ended().is_some()
        })
        .await;
        assert_eq!(program.ended().unwrap().code(), Some(0), "{}", program.log_tail(20));
        peak
    }

    /// Reconciles the campus, which must succeed, and answers the run.
    pub(super) async fn pass(&self) -> Value {
        self.run(&[]).await.success();
        self.last_run().await
    }

    /// Reconciles the campus, which must end with that exit code, and answers the run.
    pub(super) async fn ends(&self, code: i32) -> Value {
        let finished = self.run(&[]).await;
        assert_eq!(finished.code, Some(code), "{finished:?}");
        self.last_run().await
    }

    /// The newest row of `sync_logs`.
    pub(super) async fn last_run(&self) -> Value {
        let query = "SELECT * FROM sync_logs ORDER BY started_at DESC LIMIT 1";
        self.system.database.rows(query, &[]).await.remove(0)
    }

    /// A member's row.
    pub(super) async fn member(&self, id: &str) -> Value {
        let query = "SELECT * FROM members WHERE external_member_id = $1";
        let mut rows = self.system.database.rows(query, &[&id]).await;
        if rows.is_empty() { Value::Null } else { rows.remove(0) }
    }

    /// Every row that the sync writes, with the version that Postgres gave it.
    pub(super) async fn versions(&self) -> Vec<Value> {
        let query = "
            SELECT 'members' AS of, external_member_id AS id, xmin::text, ctid::text, is_archived FROM members
            UNION ALL
            SELECT 'member_sync', external_member_id, xmin::text, ctid::text, gone FROM member_sync
            UNION ALL
            SELECT 'photos', member_id::text, xmin::text, ctid::text, null FROM member_photos
            ORDER BY 1, 2";
        self.system.database.rows(query, &[]).await
    }

    /// How many are not archived.
    pub(super) async fn active(&self) -> u64 {
        let query = "SELECT count(*) AS number FROM members WHERE NOT is_archived";
        self.system.database.rows(query, &[]).await[0]["number"].as_u64().unwrap()
    }

    /// Runs statements as the superuser.
    pub(super) async fn execute(&self, statements: &str) {
        self.system.database.client().batch_execute(statements).await.unwrap();
    }

    /// The core's id of a generated member.
    pub(super) fn id(&self, row: u64) -> String {
        self.system.core.member_id(&self.system.campus.core_church_id, row).unwrap()
    }

    /// Makes a member in the core, without a webhook, and answers the id.
    pub(super) fn create(&self, fields: Value) -> String {
        let church = &self.system.campus.core_church_id;
        let created = self.system.core.create(church, fields, Webhook::Silent).unwrap();
        created.member.text("id").unwrap().to_owned()
    }

    /// Changes a member in the core, without a webhook.
    pub(super) fn change(&self, id: &str, fields: Value) {
        self.system.core.change(id, fields, Webhook::Silent).unwrap();
    }

    /// Deletes a member softly in the core, without a webhook.
    pub(super) fn delete(&self, id: &str) {
        self.system.core.delete(id, Webhook::Silent).unwrap();
    }

    /// Removes a member for good in the core.
    pub(super) fn purge(&self, id: &str) {
        self.delete(id);
        self.system.core.purge(id, Webhook::Silent).unwrap();
    }

    /// Switches a fault on, everywhere.
    pub(super) fn fault(&self, kind: FaultKind) -> u64 {
        self.system.core.add_fault(Fault::everywhere(kind))
    }

    /// The list says this of every member from now on.
    pub(super) fn list_says(&self, fields: &Value) {
        let fields = fields.as_object().unwrap().clone();
        self.system.core.set(|settings| settings.list_says = fields);
    }

    /// The list has the other shape from now on.
    pub(super) fn count_pages(&self) {
        self.system.core.set(|settings| settings.list_shape = ListShape::Pagination);
    }

    /// Every active member here has the core's name, and nobody is missing or left over.
    pub(super) async fn assert_equal(&self) {
        self.assert_equal_but("").await;
    }

    /// The same of everybody but one.
    pub(super) async fn assert_equal_but(&self, but: &str) {
        let mut expected = BTreeMap::new();
        let church = &self.system.campus.core_church_id;
        self.system
            .core
            .for_each_member(church, |member| {
                if !member.is_true("is_deleted")
                    && member.is_true("is_active")
                    && member.text("id") != Some(but)
                {
                    let name = member.text("full_name").map(str::trim).unwrap_or_default();
                    expected.insert(member.text("id").unwrap().to_owned(), name.to_owned());
                }
            })
            .unwrap();
        let query = "SELECT external_member_id AS id, name FROM members WHERE NOT is_archived";
        let rows = self.system.database.rows(query, &[]).await;
        let found: BTreeMap<String, String> = rows
            .iter()
            .map(|row| {
                let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
                (text("id"), text("name"))
            })
            .collect();
        assert_eq!(found, expected);
    }
}

/// The counts of a run: fetched, created, updated, archived, unarchived, unchanged, held.
pub(super) fn counts(run: &Value) -> Vec<i64> {
    [
        "members_fetched",
        "members_created",
        "members_updated",
        "members_archived",
        "members_unarchived",
        "members_unchanged",
        "candidates_held",
    ]
    .map(|key| run[key].as_i64().unwrap_or_else(|| panic!("{key} of {run}")))
    .to_vec()
}

/// What a run of `--json` said, however it ended.
pub(super) fn report(finished: &Finished) -> Value {
    serde_json::from_str(&finished.stdout).unwrap_or_else(|error| panic!("{error}: {finished:?}"))
}

/// Asserts that a run failed with a message that says `what`, and archived nobody.
#[track_caller]
pub(super) fn assert_failed(run: &Value, what: &str) {
    assert_eq!(run["status"], "error", "{run}");
    assert!(run["error_message"].as_str().is_some_and(|text| text.contains(what)), "{run}");
    assert_eq!(run["members_archived"], json!(0), "{run}");
}
