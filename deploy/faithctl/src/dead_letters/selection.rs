//! The letters that a replay or a discard is about, chosen once when it begins: what dies or opens
//! again meanwhile is left for the next.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use clap::Args;
use database::{Client, DatabaseError};
use store::{DeadLetterStatus, records::DeadLetterRecord};
use uuid::Uuid;

use super::{filters::Filters, progress::letters};
use crate::failure::{UsageError, say};

/// More campuses than these are counted in a question, and not named.
const MOST_NAMED: usize = 3;

/// How an operator chooses.
#[derive(Debug, Args)]
pub(super) struct Selection {
    #[command(flatten)]
    pub(super) filters: Filters,
    /// Only these letters; several may follow
    #[arg(long = "id", value_name = "ID", num_args = 1.., conflicts_with_all = ["Filters", "limit"])]
    ids: Vec<Uuid>,
    /// Maximum number of letters, those that died first
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
}

/// What was chosen.
pub(super) struct Selected {
    /// When, by the database's clock.
    pub(super) at: DateTime<Utc>,
    /// The letters, those that died first first.
    pub(super) ids: Vec<Uuid>,
    /// Those that match too and hold no event, where only events were wanted.
    pub(super) unreadable: usize,
}

/// Which letters a command can do something with.
#[derive(Debug, Clone, Copy)]
pub(super) struct SelectionFilter {
    /// Only those that hold an event.
    pub(super) events_only: bool,
    /// Of those named by their ids, also what was replayed already.
    pub(super) replaying_too: bool,
}

impl Selected {
    /// `12 dead letters of campus GKBJ`, for a question.
    pub(super) async fn in_words(&self, client: &Client) -> Result<String, DatabaseError> {
        let rows = client
            .query(
                "SELECT DISTINCT coalesce(c.name, 'none') AS name FROM dead_letters d
                 LEFT JOIN campuses c ON c.id = d.campus_id WHERE d.id = ANY($1) ORDER BY name",
                &[&self.ids],
            )
            .await
            .map_err(DatabaseError::during("look whose dead letters they are"))?;
        let names: Vec<&str> = rows.iter().map(|row| row.get("name")).collect();
        let of = match names.as_slice() {
            [one] => format!("campus {one}"),
            few if few.len() <= MOST_NAMED => format!("campuses {}", few.join(", ")),
            many => format!("{} campuses", many.len()),
        };
        Ok(format!("{} of {of}", letters(self.ids.len())))
    }
}

impl Selection {
    /// Refuses a status other than `open`.
    pub(super) fn check(&self) -> Result<(), UsageError> {
        match self.filters.status {
            None | Some(DeadLetterStatus::Open) => Ok(()),
            Some(_) => Err(UsageError::new(
                "--status: only letters that are open can be chosen by filters (name others by --id)",
            )),
        }
    }

    /// Whether letters were named by their ids.
    pub(super) fn is_by_id(&self) -> bool {
        !self.ids.is_empty()
    }

    pub(super) async fn choose(
        &self,
        client: &Client,
        filter: SelectionFilter,
    ) -> anyhow::Result<Selected> {
        let now = client
            .query_one("SELECT clock_timestamp()", &[])
            .await
            .map_err(DatabaseError::during("ask for the time"))?;
        let at = now.get(0);
        let chosen = if self.is_by_id() {
            self.by_id(client, filter, at).await?
        } else {
            self.by_filters(client, filter, at).await?
        };
        if chosen.ids.is_empty() {
            let unreadable = unreadable_in_words(chosen.unreadable);
            anyhow::bail!("No open dead letters match{unreadable}");
        }
        Ok(chosen)
    }

    async fn by_filters(
        &self,
        client: &Client,
        filter: SelectionFilter,
        at: DateTime<Utc>,
    ) -> Result<Selected, DatabaseError> {
        let matching = self.filters.filter(Some(DeadLetterStatus::Open));
        let ids = matching.choose(client, at, filter.events_only, self.limit).await?;
        let unreadable =
            if filter.events_only { matching.count_unreadable(client, at).await? } else { 0 };
        Ok(Selected { at, ids, unreadable })
    }

    /// Says of each letter that cannot be taken why not.
    async fn by_id(
        &self,
        client: &Client,
        filter: SelectionFilter,
        at: DateTime<Utc>,
    ) -> Result<Selected, DatabaseError> {
        let letters = DeadLetterRecord::load(client, &self.ids).await?;
        let mut missing: HashSet<&Uuid> = self.ids.iter().collect();
        let mut chosen = Selected { at, ids: Vec::new(), unreadable: 0 };
        for letter in &letters {
            let (id, status) = (letter.id, letter.status.as_str());
            missing.remove(&id);
            if filter.events_only && !letter.is_event() {
                chosen.unreadable += 1;
            } else if status == "open" || status == "replaying" && filter.replaying_too {
                chosen.ids.push(id);
            } else {
                say(&format!("{id} is left as it is: {status}"));
            }
        }
        for id in missing {
            say(&format!("there is no dead letter {id}"));
        }
        Ok(chosen)
    }
}

/// `; 3 hold no event …`, or nothing.
pub(super) fn unreadable_in_words(unreadable: usize) -> String {
    match unreadable {
        0 => String::new(),
        number => format!(
            "; {number} cannot be replayed, since they hold no event but a message that could not be \
             read: look at them with `show`, then `discard` them"
        ),
    }
}
