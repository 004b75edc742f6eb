//! Everything fails sooner or later, at the worst moment: what was accepted is never lost, and
//! nothing stays stuck.

mod between;
mod broker;
mod chaos;
mod cluster;
mod connections;
mod core;
mod frozen;
