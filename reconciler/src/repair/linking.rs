//! Members that were never seen and are here already, by hand or under an id of the core's that is gone: what
//! must be known of all of them before the first is created (rule reconciler-12). Each is told and taken over in the transaction
//! that writes it (`store`), as for an event.

use std::{
    collections::{HashMap, HashSet},
    pin::pin,
    sync::Arc,
};

use database::DatabaseError;
use futures_util::TryStreamExt;
use member::Person;
use store::{LinkEvidence, LinkPolicy};

use crate::{
    diff::Differences,
    error::RunError,
    repair::fetch::{self, CoreAnswer},
    report::counters::RunCounters,
    run::context::Run,
};

/// Who of the list is not here, `$1` being the campus: the ones to be created, and those of whom only the id
/// can tell.
macro_rules! unknown {
    () => {
        "candidates c JOIN listed l ON l.member = c.member
         WHERE c.reason IN ('unseen', 'doubtful') AND l.phone IS NOT NULL AND l.name IS NOT NULL
           AND NOT EXISTS (SELECT FROM members m WHERE m.campus_id = $1 AND m.external_member_id = l.member)"
    };
}

/// Those with one phone, beside each other.
const SHARED_PHONES: &str = concat!(
    "SELECT member, name, phone FROM (
         SELECT l.member, l.name, l.phone, count(*) OVER (PARTITION BY l.phone) AS number FROM ",
    unknown!(),
    ") AS of_one_phone WHERE number > 1 ORDER BY phone"
);

/// Archived members who are not listed and of whom it is not known that they are gone: nobody asks for these
/// otherwise, and one that is listed under a new id may be the same.
const ARCHIVED: &str = concat!(
    "WITH unknown AS (SELECT DISTINCT phone_tail(l.phone) AS tail FROM ",
    unknown!(),
    ")
     SELECT DISTINCT m.external_member_id FROM unknown u
     JOIN members m ON m.campus_id = $1 AND m.phone IS NOT NULL AND phone_tail(m.phone) = u.tail
     LEFT JOIN member_sync s ON s.campus_id = $1 AND s.external_member_id = m.external_member_id
     WHERE m.is_archived AND m.external_member_id IS NOT NULL AND NOT coalesce(s.gone, false)
       AND NOT EXISTS (SELECT FROM listed l WHERE l.member = m.external_member_id)"
);

const ANYBODY: &str = "SELECT EXISTS (SELECT FROM members WHERE campus_id = $1)";

/// So many are asked for at a time.
const AT_A_TIME: usize = 256;

/// Who may take over a row in a run.
#[derive(Debug, Default)]
pub(super) struct Links {
    /// Of everybody who is not contested.
    policy: LinkPolicy,
    /// Several of the core's members are one person by phone and name: which of them is the one here is
    /// not to be told, and all are created.
    contested: HashSet<String>,
    /// Whom the core called gone, and of whom nothing of that is written down.
    gone: Arc<HashSet<String>>,
}

impl Links {
    /// Whether this member may.
    pub(super) fn of(&self, member: &str) -> LinkPolicy {
        match &self.policy {
            LinkPolicy::Allowed(evidence) if !self.contested.contains(member) => {
                let gone = Arc::clone(&self.gone);
                LinkPolicy::Allowed(LinkEvidence { gone, ..evidence.clone() })
            }
            _ => LinkPolicy::Never,
        }
    }

    /// Notes whom the core called gone.
    pub(super) fn note<'a>(&mut self, answers: impl Iterator<Item = (&'a str, &'a CoreAnswer)>) {
        let is_gone = |answer: &CoreAnswer| matches!(answer, CoreAnswer::Found(finding, _) if finding.is_gone());
        let mut gone = answers.filter(|(_, answer)| is_gone(answer)).peekable();
        if gone.peek().is_some() {
            Arc::make_mut(&mut self.gone).extend(gone.map(|(member, _)| member.to_owned()));
        }
    }

    /// Asks whether the core still has these. Nothing is written of it: they are archived.
    pub(super) async fn ask(
        &mut self,
        run: &Run,
        counters: &mut RunCounters,
        members: &[String],
    ) -> Result<(), RunError> {
        let mut rest: Vec<&str> = members.iter().map(String::as_str).collect();
        while !rest.is_empty() {
            let batch = &rest[..rest.len().min(AT_A_TIME)];
            let answers = fetch::answers(run, counters, batch).await?;
            self.note(rest.iter().copied().zip(&answers));
            rest.drain(..answers.len());
        }
        Ok(())
    }
}

/// Finds out what must be known before anybody is created, and who else is to be asked about.
pub(super) async fn prepare(
    run: &Run,
    found: Differences,
) -> Result<(Links, Vec<String>), RunError> {
    let (client, campus) = (run.client(), run.campus.id);
    let failed = || DatabaseError::during("look for people who are here already");
    if !run.campus.config.link_members || found.unseen + found.doubtful == 0 {
        return Ok(Default::default());
    }
    // Into an empty campus everybody is new.
    if !client.query_one(ANYBODY, &[&campus]).await.map_err(failed())?.get::<_, bool>(0) {
        return Ok(Default::default());
    }
    let contested = contested(run).await?;
    let archived = client.query(ARCHIVED, &[&campus]).await.map_err(failed())?;
    let links = Links { policy: run.campus.config.link(), contested, gone: Arc::default() };
    Ok((links, archived.iter().map(|row| row.get(0)).collect()))
}

/// Members of the core who are several, and one person by phone and name. One phone after the other: a list may
/// have many.
async fn contested(run: &Run) -> Result<HashSet<String>, DatabaseError> {
    let failed = || DatabaseError::during("look for people who are here already");
    let rows = run.client().query_raw(SHARED_PHONES, [&run.campus.id]).await.map_err(failed())?;
    let mut rows = pin!(rows);
    let mut contested = HashSet::new();
    let mut people: HashMap<Person, Vec<String>> = HashMap::new();
    let mut phone: Option<String> = None;
    while let Some(row) = rows.try_next().await.map_err(failed())? {
        let own: Option<String> = row.get("phone");
        if phone != own {
            contest(&mut contested, &mut people);
            phone = own;
        }
        let person = Person::of(row.get("name"), row.get("phone"), run.campus.config.country);
        if let Some(person) = person {
            people.entry(person).or_default().push(row.get("member"));
        }
    }
    contest(&mut contested, &mut people);
    Ok(contested)
}

/// Of people with one phone, those with one name too.
fn contest(contested: &mut HashSet<String>, people: &mut HashMap<Person, Vec<String>>) {
    for (_, members) in people.drain().filter(|(_, members)| members.len() > 1) {
        contested.extend(members);
    }
}
