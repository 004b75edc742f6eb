//! `dead_letters`: every change of a letter's status but one, which is the worker's own when a
//! delivery has come to a good end (rules store-13 and store-14).
//!
//! ```text
//!              collect                    replay                       worker
//! dead queue ─────────▶ open ───────────────────────▶ replaying ─────────────────▶ resolved
//!                        │▲ ▲                             │ it died again
//!                discard ││ └─────────────────────────────┘ (collect)
//!                        ▼│ restore
//!                    discarded
//! ```

mod collect;
mod discard;
mod forget;
mod replay;
mod selection;
mod waiting;

pub use collect::{DeadLetter, collect};
pub use discard::{discard, restore};
pub use forget::forget;
pub use replay::{Claimed, Replayable};
pub use selection::{Counted, LetterFilters, LetterKey, LetterSelection, SelectionError};
pub use waiting::{Waiting, waiting};
