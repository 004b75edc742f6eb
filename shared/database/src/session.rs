//! What every session is set to.

/// What every session is set to, unless `options` of `DATABASE_URL` says otherwise. By `SET` and not
/// when the session starts: PgBouncer refuses the start-up parameter `options`, or drops it.
///
/// * `lock_timeout`: a row held by a stuck session delays its own event, not the whole batch.
/// * `idle_in_transaction_session_timeout`: a worker that froze gives its locks back.
/// * `synchronous_commit`: an acknowledged event is on disk, whatever the server's default.
/// * `jit`: compiling a statement takes longer than any of ours runs.
/// * `statement_timeout`: nothing this product asks takes half a minute unless something is wrong.
const SETTINGS: &[(&str, &str)] = &[
    ("lock_timeout", "3s"),
    ("idle_in_transaction_session_timeout", "5s"),
    ("synchronous_commit", "on"),
    ("jit", "off"),
    ("statement_timeout", "30s"),
];

/// The statements that set a session, beside the start-up `options`.
pub(crate) fn settings(options: Option<&str>) -> String {
    let options = options.unwrap_or_default().replace('-', "_");
    let named = |name: &str| options.contains(&format!("{name}="));
    let statements: Vec<String> = SETTINGS
        .iter()
        .filter(|(name, _)| !named(name))
        .map(|(name, value)| format!("SET {name} = '{value}'"))
        .collect();
    statements.join("; ")
}

#[cfg(test)]
mod tests {
    use super::settings;

    #[test]
    fn what_the_url_sets_is_not_set_again() {
        assert!(settings(None).contains("SET lock_timeout = '3s'"));
        let beside = settings(Some("-c lock_timeout=1s --statement-timeout=5s"));
        assert!(!beside.contains("SET lock_timeout") && !beside.contains("SET statement_timeout"));
        assert!(beside.contains("SET jit = 'off'"));
    }
}
