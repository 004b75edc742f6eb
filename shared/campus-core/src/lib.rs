#![doc = include_str!("../README.md")]

mod interpret;
mod open;

pub use interpret::{interpret_response, keys, lacks_filter_fields, photo_refusal, unreadable};
pub use open::{CampusCores, CoreSession};
