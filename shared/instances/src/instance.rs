//! A program that was started: its row's key, and where it runs.

use std::fmt;

use uuid::Uuid;

/// A start of a program.
#[derive(Debug, Clone)]
pub struct Instance {
    pub(crate) id: Uuid,
    pub(crate) host: String,
}

impl Instance {
    /// Of this process.
    pub fn started() -> Self {
        let host = nix::unistd::gethostname().unwrap_or_default().to_string_lossy().into_owned();
        Self { id: Uuid::now_v7(), host }
    }

    /// Its row's key.
    pub fn id(&self) -> Uuid {
        self.id
    }
}

/// `host/id`, as whatever it did is marked: the host tells where its log is once its row is gone.
impl fmt::Display for Instance {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.host, self.id)
    }
}
