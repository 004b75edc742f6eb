#![doc = include_str!("../README.md")]

mod directory;
mod load;
mod refresh;
mod sealer;
mod secret;
mod secrets;

pub use directory::{Campus, Directory, RateLimit};
pub use load::load;
pub use refresh::{CHANGED, DirectoryHandle};
pub use sealer::{Purpose, SealError, Sealed, Sealer};
pub use secret::{Secret, WebhookSecret};
pub use secrets::{PreviousSecret, Secrets};
