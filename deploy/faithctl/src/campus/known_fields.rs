//! Whether the core's members have the fields that a filter names. One that none of them has decides nothing:
//! every event of the campus would die, and every night leave everybody undecided.

use std::time::Duration;

use anyhow::Context;
use campus::Sealer;
use core_api::{CoreError, Session, SessionError, TokenStore};
use member::{CoreMember, Filter};
use uuid::Uuid;

use super::{
    CampusCore,
    kept_token::KeptTokens,
    survey::{self, Survey},
};
use crate::{
    environment::Environment,
    failure::{UsageError, in_words, say},
};

/// A core that does not answer for so long cannot be asked now.
const TIME_LIMIT: Duration = Duration::from_secs(20);
/// How near a name is that may have been meant, from 0 to 1.
const NEAR: f64 = 0.8;
/// Near names that are told.
const MOST_NEAR: usize = 3;

/// Refuses a filter with fields that no member of the core has, and answers what its members have. Where the
/// core cannot be asked, says so and answers nothing.
pub(super) async fn check(
    filter: &Filter,
    campus: Uuid,
    environment: &Environment,
) -> anyhow::Result<Option<Survey>> {
    if filter.is_empty() {
        return Ok(None);
    }
    let client = environment.client().await?;
    let asked = async {
        let (sealer, allowed) = (environment.sealer()?, environment.allowed_hosts()?);
        let core = CampusCore::load(&client, &sealer, &allowed, campus).await?;
        let session = survey::session(&core, sealer, environment)?;
        look(&core, &session).await
    };
    match asked.await {
        Ok(survey) => match faults_by(filter, &survey) {
            faults if faults.is_empty() => Ok(Some(survey)),
            faults => Err(UsageError::new(format!(
                "{}\n    → `faithctl campus discover-fields {campus}` lists the fields; --force takes the \
                 filter as it is",
                faults.join("; ")
            ))
            .into()),
        },
        Err(error) => {
            say(&format!(
                "warning: the core could not be asked whether its members have these fields: {}\n    \
                 → compare them with `faithctl campus discover-fields {campus}` as soon as it can be",
                in_words(&error)
            ));
            Ok(None)
        }
    }
}

/// What comparing a filter's fields with the core's members says.
pub(crate) enum FieldComparison {
    /// What is wrong; nothing where members have them all.
    Compared(Vec<String>),
    /// Nothing could be asked without a login, and why.
    NeedsLogin(&'static str),
}

/// Compares the fields of a filter with the core's members, by the token that the programs share. Never logs in: logins are
/// few, and the workers need them.
pub(crate) async fn compare_without_login(
    filter: &Filter,
    core: &CampusCore,
    sealer: Sealer,
    environment: &Environment,
) -> anyhow::Result<FieldComparison> {
    let tokens = KeptTokens(survey::tokens(sealer, environment)?);
    if !tokens.has(core.config.id).await? {
        return Ok(FieldComparison::NeedsLogin("no valid token is stored"));
    }
    let session = survey::session_with(tokens, core, environment)?;
    // Asked for one row first: the survey asks again for a while, as if somebody might replace the token.
    let first = session.page(0, 1, Vec::<CoreMember>::new).await;
    if let Err(SessionError::Core(CoreError::Unauthorized { .. })) = first {
        return Ok(FieldComparison::NeedsLogin("the core does not accept the stored token"));
    }
    Ok(FieldComparison::Compared(faults_by(filter, &look(core, &session).await?)))
}

async fn look<S: TokenStore>(core: &CampusCore, session: &Session<S>) -> anyhow::Result<Survey> {
    let survey = tokio::time::timeout(TIME_LIMIT, Survey::of(core, session))
        .await
        .context("the core does not answer in time")??;
    anyhow::ensure!(survey.members > 0, "the core has no member of this church yet");
    Ok(survey)
}

fn faults_by(filter: &Filter, survey: &Survey) -> Vec<String> {
    let names: Vec<&str> = survey.names().collect();
    let unknown = filter.fields().into_iter().filter(|field| !survey.has(field));
    unknown
        .map(|field| format!("no member of the core has a field {field:?}{}", meant(field, &names)))
        .collect()
}

/// What may have been meant by a field that is not there.
fn meant(field: &str, names: &[&str]) -> String {
    if field.eq_ignore_ascii_case("age") && names.contains(&"date_of_birth") {
        return ": date_of_birth is compared by age".to_owned();
    }
    let near = near(field, names);
    if near.is_empty() { String::new() } else { format!(": did you mean {}?", near.join(" or ")) }
}

/// The nearest first; near is a name too that has all the words of the field, or the other way round.
fn near<'a>(field: &str, names: &[&'a str]) -> Vec<&'a str> {
    let field = field.to_lowercase();
    let mut near: Vec<(f64, &str)> = names
        .iter()
        .map(|name| {
            let own = name.to_lowercase();
            let shares_words = has_words(&own, &field) || has_words(&field, &own);
            (if shares_words { 1.0 } else { strsim::jaro_winkler(&field, &own) }, *name)
        })
        .filter(|(likeness, _)| *likeness >= NEAR)
        .collect();
    near.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    near.into_iter().take(MOST_NEAR).map(|(_, name)| name).collect()
}

/// Whether every word of one name is in the other.
fn has_words(name: &str, words: &str) -> bool {
    words.split('_').all(|word| name.split('_').any(|own| own == word))
}

#[cfg(test)]
mod tests {
    use super::meant;

    #[test]
    fn near_names_are_told() {
        let names =
            ["date_of_birth", "gender", "marital_status", "member_status", "is_active", "id"];
        let said = |field| meant(field, &names);
        assert_eq!(said("gendr"), ": did you mean gender?");
        assert_eq!(said("Gender"), ": did you mean gender?");
        assert_eq!(said("status"), ": did you mean marital_status or member_status?");
        assert_eq!(said("birth_date"), ": did you mean date_of_birth?");
        assert_eq!(said("age"), ": date_of_birth is compared by age");
        assert_eq!(said("zzz"), "");
    }
}
