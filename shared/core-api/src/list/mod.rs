//! Reading a member list to its end, of a core that cannot give some of its pages, some of its rows, or
//! for a while nothing at all (rule core-api-6). Pure of HTTP: whoever asks for pages brings the way to do so.

mod course;
mod gather;
mod silence;
mod size;

pub use course::{Course, NoEnd};
pub use gather::{Gathered, Part, Window, gather};
pub use silence::{Next, Silence};
pub use size::PageSize;

use crate::{CoreError, SessionError};

/// An error that may be the core's.
pub trait OfCore {
    /// The core's own failure, where it is one.
    fn core(&self) -> Option<&CoreError>;
}

impl OfCore for CoreError {
    fn core(&self) -> Option<&CoreError> {
        Some(self)
    }
}

impl<E: std::error::Error + 'static> OfCore for SessionError<E> {
    fn core(&self) -> Option<&CoreError> {
        match self {
            Self::Core(error) => Some(error),
            Self::Store(_) | Self::Outdated => None,
        }
    }
}
