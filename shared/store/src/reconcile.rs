//! The guarded write as the reconciler uses it: the same claim, decision and columns as for a
//! webhook, and a brake on archives and returns that is counted in the transaction that makes them.

use std::collections::{BTreeSet, HashMap, HashSet};

use database::{Client, Error, Transaction};
use uuid::Uuid;

use crate::{
    ArchiveChange, Finding, Observation,
    archive_limit::{self, Made},
    commit::{Archives, CommitStatements, SetAside, Written, write_members},
    decide::{Change, Columns, Decision, decide, withhold},
    link::{self, Choice, LinkStatements, Linked, Unasked},
    members::{self, Existing},
    photos::{self, PhotoChange},
};

/// How far a reconciliation may go.
#[derive(Debug, Clone)]
pub struct Mandate {
    /// The run, a row of `sync_logs`.
    pub run: Uuid,
    /// The campus that every observation must be of.
    pub campus: Uuid,
    /// The configuration that the run began with, by its `synced_version`; nothing is written under
    /// another.
    pub config_version: i64,
    /// How many it may archive or bring back; `None`: nobody.
    pub brake: Option<Brake>,
}

/// The brake on archives and returns.
#[derive(Debug, Clone)]
pub struct Brake {
    /// Of each in a day, those of earlier runs and of events included.
    pub most_a_day: u64,
    /// Members whom an operator let through: they are not counted, and nothing that was counted is in
    /// their way.
    pub allowed: HashSet<String>,
}

/// What became of a batch.
#[derive(Debug)]
pub enum Reconciliation {
    /// It is on disk; what each observation did, in the order of the batch. None where the row that it would
    /// take over is kept by somebody else: nothing was written for it.
    Done(Vec<Option<Effect>>),
    /// It would have archived, or brought back, more than the brake lets through: nothing was written.
    Braked,
    /// The campus's configuration is another one by now: nothing was written.
    ConfigurationChanged,
}

/// What an observation did to its member's row.
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own, and counted")]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effect {
    /// Something else about the member was applied since the read began: read again.
    pub refused: bool,
    /// A later read is in already.
    pub superseded: bool,
    /// The row was made.
    pub created: bool,
    /// It took over the row of somebody who was here; what else was written then is no change of its own.
    pub linked: Option<Linked>,
    /// Columns other than the archive's and the age were written, or an archive has another reason.
    pub updated: bool,
    /// Which columns those were, and `photo`.
    pub changed: Vec<&'static str>,
    /// It was archived, or an archive of ours was lifted.
    pub archive: Option<ArchiveChange>,
    /// The same should be, and was not.
    pub withheld: Option<ArchiveChange>,
}

impl Effect {
    pub(crate) fn refused() -> Self {
        Self { refused: true, ..Self::default() }
    }

    pub(crate) fn superseded() -> Self {
        Self { superseded: true, ..Self::default() }
    }

    /// What a decision does to a row, which may be one that was taken over. What is withheld is taken out of the
    /// decision; but whoever takes over an archive of ours comes back with that, as a new member would come.
    pub(crate) fn of(
        before: Option<&Columns>,
        decision: &mut Decision,
        linked: Option<Linked>,
        is_withheld: bool,
    ) -> Self {
        let comes_back = linked.is_some() && before.is_some_and(|columns| columns.is_archived);
        let withheld = if is_withheld && !comes_back { withhold(before, decision) } else { None };
        let effect = Self { linked, withheld, ..Self::default() };
        match (before, &decision.change) {
            (_, Change::Insert(_)) => Self { created: true, ..effect },
            (Some(before), Change::Update(Some(after))) => {
                let mut changed = before.differing(after);
                let is_archive_kept = before.is_archived && after.is_archived;
                if is_archive_kept && before.archived_reason != after.archived_reason {
                    changed.push("archived_reason");
                }
                Self {
                    updated: !changed.is_empty(),
                    changed,
                    archive: before.archive_change(after),
                    ..effect
                }
            }
            _ => effect,
        }
    }

