//! The letters that an operation is to be about, counted before it is asked for: what dies or opens again later is left
//! for the next.

use ::operations::{LetterChoice, LetterPreview};
use clap::Args;
use database::Client;
use store::{DeadLetterStatus, OperationKind};
use uuid::Uuid;

use super::filters::Filters;
use crate::{
    failure::{UsageError, say},
    operations::counted,
};

/// More campuses than these are counted in a question, and not named.
const MOST_NAMED: usize = 3;
/// More ids than these are no choice by hand.
const MOST_IDS: usize = 1_000;

/// How an operator chooses.
#[derive(Debug, Args)]
pub(super) struct Selection {
    #[command(flatten)]
    pub(super) filters: Filters,
    /// Only these letters; several may follow
    #[arg(long = "id", value_name = "ID", num_args = 1.., conflicts_with_all = ["Filters", "limit"])]
    ids: Vec<Uuid>,
    /// Maximum number of letters, those that died first
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    limit: Option<i32>,
}

impl Selection {
    /// Refuses a status that letters of this kind of operation are not in.
    pub(super) fn check(&self, kind: OperationKind) -> Result<(), UsageError> {
        if self.ids.len() > MOST_IDS {
            return Err(UsageError::new(format!("--id: at most {MOST_IDS} at once")));
        }
        let allowed = match kind {
            OperationKind::Restore => &[DeadLetterStatus::Discarded][..],
            OperationKind::Replay => &[DeadLetterStatus::Open, DeadLetterStatus::Replaying],
            _ => &[DeadLetterStatus::Open],
        };
        match self.filters.status {
            Some(status) if !allowed.contains(&status) => {
                let allowed: Vec<&str> = allowed.iter().map(|status| status.as_str()).collect();
                Err(UsageError::new(format!(
                    "--status: only letters that are {} can be chosen by filters",
                    allowed.join(" or ")
                )))
            }
            _ => Ok(()),
        }
    }

    /// Which letters that are.
    pub(super) fn choice(&self, kind: OperationKind) -> LetterChoice {
        LetterChoice {
            kind,
            filters: (&self.filters).into(),
            ids: self.ids.clone(),
            limit: self.limit,
        }
    }
}

/// Counts them, and says of each that was named and cannot be taken why not. An error where none can.
pub(super) async fn preview(
    choice: &LetterChoice,
    client: &Client,
) -> anyhow::Result<LetterPreview> {
    let preview = choice.preview(client).await?;
    for (id, status) in &preview.left {
        say(&format!("{id} is left as it is: {status}"));
    }
    for id in &preview.missing {
        say(&format!("there is no dead letter {id}"));
    }
    if preview.matched == 0 {
        let status = match choice.kind {
            OperationKind::Restore => "discarded",
            _ => choice.filters.status.as_deref().unwrap_or("open"),
        };
        let unreadable = unreadable_in_words(preview.unreadable);
        anyhow::bail!("No {status} dead letters match{unreadable}");
    }
    Ok(preview)
}

/// `12 dead letters of campus GKBJ`, for a question.
pub(super) fn in_words(preview: &LetterPreview) -> String {
    let of = match preview.campuses.as_slice() {
        [one] => format!("campus {one}"),
        few if few.len() <= MOST_NAMED => format!("campuses {}", few.join(", ")),
        many => format!("{} campuses", many.len()),
    };
    format!("{} of {of}", letters(preview.matched))
}

/// `1 dead letter`, `1,200 dead letters`.
pub(super) fn letters(number: i64) -> String {
    counted(number.unsigned_abs(), "dead letter")
}

/// `; 3 hold no event …`, or nothing.
pub(super) fn unreadable_in_words(unreadable: i64) -> String {
    match unreadable {
        0 => String::new(),
        number => format!(
            "; {number} cannot be replayed, since they hold no event but a message that could not be \
             read: look at them with `show`, then `discard` them"
        ),
    }
}
