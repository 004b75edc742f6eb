//! The worker through the front door: signed webhooks go in, and what stands in Postgres and
//! RabbitMQ afterwards is judged.

mod archive;
mod church;
mod effects;
mod filter;
mod photos;
mod recorded;
mod values;
