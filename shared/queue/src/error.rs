//! What goes wrong with RabbitMQ.

/// RabbitMQ could not be reached, or refused what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// No node of the cluster accepted a connection.
    #[error("cannot connect to RabbitMQ at {address}: {}{source}", kind_of_refusal(source))]
    Connect {
        /// The last node tried, without credentials.
        address: String,
        /// Why.
        source: Box<lapin::Error>,
    },
    /// The node did not answer in time.
    #[error("RabbitMQ at {0} does not answer")]
    Timeout(String),
    /// A message came back: neither its own queue nor the one that keeps such messages is there.
    #[error("RabbitMQ has no queue for {0}")]
    Unroutable(String),
    /// A queue takes nothing.
    #[error("RabbitMQ refuses every message to {0}")]
    Refusing(String),
    /// A consumer was cancelled, as when its queue is deleted.
    #[error("RabbitMQ sends nothing more from {0}")]
    Cancelled(&'static str),
    /// A method failed.
    #[error("cannot {operation}: {source}")]
    Method {
        /// What was being done, as the end of "cannot …".
        operation: &'static str,
        /// Why it failed.
        source: Box<lapin::Error>,
    },
}

impl QueueError {
    /// Wraps a method's error with what it was for: `.map_err(QueueError::during("…"))`.
    pub fn during(operation: &'static str) -> impl FnOnce(lapin::Error) -> Self {
        move |source| Self::Method { operation, source: Box::new(source) }
    }

    /// Whether the broker has the thing already, with other arguments (AMQP 406). The channel
    /// is closed then.
    pub fn is_precondition_failed(&self) -> bool {
        self.is_answer(406)
    }

    /// Whether this user has no right to it (AMQP 403). The channel is closed then.
    pub fn is_access_refused(&self) -> bool {
        self.is_answer(403)
    }

    /// Whether the broker let nobody in by this user and password (AMQP 403).
    pub fn is_login_refused(&self) -> bool {
        self.is_refusal_to_connect(403)
    }

    /// Whether there is no such vhost, or this user may not see it (AMQP 530).
    pub fn is_vhost_refused(&self) -> bool {
        self.is_refusal_to_connect(530)
    }

    /// Whether the broker has no such thing (AMQP 404). The channel is closed then.
    pub fn is_not_found(&self) -> bool {
        self.is_answer(404)
    }

    /// Whether trying again changes nothing until somebody gives a right, or makes what is missing.
    pub(crate) fn is_about_rights(&self) -> bool {
        self.is_access_refused() || self.is_not_found()
    }

    /// What the broker says is there already, in its own words (AMQP 406).
    pub(crate) fn precondition(&self) -> Option<&str> {
        match self {
            Self::Method { source, .. } if has_code(source, 406) => match source.kind() {
                lapin::ErrorKind::ProtocolError(error) => Some(error.get_message().as_str()),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether the broker answered a method with this code of AMQP.
    fn is_answer(&self, code: u16) -> bool {
        matches!(self, Self::Method { source, .. } if has_code(source, code))
    }

    fn is_refusal_to_connect(&self, code: u16) -> bool {
        matches!(self, Self::Connect { source, .. } if has_code(source, code))
    }
}

/// What kept a connection from being opened, before the words of whoever refused it: what to do is another thing for each.
fn kind_of_refusal(error: &lapin::Error) -> &'static str {
    match error.kind() {
        lapin::ErrorKind::ProtocolError(refusal) => match refusal.get_id() {
            403 => "login refused: ",
            530 => "vhost missing, or closed to this user: ",
            _ => "",
        },
        _ => "unreachable: ",
    }
}

fn has_code(error: &lapin::Error, code: u16) -> bool {
    matches!(error.kind(), lapin::ErrorKind::ProtocolError(error) if error.get_id() == code)
}

/// A message was not confirmed. It may nonetheless be in the queue: publish again, and let the
/// reader tell duplicates apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// There is no connection to RabbitMQ, or it was lost before the confirm.
    #[error("RabbitMQ is away")]
    Away,
    /// RabbitMQ takes no messages now: an alarm for memory or disk.
    #[error("RabbitMQ blocks publishers")]
    Blocked,
    /// RabbitMQ refused the message: its queue is full.
    #[error("RabbitMQ refused the message, its queue is full")]
    Refused,
}

impl PublishError {
    /// One word from a closed list.
    pub fn label(self) -> &'static str {
        match self {
            Self::Away => "away",
            Self::Blocked => "blocked",
            Self::Refused => "refused",
        }
    }
}
