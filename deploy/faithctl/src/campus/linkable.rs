//! Who of a core's members is here already, made by hand: they would be linked and not doubled.

use std::collections::{HashMap, HashSet};

use anyhow::Context;
use database::{Client, DatabaseError, Pool};
use member::{CoreMember, Person, Profile};
use store::PostgresTokens;
use uuid::Uuid;

use super::{
    CampusCore, connection,
    login::{self, LoginError},
};
use crate::{environment::Environment, failure::say};

const MADE_BY_HAND: &str = "
    SELECT name, phone FROM members WHERE campus_id = $1 AND external_member_id IS NULL AND phone IS NOT NULL";

/// Rows of a page of the list.
const PAGE: u32 = 200;

/// Says how many would be linked, where anybody was made by hand. A core that cannot be asked now is no
/// reason to fail: the campus is saved.
pub(super) async fn tell(client: &Client, environment: &Environment, id: Uuid) {
    match count(client, environment, id).await {
        Ok(Some((linked, here))) => say(&format!(
            "{linked} of {here} people who were made by hand would be linked with members of the core; \
             `reconciler --once --campus {id} --dry-run` lists them, `campus set {id} --link-members off` prevents it"
        )),
        Ok(None) => {}
        Err(error) => say(&format!(
            "how many people who were made by hand would be linked is not known: {error:#}"
        )),
    }
}

/// How many would be linked, and of how many; none where nobody was made by hand.
async fn count(
    client: &Client,
    environment: &Environment,
    id: Uuid,
) -> anyhow::Result<Option<(usize, usize)>> {
    let rows = client
        .query(MADE_BY_HAND, &[&id])
        .await
        .map_err(DatabaseError::during("read whom the campus has"))?;
    if rows.is_empty() {
        return Ok(None);
    }
    let core =
        CampusCore::load(client, &environment.sealer()?, &environment.allowed_hosts()?, id).await?;
    let mut here: HashMap<Person, usize> = HashMap::new();
    for row in &rows {
        if let Some(person) = Person::of(row.get(0), row.get(1), core.config.country) {
            *here.entry(person).or_default() += 1;
        }
    }
    let listed = listed(environment, &core).await?;
    let linked = here
        .iter()
        .filter(|(person, number)| **number == 1 && listed.get(person) == Some(&1))
        .count();
    Ok(Some((linked, rows.len())))
}

/// The people of the core's list, with how many of its members each is.
async fn listed(
    environment: &Environment,
    core: &CampusCore,
) -> anyhow::Result<HashMap<Person, usize>> {
    let api = connection::core_client(environment)?;
    let pool = Pool::new(&environment.database()?)?;
    let tokens = PostgresTokens::new(pool, environment.sealer()?);
    let token = match login::log_in(core, &api, &tokens).await {
        Ok(login) => login.token,
        Err(LoginError::Core(error)) => return Err(login::explained(error, core)),
        Err(LoginError::Other(error)) => return Err(error),
    };
    let (mut ids, mut people) = (HashSet::new(), HashMap::new());
    let mut skip = 0;
    loop {
        let page = api
            .page(&core.endpoint, &token, skip, PAGE, Vec::<CoreMember>::new())
            .await
            .context("the core's list")?;
        skip += page.came;
        let (is_last, before) = (page.is_last(), ids.len());
        for row in &page.rows {
            let is_new = row.id().is_some_and(|id| ids.insert(id.to_owned()));
            let is_ours = row.church_id() == Some(&core.config.core_church_id);
            if is_new
                && is_ours
                && !row.is_deleted()
                && let Some(person) = person(core, row)
            {
                *people.entry(person).or_default() += 1;
            }
        }
        // A list that comes round again has no end.
        if is_last || ids.len() == before {
            return Ok(people);
        }
    }
}

fn person(core: &CampusCore, member: &CoreMember) -> Option<Person> {
    let profile = Profile::of(member, &core.config.locale(chrono::Utc::now()));
    let (name, phone) = (profile.name.into_value(), profile.phone.into_value());
    Person::of(name.as_deref(), phone.as_deref(), core.config.country)
}
