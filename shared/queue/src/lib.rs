//! RabbitMQ: the topology, connections that are made again for ever, publishing that is over only
//! when the broker has confirmed, and the message that an event travels in.

mod broker;
mod condition;
mod connection;
mod declare;
mod depth;
mod lane;
mod message;
mod publisher;
mod spans;
mod standing;
mod topology;
mod watch;
mod ways;

pub use broker::{AmqpConfig, Broker, QueueError};
pub use connection::Link;
pub use declare::{declare, declare_rejections, declare_retries};
pub use depth::{Count, Depth, depth};
pub use lapin;
pub use message::{Letter, Message, ReceivedHeaders};
pub use publisher::{PublishError, Publisher, PublisherOptions};
pub use spans::process;
pub use standing::look_for_queues;
pub use topology::{DEAD, EXCHANGE, REJECTIONS, RetryQueue, Route, Topology, UNROUTED, WORK};
pub use watch::QueueWatch;
pub use ways::Ways;
