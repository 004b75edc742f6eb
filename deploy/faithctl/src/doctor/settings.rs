//! The environment: whether every variable can be read, as the programs will read it.

use std::path::Path;

use campus::Sealer;
use database::DatabaseConfig;
use notifications::NotificationSettings;
use queue::{AmqpConfig, Topology};
use retry::RetrySchedule;
use runtime::{
    SettingError, Settings, Variable,
    variables::{self, ranges},
};
use url::{Host, Url};

use super::check::Report;
use crate::environment::Environment;

/// This is the environment of faithctl; the programs have their own.
const ADVICE: &str = "set it as expected, here and where the programs are started";

pub(super) fn check(report: &mut Report, environment: &Environment) {
    let settings = environment.settings();
    let problems: Vec<SettingError> = problems(environment).into_iter().flatten().collect();
    for problem in &problems {
        report.fail("setting", problem.to_string(), ADVICE);
    }
    if problems.is_empty() {
        report.ok("settings", "every variable can be read");
    }
    encryption(report, settings);
}

fn problems(environment: &Environment) -> Vec<Option<SettingError>> {
    let settings = environment.settings();
    let number = |variable, range| settings.number(variable, range).err();
    vec![
        DatabaseConfig::from_settings(settings, "faithctl").err(),
        AmqpConfig::from_settings(settings).err(),
        Sealer::from_settings(settings).err(),
        settings.address(variables::GATEWAY_LISTEN).err(),
        settings.address(variables::GATEWAY_ADMIN_LISTEN).err(),
        settings.address(variables::WORKER_ADMIN_LISTEN).err(),
        settings.address(variables::RECONCILER_ADMIN_LISTEN).err(),
        settings.address(variables::CONSOLE_LISTEN).err(),
        settings.address(variables::CONSOLE_ADMIN_LISTEN).err(),
        environment.console_url().err(),
        settings.networks(variables::CONSOLE_TRUSTED_PROXIES).err(),
        environment.public_url().err(),
        tls_files(settings).err(),
        number(variables::GATEWAY_MAX_BODY_BYTES, ranges::GATEWAY_MAX_BODY_BYTES),
        settings.networks(variables::GATEWAY_TRUSTED_PROXIES).err(),
        Topology::from_settings(settings).err(),
        number(variables::WORKER_PREFETCH, ranges::WORKER_PREFETCH),
        number(variables::WORKER_CORE_CONCURRENCY, ranges::WORKER_CORE_CONCURRENCY),
        number(variables::WORKER_ANSWER_BYTES, ranges::WORKER_ANSWER_BYTES),
        RetrySchedule::from_settings(settings).err(),
        environment.allowed_hosts().err(),
        settings.duration(variables::LOG_RETENTION).err(),
        store::audit::retention(settings).err(),
        NotificationSettings::from_settings(settings).err(),
    ]
}

/// Both files, or neither.
fn tls_files(settings: &Settings) -> Result<(), SettingError> {
    let file = |variable: Variable| settings.optional(variable).map(|file| (variable, file));
    let files = [file(variables::TLS_CERT_FILE), file(variables::TLS_KEY_FILE)];
    match files {
        [None, None] => return Ok(()),
        [Some(_), None] => {
            return Err(SettingError::new(
                variables::TLS_KEY_FILE,
                "is not set",
                "the key of TLS_CERT_FILE",
            ));
        }
        [None, Some(_)] => {
            return Err(SettingError::new(
                variables::TLS_CERT_FILE,
                "is not set",
                "the certificate of TLS_KEY_FILE",
            ));
        }
        [Some(_), Some(_)] => {}
    }
    for (variable, file) in files.into_iter().flatten() {
        // The gateway may run elsewhere, with these files there.
        if Path::new(file).exists() && std::fs::File::open(file).is_err() {
            return Err(SettingError::new(
                variable,
                "cannot be opened",
                "a file that the gateway may read",
            ));
        }
    }
    Ok(())
}

/// Passwords and events should not cross a network in the clear.
fn encryption(report: &mut Report, settings: &Settings) {
    // A setting that cannot be read has been reported.
    let urls = settings
        .value_or_file(variables::AMQP_URL, variables::AMQP_URL_FILE)
        .ok()
        .flatten()
        .unwrap_or_default();
    let is_exposed = urls
        .split(',')
        .filter_map(|url| Url::parse(url.trim()).ok())
        .any(|url| url.scheme() == "amqp" && !is_loopback(&url));
    if is_exposed {
        report.warn(
            "AMQP_URL",
            "RabbitMQ is on another machine, and the connection is not encrypted",
            "use amqps://, unless the network between is your own",
        );
    }
}

fn is_loopback(url: &Url) -> bool {
    // The host of a scheme that is not the web's is not parsed into an address.
    url.host_str().and_then(|host| Host::parse(host).ok()).is_some_and(|host| match host {
        Host::Domain(name) => name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_without_its_key_is_a_bad_setting() {
        let check =
            |pairs: &[(&str, &str)]| tls_files(&Settings::from_pairs(pairs.iter().copied()));
        assert!(check(&[]).is_ok());
        assert!(check(&[("TLS_CERT_FILE", "/c.pem"), ("TLS_KEY_FILE", "/k.pem")]).is_ok());
        let error = check(&[("TLS_CERT_FILE", "/c.pem")]).unwrap_err();
        assert!(error.to_string().starts_with("TLS_KEY_FILE: is not set"));
        assert!(check(&[("TLS_KEY_FILE", "/k.pem")]).is_err());
    }

    #[test]
    fn an_unencrypted_connection_to_another_machine_is_worth_a_look() {
        let warned = |url: &str| {
            let mut report = Report::default();
            encryption(&mut report, &Settings::from_pairs([("AMQP_URL", url)]));
            !report.checks.is_empty()
        };
        assert!(
            warned("amqp://u:p@10.0.0.5/v") && warned("amqp://localhost,amqp://rabbit.internal")
        );
        assert!(
            !warned("amqps://10.0.0.5")
                && !warned("amqp://127.0.0.1:5672")
                && !warned("amqp://[::1]")
        );
    }
}
