//! What a server that speaks TLS shows of itself.

use std::path::PathBuf;

/// A certificate and its private key, as PEM files.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// The certificate of who signed it: what clients are told to trust.
    pub authority: PathBuf,
}
