#![doc = include_str!("../README.md")]

mod admin;
mod daemon;
mod duration;
mod health;
pub mod metrics;
mod operator;
mod settings;
mod telemetry;
pub mod text;
mod tls;
mod trace;
pub mod variables;

pub use admin::AdminServer;
pub use daemon::{Daemon, Program, bind, exit_code, run_daemon, settings_or_exit, shutdown_signal};
pub use duration::{format_duration, parse_duration};
pub use health::{Check, Health};
pub use operator::{operator, operator_address};
pub use settings::{SettingError, Settings};
pub use telemetry::{FailureLog, LogFormat, TRACES, Telemetry};
pub use tls::{TlsError, install_crypto_provider, root_store};
pub use trace::{Trace, TraceContext, leader, link, number, share};
pub use variables::Variable;
