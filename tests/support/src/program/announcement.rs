//! The log line in which a program names the addresses it listens on.

use std::{
    fs::File,
    io::{BufRead, BufReader, Seek, SeekFrom},
    net::SocketAddr,
    path::Path,
};

use serde_json::Value;

/// The addresses a program listens on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announcement {
    /// Health and metrics.
    pub admin: SocketAddr,
    /// The public port, of programs that have one.
    pub public: Option<SocketAddr>,
}

impl Announcement {
    /// Reads the first announcement after `offset` bytes of a log of JSON lines.
    pub(super) fn read(log: &Path, offset: u64) -> Option<Self> {
        let mut log = File::open(log).ok()?;
        log.seek(SeekFrom::Start(offset)).ok()?;
        BufReader::new(log).lines().map_while(Result::ok).find_map(|line| Self::from_line(&line))
    }

    /// A line counts when it has an `admin_address`; whatever else in it is an address is the
    /// public one.
    fn from_line(line: &str) -> Option<Self> {
        let Value::Object(fields) = serde_json::from_str(line).ok()? else { return None };
        let address = |value: &Value| value.as_str()?.parse().ok();
        Some(Self {
            admin: address(fields.get("admin_address")?)?,
            public: fields
                .iter()
                .filter(|(name, _)| *name != "admin_address")
                .find_map(|(_, value)| address(value)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_admin_and_the_public_address_are_found() {
        let line = r#"{"level":"INFO","admin_address":"127.0.0.1:1","address":"127.0.0.1:2"}"#;
        let found = Announcement::from_line(line).unwrap();
        assert_eq!(found.admin.port(), 1);
        assert_eq!(found.public.unwrap().port(), 2);
        assert_eq!(Announcement::from_line(r#"{"address":"127.0.0.1:2"}"#), None);
    }
}
