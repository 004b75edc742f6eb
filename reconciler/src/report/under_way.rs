//! Which campuses are reconciled at this moment, and how far that is: as the program's row of `instances` tells it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::{Map, Value, json};
use uuid::Uuid;

/// The runs of this process, by campus.
#[derive(Debug, Clone, Default)]
pub(crate) struct RunsUnderWay(Arc<Mutex<BTreeMap<Uuid, &'static str>>>);

/// One of them, until it is dropped.
#[derive(Debug)]
pub(crate) struct RunUnderWay {
    runs: RunsUnderWay,
    campus: Uuid,
}

impl RunsUnderWay {
    /// A campus's run begins.
    pub(crate) fn begin(&self, campus: Uuid) -> RunUnderWay {
        self.lock().insert(campus, "beginning");
        RunUnderWay { runs: self.clone(), campus }
    }

    /// `{"runs": {campus: phase}}`
    pub(crate) fn told(&self) -> Map<String, Value> {
        let runs: BTreeMap<String, &str> =
            self.lock().iter().map(|(campus, phase)| (campus.to_string(), *phase)).collect();
        Map::from_iter([("runs".to_owned(), json!(runs))])
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Uuid, &'static str>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RunUnderWay {
    /// It is so far.
    pub(crate) fn reaches(&self, phase: &'static str) {
        self.runs.lock().insert(self.campus, phase);
    }
}

impl Drop for RunUnderWay {
    fn drop(&mut self) {
        self.runs.lock().remove(&self.campus);
    }
}
