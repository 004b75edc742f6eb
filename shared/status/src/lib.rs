#![doc = include_str!("../README.md")]

mod age;
mod installation;
mod instances;
mod problem;
mod problems;
mod queries;
mod queues;

pub use age::{age, rough};
pub use installation::InstallationStatus;
pub use instances::{InstanceRecord, Instances, NotReady, OpenBreaker, SILENT_SECONDS};
pub use problem::{Problem, ProblemKind};
pub use problems::{SECRET_AGE, counted, missing, problems, waiting};
pub use queries::{
    CampusSync, DeadLetters, Flow, LastMoments, RECENT_MINUTES, Retrying, RetryingByCampus, Run,
    WINDOW_MINUTES,
};
pub use queues::{QueueKind, QueueState};
