//! Who runs a command, and from where.

/// `user@host`, as far as the machine knows; the user before `sudo`.
pub fn operator() -> String {
    let of = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let user = of("SUDO_USER").or_else(|| of("USER")).or_else(|| of("LOGNAME"));
    let host = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    let user = user.unwrap_or_else(|| "(unknown)".to_owned());
    match host.trim() {
        "" => user,
        host => format!("{user}@{host}"),
    }
}

/// The address that they came from, where they came over SSH and nothing on the way has hidden that.
pub fn operator_address() -> Option<String> {
    let client = std::env::var("SSH_CLIENT").or_else(|_| std::env::var("SSH_CONNECTION")).ok()?;
    client.split_whitespace().next().map(ToOwned::to_owned)
}
