//! What happens between two nights: in the core, without a word of it, and here.

use std::collections::BTreeMap;

use anyhow::ensure;
use core_sim::{RandomChanges, Webhook};
use member::{CoreMember, Person};
use rand::RngExt;
use serde_json::json;

use super::{
    Model,
    people::{Here, Row},
};

const FILTERS: [&str; 4] = [
    "[]",
    r#"[{"field": "gender", "operator": "equals", "value": "Female"}]"#,
    r#"[{"field": "member_status", "operator": "not_in", "value": ["Visitor"]}]"#,
    r#"[{"field": "is_active", "operator": "is_true"}]"#,
];

impl Model {
    /// Every member of the core that is not deleted, by id.
    pub(super) fn members(&self) -> BTreeMap<String, CoreMember> {
        let mut members = BTreeMap::new();
        let church = &self.campus().core_church_id;
        let visit = |member: &core_sim::Document| {
            let member =
                serde_json::to_value(member).and_then(serde_json::from_value::<CoreMember>);
            if let Ok(member) = member
                && !member.is_deleted()
                && let Some(id) = member.id()
            {
                members.insert(id.to_owned(), member.clone());
            }
        };
        self.system.core.for_each_member(church, visit).unwrap();
        members
    }

    pub(super) async fn day(&mut self) -> anyhow::Result<()> {
        let count = self.random.random_range(0..15);
        self.system.core.random_changes(&RandomChanges {
            seed: self.random.random(),
            count,
            church_id: Some(self.campus().core_church_id.clone()),
            webhooks: Some(false),
        })?;
        if self.chance(70) {
            self.execute("UPDATE sync_changes SET changed_at = changed_at - interval '25 hours'")
                .await?;
        }
        if self.chance(20) {
            let rules = FILTERS[self.random.random_range(0..FILTERS.len())];
            self.execute(&format!("UPDATE sync_configs SET filter_rules = '{rules}'")).await?;
        }
        if self.chance(20) {
            let limit = [0, 5, 30][self.random.random_range(0..3)];
            self.execute(&format!("UPDATE sync_configs SET archive_limit = {limit}")).await?;
        }
        self.people_decide().await?;
        if self.chance(40) {
            self.make_by_hand().await?;
        }
        Ok(())
    }

    /// A person archives somebody, or takes an archive back; and a row drifts.
    async fn people_decide(&self) -> anyhow::Result<()> {
        self.execute(
            "UPDATE members SET is_archived = true, archived_reason = 'Moved away', archived_at = now()
             WHERE id = (SELECT id FROM members WHERE NOT is_archived ORDER BY random() LIMIT 1);
             UPDATE members SET is_archived = true, archived_reason = NULL, archived_at = now()
             WHERE id = (SELECT id FROM members WHERE is_archived ORDER BY random() LIMIT 1);
             UPDATE members SET is_archived = false
             WHERE id = (SELECT id FROM members WHERE is_archived ORDER BY random() LIMIT 1);
             UPDATE members SET name = 'Drifted', category = 'x'
             WHERE external_member_id IS NOT NULL
               AND id = (SELECT id FROM members ORDER BY random() LIMIT 1)",
        )
        .await
    }

    /// Somebody by hand, whom the core may have as well.
    async fn make_by_hand(&mut self) -> anyhow::Result<()> {
        let number: u32 = self.random.random_range(100_000..999_999);
        let (name, phone) = (format!("Person {number}"), format!("0812 90{number}"));
        let insert = "INSERT INTO members (campus_id, name, phone) SELECT id, $1, $2 FROM campuses";
        self.system.database.client().execute(insert, &[&name, &phone]).await?;
        if self.chance(70) {
            let fields = json!({
                "full_name": name.to_uppercase(), "phone_whatsapp": format!("6281290{number}"),
                "gender": "Female", "member_status": "Full Member",
            });
            let church = self.campus().core_church_id.clone();
            self.system.core.create(&church, fields, Webhook::Silent)?;
        }
        Ok(())
    }

    /// The core is restored from an export, with new ids: whoever can be told by phone and name keeps the
    /// row. To be called when members equal the core.
    pub(super) async fn restore(&mut self) -> anyhow::Result<()> {
        self.report.restored += 1;
        let before = Here::look(&self.system).await?;
        let church = self.campus().core_church_id.clone();
        let renumbered: BTreeMap<String, String> =
            self.system.core.renumber(&church)?.into_iter().collect();
        let numbers = self.run(&[]).await?;
        ensure!(numbers.status != "error", "{numbers:?}");
        let after = Here::look(&self.system).await?;
        let mut here: BTreeMap<String, usize> = BTreeMap::new();
        let key = |person: &Person| format!("{}", fingerprint(person));
        for person in before.0.values().filter_map(Row::person) {
            *here.entry(key(&person)).or_default() += 1;
        }
        for (id, row) in &before.0 {
            let (Some(old), Some(person)) = (&row.member, row.person()) else { continue };
            let Some(new) = renumbered.get(old) else { continue };
            let is_kept = after.by_member().contains_key(new.as_str());
            if here[&key(&person)] == 1 && is_kept {
                let now = after.0.get(id).and_then(|row| row.member.as_ref());
                ensure!(now == Some(new), "{old}, now {new}, has another row: {row:?}");
            }
        }
        Ok(())
    }
}

/// Tells people apart, and says nothing of them.
fn fingerprint(person: &Person) -> u64 {
    use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
    BuildHasherDefault::<DefaultHasher>::default().hash_one(person)
}
