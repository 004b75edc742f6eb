//! The documents' own commands, typed as they stand there: each runbook is walked on a system that has its fault, and the
//! repair is seen. Every other block of commands says which test takes its steps, or why none does.

mod blocks;
mod marked;
mod shell;
mod walk;

mod archives_held;
mod broker_node_lost;
mod core_away;
mod programs_away;
mod readme;
mod secret_changed;
