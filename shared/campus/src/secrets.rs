//! What a campus's webhooks may be signed with, and what becomes of it when `SECRETS_KEY` does not
//! open it: keys are changed machine by machine, and a gateway must not forget what it knew.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{Purpose, SealError, Sealer, Secret};

/// The secret before the last rotation.
#[derive(Debug, Clone)]
pub struct PreviousSecret {
    /// What it was.
    pub secret: Secret,
    /// Until when it still works.
    pub expires_at: DateTime<Utc>,
}

/// The secrets of one campus.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    /// What its sender signs with; none: it does not open, and this gateway has not known it.
    pub current: Option<Secret>,
    /// Since when; none where the gateway's role may not read that.
    pub set_at: Option<DateTime<Utc>>,
    /// What it signed with before, within the grace of a rotation.
    pub previous: Option<PreviousSecret>,
    /// Why the current one, as it stands in Postgres, does not open.
    pub unreadable: Option<SealError>,
    /// Why the previous one does not, while it would still be good.
    pub previous_unreadable: Option<SealError>,
}

/// The same as they stand in Postgres.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SealedSecrets<'row> {
    pub(crate) campus: Uuid,
    pub(crate) current: &'row [u8],
    pub(crate) set_at: Option<DateTime<Utc>>,
    pub(crate) previous: Option<(&'row [u8], DateTime<Utc>)>,
}

impl Secrets {
    /// The secrets that are good at `now`: the current one, and the previous within its grace.
    pub fn good_at(&self, now: DateTime<Utc>) -> impl Iterator<Item = &Secret> {
        let previous = self.previous.iter().filter(move |previous| now < previous.expires_at);
        self.current.iter().chain(previous.map(|previous| &previous.secret))
    }

    /// Opens what Postgres has at `now`. What does not open is taken from `last`, as far as that is
    /// the same secret: after a rotation the one before is good for its grace and no longer.
    pub(crate) fn open(
        sealed: SealedSecrets<'_>,
        sealer: &Sealer,
        last: Option<&Self>,
        now: DateTime<Utc>,
    ) -> Self {
        let open = |secret: &[u8]| sealer.open(sealed.campus, Purpose::WebhookSecret, secret);
        let mut secrets = Self { set_at: sealed.set_at, ..Self::default() };
        let rotated = last.is_some_and(|last| {
            last.set_at.zip(sealed.set_at).is_some_and(|(then, now)| then != now)
        });
        match open(sealed.current) {
            Ok(secret) => secrets.current = Some(secret),
            Err(error) => {
                secrets.unreadable = Some(error);
                secrets.current = last.filter(|_| !rotated).and_then(|last| last.current.clone());
            }
        }
        // One that is out of its grace matters to nobody.
        let Some((previous, expires_at)) = sealed.previous.filter(|(_, until)| now < *until) else {
            return secrets;
        };
        let secret = open(previous).or_else(|error| {
            let kept = last.and_then(|last| last.before(expires_at, rotated));
            kept.ok_or(error).inspect_err(|error| secrets.previous_unreadable = Some(*error))
        });
        secrets.previous = secret.ok().map(|secret| PreviousSecret { secret, expires_at });
        secrets
    }

    /// What is good until `expires_at` now, of what was known before.
    fn before(&self, expires_at: DateTime<Utc>, rotated: bool) -> Option<Secret> {
        if rotated {
            return self.current.clone();
        }
        let previous = self.previous.as_ref()?;
        (previous.expires_at == expires_at).then(|| previous.secret.clone())
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use runtime::Settings;

    use super::*;

    const OURS: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    const OTHER: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

    fn sealer(key: &str) -> Sealer {
        Sealer::from_settings(&Settings::from_pairs([("SECRETS_KEY", key)])).unwrap()
    }

    fn sealed(key: &str, secret: &str) -> Vec<u8> {
        sealer(key).seal(Uuid::nil(), Purpose::WebhookSecret, &Secret::new(secret)).unwrap()
    }

    fn good(secrets: &Secrets, now: DateTime<Utc>) -> Vec<&str> {
        secrets.good_at(now).map(Secret::expose).collect()
    }

    /// Opens with our key.
    fn open(
        current: &[u8],
        set_at: DateTime<Utc>,
        previous: Option<(&[u8], DateTime<Utc>)>,
        last: Option<&Secrets>,
        now: DateTime<Utc>,
    ) -> Secrets {
        let sealed = SealedSecrets { campus: Uuid::nil(), current, set_at: Some(set_at), previous };
        Secrets::open(sealed, &sealer(OURS), last, now)
    }

    #[test]
    fn the_previous_secret_is_good_within_its_grace_only() {
        let now = Utc::now();
        let (current, previous) = (sealed(OURS, "new"), sealed(OURS, "old"));
        let until = now + TimeDelta::seconds(1);
        let secrets = open(&current, now, Some((&previous, until)), None, now);
        assert_eq!(good(&secrets, now), ["new", "old"]);
        assert_eq!(good(&secrets, until), ["new"]);
    }

    #[test]
    fn what_was_known_is_kept_when_another_key_seals_it() {
        let now = Utc::now();
        let known = open(&sealed(OURS, "new"), now, None, None, now);
        let resealed = sealed(OTHER, "new");
        let kept = open(&resealed, now, None, Some(&known), now);
        assert_eq!((good(&kept, now), kept.unreadable), (vec!["new"], Some(SealError::WrongKey)));
        // And kept on, read after read; nothing was known to a gateway that has just started.
        let again = open(&resealed, now, None, Some(&kept), now);
        assert_eq!(good(&again, now), ["new"]);
        assert!(good(&open(&resealed, now, None, None, now), now).is_empty());
    }

    #[test]
    fn a_secret_that_was_rotated_is_good_for_its_grace_and_no_longer() {
        let now = Utc::now();
        let known = open(&sealed(OURS, "old"), now, None, None, now);
        let later = now + TimeDelta::seconds(5);
        let until = later + TimeDelta::seconds(60);
        let (new, old) = (sealed(OTHER, "new"), sealed(OTHER, "old"));
        let rotated = open(&new, later, Some((&old, until)), Some(&known), later);
        assert!(rotated.current.is_none() && rotated.previous_unreadable.is_none());
        assert_eq!(good(&rotated, later), ["old"]);
        let again = open(&new, later, Some((&old, until)), Some(&rotated), later);
        assert_eq!(good(&again, later), ["old"]);
        assert!(good(&again, until).is_empty());
        // Without grace it is dead at once.
        assert!(good(&open(&new, later, None, Some(&known), later), later).is_empty());
    }

    #[test]
    fn a_previous_secret_that_does_not_open_takes_nothing_else_with_it() {
        let now = Utc::now();
        let (current, previous) = (sealed(OURS, "new"), sealed(OTHER, "old"));
        let within = open(&current, now, Some((&previous, now + TimeDelta::hours(1))), None, now);
        assert_eq!(good(&within, now), ["new"]);
        assert_eq!(within.previous_unreadable, Some(SealError::WrongKey));
        let without = open(&current, now, Some((&previous, now)), None, now);
        assert_eq!((good(&without, now), without.previous_unreadable), (vec!["new"], None));
    }
}
