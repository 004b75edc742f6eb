#![doc = include_str!("../README.md")]

mod age;
mod campus_sync;
mod installation;
mod instances;
mod problem;
mod problems;
mod queries;
mod queues;

pub use age::{age, rough};
pub use campus_sync::{CampusSync, RECENT_MINUTES};
pub use installation::InstallationStatus;
pub use instances::{InstanceRecord, Instances, NotReady, OpenBreaker, SILENT_SECONDS};
pub use problem::{Problem, ProblemKind};
pub use problems::{SECRET_AGE, counted, missing, problems, waiting};
pub use queries::{
    DeadLetters, Flow, LastMoments, Retrying, RetryingByCampus, Run, WINDOW_MINUTES,
};
pub use queues::{QueueKind, QueueState};
