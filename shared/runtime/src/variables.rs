//! The catalogue of environment variables: one constant each, named as in the environment.
//!
//! Code reads a variable through its constant, never by a string of its own, so `.env.example`
//! and the `--help` texts can be held against this list by a test.

/// An environment variable that a program reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable {
    /// The name in the environment.
    pub name: &'static str,
    /// The value that stands where the variable is unset or empty; none for those without one.
    pub default: Option<&'static str>,
    /// One line for `.env.example` and help texts.
    pub help: &'static str,
}

macro_rules! catalogue {
    ($($name:ident, $default:expr, $help:literal;)*) => {
        $(
            #[doc = $help]
            pub const $name: Variable = Variable { name: stringify!($name), default: $default, help: $help };
        )*
        /// Every variable, in the order of the documentation.
        pub const ALL: &[Variable] = &[$($name),*];
    };
}

catalogue! {
    DATABASE_URL, None, "Postgres: postgres://user:pass@host:port[,host:port…]/db[?sslmode=…&sslrootcert=…&target_session_attrs=…], sslmode up to verify-full";
    DATABASE_URL_FILE, None, "a file that holds DATABASE_URL, in its place";
    DATABASE_POOL_SIZE, Some("4"), "connections in a program's pool; it holds at most that plus 2";
    AMQP_URL, None, "RabbitMQ: amqp:// or amqps:// URL; several, comma-separated, are the nodes of one cluster";
    AMQP_URL_FILE, None, "a file that holds AMQP_URL, in its place";
    AMQP_CA_FILE, None, "PEM file with a private certificate authority for amqps://";
    SECRETS_KEY, None, "32 bytes in base64 that seal webhook secrets, core passwords and tokens at rest";
    SECRETS_KEY_FILE, None, "a file that holds SECRETS_KEY, in its place";
    SECRETS_KEY_PREVIOUS, None, "the key before, while everything is sealed anew with `faithctl rekey`";
    SECRETS_KEY_PREVIOUS_FILE, None, "a file that holds SECRETS_KEY_PREVIOUS, in its place";
    GATEWAY_LISTEN, Some("0.0.0.0:8080"), "the gateway's public address, unless systemd passes a socket; port 0 takes a free one";
    GATEWAY_ADMIN_LISTEN, Some("127.0.0.1:9101"), "the gateway's health and metrics";
    WORKER_ADMIN_LISTEN, Some("127.0.0.1:9102"), "the worker's health and metrics";
    RECONCILER_ADMIN_LISTEN, Some("127.0.0.1:9103"), "the reconciler's health and metrics";
    CONSOLE_LISTEN, Some("127.0.0.1:8088"), "the console's address; other than loopback only with TLS_CERT_FILE or CONSOLE_TRUSTED_PROXIES";
    CONSOLE_ADMIN_LISTEN, Some("127.0.0.1:9104"), "the console's health and metrics";
    CONSOLE_URL, None, "the console's address as browsers see it; unset: http:// and CONSOLE_LISTEN, where that is loopback";
    CONSOLE_TRUSTED_PROXIES, None, "networks of proxies before the console, comma-separated, that are believed where a request comes from";
    CONSOLE_PROXY_USER_HEADER, None, "the header in which these proxies say who has logged in there";
    CONSOLE_PROXY_SECRET_FILE, None, "a file with the secret that they prove themselves with, in X-Console-Proxy-Secret";
    PUBLIC_URL, None, "the gateway's address as senders see it, for printing whole webhook URLs";
    TLS_CERT_FILE, None, "PEM certificate chain; set with TLS_KEY_FILE, the public port speaks TLS";
    TLS_KEY_FILE, None, "PEM private key of TLS_CERT_FILE";
    GATEWAY_MAX_BODY_BYTES, Some("16777216"), "larger webhook bodies get 413";
    GATEWAY_TRUSTED_PROXIES, None, "networks of proxies, comma-separated, that are believed where a request comes from (Forwarded, X-Forwarded-For)";
    QUEUE_MAX_LENGTH, Some("10000000"), "events the work queue holds before the gateway answers 503";
    WORKER_PREFETCH, Some("256"), "unacknowledged events a worker holds";
    WORKER_CORE_CONCURRENCY, Some("16"), "core API requests a worker has under way per campus";
    WORKER_ANSWER_BYTES, Some("134217728"), "bytes of the core's answers that a worker holds at once, photos included; over it, fetches wait";
    RETRY_DELAYS, Some("5s,30s,2m,10m,1h"), "the delays before attempt 2, 3, …";
    RETRY_OUTAGE_AGE, Some("24h"), "how long an outage keeps an event retrying at the last delay";
    CORE_URLS_ALLOW, None, "hosts, comma-separated, that a core API may have although they are plain http or a private address";
    LOG_RETENTION, Some("90d"), "age at which days of webhook_logs are dropped";
    AUDIT_RETENTION, Some("400d"), "age at which entries of operator_log, the audit, are deleted; 30d at least";
    NOTIFY_URL, None, "the reconciler posts what is worth a look there, signed as Standard Webhooks say";
    NOTIFY_SECRET, None, "what these posts are signed with: whsec_ and 24 to 64 bytes in base64";
    NOTIFY_SECRET_FILE, None, "a file that holds NOTIFY_SECRET, in its place";
    NOTIFY_MAIL_URL, None, "the reconciler mails it by this server: smtps://USER:PASSWORD@HOST, or smtp://…?tls=required";
    NOTIFY_MAIL_URL_FILE, None, "a file that holds NOTIFY_MAIL_URL, in its place";
    NOTIFY_MAIL_FROM, None, "the address that the mail is from";
    NOTIFY_MAIL_TO, None, "the addresses that get it, comma-separated";
    OTEL_EXPORTER_OTLP_ENDPOINT, None, "set: traces are exported there over OTLP/HTTP (the other standard OTEL_* work too)";
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, None, "the same as a whole URL, http://…/v1/traces";
    OTEL_EXPORTER_OTLP_PROTOCOL, None, "http/protobuf, the only one that is spoken";
    OTEL_TRACES_EXPORTER, None, "none: traces are not exported although an endpoint is set";
    OTEL_TRACES_SAMPLER, None, "which traces are kept: always_on, always_off, traceidratio, or parentbased_ with one of these";
    OTEL_TRACES_SAMPLER_ARG, None, "the share of them for traceidratio, from 0 to 1";
    OTEL_SDK_DISABLED, None, "true: traces are not exported although an endpoint is set";
    RUST_LOG, Some("info"), "which log lines are written, for example info,worker=debug";
    LOG_FORMAT, None, "pretty or json; unset: pretty on a terminal, else json";
}

/// What the numbers of one program may be, for it and for `faithctl doctor`, which tells of them too.
pub mod ranges {
    use std::ops::RangeInclusive;

    /// Up to what a gateway holds of all bodies together.
    pub const GATEWAY_MAX_BODY_BYTES: RangeInclusive<u64> = 1..=256 * 1024 * 1024;
    /// As AMQP counts.
    pub const WORKER_PREFETCH: RangeInclusive<u64> = 1..=65_535;
    /// More than any core bears.
    pub const WORKER_CORE_CONCURRENCY: RangeInclusive<u64> = 1..=10_000;
    /// However little it is, one answer is always possible.
    pub const WORKER_ANSWER_BYTES: RangeInclusive<u64> = 1..=4_294_967_295;
}

/// What a program's `--help` says of the variables that it reads.
pub fn help(variables: &[Variable]) -> String {
    let width = variables.iter().map(|variable| variable.name.len()).max().unwrap_or(0);
    let lines = variables.iter().map(|Variable { name, default, help }| {
        let default = default.map(|value| format!(" [default: {value}]")).unwrap_or_default();
        format!("  {name:width$}  {help}{default}")
    });
    std::iter::once("Environment:".to_owned()).chain(lines).collect::<Vec<_>>().join("\n")
}
