//! Settings are read once, before any port is bound, from a source that tests can inject.

use std::{
    borrow::Cow,
    collections::HashMap,
    ffi::OsString,
    fmt,
    net::{IpAddr, SocketAddr},
    str::FromStr,
    time::Duration,
};

use ipnet::IpNet;
use zeroize::Zeroizing;

use crate::{Variable, parse_duration, variables};

/// A setting that is missing or wrong. Its text is one line: the variable, what was wrong, what
/// is expected. Values are never part of it: they may be secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{variable}: {problem}; expected {expected}")]
pub struct SettingError {
    variable: Cow<'static, str>,
    problem: String,
    expected: String,
}

impl SettingError {
    /// Reports `variable`: what is wrong with it, and what it should be.
    pub fn new(
        variable: Variable,
        problem: impl Into<String>,
        expected: impl Into<String>,
    ) -> Self {
        Self { variable: variable.name.into(), problem: problem.into(), expected: expected.into() }
    }
}

/// The environment a program was started in.
#[derive(Clone)]
pub struct Settings {
    values: HashMap<String, String>,
}

impl fmt::Debug for Settings {
    // Values may be secrets: only the names of what is set are shown.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.values.keys()).finish()
    }
}

impl Settings {
    /// The settings of this process. What is not UTF-8 is none, and must not count as unset.
    pub fn from_environment() -> Result<Self, SettingError> {
        Self::from_variables(std::env::vars_os())
    }

    fn from_variables(
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, SettingError> {
        let mut values = HashMap::new();
        for (name, value) in variables {
            let Ok(name) = name.into_string() else { continue };
            // OpenTelemetry's library reads more of its variables than we do.
            let is_ours = variables::ALL.iter().any(|variable| variable.name == name);
            if !is_ours && !name.starts_with("OTEL_") {
                continue;
            }
            let Ok(value) = value.into_string() else {
                let (problem, expected) = ("is not UTF-8".to_owned(), "text in UTF-8".to_owned());
                return Err(SettingError { variable: name.into(), problem, expected });
            };
            values.insert(name, value);
        }
        Ok(Self { values })
    }

    /// Settings from pairs, for tests.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let values =
            pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Self { values }
    }

    /// The same settings, with another default where a program's habits differ from the others'.
    #[must_use]
    pub fn with_default(mut self, variable: Variable, value: &str) -> Self {
        if self.values.get(variable.name).is_none_or(|set| set.trim().is_empty()) {
            self.values.insert(variable.name.to_owned(), value.to_owned());
        }
        self
    }

    /// The trimmed value, or the default; an empty value counts as unset.
    pub fn optional(&self, variable: Variable) -> Option<&str> {
        self.values
            .get(variable.name)
            .map(|value| value.trim())
            .filter(|value| !value.is_empty())
            .or(variable.default)
    }

    /// The value, or an error that says what to set.
    pub fn required(&self, variable: Variable) -> Result<&str, SettingError> {
        self.optional(variable)
            .ok_or_else(|| SettingError::new(variable, "is not set", variable.help))
    }

    /// The value of `variable`, or what the file that `file` names holds: where secrets are handed
    /// over as files, they are in nobody's environment. The variable wins. None where neither is set.
    pub fn value_or_file(
        &self,
        variable: Variable,
        file: Variable,
    ) -> Result<Option<Zeroizing<String>>, SettingError> {
        if let Some(value) = self.optional(variable) {
            return Ok(Some(Zeroizing::new(value.to_owned())));
        }
        let Some(path) = self.optional(file) else { return Ok(None) };
        let text = std::fs::read_to_string(path).map(Zeroizing::new).map_err(|error| {
            SettingError::new(file, format!("cannot be read ({error})"), file.help)
        })?;
        match text.trim() {
            "" => Err(SettingError::new(file, "is empty", file.help)),
            value => Ok(Some(Zeroizing::new(value.to_owned()))),
        }
    }

    /// [`Settings::value_or_file`], or an error that says what to set.
    pub fn required_or_file(
        &self,
        variable: Variable,
        file: Variable,
    ) -> Result<Zeroizing<String>, SettingError> {
        self.value_or_file(variable, file)?
            .ok_or_else(|| SettingError::new(variable, "is not set", variable.help))
    }

    /// A value of a type that reads itself from text.
    pub fn parsed<T: FromStr>(
        &self,
        variable: Variable,
        expected: &str,
    ) -> Result<T, SettingError> {
        self.required(variable)?
            .parse()
            .map_err(|_| SettingError::new(variable, "cannot be read", expected))
    }

