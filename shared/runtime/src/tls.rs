//! One TLS stack for every socket: rustls with ring, and the roots it trusts.

use std::{path::Path, sync::Arc};

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

/// A file of certificates could not be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file cannot be read, or is not PEM.
    #[error("cannot read certificates from {path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: rustls::pki_types::pem::Error,
    },
    /// A certificate in it is none.
    #[error("cannot trust a certificate in {path}: {source}")]
    Invalid {
        /// The file.
        path: String,
        /// Why.
        source: rustls::Error,
    },
    /// There is no certificate in it.
    #[error("{path} holds no certificate")]
    Empty {
        /// The file.
        path: String,
    },
}

/// Makes ring the process's one provider of cryptography; later calls change nothing.
pub fn install_crypto_provider() {
    // An error says that a provider is installed already, which is what we want.
    rustls::crypto::ring::default_provider().install_default().ok();
}

/// The certificate authorities to trust: those of `file` alone where it is given, else the
/// machine's, by way of the bundle that Mozilla keeps.
pub fn root_store(file: Option<&Path>) -> Result<Arc<RootCertStore>, TlsError> {
    let mut roots = RootCertStore::empty();
    let Some(file) = file else {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        return Ok(Arc::new(roots));
    };
    let path = || file.display().to_string();
    let certificates = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|source| TlsError::Read { path: path(), source })?;
    for certificate in certificates {
        roots.add(certificate).map_err(|source| TlsError::Invalid { path: path(), source })?;
    }
    if roots.is_empty() {
        return Err(TlsError::Empty { path: path() });
    }
    Ok(Arc::new(roots))
}
