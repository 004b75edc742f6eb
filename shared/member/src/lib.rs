//! What a member of the core becomes here: its columns, its photo, and whether this campus keeps it.
//!
//! Everything in this crate is pure: the same answer of the core, the same filter and the same day give
//! the same result, whether the worker asks because of a webhook or the reconciler at night. That is why
//! both go through [`map`] and nothing else.

mod birth;
mod core_member;
mod field;
pub mod filter;
mod locale;
mod person;
pub mod phone;
pub mod photo;
mod profile;
mod text;
mod verdict;

pub use core_member::CoreMember;
pub use field::Field;
pub use filter::{Filter, FilterError};
pub use locale::Locale;
pub use person::Person;
pub use phone::{Country, UnknownCountry};
pub use photo::{Photo, PhotoRefusal};
pub use profile::{Column, MAPPING_VERSION, Profile};
pub use verdict::{ArchiveReason, KEYS, MissingFields, Verdict, map};
