#![doc = include_str!("../README.md")]

mod birth;
mod columns;
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

pub use columns::{ColumnRef, ColumnType, ColumnValue, PHOTO_BIT, SYNCED_COLUMNS, SyncedColumn};
pub use core_member::CoreMember;
pub use field::Field;
pub use filter::{Filter, FilterError};
pub use locale::Locale;
pub use person::Person;
pub use phone::{Country, UnknownCountry};
pub use photo::{Photo, PhotoRefusal};
pub use profile::{Column, MAPPING_VERSION, Profile};
pub use verdict::{ArchiveReason, KEYS, MissingFields, Verdict, map};
