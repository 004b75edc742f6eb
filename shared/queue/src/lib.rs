#![doc = include_str!("../README.md")]

mod broker;
mod channel;
mod condition;
mod connection;
mod declarations;
mod declare;
mod declared;
mod depth;
mod error;
mod headers;
mod lane;
mod message;
mod publisher;
mod spans;
mod topology;
mod watch;

pub use broker::{AmqpConfig, Broker};
pub use connection::Link;
pub use declarations::Declarations;
pub use declare::{declare, declare_rejections, declare_retries};
pub use declared::look_for_queues;
pub use depth::{Count, Depth, depth};
pub use error::{PublishError, QueueError};
pub use headers::{DeadReason, ReceivedHeaders};
pub use lapin;
pub use message::Message;
pub use publisher::{Publisher, PublisherOptions};
pub use spans::process;
pub use topology::{DEAD, EXCHANGE, REJECTIONS, RetryQueue, Route, Topology, UNROUTED, WORK};
pub use watch::QueueWatch;
