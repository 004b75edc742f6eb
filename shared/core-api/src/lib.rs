#![doc = include_str!("../README.md")]

mod allowed;
mod answer;
mod body;
mod call;
mod client;
mod clock;
mod credentials;
mod endpoint;
mod error;
mod list;
mod memory;
mod page;
mod public_address;
mod request_slots;
mod resolver;
mod retry_after;
mod session;
mod single;
mod span;

pub use allowed::{AllowedHosts, BadAllowedHost};
pub use answer::IssuedToken;
pub use call::{Call, Operation, Responder};
pub use client::{ClientError, ClientSettings, CoreClient};
pub use credentials::{Credentials, Token};
pub use endpoint::{Endpoint, EndpointError, EndpointParts};
pub use error::{BadAnswer, CoreError, LoginTrouble, Unreachable};
pub use list::{Course, Gathered, Next, NoEnd, OfCore, PageSize, Part, Silence, Window, gather};
pub use memory::{AnswerMemory, Charge, MemoryShare};
pub use page::{Keys, Page, Paging, Rows};
pub use public_address::is_public_address;
pub use request_slots::{RequestSlot, RequestSlots};
pub use session::{Lease, Session, SessionError, Sessions, StoredToken, TokenStore};
