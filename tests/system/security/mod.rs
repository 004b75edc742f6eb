//! The walls between the programs, and between them and the world: what `deploy/threat-model.md`
//! promises and no other module tests.

mod broker_users;
mod core_addresses;
mod own_servers;
