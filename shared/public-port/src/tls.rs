//! TLS, with a certificate that may be renewed while the program runs.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use runtime::{SettingError, Settings, variables};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use x509_cert::{Certificate, der::Decode};

/// How often the files are looked at. Looking at their bytes, not their dates: renewals by
/// symbolic link or with a preserved date are seen too.
const POLL: Duration = Duration::from_secs(5);

/// A certificate that cannot be served.
#[derive(Debug, thiserror::Error)]
enum TlsError {
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("the certificates are not PEM: {0}")]
    Certificates(rustls::pki_types::pem::Error),
    #[error("there is no certificate")]
    NoCertificate,
    #[error("the key is no PEM private key: {0}")]
    Key(rustls::pki_types::pem::Error),
    #[error("certificate and key cannot be used together: {0}")]
    Unusable(#[from] rustls::Error),
}

/// The bytes of both files, as last looked at.
#[derive(Clone, PartialEq, Eq)]
struct Files {
    certificates: Vec<u8>,
    key: Vec<u8>,
}

/// What a port shows to those who connect.
pub struct Tls {
    certificate_path: PathBuf,
    key_path: PathBuf,
    current: ArcSwap<Served>,
    /// Whether what lies in the files now cannot be served.
    is_renewal_failing: AtomicBool,
}

/// A certificate in use.
struct Served {
    config: Arc<ServerConfig>,
    /// Since 1970; none where the certificate does not say it in a way that we read.
    expires: Option<Duration>,
    files: Files,
}

impl Tls {
    /// Reads `TLS_CERT_FILE` and `TLS_KEY_FILE`; none where neither is set.
    pub fn from_settings(settings: &Settings) -> Result<Option<Self>, SettingError> {
        let certificate = settings.optional(variables::TLS_CERT_FILE);
        let key = settings.optional(variables::TLS_KEY_FILE);
        let (certificate, key) = match (certificate, key) {
            (None, None) => return Ok(None),
            (Some(certificate), Some(key)) => (PathBuf::from(certificate), PathBuf::from(key)),
            (Some(_), None) => return Err(alone(variables::TLS_KEY_FILE)),
            (None, Some(_)) => return Err(alone(variables::TLS_CERT_FILE)),
        };
        let read = |path: &PathBuf| {
            std::fs::read(path).map_err(|source| TlsError::Read { path: path.clone(), source })
        };
        let served = read(&certificate)
            .and_then(|certificates| Ok(Files { certificates, key: read(&key)? }))
            .and_then(Files::serve)
            .map_err(|error| {
                SettingError::new(
                    variables::TLS_CERT_FILE,
                    format!("cannot be used ({error})"),
                    "a PEM certificate chain whose key is in TLS_KEY_FILE",
                )
            })?;
        Ok(Some(Self {
            certificate_path: certificate,
            key_path: key,
            current: ArcSwap::from_pointee(served),
            is_renewal_failing: AtomicBool::new(false),
        }))
    }

    /// What to greet the next connection with.
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.current.load().config))
    }

    /// Whether the files hold, since a few seconds, what cannot be served.
    pub fn is_renewal_failing(&self) -> bool {
        self.is_renewal_failing.load(Ordering::Relaxed)
    }

    /// Until when the certificate in use is good, since 1970.
    pub fn expires(&self) -> Option<Duration> {
        self.current.load().expires
    }

    /// Takes up renewed certificates until `stop`. What cannot be used, a renewal that is half
    /// written for one, leaves the current certificate in place.
    pub async fn keep_fresh(self: Arc<Self>, stop: CancellationToken) {
        // What was in the files when they were tried last, and was not good.
        let mut refused: Option<Files> = None;
        let mut ticks = tokio::time::interval(POLL);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = stop.cancelled() => return,
            }
            let failed = match self.read().await {
                Ok(files) if files == self.current.load().files => None,
                // It is told once.
                Ok(files) if refused.as_ref() == Some(&files) => continue,
                Ok(files) => {
                    refused = Some(files.clone());
                    self.renew(files).err()
                }
                Err(error) => Some(error),
            };
            self.is_renewal_failing.store(failed.is_some(), Ordering::Relaxed);
            match failed {
                Some(error) => tracing::warn!(%error, "the current certificate is kept"),
                None => refused = None,
            }
        }
    }

    fn renew(&self, files: Files) -> Result<(), TlsError> {
        self.current.store(Arc::new(files.serve()?));
        tracing::info!("the certificate was renewed");
        Ok(())
    }

    async fn read(&self) -> Result<Files, TlsError> {
        let read = async |path: &PathBuf| {
            tokio::fs::read(path)
                .await
                .map_err(|source| TlsError::Read { path: path.clone(), source })
        };
        Ok(Files {
            certificates: read(&self.certificate_path).await?,
            key: read(&self.key_path).await?,
        })
    }
}

impl Files {
    fn serve(self) -> Result<Served, TlsError> {
        let certificates = CertificateDer::pem_slice_iter(&self.certificates)
            .collect::<Result<Vec<_>, _>>()
            .map_err(TlsError::Certificates)?;
        if certificates.is_empty() {
            return Err(TlsError::NoCertificate);
        }
        let expires = certificates.first().and_then(|certificate| expiry(certificate));
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(TlsError::Key)?;
        // Settings are read before the process has its provider.
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(certificates, key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Served { config: Arc::new(config), expires, files: self })
    }
}

fn expiry(certificate: &CertificateDer<'_>) -> Option<Duration> {
    let certificate = Certificate::from_der(certificate).ok()?;
    Some(certificate.tbs_certificate.validity.not_after.to_unix_duration())
}

fn alone(missing: runtime::Variable) -> SettingError {
    SettingError::new(missing, "is not set", "both TLS_CERT_FILE and TLS_KEY_FILE, or neither")
}
