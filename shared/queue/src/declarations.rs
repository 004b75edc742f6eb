//! What is declared on every new connection, by what the connection is for: the broker may be a new one
//! every time.

use lapin::Connection;

use crate::{
    declare::{declare, declare_rejections, declare_retries},
    declared::look_for_queues,
    error::QueueError,
    topology::{EXCHANGE, REJECTIONS, RetryQueue, Topology},
};

/// The exchanges and queues that a connection's messages need.
#[derive(Debug, Clone, Default)]
pub struct Declarations {
    events: Option<Topology>,
    retries: Vec<RetryQueue>,
    rejections: bool,
}

impl Declarations {
    /// Those of events: to the workers, and to the dead letters.
    pub fn of_events(topology: Topology) -> Self {
        Self { events: Some(topology), ..Self::default() }
    }

    /// Those of the audit of refused deliveries.
    pub fn of_rejections() -> Self {
        Self { rejections: true, ..Self::default() }
    }

    /// And these delay queues.
    #[must_use]
    pub fn and_retries(mut self, retries: Vec<RetryQueue>) -> Self {
        self.retries = retries;
        self
    }

    /// And those of the audit of refused deliveries.
    #[must_use]
    pub fn and_rejections(mut self) -> Self {
        self.rejections = true;
        self
    }

    /// The exchange that is published to.
    pub(crate) fn exchange(&self) -> Option<&'static str> {
        match self {
            Self { events: Some(_), .. } => Some(EXCHANGE),
            Self { rejections: true, .. } => Some(REJECTIONS),
            _ => None,
        }
    }

    /// Whether events go there.
    pub(crate) fn are_of_events(&self) -> bool {
        self.events.is_some()
    }

    /// Declares everything again, for whoever finds something missing.
    ///
    /// Who needs no delay queues may be a user who can only publish, as the gateway's is
    /// (`deploy/rabbitmq/permissions`): then it is left to the workers, and looked for.
    pub(crate) async fn declare(&self, connection: &Connection) -> Result<(), QueueError> {
        if let Some(topology) = self.events {
            match declare(connection, topology).await {
                Err(error) if error.is_access_refused() && self.retries.is_empty() => {
                    look_for_queues(connection).await?;
                }
                declared => declared?,
            }
        }
        declare_retries(connection, &self.retries).await?;
        if self.rejections {
            match declare_rejections(connection).await {
                // Whether they are there, publishing will tell.
                Err(error) if error.is_access_refused() && self.retries.is_empty() => {}
                declared => declared?,
            }
        }
        Ok(())
    }
}
