//! Operations on dead letters: which ones, counted before anything is asked for.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use database::{Client, DatabaseError};
use serde_json::Value;
use store::{
    OperationKind,
    dead_letters::{LetterFilters, LetterSelection, SelectionError},
    operations::{self, OperationRequest},
    records::{DeadLetterRecord, OperationRecord},
};
use thiserror::Error;
use uuid::Uuid;

use crate::Requester;

/// Which letters.
#[derive(Debug, Clone)]
pub struct LetterChoice {
    /// `Replay`, `Discard` or `Restore`.
    pub kind: OperationKind,
    /// By filters.
    pub filters: LetterFilters,
    /// Or by ids, where there are any.
    pub ids: Vec<Uuid>,
    /// At most so many, those that died first.
    pub limit: Option<i32>,
}

/// What an operation would be about.
#[derive(Debug, Clone)]
pub struct LetterPreview {
    /// When it was counted, by the database's clock: what dies later is left for the next.
    pub at: DateTime<Utc>,
    /// How many letters would be taken.
    pub matched: i64,
    /// How many match too and hold no event, where only events can be taken.
    pub unreadable: i64,
    /// The names of their campuses.
    pub campuses: Vec<String>,
    /// Of those named by their ids, what stays as it is, and its status.
    pub left: Vec<(Uuid, String)>,
    /// Of those named by their ids, those that are not there.
    pub missing: Vec<Uuid>,
}

/// Why there is no preview.
#[derive(Debug, Error)]
pub enum ChoiceError {
    /// Such letters cannot be taken.
    #[error(transparent)]
    Selection(#[from] SelectionError),
    /// Postgres failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl LetterChoice {
    /// Counts, and changes nothing.
    ///
    /// # Errors
    ///
    /// Where such letters cannot be taken, or Postgres cannot be asked.
    pub async fn preview(&self, client: &Client) -> Result<LetterPreview, ChoiceError> {
        let at = operations::now(client).await?;
        let selection = LetterSelection::new(self.kind, self.filters.clone(), self.named(), at)?;
        let counted = selection.count(client).await?;
        let limit = self.limit.map(i64::from);
        let mut preview = LetterPreview {
            at,
            matched: counted.matched.min(limit.unwrap_or(i64::MAX)),
            unreadable: counted.unreadable,
            campuses: selection.campuses(client, limit).await?,
            left: Vec::new(),
            missing: Vec::new(),
        };
        if !self.ids.is_empty() {
            self.name_the_others(client, &mut preview).await?;
        }
        Ok(preview)
    }

    /// Asks for the operation that the preview was of.
    ///
    /// # Errors
    ///
    /// Where Postgres does not take it.
    pub async fn request(
        &self,
        client: &Client,
        preview: &LetterPreview,
        rate: Option<i32>,
        note: Option<String>,
        requester: Requester,
    ) -> Result<OperationRecord, DatabaseError> {
        let request = OperationRequest {
            kind: self.kind,
            request_id: requester.request_id,
            by: requester.by,
            role: requester.role,
            via: requester.via,
            cutoff: preview.at,
            filters: self.ids.is_empty().then(|| self.filters_value()),
            ids: self.named(),
            limit: self.limit,
            rate,
            note,
            matched: Some(preview.matched),
        };
        operations::request(client, &request).await
    }

    fn filters_value(&self) -> Value {
        serde_json::to_value(&self.filters).unwrap_or_default()
    }

    fn named(&self) -> Option<Vec<Uuid>> {
        (!self.ids.is_empty()).then(|| self.ids.clone())
    }

    /// Says of each letter that cannot be taken why not.
    async fn name_the_others(
        &self,
        client: &Client,
        preview: &mut LetterPreview,
    ) -> Result<(), DatabaseError> {
        let mut missing: HashSet<&Uuid> = self.ids.iter().collect();
        let letters = DeadLetterRecord::load(client, &self.ids).await?;
        for letter in &letters {
            missing.remove(&letter.id);
            let status = letter.status.as_str();
            let is_taken = match self.kind {
                OperationKind::Replay => {
                    !letter.is_event() || matches!(status, "open" | "replaying")
                }
                OperationKind::Restore => status == "discarded",
                _ => status == "open",
            };
            if !is_taken {
                preview.left.push((letter.id, letter.status.clone()));
            }
        }
        preview.missing = missing.into_iter().copied().collect();
        Ok(())
    }
}
