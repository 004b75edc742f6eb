//! Which of several servers is wanted: libpq's `target_session_attrs`, some of which tokio-postgres
//! does not know.

use std::fmt;

use crate::backend::Backend;

/// What a server must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    Any,
    ReadWrite,
    ReadOnly,
    Primary,
    Standby,
    /// A standby, or any if none of the hosts is one.
    PreferStandby,
}

impl Target {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "any" => Self::Any,
            "read-write" => Self::ReadWrite,
            "read-only" => Self::ReadOnly,
            "primary" => Self::Primary,
            "standby" => Self::Standby,
            "prefer-standby" => Self::PreferStandby,
            _ => return None,
        })
    }

    pub(crate) fn accepts(self, backend: &Backend) -> bool {
        match self {
            Self::Any => true,
            Self::ReadWrite => !backend.is_read_only,
            Self::ReadOnly => backend.is_read_only,
            Self::Primary => !backend.is_standby,
            Self::Standby | Self::PreferStandby => backend.is_standby,
        }
    }
}

/// What a server is that is not wanted.
impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Any => "it is not wanted",
            Self::ReadWrite => "it takes no writes (target_session_attrs=read-write)",
            Self::ReadOnly => "it takes writes (target_session_attrs=read-only)",
            Self::Primary => "it is a standby (target_session_attrs=primary)",
            Self::Standby | Self::PreferStandby => {
                "it is no standby (target_session_attrs=standby)"
            }
        })
    }
}
