//! The worker through the front door: signed webhooks go in, and what stands in Postgres and
//! RabbitMQ afterwards is checked.

mod addresses;
mod archive;
mod audit;
mod bad_rows;
mod broker_away;
pub(crate) mod campus_under_test;
mod configuration;
mod deletes;
mod drain;
mod duplicates;
mod effects;
mod fairness;
pub(crate) mod filter;
mod isolation;
mod linking;
pub(crate) mod load;
pub(crate) mod lookups;
mod memory;
mod merging;
mod newer;
mod ordering;
mod outages;
mod ownership;
mod paused;
mod photos;
mod poison;
mod postgres_away;
pub(crate) mod queue;
mod recorded;
mod redelivery;
mod refusals;
mod scaling;
mod tokens;
mod undecodable;
mod unrouted;
mod values;
