//! `operations`: what operators asked for. A row decides, programs carry out (rule store-19).
//!
//! ```text
//!  request          take                    look, advance              finish
//! ────────▶ waiting ─────▶ running, leased ◀──────────────┐ ──────────▶ done, failed
//!              ▲  ▲            │  │ pause                 │
//!       resume │  │ release    │  ▼                       │
//!              │  └────────────┘ paused                   │
//!              └──────────────────┘         stop: stopping ──▶ stopped
//! ```

mod control;
mod entry;
mod forget;
mod lease;
mod members;
mod outcome;
mod request;
mod waiting;

pub use control::{Decided, Decision, pause, resume, set_rate, stop};
pub use forget::forget;
pub use lease::{Control, End, Lease, LeaseError, Progress, now, take};
pub use members::{MemberFilters, MemberKey, MemberSelection};
pub use outcome::{LetterEnds, died_since};
pub use request::{OperationRequest, request, requested};
pub use waiting::{running, say_why, waits_for};
