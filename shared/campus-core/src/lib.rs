//! A campus and its core: how the core is opened with the campus's configuration, and what its
//! answers mean for the campus. Worker and reconciler both come here, so that a webhook and a night
//! never disagree about a member.

mod interpret;
mod open;

pub use interpret::{interpret_response, keys, lacks_filter_fields, photo_refusal, unreadable};
pub use open::{CampusCores, CoreSession};
