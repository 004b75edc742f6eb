//! RabbitMQ: the topology, connections that are made again for ever, publishing that is over only
//! when the broker has confirmed, and the message that an event travels in.

mod broker;
mod connection;
mod depth;
mod message;
mod publisher;
mod spans;
mod topology;
mod watch;

pub use broker::{AmqpConfig, Broker, QueueError};
pub use connection::Link;
pub use depth::{Depth, depth};
pub use lapin;
pub use message::{Letter, Message, ReceivedHeaders};
pub use publisher::{PublishError, Publisher, PublisherOptions};
pub use spans::process;
pub use topology::{
    DEAD, EXCHANGE, REJECTIONS, RetryQueue, Route, Topology, UNROUTED, WORK, declare,
    declare_retries,
};
pub use watch::QueueWatch;
