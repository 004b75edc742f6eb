//! Which channels there are.

use base64::{Engine, prelude::BASE64_STANDARD};
use lettre::message::Mailbox;
use runtime::{SettingError, Settings, Variable, variables};
use url::Url;
use zeroize::Zeroizing;

use crate::{
    channel::Channel,
    mail::MailChannel,
    webhook::{SigningKey, WebhookChannel},
};

/// Shorter keys can be guessed; the specification asks for 24 bytes to 64.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;
/// How the specification marks such a secret.
const SECRET_PREFIX: &str = "whsec_";

/// What the settings say of notifications.
#[derive(Default)]
pub struct NotificationSettings {
    /// The channels that are set up; none: nobody is told.
    pub channels: Vec<Channel>,
}

impl NotificationSettings {
    /// Reads them.
    ///
    /// # Errors
    ///
    /// Where one is bad, or stands without the one that it needs.
    pub fn from_settings(settings: &Settings) -> Result<Self, SettingError> {
        let channels =
            [webhook(settings)?.map(Channel::Webhook), mail(settings)?.map(Channel::Mail)];
        Ok(Self { channels: channels.into_iter().flatten().collect() })
    }
}

fn webhook(settings: &Settings) -> Result<Option<WebhookChannel>, SettingError> {
    let secret = settings.value_or_file(variables::NOTIFY_SECRET, variables::NOTIFY_SECRET_FILE)?;
    let Some(url) = settings.optional(variables::NOTIFY_URL) else {
        return match secret {
            Some(_) => Err(needs(variables::NOTIFY_SECRET, variables::NOTIFY_URL)),
            None => Ok(None),
        };
    };
    let is_web = |url: &Url| matches!(url.scheme(), "http" | "https") && url.has_host();
    let url = Url::parse(url).ok().filter(is_web).ok_or_else(|| {
        let expected = "for example https://hooks.example.org/faithtracker";
        SettingError::new(variables::NOTIFY_URL, "is not an http(s) URL", expected)
    })?;
    let secret = secret.ok_or_else(|| needs(variables::NOTIFY_URL, variables::NOTIFY_SECRET))?;
    WebhookChannel::new(url, signing_key(&secret)?).map(Some).map_err(|_| {
        SettingError::new(variables::NOTIFY_URL, "cannot be used", "a client could not be made")
    })
}

fn signing_key(secret: &str) -> Result<SigningKey, SettingError> {
    let encoded = secret.trim();
    let encoded = encoded.strip_prefix(SECRET_PREFIX).unwrap_or(encoded);
    let key = BASE64_STANDARD.decode(encoded).map(Zeroizing::new).ok();
    key.filter(|key| KEY_BYTES.contains(&key.len())).map(SigningKey::new).ok_or_else(|| {
        SettingError::new(
            variables::NOTIFY_SECRET,
            "is not a secret of Standard Webhooks",
            "whsec_ and 24 to 64 bytes in base64: printf 'whsec_%s\\n' \"$(openssl rand -base64 32)\"",
        )
    })
}

