#![doc = include_str!("../README.md")]

mod assembly;
mod assets;
mod config;
mod console;
mod cookie;
mod failure;
mod failure_page;
mod frame;
mod guard;
mod headers;
mod limits;
mod moments;
mod new_password;
mod origin;
mod password;
mod rights;
mod routes;
mod safe_text;
mod sampler;
mod server;
mod session_start;
mod visit;
mod weak_password;
mod words;

pub use assembly::{PROGRAM, run};
pub use config::{Config, VARIABLES};
pub use rights::{Access, Permission};
pub use routes::{ROUTES, Route};
