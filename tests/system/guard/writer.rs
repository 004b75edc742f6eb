//! A writer as the worker is one: draw, read, commit; and begin anew when the session is lost.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use chrono::{NaiveDate, Utc};
use database::DatabaseConfig;
use member::{CoreMember, Filter, Locale};
use rand::{RngExt, rngs::StdRng};
use serde_json::json;
use store::{Commit, Finding, LinkPolicy, LockPolicy, Observation, Reads, Session, SyncWriter};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::core::{MEMBERS, ModelCore};

pub(super) struct Writer {
    pub(super) config: DatabaseConfig,
    pub(super) campus: Uuid,
    pub(super) core: Arc<ModelCore>,
    pub(super) random: StdRng,
}

impl Writer {
    /// Writes until `stop` and answers how many commits succeeded.
    pub(super) async fn run(mut self, stop: CancellationToken) -> u64 {
        let mut commits = 0;
        while !stop.is_cancelled() {
            let (session, mut writer) = self.open().await;
            while !stop.is_cancelled() && self.once(&session, &mut writer).await {
                commits += 1;
            }
        }
        commits
    }

    /// Reads each member once, quietly, until every read was applied or covered.
    pub(super) async fn read_all(mut self, members: usize) {
        let (session, mut writer) = self.open().await;
        let number = session.admit(&[]).await.unwrap().number;
        let commits: Vec<Commit> =
            (0..members).map(|member| self.observe(member, number, false)).collect();
        let outcomes =
            writer.commit(&commits.iter().collect::<Vec<_>>(), LockPolicy::Wait).await.unwrap();
        assert!(
            outcomes.iter().all(|outcome| matches!(outcome, store::Outcome::Done(_))),
            "{outcomes:?}"
        );
    }

    /// One batch: answers false when the session was lost.
    async fn once(&mut self, session: &Session, writer: &mut SyncWriter) -> bool {
        let Ok(admission) = session.admit(&[]).await else { return false };
        let members: BTreeSet<usize> = (0..self.random.random_range(1..=3))
            .map(|_| self.random.random_range(0..MEMBERS))
            .collect();
        let mut commits = Vec::new();
        for member in members {
            let changes = self.random.random_bool(0.5);
            let deletes = changes && self.random.random_bool(0.3);
            let deleted = changes && self.core.change(member, deletes);
            // A third of the deletes are taken at their word, as prompt ones are.
            let unasked = deleted && self.random.random_bool(0.3);
            self.dawdle().await;
            commits.push(self.observe(member, admission.number, unasked));
            self.dawdle().await;
        }
        let policy =
            if self.random.random_bool(0.2) { LockPolicy::SkipLocked } else { LockPolicy::Wait };
        // As in the worker, a number is good on the session that drew it only: both halves of it
        // stood when it was drawn, and the writing half still stands.
        match writer.commit(&commits.iter().collect::<Vec<_>>(), policy).await {
            Ok(_) => true,
            Err(error) => {
                let fault = database::fault(&error);
                assert_ne!(fault, database::Fault::Row, "{error}");
                fault != database::Fault::Session
            }
        }
    }

    /// Reads the model now; the number was drawn before.
    fn observe(&mut self, member: usize, number: i64, unasked: bool) -> Commit {
        let member = member.to_string();
        let (version, deleted) = self.core.read(&member);
        let finding = match (unasked, deleted) {
            (true, _) => Finding::DeleteUnasked,
            (false, true) => Finding::ReadGone,
            (false, false) => alive(version),
        };
        Commit::Member(Box::new(Observation {
            campus: self.campus,
            member,
            seen_from: number,
            first_drawn: number,
            config_version: 1,
            finding,
            link: LinkPolicy::Never,
            occurred_at: None,
            received_at: Some(Utc::now()),
            entries: Vec::new(),
        }))
    }

    /// Lets others in between; how long is the schedule that is explored.
    async fn dawdle(&mut self) {
        if self.random.random_bool(0.5) {
            tokio::time::sleep(Duration::from_micros(self.random.random_range(0..5_000))).await;
        }
    }

    async fn open(&self) -> (Session, SyncWriter) {
        let deadline = Instant::now() + Duration::from_mins(1);
        loop {
            match Session::open(&self.config, Reads::ByKeys).await {
                Ok(session) => return session,
                Err(error) => assert!(Instant::now() < deadline, "no session: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

fn alive(version: u64) -> Finding {
    let member = json!({"id": "m", "full_name": format!("version {version}"), "is_active": true});
    let member: CoreMember = serde_json::from_value(member).unwrap();
    let today = NaiveDate::from_ymd_opt(2026, 11, 23).unwrap();
    let locale = Locale { country: "ID".parse().unwrap(), today };
    member::map(&member, &Filter::default(), &locale).unwrap().into()
}
