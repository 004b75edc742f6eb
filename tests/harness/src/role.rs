//! The roles that the programs work under.

/// The password of the programs' database roles, in tests.
pub const ROLE_PASSWORD: &str = "test";

/// A role of `deploy/roles.sql`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Reads secrets and switches.
    Gateway,
    /// Writes synced columns and logs.
    Worker,
    /// Writes synced columns and runs.
    Reconciler,
    /// Reads what it shows, and writes who logs in.
    Console,
    /// `faithctl`, all but `migrate`.
    Admin,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 5] =
        [Self::Gateway, Self::Worker, Self::Reconciler, Self::Console, Self::Admin];

    /// Its name in Postgres.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gateway => "faith_gateway",
            Self::Worker => "faith_worker",
            Self::Reconciler => "faith_reconciler",
            Self::Console => "faith_console",
            Self::Admin => "faith_admin",
        }
    }
}
