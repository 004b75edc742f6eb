#![doc = include_str!("../README.md")]

mod letters;
mod members;
mod pace;
mod requester;
mod run;
mod watch;

pub use letters::{ChoiceError, LetterChoice, LetterPreview};
pub use members::{MemberChoice, MemberPreview};
pub use pace::{Pace, parse_rate};
pub use requester::Requester;
pub use run::RunChoice;
pub use watch::{Snapshot, look};
