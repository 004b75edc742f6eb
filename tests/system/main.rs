//! The system tests: real programs, a real PostgreSQL and a real RabbitMQ, entered through the
//! front door. One binary, so that everything is linked once.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may")]

mod alerts;
mod console;
mod database;
mod dead_letters;
mod deployment;
mod documents;
mod faithctl;
mod faults;
mod gateway;
mod guard;
mod lists;
mod logs;
mod metrics;
mod operations;
mod private_servers;
mod reconciler;
mod repository;
mod security;
mod smoke;
mod traces;
mod worker;
