//! Many random changes at once, always the same ones for the same seed.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::church::Church;
use super::core::{Core, CoreError};
use super::dice::Dice;
use super::document::Document;
use super::outbox::Webhook;

/// What to change.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RandomChanges {
    /// The same seed on the same members makes the same changes.
    pub seed: u64,
    /// How many.
    pub count: u64,
    /// Only in this church.
    pub church_id: Option<String>,
    /// Webhooks of creations, updates and deletions: null as the sender is switched, else forced or
    /// none.
    pub webhooks: Option<bool>,
}

impl Default for RandomChanges {
    fn default() -> Self {
        Self { seed: 1, count: 1, church_id: None, webhooks: None }
    }
}

/// What was changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ChangeCounts {
    /// Members created.
    pub created: u64,
    /// Members with other values.
    pub updated: u64,
    /// Members made inactive, or active again.
    pub toggled: u64,
    /// Members deleted softly.
    pub deleted: u64,
    /// Members taken back out of the trash.
    pub restored: u64,
    /// Members removed for good, from the trash.
    pub purged: u64,
}

/// Values come from members that no church has, so far out that no import reaches them.
const FIRST_DONOR: u64 = 1 << 38;

impl Core {
    /// Makes random changes: most are updates, some of each other kind.
    pub fn random_changes(&self, changes: &RandomChanges) -> Result<ChangeCounts, CoreError> {
        let churches: Vec<&Church> = match &changes.church_id {
            Some(id) => vec![self.church(id)?],
            None => self.churches.iter().map(AsRef::as_ref).collect(),
        };
        let mut run = Run {
            core: self,
            dice: Dice::new(&[self.seed, changes.seed, u64::MAX - 1]),
            webhook: match changes.webhooks {
                None => Webhook::AsUsual,
                Some(true) => Webhook::Forced,
                Some(false) => Webhook::Silent,
            },
            created: Vec::new(),
            trash: churches
                .iter()
                .flat_map(|church| church.changed_ids(|member| member.is_true("is_deleted")))
                .collect(),
            churches,
            counts: ChangeCounts::default(),
        };
        if !run.churches.is_empty() {
            for _ in 0..changes.count {
                run.step()?;
            }
        }
        Ok(run.counts)
    }
}

struct Run<'a> {
    core: &'a Core,
    dice: Dice,
    webhook: Webhook,
    churches: Vec<&'a Church>,
    created: Vec<String>,
    trash: Vec<String>,
    counts: ChangeCounts,
}

impl<'a> Run<'a> {
    fn step(&mut self) -> Result<(), CoreError> {
        // FaithFlow does not tell of restoring and purging, and no more does this.
        match self.dice.below(100) {
            0..4 if !self.trash.is_empty() => {
                let id = take(&mut self.trash, &mut self.dice);
                self.core.restore(&id, Webhook::Silent)?;
                self.counts.restored += 1;
                return Ok(());
            }
            4..8 if !self.trash.is_empty() => {
                let id = take(&mut self.trash, &mut self.dice);
                self.core.purge(&id, Webhook::Silent)?;
                self.counts.purged += 1;
                return Ok(());
            }
            8..20 => return self.create(),
            _ => {}
        }
        let Some(id) = self.someone() else { return self.create() };
        match self.dice.below(80) {
            0..12 => {
                self.core.delete(&id, self.webhook)?;
                self.trash.push(id);
                self.counts.deleted += 1;
            }
            12..18 => {
                let member = self.core.member(&id).ok_or(CoreError::NoMember)?;
                let mut patch = Document::new();
                patch.set("is_active", !member.is_true("is_active"));
                self.core.change(&id, patch, self.webhook)?;
                self.counts.toggled += 1;
            }
            _ => {
                let patch = self.patch();
                self.core.change(&id, patch, self.webhook)?;
                self.counts.updated += 1;
            }
        }
        Ok(())
    }

    fn create(&mut self) -> Result<(), CoreError> {
        let church = self.church();
        let mut fields = self.donor();
        for key in
            ["id", "church_id", "created_at", "updated_at", "personal_qr_data", "personal_id_code"]
        {
            fields.remove(key);
        }
        let changed = self.core.create(&church.id, fields, self.webhook)?;
        self.created.extend(changed.member.text("id").map(str::to_owned));
        self.counts.created += 1;
        Ok(())
    }

    /// Someone who is not deleted: most are generated, some were created in this run.
    fn someone(&mut self) -> Option<String> {
        (0..32).find_map(|_| {
            let id = if !self.created.is_empty() && self.dice.per_mille(150) {
                pick(&self.created, &mut self.dice)?.clone()
            } else {
                let church = self.church();
                church.generator.id(self.dice.below(church.rows()))
            };
            self.core.member(&id).filter(|member| !member.is_true("is_deleted")).map(|_| id)
        })
    }

    /// One to three values of someone else.
    fn patch(&mut self) -> Document {
        let donor = self.donor();
        let mut patch = Document::new();
        for _ in 0..self.dice.between(1, 3) {
            let keys: &[&str] = match self.dice.below(8) {
                0 | 1 => &["full_name", "first_name", "last_name"],
                2 | 3 => &["phone_whatsapp", "phone"],
                4 => &["date_of_birth"],
                5 => &["gender", "marital_status"],
                6 => &["member_status"],
                _ => &["photo_filename", "photo_base64"],
            };
            for key in keys {
                if let Some(value) = donor.get(key) {
                    patch.set((*key).to_owned(), value.clone());
                }
            }
        }
        patch
    }

    fn donor(&mut self) -> Document {
        let row = FIRST_DONOR + self.dice.below(1 << 30);
        let mut donor = self.churches[0].generator.member(row);
        if let Some(Value::String(_)) = donor.get("photo_url") {
            donor.remove("photo_url");
        }
        donor
    }

    fn church(&mut self) -> &'a Church {
        let index = self.dice.below(self.churches.len() as u64);
        self.churches[usize::try_from(index).unwrap_or(0)]
    }
}

fn pick<'a, T>(choices: &'a [T], dice: &mut Dice) -> Option<&'a T> {
    choices.get(usize::try_from(dice.below(choices.len() as u64)).unwrap_or(0))
}

fn take(choices: &mut Vec<String>, dice: &mut Dice) -> String {
    let index = usize::try_from(dice.below(choices.len() as u64)).unwrap_or(0);
    choices.swap_remove(index)
}