    /// An address to listen on, `host:port` with a numeric host.
    pub fn address(&self, variable: Variable) -> Result<SocketAddr, SettingError> {
        self.parsed(variable, "an address and port such as 127.0.0.1:9101")
    }

    /// Networks such as `10.0.0.0/8`, comma-separated; an address stands for itself. None where
    /// unset.
    pub fn networks(&self, variable: Variable) -> Result<Vec<IpNet>, SettingError> {
        let network =
            |text: &str| text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        let entries = self.optional(variable).unwrap_or_default().split(',').map(str::trim);
        let networks = entries.filter(|entry| !entry.is_empty()).map(network);
        networks.collect::<Result<_, _>>().map_err(|_| {
            SettingError::new(
                variable,
                "has an entry that is no network",
                "networks, comma-separated, such as 10.0.0.0/8,192.0.2.1,2001:db8::/32",
            )
        })
    }

    /// A duration such as `250ms`, `5s`, `2m`, `1h`, `90d`.
    pub fn duration(&self, variable: Variable) -> Result<Duration, SettingError> {
        parse_duration(self.required(variable)?).ok_or_else(|| {
            SettingError::new(
                variable,
                "is not a duration",
                "a number and a unit: 250ms, 5s, 2m, 1h or 90d",
            )
        })
    }

    /// A whole number within `range`.
    pub fn number(
        &self,
        variable: Variable,
        range: std::ops::RangeInclusive<u64>,
    ) -> Result<u64, SettingError> {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        let number: u64 = self.parsed(variable, &expected)?;
        if range.contains(&number) {
            Ok(number)
        } else {
            Err(SettingError::new(variable, "is out of range", expected))
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may")]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_variable_the_problem_and_the_expectation_but_not_the_value() {
        let settings = Settings::from_pairs([("GATEWAY_LISTEN", "hunter2")]);
        let error = settings.address(variables::GATEWAY_LISTEN).unwrap_err().to_string();
        assert_eq!(
            error,
            "GATEWAY_LISTEN: cannot be read; expected an address and port such as 127.0.0.1:9101"
        );
    }

    #[test]
    fn what_is_not_utf_8_is_told_by_its_name() {
        use std::os::unix::ffi::OsStringExt;
        let read = |name: &str| {
            let latin = OsString::from_vec(b"hunter2\xe9".to_vec());
            Settings::from_variables([(name.into(), latin)]).map_err(|error| error.to_string())
        };
        for name in ["AMQP_URL", "OTEL_SERVICE_NAME"] {
            assert_eq!(
                read(name).unwrap_err(),
                format!("{name}: is not UTF-8; expected text in UTF-8")
            );
        }
        assert!(read("LS_COLORS").is_ok());
    }

    #[test]
    fn unset_and_empty_fall_back_to_the_default() {
        let settings = Settings::from_pairs([("WORKER_PREFETCH", " ")]);
        assert_eq!(settings.number(variables::WORKER_PREFETCH, 1..=1000).unwrap(), 256);
        assert!(settings.required(variables::DATABASE_URL).is_err());
    }

    #[test]
    fn a_secret_may_be_in_a_file_and_the_variable_wins() {
        let path = std::env::temp_dir().join(format!("setting-{}", std::process::id()));
        std::fs::write(&path, "amqp://from-file\n").unwrap();
        let file = path.to_str().unwrap();
        let read = |pairs: &[(&str, &str)]| {
            Settings::from_pairs(pairs.iter().copied())
                .required_or_file(variables::AMQP_URL, variables::AMQP_URL_FILE)
                .map(|value| value.to_string())
                .map_err(|error| error.to_string())
        };
        assert_eq!(read(&[("AMQP_URL_FILE", file)]).unwrap(), "amqp://from-file");
        let both = [("AMQP_URL_FILE", file), ("AMQP_URL", "amqp://direct")];
        assert_eq!(read(&both).unwrap(), "amqp://direct");
        std::fs::write(&path, " \n").unwrap();
        assert!(
            read(&[("AMQP_URL_FILE", file)]).unwrap_err().starts_with("AMQP_URL_FILE: is empty")
        );
        std::fs::remove_file(&path).unwrap();
        let missing = read(&[("AMQP_URL_FILE", file)]).unwrap_err();
        assert!(missing.starts_with("AMQP_URL_FILE: cannot be read"), "{missing}");
        assert!(read(&[]).unwrap_err().starts_with("AMQP_URL: is not set"));
    }

    #[test]
    fn numbers_keep_to_their_range() {
        let settings = Settings::from_pairs([("WORKER_PREFETCH", "0")]);
        assert!(settings.number(variables::WORKER_PREFETCH, 1..=1000).is_err());
    }
}
