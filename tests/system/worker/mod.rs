//! The worker through the front door: signed webhooks go in, and what stands in Postgres and
//! RabbitMQ afterwards is judged.

mod archive;
mod broker_away;
mod church;
mod configuration;
mod deletes;
mod drain;
mod duplicates;
mod effects;
mod filter;
mod load;
mod merging;
mod ordering;
mod photos;
mod postgres_away;
mod queue;
mod recorded;
mod redelivery;
mod values;