    /// The photo of a row that was there already is another one.
    pub(crate) fn note_photo(&mut self) {
        self.updated = true;
        self.changed.push("photo");
    }
}

impl Columns {
    /// The columns that differ, but for the archive's, and the age, which follows the calendar.
    fn differing(&self, other: &Self) -> Vec<&'static str> {
        [
            ("name", self.name == other.name),
            ("phone", self.phone == other.phone),
            ("gender", self.gender == other.gender),
            ("birth_date", self.birth_date == other.birth_date),
            ("photo_url", self.photo_url == other.photo_url),
            ("category", self.category == other.category),
        ]
        .into_iter()
        .filter_map(|(column, is_alike)| (!is_alike).then_some(column))
        .collect()
    }

    fn archive_change(&self, other: &Self) -> Option<ArchiveChange> {
        match (self.is_archived, other.is_archived) {
            (false, true) => {
                Some(ArchiveChange::Archive(other.archived_reason.clone().unwrap_or_default()))
            }
            (true, false) => Some(ArchiveChange::Lift),
            _ => None,
        }
    }
}

/// Locked: whoever changes the configuration waits for the commit, or is waited for, and so does a
/// second run, should one ever come about, which would count archives without seeing these.
const VERSION: &str =
    "SELECT synced_version FROM sync_configs WHERE campus_id = $1 FOR NO KEY UPDATE";

/// Commits a batch; see [`crate::SyncWriter::reconcile`].
pub(crate) async fn reconcile(
    client: &mut Client,
    statements: &CommitStatements,
    batch: &[&Observation],
    mandate: &Mandate,
) -> Result<Reconciliation, Error> {
    let mut places: Vec<usize> = (0..batch.len()).collect();
    loop {
        let part: Vec<&Observation> = places.iter().map(|place| batch[*place]).collect();
        match once(client, statements, &part, mandate).await? {
            Once::Done(effects) => {
                let mut all = vec![None; batch.len()];
                for (place, effect) in places.into_iter().zip(effects) {
                    all[place] = Some(effect);
                }
                return Ok(Reconciliation::Done(all));
            }
            Once::Forbidden(reconciliation) => return Ok(reconciliation),
            Once::SetAside(set_aside) => {
                let rest = places.iter().enumerate();
                let rest = rest.filter(|(number, _)| !set_aside.contains_key(number));
                places = rest.map(|(_, place)| *place).collect();
            }
        }
    }
}

/// What became of one transaction.
enum Once {
    Done(Vec<Effect>),
    Forbidden(Reconciliation),
    /// Nothing was written, because of these.
    SetAside(HashMap<usize, SetAside>),
}

async fn once(
    client: &mut Client,
    statements: &CommitStatements,
    batch: &[&Observation],
    mandate: &Mandate,
) -> Result<Once, Error> {
    let transaction = client.transaction().await?;
    let version = transaction.query_opt(VERSION, &[&mandate.campus]).await?;
    if version.is_none_or(|row| row.get::<_, i64>(0) != mandate.config_version) {
        return Ok(Once::Forbidden(Reconciliation::ConfigurationChanged));
    }
    let archives = match mandate.brake {
        Some(_) => Archives::Made,
        None => Archives::Withheld,
    };
    if mandate.brake.is_some() {
        archive_limit::lock(&transaction, &HashSet::from([mandate.campus])).await?;
    }
    let Written { effects, set_aside, .. } =
        write_members(&transaction, statements, batch, archives).await?;
    if !set_aside.is_empty() {
        transaction.rollback().await?;
        return Ok(Once::SetAside(set_aside));
    }
    if let Some(brake) = &mandate.brake
        && is_braked(&transaction, mandate, brake, batch, &effects).await?
    {
        return Ok(Once::Forbidden(Reconciliation::Braked));
    }
    transaction.commit().await?;
    Ok(Once::Done(effects))
}

