//! The campuses, their core, and what happens in it between two nights.

use std::time::Instant;

use core_sim::{DEFAULT_PASSWORD, Options, Webhook};
use harness::{Campus, TestSystem};
use serde_json::{Value, json};

use super::{options::Nights, usage};
use crate::churches::make_due;

/// Every so many members one drifts.
const DRIFT: u64 = 100;

/// Campuses whose nights are measured.
pub(super) struct TestBed {
    pub(super) system: TestSystem,
    pub(super) campuses: Vec<Campus>,
    emails: Vec<String>,
    pub(super) members_each: u64,
    pub(super) pool_size: Option<u32>,
    pub(super) postmaster: i32,
}

/// What a client that does nothing but fetch all pages took.
#[derive(Debug, Clone)]
pub(super) struct Pages {
    pub(super) seconds: f64,
    pub(super) megabytes: u64,
}

impl TestBed {
    /// Starts everything; the campuses are empty, and old enough for their nights to be due.
    pub(super) async fn new(nights: &Nights, members: u64) -> Self {
        let members_each = members / nights.campuses as u64;
        let mut core = Options {
            churches: Options::churches_of(1, nights.campuses, members_each),
            count_members: false,
            prebuilt: true,
            ..Options::default()
        };
        core.settings.login_limit = None;
        let churches = core.churches.clone();
        let system =
            TestSystem::builder().own_servers().gateways(0).workers(0).core(core).spawn().await;
        let mut campuses = vec![system.campus.clone()];
        for church in &churches[1..] {
            campuses.push(system.add_campus(church, &[]).await);
        }
        // At night the tokens are there; a core's budget of logins is not what is measured.
        for campus in &campuses {
            system.database.client().batch_execute("DELETE FROM core_logins").await.unwrap();
            system.faithctl(&["campus", "test-connection", &campus.id]).await.success();
        }
        make_due(&system).await;
        let data: Value = system
            .database
            .rows("SELECT current_setting('data_directory') AS folder", &[])
            .await
            .remove(0);
        Self {
            postmaster: usage::postmaster(data["folder"].as_str().unwrap()),
            emails: churches.into_iter().map(|church| church.email).collect(),
            pool_size: nights.pool_size,
            system,
            campuses,
            members_each,
        }
    }

    /// Fetches all pages and drops them.
    pub(super) async fn pages(&self) -> Pages {
        let base = format!("{}/api", self.system.core.base_url());
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut tokens = Vec::new();
        for email in &self.emails {
            let login = json!({"email": email, "password": DEFAULT_PASSWORD});
            let request = client.post(format!("{base}/auth/login")).json(&login);
            let answer: Value = request.send().await.unwrap().json().await.unwrap();
            tokens.push(answer["access_token"].as_str().unwrap().to_owned());
        }
        let begun = Instant::now();
        let mut bytes = 0;
        for token in &tokens {
            for skip in (0..=self.members_each).step_by(1000) {
                let url = format!("{base}/members/?skip={skip}&limit=1000");
                let answer = client.get(url).bearer_auth(token).send().await.unwrap();
                bytes += answer.bytes().await.unwrap().len() as u64;
            }
        }
        Pages { seconds: begun.elapsed().as_secs_f64(), megabytes: bytes / 1_000_000 }
    }

    /// Lets Postgres do between nights what it does by itself in the course of a day.
    pub(super) async fn settle(&self) {
        self.system.database.client().batch_execute("VACUUM ANALYZE").await.unwrap();
    }

    /// Changes every hundredth member in the core, others in each round: most have another name, some
    /// are deleted, deactivated, or new.
    pub(super) fn drift(&self, round: u64) {
        let core = &self.system.core;
        for campus in &self.campuses {
            let church = &campus.core_church_id;
            for (number, row) in
                (round..self.members_each).step_by(usize::try_from(DRIFT).unwrap()).enumerate()
            {
                let id = core.member_id(church, row).unwrap();
                match number % 10 {
                    0 => _ = core.delete(&id, Webhook::Silent),
                    1 => _ = core.change(&id, json!({"is_active": false}), Webhook::Silent),
                    2 => {
                        let name = format!("New {round} {number}");
                        core.create(church, json!({"full_name": name}), Webhook::Silent).unwrap();
                    }
                    _ => {
                        let name = format!("Renamed {round} {number}");
                        _ = core.change(&id, json!({"full_name": name}), Webhook::Silent);
                    }
                }
            }
        }
    }
}
