//! Where the webhooks of a church go.

use serde::{Deserialize, Serialize};

/// Where a church's webhooks go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookTarget {
    /// The receiver's address. Certificates of an https address are not checked.
    pub url: String,
    /// Signs the bodies.
    pub secret: String,
}
