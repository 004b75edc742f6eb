//! Who may do what.

use store::OperatorRole;

/// Something that an operator may be allowed to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// Overview, queues, programs, doctor.
    Overview,
    /// Deliveries, dead letters, runs.
    Deliveries,
    /// Members' names in them.
    Names,
    /// Replay, discard, restore, stop, change a rate.
    Replay,
    /// Run a night now, or dry.
    Run,
    /// Let archives through that were held.
    AllowArchives,
    /// Pause a campus, and let it go on.
    Pause,
    /// Credentials, secret, filter, limits, enable, disable.
    Configure,
    /// New campuses, operators, the audit.
    Administer,
    /// What is one's own: sessions, preferences, password.
    Account,
}

impl Permission {
    /// All of them, as the page of one's own rights shows them.
    pub const ALL: [Self; 10] = [
        Self::Overview,
        Self::Deliveries,
        Self::Names,
        Self::Replay,
        Self::Run,
        Self::AllowArchives,
        Self::Pause,
        Self::Configure,
        Self::Administer,
        Self::Account,
    ];

    /// Whether a role has it; of an operator with campuses of their own, for these alone.
    pub fn is_of(self, role: OperatorRole) -> bool {
        use OperatorRole::{Admin, Office, Operator, Viewer};
        match self {
            Self::Overview | Self::Deliveries | Self::Account => true,
            Self::Names | Self::Run | Self::Pause => role != Viewer,
            Self::Replay | Self::AllowArchives => matches!(role, Operator | Admin),
            Self::Configure => matches!(role, Office | Admin),
            Self::Administer => role == Admin,
        }
    }

    /// The key of its words.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Overview => "permission-overview",
            Self::Deliveries => "permission-deliveries",
            Self::Names => "permission-names",
            Self::Replay => "permission-replay",
            Self::Run => "permission-run",
            Self::AllowArchives => "permission-archives",
            Self::Pause => "permission-pause",
            Self::Configure => "permission-configure",
            Self::Administer => "permission-administer",
            Self::Account => "permission-account",
        }
    }
}

/// Who gets to a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anyone, and it is not looked who: a file of the program.
    File,
    /// Anyone, before they have logged in too.
    Anyone,
    /// Whoever has logged in, with a role that has this.
    Needs(Permission),
}

/// The key of a role's words.
pub(crate) fn role_key(role: OperatorRole) -> &'static str {
    match role {
        OperatorRole::Viewer => "role-viewer",
        OperatorRole::Office => "role-office",
        OperatorRole::Operator => "role-operator",
        OperatorRole::Admin => "role-admin",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_may_what_the_design_says() {
        let may = |permission: Permission| {
            OperatorRole::ALL.map(|role| if permission.is_of(role) { 'x' } else { '-' })
        };
        // viewer, office, operator, admin
        let table = Permission::ALL.map(|permission| String::from_iter(may(permission)));
        let expected =
            ["xxxx", "xxxx", "-xxx", "--xx", "-xxx", "--xx", "-xxx", "-x-x", "---x", "xxxx"];
        assert_eq!(table, expected);
    }
}
