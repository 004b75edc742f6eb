//! Who runs a command.

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