/// Puts down what was archived and brought back, and says whether that is more than the brake lets through.
async fn is_braked(
    transaction: &Transaction<'_>,
    mandate: &Mandate,
    brake: &Brake,
    batch: &[&Observation],
    effects: &[Effect],
) -> Result<bool, Error> {
    let changes: Vec<Made<'_>> = batch
        .iter()
        .zip(effects)
        .filter_map(|(observation, effect)| {
            Some(Made {
                campus: mandate.campus,
                member: &observation.member,
                change: effect.archive.as_ref()?,
                is_allowed: brake.allowed.contains(&observation.member),
            })
        })
        .collect();
    archive_limit::record(transaction, Some(mandate.run), &changes).await?;
    let counted: BTreeSet<&str> =
        changes.iter().filter(|made| !made.is_allowed).map(|made| made.change.kind()).collect();
    for kind in counted {
        if archive_limit::made(transaction, mandate.campus, kind).await? > brake.most_a_day {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Who of a batch was ever heard of.
const HEARD_OF: &str = "
    SELECT s.campus_id, s.external_member_id FROM unnest($1::uuid[], $2::text[]) AS k(campus_id, member_id)
    JOIN member_sync s ON s.campus_id = k.campus_id AND s.external_member_id = k.member_id";

/// What a batch would do; see [`crate::SyncWriter::preview`].
pub(crate) async fn preview(client: &Client, batch: &[&Observation]) -> Result<Vec<Effect>, Error> {
    let mut existing = members::peek(client, batch).await?;
    let mut linked = preview_links(client, batch, &mut existing).await?;
    let row =
        |observation: &Observation| existing.get(&(observation.campus, observation.member.clone()));
    let photos: Vec<PhotoChange<'_>> = batch
        .iter()
        .filter_map(|observation| {
            let Finding::Read(verdict) = &observation.finding else { return None };
            let photo = &verdict.profile()?.photo;
            Some(PhotoChange { campus: observation.campus, member: row(observation)?.id, photo })
        })
        .collect();
    let photos: HashSet<Uuid> =
        photos::differing(client, &photos).await?.iter().map(|change| change.member).collect();
    Ok(batch
        .iter()
        .enumerate()
        .map(|(place, observation)| {
            let row = row(observation);
            let columns = row.map(|row| &row.columns);
            let mut decision = decide(columns, &observation.finding);
            let mut effect = Effect::of(columns, &mut decision, linked.remove(&place), true);
            if row.is_some_and(|row| photos.contains(&row.id)) {
                effect.note_photo();
            }
            effect
        })
        .collect())
}

/// The rows that would be taken over, put beside those that the batch's members have.
async fn preview_links(
    client: &Client,
    batch: &[&Observation],
    existing: &mut HashMap<(Uuid, String), Existing>,
) -> Result<HashMap<usize, Linked>, Error> {
    let campuses: Vec<Uuid> = batch.iter().map(|observation| observation.campus).collect();
    let members: Vec<&str> = batch.iter().map(|observation| observation.member.as_str()).collect();
    let rows = client.query(HEARD_OF, &[&campuses, &members]).await?;
    let heard_of: HashSet<(Uuid, String)> =
        rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let key = |place: usize| (batch[place].campus, batch[place].member.clone());
    let wishes: Vec<usize> = (0..batch.len())
        .filter(|place| {
            let key = key(*place);
            !heard_of.contains(&key) && !existing.contains_key(&key)
        })
        .collect();
    let find = LinkStatements::prepare(client).await?.find;
    let choices = link::choose(client, &find, batch, &wishes, Unasked::AreThere).await?;
    let mut linked = HashMap::new();
    for (place, choice) in choices {
        if let Choice::Take(candidate) = choice {
            linked.insert(place, candidate.linked());
            if let Some(previous) = candidate.member {
                existing.remove(&(batch[place].campus, previous));
            }
            existing.insert(key(place), candidate.existing);
        }
    }
    Ok(linked)
}
