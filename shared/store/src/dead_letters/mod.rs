//! `dead_letters`: every change of a letter's status but one, which is the worker's own when a
//! delivery has come to a good end (rules store-13 and store-14).
//!
//! ```text
//!              collect                    replay                       worker
//! dead queue ─────────▶ open ───────────────────────▶ replaying ─────────────────▶ resolved
//!                        │  ▲                             │ it died again
//!                discard │  └─────────────────────────────┘ (collect)
//!                        ▼
//!                    discarded
//! ```

mod collect;
mod discard;
mod forget;
mod replay;
mod waiting;

pub use collect::{DeadLetter, collect};
pub use discard::discard;
pub use forget::forget;
pub use replay::{Claim, Claimed, Replayable};
pub use waiting::{Waiting, waiting};
