//! How the installation is, read once for everybody who looks: viewers cost Postgres nothing more.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use database::{DatabaseError, Pool};
use status::{InstallationStatus, problems};

use crate::failure::Failure;

/// Younger numbers are shown as they are.
const FRESH: Duration = Duration::from_secs(2);

/// The state of the installation at a moment.
pub(crate) struct Sample {
    pub(crate) at: DateTime<Utc>,
    taken: Instant,
    pub(crate) status: InstallationStatus,
}

/// The newest sample, and why there is none that is newer.
pub(crate) struct Latest {
    pub(crate) sample: Option<Arc<Sample>>,
    pub(crate) failure: Option<Failure>,
}

/// Reads samples when somebody asks, one at a time.
pub(crate) struct Sampler {
    pool: Pool,
    latest: Mutex<Option<Arc<Sample>>>,
    turn: tokio::sync::Mutex<()>,
}

impl Sampler {
    pub(crate) fn new(pool: Pool) -> Self {
        Self { pool, latest: Mutex::default(), turn: tokio::sync::Mutex::default() }
    }

    /// A sample that is fresh, or the last one there was and why.
    pub(crate) async fn latest(&self) -> Latest {
        let fresh = || self.kept().filter(|sample| sample.taken.elapsed() < FRESH);
        if let Some(sample) = fresh() {
            return Latest { sample: Some(sample), failure: None };
        }
        let _turn = self.turn.lock().await;
        if let Some(sample) = fresh() {
            return Latest { sample: Some(sample), failure: None };
        }
        match self.read().await {
            Ok(sample) => {
                let sample = Arc::new(sample);
                *self.latest.lock().unwrap_or_else(PoisonError::into_inner) =
                    Some(Arc::clone(&sample));
                Latest { sample: Some(sample), failure: None }
            }
            Err(error) => Latest { sample: self.kept(), failure: Some(error.into()) },
        }
    }

    fn kept(&self) -> Option<Arc<Sample>> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn read(&self) -> Result<Sample, DatabaseError> {
        let client = self.pool.get().await?;
        let mut status = InstallationStatus::default();
        status.read_postgres(&client).await?;
        status.attention = problems(&status);
        Ok(Sample { at: Utc::now(), taken: Instant::now(), status })
    }
}
