//! The webhook secret that a church signs with: made here, or given.

use campus::{Secret, WebhookSecret};

use crate::failure::say;

/// A given secret shorter than those made here is taken, and said to be weak.
pub(super) fn given(secret: Secret) -> Secret {
    let length = secret.expose().chars().count();
    if length < WebhookSecret::LENGTH {
        say(&format!(
            "warning: a secret of {length} characters is easier to guess than the {} of one made here",
            WebhookSecret::LENGTH
        ));
    }
    secret
}