fn mail(settings: &Settings) -> Result<Option<MailChannel>, SettingError> {
    let url =
        settings.value_or_file(variables::NOTIFY_MAIL_URL, variables::NOTIFY_MAIL_URL_FILE)?;
    let Some(url) = url else {
        let alone = [variables::NOTIFY_MAIL_FROM, variables::NOTIFY_MAIL_TO]
            .into_iter()
            .find(|variable| settings.optional(*variable).is_some());
        return alone.map_or(Ok(None), |variable| Err(needs(variable, variables::NOTIFY_MAIL_URL)));
    };
    let mailbox = |variable: Variable, text: &str| {
        text.trim().parse::<Mailbox>().map_err(|_| {
            let expected = "an address, or `Name <address>`";
            SettingError::new(variable, "is not a mail address", expected)
        })
    };
    let from = settings
        .optional(variables::NOTIFY_MAIL_FROM)
        .ok_or_else(|| needs(variables::NOTIFY_MAIL_URL, variables::NOTIFY_MAIL_FROM))?;
    let to = settings
        .optional(variables::NOTIFY_MAIL_TO)
        .ok_or_else(|| needs(variables::NOTIFY_MAIL_URL, variables::NOTIFY_MAIL_TO))?;
    let from = mailbox(variables::NOTIFY_MAIL_FROM, from)?;
    let to: Vec<Mailbox> = to
        .split(',')
        .map(|one| mailbox(variables::NOTIFY_MAIL_TO, one))
        .collect::<Result<_, _>>()?;
    // Its own error would show the password.
    MailChannel::new(&url, from, to).map(Some).map_err(|_| {
        SettingError::new(
            variables::NOTIFY_MAIL_URL,
            "is not the URL of a mail server",
            "smtps://USER:PASSWORD@HOST, or smtp://USER:PASSWORD@HOST?tls=required for STARTTLS",
        )
    })
}

fn needs(variable: Variable, other: Variable) -> SettingError {
    SettingError::new(variable, format!("is set without {}", other.name), other.help)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: (&str, &str) = ("NOTIFY_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    const URL: (&str, &str) = ("NOTIFY_URL", "https://hooks.example.org/in");
    const MAIL: (&str, &str) = ("NOTIFY_MAIL_URL", "smtps://user:hidden@mail.example.org");
    const FROM: (&str, &str) = ("NOTIFY_MAIL_FROM", "FaithTracker <sync@example.org>");
    const TO: (&str, &str) = ("NOTIFY_MAIL_TO", "one@example.org, Two <two@example.org>");

    fn read(pairs: &[(&str, &str)]) -> Result<Vec<(&'static str, String)>, String> {
        runtime::install_crypto_provider();
        let settings = Settings::from_pairs(pairs.iter().copied());
        let settings =
            NotificationSettings::from_settings(&settings).map_err(|error| error.to_string())?;
        Ok(settings.channels.iter().map(|channel| (channel.name(), channel.target())).collect())
    }

    #[test]
    fn without_settings_there_is_no_channel() {
        assert_eq!(read(&[]).unwrap(), []);
    }

    #[test]
    fn channels_name_where_they_lead_without_a_password() {
        let channels = read(&[URL, SECRET, MAIL, FROM, TO]).unwrap();
        assert_eq!(
            channels,
            [
                ("webhook", "hooks.example.org".to_owned()),
                ("mail", "one@example.org, two@example.org".to_owned())
            ]
        );
    }

    #[test]
    fn a_bad_setting_says_which_and_hides_the_value() {
        for (pairs, begins) in [
            (&[URL][..], "NOTIFY_URL: is set without NOTIFY_SECRET"),
            (&[SECRET], "NOTIFY_SECRET: is set without NOTIFY_URL"),
            (&[("NOTIFY_URL", "hooks.example.org"), SECRET], "NOTIFY_URL: is not an http(s) URL"),
            (&[URL, ("NOTIFY_SECRET", "hidden")], "NOTIFY_SECRET: is not a secret"),
            (&[MAIL, FROM], "NOTIFY_MAIL_URL: is set without NOTIFY_MAIL_TO"),
            (&[FROM], "NOTIFY_MAIL_FROM: is set without NOTIFY_MAIL_URL"),
            (&[MAIL, FROM, ("NOTIFY_MAIL_TO", "nobody")], "NOTIFY_MAIL_TO: is not a mail address"),
            (&[("NOTIFY_MAIL_URL", "https://user:hidden@x"), FROM, TO], "NOTIFY_MAIL_URL: is not"),
        ] {
            let error = read(pairs).unwrap_err();
            assert!(error.starts_with(begins), "{error}");
            assert!(!error.contains("hidden"), "{error}");
        }
    }
}
