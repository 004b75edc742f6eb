//! A host that gave no session, and why.

use std::fmt;

use crate::{statement_error::Error, target::Target};

/// A host that gave no session, and why.
#[derive(Debug)]
pub struct Attempt {
    pub(crate) address: String,
    pub(crate) why: Why,
}

#[derive(Debug)]
pub(crate) enum Why {
    Refused(Error),
    Silent,
    Unwanted(Target),
    Pooled,
}

impl From<Error> for Why {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

impl Attempt {
    pub(crate) fn error(&self) -> Option<&Error> {
        match &self.why {
            Why::Refused(error) => Some(error),
            _ => None,
        }
    }

    pub(crate) fn is_pooled(&self) -> bool {
        matches!(self.why, Why::Pooled)
    }

    pub(crate) fn is_unwanted(&self) -> bool {
        matches!(self.why, Why::Unwanted(_))
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "at {}: ", self.address)?;
        match &self.why {
            Why::Refused(error) => write!(formatter, "{}{error}", error.kind_of_refusal()),
            Why::Silent => formatter.write_str("it does not answer"),
            Why::Unwanted(target) => target.fmt(formatter),
            Why::Pooled => formatter.write_str(
                "a pooler gives each transaction another session (transaction mode); it must be in session mode",
            ),
        }
    }
}
